"""Times as meters write them, and as they want them written.

Meters know local time without a zone. Many add a season flag before it: 0 standard time, 1
daylight saving time, 2 UTC (the ``s`` of ``sYYMMDDhhmmss`` in VDEW meters). The flag is kept: 2
gives an aware time, 0 and 1 set `datetime.fold`, which tells the doubled hour of autumn apart.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from typing import Final

from polymeter.protocols.iec62056_21.lines import DataLine

__all__ = [
    "CENTURY_ENDS",
    "combine",
    "format_time",
    "parse_date",
    "parse_time",
    "parse_time_of_day",
    "row_start",
    "times_at",
]

CENTURY_ENDS: Final = 69
"""Years of two digits from here on are those of 1900, as POSIX has it: 70-01-01 is a clock never set."""
_DIGITS: Final = re.compile(
    r"([012])?(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?|(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)", re.ASCII
)
_PUNCTUATED: Final = re.compile(r"(\d\d)?(\d\d)-(\d\d)-(\d\d)[ ,T&](\d\d):(\d\d)(?::(\d\d))?", re.ASCII)
_DATE: Final = re.compile(r"[012]?(\d\d)[-.]?(\d\d)[-.]?(\d\d)|(\d{4})-(\d\d)-(\d\d)", re.ASCII)
_TIME_OF_DAY: Final = re.compile(r"([012])?(\d\d):?(\d\d)(?::?(\d\d))?", re.ASCII)


def parse_time(text: str) -> datetime | None:
    """A meter's time in any of the usual forms, `None` if it is none."""
    text = text.strip()
    if match := _PUNCTUATED.fullmatch(text):
        century, year, *rest = match.groups()
        return _instant(_full(year) if century is None else int(century + year), rest, None)
    match = _DIGITS.fullmatch(text)
    if match is None:
        return None
    season, year, *rest = match.groups()[:7]
    if year is None:
        year, *rest = match.groups()[7:]
        return _instant(int(year), rest, None)
    return _instant(_full(year), rest, season)


def _full(year: str) -> int:
    """A year of two digits or four."""
    number = int(year)
    return number if len(year) == 4 else number + (2000 if number < CENTURY_ENDS else 1900)


def _instant(year: int, parts: list[str | None], season: str | None) -> datetime | None:
    month, day, hour, minute, second = (int(part or 0) for part in parts)
    try:
        # Naive, because the zone is the meter's, unless the season flag says UTC.
        return datetime(
            year, month, day, hour, minute, second, tzinfo=UTC if season == "2" else None, fold=season == "0"
        )
    except ValueError:
        return None


def parse_date(text: str) -> date | None:
    """A meter's date (``0.9.2``), `None` if it is none."""
    match = _DATE.fullmatch(text.strip())
    if match is None:
        return None
    year, month, day = match.groups()[:3] if match[1] is not None else match.groups()[3:]
    try:
        return date(_full(year), int(month), int(day))
    except ValueError:
        return None


def parse_time_of_day(text: str) -> tuple[time, str | None] | None:
    """A meter's time of day (``0.9.1``) and its season flag, `None` if it is none."""
    match = _TIME_OF_DAY.fullmatch(text.strip())
    if match is None:
        return None
    season, hour, minute, second = match.groups()
    try:
        return time(int(hour), int(minute), int(second or 0)), season
    except ValueError:
        return None


def combine(date_text: str, time_text: str) -> datetime | None:
    """The instant that a date and a time of day say together, `None` if they say none."""
    day, of_day = parse_date(date_text), parse_time_of_day(time_text)
    if day is None or of_day is None:
        return None
    clock, season = of_day
    return datetime.combine(day, clock, tzinfo=UTC if season == "2" else None).replace(fold=season == "0")


_NEVER: Final = re.compile(r"(?=(?:\D*0){6})[0 :,.&-]{10,19}")
_WRITTEN_DATE: Final = re.compile(r"(?:\d\d)?\d\d-\d\d-\d\d", re.ASCII)
_WRITTEN_TIME: Final = re.compile(r"\d\d:\d\d(?::\d\d)?", re.ASCII)


def times_at(line: DataLine, at: int) -> tuple[int, datetime | None]:
    """How many of the sets at `at` are a time, and which; a time of zeros only is that of nothing yet.

    Some meters write the date and the time of day into a set each.
    """
    data_set = line[at]
    if data_set.unit is not None or data_set.address:
        return 0, None
    if (time := parse_time(data_set.value)) is not None:
        return 1, time
    if at + 1 < len(line) and not line[at + 1].address and line[at + 1].unit is None:
        day, of_day = data_set.value, line[at + 1].value
        if _WRITTEN_DATE.fullmatch(day) and _WRITTEN_TIME.fullmatch(of_day):
            time = combine(day, of_day)
            return (2, time) if time is not None else (0, None)
    return (1, None) if _NEVER.fullmatch(data_set.value) else (0, None)


def row_start(line: DataLine) -> tuple[datetime | None, DataLine]:
    """The time with which a row begins, if it does, and what is behind it."""
    count, time = times_at(line, 0) if line else (0, None)
    return (time, line[count:]) if time is not None and count < len(line) else (None, line)


def format_time(at: datetime | None, season: bool = True, seconds: bool = False) -> str:
    """A bound of a profile request, ``sYYMMDDhhmm``; empty for `None`, which means "as far as there is".

    An aware time outside UTC is written by its own wall clock, with 1 for daylight saving time.
    """
    if at is None:
        return ""
    if not season:
        flag = ""
    elif at.tzinfo is UTC:
        flag = "2"
    else:
        flag = "1" if at.dst() else "0"
    return flag + at.strftime("%y%m%d%H%M%S" if seconds else "%y%m%d%H%M")
