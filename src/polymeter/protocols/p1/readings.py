"""What the data sets of a telegram mean: values, times, sub-meters, logs and peaks.

A telegram is read in one pass of one regular expression. Most lines are ``code(value*unit)``; the
others are told by their code or their shape:

* ``0-n:24.2.1(time)(value*unit)`` and ``1-0:1.6.0(time)(value*unit)``: a value with its own time;
* ``0-n:24.3.0(time)(status)(period)(count)(code)(unit)…`` with the values behind or on the next
  line: sub-meters before DSMR 4;
* ``1-0:99.97.0(count)(code)…`` and ``0-0:98.1.0(count)(code)(code)…``: the power failure log and
  the Belgian demand history, entries of times and a value.

Times are the meter's local times and stay naive. Their summer or winter flag settles the hour
that occurs twice: winter time is `fold` 1. A value without a time of its own has the telegram's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final

from polymeter.protocols import obis
from polymeter.protocols.p1.values import (
    TIME,
    Address,
    address,
    number,
    parse_time,
    register,
    unit_of,
    value_of,
)
from polymeter.protocols.wire import Record, RemoteProtocolError, Value

__all__ = ["DATA_SET", "line_ends", "records"]

DATA_SET: Final = re.compile(r"([^()\r\n]*)\(([^()*\r\n]*)(?:\*([^()\r\n]*))?\)([ \t]*(?:\r?\n|\r|$))?")
_LINES: Final = re.compile(
    r"([^()\r\n]+)\((?:(\d{1,20}(\.\d{1,20})?)|([^()*\r\n]*))(?:\*([^()\r\n]+))?\)\r\n|([^\n]*\n|[^\n]+)",
    re.ASCII,
)
"""Every line of a telegram: those that are one set, as most are, taken apart; others whole."""
_TIMED: Final = re.compile(
    r"([^()\r\n]+)\((\d{12}[SW])\)\((\d{1,20}(?:\.\d{1,20})?)\*([^()\r\n]+)\)\r\n", re.ASCII
)
"""A value behind its time, as sub-meters have it."""
_ONE_SET: Final = frozenset(("number", "text", "octets", "clock"))
"""Kinds of address whose lines mean the same whether they hold one set or more."""
_BLANK: Final = re.compile(r"[ \t]*(?:\r?\n|\r)")
_REST_OF_LINE: Final = re.compile(r"[^\r\n]*(?:\r?\n|\r)?")
_CLOCK: Final = re.compile(r"\n0-0:1\.0\.0(?:\*255)?\(([^()]*)\)")
_COUNT: Final = re.compile(r"\d{0,4}", re.ASCII)


class _Reader:
    """One telegram's data while records are made of it."""

    def __init__(self, text: str, raw: bytes, offset: int, layer: int, strict: bool) -> None:
        self.text = text
        self.raw = raw
        self.offset = offset
        self.layer = layer
        self.strict = strict
        self.clock = self._clock()
        self.pending: list[tuple[Address, str, str | None, datetime | None]] = []
        """Columns of an old sub-meter line whose values stand on the next line."""

    def _clock(self) -> datetime | None:
        found = _CLOCK.search(self.text)
        return parse_time(found[1]) if found is not None else None

    def read(self, found: list[Record]) -> None:
        """Append the records to `found`, which has those before it if a line is refused."""
        raw, offset, layer, clock = self.raw, self.offset, self.layer, self.clock
        new, append, at = tuple.__new__, found.append, 0
        value: Value
        whole = self.text
        for name, digits, fraction, text, unit, other in _LINES.findall(whole):
            if other:
                end = at + len(other)
                timed = _TIMED.fullmatch(other)
                if timed is not None:
                    name, stamp, digits, unit = timed.groups()
                    code, kind, channel, given, quantity = _meaning(name, unit)
                    if kind == "number":
                        value = Decimal(digits) if "." in digits else int(digits)
                        inner = at + len(name) + len(stamp) + 2
                        append(
                            Record(
                                name,
                                value,
                                given,
                                code,
                                quantity,
                                parse_time(stamp),
                                subunit=channel,
                                layer=layer,
                                offset=offset + inner,
                                raw=raw[inner : end - 2],
                            )
                        )
                        at = end
                        continue
                found.extend(self._lines(at, end))
                at = end
                continue
            code, kind, channel, given, quantity = _meaning(name, unit)
            end = whole.find("\n", at) + 1
            if kind == "number" and digits:
                value = Decimal(digits) if fraction else int(digits)
            elif kind in _ONE_SET:
                value = value_of(kind, digits or text, unit or None)
            else:
                found.extend(self._lines(at, end))
                at = end
                continue
            append(
                new(
                    Record,
                    (
                        name,
                        value,
                        given,
                        code,
                        quantity,
                        clock,
                        0,
                        0,
                        channel,
                        "instantaneous",
                        layer,
                        offset + at,
                        raw[at : end - 2],
                    ),
                )
            )
            at = end

    def _lines(self, at: int, size: int) -> Iterator[Record]:
        """The records of any lines, from `at` up to `size`."""
        text, raw, offset, layer, clock = self.text, self.raw, self.offset, self.layer, self.clock
        match_set = DATA_SET.match
        while at < size:
            match = match_set(text, at)
            if match is None:
                blank = _BLANK.match(text, at)
                if blank is None:
                    end = self._odd_line(at)
                    yield Record(
                        "", text[at:end].strip(), layer=layer, offset=offset + at, raw=raw[at:end], time=clock
                    )
                    at = end
                else:
                    at = blank.end()
                continue
            name, value, unit, line_end = match.groups()
            end = match.end()
            known = address(name)
            if line_end is not None and name and known.kind not in ("log", "history", "old sub-meter"):
                given = None if unit is None else unit_of(unit)
                kind, channel = known.kind, known.channel
                yield Record(
                    name,
                    value_of(kind, value, unit),
                    given,
                    known.code,
                    register(given) if channel else "unknown",
                    clock,
                    0,
                    0,
                    channel,
                    "instantaneous",
                    layer,
                    offset + at,
                    raw[at : end - len(line_end)],
                )
                at = end
                continue
            sets = [match]
            while line_end is None:
                following = match_set(text, end)
                if following is None:
                    break
                sets.append(following)
                end, line_end = following.end(), following[4]
            yield from self._line(sets)
            if line_end is None:
                end = self._odd_line(end)
            at = end

    def _odd_line(self, at: int) -> int:
        """The end of a line that holds no data sets. Only a checksum makes such a thing credible."""
        rest = _REST_OF_LINE.match(self.text, at)
        assert rest is not None  # it matches nothing, too
        if self.strict:
            shown = rest[0].strip()[:40]
            raise RemoteProtocolError(f"{shown!r} is no data set", self.offset + at, self.layer)
        return max(rest.end(), at + 1)

    def _record(
        self,
        match: re.Match[str],
        known: Address,
        name: str,
        value: Value,
        unit: str | None,
        time: datetime | None,
        storage: int = 0,
        function: str = "instantaneous",
    ) -> Record:
        start, end = match.start(), match.end() - len(match[4] or "")
        return Record(
            name,
            value,
            unit,
            known.code,
            register(unit) if known.channel else "unknown",
            time,
            storage,
            subunit=known.channel,
            function=function,
            layer=self.layer,
            offset=self.offset + start,
            raw=self.raw[start:end],
        )

    def _line(self, sets: Sequence[re.Match[str]]) -> Iterator[Record]:
        known = address(sets[0][1])
        if self.pending and not sets[0][1]:
            yield from self._old_values(sets)
            return
        self.pending = []
        if known.kind == "old sub-meter":
            yield from self._old_sub_meter(known, sets)
        elif known.kind in ("log", "history") and _lists_codes(sets):
            yield from self._entries(known, sets)
        else:
            yield from self._timed(known, sets)

    def _timed(self, known: Address, sets: Sequence[re.Match[str]]) -> Iterator[Record]:
        """Values, each at the time before it, or behind it if the line is a value and a time.

        A further value of the same address gets a name of its own, so that it is a series of its
        own: the Hungarian monthly values are ten numbers under one code and one time.
        """
        name = sets[0][1]
        time, count = self.clock, 0
        for index, match in enumerate(sets):
            if match[1] and index:
                name, known, count = match[1], address(match[1]), 0
            text, unit = match[2], match[3]
            if _is_time(match, index) and known.kind != "clock":
                if index + 1 < len(sets):
                    time = parse_time(text)
                elif index != 1 or _is_time(sets[0], 0):
                    yield self._record(match, known, name, parse_time(text) or text, None, self.clock)
                continue
            count += 1
            own = time
            if index == 0 and len(sets) == 2 and _is_time(sets[1], 1):
                own = parse_time(sets[1][2])
            given = None if unit is None else unit_of(unit)
            value = value_of(known.kind, text, unit)
            if count == 1:
                yield self._record(match, known, name, value, given, own)
            else:
                unnamed = known._replace(code=None)
                yield self._record(match, unnamed, f"{name}/{count}", value, given, own)

    def _entries(self, known: Address, sets: Sequence[re.Match[str]]) -> Iterator[Record]:
        """The count of a log or history, then its entries: times and the value that follows them."""
        name = sets[0][1]
        yield self._record(sets[0], known, name, value_of("number", sets[0][2], None), None, self.clock)
        column: Address | None = None
        times: list[re.Match[str]] = []
        number_of = 0
        for match in sets[1:]:
            if match[3] is None and column is None and obis.parse(match[2]) is not None:
                column = address(match[2])
                continue
            if match[3] is None and obis.parse(match[2]) is not None and not times and not number_of:
                continue
            if _is_time(match, 1):
                times.append(match)
                continue
            number_of += 1
            time = parse_time(times[-1][2]) if times else None
            named = column or known
            given = None if match[3] is None else unit_of(match[3])
            history = known.kind == "history"
            yield self._record(
                match,
                named,
                name,
                value_of("number", match[2], match[3]),
                given,
                time,
                number_of if history else 0,
                "maximum" if history else "instantaneous",
            )
            times = []
        for match in times:
            yield self._record(match, known, name, parse_time(match[2]) or match[2], None, self.clock)

    def _old_sub_meter(self, known: Address, sets: Sequence[re.Match[str]]) -> Iterator[Record]:
        """``(time)(status)(period)(count)`` and for each column ``(code)(unit)``; then the values."""
        count = number(sets[3][2]) if len(sets) > 3 else None
        columns = count if isinstance(count, int) and 4 + 2 * count <= len(sets) else 0
        if not columns:
            yield from self._timed(known, sets)
            return
        time = parse_time(sets[0][2])
        names = sets[4 : 4 + 2 * columns : 2]
        units = sets[5 : 5 + 2 * columns : 2]
        self.pending = [
            (address(name[2])._replace(channel=known.channel), sets[0][1], unit_of(unit[2]), time)
            for name, unit in zip(names, units, strict=True)
        ]
        if values := sets[4 + 2 * columns :]:
            yield from self._old_values(values)

    def _old_values(self, sets: Sequence[re.Match[str]]) -> Iterator[Record]:
        for match in sets:
            known, name, unit, time = (
                self.pending.pop(0) if self.pending else (Address(None, "number"), "", None, None)
            )
            given = unit if match[3] is None else unit_of(match[3])
            yield self._record(match, known, name, value_of("number", match[2], given), given, time)
        self.pending = []


def _is_time(match: re.Match[str], index: int) -> bool:
    """Whether a set is a time; one with an address of its own behind another is that one's value."""
    return match[3] is None and (not match[1] or not index) and TIME.fullmatch(match[2]) is not None


def _lists_codes(sets: Sequence[re.Match[str]]) -> bool:
    """Whether a line is a count, codes and entries; Hungary puts plain values under such a code."""
    if not _COUNT.fullmatch(sets[0][2]):
        return False
    return len(sets) < 2 or (sets[1][3] is None and obis.parse(sets[1][2]) is not None)


@lru_cache(maxsize=8192)
def _meaning(name: str, unit: str) -> tuple[str | None, str, int, str | None, str]:
    """What address and unit of a line say together: code, kind, channel, unit, quantity."""
    code, kind, channel = address(name)
    given = unit_of(unit) if unit else None
    return code, kind, channel, given, register(given) if channel else "unknown"


def records(
    text: str,
    raw: bytes,
    offset: int = 0,
    layer: int = 0,
    *,
    strict: bool = True,
    into: list[Record] | None = None,
) -> list[Record]:
    """The records of a telegram's data; `text` is `raw` as Latin-1, found at `offset` of its layer.

    With `strict` off a line that holds no data sets becomes a record without a name, for telegrams
    whose checksum says that the meter meant it so.

    They are appended to `into` if it is given; it keeps those before a line that is refused.

    Raises:
        RemoteProtocolError: such a line, with its place.
    """
    found: list[Record] = [] if into is None else into
    _Reader(text, raw, offset, layer, strict).read(found)
    return found


def line_ends(text: str) -> Iterator[tuple[int, int]]:
    """Where each line begins and ends, its line end included."""
    at = 0
    while at < len(text):
        match = _REST_OF_LINE.match(text, at)
        assert match is not None  # it matches nothing, too
        end = max(match.end(), at + 1)
        yield at, end
        at = end
