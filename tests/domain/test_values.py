from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.domain import Exact, InvalidValue, parse_value, plain

decimals = st.builds(
    lambda mantissa, exponent: Decimal(f"{mantissa}E{exponent}"),
    st.integers(-(10**60), 10**60),
    st.integers(-60, 60),
)


@given(decimals)
def test_a_value_is_the_same_after_storing_digit_for_digit(value: Decimal) -> None:
    again = Exact.of(value).value
    assert isinstance(again, Decimal)
    assert again == value
    assert again.as_tuple().exponent == value.as_tuple().exponent


@given(decimals)
def test_reading_text_and_taking_a_decimal_apart_agree(value: Decimal) -> None:
    assert Exact.parse(plain(value)).same(Exact.of(value))
    assert parse_value(str(value)) == value


@given(decimals)
def test_the_callers_decimal_context_changes_nothing(value: Decimal) -> None:
    with localcontext() as context:
        context.prec = 3
        assert Exact.of(value).value == value


@given(st.integers(-(2**80), 2**80))
def test_what_exceeds_64_bits_is_kept_as_digits(mantissa: int) -> None:
    exact = Exact.of(Decimal(mantissa))
    assert (exact.mantissa is None) == (abs(mantissa) > 2**63 - 1)


@given(st.text(max_size=50))
def test_text_is_text(text: str) -> None:
    assert Exact.of(text).value == text


def test_trailing_zeros_are_kept() -> None:
    assert str(parse_value("14567.000")) == "14567.000"
    assert Exact.parse("1.0").same(Exact.parse("1.00"))
    assert not Exact.parse("1").same(Exact.of("1"))


@pytest.mark.parametrize(
    "bad", ["", " 1", "1,5", "NaN", "Infinity", "0x10", "1e", "--1", "１", "1_000", "1e9999"]
)
def test_what_is_no_exact_number_is_refused(bad: str) -> None:
    with pytest.raises(InvalidValue):
        parse_value(bad)


def test_a_value_that_is_not_finite_is_refused() -> None:
    with pytest.raises(InvalidValue, match="finite"):
        Exact.of(Decimal("NaN"))
