"""Numbers, units, texts, times and profiles, and that nothing in them raises."""

from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.iec62056_21 import DataSet, decode_data, records
from polymeter.protocols.iec62056_21.times import parse_time
from polymeter.protocols.wire import RemoteProtocolError, Value


def read(text: str) -> list[tuple[str, Value, str | None]]:
    return [(record.name, record.value, record.unit) for record in records(decode_data(text))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.8.0(000123.4)(kWh)", [("1.8.0", Decimal("123.4"), "kWh")]),
        ("1.8.0(000123.4)(KWH)(24-03-11 10:15)", [("1.8.0", Decimal("123.4"), "kWh")]),
        ("1.8.0(7)(m^3)", [("1.8.0", Decimal(7), "m3")]),
        ("1.8.0(7*kWh)(kWh)", [("1.8.0", Decimal(7), "kWh"), ("1-0:1.8.0*255/2", "kWh", None)]),
        ("1.8.0(7)(kWh*x)", [("1.8.0", Decimal(7), None), ("1-0:1.8.0*255/2", "kWh", "x")]),
        ("1.8.0(7)(DE)", [("1.8.0", Decimal(7), None), ("1-0:1.8.0*255/2", "DE", None)]),
        ("C.1.0(7)(V)", [("C.1.0", "7", None), ("0-0:96.1.0*255/2", "V", None)]),
        ("1.8.0(7)2.8.0(kWh)", [("1.8.0", Decimal(7), None), ("2.8.0", "kWh", None)]),
        (
            "1.8.0(7)()(kWh)",
            [
                ("1.8.0", Decimal(7), None),
                ("1-0:1.8.0*255/2", "", None),
                ("1-0:1.8.0*255/3", "kWh", None),
            ],
        ),
        ("1.8.0(7)(C)", [("1.8.0", Decimal(7), None), ("1-0:1.8.0*255/2", "C", None)]),
        ("31.7.0(7.5)(A)", [("31.7.0", Decimal("7.5"), "A")]),
        ("9.4(21.5)(C)", [("9.4", Decimal("21.5"), "°C")]),
    ],
)
def test_a_unit_may_stand_in_the_set_behind_its_number(
    text: str, expected: list[tuple[str, Value, str]]
) -> None:
    assert read(text) == expected


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
    assert (second.name, second.obis, second.time) == ("1-0:1.6.1*255/2", "1-0:1.6.1*255", None)


def test_a_time_of_zeros_is_no_time_and_no_value() -> None:
    for never in ("0000000000", "00-00-00 00:00", "0000-00-00,00:00:00"):
        (record,) = records(decode_data(f"1.6.1*00(00.000*kW)({never})"))
        assert (record.value, record.time) == (0, None)


@pytest.mark.parametrize("text", ["0000", "00000000", "0000000001"])
def test_other_zeros_behind_a_number_are_a_value(text: str) -> None:
    first, second = records(decode_data(f"1.6.1(00.000*kW)({text})"))
    assert (first.time, second.value) == (None, Decimal(text))


def test_date_and_time_of_day_may_stand_in_a_set_each() -> None:
    (record,) = records(decode_data("1.6.1(1*kW)(24-05-01)(10:15)"))
    assert (record.value, record.time) == (1, datetime(2024, 5, 1, 10, 15))


def test_a_date_alone_is_a_value() -> None:
    assert [record.value for record in records(decode_data("1.6.1(1*kW)(24-05-01)(no)"))] == [
        1,
        "24-05-01",
        "no",
    ]
    assert [record.value for record in records(decode_data("1.6.1(1*kW)(24-15-01)(10:15)"))] == [
        1,
        "24-15-01",
        "10:15",
    ]


def test_further_values_of_a_code_are_series_of_their_own() -> None:
    found = list(records(decode_data("21.7.0(1*kW)(2*kW)(ABC)")))
    assert [(record.name, record.obis, record.value) for record in found] == [
        ("21.7.0", "1-0:21.7.0*255", 1),
        ("1-0:21.7.0*255/2", "1-0:21.7.0*255", 2),
        ("1-0:21.7.0*255/3", "1-0:21.7.0*255", "ABC"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "ET0PE(68)(45)(23)",
        "ET0PE(68)\r\n(45)\r\n(23)\r\n",
        "ET0PE(68)ET0PE(45)ET0PE(23)",
        "ET0PE(68)\r\nET0PE(45)(23)",
    ],
)
def test_a_list_under_one_word_is_numbered_however_it_is_written(text: str) -> None:
    assert read(text) == [("ET0PE", 68, None), ("ET0PE/2", 45, None), ("ET0PE/3", 23, None)]


def test_a_code_that_is_said_again_is_the_same_thing_again() -> None:
    assert read("1.8.0(1)\r\n1.8.0(1)\r\n") == [("1.8.0", 1, None)] * 2


def test_what_is_below_an_odd_line_belongs_to_nobody() -> None:
    lines = decode_data("1.8.0(1)\r\n1.8.1*25\r\n(2)\r\n", strict=False)
    assert [(record.name, record.value) for record in records(lines)] == [("1.8.0", 1), ("", 2)]


def test_several_numbers_in_one_set_are_as_many_values() -> None:
    for text in ("9.4(088*C&082*C)", "9.4(088&082*C)"):
        found = list(records(decode_data(text), offset=5))
        assert [(record.name, record.value, record.unit) for record in found] == [
            ("9.4", 88, "°C"),
            ("1-0:9.4.0*255/2", 82, "°C"),
        ]
        assert text[found[1].offset - 5 :].startswith("082*C")


def test_rows_that_nobody_named_have_numbered_columns_and_their_own_time() -> None:
    for start in ("(24-07-13,13:00)", "(2024-07-13)(13:00)"):
        found = list(records(decode_data(f"{start}(1*kWh)(229*V)\r\n")))
        assert [(record.name, record.value, record.time) for record in found] == [
            ("column 1", 1, datetime(2024, 7, 13, 13, 0)),
            ("column 2", 229, datetime(2024, 7, 13, 13, 0)),
        ]


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


def test_a_row_may_have_its_own_time() -> None:
    found = list(records(decode_data(HEADER + "(24-03-11,00:30)(1)(2)\r\n(3)(4)\r\n")))
    assert [(record.obis, record.value, record.time) for record in found] == [
        ("1-0:1.5.0*255", 1, datetime(2024, 3, 11, 0, 30)),
        ("1-0:2.5.0*255", 2, datetime(2024, 3, 11, 0, 30)),
        ("1-0:1.5.0*255", 3, datetime(2024, 3, 11, 0, 15)),
        ("1-0:2.5.0*255", 4, datetime(2024, 3, 11, 0, 15)),
    ]


def test_a_header_without_its_name_is_of_the_profile_above() -> None:
    again = "(1240311120000)(08)(15)(2)(1.5.0)(kW)(2.5.0)(kW)\r\n"
    found = list(records(decode_data(HEADER + "(1)(2)\r\n" + again + "(3)(4)\r\n")))
    assert [(record.name, record.value, record.time) for record in found[2:]] == [
        ("status.P.01", "08", datetime(2024, 3, 11, 12, 0)),
        ("1.5.0", 3, datetime(2024, 3, 11, 12, 0)),
        ("2.5.0", 4, datetime(2024, 3, 11, 12, 0)),
    ]


@pytest.mark.parametrize(
    "name", ["P.01", "P.01.0", "1-1:P.01", "1-1:P.01.0*255", "99.1.0", "1-1:99.1.0", "1-0:99.1.0*255"]
)
def test_a_profile_has_many_names(name: str) -> None:
    (found,) = records(decode_data(f"{name}(1240311000000)(00)(15)(1)(1.5.0)(kW)(7)"))
    assert (found.obis, found.value, found.unit) == ("1-0:1.5.0*255", 7, "kW")


def test_an_odd_line_ends_a_profile_for_nobody_knows_whose_times_follow() -> None:
    lines = decode_data(HEADER + "(1)(2)\r\nodd\r\n(3)(4)\r\n", strict=False)
    assert [(record.name, record.time) for record in records(lines)][2:] == [
        ("column 1", None),
        ("column 2", None),
    ]


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
