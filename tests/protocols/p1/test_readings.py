"""What the lines of a telegram mean."""

from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols import p1
from polymeter.protocols.wire import Record, RemoteProtocolError


def records(*lines: str) -> list[Record]:
    data = "\r\n\r\n" + "".join(f"{line}\r\n" for line in lines)
    return p1.records(data.encode("latin-1"))


def test_a_value_without_a_time_has_the_telegrams() -> None:
    _, energy = records("0-0:1.0.0(260701120000S)", "1-0:1.8.0(000001.500*kWh)")
    assert energy.value == Decimal("1.500")
    assert energy.unit == "kWh"
    assert energy.time == datetime(2026, 7, 1, 12)


def test_the_winter_flag_is_the_fold_of_the_time() -> None:
    summer, winter = p1.parse_time("261025023000S"), p1.parse_time("261025023000W")
    assert summer is not None
    assert winter is not None
    assert summer == winter
    assert (summer.fold, winter.fold) == (0, 1)


def test_a_lost_sub_meter_has_a_value_and_no_time() -> None:
    *_, gas = records("0-0:1.0.0(260701120000S)", "0-1:24.2.3(632525252525S)(00112.384*m3)")
    assert gas.value == Decimal("112.384")
    assert gas.time is None


def test_numbers_that_are_identities_keep_their_zeros() -> None:
    name, tariff, count = records("0-0:96.1.1(0012)", "0-0:96.14.0(0002)", "0-0:96.7.21(00004)")
    assert (name.value, tariff.value, count.value) == ("0012", "0002", 4)


def test_the_power_failure_log_gives_each_failure_at_its_end() -> None:
    count, first, second = records(
        "1-0:99.97.0(2)(0-0:96.7.19)(101208152415W)(0000000240*s)(101208151004W)(00000000301*s)"
    )
    assert count.value == 2
    assert (first.obis, first.value, first.unit) == ("0-0:96.7.19*255", 240, "s")
    assert second.time == datetime(2010, 12, 8, 15, 10, 4)


def test_a_month_of_the_demand_history_is_dated_by_its_peak() -> None:
    count, month = records("0-0:98.1.0(1)(1-0:1.6.0)(1-0:1.6.0)(230101000000W)(221206201500W)(06.134*kW)")
    assert count.value == 1
    assert (month.obis, month.function, month.storage) == ("1-0:1.6.0*255", "maximum", 1)
    assert month.time == datetime(2022, 12, 6, 20, 15)


def test_further_values_of_a_code_are_series_of_their_own() -> None:
    first, second = records("0-0:98.1.0(260701000000S)(000123.456*kWh)(000012.300*kWh)")
    assert (first.obis, second.obis, second.name) == ("0-0:98.1.0*255", None, "0-0:98.1.0/2")
    assert first.time == second.time


def test_numbers_are_exact_whatever_they_look_like() -> None:
    found = records(
        "1-0:1.7.0(-02124.86*W)", "1-0:2.7.0(0000,5*kW)", "1-0:3.7.0(1e5*W)", "1-0:4.7.0(" + "9" * 50 + ")"
    )
    assert [record.value for record in found] == [Decimal("-2124.86"), Decimal("0.5"), "1e5", "9" * 50]


def test_whatever_has_a_unit_is_a_number() -> None:
    codes = [
        f"1-0:{c}.{d}.0" for c in range(1, 100) for d in (4, 6, 7, 8) if (c, d) not in ((98, 1), (99, 97))
    ]
    for record in records(*(f"{code}(000012.340*kW)" for code in codes)):
        assert record.value == Decimal("12.340"), record.name


def test_a_failure_log_gives_what_is_there_whatever_its_count() -> None:
    count, one, later = records("1-0:99.97.0(9)(0-0:96.7.19)(101208152415W)(0000000240*s)(101208151004W)")
    assert (count.value, one.value) == (9, 240)
    assert (later.obis, later.value) == ("1-0:99.97.0*255", datetime(2010, 12, 8, 15, 10, 4, fold=1))
    assert [record.value for record in records("1-0:99.97.0()")] == [None]
    assert [record.value for record in records("1-0:99.97.0(0)(0-0:96.7.19)")] == [0]


def test_a_log_without_a_column_keeps_its_own_code() -> None:
    _, failure = records("1-0:99.97.0(1)()(0000000240*s)")
    assert (failure.obis, failure.value, failure.time) == (
        None,
        240,
        None,
    ) or failure.obis == "1-0:99.97.0*255"


@pytest.mark.parametrize(
    ("months", "ages"),
    [
        (["260501000000S", "260401000000S", "260301000000W"], [1, 2, 3]),
        (["260301000000W", "260401000000S", "260501000000S"], [3, 2, 1]),
        (["260401000000S", "260501000000S", "260401000000S"], [1, 2, 3]),
        (["260301000000W", "", "260501000000S"], [1, 2, 3]),
    ],
)
def test_months_are_aged_by_their_ends_whichever_comes_first(months: list[str], ages: list[int]) -> None:
    entries = "".join(f"({month})(260215120000W)(01.000*kW)" for month in months)
    _, *found = records(f"0-0:98.1.0({len(months)})(1-0:1.6.0)(1-0:1.6.0){entries}")
    assert [record.storage for record in found] == ages
    assert {record.function for record in found} == {"maximum"}


def test_values_and_times_in_any_order() -> None:
    (before,) = records("1-0:1.6.0(260509134558S)(02.589*kW)")
    (behind,) = records("1-0:1.6.0(02.589*kW)(260509134558S)")
    assert (
        (before.value, before.time)
        == (behind.value, behind.time)
        == (Decimal("2.589"), datetime(2026, 5, 9, 13, 45, 58))
    )


def test_a_set_with_an_address_of_its_own_is_that_ones_value() -> None:
    first, second = records("1-0:1.8.0(1*kWh)1-0:2.8.0(2*kWh)")
    assert [(one.obis, one.value) for one in (first, second)] == [("1-0:1.8.0*255", 1), ("1-0:2.8.0*255", 2)]


def test_places_are_those_of_the_layer() -> None:
    data = b"\r\n\r\n0-0:1.0.0(260701120000S)\r\n0-1:24.2.1(260701115500S)(00000.107*m3)\r\n"
    for record in p1.records(data, 100, 1):
        assert record.layer == 1
        assert data[record.offset - 100 :].startswith(record.raw)


def test_a_line_without_data_sets_is_refused_or_kept() -> None:
    with pytest.raises(RemoteProtocolError, match="'hello' is no data set"):
        records("1-0:1.8.0(1)", "hello")
    data = b"1-0:1.8.0(1)\r\nhello\r\n"
    _, text = p1.records(data, strict=False)
    assert (text.name, text.value, text.obis, text.raw) == ("", "hello", None, b"hello\r\n")


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=60), st.integers(1, 3))
def test_what_was_remembered_is_never_another_lines(values: list[int], times: int) -> None:
    lines = [f"1-0:1.8.{index % 99}({value}*kWh)" for index, value in enumerate(values)]
    for _ in range(times):
        assert [record.value for record in records(*lines)] == values
