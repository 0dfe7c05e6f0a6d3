"""The records of a whole block of data, quickly: a meter sends the same read-out again and again.

From one day to the next only digits change. So what is not a digit, names, units, OBIS codes and
places, is remembered as the block's `Shape`, and the next block of that length is compared with it
as one long number: where it differs in nothing but the digits of its numbers, only these are read.

The shape has the ordinary lines, a name, a number and a unit: ``1.8.0(001234.5*kWh)``. What such a
line means depends on no other line: with a name of its own it belongs to no load profile above it,
and one that has a line without a name below it is not ordinary. All other lines are left to
`readings.records`, which alone decides what lines mean; the tests hold both against
each other.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from itertools import islice, repeat
from operator import itemgetter
from typing import Any, Final, NamedTuple

from polymeter.protocols.iec62056_21.lines import decode_data
from polymeter.protocols.iec62056_21.readings import records
from polymeter.protocols.iec62056_21.values import obis_code
from polymeter.protocols.units import normal_unit
from polymeter.protocols.wire import Record

__all__ = ["data_records", "read_records"]


class Shape(NamedTuple):
    """All that blocks of one kind have in common. The columns have an entry for each ordinary line."""

    mask: int
    """A block as a number has ones here where it must not differ: all of the ordinary lines, but of
    digits only the upper half, which is 3."""
    structure: int
    """What it has there."""
    sixes: int
    """6 for each digit: added to a digit it leaves the upper half as it is, to ``:`` to ``?`` it does not."""
    values: Callable[[str], tuple[str, ...]]
    raws: Callable[[bytes], tuple[bytes, ...]]
    names: tuple[str, ...]
    units: tuple[str | None, ...]
    codes: tuple[str | None, ...]
    places: tuple[int, ...]
    pieces: tuple[tuple[int, int, int], ...]
    """How many ordinary lines, then where the other lines below them begin and end."""


def data_records(data: str, offset: int = 0, layer: int = 0, strict: bool = True) -> list[Record]:
    """What `records` gives for the lines of `data`; `offset` is where the data begins in its layer.

    With `strict` off a line that is no data set is left out.

    Raises:
        RemoteProtocolError: something that is no data set; the offset is its place.
    """
    return read_records(data, offset, layer, strict)[0]


def read_records(
    data: str, offset: int = 0, layer: int = 0, strict: bool = True
) -> tuple[list[Record], list[Record] | None]:
    """The same, and once more those of lines that are not ordinary, `None` if there are none.

    Ordinary lines are numbers with units: neither refusals nor addresses are among them.
    """
    raw = data.encode("latin-1")
    shape = _shape_of(data, raw, offset)
    columns = zip(
        shape.names, map(Decimal, shape.values(data)), shape.units, shape.codes,
        repeat("unknown"), repeat(None), repeat(0), repeat(0), repeat(0), repeat("instantaneous"),
        repeat(layer), shape.places, shape.raws(raw),
    )  # fmt: skip
    ordinary = map(tuple.__new__, repeat(Record), columns)
    found: list[Record] = []
    others: list[Record] = []
    ordinary_only = True
    for count, start, end in shape.pieces:
        found += islice(ordinary, count)
        if start < end:
            lines = decode_data(data[start:end], None, offset + start, strict)
            below = list(records(lines, offset + start, layer))
            others += below
            found += below
            ordinary_only = False
    return found, None if ordinary_only else others


_shapes: Final[dict[tuple[int, int], Shape]] = {}
"""By the length of their blocks and where these begin."""
_SHAPES_MAX: Final = 64
_REMEMBERED_MAX: Final = 1 << 13
"""Characters of the longest block whose shape is kept: longer ones are load profiles."""


def _shape_of(data: str, raw: bytes, offset: int) -> Shape:
    """The shape that is remembered, if the block has it; else its own, which then is."""
    known = _shapes.get((len(raw), offset))
    if known is not None:
        number = int.from_bytes(raw, "little")
        if number & known.mask == known.structure == (number + known.sixes) & known.mask:
            return known
    shape = _learn(data, raw, offset)
    if len(raw) <= _REMEMBERED_MAX:
        if len(_shapes) >= _SHAPES_MAX:
            _shapes.clear()
        _shapes[len(raw), offset] = shape
    return shape


_ORDINARY: Final = r"[*-@][*-z]*+\([0-9]++(?:\.[0-9]*+)?\*[*-z]++\)\r\n(?=[!*-z]|\Z)"
_RUNS: Final = re.compile(rf"((?:{_ORDINARY})*+)((?:(?!{_ORDINARY})(?:[^\n]*+\n|[^\n]++))*+)")
"""Ordinary lines, and lines below them that are not."""
_PARTS: Final = re.compile(r"([^(]*)\(([^*]*)\*([^)]*)\)\r\n")
"""Takes ordinary lines apart; it need not be careful any more."""
_END: Final = "!\r\n"
_MASK: Final = bytes.maketrans(b"0123456789.", b"\xf0" * 10 + b"\xff")
_SIXES: Final = bytes.maketrans(b"0123456789.", b"\x06" * 10 + b"\0")


def _learn(data: str, raw: bytes, offset: int) -> Shape:
    mask, sixes = bytearray(b"\xff" * len(raw)), bytearray(len(raw))
    lines: list[tuple[str, str]] = []
    values: list[slice] = []
    raws: list[slice] = []
    pieces: list[tuple[int, int, int]] = []
    at = 0
    for ordinary, others in _RUNS.findall(data):
        before = len(lines)
        for name, value, unit in _PARTS.findall(ordinary):
            start = at + len(name) + 1
            end = start + len(value)
            mask[start:end] = raw[start:end].translate(_MASK)
            sixes[start:end] = raw[start:end].translate(_SIXES)
            lines.append((name, unit))
            values.append(slice(start, end))
            raws.append(slice(at, end + len(unit) + 2))
            at = end + len(unit) + 4
        end = at + len(others)
        if others == _END:
            at = end  # nothing to read there, so it is structure like the lines above it
        # Whatever these lines are next time, they must begin and end as they do now.
        mask[at + 1 : end - 1] = bytes(max(end - 2 - at, 0))
        pieces.append((len(lines) - before, at, end))
        at = end
    fixed = int.from_bytes(mask, "little")
    return Shape(
        fixed,
        int.from_bytes(raw, "little") & fixed,
        int.from_bytes(sixes, "little"),
        _getter(values),
        _getter(raws),
        tuple(name for name, _ in lines),
        tuple(normal_unit(unit) for _, unit in lines),
        tuple(obis_code(name) for name, _ in lines),
        tuple(offset + each.start for each in raws),
        tuple(pieces),
    )


def _getter(slices: list[slice]) -> Callable[[Any], tuple[Any, ...]]:
    """Cuts all `slices` out at once, and two empty ones: for a single slice there would be no tuple."""
    nothing = slice(0)
    return itemgetter(*slices, nothing, nothing)
