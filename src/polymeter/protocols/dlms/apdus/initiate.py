"""The xDLMS context that an association negotiates (IEC 62056-5-3 § 7.3.1, 8.3)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag
from typing import ClassVar, Final, NamedTuple

from polymeter.protocols.dlms.apdus.base import APDU, apdu
from polymeter.protocols.dlms.apdus.fields import BOOLEAN, I16, OCTETS, U8, U16, Cursor, Kind, Optional, Sink

__all__ = [
    "VAA_NAME_LN",
    "VAA_NAME_SN",
    "Conformance",
    "InitiateRequest",
    "InitiateResponse",
    "NegotiatedConformance",
]

VAA_NAME_LN: Final = 0x0007
VAA_NAME_SN: Final = -0x0600


class Conformance(IntFlag):
    """What an end can do; bit 0 of the standard is the highest of 24."""

    GENERAL_PROTECTION = 1 << 22
    GENERAL_BLOCK_TRANSFER = 1 << 21
    READ = 1 << 20
    WRITE = 1 << 19
    UNCONFIRMED_WRITE = 1 << 18
    DELTA_VALUE_ENCODING = 1 << 17
    ATTRIBUTE_0_SUPPORTED_WITH_SET = 1 << 15
    PRIORITY_MGMT_SUPPORTED = 1 << 14
    ATTRIBUTE_0_SUPPORTED_WITH_GET = 1 << 13
    BLOCK_TRANSFER_WITH_GET_OR_READ = 1 << 12
    BLOCK_TRANSFER_WITH_SET_OR_WRITE = 1 << 11
    BLOCK_TRANSFER_WITH_ACTION = 1 << 10
    MULTIPLE_REFERENCES = 1 << 9
    INFORMATION_REPORT = 1 << 8
    DATA_NOTIFICATION = 1 << 7
    ACCESS = 1 << 6
    PARAMETERIZED_ACCESS = 1 << 5
    GET = 1 << 4
    SET = 1 << 3
    SELECTIVE_ACCESS = 1 << 2
    EVENT_NOTIFICATION = 1 << 1
    ACTION = 1


class NegotiatedConformance(NamedTuple):
    """Conformance whose tag was written in one octet, as old HDLC meters do."""

    conformance: Conformance


class _ConformanceKind(NamedTuple):
    """A bit string of 24 bits under the tag APPLICATION 31."""

    def read(self, cursor: Cursor, name: str) -> Conformance | NegotiatedConformance:
        start = cursor.pos
        head = cursor.take(2, name)
        if head == b"\x5f\x1f":
            head += cursor.take(2, name)
        else:
            head += cursor.take(1, name)
        if head not in (b"\x5f\x1f\x04\x00", b"\x5f\x04\x00"):
            raise cursor.fail(f"{name} begins with {head.hex()}", start)
        cursor.leaf(f"tag of {name}", start)
        start = cursor.pos
        value = Conformance(int.from_bytes(cursor.take(3, name), "big"))
        names = [member.name.lower().replace("_", "-") for member in Conformance if member in value]  # type: ignore[union-attr]
        cursor.leaf(name, start, int(value), ", ".join(names))
        return value if len(head) == 4 else NegotiatedConformance(value)

    def write(self, sink: Sink, value: Conformance | NegotiatedConformance) -> None:
        if isinstance(value, NegotiatedConformance):
            sink.out += b"\x5f\x04\x00" + int(value.conformance).to_bytes(3, "big")
        else:
            sink.out += b"\x5f\x1f\x04\x00" + int(value).to_bytes(3, "big")


_CONFORMANCE: Final = _ConformanceKind()


@apdu
@dataclass(frozen=True, slots=True)
class InitiateRequest(APDU):
    """What the client proposes. `response_allowed` `None` is the default, true."""

    HEAD: ClassVar[bytes] = b"\x01"
    LAYOUT: ClassVar[tuple[Kind, ...]] = (
        Optional(OCTETS),
        Optional(BOOLEAN),
        Optional(U8),
        U8,
        _CONFORMANCE,
        U16,
    )
    dedicated_key: bytes | None
    response_allowed: bool | None
    quality_of_service: int | None
    dlms_version: int
    conformance: Conformance | NegotiatedConformance
    max_receive_pdu_size: int

    def __repr__(self) -> str:
        key = None if self.dedicated_key is None else "…"
        return f"InitiateRequest(dedicated_key={key}, conformance={self.conformance!r})"


@apdu
@dataclass(frozen=True, slots=True)
class InitiateResponse(APDU):
    """What the meter grants."""

    HEAD: ClassVar[bytes] = b"\x08"
    LAYOUT: ClassVar[tuple[Kind, ...]] = (Optional(U8), U8, _CONFORMANCE, U16, I16)
    quality_of_service: int | None
    dlms_version: int
    conformance: Conformance | NegotiatedConformance
    max_receive_pdu_size: int
    vaa_name: int
