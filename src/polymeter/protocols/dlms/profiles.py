"""Profile buffers to rows (IEC 62056-6-2 § 4.3.6): columns stay where they are, times are complete.

Meters leave out what repeats: a null in the clock column is the time before plus the capture
period, in seconds; a null in any other column is the value before. A null that nothing precedes is
no value. Rows are tuples with one value for each capture object.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from polymeter.protocols import obis
from polymeter.protocols.dlms import times
from polymeter.protocols.dlms.apdus.descriptors import CaptureObject
from polymeter.protocols.dlms.times import DateTime
from polymeter.protocols.wire import RemoteProtocolError

__all__ = ["capture_objects", "is_clock", "rows"]

_CLOCK_CLASS = 8


def capture_objects(value: Any) -> tuple[CaptureObject, ...]:
    """The columns that a profile's attribute 3, or a push setup's object list, names.

    `value` is the plain form. Later versions of these classes append fields; they are left out.

    Raises:
        RemoteProtocolError: it is no such list.
    """
    columns = []
    for index, entry in enumerate(value if isinstance(value, list) else [None]):
        match entry:
            case [int(class_id), bytes(name), int(attribute), int(data_index), *_] if len(name) == 6:
                columns.append(CaptureObject(class_id, obis.from_bytes(name), attribute, data_index))
            case _:
                raise RemoteProtocolError(f"entry {index + 1} names no capture object: {entry!r}")
    return tuple(columns)


def is_clock(column: CaptureObject) -> bool:
    """Whether a column holds the time of its row."""
    return column.class_id == _CLOCK_CLASS and column.attribute == 2


def rows(
    buffer: Any,
    columns: Sequence[CaptureObject],
    capture_period_s: int = 0,
    *,
    inverted_deviation: bool = False,
) -> list[tuple[Any, ...]]:
    """The rows of a buffer given in its plain form.

    Times in clock columns become datetimes (naive where the meter gives no deviation); one that is
    no instant stays the octets it is. A compressed time without a capture period stays `None`.

    Raises:
        RemoteProtocolError: a row has another number of columns than `columns`.
    """
    if not isinstance(buffer, list):
        raise RemoteProtocolError(f"a profile buffer is an array, not {buffer!r}")
    clocks = [index for index, column in enumerate(columns) if is_clock(column)]
    width = len(columns)
    instant = times.instant
    result: list[tuple[Any, ...]] = []
    before: list[Any] = [None] * width
    period = timedelta(seconds=capture_period_s) if capture_period_s > 0 else None
    for number, row in enumerate(buffer):
        if not isinstance(row, list) or len(row) != width:
            found = len(row) if isinstance(row, list) else "no"
            raise RemoteProtocolError(f"row {number + 1} has {found} columns, {width} are captured")
        values = list(row)
        for index in clocks:
            octets = values[index]
            if type(octets) is bytes:
                moment = instant(octets, inverted_deviation)
                if moment is not None:
                    values[index] = moment
            elif isinstance(octets, DateTime):
                values[index] = octets.instant(inverted_deviation) or octets
        if None in values:
            for index, value in enumerate(values):
                if value is None:
                    values[index] = _next(before[index], period) if index in clocks else before[index]
        before = values
        result.append(tuple(values))
    return result


def _next(moment: Any, period: timedelta | None) -> datetime | None:
    """The time one capture period later."""
    if period is None or not isinstance(moment, datetime):
        return None
    try:
        return moment + period
    except OverflowError:
        return None
