"""Archives: rows of values without names, and the other attributes that name them.

``A:V.0(position;from;to;rows)`` gives the rows in which the column at `position` lies between two
bounds. Attribute 4 gives the columns' addresses and attribute 3 their units, a line each; put
together, the rows read as values with a name, a unit and a time. Times are the device's own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from polymeter.protocols.iec62056_21 import DataLine, DataSet, parse_time
from polymeter.protocols.lis200.frames import parse_address
from polymeter.protocols.units import normal_unit
from polymeter.protocols.wire import LocalProtocolError

__all__ = [
    "TIME_POSITION",
    "ArchiveCell",
    "ArchiveRow",
    "Column",
    "columns",
    "format_time",
    "label",
    "request",
]

TIME_POSITION: Final = 3
"""Where the time stands in the archives of volume correctors: behind two ordinal numbers."""

_BOUND_MAX: Final = 19


@dataclass(frozen=True, slots=True)
class Column:
    """What one column of an archive holds."""

    name: str
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class ArchiveCell:
    """One value of a row under its column."""

    column: Column
    data_set: DataSet


@dataclass(frozen=True, slots=True)
class ArchiveRow:
    """One record of an archive."""

    time: datetime | None
    """By the device's clock; `None` if no column holds a time."""
    cells: tuple[ArchiveCell, ...]


def format_time(at: datetime) -> str:
    """A time as LIS-200 writes it: ``YYYY-MM-DD,hh:mm:ss``."""
    return at.strftime("%Y-%m-%d,%H:%M:%S")


def request(
    archive: int,
    attribute: str = "0",
    position: int = 1,
    start: datetime | int | str | None = None,
    end: datetime | int | str | None = None,
    rows_per_block: int | None = None,
) -> str:
    """The data of a read command (R1; R3 with `rows_per_block`) for an archive.

    Bounds are times or ordinal numbers, whatever the column at `position` holds; `None` is open.

    Raises:
        LocalProtocolError: a position or a bound that the device cannot take.
    """
    if not 1 <= position <= 99:
        raise LocalProtocolError(f"an archive's positions are 1 to 99, not {position}")
    bounds = [_bound(start), _bound(end)]
    block = "" if rows_per_block is None else str(rows_per_block)
    return f"{archive}:V.{attribute}({position};{bounds[0]};{bounds[1]};{block})"


def _bound(bound: datetime | int | str | None) -> str:
    text = "" if bound is None else format_time(bound) if isinstance(bound, datetime) else str(bound)
    if len(text) > _BOUND_MAX or any(character in text for character in ";()\r\n"):
        raise LocalProtocolError(f"{text!r} is no bound of an archive")
    return text


def columns(addresses: Iterable[DataLine], units: Iterable[DataLine]) -> tuple[Column, ...]:
    """The columns that attributes 4 and 3 tell of; an address that is none stays as it is."""
    names = [data_set.value for line in addresses for data_set in line]
    texts = [data_set.value for line in units for data_set in line]
    texts += [""] * (len(names) - len(texts))
    return tuple(
        Column(_name(name, number), normal_unit(unit))
        for number, (name, unit) in enumerate(zip(names, texts, strict=False), 1)
    )


def _name(text: str, number: int) -> str:
    try:
        return parse_address(text).name
    except LocalProtocolError:
        return text.strip() or f"column {number}"


def label(lines: Iterable[DataLine], known: tuple[Column, ...]) -> list[ArchiveRow]:
    """The rows of an archive under their columns; a column that is not known gets its number."""
    return [_row(line, known) for line in lines if line]


def _row(line: DataLine, known: tuple[Column, ...]) -> ArchiveRow:
    time: datetime | None = None
    cells: list[ArchiveCell] = []
    for number, data_set in enumerate(line):
        column = known[number] if number < len(known) else Column(f"column {number + 1}")
        cells.append(ArchiveCell(column, data_set))
        if time is None and len(data_set.value) > 13:
            time = parse_time(data_set.value)
    return ArchiveRow(time, tuple(cells))
