"""What single items are taken for, and what they are not."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.dlms.apdus import CaptureObject
from polymeter.protocols.dlms.data import Item, Tag, array, octet_string, structure
from polymeter.protocols.dlms.patterns import (
    Descriptor,
    capture_object,
    code_of,
    descriptor_at,
    instant_of,
    is_number,
    object_list,
    scale_at,
    scaler_unit,
)
from polymeter.protocols.dlms.times import decode_date_time
from polymeter.protocols.obis import OBIS
from tests.protocols.dlms.make_vectors import TIME, i8, name, u16, u32
from tests.protocols.dlms.make_vectors import scaler_unit as scale

ENERGY = OBIS(1, 0, 1, 8, 0)
CODE = octet_string(bytes(ENERGY))
NULL = Item(Tag.NULL_DATA)


def u8(value: int) -> Item:
    return Item(Tag.UNSIGNED, value)


@pytest.mark.parametrize(
    ("octets", "is_code"),
    [
        ("0100010800ff", True),
        ("070b0d1a0065", True),  # a billing period of UNI/TS 11291
        ("0f00010800ff", True),
        ("1000010800ff", False),  # no such medium
        ("010001080080", False),
        ("0100010800fe", False),
        ("0100010800", False),
        ("0100010800ff02", False),
        ("313233343536", False),  # six letters
    ],
)
def test_six_octets_of_a_medium_are_a_code(octets: str, is_code: bool) -> None:
    assert (code_of(octet_string(bytes.fromhex(octets))) is not None) == is_code
    assert code_of(Item(Tag.VISIBLE_STRING, "123456")) is None


@given(st.binary(max_size=9))
def test_a_code_is_its_octets(octets: bytes) -> None:
    found = code_of(octet_string(octets))
    assert found is None or bytes(found) == octets


def test_a_scaler_is_an_integer_and_its_unit_an_enumeration() -> None:
    assert scaler_unit(scale(-1, 35)) == (-1, "V")
    assert scaler_unit(scale(0, 255)) == (0, None)
    for other in (
        structure(i8(1)),
        structure(i8(1), i8(2)),
        structure(u8(1), Item(Tag.ENUM, 30)),
        structure(Item(Tag.ENUM, 30), i8(1)),
        structure(i8(1), Item(Tag.ENUM, 30), NULL),
        array(i8(1), Item(Tag.ENUM, 30)),
        i8(1),
    ):
        assert scaler_unit(other) is None


def test_scaler_and_unit_stand_together_or_side_by_side() -> None:
    pair = [i8(2), Item(Tag.ENUM, 30)]
    assert scale_at([scale(2, 30), u8(1)], 0) == ((2, "Wh"), 1)
    assert scale_at([u8(1), *pair], 1) == ((2, "Wh"), 3)
    assert scale_at(pair, 1) == (None, 1)
    assert scale_at(pair, 2) == (None, 2)


def test_times_are_told_by_their_tag_or_by_being_real() -> None:
    noon = datetime(2026, 3, 1, 12, 30)
    assert instant_of(octet_string(TIME)) == noon
    assert instant_of(Item(Tag.DATE_TIME, decode_date_time(TIME))) == noon
    assert instant_of(octet_string(b"123456789012")) is None
    assert instant_of(Item(Tag.VISIBLE_STRING, "123456789012")) is None


def test_numbers_are_what_can_be_scaled() -> None:
    numbers = {Tag.INTEGER, Tag.FLOAT32, Tag.BCD, Tag.ENUM, Tag.LONG64_UNSIGNED, Tag.DELTA_LONG}
    others = {Tag.BOOLEAN, Tag.NULL_DATA, Tag.OCTET_STRING, Tag.ARRAY, Tag.BIT_STRING, Tag.DATE}
    assert all(is_number(Item(tag)) for tag in numbers)
    assert not any(is_number(Item(tag)) for tag in others)


def test_an_object_list_names_objects_and_nothing_else() -> None:
    one = CaptureObject(3, ENERGY, 2, 0)
    assert object_list(array(one.item(), one.item())) == (one, one)
    assert object_list(array()) is None
    assert object_list(array(one.item(), u8(1))) is None
    assert object_list(one.item()) is None
    assert capture_object(structure(u16(3), CODE, i8(2))) == one
    assert capture_object(structure(u16(3), CODE, i8(2), NULL)) == one
    assert capture_object(structure(u16(3), CODE, i8(2), u16(0), structure(), array())) == one
    assert capture_object(structure(u16(3), CODE, i8(2), u32(7))) is None  # a value, no index
    assert capture_object(structure(u8(3), CODE, i8(2), u16(0))) is None
    assert capture_object(structure(u16(3), u32(1), i8(2), u16(0))) is None
    assert capture_object(structure(u16(3), CODE)) is None


@pytest.mark.parametrize(
    ("items", "found"),
    [
        ([CODE, u32(1)], Descriptor(ENERGY, 1)),
        ([CODE], None),
        ([u32(1), CODE], None),
        ([CODE, i8(2), u32(1)], Descriptor(ENERGY, 2, 2)),
        ([CODE, u8(2), u32(1)], Descriptor(ENERGY, 2, 2)),
        ([CODE, u8(3), u32(1)], Descriptor(ENERGY, 1)),  # a value and something more
        ([CODE, i8(1), u32(1)], Descriptor(ENERGY, 1)),
        ([CODE, i8(2), scale(0, 30)], Descriptor(ENERGY, 1)),
        ([CODE, i8(2), Item(Tag.ENUM, 30)], Descriptor(ENERGY, 1)),
        ([CODE, i8(2), octet_string(TIME)], Descriptor(ENERGY, 1)),
        ([CODE, i8(2), NULL], Descriptor(ENERGY, 1)),
        ([CODE, i8(2), u32(1), CODE], Descriptor(ENERGY, 1)),
        ([u16(3), CODE, i8(2), u32(1)], Descriptor(ENERGY, 3, 2, 3)),
        ([u8(3), CODE, i8(2), u32(1)], Descriptor(ENERGY, 3, 2, 3)),
        ([u16(3), CODE, i8(0), structure(u32(1), u32(2))], Descriptor(ENERGY, 3, 0, 3)),
        ([u16(3), CODE, i8(0), u32(1)], Descriptor(ENERGY, 3, None, 3, (0, None))),
        ([u16(3), CODE, i8(-2), u32(1)], Descriptor(ENERGY, 3, None, 3, (-2, None))),
        ([u16(3), CODE, i8(1), u32(1)], Descriptor(ENERGY, 3, None, 3, (1, None))),
        ([u16(1), CODE, i8(1), CODE], Descriptor(ENERGY, 3, 1, 1)),
        ([u16(3), CODE, u32(1)], Descriptor(ENERGY, 2, None, 3)),
        ([u16(9999), CODE, u32(1)], None),  # no class has this number
        ([u16(3), CODE], None),
        ([octet_string(b"\0\3" + bytes(ENERGY) + b"\2"), u32(1)], Descriptor(ENERGY, 1, 2, 3)),
        ([octet_string(b"\0\3" + bytes(ENERGY)), u32(1)], Descriptor(ENERGY, 1, None, 3)),
        ([octet_string(b"\0\3" + bytes(ENERGY) + b"\0"), u32(1)], None),
        ([octet_string(b"\0\xfe" + bytes(ENERGY) + b"\2"), u32(1)], None),
        ([Item(Tag.VISIBLE_STRING, "1-0:1.8.0*255"), u32(1)], Descriptor(ENERGY, 1)),
        ([octet_string(b"1.8.0"), u32(1)], Descriptor(ENERGY, 1)),
        ([Item(Tag.UTF8_STRING, "1-0:1.8.0"), octet_string(b"x")], Descriptor(ENERGY, 1)),
        ([octet_string(b"1.8.0"), octet_string(b"x"), u32(1)], None),  # a version, say
        ([octet_string(b"1.8.999"), u32(1)], None),
        ([octet_string(b"V1.8.0"), u32(1)], None),
    ],
)
def test_what_names_the_value_behind_it(items: list[Item], found: Descriptor | None) -> None:
    assert descriptor_at(items, 0) == found


def test_a_number_before_a_code_is_its_class_only_where_an_object_begins() -> None:
    flat = [u32(9), u16(3), CODE, u32(1), name("1-0:2.8.0"), u32(2)]
    assert descriptor_at(flat, 1) is None
    assert descriptor_at(flat, 2) == Descriptor(ENERGY, 1)
