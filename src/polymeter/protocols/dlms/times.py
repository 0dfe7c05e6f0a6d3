"""COSEM dates and times: octets with wildcards, deviations and states (IEC 62056-6-2 § 4.1.6).

Every field maps one to one to its octets, so that whatever a meter sends is kept; `None` stands
for "not specified". What the fields mean as an instant is told by `DateTime.instant`. Telegrams
repeat their times all over, so decoding is memoised by the octets.
"""

from __future__ import annotations

import calendar
from datetime import date, datetime, time, timedelta, timezone
from functools import lru_cache
from typing import Final, NamedTuple

from polymeter.protocols.wire import LocalProtocolError

__all__ = [
    "DAYLIGHT_SAVING",
    "DOUBTFUL",
    "INVALID",
    "LAST_DAY",
    "SECOND_LAST_DAY",
    "Date",
    "DateTime",
    "Time",
    "decode_date",
    "decode_date_time",
    "decode_time",
    "instant",
    "looks_like_date_time",
]

LAST_DAY: Final = 0xFE
SECOND_LAST_DAY: Final = 0xFD

INVALID: Final = 0x01
DOUBTFUL: Final = 0x02
DAYLIGHT_SAVING: Final = 0x80
"""Bits of the clock status."""


def _octet(value: int | None) -> int:
    return 0xFF if value is None else value


def _optional(octet: int) -> int | None:
    return None if octet == 0xFF else octet


def _octets(*fields: int | None) -> bytes:
    try:
        return bytes(_octet(value) for value in fields)
    except ValueError:
        raise LocalProtocolError(f"{fields} are no octets of a COSEM date or time") from None


class Date(NamedTuple):
    """Five octets. Month FD and FE are the end and the beginning of daylight saving time."""

    year: int | None
    month: int | None = None
    day: int | None = None
    weekday: int | None = None
    """Monday is 1."""

    def __bytes__(self) -> bytes:
        year = 0xFFFF if self.year is None else self.year
        if not 0 <= year <= 0xFFFF:
            raise LocalProtocolError(f"year {year} does not fit into a COSEM date")
        return _octets(year >> 8, year & 0xFF, self.month, self.day, self.weekday)

    def __str__(self) -> str:
        year = "****" if self.year is None else f"{self.year:04}"
        return f"{year}-{_two(self.month)}-{_two(self.day)}"

    def date(self) -> date | None:
        """The day meant, `None` if a part is not specified or there is no such day."""
        if self.year is None or self.month is None or self.day is None or not 1 <= self.month <= 12:
            return None
        if not 1 <= self.year <= 9999:
            return None
        day = self.day
        if day in (LAST_DAY, SECOND_LAST_DAY):
            day = calendar.monthrange(self.year, self.month)[1] - (LAST_DAY - day)
        try:
            return date(self.year, self.month, day)
        except ValueError:
            return None


class Time(NamedTuple):
    """Four octets."""

    hour: int | None
    minute: int | None = None
    second: int | None = None
    hundredths: int | None = None

    def __bytes__(self) -> bytes:
        return _octets(*self)

    def __str__(self) -> str:
        return f"{_two(self.hour)}:{_two(self.minute)}:{_two(self.second)}"

    def time(self) -> time | None:
        """The time of day, `None` without hour and minute. Seconds not specified are 0."""
        if self.hour is None or self.minute is None:
            return None
        try:
            return time(self.hour, self.minute, self.second or 0, (self.hundredths or 0) * 10_000)
        except ValueError:
            return None


class DateTime(NamedTuple):
    """Twelve octets.

    `deviation` are the minutes from local time to UTC: -120 is CEST. Of a clock without one the
    local time is all there is. `status` `None` means that the meter says nothing about its clock,
    which is not the same as all its bits being set.
    """

    date: Date
    time: Time
    deviation: int | None = None
    status: int | None = None

    def __bytes__(self) -> bytes:
        deviation = -0x8000 if self.deviation is None else self.deviation
        if not -0x8000 <= deviation < 0x8000:
            raise LocalProtocolError(f"deviation {deviation} does not fit into 16 bits")
        octets = bytes(self.date) + bytes(self.time)
        return octets + deviation.to_bytes(2, "big", signed=True) + _octets(self.status)

    def __str__(self) -> str:
        moment = self.instant()
        return moment.isoformat() if moment is not None else f"{self.date} {self.time}"

    def instant(self, inverted_deviation: bool = False) -> datetime | None:
        """The instant meant: aware with a deviation, naive without, `None` if it is none.

        Some meters count the deviation from UTC to local time; `inverted_deviation` is for them.
        """
        day = self.date.date()
        clock = self.time.time()
        if day is None or clock is None:
            return None
        zone = None
        # A deviation of a day or more is none that a place on earth has: no offset is known.
        if self.deviation is not None and -1440 < self.deviation < 1440:
            zone = timezone(timedelta(minutes=self.deviation if inverted_deviation else -self.deviation))
        return datetime.combine(day, clock, zone)

    @classmethod
    def of(cls, moment: datetime, status: int | None = 0, inverted_deviation: bool = False) -> DateTime:
        """The twelve octets for `moment`; a naive one gets no deviation."""
        offset = moment.utcoffset()
        deviation = None
        if offset is not None:
            minutes = round(offset.total_seconds() / 60)
            deviation = minutes if inverted_deviation else -minutes
        return cls(
            Date(moment.year, moment.month, moment.day, moment.isoweekday()),
            Time(moment.hour, moment.minute, moment.second, moment.microsecond // 10_000),
            deviation,
            status,
        )


def _two(value: int | None) -> str:
    return "**" if value is None else f"{value:02}"


def decode_date(octets: bytes) -> Date:
    """The date that five octets are."""
    year = octets[0] << 8 | octets[1]
    return Date(
        None if year == 0xFFFF else year, _optional(octets[2]), _optional(octets[3]), _optional(octets[4])
    )


def decode_time(octets: bytes) -> Time:
    """The time that four octets are."""
    return Time(*map(_optional, octets))


@lru_cache(maxsize=4096)
def decode_date_time(octets: bytes) -> DateTime:
    """The date-time that twelve octets are."""
    deviation = int.from_bytes(octets[9:11], "big", signed=True)
    return DateTime(
        decode_date(octets[:5]),
        decode_time(octets[5:9]),
        None if deviation == -0x8000 else deviation,
        _optional(octets[11]),
    )


@lru_cache(maxsize=4096)
def instant(octets: bytes, inverted_deviation: bool = False) -> datetime | None:
    """The instant that twelve octets mean, `None` if they are no whole date-time."""
    return decode_date_time(octets).instant(inverted_deviation) if len(octets) == 12 else None


def looks_like_date_time(octets: bytes) -> bool:
    """Whether an octet string is meant as a date-time: real in every field, in a meter's life.

    Clocks arrive as plain octet strings, so this has to be told from the content. Twelve letters
    are none: their year would lie beyond 12 000.
    """
    if len(octets) != 12 or not 1970 <= octets[0] << 8 | octets[1] <= 2199:
        return False
    deviation = int.from_bytes(octets[9:11], "big", signed=True)
    if deviation != -0x8000 and not -840 <= deviation <= 840:
        return False
    return octets[4] in (*range(8), 0xFF) and instant(octets) is not None
