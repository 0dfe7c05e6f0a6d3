"""Values of every type, and APDUs of every class, made from the very tables that encode them."""

import struct
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from polymeter.protocols.dlms import axdr
from polymeter.protocols.dlms.apdus import base, fields, initiate, notify
from polymeter.protocols.dlms.apdus.short_names import _Nothing
from polymeter.protocols.dlms.axdr import Data
from polymeter.protocols.dlms.compact_arrays import Description, compact_array
from polymeter.protocols.dlms.data import FIXED, BitString, Item, Tag, octet_string, structure
from polymeter.protocols.dlms.times import Date, DateTime, Time


def ranged(bits: int, signed: bool) -> st.SearchStrategy[int]:
    """Whole numbers of so many bits."""
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    return st.integers(low, high)


optional = st.none() | st.integers(0, 254)
dates = st.builds(Date, st.none() | st.integers(0, 0xFFFE), optional, optional, optional)
clocks = st.builds(Time, optional, optional, optional, optional)
date_times = st.builds(DateTime, dates, clocks, st.none() | st.integers(-0x7FFF, 0x7FFF), optional)
bits = st.binary(max_size=40).map(lambda octets: BitString(8 * len(octets), octets))
odd_bits = st.binary(min_size=1, max_size=9).map(lambda octets: BitString(8 * len(octets) - 3, octets))
short_floats = st.floats(width=32, allow_nan=False).map(
    lambda value: axdr.decode(b"\x17" + struct.pack(">f", value))[0]
)

NUMBERS = {
    Tag.INTEGER: (8, True), Tag.LONG: (16, True), Tag.DOUBLE_LONG: (32, True), Tag.LONG64: (64, True),
    Tag.UNSIGNED: (8, False), Tag.LONG_UNSIGNED: (16, False), Tag.DOUBLE_LONG_UNSIGNED: (32, False),
    Tag.LONG64_UNSIGNED: (64, False), Tag.ENUM: (8, False), Tag.DELTA_INTEGER: (8, True),
    Tag.DELTA_LONG: (16, True), Tag.DELTA_DOUBLE_LONG: (32, True), Tag.DELTA_UNSIGNED: (8, False),
    Tag.DELTA_LONG_UNSIGNED: (16, False), Tag.DELTA_DOUBLE_LONG_UNSIGNED: (32, False),
}  # fmt: skip
"""Whole numbers: their bits, and whether they have a sign."""
VALUES: dict[Tag, st.SearchStrategy[Any]] = {
    **{tag: ranged(*shape) for tag, shape in NUMBERS.items()},
    Tag.NULL_DATA: st.none(),
    Tag.DONT_CARE: st.none(),
    Tag.BOOLEAN: st.booleans(),
    Tag.BCD: st.integers(0, 99),
    Tag.OCTET_STRING: st.binary(max_size=300),
    Tag.VISIBLE_STRING: st.text(st.characters(max_codepoint=255), max_size=300),
    Tag.UTF8_STRING: st.text(max_size=100),
    Tag.BIT_STRING: bits | odd_bits,
    Tag.FLOAT32: short_floats,
    Tag.FLOAT64: st.floats(allow_nan=False).map(lambda value: Decimal(repr(value))),
    Tag.DATE_TIME: date_times,
    Tag.DATE: dates,
    Tag.TIME: clocks,
}
"""Every simple type with the values it may have."""
simple = {tag: found.map(lambda value, tag=tag: Item(tag, value)) for tag, found in VALUES.items()}
scalars = st.one_of(*simple.values())

kinds = st.recursive(
    st.sampled_from(list(VALUES)).map(Description),
    lambda inner: st.one_of(
        st.builds(lambda kind, count: Description(Tag.ARRAY, (kind,), count), inner, st.integers(0, 3)),
        st.lists(inner, max_size=3).map(
            lambda several: Description(Tag.STRUCTURE, tuple(several), len(several))
        ),
    ),
    max_leaves=5,
)
"""What an element of a compact array may be."""


def of_kind(kind: Description) -> st.SearchStrategy[Item]:
    """Items that fit a description."""
    if not kind.children and kind.tag != Tag.STRUCTURE:
        return simple[Tag(kind.tag)]
    return st.tuples(*[of_kind(part) for part in parts(kind)]).map(lambda found: Item(kind.tag, found))


def parts(kind: Description) -> tuple[Description, ...]:
    """What an array or structure of this kind holds."""
    return kind.children * (kind.count if kind.tag == Tag.ARRAY else 1)


def cost(kind: Description) -> tuple[int, int]:
    """The values within an element of this kind, and the octets that it has at least."""
    if not kind.children and kind.tag != Tag.STRUCTURE:
        return 0, FIXED.get(kind.tag, (1, None))[0]
    costs = [cost(part) for part in parts(kind)]
    return len(costs) + sum(values for values, _ in costs), sum(octets for _, octets in costs)


def _elements(kind: Description) -> st.SearchStrategy[list[Item]]:
    """Some elements, if a compact array may hold any of this kind: not if they occupy next to nothing."""
    values, octets = cost(kind)
    return st.lists(of_kind(kind), max_size=5) if octets and values <= 4 * octets else st.just([])


compact_arrays = kinds.flatmap(
    lambda kind: _elements(kind).map(lambda elements: compact_array(kind, *elements))
)

octets = st.binary(max_size=150)
data = st.recursive(
    st.one_of(
        st.integers(0, 0xFFFF).map(lambda value: Item(Tag.LONG_UNSIGNED, value)),
        octets.map(octet_string),
        st.just(Item(Tag.NULL_DATA)),
    ),
    lambda inner: st.lists(inner, max_size=4).map(lambda items: structure(*items)),
    max_leaves=6,
).map(Data.of)


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Values that a field of this kind may have."""
    match kind:
        case fields.Integer(size, signed):
            bits = 8 * size
            return (
                st.integers(-(1 << bits - 1), (1 << bits - 1) - 1)
                if signed
                else st.integers(0, (1 << bits) - 1)
            )
        case fields.Enumerated() | fields._Boolean():
            return st.integers(0, 255)
        case fields._Octets() | notify._TimeKind():
            return octets
        case fields.Fixed(size, make):
            return st.binary(min_size=size, max_size=size).map(make)
        case fields._Data():
            return data
        case fields.Optional(inner):
            return st.none() | values(inner)
        case fields.ListOf(inner):
            return st.lists(values(inner), max_size=4).map(tuple)
        case fields.Tupled(make, parts):
            return st.tuples(*[values(part) for _, part in parts]).map(lambda found: make(*found))
        case fields.Choice(kinds):
            return st.one_of(*[values(inner) for inner in kinds.values()])
        case initiate._ConformanceKind():
            both = st.integers(0, (1 << 24) - 1).map(initiate.Conformance)
            return both | both.map(initiate.NegotiatedConformance)
        case _Nothing():
            return st.none()
    raise AssertionError(f"no strategy for {kind!r}")


def apdus(cls: type[base.APDU]) -> st.SearchStrategy[base.APDU]:
    """APDUs of one class."""
    if cls.TITLE == "exception-response":
        counters = st.integers(0, (1 << 32) - 1)
        return st.tuples(st.integers(0, 255), st.integers(0, 5)).map(
            lambda codes: cls(*codes)
        ) | counters.map(lambda counter: cls(1, 6, counter))
    if "service" in cls.FIELDS and "content" in cls.FIELDS:
        return octets.map(lambda content: cls(cls.LAYOUT[0].tag, content))
    return st.tuples(*[values(kind) for kind in cls.LAYOUT]).map(lambda found: cls(*found))


CLASSES = sorted(base._CLASSES.items())
any_apdu = st.sampled_from([cls for _, cls in CLASSES]).flatmap(apdus)
