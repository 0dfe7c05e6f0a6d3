"""Compact arrays: any type that can be described, and what is refused of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.dlms import axdr
from polymeter.protocols.dlms.compact_arrays import (
    CompactArray,
    Description,
    compact_array,
    encode_compact,
    parse_compact,
)
from polymeter.protocols.dlms.data import Item, Tag, array, octet_string, structure
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError

from .strategies import compact_arrays, kinds

LONG, OCTETS = Description(Tag.LONG_UNSIGNED), Description(Tag.OCTET_STRING)
PAIR = Description(Tag.STRUCTURE, (LONG, OCTETS), 2)


def pair(number: int, octets: bytes) -> Item:
    return structure(Item(Tag.LONG_UNSIGNED, number), octet_string(octets))


@given(compact_arrays, st.binary(max_size=3))
def test_whatever_is_described_is_read_as_it_was_written(item: Item, rest: bytes) -> None:
    encoded = encode_compact(item.value)
    found = parse_compact(encoded + rest, 0)
    assert found.end == len(encoded)
    assert found.description == item.value.description
    assert encode_compact(found) == encoded
    # The same elements, each with its own tag, are read as the same values.
    spelled_out = axdr.encode(array(*item.value.items))
    assert repr(axdr.decode(axdr.encode(item))[0]) == repr(axdr.decode(spelled_out)[0])


@given(compact_arrays, st.data())
def test_a_cut_compact_array_is_an_error(item: Item, data: st.DataObject) -> None:
    encoded = encode_compact(item.value)
    with pytest.raises(RemoteProtocolError):
        parse_compact(encoded[: data.draw(st.integers(0, len(encoded) - 1))], 0)


@given(st.binary(max_size=40))
def test_whatever_is_read_is_written_as_it_came(noise: bytes) -> None:
    for head in (b"", b"\x02\x02", b"\x02\x02\x12\x09", b"\x01\x00\x02\x11"):
        try:
            found = parse_compact(head + noise, 0)
        except RemoteProtocolError:
            continue
        assert encode_compact(found) == (head + noise)[: found.end]


def test_it_is_a_sequence_of_its_elements() -> None:
    elements = (pair(1, b"a"), pair(2, b"bc"), pair(3, b""))
    compact = compact_array(PAIR, *elements).value
    assert isinstance(compact, CompactArray)
    assert (len(compact), tuple(compact), compact[1], compact[1:]) == (3, elements, elements[1], elements[1:])


def test_elements_know_their_places() -> None:
    encoded = encode_compact(compact_array(PAIR, pair(1, b"a"), pair(2, b"bc")).value)
    for element in parse_compact(b"\xff" * 5 + encoded, 5):
        number, octets = element.value
        assert (element.start, element.end) == (number.start, octets.end)
        raw = (b"\xff" * 5 + encoded)[element.start : element.end]
        assert raw == number.value.to_bytes(2, "big") + bytes((len(octets.value),)) + octets.value


@pytest.mark.parametrize(
    "wrong",
    [
        Item(Tag.LONG_UNSIGNED, 1),
        structure(Item(Tag.LONG_UNSIGNED, 1)),
        structure(octet_string(b""), Item(Tag.LONG_UNSIGNED, 1)),
        structure(*pair(1, b"").value, Item(Tag.NULL_DATA)),
        array(*pair(1, b"").value),
    ],
)
def test_an_element_of_another_type_is_our_error(wrong: Item) -> None:
    with pytest.raises(LocalProtocolError, match="described"):
        encode_compact(compact_array(PAIR, wrong).value)


@given(kinds, st.integers(30, 60))
def test_types_within_types_have_an_end(kind: Description, depth: int) -> None:
    for _ in range(depth):
        kind = Description(Tag.STRUCTURE, (kind,), 1)
    encoded = encode_compact(compact_array(kind).value)
    if depth > 32:
        with pytest.raises(RemoteProtocolError, match="within each other"):
            parse_compact(encoded, 0)


@pytest.mark.parametrize("values", [4, 5])
def test_four_values_for_each_octet_is_the_most(values: int) -> None:
    nulls = (Description(Tag.NULL_DATA),) * (values - 1)
    kind = Description(Tag.STRUCTURE, (*nulls, Description(Tag.UNSIGNED)), values)
    element = structure(*(Item(Tag.NULL_DATA),) * (values - 1), Item(Tag.UNSIGNED, 7))
    encoded = encode_compact(compact_array(kind, element, element).value)
    if values == 4:
        assert len(parse_compact(encoded, 0)) == 2
    else:
        with pytest.raises(RemoteProtocolError, match="more values than its contents"):
            parse_compact(encoded, 0)


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
