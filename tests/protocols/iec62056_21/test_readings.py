"""Numbers, units, texts, times and profiles, and that nothing in them raises."""

from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.iec62056_21 import DataSet, decode_data, records
from polymeter.protocols.iec62056_21.readings import _short_address, is_refusal, parse_time, refusal_text
from polymeter.protocols.wire import RemoteProtocolError, Value


def read(text: str) -> list[tuple[str, Value, str | None]]:
    return [(record.name, record.value, record.unit) for record in records(decode_data(text))]


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("1.8.0(000123.456*kWh)", Decimal("123.456"), "kWh"),
        ("1.8.0(000123.456)", Decimal("123.456"), None),
        ("1.8.0(013925.5*)", Decimal("13925.5"), None),
        ("1.8.0(0000000 kWh)", Decimal(0), "kWh"),
        ("1.6.0(000007,4*kW)", Decimal("7.4"), "kW"),
        ("1.8.0(00012345)", Decimal(12345), None),
        ("1.8.0(0)", Decimal(0), None),
        ("16.7.0(-01.5*kW)", Decimal("-1.5"), "kW"),
        ("16.7.0(+.5)", Decimal("0.5"), None),
        ("1.8.0(5.)", Decimal(5), None),
        ("1.8.0(5kWh)", Decimal(5), "kWh"),
        ("1.8.0(5 W*kWh)", Decimal(5), "kWh"),
        ("NAME(00012345)", "00012345", None),
        ("NAME(12345)", Decimal(12345), None),
        ("NAME(-0012)", Decimal(-12), None),
        ("0.0.0(00123456)", "00123456", None),
        ("C.1.0(12345)", "12345", None),
        ("96.8.0(0001234*h)", Decimal(1234), "h"),
        ("F.F(00)", "00", None),
        ("1.0.0(0260131101500)", "0260131101500", None),
        ("1.0.0(1260131101500)", Decimal(1260131101500), None),
        ("1.0.0(00.250*kW)", Decimal("0.250"), "kW"),
        ("0.9.4(090131101500)", "090131101500", None),
        ("1.8.0(abc)", "abc", None),
        ("1.8.0()", "", None),
        ("1.8.0(1-2)", "1-2", None),
        ("1.8.0(1e5)", Decimal(1), "e5"),
    ],
)
def test_a_value_is_what_it_reads_as(text: str, value: Value, unit: str | None) -> None:
    ((_, given, found),) = read(text)
    assert (given, type(given), found) == (value, type(value), unit)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.8.0(000123.4)(kWh)", [("1.8.0", Decimal("123.4"), "kWh")]),
        ("1.8.0(000123.4)(KWH)(24-03-11 10:15)", [("1.8.0", Decimal("123.4"), "kWh")]),
        ("1.8.0(7)(m^3)", [("1.8.0", Decimal(7), "m3")]),
        ("1.8.0(7*kWh)(kWh)", [("1.8.0", Decimal(7), "kWh"), ("1.8.0", "kWh", None)]),
        ("1.8.0(7)(kWh*x)", [("1.8.0", Decimal(7), None), ("1.8.0", "kWh", "x")]),
        ("1.8.0(7)(DE)", [("1.8.0", Decimal(7), None), ("1.8.0", "DE", None)]),
        ("C.1.0(7)(V)", [("C.1.0", "7", None), ("C.1.0", "V", None)]),
        ("1.8.0(7)2.8.0(kWh)", [("1.8.0", Decimal(7), None), ("2.8.0", "kWh", None)]),
        ("1.8.0(7)()(kWh)", [("1.8.0", Decimal(7), None), ("1.8.0", "", None), ("1.8.0", "kWh", None)]),
    ],
)
def test_a_unit_may_stand_in_the_set_behind_its_number(
    text: str, expected: list[tuple[str, Value, str]]
) -> None:
    assert read(text) == expected


def test_forty_digits_stay_forty_digits() -> None:
    digits = "1234567890" * 4
    assert read(f"1.8.0({digits}.5*Wh)")[0][1] == Decimal(digits + ".5")


def test_a_record_says_where_its_bytes_are() -> None:
    text = "1.8.0(1*kWh)(2*kWh)\r\n2.8.0(3*)\r\n"
    for record in records(decode_data(text), offset=10, layer=1):
        assert text[record.offset - 10 :].encode().startswith(record.raw)
        assert record.layer == 1


def test_a_time_after_a_maximum_is_its_time() -> None:
    (record,) = records(decode_data("1.6.1(012.345*kW)(24-03-11 10:15)"))
    assert record.time == datetime(2024, 3, 11, 10, 15)
    assert record.obis == "1-0:1.6.1*255"


def test_a_second_time_is_a_value() -> None:
    first, second = records(decode_data("1.6.1(1*kW)(2403111015)(2403111030)"))
    assert first.time == datetime(2024, 3, 11, 10, 15)
    assert (second.name, second.time) == ("1.6.1", None)


def test_follow_on_sets_have_the_name_before_them() -> None:
    assert read("21.7.0(1*kW)(2*kW)(ABC)") == [
        ("21.7.0", 1, "kW"),
        ("21.7.0", 2, "kW"),
        ("21.7.0", "ABC", None),
    ]


@pytest.mark.parametrize("value", ["ERROR", "ERROR1", "ER12", "#0012", "error"])
def test_refusals_are_no_values(value: str) -> None:
    data_set = DataSet("1.8.0", value)
    assert is_refusal(data_set)
    assert refusal_text(data_set) == f"the meter answers 1.8.0({value})"
    assert read(f"1.8.0({value})2.8.0(1)") == [("2.8.0", 1, None)]


@pytest.mark.parametrize("value", ["ER", "12#", "ERRATUM 5", "#", "NO ERROR"])
def test_other_texts_are_no_refusals(value: str) -> None:
    assert not is_refusal(DataSet("a", value))
    assert not is_refusal(DataSet("a", "ERROR", "kWh"))


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("24-03-11 10:15", datetime(2024, 3, 11, 10, 15)),
        ("24-03-11,10:15:30", datetime(2024, 3, 11, 10, 15, 30)),
        ("2024-03-11T10:15", datetime(2024, 3, 11, 10, 15)),
        ("1999-12-31 23:59", datetime(1999, 12, 31, 23, 59)),
        ("2403111015", datetime(2024, 3, 11, 10, 15)),
        ("12403111015", datetime(2024, 3, 11, 10, 15)),
        ("240311101530", datetime(2024, 3, 11, 10, 15, 30)),
        ("1240311101530", datetime(2024, 3, 11, 10, 15, 30)),
        ("2413111015", None),
        ("240311", None),
        ("0000000000", None),
        ("3240311101530", None),
        ("٢٤٠٣١١١٠١٥", None),
    ],
)
def test_times_are_read_in_all_usual_forms(text: str, time: datetime | None) -> None:
    assert parse_time(text) == time


# profiles

HEADER = "P.01(1240311000000)(00)(15)(2)(1.5.0)(kW)(2.5.0)(kW)\r\n"


def test_rows_of_a_profile_have_their_times_and_columns() -> None:
    found = list(records(decode_data(HEADER + "(1)(2)\r\n(3)(4)\r\n")))
    assert [(record.obis, record.value, record.unit, record.time) for record in found] == [
        ("1-0:1.5.0*255", 1, "kW", datetime(2024, 3, 11, 0, 0)),
        ("1-0:2.5.0*255", 2, "kW", datetime(2024, 3, 11, 0, 0)),
        ("1-0:1.5.0*255", 3, "kW", datetime(2024, 3, 11, 0, 15)),
        ("1-0:2.5.0*255", 4, "kW", datetime(2024, 3, 11, 0, 15)),
    ]


def test_a_row_that_is_too_long_keeps_its_values() -> None:
    found = list(records(decode_data(HEADER + "(1)(2)(3)\r\n")))
    assert [(record.name, record.value) for record in found] == [("1.5.0", 1), ("2.5.0", 2), ("", 3)]


def test_a_named_line_ends_a_profile() -> None:
    found = list(records(decode_data(HEADER + "(1)(2)\r\n1.8.0(5)\r\n")))
    assert (found[-1].name, found[-1].time) == ("1.8.0", None)


@pytest.mark.parametrize(
    "header",
    [
        "P.01(1240311000000)(00)(15)(3)(1.5.0)(kW)(2.5.0)(kW)",
        "P.01(not a time)(00)(15)(1)(1.5.0)(kW)",
        "P.01(1240311000000)(00)(\xb2)(1)(1.5.0)(kW)",
        "P.01(1240311000000)(00)(15)(\xb9)(1.5.0)(kW)",
        "P.01(1240311000000)(00)(" + "9" * 5000 + ")(1)(1.5.0)(kW)",
        "P.01(1240311000000)(00)(15)(" + "9" * 5000 + ")(1.5.0)(kW)",
        "P.01(1)(2)(3)",
    ],
)
def test_a_header_that_is_none_is_kept_as_values(header: str) -> None:
    found = list(records(decode_data(header + "\r\n(7)\r\n")))
    assert found[-1].value == 7
    assert len(found) > 3


def test_rows_past_the_end_of_time_lose_only_their_time() -> None:
    header = "P.01(9999-12-31 23:59)(00)(9999)(1)(1.5.0)(kW)\r\n"
    first, second, third = records(decode_data(header + "(1)\r\n(2)\r\n(3)\r\n"))
    assert (first.time, second.time, third.time) == (datetime(9999, 12, 31, 23, 59), None, None)
    assert third.value == 3


@given(st.text(st.characters(max_codepoint=255, exclude_characters="\x01\x02\x03\x04"), max_size=120))
def test_no_text_raises_anything_foreign(text: str) -> None:
    for data in (text, f"P.01({text})(00)(15)(1)(1.5.0)(kW)\r\n({text})", f"1.8.0({text})({text})"):
        try:
            lines = decode_data(data)
        except RemoteProtocolError:
            lines = decode_data(data, strict=False)
        for record in records(lines):
            assert isinstance(record.value, Decimal | str)


def test_a_line_without_sets_has_no_records() -> None:
    assert list(records([(), (DataSet("1.8.0", "1"),), ()])) == list(records([(DataSet("1.8.0", "1"),)]))


def test_a_name_however_long_is_a_name_and_not_remembered() -> None:
    remembered = _short_address.cache_info().currsize
    for number in range(50):
        name = f"{number}" * 5000
        (record,) = records([(DataSet(name, "1"),)])
        assert (record.name, record.obis, record.value) == (name, None, Decimal(1))
    assert _short_address.cache_info().currsize == remembered
