"""Opening and decoding a push of 25 elements under suite 0, tag verified: envelope in, values out."""

from typing import Any

from benchmarks._dlms import AUTH, KEY, TITLE, sealed
from tools.bench_worker import Contender, Work

__all__ = ["CONTENDERS", "SUMMARY"]

SUMMARY = "open and decode a ciphered DLMS push of 25 elements"


def _ours() -> Work:
    from polymeter.protocols.dlms.apdus import decode_apdu
    from polymeter.protocols.dlms.security import Keys, unprotect

    data, keys = sealed(), Keys(KEY, AUTH)

    def run() -> Any:
        envelope: Any = decode_apdu(data)
        return decode_apdu(unprotect(envelope.content, keys, envelope.system_title).plaintext)

    assert unprotect(sealed()[12:], keys, TITLE).verified
    return Work(run, f"{len(run().body.value)} elements")


def _peer() -> Work:
    from dlms_cosem.protocol.xdlms import (  # type: ignore[import-not-found]
        DataNotification,
        GeneralGlobalCipher,
    )
    from dlms_cosem.utils import parse_as_dlms_data  # type: ignore[import-not-found]

    data = sealed()

    def run() -> list[object]:
        plain = GeneralGlobalCipher.from_bytes(data).to_plain_apdu(KEY, AUTH)
        values: list[object] = parse_as_dlms_data(DataNotification.from_bytes(plain).body)
        return values

    return Work(run, f"{len(run())} elements")


CONTENDERS = [
    Contender("polymeter", _ours, distribution="polymeter"),
    Contender("dlms-cosem", _peer, distribution="dlms-cosem", requirements=("dlms-cosem==21.3.2",)),
]
