"""What addresses, numbers, octet strings and times of data sets mean."""

from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.p1.values import (
    DIGITS_MAX,
    address,
    meaning,
    number,
    octets_text,
    parse_time,
    register,
    unit_of,
    value_of,
)


@pytest.mark.parametrize(
    ("text", "code", "kind", "channel"),
    [
        ("1-0:1.8.1", "1-0:1.8.1*255", "number", 0),
        ("1-0:1.8.1*255", "1-0:1.8.1*255", "number", 0),
        ("1.8.1", "1-0:1.8.1*255", "number", 0),
        ("0-0:1.0.0", "0-0:1.0.0*255", "clock", 0),
        ("0-0:96.1.1", "0-0:96.1.1*255", "octets", 0),
        ("0-0:42.0.0", "0-0:42.0.0*255", "octets", 0),
        ("0-0:96.13.0", "0-0:96.13.0*255", "octets", 0),
        ("0-2:96.1.0", "0-2:96.1.0*255", "octets", 2),
        ("0-0:96.14.0", "0-0:96.14.0*255", "text", 0),
        ("1-0:0.0.0", "1-0:0.0.0*255", "text", 0),
        ("0-0:96.7.21", "0-0:96.7.21*255", "number", 0),
        ("0-0:96.3.10", "0-0:96.3.10*255", "number", 0),
        ("0-1:24.2.1", "0-1:24.2.1*255", "number", 1),
        ("0-1:24.3.0", "0-1:24.3.0*255", "old sub-meter", 1),
        ("1-0:99.97.0", "1-0:99.97.0*255", "log", 0),
        ("0-0:98.1.0", "0-0:98.1.0*255", "history", 0),
        ("7-0:23.1.0", "7-0:23.1.0*255", "number", 0),
        ("1-0:99:97.0", "1-0:99.97.0*255", "log", 0),
        ("1-0:31.7.0.255", "1-0:31.7.0*255", "number", 0),
        ("1-0:1:8.0.255.1", None, "text", 0),
        ("300-0:1.8.0", None, "text", 0),
        ("", None, "text", 0),
        ("text", None, "text", 0),
    ],
)
def test_an_address_says_what_its_value_is(text: str, code: str | None, kind: str, channel: int) -> None:
    assert address(text) == (code, kind, channel)


@given(st.integers(0, 10**DIGITS_MAX - 1), st.integers(0, DIGITS_MAX))
def test_a_whole_number_may_have_leading_zeros(value: int, zeros: int) -> None:
    text = "0" * zeros + str(value)
    assert number(text) == (value if len(text) <= DIGITS_MAX else None)


@given(st.decimals(-(10**15), 10**15, places=4), st.sampled_from(".,"))
def test_a_decimal_keeps_every_digit(value: Decimal, point: str) -> None:
    found = number(str(value).replace(".", point))
    assert found == value
    assert str(found) == str(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [("5", 5), ("+5", 5), ("-0", 0), ("5.", 5), (".5", Decimal("0.5")), ("-,25", Decimal("-0.25"))],
)
def test_odd_numbers_are_numbers(text: str, value: int | Decimal) -> None:
    assert number(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        ".",
        ",",
        "1e5",
        "1_000",
        "NaN",
        "Infinity",
        "0x1F",
        "1 2",
        "1.2.3",
        "1.2,3",
        "²",
        "1" * 40,
    ],
)
def test_what_is_no_plain_number(text: str) -> None:
    assert number(text) is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("504D58303031", "PMX001"),
        ("504d58", "PMX"),
        ("4869 21", "4869 21"),
        ("48690", "48690"),
        ("00FF", "00FF"),
        ("4869C3A9", "4869C3A9"),
        ("", ""),
    ],
)
def test_an_octet_string_that_spells_a_text_is_that_text(text: str, shown: str) -> None:
    assert octets_text(text) == shown


@given(st.datetimes(datetime(2000, 1, 1), datetime(2068, 12, 31)), st.sampled_from(["S", "W", "s", "w", ""]))
def test_a_time_is_read_with_its_flag(at: datetime, flag: str) -> None:
    at = at.replace(microsecond=0)
    found = parse_time(f"{at:%y%m%d%H%M%S}{flag}")
    assert found == at
    assert found is not None
    assert found.fold == (flag in ("W", "w"))
    assert found.tzinfo is None


@pytest.mark.parametrize(
    "text",
    ["", "2607011200", "260701120000X", "632525252525S", "260231000000W", "２60701120000S", "260701120000SS"],
)
def test_what_is_no_time(text: str) -> None:
    assert parse_time(text) is None


@pytest.mark.parametrize(
    ("kind", "text", "unit", "value"),
    [
        ("number", "", None, None),
        ("number", "0012", None, 12),
        ("number", "016", "A", 16),
        ("number", "ABC", None, "ABC"),
        ("number", "260701120000S", None, datetime(2026, 7, 1, 12)),
        ("number", "632525252525S", None, "632525252525S"),
        ("text", "0012", None, "0012"),
        ("text", "0012", "", "0012"),
        ("text", "0012", "kWh", 12),
        ("text", "260701120000W", None, datetime(2026, 7, 1, 12, fold=1)),
        ("octets", "4869", None, "Hi"),
        ("octets", "0012", None, "0012"),
        ("clock", "260701120000S", None, datetime(2026, 7, 1, 12)),
        ("clock", "0000", None, "0000"),
    ],
)
def test_a_value_is_read_by_the_kind_of_its_address(
    kind: str, text: str, unit: str | None, value: object
) -> None:
    found = value_of(kind, text, unit)
    assert found == value
    assert type(found) is type(value)


def test_units_have_one_spelling() -> None:
    assert [unit_of(unit) for unit in ("kWh", "kVArh", "kvarh", "m3", "", "bananas")] == [
        "kWh", "kvarh", "kvarh", "m3", None, "bananas",
    ]  # fmt: skip


def test_a_sub_meters_register_is_named_by_its_unit() -> None:
    assert [register(unit) for unit in ("m3", "l", "GJ", "kWh", "A", None)] == [
        "volume", "volume", "energy", "energy", "unknown", "unknown",
    ]  # fmt: skip
    assert meaning("0-1:24.2.1", "m3") == ("0-1:24.2.1*255", "number", 1, "m3", "volume")
    assert meaning("1-0:1.8.0", "kWh") == ("1-0:1.8.0*255", "number", 0, "kWh", "unknown")
