"""A profile buffer of 1000 rows and 5 columns: get-response in, rows with their times out."""

from benchmarks._dlms import CAPTURE, profile
from tools.bench_worker import Contender, Work

__all__ = ["CONTENDERS", "SUMMARY"]

SUMMARY = "decode a DLMS profile of 1000 rows and 5 columns"


def _ours() -> Work:
    from typing import Any

    from polymeter.protocols import obis
    from polymeter.protocols.dlms.apdus import CaptureObject, GetResponseNormal, decode_apdu
    from polymeter.protocols.dlms.axdr import Data
    from polymeter.protocols.dlms.profiles import rows

    data = profile()
    columns = [CaptureObject(class_id, obis.from_bytes(bytes.fromhex(name))) for class_id, name in CAPTURE]

    def run() -> list[tuple[Any, ...]]:
        response = decode_apdu(data)
        assert isinstance(response, GetResponseNormal)
        assert isinstance(response.result, Data)
        return rows(response.result.value, columns, 900)

    found = run()
    return Work(run, f"{len(found)} rows, the last {found[-1][0]:%Y-%m-%d %H:%M} {found[-1][2]}")


def _peer() -> Work:
    from typing import Any

    from dlms_cosem.cosem import CosemAttribute, Obis  # type: ignore[import-not-found]
    from dlms_cosem.enumerations import CosemInterface  # type: ignore[import-not-found]
    from dlms_cosem.parsers import ProfileGenericBufferParser  # type: ignore[import-not-found]
    from dlms_cosem.protocol.xdlms import GetResponseNormal  # type: ignore[import-not-found]

    data = profile()
    columns = [
        CosemAttribute(CosemInterface(class_id), Obis.from_bytes(bytes.fromhex(name)), 2)
        for class_id, name in CAPTURE
    ]
    parser = ProfileGenericBufferParser(columns, 15)

    def run() -> Any:
        return parser.parse_bytes(GetResponseNormal.from_bytes(data).data)

    found = run()
    last = found[-1]
    return Work(run, f"{len(found)} rows, the last {last[0].value:%Y-%m-%d %H:%M} {last[2].value}")


CONTENDERS = [
    Contender("polymeter", _ours, distribution="polymeter"),
    Contender("dlms-cosem", _peer, distribution="dlms-cosem", requirements=("dlms-cosem==21.3.2",)),
]
