"""The records of data lines: what each set says, under whose name and of which time.

A set without an address belongs to what is before it: a time says when that was, a unit alone is
the number's, anything else is a further value of the same name. Further values have a name of
their own, ``CODE/2``, because they are series of their own: what the meter of `ET0PE(68.42)(45.54)`
means is its sum and its first tariff.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Final

from polymeter.protocols.iec62056_21.lines import DataLine, DataSet
from polymeter.protocols.iec62056_21.profiles import Cell, Header, header, row_of
from polymeter.protocols.iec62056_21.times import row_start, times_at
from polymeter.protocols.iec62056_21.values import code_of, is_lone_unit, is_refusal, raw_of, value_of
from polymeter.protocols.units import normal_unit
from polymeter.protocols.wire import Record

__all__ = ["cell_record", "records"]


def records(lines: Iterable[DataLine], offset: int = 0, layer: int = 0) -> Iterator[Record]:
    """The records of data lines; `offset` is where the data begins in its layer."""
    head: Header | None = None
    number = 0
    names = _Names()
    for line in lines:
        if not line:
            head, names = None, _Names()
            continue
        name = line[0].address
        found = header(line, head) if len(line) > 3 and (_may_head(name) or (head and not name)) else None
        if found is not None:
            head, number = found, 0
            if found.interval is None or found.status.strip("0"):
                yield _status_record(found, offset, layer)
            line = found.first
        if head is not None and (found is not None or not line[0].address):
            if line:
                yield from _row_records(head, line, number, offset, layer)
                number += 1
            continue
        head = None
        yield from _line_records(line, names, offset, layer)


def _may_head(name: str) -> bool:
    return name[:1] == "P" or ":P." in name or "99." in name


def _status_record(head: Header, offset: int, layer: int) -> Record:
    """The status word of a header, which holds from its time on; of an event it is what happened.

    In a load profile a word of zeros says that nothing happened, and stands in every header.
    """
    data_set = head.line[1]
    return Record(
        f"status.{head.profile}",
        head.status,
        quantity="status",
        time=head.time,
        layer=layer,
        offset=offset + data_set.offset,
        raw=raw_of(data_set),
    )


def _row_records(head: Header, line: DataLine, number: int, offset: int, layer: int) -> Iterator[Record]:
    time, cells = row_of(head, line, number)
    for cell in cells:
        yield cell_record(cell, time, offset, layer)


def cell_record(cell: Cell, time: datetime | None, offset: int = 0, layer: int = 0) -> Record:
    """The record of one value of a profile's row."""
    code, as_text = code_of(cell.name)
    value, own_unit = value_of(cell.data_set, as_text)
    return Record(
        cell.name,
        value,
        own_unit or cell.unit,
        code,
        time=time,
        layer=layer,
        offset=offset + cell.data_set.offset,
        raw=raw_of(cell.data_set),
    )


class _Names:
    """By whose name values go, from line to line."""

    __slots__ = ("address", "count", "table")

    def __init__(self, *, table: bool = False) -> None:
        self.address = ""
        self.count = 0
        self.table = table

    def next(self, address: str) -> tuple[str, str]:
        """The address of the next value and its name.

        A word may be said again with each value of a list, ``VOLTA(228.9)VOLTA(230.0)``. A code is
        complete: said again, it is the same thing again.
        """
        if address and (address != self.address or not address[0].isalpha() or code_of(address)[0]):
            self.address, self.count = address, 1
            return address, address
        self.count += 1
        if not self.address:
            return "", f"column {self.count}" if self.table else ""
        return self.address, f"{code_of(self.address)[0] or self.address}/{self.count}"


def _line_records(line: DataLine, names: _Names, offset: int, layer: int) -> Iterator[Record]:
    time: datetime | None = None
    if not line[0].address and not names.address:
        # A row of a table that nobody has named: its columns are told apart by their numbers.
        time, line = row_start(line)
        names = _Names(table=len(line) > 1)
    pending: Record | None = None
    at = 0
    while at < len(line):
        data_set = line[at]
        at += 1
        if is_refusal(data_set):
            continue
        if not data_set.address and pending is not None and pending.time is None:
            count, found = times_at(line, at - 1)
            if count and (found is not None or isinstance(pending.value, Decimal)):
                pending = pending._replace(time=found)
                at += count - 1
                continue
            number = pending.value if pending.unit is None else None
            if isinstance(number, Decimal) and is_lone_unit(data_set, number):
                pending = pending._replace(unit=normal_unit(data_set.value))
                continue
        if pending is not None:
            yield pending
        parts = _parts(data_set)
        for part in parts[:-1]:
            yield _set_record(part, names, time, offset, layer)
        pending = _set_record(parts[-1], names, time, offset, layer)
    if pending is not None:
        yield pending


_JOINED: Final = re.compile(r"(?:[^&*]++(?:\*[^&*]++)?&)++[^&*]++\*[^&*]++")
"""Several numbers in one set, each with its unit or all with the last: ``088*C&082*C``."""


def _parts(data_set: DataSet) -> tuple[DataSet, ...]:
    """The sets that a set is made of: heat meters put the temperatures of both pipes into one."""
    unit = data_set.unit
    if not unit or ("&" not in unit and "&" not in data_set.value):
        return (data_set,)
    if not _JOINED.fullmatch(f"{data_set.value}*{unit}"):
        return (data_set,)
    pieces = [piece.partition("*") for piece in f"{data_set.value}*{unit}".split("&")]
    at = data_set.offset + len(data_set.address) + 1
    parts = []
    for number, (value, _, own) in enumerate(pieces):
        parts.append(DataSet("" if number else data_set.address, value, own or pieces[-1][2], at))
        at += len(value) + len(own) + bool(own) + 1
    return (parts[0]._replace(offset=data_set.offset), *parts[1:])


def _set_record(data_set: DataSet, names: _Names, time: datetime | None, offset: int, layer: int) -> Record:
    """The record of one set; without names, which for a tuple of thirteen is three times as fast."""
    address, name = names.next(data_set.address)
    code, as_text = code_of(address)
    value, unit = value_of(data_set, as_text)
    at = offset + data_set.offset
    fields = (name, value, unit, code, "unknown", time, 0, 0, 0, "instantaneous", layer, at, raw_of(data_set))
    return tuple.__new__(Record, fields)
