"""What the lines of a telegram mean."""

from datetime import datetime
from decimal import Decimal

from polymeter.protocols import p1
from polymeter.protocols.wire import Record


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


def test_sub_meters_are_told_apart_with_their_identity_and_capture_time() -> None:
    found = records(
        "0-0:1.0.0(260701120000S)",
        "0-1:24.1.0(003)",
        "0-1:96.1.0(504D5847303031)",
        "0-1:24.2.1(260701115500S)(00000.107*m3)",
        "0-2:24.1.0(007)",
        "0-2:96.1.0(12345678)",
        "0-2:24.2.1(260701115501S)(00000.207*m3)",
    )
    gas, water = p1.sub_meters(found)
    assert (gas.channel, gas.medium, gas.id) == (1, "gas", "PMXG001")
    assert (water.channel, water.medium, water.id) == (2, "water", "12345678")
    assert gas.records[0].time == datetime(2026, 7, 1, 11, 55)
    assert gas.records[0].quantity == "volume"


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
