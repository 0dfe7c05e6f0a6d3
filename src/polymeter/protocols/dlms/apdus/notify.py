"""What meters say unasked: data, events, reports (IEC 62056-5-3 § 8.3).

The date-time of a notification is an octet string of any length: most meters send 0 or 12 octets,
some 1. It stays as it came; `moment` tells what it means.
"""

from __future__ import annotations

import struct
from datetime import datetime
from typing import Annotated, Final, NamedTuple

from polymeter.protocols.dlms import times
from polymeter.protocols.dlms.apdus.base import APDU, apdu
from polymeter.protocols.dlms.apdus.descriptors import Attribute
from polymeter.protocols.dlms.apdus.fields import (
    OCTETS,
    Cursor,
    ListOf,
    OctetString,
    Optional,
    Sink,
    Unsigned32,
    Value,
    Values,
)
from polymeter.protocols.dlms.apdus.short_names import VARIABLE, VariableAccess
from polymeter.protocols.dlms.axdr import Data, decode
from polymeter.protocols.dlms.data import encode_length

__all__ = [
    "DataNotification",
    "DataNotificationConfirm",
    "EventNotificationRequest",
    "InformationReportRequest",
]

_TAGGED: Final = -1
"""In place of an unusual length: the time is written as a tagged value, as Kaifa's meters do."""


class _TimeKind(NamedTuple):
    """An octet string, or the same with a tag that should not be there."""

    def read(self, cursor: Cursor, name: str) -> bytes:
        at = cursor.pos
        octets = cursor.data[at + 2 : at + 14]
        if cursor.data[at : at + 2] != b"\x09\x0c" or not times.looks_like_date_time(octets):
            length = cursor.length()
            cursor.leaf(f"length of {name}", at, length)
            at = cursor.pos
            octets = cursor.take(length, name)
            moment = times.instant(octets)
            if length:
                cursor.leaf(name, at, octets, str(moment) if moment else None)
            return octets
        cursor.heads.append(_TAGGED)
        cursor.pos += 14
        cursor.leaf(name, at, octets, "tagged, which it should not be")
        return octets

    def write(self, sink: Sink, value: bytes) -> None:
        head = next(sink.heads, 0)
        if head == _TAGGED:
            sink.out.append(0x09)
        sink.out += encode_length(len(value), max(head, 0)) + value


_TIME: Final = _TimeKind()
_new: Final = tuple.__new__
_U32: Final = struct.Struct(">I").unpack_from


@apdu(b"\x0f")
class DataNotification(APDU):
    """A meter pushes data."""

    long_invoke: Unsigned32
    date_time: Annotated[bytes, _TIME]
    body: Value

    @classmethod
    def quick(cls, data: bytes) -> DataNotification | None:
        """A notification with a short length and nothing after its body."""
        size = data[5] if len(data) > 6 else 9
        if size > 0x7F or size == 9:  # 9 is a tag: see above
            return None
        at = 6 + size
        value, end = decode(data, at)
        if end != len(data):
            return None
        made = object.__new__(cls)
        _put_long_invoke(made, _U32(data, 1)[0])
        _put_date_time(made, data[6:at])
        _put_body(made, _new(Data, (data[at:], value)))
        _put_heads(made, ())
        return made

    def moment(self, inverted_deviation: bool = False) -> datetime | None:
        """When it was sent, if it says so."""
        return times.instant(self.date_time, inverted_deviation)


# A frozen class sets its fields a third slower than its slots do themselves.
_put_long_invoke: Final = DataNotification.__dict__["long_invoke"].__set__
_put_date_time: Final = DataNotification.__dict__["date_time"].__set__
_put_body: Final = DataNotification.__dict__["body"].__set__
_put_heads: Final = APDU.__dict__["heads"].__set__


@apdu(b"\x10")
class DataNotificationConfirm(APDU):
    """A pushed message was taken."""

    long_invoke: Unsigned32
    date_time: OctetString = b""


@apdu(b"\xc2")
class EventNotificationRequest(APDU):
    """An attribute that a meter reports by itself (logical names)."""

    date_time: Annotated[bytes | None, Optional(OCTETS)]
    attribute: Attribute
    value: Value


@apdu(b"\x18")
class InformationReportRequest(APDU):
    """Variables that a meter reports by itself (short names)."""

    current_time: Annotated[bytes | None, Optional(OCTETS)]
    variables: Annotated[tuple[VariableAccess, ...], ListOf(VARIABLE)]
    values: Values
