from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.domain import UNITS, UnitMismatch, convert

pairs = st.sampled_from([(a, b) for a in UNITS for b in UNITS if UNITS[a][0] == UNITS[b][0]])
values = st.decimals(allow_nan=False, allow_infinity=False, places=12)


@given(values, pairs)
def test_there_and_back_is_the_same_value_digit_for_digit(value: Decimal, pair: tuple[str, str]) -> None:
    assert convert(convert(value, *pair), pair[1], pair[0]).as_tuple() == value.as_tuple()


@pytest.mark.parametrize(
    ("value", "unit", "target", "expected"),
    [
        ("14567", "Wh", "kWh", "14.567"),
        ("1.5", "m3", "l", "1.5E+3"),
        ("1.5", "m³", "l", "1.5E+3"),
        ("1.013", "bar", "Pa", "1.013E+5"),
        ("1013", "mbar", "bar", "1.013"),
        ("2.5", "m3/h", "l/h", "2.5E+3"),
        ("3", "MWh", "GWh", "0.003"),
        ("1", "J", "J", "1"),
    ],
)
def test_units_of_one_dimension_shift_the_decimal_point(
    value: str, unit: str, target: str, expected: str
) -> None:
    assert convert(Decimal(value), unit, target) == Decimal(expected)


@pytest.mark.parametrize(
    ("unit", "target"), [("kWh", "J"), ("°F", "°C"), ("m3", "kWh"), ("foo", "kWh"), ("mW", "h")]
)
def test_other_conversions_are_refused_by_name(unit: str, target: str) -> None:
    with pytest.raises(UnitMismatch, match=f"'{unit}' is not converted to '{target}'"):
        convert(Decimal(1), unit, target)


def test_a_case_is_a_different_unit() -> None:
    assert convert(Decimal(1), "MW", "mW") == Decimal("1E+9")
