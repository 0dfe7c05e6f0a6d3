"""A-XDR: every type, every octet restored, every bound kept."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.dlms import axdr
from polymeter.protocols.dlms.compact_arrays import CompactArray, Description, compact_array
from polymeter.protocols.dlms.data import (
    MAX_DEPTH,
    BitString,
    Item,
    Tag,
    array,
    encode_length,
    octet_string,
    plain,
    structure,
)
from polymeter.protocols.dlms.times import Date, DateTime, Time
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError, Tree


def ranged(tag: Tag, bits: int, signed: bool) -> st.SearchStrategy[Item]:
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    return st.integers(low, high).map(lambda value: Item(tag, value))


octets = st.integers(0, 255)
optional = st.none() | st.integers(0, 254)
dates = st.builds(Date, st.none() | st.integers(0, 0xFFFE), optional, optional, optional)
clocks = st.builds(Time, optional, optional, optional, optional)
date_times = st.builds(DateTime, dates, clocks, st.none() | st.integers(-0x7FFF, 0x7FFF), optional)
lengths_of_text = st.text(st.characters(max_codepoint=255), max_size=300)

scalars = st.one_of(
    st.sampled_from([Item(Tag.NULL_DATA), Item(Tag.DONT_CARE)]),
    st.booleans().map(lambda value: Item(Tag.BOOLEAN, value)),
    ranged(Tag.INTEGER, 8, True),
    ranged(Tag.LONG, 16, True),
    ranged(Tag.DOUBLE_LONG, 32, True),
    ranged(Tag.LONG64, 64, True),
    ranged(Tag.UNSIGNED, 8, False),
    ranged(Tag.LONG_UNSIGNED, 16, False),
    ranged(Tag.DOUBLE_LONG_UNSIGNED, 32, False),
    ranged(Tag.LONG64_UNSIGNED, 64, False),
    ranged(Tag.ENUM, 8, False),
    ranged(Tag.DELTA_INTEGER, 8, True),
    ranged(Tag.DELTA_LONG, 16, True),
    ranged(Tag.DELTA_DOUBLE_LONG, 32, True),
    ranged(Tag.DELTA_UNSIGNED, 8, False),
    ranged(Tag.DELTA_LONG_UNSIGNED, 16, False),
    ranged(Tag.DELTA_DOUBLE_LONG_UNSIGNED, 32, False),
    st.integers(0, 99).map(lambda value: Item(Tag.BCD, value)),
    st.binary(max_size=300).map(octet_string),
    lengths_of_text.map(lambda value: Item(Tag.VISIBLE_STRING, value)),
    st.text(max_size=100).map(lambda value: Item(Tag.UTF8_STRING, value)),
    st.binary(max_size=40).map(lambda value: Item(Tag.BIT_STRING, BitString(8 * len(value), value))),
    st.binary(min_size=1, max_size=9).map(
        lambda value: Item(Tag.BIT_STRING, BitString(8 * len(value) - 3, value))
    ),
    st.floats(width=32, allow_nan=False).map(
        lambda value: axdr.parse(b"\x17" + __import__("struct").pack(">f", value))._replace(start=0, end=0)
    ),
    st.floats(allow_nan=False).map(lambda value: Item(Tag.FLOAT64, Decimal(repr(value)))),
    date_times.map(lambda value: Item(Tag.DATE_TIME, value)),
    dates.map(lambda value: Item(Tag.DATE, value)),
    clocks.map(lambda value: Item(Tag.TIME, value)),
)


def columns(kind: Description) -> st.SearchStrategy[Item]:
    pairs = st.tuples(st.integers(0, 0xFFFF), st.binary(max_size=5))
    return st.lists(pairs, max_size=20).map(
        lambda rows: compact_array(
            kind, *(structure(Item(Tag.LONG_UNSIGNED, a), octet_string(b)) for a, b in rows)
        )
    )


compact = columns(
    Description(Tag.STRUCTURE, (Description(Tag.LONG_UNSIGNED), Description(Tag.OCTET_STRING)), 2)
)
items = st.recursive(
    scalars | compact,
    lambda inner: st.lists(inner, max_size=6).flatmap(
        lambda children: st.sampled_from([array(*children), structure(*children)])
    ),
    max_leaves=30,
)


def bare(item: Item) -> Item:
    """Without places, to compare with what was built."""
    if item.tag in (Tag.ARRAY, Tag.STRUCTURE):
        return Item(item.tag, tuple(bare(child) for child in item.value), 0, 0, item.head)
    if item.tag == Tag.COMPACT_ARRAY:
        compact = item.value
        kept = tuple(bare(child) for child in compact.items)
        return Item(item.tag, CompactArray(compact.description, kept, compact.head))
    return Item(item.tag, item.value, 0, 0, item.head)


@given(items)
def test_what_is_encoded_is_parsed_again(item: Item) -> None:
    encoded = axdr.encode(item)
    parsed = axdr.parse(encoded)
    assert bare(parsed) == item
    assert parsed.end == len(encoded)


@given(items, st.binary(max_size=3))
def test_both_readers_agree(item: Item, rest: bytes) -> None:
    encoded = axdr.encode(item) + rest
    assert axdr.decode(encoded) == (plain(item), len(encoded) - len(rest))


@given(st.binary(max_size=80))
def test_whatever_is_parsed_encodes_to_the_same_octets(noise: bytes) -> None:
    try:
        item = axdr.parse(noise)
    except RemoteProtocolError:
        with pytest.raises(RemoteProtocolError):
            axdr.decode(noise)
        return
    assert axdr.encode(item) == noise[: item.end]
    value, end = axdr.decode(noise)
    assert (repr(value), end) == (repr(plain(item)), item.end)


@given(items, st.data())
def test_a_cut_value_is_an_error_with_its_place(item: Item, data: st.DataObject) -> None:
    encoded = axdr.encode(item)
    cut = encoded[: data.draw(st.integers(0, len(encoded) - 1))]
    for read in (axdr.decode, axdr.parse):
        with pytest.raises(RemoteProtocolError) as caught:
            read(cut)
        assert 0 <= caught.value.offset <= len(cut)


@given(items)
def test_the_tree_covers_every_octet_once(item: Item) -> None:
    encoded = axdr.encode(item)
    tree = Tree(encoded, "value")
    axdr.parse(encoded, 0, tree)
    leaves = sorted(tree.finish().leaves(), key=lambda node: node.offset)
    assert b"".join(leaf.raw for leaf in leaves) == encoded
    assert all(leaf.name != "unexplained" for leaf in leaves)


@pytest.mark.parametrize(
    ("octets", "value"),
    [
        ("1741200000", "10"),
        ("173dcccccd", "0.1"),
        ("177f7fffff", "3.4028235E+38"),
        ("1780000000", "-0"),
        ("1700000001", "1E-45"),
        ("177f800000", "Infinity"),
        ("183fb999999999999a", "0.1"),
        ("18c0934a456d5cfaad", "-1234.5678"),
    ],
)
def test_floats_are_the_shortest_decimals_that_round_trip(octets: str, value: str) -> None:
    encoded = bytes.fromhex(octets)
    item = axdr.parse(encoded)
    assert item.value == Decimal(value)
    assert axdr.encode(item) == encoded


@pytest.mark.parametrize("octets", ["177fc00000", "17ffc00001", "177f800001", "187ff0000000000001"])
def test_not_a_number_keeps_its_payload(octets: str) -> None:
    encoded = bytes.fromhex(octets)
    item = axdr.parse(encoded)
    assert item.value.is_nan()
    assert axdr.encode(item) == encoded


def test_unusual_lengths_and_truths_are_restored() -> None:
    for octets in ("098103616263", "0182000103ff", "0203820001000a81000c820001c3", "04810780"):
        encoded = bytes.fromhex(octets)
        try:
            item = axdr.parse(encoded)
        except RemoteProtocolError:
            continue
        assert axdr.encode(item) == encoded[: item.end]
    assert axdr.parse(bytes.fromhex("03ff")).value is True


def test_text_that_is_no_utf8_stays_octets() -> None:
    assert axdr.decode(b"\x0c\x02\xc3\x28") == (b"\xc3\x28", 4)


def test_pitfall_1_a_truncated_array_ends_with_an_error_and_no_loop() -> None:
    """Pitfall 1: 17 octets are enough for an endless loop elsewhere."""
    encoded = bytes.fromhex("c001c100070100630100ff020101020402")[13:]
    with pytest.raises(RemoteProtocolError):
        axdr.decode(encoded)
    with pytest.raises(RemoteProtocolError):
        axdr.parse(encoded)


@pytest.mark.parametrize("pair", [b"\x02\x01", b"\x01\x01"])
def test_pitfall_2_nesting_2000_deep_is_refused_with_its_place(pair: bytes) -> None:
    """Pitfall 2: RecursionError elsewhere."""
    for read in (axdr.decode, axdr.parse):
        with pytest.raises(RemoteProtocolError, match="within each other") as caught:
            read(pair * 2000 + b"\x00")
        assert caught.value.offset == 2 * MAX_DEPTH


def test_nesting_up_to_the_cap_is_read() -> None:
    encoded = b"\x02\x01" * MAX_DEPTH + b"\x11\x05"
    assert axdr.encode(axdr.parse(encoded)) == encoded
    assert axdr.decode(encoded)[1] == len(encoded)


def test_compact_array_of_arrays() -> None:
    encoded = bytes.fromhex("13 01 0002 11 04 01020304")
    assert axdr.decode(encoded) == ([[1, 2], [3, 4]], 10)
    assert axdr.encode(axdr.parse(encoded)) == encoded


@pytest.mark.parametrize(
    "octets",
    [
        "13 01ffff 00 01 00",  # 65 535 nulls in one octet
        "13 01ffff 01ffff 01ffff 00 01 00",
        "13 00 02 0000",  # elements that occupy nothing
        "13 0202 11 12 04 01020304",  # contents that are no whole number of elements
        "13 13 11 01 00",
        "13 11 7f 00",
    ],
)
def test_compact_arrays_that_promise_too_much_are_refused(octets: str) -> None:
    for read in (axdr.decode, axdr.parse):
        with pytest.raises(RemoteProtocolError):
            read(bytes.fromhex(octets))


def test_values_that_do_not_fit_are_our_error() -> None:
    for item in (Item(Tag.INTEGER, 200), Item(Tag.LONG, "x"), Item(Tag.DATE, b"1"), Item(8, b"")):
        with pytest.raises(LocalProtocolError):
            axdr.encode(item)


@given(st.integers(0, 1 << 32 - 1))
def test_lengths_are_as_short_as_can_be(length: int) -> None:
    encoded = encode_length(length)
    assert len(encoded) == 1 if length < 128 else encoded[1] != 0
