"""Values become records, with what other attributes of their objects say about them."""

from datetime import UTC, date, datetime
from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.dlms import axdr
from polymeter.protocols.dlms.data import Item, Tag, octet_string, structure
from polymeter.protocols.dlms.found import Found, leaves, make_records, name_of, reading, scaled
from polymeter.protocols.dlms.patterns import Descriptor
from polymeter.protocols.obis import OBIS
from polymeter.protocols.wire import Record
from tests.protocols.dlms.make_vectors import TIME, i8, scaler_unit, u16, u32

ENERGY = OBIS(1, 0, 1, 8, 0)
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def attribute(number: int | None, item: Item, class_id: int | None = None) -> Found:
    named = Descriptor(ENERGY, 0, number, class_id)
    return Found(axdr.parse(axdr.encode(item)), name_of(named), MOMENT, named)


def made(*found: Found) -> list[Record]:
    return make_records(found, b"", 0)


@given(st.integers(-(1 << 63), 1 << 64), st.integers(-128, 127))
def test_scaling_is_exact(value: int, scaler: int) -> None:
    with localcontext(prec=400):
        assert Decimal(scaled(value, scaler)) == Decimal(value) * Decimal(10) ** scaler
        assert Decimal(scaled(Decimal(value), scaler)) == Decimal(value) * Decimal(10) ** scaler


def test_scaling_does_not_depend_on_the_callers_context() -> None:
    with localcontext(prec=3):
        assert str(scaled(1234567, -3)) == "1234.567"
    assert scaled(Decimal("NaN"), 2).is_nan()


@pytest.mark.parametrize(
    ("scaler", "value", "unit"), [(1, 50, "Wh"), (0, 5, "Wh"), (-1, Decimal("0.5"), "Wh")]
)
def test_a_scaler_told_elsewhere_scales_the_value_and_is_no_reading(
    scaler: int, value: object, unit: str
) -> None:
    told = attribute(3, scaler_unit(scaler, 30), 3)
    for order in ([attribute(2, u32(5), 3), told], [told, attribute(2, u32(5), 3)]):
        (record,) = made(*order)
        assert (record.name, record.value, record.unit) == (str(ENERGY), value, "Wh")


def test_a_scaler_without_its_value_is_kept() -> None:
    records = made(attribute(3, scaler_unit(-1, 30), 3))
    assert [(record.name, record.value) for record in records] == [
        ("1-0:1.8.0*255/3[1]", -1),
        ("1-0:1.8.0*255/3[2]", 30),
    ]


def test_a_demand_register_has_two_values_and_its_scaler_in_the_fourth_attribute() -> None:
    records = made(attribute(2, u32(1), 5), attribute(3, u32(2), 5), attribute(4, scaler_unit(1, 27), 5))
    assert [(record.name, record.value, record.unit) for record in records] == [
        ("1-0:1.8.0*255", 10, "W"),
        ("1-0:1.8.0*255/3", 20, "W"),
    ]


def test_a_scaler_scales_nothing_but_values() -> None:
    records = made(attribute(2, u32(1), 3), attribute(3, scaler_unit(1, 30), 3), attribute(4, u16(7), 3))
    assert [(record.value, record.unit) for record in records] == [(10, "Wh"), (7, None)]


def test_text_is_not_scaled_and_has_no_unit() -> None:
    (record,) = made(attribute(2, octet_string(b"12"), 3), attribute(3, scaler_unit(1, 30), 3))
    assert (record.value, record.unit) == ("12", None)


def test_the_time_of_capture_stamps_the_value_and_stays_a_record() -> None:
    value, time = made(attribute(2, u32(1), 4), attribute(5, octet_string(TIME), 4))
    captured = datetime(2026, 3, 1, 12, 30)
    assert (value.time, time.value, time.name) == (captured, captured, "1-0:1.8.0*255/5")
    value, _ = made(attribute(2, u32(1), 3), attribute(5, octet_string(TIME), 3))  # a register has none
    assert value.time == MOMENT


def test_names_say_which_attribute_and_which_element() -> None:
    (a, b) = made(attribute(2, structure(u16(1), Item(Tag.NULL_DATA), u16(2))))
    assert (a.name, b.name) == ("1-0:1.8.0*255[1]", "1-0:1.8.0*255[3]")
    assert name_of(Descriptor(ENERGY, 0, 3, 70)) == "1-0:1.8.0*255"  # the state of a disconnector
    assert name_of(Descriptor(ENERGY, 0, 2, 70)) == "1-0:1.8.0*255/2"
    assert [name for name, _ in leaves("", structure(u16(1), structure(u16(2))), False)] == [
        "element 1",
        "element 2 element 1",
    ]


@pytest.mark.parametrize(
    ("octets", "value"),
    [
        (TIME.hex(), datetime(2026, 3, 1, 12, 30)),
        (b"KFM_001".hex(), "KFM_001"),
        ("07e8050702", date(2024, 5, 7)),
        ("07e8050703", bytes.fromhex("07e8050703")),  # that day was no Wednesday
        ("07e80507ff", bytes.fromhex("07e80507ff")),
        ("00010203", bytes.fromhex("00010203")),
        ("", b""),
    ],
)
def test_octets_are_read_as_what_they_plainly_are(octets: str, value: object) -> None:
    assert reading(octet_string(bytes.fromhex(octets))) == value


def test_a_negative_number_stays_negative() -> None:
    (record,) = made(attribute(2, i8(-5)))
    assert record.value == -5
