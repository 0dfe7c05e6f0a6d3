"""The xDLMS context that an association negotiates (IEC 62056-5-3 § 7.3.1, 8.3)."""

from __future__ import annotations

from enum import IntFlag
from typing import Annotated, Final, NamedTuple

from polymeter.protocols.dlms.apdus.base import APDU, apdu
from polymeter.protocols.dlms.apdus.fields import (
    BOOLEAN,
    OCTETS,
    U8,
    Cursor,
    Integer16,
    Optional,
    Sink,
    Unsigned8,
    Unsigned16,
)

__all__ = [
    "LOGICAL_NAME_SERVICES",
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


LOGICAL_NAME_SERVICES: Final = (
    Conformance.BLOCK_TRANSFER_WITH_GET_OR_READ
    | Conformance.BLOCK_TRANSFER_WITH_SET_OR_WRITE
    | Conformance.BLOCK_TRANSFER_WITH_ACTION
    | Conformance.MULTIPLE_REFERENCES
    | Conformance.DATA_NOTIFICATION
    | Conformance.GET
    | Conformance.SET
    | Conformance.SELECTIVE_ACCESS
    | Conformance.EVENT_NOTIFICATION
    | Conformance.ACTION
)
"""What both of our ends can do with objects by logical name."""


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


@apdu(b"\x01")
class InitiateRequest(APDU):
    """What the client proposes. `response_allowed` `None` is the default, true."""

    dedicated_key: Annotated[bytes | None, Optional(OCTETS)]
    response_allowed: Annotated[bool | None, Optional(BOOLEAN)]
    quality_of_service: Annotated[int | None, Optional(U8)]
    dlms_version: Unsigned8
    conformance: Annotated[Conformance | NegotiatedConformance, _CONFORMANCE]
    max_receive_pdu_size: Unsigned16

    def __repr__(self) -> str:
        key = None if self.dedicated_key is None else "…"
        return f"InitiateRequest(dedicated_key={key}, conformance={self.conformance!r})"


@apdu(b"\x08")
class InitiateResponse(APDU):
    """What the meter grants."""

    quality_of_service: Annotated[int | None, Optional(U8)]
    dlms_version: Unsigned8
    conformance: Annotated[Conformance | NegotiatedConformance, _CONFORMANCE]
    max_receive_pdu_size: Unsigned16
    vaa_name: Integer16
