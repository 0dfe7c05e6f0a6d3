"""Load profiles and logs in the way of VDEW meters: a header line, then a line for each interval.

    P.01(time)(status)(interval)(columns)(name)(unit)(name)(unit)…
    (value)(value)…
    (value)(value)…

The header's time is that of the first row below it; the others follow one interval apart. A new
header comes with every change of status and after every gap; some meters leave out its name then.
Some write each row's own time before its values. Logs (P.98, P.99, P.200 …) have the same header
without interval, one for each event, and often no columns at all.

Whether a time is the interval's start or its end is the manufacturer's choice and not in the
telegram: `rows` takes it as an argument and always stamps at the end, as polymeter does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from polymeter.protocols import obis
from polymeter.protocols.iec62056_21.lines import DataLine, DataSet
from polymeter.protocols.iec62056_21.times import format_time, parse_time, row_start
from polymeter.protocols.units import normal_unit

__all__ = ["Cell", "Header", "ProfileRow", "Stamp", "header", "profile_request", "row_of", "rows"]

Stamp = Literal["start", "end"]

_PROFILE: Final = re.compile(r"(?:\d+-\d+:)?(?:P\.\d+|99\.\d+\.\d+)(?:\.\d+)?(?:\*\d+)?", re.ASCII)
_COUNT: Final = re.compile(r"\d{1,4}", re.ASCII)


class Cell(NamedTuple):
    """A value of a row, with the name and unit that its column has in the header."""

    name: str
    unit: str | None
    data_set: DataSet


@dataclass(frozen=True, slots=True)
class Header:
    """What a header says about the rows below it."""

    profile: str
    time: datetime
    status: str
    interval: timedelta | None
    """`None` in a log: its rows are events."""
    columns: tuple[tuple[str, str | None], ...]
    line: DataLine
    first: DataLine = ()
    """Values that stand in the header's own line, behind the columns."""


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """One row, stamped at the end of its interval; an event has the time at which it happened."""

    profile: str
    time: datetime | None
    """By the meter's clock, with its season (see `times`); `None` past the calendar's end."""
    status: str
    interval: timedelta | None
    cells: tuple[Cell, ...]


def header(line: DataLine, above: Header | None = None) -> Header | None:
    """The header that a line is, `None` if it is none; without a name it is of the profile `above`."""
    if len(line) < 4:
        return None
    name = line[0].address
    if not name and above is not None and above.columns:
        name = above.profile
    elif not _PROFILE.fullmatch(name):
        return None
    time_text, status, interval, count_text = (data_set.value for data_set in line[:4])
    time = parse_time(time_text)
    if time is None or not _COUNT.fullmatch(count_text or "0") or not re.fullmatch(r"\d{0,4}", interval):
        return None
    count = int(count_text or 0)
    if any(data_set.address for data_set in line[1:]) or len(line) < 4 + 2 * count:
        return None
    names = line[4 : 4 + 2 * count]
    columns = tuple(
        (names[index].value, normal_unit(names[index + 1].value)) for index in range(0, 2 * count, 2)
    )
    if not line[0].address and not (columns and all(obis.parse(column) for column, _ in columns)):
        return None  # a row whose first value reads as a time
    minutes = int(interval or 0)
    return Header(
        name,
        time,
        status,
        timedelta(minutes=minutes) if minutes else None,
        columns,
        line,
        line[4 + 2 * count :],
    )


def row_of(
    head: Header, line: DataLine, number: int, stamp: Stamp = "end"
) -> tuple[datetime | None, tuple[Cell, ...]]:
    """The time of row `number` below a header, at the end of its interval, and its values.

    What is too much for the columns keeps its value without a name, unless it is the row's own time.
    The time is `None` past the calendar's end.
    """
    own, values = row_start(line) if len(line) > len(head.columns) else (None, line)
    names = head.columns
    cells = tuple(
        Cell(*(names[index] if index < len(names) else ("", None)), data_set)
        for index, data_set in enumerate(values)
    )
    first, steps = (head.time, number) if own is None else (own, 0)
    steps += stamp == "start"
    try:
        # The sum forgets which of the two hours of autumn is meant: a row has its header's season.
        return (first + (head.interval or timedelta()) * steps).replace(fold=first.fold), cells
    except OverflowError:
        return None, cells


def rows(lines: Iterable[DataLine], stamp: Stamp = "end", deduplicate: bool = True) -> Iterator[ProfileRow]:
    """The rows of a profile or log, each stamped at the end of its interval.

    Some meters give an hour more than was asked for, or round to intervals; with `deduplicate` a
    row that is equal in time, status and values to one before is left out. A row that differs at
    the same time is another fact and stays.
    """
    seen: set[object] = set()
    head: Header | None = None
    number = 0
    for line in lines:
        found = header(line, head) if line else None
        if found is not None:
            head, number = found, 0
            below = [found.first] if found.first or not found.columns else []
        elif head is not None and line and not line[0].address:
            below = [line]
        else:
            head = head if line and not line[0].address else None
            continue
        for values in below:
            time, cells = row_of(head, values, number, stamp)
            number += 1
            row = ProfileRow(head.profile, time, head.status, head.interval, cells)
            known = (
                row.profile,
                time,
                time.fold if time is not None else 0,
                row.status,
                tuple((cell.name, cell.data_set.value) for cell in row.cells),
            )
            if deduplicate and known in seen:
                continue
            seen.add(known)
            yield row


def profile_request(
    profile: str, start: datetime | None, end: datetime | None, season: bool = True, seconds: bool = False
) -> str:
    """The data of an R5 or R6 command that asks for a range; `None` leaves a bound open."""
    return f"{profile}({format_time(start, season, seconds)};{format_time(end, season, seconds)})"
