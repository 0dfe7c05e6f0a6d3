"""Simple values: every type, its bounds, and the octets it came in."""

from __future__ import annotations

import struct
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.dlms import axdr
from polymeter.protocols.dlms.data import (
    BitString,
    Item,
    Tag,
    array,
    decode_length,
    decode_scalar,
    encode_length,
    encode_scalar,
    octet_string,
    plain,
    structure,
    unusual_head,
)
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError

from .strategies import NUMBERS, VALUES, scalars


@given(scalars)
def test_every_type_is_read_as_it_was_written(item: Item) -> None:
    encoded = encode_scalar(item)
    value, end, head = decode_scalar(b"\xaa" + encoded + b"\xbb", 1, item.tag)
    assert (end, head) == (1 + len(encoded), 0)
    assert value == item.value or str(value) == str(item.value)  # NaN is not itself
    assert type(value) is type(item.value)


def test_every_type_is_among_those_tried() -> None:
    assert set(VALUES) == set(Tag) - {Tag.ARRAY, Tag.STRUCTURE, Tag.COMPACT_ARRAY}


@given(scalars, st.data())
def test_a_cut_value_is_an_error(item: Item, data: st.DataObject) -> None:
    encoded = encode_scalar(item)
    cut = data.draw(st.integers(0, max(len(encoded) - 1, 0)))
    if encoded:
        with pytest.raises(RemoteProtocolError):
            decode_scalar(encoded[:cut], 0, item.tag)


@pytest.mark.parametrize("tag", list(NUMBERS))
def test_integers_have_their_size_and_sign(tag: Tag) -> None:
    bits, signed = NUMBERS[tag]
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    for number in (low, high, 0, 1):
        assert encode_scalar(Item(tag, number)) == number.to_bytes(bits // 8, "big", signed=signed)
    for number in (low - 1, high + 1):
        with pytest.raises(LocalProtocolError):
            encode_scalar(Item(tag, number))


def test_two_digits_in_an_octet_are_their_number_and_anything_else_stays_the_octet() -> None:
    for octet in range(256):
        encoded = bytes((octet,))
        value, _, _ = decode_scalar(encoded, 0, Tag.BCD)
        digits = encoded.hex()
        assert value == (int(digits) if digits.isdecimal() else encoded)
        assert encode_scalar(Item(Tag.BCD, value)) == encoded


def test_bits_are_counted_from_the_highest_and_spare_ones_are_kept() -> None:
    value, end, _ = decode_scalar(b"\x0b\xa5\xff\x00", 0, Tag.BIT_STRING)
    assert value == BitString(11, b"\xa5\xff")
    assert str(value) == "10100101111"
    assert end == 3
    assert encode_scalar(Item(Tag.BIT_STRING, value)) == b"\x0b\xa5\xff"


@pytest.mark.parametrize(
    ("item", "octets"),
    [
        (Item(Tag.VISIBLE_STRING, "Zähler"), b"\x06Z\xe4hler"),
        (Item(Tag.UTF8_STRING, "Zähler"), b"\x07Z\xc3\xa4hler"),
        (Item(Tag.OCTET_STRING, bytes(130)), b"\x81\x82" + bytes(130)),
        (Item(Tag.BOOLEAN, True), b"\x01"),
        (Item(Tag.BOOLEAN, False), b"\x00"),
        (Item(Tag.BOOLEAN, True, head=0xFF), b"\xff"),
        (Item(Tag.OCTET_STRING, b"a", head=4), b"\x83\x00\x00\x01a"),
    ],
)
def test_texts_lengths_and_truths(item: Item, octets: bytes) -> None:
    assert encode_scalar(item) == octets
    value, end, head = decode_scalar(octets, 0, item.tag)
    assert (value, end, head) == (item.value, len(octets), item.head)


@pytest.mark.parametrize(
    "item",
    [
        Item(Tag.INTEGER, "7"),
        Item(Tag.BCD, 100),
        Item(Tag.BCD, -1),
        Item(Tag.BCD, b"12"),
        Item(Tag.VISIBLE_STRING, "\u20ac"),
        Item(Tag.OCTET_STRING, 5),
        Item(Tag.DATE_TIME, b"short"),
        Item(Tag.FLOAT32, "no number"),
        Item(Tag.FLOAT32, Decimal("1e99")),
        Item(Tag.BIT_STRING, b"\x01"),
        Item(Tag.STRUCTURE, ()),
        Item(99, None),
    ],
)
def test_what_is_no_value_of_its_type_is_our_error(item: Item) -> None:
    with pytest.raises(LocalProtocolError):
        encode_scalar(item)


def test_no_other_tag_is_a_simple_type() -> None:
    for tag in set(range(256)) - set(VALUES):
        with pytest.raises(RemoteProtocolError, match="no type has the tag") as caught:
            decode_scalar(bytes(20), 7, tag)
        assert caught.value.offset == 6


@given(st.integers(0, (1 << 32) - 1), st.binary(max_size=3))
def test_lengths_are_as_short_as_can_be_and_read_again(length: int, rest: bytes) -> None:
    encoded = encode_length(length)
    assert decode_length(encoded + rest, 0) == (length, len(encoded))
    assert len(encoded) == (1 if length < 128 else 1 + (length.bit_length() + 7) // 8)
    assert unusual_head(length, 0, len(encoded)) == 0


@given(st.integers(0, (1 << 24) - 1), st.integers(4, 5))
def test_longer_lengths_are_kept(length: int, head: int) -> None:
    encoded = encode_length(length, head)
    assert len(encoded) == head
    assert decode_length(encoded, 0) == (length, head)
    assert encode_length(length, unusual_head(length, 0, head)) == encoded


@pytest.mark.parametrize("octets", ["", "80", "81", "820a", "8500000000ff", "ff" + "00" * 200])
def test_lengths_that_are_cut_or_without_end_are_refused(octets: str) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_length(bytes.fromhex(octets), 0)


@given(st.floats(width=32, allow_nan=False))
def test_a_short_float_is_the_shortest_decimal_that_means_it(number: float) -> None:
    octets = struct.pack(">f", number)
    value, _, _ = decode_scalar(octets, 0, Tag.FLOAT32)
    assert encode_scalar(Item(Tag.FLOAT32, value)) == octets
    digits = len(value.as_tuple().digits)
    assert digits <= 9
    if digits > 1 and value.is_finite():
        shorter = f"{number:.{digits - 1}g}"
        assert float(shorter) > 3.5e38 or struct.pack(">f", float(shorter)) != octets


def test_a_value_as_plain_objects() -> None:
    item = structure(array(Item(Tag.UNSIGNED, 1), octet_string(b"x")), Item(Tag.NULL_DATA))
    assert plain(item) == [[1, b"x"], None]


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


def test_text_that_is_no_utf8_stays_octets() -> None:
    assert axdr.decode(b"\x0c\x02\xc3\x28") == (b"\xc3\x28", 4)


def test_values_that_do_not_fit_are_our_error() -> None:
    for item in (Item(Tag.INTEGER, 200), Item(Tag.LONG, "x"), Item(Tag.DATE, b"1"), Item(8, b"")):
        with pytest.raises(LocalProtocolError):
            axdr.encode(item)
