"""The habits in which meters push readings. Whole telegrams are in the conformance cases."""

from collections.abc import Callable
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from polymeter.protocols.dlms import axdr
from polymeter.protocols.dlms.apdus import CaptureObject
from polymeter.protocols.dlms.data import Item, Tag, array, octet_string, structure
from polymeter.protocols.dlms.found import scaled
from polymeter.protocols.dlms.notifications import attribute_records, records
from polymeter.protocols.obis import OBIS
from polymeter.protocols.units import COSEM_UNITS
from polymeter.protocols.wire import Record
from tests.protocols.dlms.make_vectors import i8, name, scaler_unit, u16, u32
from tests.protocols.dlms.test_axdr import items

ENERGY = OBIS(1, 0, 1, 8, 0, 255)


def found(body: Item, moment: datetime | None = None) -> tuple[Record, ...]:
    data = axdr.encode(body)
    return records(axdr.parse(data), data, moment)


@given(items)
def test_every_value_becomes_one_record_or_belongs_to_one(item: Item) -> None:
    data = axdr.encode(item)
    for record in found(item):
        assert record.raw == data[record.offset : record.offset + len(record.raw)]


def test_a_scaler_in_the_object_list_scales_its_register() -> None:
    objects = [CaptureObject(3, ENERGY, 2), CaptureObject(3, ENERGY, 3), CaptureObject(3, ENERGY, 1)]
    listed = array(*(entry.item() for entry in objects))
    body = structure(listed, u32(7), scaler_unit(3, 30), octet_string(bytes(ENERGY)))
    value, logical_name = found(body)
    assert (value.value, value.unit, value.obis) == (7000, "Wh", "1-0:1.8.0*255")
    assert logical_name.name == "1-0:1.8.0*255/1"


def test_a_lone_scaler_is_kept() -> None:
    body = structure(array(CaptureObject(3, ENERGY, 3).item()), scaler_unit(-1, 30))
    assert [record.value for record in found(body)] == [-1, 30]


def test_all_attributes_of_an_object_are_taken_apart() -> None:
    body = structure(octet_string(bytes(ENERGY)), u32(5), scaler_unit(1, 30), u16(9))
    data = axdr.encode(body)
    value, more = attribute_records(ENERGY, 0, axdr.parse(data), data)
    assert (value.value, value.unit) == (50, "Wh")
    assert (more.name, more.value) == ("1-0:1.8.0*255/4", 9)


def test_a_list_whose_values_do_not_fit_is_only_a_list() -> None:
    body = structure(array(CaptureObject(3, ENERGY, 2).item(), CaptureObject(3, ENERGY, 3).item()), u32(1))
    assert found(body)[-1].value == 1


def test_values_in_one_structure_after_the_list() -> None:
    other = OBIS(1, 0, 2, 8, 0, 255)
    listed = array(CaptureObject(3, ENERGY, 2).item(), CaptureObject(3, other, 2).item())
    body = structure(listed, structure(u32(1), u32(2)))
    assert [(record.obis, record.value) for record in found(body)] == [(str(ENERGY), 1), (str(other), 2)]


def test_a_clock_in_the_body_stamps_what_has_no_time() -> None:
    clock = structure(name("0-0:1.0.0"), octet_string(bytes.fromhex("07e8010101000000ff000000")))
    body = array(clock, structure(name("1-0:1.8.0"), u32(1)))
    assert found(body)[1].time == datetime(2024, 1, 1, tzinfo=UTC)
    own = datetime(2024, 2, 1, tzinfo=UTC)
    assert found(body, own)[1].time == own


def test_readable_octets_are_text_and_others_stay_octets() -> None:
    body = structure(octet_string(b"KFM_1"), octet_string(b"\x01\x02"), octet_string(b""), i8(-1))
    assert [record.value for record in found(body)] == ["KFM_1", b"\x01\x02", b"", -1]


def test_a_bare_value_is_a_record() -> None:
    assert [record.value for record in found(u32(5))] == [5]


def test_a_list_of_objects_alone_gives_no_reading_of_them() -> None:
    body = array(CaptureObject(3, ENERGY, 2).item(), CaptureObject(3, OBIS(1, 0, 2, 8, 0), 2).item())
    assert {record.obis for record in found(body)} == {None}
    assert {record.obis for record in found(structure(body, u32(1)))} == {None}


def test_described_values_are_no_object_list_although_they_look_like_one() -> None:
    volts = array(*(structure(u16(3), name(code), i8(2), u16(230)) for code in ("1-0:32.7.0", "1-0:52.7.0")))
    for body in (volts, structure(volts, u32(1))):
        assert [record.value for record in found(body) if record.obis] == [230, 230]


def test_values_of_objects_that_look_like_codes_are_not_taken_for_a_list() -> None:
    names = array(*(structure(name(code), name("0-0:41.0.0")) for code in ("0-0:1.0.0", "0-0:2.0.0")))
    assert [(record.obis, record.value) for record in found(names)] == [
        ("0-0:1.0.0*255", bytes(OBIS(0, 0, 41, 0, 0))),
        ("0-0:2.0.0*255", bytes(OBIS(0, 0, 41, 0, 0))),
    ]


# Any list of objects, pushed in any of the shapes, gives the same readings.

groups = st.tuples(st.integers(1, 80), st.sampled_from([7, 8]), st.integers(0, 4))
codes = groups.map(lambda cde: OBIS(1, 0, *cde))
Objects = list[tuple[OBIS, int, int, int]]
objects = st.lists(
    st.tuples(codes, st.integers(0, 1 << 31), st.integers(-4, 4), st.sampled_from([27, 30, 33, 35])),
    min_size=2,
    max_size=8,
    unique_by=lambda one: one[0],
)


def code_item(code: OBIS) -> Item:
    return octet_string(bytes(code))


def flat(parts: list[list[Item]]) -> Item:
    return structure(*(item for part in parts for item in part))


SHAPES: dict[str, Callable[[Objects], Item]] = {
    "triples": lambda all: array(*(structure(code_item(c), u32(v), scaler_unit(s, u)) for c, v, s, u in all)),
    "scaler first": lambda all: array(
        *(structure(code_item(c), scaler_unit(s, u), u32(v)) for c, v, s, u in all)
    ),
    "flat": lambda all: flat([[code_item(c), u32(v), scaler_unit(s, u)] for c, v, s, u in all]),
    "flat, scaler and unit apart": lambda all: flat(
        [[code_item(c), u32(v), i8(s), Item(Tag.ENUM, u)] for c, v, s, u in all]
    ),
    "flat with nulls": lambda all: flat(
        [[code_item(c), u32(v), scaler_unit(s, u), Item(Tag.NULL_DATA)] for c, v, s, u in all]
    ),
    "classes": lambda all: array(
        *(structure(u16(3), code_item(c), i8(2), u32(v), scaler_unit(s, u)) for c, v, s, u in all)
    ),
    "backwards": lambda all: array(
        *(structure(u32(v), scaler_unit(s, u), code_item(c)) for c, v, s, u in all)
    ),
    "value and scaler together": lambda all: array(
        *(structure(code_item(c), structure(u32(v), scaler_unit(s, u))) for c, v, s, u in all)
    ),
    "list, values, scalers": lambda all: structure(
        array(*(CaptureObject(3, c, 2).item() for c, *_ in all)),
        structure(*(u32(v) for _, v, _, _ in all)),
        array(*(scaler_unit(s, u) for *_, s, u in all)),
    ),
    "list with scalers as attributes": lambda all: structure(
        array(*(CaptureObject(3, c, a).item() for c, *_ in all for a in (2, 3))),
        *(item for _, v, s, u in all for item in (u32(v), scaler_unit(s, u))),
    ),
    "codes, values, scalers": lambda all: structure(
        array(*(code_item(c) for c, *_ in all)),
        array(*(u32(v) for _, v, _, _ in all)),
        array(*(scaler_unit(s, u) for *_, s, u in all)),
    ),
    "scalers in a list of their own": lambda all: structure(
        array(*(structure(code_item(c), u32(v)) for c, v, _, _ in all)),
        array(*(structure(code_item(c), scaler_unit(s, u)) for c, _, s, u in all)),
    ),
}


@settings(max_examples=250)
@given(st.sampled_from(sorted(SHAPES)), objects)
def test_the_same_objects_give_the_same_readings_in_every_shape(shape: str, all: Objects) -> None:
    expected = {(str(code), scaled(value, scaler), COSEM_UNITS[unit]) for code, value, scaler, unit in all}
    for body in (SHAPES[shape](all), structure(structure(SHAPES[shape](all)))):
        records = found(body)
        assert {(record.obis, record.value, record.unit) for record in records} == expected
        assert len(records) == len(expected)


@given(items)
def test_no_value_is_given_twice(item: Item) -> None:
    places = [record.offset for record in found(item)]
    assert len(places) == len(set(places))
