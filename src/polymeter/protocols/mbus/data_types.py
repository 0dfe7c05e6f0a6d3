"""The data types A to M (EN 13757-3 Annex A): bytes to values and back.

Every function takes the bytes in the order of the frame. What a type calls invalid becomes `None`,
digits that are none stay as text, and nothing here ever raises on what a meter sent.
"""

from __future__ import annotations

import re
import struct
from calendar import isleap
from datetime import date, datetime, time
from decimal import Context, Decimal
from functools import lru_cache
from typing import Final

from polymeter.protocols.wire import LocalProtocolError, Value

__all__ = [
    "decode_bcd",
    "decode_bcd_text",
    "decode_date",
    "decode_date_time",
    "decode_local_time",
    "decode_real",
    "decode_text",
    "decode_time",
    "encode_bcd",
    "encode_date",
    "encode_date_time",
    "encode_integer",
    "encode_local_time",
    "encode_real",
    "encode_text",
    "encode_time",
    "exact",
    "is_doubted",
]

exact: Final = Context(prec=999, Emin=-999999, Emax=999999)
"""Arithmetic that never rounds, whatever the caller's own decimal context is."""

_FLOAT: Final = struct.Struct("<f")
_EVERY_YEAR: Final = 127
_RECURRING: Final = re.compile(
    r"(?:(\*|\d{4})-(\*|\d\d)-(\*|\d\d))?(?:\A|\Z| )(?:(\*|\d\d):(\*|\d\d)(?::(\*|\d\d))?)?\Z"
)


def decode_bcd(data: bytes) -> int | str:
    """Type A. F as the top digit is the minus sign; other letters are the display's own: they stay text."""
    digits = data[::-1].hex()
    if digits.isdigit():
        return int(digits)
    if digits[0] == "f" and digits[1:].isdigit():
        return -int(digits[1:])
    return digits.upper()


def decode_bcd_text(data: bytes) -> str:
    """Type A where it is a name: leading zeros belong to it."""
    return data[::-1].hex().upper()


def encode_bcd(value: int | str, size: int) -> bytes:
    """Type A in `size` bytes.

    Raises:
        LocalProtocolError: the number has more digits.
    """
    if isinstance(value, str):
        digits = value.rjust(2 * size, "0")
    elif value < 0:
        digits = "f" + str(-value).rjust(2 * size - 1, "0")
    else:
        digits = str(value).rjust(2 * size, "0")
    if len(digits) != 2 * size:
        raise LocalProtocolError(f"{value} does not fit into {2 * size} digits")
    try:
        return bytes.fromhex(digits)[::-1]
    except ValueError as error:
        raise LocalProtocolError(f"{value!r} is no BCD number") from error


def encode_integer(value: int, size: int, unsigned: bool = False) -> bytes:
    """Type B, or type C where `unsigned`.

    Raises:
        LocalProtocolError: the number is too large.
    """
    try:
        return value.to_bytes(size, "little", signed=not unsigned)
    except OverflowError as error:
        raise LocalProtocolError(f"{value} does not fit into {size} bytes") from error


@lru_cache(maxsize=1024)
def decode_real(data: bytes) -> Decimal | None:
    """Type H, the shortest decimal that gives the same four bytes again; no number is `None`."""
    (number,) = _FLOAT.unpack(data)
    if number != number or number in (float("inf"), float("-inf")):
        return None
    for digits in (6, 7, 8):
        text = f"{number:.{digits}g}"
        if _FLOAT.pack(float(text)) == data:
            return Decimal(text)
    return Decimal(f"{number:.9g}")


def encode_real(value: Decimal | int | None) -> bytes:
    """Type H; `None` is the quiet no-number.

    Raises:
        LocalProtocolError: the number is too large.
    """
    try:
        return _FLOAT.pack(float("nan") if value is None else float(value))
    except (OverflowError, struct.error) as error:
        raise LocalProtocolError(f"{value} is too large for four bytes") from error


def _year(data_low: int, data_high: int, century: int) -> int:
    """The year of types F and G: three bits and four, and the century's two; 0 if it is none."""
    year = data_low >> 5 | data_high >> 4 << 3
    if year > 99:
        return 0
    if century:
        return 1900 + 100 * century + year
    return (2000 if year <= 80 else 1900) + year


def _pattern(day: int, month: int, year: int, low: int, high: int, recurs: bool = False) -> str | None:
    """A date that recurs, such as every 31 December, as text with ``*`` for every.

    `recurs` says that the time of day already does.
    """
    every_year = (low >> 5 | high >> 4 << 3) == 127
    if (month > 12 and month != 15) or (not every_year and (year == 0 or day == month == 0)):
        return None
    shown_month = "*" if month in (0, 15) else f"{month:02}"
    shown_day = "*" if day == 0 else f"{day:02}"
    if "*" not in (shown_day, shown_month) and not (every_year or recurs):
        return None
    return f"{'*' if every_year else year}-{shown_month}-{shown_day}"


def _time_pattern(hour: int, minute: int, second: int | None = None) -> str | None:
    """A time of day with ``*`` for every hour (31), minute or second (63); `None` if it is none."""
    if (hour > 23 and hour != 31) or (minute > 59 and minute != 63) or (second or 0) in (60, 61, 62):
        return None
    shown = ("*" if hour == 31 else f"{hour:02}") + ":" + ("*" if minute == 63 else f"{minute:02}")
    if second is None:
        return shown
    return shown + (":*" if second == 63 else f":{second:02}")


def decode_date(data: bytes) -> date | str | None:
    """Type G, two bytes. A recurring date is text, ``*-12-31``; an impossible one `None`."""
    low, high = data
    day, month = low & 0x1F, high & 0x0F
    year = _year(low, high, 0)
    if low == high == 0xFF:
        return None
    try:
        return date(year, month, day)
    except ValueError:
        return _pattern(day, month, year, low, high)


def encode_date(value: date | str) -> bytes:
    """Type G; a date that recurs is given as it is decoded, ``*-12-31``.

    Raises:
        LocalProtocolError: the year cannot be told in it, or the text is no date.
    """
    year, month, day = (
        _recurring(value)[:3] if isinstance(value, str) else (value.year, value.month, value.day)
    )
    return _date_bytes(_short_year(year), month, day)


def _date_bytes(year: int, month: int, day: int) -> bytes:
    return bytes((day | (year & 7) << 5, month | year >> 3 << 4))


def _short_year(year: int) -> int:
    if year == _EVERY_YEAR:
        return year
    if not 1981 <= year <= 2080:
        raise LocalProtocolError(f"the year {year} does not fit; 1981 to 2080 do")
    return year % 100


def _recurring(text: str) -> tuple[int, int, int, int, int, int]:
    """Year, month, day, hour, minute and second of a text with ``*`` for every."""
    found = _RECURRING.match(text)
    if found is None or not (found[1] or found[4]):
        raise LocalProtocolError(f"{text!r} is no date or time that recurs, such as '*-12-31'")
    year, month, day, hour, minute, second = (
        every if part == "*" else int(part or 0)
        for part, every in zip(found.groups(), (_EVERY_YEAR, 15, 0, 31, 63, 63), strict=True)
    )
    if month > 15 or day > 31 or hour > 31 or minute > 63 or second > 63:
        raise LocalProtocolError(f"{text!r} is no date or time")
    return year, month, day, hour, minute, second


@lru_cache(maxsize=1024)
def decode_date_time(data: bytes) -> datetime | str | None:
    """Type F, four bytes: the meter's own time, naive.

    The hundred-year bits count where they are set; without them 00 to 80 are this century. In the
    hour that comes twice in autumn the summer-time bit tells which one (`datetime.fold`).
    """
    minute, hour, low, high = data
    year = _year(low, high, hour >> 5 & 3)
    try:
        return datetime(  # noqa: DTZ001 - naive: the zone is the meter's
            year,
            high & 0x0F,
            low & 0x1F,
            hour & 0x1F,
            minute & 0x3F,
            fold=0 if hour & 0x80 else 1,
        )
    except ValueError:
        pass
    shown = _time_pattern(hour & 0x1F, minute & 0x3F)
    if shown is None or is_doubted(data):
        return None
    date_shown = _pattern(low & 0x1F, high & 0x0F, year, low, high, "*" in shown)
    return None if date_shown is None else f"{date_shown} {shown}"


def encode_date_time(value: datetime | str | None, *, summer: bool = False) -> bytes:
    """Type F. `None` is no time, and not valid; `summer` sets the summer-time bit.

    Raises:
        LocalProtocolError: the year cannot be told in it, or the text is no time.
    """
    if value is None:
        return b"\x80\x00\x00\x00"
    if isinstance(value, str):
        year, month, day, hour, minute, _ = _recurring(value)
        return bytes((minute, hour | summer << 7)) + _date_bytes(_short_year(year), month, day)
    century = 0 if 1981 <= value.year <= 2080 else value.year // 100 - 19
    if not 1981 <= value.year <= 2299:
        raise LocalProtocolError(f"the year {value.year} does not fit; 1981 to 2299 do")
    clock = bytes((value.minute, value.hour | century << 5 | summer << 7))
    return clock + _date_bytes(value.year % 100, value.month, value.day)


def decode_local_time(data: bytes) -> datetime | str | None:
    """Type I, six bytes: with seconds; day of week, week and the size of summer time are not kept.

    A recurring time is text with ``*`` for every, as in type F.
    """
    second, minute, hour, low, high, _ = data
    year, month, day = _year(low, high, 0), high & 0x0F, low & 0x1F
    try:
        return datetime(  # noqa: DTZ001 - naive: the zone is the meter's
            year, month, day, hour & 0x1F, minute & 0x3F, second & 0x3F, fold=0 if second & 0x40 else 1
        )
    except ValueError:
        pass
    shown = _time_pattern(hour & 0x1F, minute & 0x3F, second & 0x3F)
    if shown is None or is_doubted(data):
        return None
    date_shown = _pattern(day, month, year, low, high, "*" in shown)
    return None if date_shown is None else f"{date_shown} {shown}"


def encode_local_time(value: datetime | str | None, *, summer: bool = False) -> bytes:
    """Type I, with day and number of the week where the day is one.

    Raises:
        LocalProtocolError: the year cannot be told in it, or the text is no time.
    """
    if value is None:
        return b"\x00\x80\x00\x00\x00\x00"
    week = weekday = leap = 0
    if isinstance(value, str):
        year, month, day, hour, minute, second = _recurring(value)
    else:
        year, month, day = value.year, value.month, value.day
        hour, minute, second = value.hour, value.minute, value.second
        _, week, weekday = value.isocalendar()
        leap = isleap(year)
    clock = bytes((second | summer << 6 | leap << 7, minute, hour | weekday << 5))
    return clock + _date_bytes(_short_year(year), month, day) + bytes((week | summer << 6,))


def is_doubted(data: bytes) -> bool:
    """Whether the meter itself says of a time of type F or I that it is not valid: its clock was lost."""
    return bool(data[0 if len(data) == 4 else 1] & 0x80)


def decode_time(data: bytes) -> time | str | None:
    """Type J, three bytes: a time of day; one that recurs is text, ``*:30:00``."""
    second, minute, hour = (byte & mask for byte, mask in zip(data, (0x3F, 0x3F, 0x1F), strict=True))
    try:
        return time(hour, minute, second)
    except ValueError:
        return None if data == b"\xff\xff\xff" else _time_pattern(hour, minute, second)


def encode_time(value: time | str) -> bytes:
    """Type J.

    Raises:
        LocalProtocolError: the text is no time of day.
    """
    if isinstance(value, str):
        *_, hour, minute, second = _recurring(value)
        return bytes((second, minute, hour))
    return bytes((value.second, value.minute, value.hour))


def decode_text(data: bytes) -> Value:
    """A text, which travels last character first; bytes that are no text stay bytes in frame order."""
    text = data[::-1].decode("latin-1")
    if all(character.isprintable() or character in "\0\t\r\n" for character in text):
        return text
    return data


def encode_text(value: str) -> bytes:
    """A text as it travels.

    Raises:
        LocalProtocolError: it has characters that the standard's alphabet has not.
    """
    try:
        return value.encode("latin-1")[::-1]
    except UnicodeEncodeError as error:
        raise LocalProtocolError(f"{value!r} has characters outside ISO 8859-1") from error
