"""What the lines of a telegram mean, whatever shape they have.

Most lines are ``code(value*unit)``; the others are told by their code or their shape:

* ``0-n:24.2.1(time)(value*unit)`` and ``1-0:1.6.0(time)(value*unit)``: a value with its own time;
* ``0-n:24.3.0(time)(status)(period)(count)(code)(unit)…`` with the values behind or on the next
  line: sub-meters before DSMR 4;
* ``1-0:99.97.0(count)(code)…`` and ``0-0:98.1.0(count)(code)(code)…``: the power failure log and
  the Belgian demand history, entries of times and a value;
* ``1-0:99.1.0(count)(code)(code)…``: a load profile, entries of a time and a value for each code.

A line means the same in every telegram, so it is read without the telegram around it: what that
adds, its own time and the place, is put in later. A line that begins with a bracket goes on with the
one before.

Times are the meter's local times and stay naive. Their summer or winter flag settles the hour
that occurs twice: winter time is `fold` 1. A value without a time of its own has the telegram's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from polymeter.protocols import obis
from polymeter.protocols.p1.values import (
    TIME,
    Address,
    address,
    meaning,
    number,
    parse_time,
    register,
    unit_of,
    value_of,
    with_unit,
)
from polymeter.protocols.wire import Record, Value

__all__ = ["CLOCK", "DATA_SET", "REST_OF_LINE", "Line", "read_line"]

DATA_SET: Final = re.compile(
    r"(?:[ \t]++(?=\())?([^()\r\n]*)\((\*{2,}(?=\))|[^()*\r\n]*)(?:\*([^()\r\n]*))?\)([ \t]*(?:\r?\n|\r|$))?"
)
"""Address, value, unit, line end. A value may be made of stars, as that of a breaker nobody set is;
some meters put a blank between two sets."""
_BLANK: Final = re.compile(r"[ \t]*(?:\r?\n|\r|$)")
REST_OF_LINE: Final = re.compile(r"[^\r\n]*(?:\r?\n|\r)?")
_COUNT: Final = re.compile(r"\d{0,4}", re.ASCII)
_SHAPED: Final = frozenset(("log", "history", "profile", "old sub-meter"))

CLOCK: Final = datetime(1, 1, 1)  # noqa: DTZ001 - the zone is the meter's
"""Stands for the telegram's own time, which a line does not know."""

DataSet = re.Match[str]
Column = tuple[Address, str, str | None, datetime | None]
_NO_COLUMN: Final[Column] = (Address(None, "number"), "", None, None)


class Line(NamedTuple):
    """What a line says, and where it holds what is no data set, if it does.

    The records stand as if their telegram were this line, and have `CLOCK` for the telegram's time.
    A line that is no data set at all is a record without a name.
    """

    records: tuple[Record, ...]
    odd: int | None


def read_line(raw: bytes) -> Line:
    """Read a line, with its line end and the lines that go on with it."""
    text = raw.decode("latin-1")
    first = DATA_SET.match(text)
    if first is not None and first.end() == len(text):
        found = _ordinary(raw, first)
        if found is not None:
            return _new_line(Line, ((found,), None))
    return _Reader(raw, text).read()


_new_line, _new_record = tuple.__new__, tuple.__new__
"""Named tuples are made three times faster past their own constructors."""


def _ordinary(raw: bytes, found: DataSet) -> Record | None:
    """What a line of one data set says, as most lines are; `None` if it may mean more than that."""
    name, written, unit, end = found.groups()
    code, kind, channel, given, quantity = meaning(name, unit or "")
    if not name or kind in _SHAPED:
        return None
    value: Value = number(written) if kind == "number" else None
    if value is None:
        value = value_of(kind, written, unit)
        if kind == "number":
            value, given = with_unit(value, given)
    start, stop = found.span()
    covered = raw[start : stop - len(end or "")]
    fields = (name, value, given, code, quantity, CLOCK, 0, 0, channel, "instantaneous", 0, start, covered)
    return _new_record(Record, fields)


class _Reader:
    """A line that is not one data set, while it is read."""

    def __init__(self, raw: bytes, text: str) -> None:
        self.raw = raw
        self.text = text
        self.records: list[Record] = []
        self.odd: int | None = None
        self.columns: list[Column] = []
        """Columns of an old sub-meter line whose values are to come."""

    def read(self) -> Line:
        at, text = 0, self.text
        while at < len(text):
            sets: list[DataSet] = []
            end, match = at, DATA_SET.match(text, at)
            while match is not None:
                sets.append(match)
                end = match.end()
                match = DATA_SET.match(text, end) if match[4] is None else None
            if sets:
                self._sets(sets)
            if not sets or sets[-1][4] is None:
                end = self._rest(end, named=bool(sets))
            at = end
        return Line(tuple(self.records), self.odd)

    def _rest(self, at: int, *, named: bool) -> int:
        """Pass over what is left of a line behind its data sets, or all of it if it has none."""
        rest = REST_OF_LINE.match(self.text, at)
        assert rest is not None  # it matches nothing, too
        end = max(rest.end(), at + 1)
        if _BLANK.fullmatch(rest[0]) is None or named:
            if self.odd is None:
                self.odd = at
            if not named:
                self.records.append(Record("", rest[0].strip(), time=CLOCK, offset=at, raw=self.raw[at:end]))
        return end

    def _add(
        self,
        found: DataSet,
        known: Address,
        name: str,
        value: Value,
        unit: str | None,
        time: datetime | None = CLOCK,
        storage: int = 0,
        function: str = "instantaneous",
    ) -> None:
        start, end = found.start(), found.start(4) if found[4] else found.end()
        self.records.append(
            Record(
                name,
                value,
                unit,
                known.code,
                register(unit) if known.channel else "unknown",
                time,
                storage,
                subunit=known.channel,
                function=function,
                offset=start,
                raw=self.raw[start:end],
            )
        )

    def _sets(self, sets: Sequence[DataSet]) -> None:
        """The data sets of one line."""
        if not sets[0][1] and self._fill(sets):
            return
        ordinary = _ordinary(self.raw, sets[0]) if len(sets) == 1 else None
        if ordinary is not None:
            self.records.append(ordinary)
            return
        known = address(sets[0][1])
        self.columns = []
        if known.kind == "old sub-meter":
            self._old_sub_meter(known, sets)
        elif known.kind in ("log", "history") and _lists_codes(sets):
            self._entries(known, sets)
        elif known.kind == "profile" and _lists_codes(sets):
            self._profile(known, sets)
        else:
            self._timed(known, sets)

    def _timed(self, known: Address, sets: Sequence[DataSet]) -> None:
        """Values, each at the time before it, or behind it if the line is a value and a time.

        A further value of the same address gets a name of its own, so that it is a series of its
        own: the Hungarian monthly values are ten numbers under one code and one time.
        """
        name, count = sets[0][1], 0
        time: datetime | None = CLOCK
        for index, found in enumerate(sets):
            if found[1] and index:
                name, known, count = found[1], address(found[1]), 0
            text, unit = found[2], found[3]
            if _is_time(found, index) and known.kind != "clock":
                if index + 1 < len(sets):
                    time = parse_time(text)
                elif index != 1 or _is_time(sets[0], 0):
                    self._add(found, known, name, parse_time(text) or text, None)
                continue
            count += 1
            own = time
            if index == 0 and len(sets) == 2 and _is_time(sets[1], 1):
                own = parse_time(sets[1][2])
            value, given = value_of(known.kind, text, unit), unit_of(unit or "")
            if known.kind == "number":
                value, given = with_unit(value, given)
            if count == 1:
                self._add(found, known, name, value, given, own)
            else:
                self._add(found, known._replace(code=None), f"{name}/{count}", value, given, own)

    def _entries(self, known: Address, sets: Sequence[DataSet]) -> None:
        """The count of a log or history, the codes of its columns, then its entries."""
        name = sets[0][1]
        self._add(sets[0], known, name, value_of("number", sets[0][2], None), None)
        column, at = known, 1
        while at < len(sets) and sets[at][3] is None and obis.parse(sets[at][2]) is not None:
            column = address(sets[at][2]) if at == 1 else column
            at += 1
        entries, rest = _cut_entries(sets[at:])
        ages = _ages(entries) if known.kind == "history" else None
        for index, (times, found) in enumerate(entries):
            value, unit = value_of("number", found[2], found[3]), unit_of(found[3] or "")
            time = parse_time(times[-1]) if times else None
            storage, function = (ages[index], "maximum") if ages is not None else (0, "instantaneous")
            self._add(found, column, name, value, unit, time, storage, function)
        for found in rest:
            self._add(found, known, name, parse_time(found[2]) or found[2] or None, None)

    def _profile(self, known: Address, sets: Sequence[DataSet]) -> None:
        """The count of a profile's rows, the codes of its columns, then the rows, each behind its time."""
        name = sets[0][1]
        self._add(sets[0], known, name, value_of("number", sets[0][2], None), None)
        at = 1
        while at < len(sets) and sets[at][3] is None and obis.parse(sets[at][2]) is not None:
            at += 1
        columns = [address(found[2]) for found in sets[1:at]]
        time: datetime | None = CLOCK
        place = 0
        for found in sets[at:]:
            if _is_time(found, 1):
                time, place = parse_time(found[2]), 0
                continue
            column = columns[place] if place < len(columns) else _NO_COLUMN[0]
            value, unit = value_of(column.kind, found[2], found[3]), unit_of(found[3] or "")
            self._add(found, column, name, value, unit, time)
            place += 1

    def _old_sub_meter(self, known: Address, sets: Sequence[DataSet]) -> None:
        """``(time)(status)(period)(count)`` and for each column ``(code)(unit)``; then the values."""
        count = number(sets[3][2]) if len(sets) > 3 else None
        columns = count if isinstance(count, int) and 4 + 2 * count <= len(sets) else 0
        if not columns:
            self._timed(known, sets)
            return
        time = parse_time(sets[0][2])
        names = sets[4 : 4 + 2 * columns : 2]
        units = sets[5 : 5 + 2 * columns : 2]
        self.columns = [
            (address(name[2])._replace(channel=known.channel), sets[0][1], unit_of(unit[2]), time)
            for name, unit in zip(names, units, strict=True)
        ]
        self._fill(sets[4 + 2 * columns :])

    def _fill(self, sets: Sequence[DataSet]) -> bool:
        """Give values to the columns that wait for them; `False` if none waits."""
        waiting = self.columns
        if not waiting:
            return False
        for index, found in enumerate(sets):
            known, name, unit, time = waiting[index] if index < len(waiting) else _NO_COLUMN
            given = unit if found[3] is None else unit_of(found[3])
            self._add(found, known, name, value_of("number", found[2], given), given, time)
        self.columns = waiting[len(sets) :]
        return True


def _is_time(found: DataSet, index: int) -> bool:
    """Whether a set is a time; one with an address of its own behind another is that one's value."""
    return found[3] is None and (not found[1] or not index) and TIME.fullmatch(found[2]) is not None


def _lists_codes(sets: Sequence[DataSet]) -> bool:
    """Whether a line is a count, codes and entries; Hungary puts plain values under such a code."""
    if not _COUNT.fullmatch(sets[0][2]):
        return False
    if len(sets) < 2 or not (sets[1][2] or sets[1][3]):
        return True
    return sets[1][3] is None and obis.parse(sets[1][2]) is not None


def _cut_entries(sets: Sequence[DataSet]) -> tuple[list[tuple[list[str], DataSet]], list[DataSet]]:
    """Entries, each some times and the value behind them, and the times that no value follows.

    A time that is not known may be left out between its brackets.
    """
    entries: list[tuple[list[str], DataSet]] = []
    times: list[DataSet] = []
    for found in sets:
        if _is_time(found, 1) or not (found[2] or found[3]):
            times.append(found)
        else:
            entries.append(([time[2] for time in times], found))
            times = []
    return entries, times


def _ages(entries: Sequence[tuple[list[str], DataSet]]) -> list[int]:
    """How many periods each entry lies back, 1 for the latest, by the time at which its period ended.

    Meters list the oldest first, the standard's example the latest; without times the order counts.
    """
    ends = [parse_time(times[0]) if times else None for times, _ in entries]
    known = sorted({end for end in ends if end is not None}, reverse=True)
    if len(known) < len(ends):
        return list(range(1, len(ends) + 1))
    ranks = {end: rank for rank, end in enumerate(known, 1)}
    return [ranks[end] for end in ends if end is not None]
