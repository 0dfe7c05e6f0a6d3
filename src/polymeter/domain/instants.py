"""Instants: aware, in whole seconds, between 1970 and 2106; and the identity of a reading made of one.

Naive meter time becomes an instant here and nowhere else, in the meter's own zone, never in the host's.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from polymeter.domain.quality import Quality

__all__ = [
    "SECOND_MAX",
    "InvalidInstant",
    "from_second",
    "localize",
    "reading_id",
    "split_reading_id",
    "to_second",
]

SECOND_MAX: Final = 2**32 - 1
"""The last second that fits the reading's id: 2106-02-07."""


class InvalidInstant(ValueError):
    """The time is naive, finer than a second, or outside 1970 to 2106; the message says which."""


def to_second(instant: datetime) -> int:
    """Seconds since 1970 in UTC.

    Raises:
        InvalidInstant: naive, finer than one second, or out of range.
    """
    if instant.tzinfo is None or instant.utcoffset() is None:
        raise InvalidInstant(f"{instant.isoformat()} has no UTC offset; write 2019-02-24T06:00:00+01:00")
    if instant.microsecond:
        raise InvalidInstant(f"{instant.isoformat()} is finer than one second, the resolution that is kept")
    second = int(instant.timestamp())
    if not 0 <= second <= SECOND_MAX:
        raise InvalidInstant(f"{instant.isoformat()} is outside 1970-01-01 to 2106-02-07")
    return second


def from_second(second: int) -> datetime:
    """The instant of a stored second."""
    return datetime.fromtimestamp(second, UTC)


def reading_id(channel: int, second: int) -> int:
    """The integer id of the reading of `channel` at `second`: computed, stored nowhere."""
    if not 0 <= second <= SECOND_MAX:
        raise InvalidInstant(f"second {second} is outside 1970-01-01 to 2106-02-07")
    return channel << 32 | second


def split_reading_id(identity: int) -> tuple[int, int]:
    """(channel, second) of a reading's id."""
    return identity >> 32, identity & SECOND_MAX


def localize(
    naive: datetime, zone: ZoneInfo, *, dst: bool | None = None, after: datetime | None = None
) -> tuple[datetime, Quality]:
    """The instant a meter means by a naive local time.

    Args:
        naive: what the meter's clock shows.
        zone: the meter's zone.
        dst: the meter's own summer time flag, where it has one; it settles the hour that occurs twice.
        after: the instant of the record before this one in the same profile; it settles that hour too.

    Returns:
        The instant in UTC, and `TIME_AMBIGUOUS` where nothing settled the doubled hour (the first one is
        taken), `TIME_SHIFTED` where the local time does not exist (taken with the offset before the change).

    Raises:
        InvalidInstant: it has an offset already, or is beyond the calendar.
    """
    if naive.tzinfo is not None:
        raise InvalidInstant(f"{naive.isoformat()} already has a UTC offset")
    first = naive.replace(tzinfo=zone, fold=0)
    second = naive.replace(tzinfo=zone, fold=1)
    try:
        early, late = first.astimezone(UTC), second.astimezone(UTC)
    except OverflowError as error:
        raise InvalidInstant(f"{naive.isoformat()} is outside 1970-01-01 to 2106-02-07") from error
    if early == late:
        return early, Quality.GOOD
    if early > late:
        # The spring gap: with the offset before the change (fold 0) 02:30 is an hour after 01:30.
        return early, Quality.TIME_SHIFTED
    if dst is not None:
        return (early if bool(first.dst()) is dst else late), Quality.GOOD
    if after is not None and after >= early:
        return late, Quality.GOOD
    return early, Quality.TIME_AMBIGUOUS
