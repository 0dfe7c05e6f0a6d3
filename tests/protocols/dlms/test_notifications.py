"""The habits in which meters push readings. Whole telegrams are in the conformance cases."""

from datetime import UTC, datetime
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.dlms import axdr
from polymeter.protocols.dlms.apdus import CaptureObject
from polymeter.protocols.dlms.data import Item, array, octet_string, structure
from polymeter.protocols.dlms.notifications import attribute_records, records, scaled
from polymeter.protocols.dlms.untagged import parse_untagged
from polymeter.protocols.obis import OBIS
from polymeter.protocols.wire import Record, RemoteProtocolError
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


@given(st.integers(-(1 << 63), 1 << 64), st.integers(-128, 127))
def test_scaling_is_exact(value: int, scaler: int) -> None:
    with localcontext(prec=400):
        assert Decimal(scaled(value, scaler)) == Decimal(value) * Decimal(10) ** scaler
        assert Decimal(scaled(Decimal(value), scaler)) == Decimal(value) * Decimal(10) ** scaler


def test_scaling_does_not_depend_on_the_callers_context() -> None:
    with localcontext(prec=3):
        assert str(scaled(1234567, -3)) == "1234.567"
    assert scaled(Decimal("NaN"), 2).is_nan()


def test_a_scaler_in_the_object_list_scales_its_register() -> None:
    objects = [CaptureObject(3, ENERGY, 2), CaptureObject(3, ENERGY, 3), CaptureObject(3, ENERGY, 1)]
    listed = array(*(entry.item() for entry in objects))
    body = structure(listed, u32(7), scaler_unit(3, 30), octet_string(bytes(ENERGY)))
    value, logical_name = found(body)
    assert (value.value, value.unit, value.obis) == (7000, "Wh", "1-0:1.8.0*255")
    assert logical_name.name == "1-0:1.8.0*255 attribute 1"


def test_a_lone_scaler_is_kept() -> None:
    body = structure(array(CaptureObject(3, ENERGY, 3).item()), scaler_unit(-1, 30))
    assert [record.value for record in found(body)] == [-1, 30]


def test_all_attributes_of_an_object_are_taken_apart() -> None:
    body = structure(octet_string(bytes(ENERGY)), u32(5), scaler_unit(1, 30), u16(9))
    data = axdr.encode(body)
    value, more = attribute_records(ENERGY, 0, axdr.parse(data), data)
    assert (value.value, value.unit) == (50, "Wh")
    assert (more.name, more.value) == ("1-0:1.8.0*255 attribute 4", 9)


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


@pytest.mark.parametrize("octets", ["", "0205", "02010209", "01" * 80])
def test_untagged_reading_is_bounded_too(octets: str) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_untagged(bytes.fromhex(octets), 0)


def test_a_descriptor_may_count_as_three_elements() -> None:
    data = bytes.fromhex("0204 0003 0100010800ff 02 0600000005".replace(" ", ""))
    item = parse_untagged(data, 0)
    assert [child.value for child in item.value] == [3, bytes(ENERGY), 2, 5]
    assert records(item, data)[0].value == 5
