"""What data sets mean: numbers, units, OBIS codes, times and the rows of load profiles.

The standard leaves most of this to manufacturers, so the rules here are those that hold across
meters in the field; where they differ by meter the catalogue decides, not this module.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final

from polymeter.protocols import obis
from polymeter.protocols.iec62056_21.frames import DataLine, DataSet
from polymeter.protocols.units import normal_unit
from polymeter.protocols.wire import Record, Value

__all__ = ["is_refusal", "parse_time", "records", "refusal_text"]

_NUMBER = re.compile(r"([+-]?\d+(?:[.,]\d*)?|[+-]?[.,]\d+)(?:\s*([^\d\s.,+-][^\s]*))?", re.ASCII)
_REFUSAL = re.compile(r"ERROR\w*|ER\d+|#\d+", re.ASCII | re.IGNORECASE)
_TIME = re.compile(
    r"(?:(\d\d)?(\d\d)-(\d\d)-(\d\d)[ ,T](\d\d):(\d\d)(?::(\d\d))?"
    r"|[0-2]?(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?)",
    re.ASCII,
)
_PROFILE = re.compile(r"P\.\d+|1-\d+:99\.\d+\.\d+(?:\*255)?", re.ASCII)
_COUNT = re.compile(r"\d{1,4}", re.ASCII)
_TEXT_GROUPS: Final = frozenset((0, 96, 97))
"""Values of OBIS group C that hold identifications and states: leading zeros belong to them."""


def is_refusal(data_set: DataSet) -> bool:
    """Whether a set is the meter's way to say no, such as ``(ERROR)`` or ``(ER12)``."""
    return data_set.unit is None and _REFUSAL.fullmatch(data_set.value) is not None


def refusal_text(data_set: DataSet) -> str:
    """A refusal in words."""
    return f"the meter answers {data_set.address}({data_set.value})"


@lru_cache(maxsize=4096)
def _address(address: str) -> tuple[str | None, bool | None]:
    """The OBIS code of an address in its one form, and whether its values are texts, if it tells."""
    code = obis.parse(address)
    if code is None:
        return None, None
    return str(code), code.c in _TEXT_GROUPS


def parse_time(text: str) -> datetime | None:
    """A meter's local time in any of the usual forms, `None` if it is none."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return None
    century, *parts = match.groups()
    numbers = [int(part or 0) for part in (parts[:6] if match[2] is not None else parts[6:])]
    year = numbers[0] + (int(century) * 100 if century else 2000)
    try:
        return datetime(year, *numbers[1:])  # type: ignore[arg-type]  # noqa: DTZ001 - naive: the zone is the meter's
    except ValueError:
        return None


def _value(data_set: DataSet, as_text: bool | None) -> tuple[Value, str | None]:
    """The value and its unit; a number if it reads as one and no leading zero could be lost.

    `as_text` is what the address says, `None` if it says nothing: then leading zeros decide.
    """
    text = data_set.value
    match = _NUMBER.fullmatch(text)
    if match is None:
        return text, normal_unit(data_set.unit or "")
    number, inner = match.groups()
    unit = normal_unit(data_set.unit or inner or "")
    if as_text is None:
        as_text = unit is None and number.isdigit() and len(number) > 1 and number[0] == "0"
    if as_text and not data_set.unit:
        return text, None
    return Decimal(number.replace(",", ".")), unit


def records(lines: Iterable[DataLine], offset: int = 0, layer: int = 0) -> Iterator[Record]:
    """The records of data lines; `offset` is where the data begins in its layer.

    A set without an address belongs to the one before it: a time says when a maximum occurred,
    anything else is a further value of the same name.
    """
    profile: _Profile | None = None
    for line in lines:
        if not line:
            continue
        if _PROFILE.fullmatch(line[0].address) and len(line) > 3:
            profile = _Profile.of(line)
            if profile is not None:
                continue
        if profile is not None and not line[0].address:
            yield from profile.row(line, offset, layer)
            continue
        profile = None
        yield from _line_records(line, offset, layer)


def _line_records(line: DataLine, offset: int, layer: int) -> Iterator[Record]:
    name = ""
    pending: Record | None = None
    for data_set in line:
        if is_refusal(data_set):
            continue
        if not data_set.address and pending is not None and pending.time is None:
            time = parse_time(data_set.value) if data_set.unit is None else None
            if time is not None:
                pending = pending._replace(time=time)
                continue
        if pending is not None:
            yield pending
        name = data_set.address or name
        code, as_text = _address(name)
        value, unit = _value(data_set, as_text)
        pending = Record(
            name, value, unit, code, layer=layer, offset=offset + data_set.offset, raw=_raw(data_set)
        )
    if pending is not None:
        yield pending


def _raw(data_set: DataSet) -> bytes:
    unit = "" if data_set.unit is None else f"*{data_set.unit}"
    return f"{data_set.address}({data_set.value}{unit})".encode("latin-1")


class _Profile:
    """The header of a load profile (VDEW), by which the rows below it are read.

    ``P.01(time)(status)(interval)(columns)(name)(unit)…``. Rows are stamped at the interval's
    end; the header's time is that of the first row.
    """

    def __init__(self, time: datetime, interval: timedelta, columns: list[tuple[str, str | None]]) -> None:
        self.time: datetime | None = time
        self.interval = interval
        self.columns = columns

    @classmethod
    def of(cls, line: DataLine) -> _Profile | None:
        """The profile that a line announces, `None` if it announces none."""
        values = [data_set.value for data_set in line]
        time = parse_time(values[0])
        if time is None or not _COUNT.fullmatch(values[2]) or not _COUNT.fullmatch(values[3]):
            return None
        named = values[4:]
        count = int(values[3])
        if len(named) != 2 * count:
            return None
        columns = [(named[2 * index], normal_unit(named[2 * index + 1])) for index in range(count)]
        return cls(time, timedelta(minutes=int(values[2])), columns)

    def row(self, line: DataLine, offset: int, layer: int) -> Iterator[Record]:
        """The records of one row; a row that is too long keeps its values without a name."""
        for index, data_set in enumerate(line):
            name, unit = self.columns[index] if index < len(self.columns) else ("", None)
            code, as_text = _address(name)
            value, own_unit = _value(data_set, as_text)
            yield Record(
                name,
                value,
                own_unit or unit,
                code,
                time=self.time,
                layer=layer,
                offset=offset + data_set.offset,
                raw=_raw(data_set),
            )
        try:
            self.time = self.time + self.interval if self.time is not None else None
        except OverflowError:
            self.time = None  # past the year 9999: a header made of noise
