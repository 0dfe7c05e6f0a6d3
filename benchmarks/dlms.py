"""Decoding a push of 25 elements in plain CPython: notification in, Python values out."""

from benchmarks._dlms import push
from tools.bench_worker import Contender, Work

__all__ = ["CONTENDERS", "SUMMARY"]

SUMMARY = "decode a DLMS push of 25 elements"


def _ours() -> Work:
    from polymeter.protocols.dlms.apdus import DataNotification, decode_apdu

    data = push()
    decoded = decode_apdu(data)
    assert isinstance(decoded, DataNotification)
    return Work(lambda: decode_apdu(data), f"{len(decoded.body.value)} elements")


def _peer() -> Work:
    from dlms_cosem.protocol.xdlms import DataNotification  # type: ignore[import-not-found]
    from dlms_cosem.utils import parse_as_dlms_data  # type: ignore[import-not-found]

    data = push()
    return Work(
        lambda: parse_as_dlms_data(DataNotification.from_bytes(data).body),
        f"{len(parse_as_dlms_data(DataNotification.from_bytes(data).body))} elements",
    )


CONTENDERS = [
    Contender("polymeter", _ours, distribution="polymeter"),
    Contender("dlms-cosem", _peer, distribution="dlms-cosem", requirements=("dlms-cosem==21.3.2",)),
]
