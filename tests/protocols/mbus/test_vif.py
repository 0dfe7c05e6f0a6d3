"""Value information blocks: what is measured, in which unit, and what qualifies it."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.mbus import Meaning, describe_vib
from polymeter.protocols.mbus import vif_tables as tables


def meaning(block: str, text: str = "", *, command: bool = False) -> Meaning:
    return describe_vib(bytes.fromhex(block), text, command=command)


@pytest.mark.parametrize(
    ("block", "name", "unit", "exponent"),
    [
        ("03", "energy", "Wh", 0),
        ("06", "energy", "kWh", 0),
        ("0f", "energy", "MJ", 1),
        ("13", "volume", "m3", -3),
        ("1b", "mass", "kg", 0),
        ("22", "on_time", "h", 0),
        ("27", "operating_time", "d", 0),
        ("2b", "power", "W", 0),
        ("3b", "volume_flow", "m3/h", -3),
        ("43", "volume_flow", "m3/min", -4),
        ("4b", "volume_flow", "m3/s", -6),
        ("5a", "flow_temperature", "°C", -1),
        ("5f", "return_temperature", "°C", 0),
        ("61", "temperature_difference", "K", -2),
        ("69", "pressure", "bar", -2),
        ("6e", "heat_cost_allocation", "HCA", 0),
        ("73", "averaging_duration", "d", 0),
        ("fb00", "energy", "MWh", -1),
        ("fb0d", "energy", "Mcal", 0),
        ("fb14", "reactive_power", "kvar", -3),
        ("fb1a", "relative_humidity", "%", -1),
        ("fb2d", "frequency", "Hz", -2),
        ("fb37", "apparent_power", "kVA", 0),
        ("fb75", "temperature_limit", "°C", -2),
        ("fd48", "voltage", "V", -1),
        ("fd59", "current", "A", -3),
        ("fd71", "signal_strength", "dBm", 0),
        ("fd74", "remaining_battery_life", "d", 0),
        ("fdfd02", "remaining_battery_life", "mo", 0),
    ],
)
def test_a_code_by_the_book(block: str, name: str, unit: str, exponent: int) -> None:
    found = meaning(block)
    assert (found.name, found.unit, found.exponent) == (name, unit, exponent)


@pytest.mark.parametrize(
    ("block", "name", "unit"),
    [
        ("933a", "volume.uncorrected", "m3"),
        ("933b", "volume.positive", "m3"),
        ("933c", "volume.negative", "m3"),
        ("933d", "volume.non_metric", "US gal"),
        ("863d", "energy.non_metric", None),
        ("fb903d", "volume.non_metric", None),
        ("933e", "volume.base_conditions", "m3"),
        ("9322", "volume.per_hour", "m3/h"),
        ("ab22", "power.per_hour", "W"),
        ("ab25", "power.per_month", "W"),
        ("9328", "volume.per_input_0_pulse", "m3"),
        ("9336", "volume.times_second", "m3.s"),
        ("bb40", "volume_flow.lower_limit", "m3/h"),
        ("bb48", "volume_flow.upper_limit", "m3/h"),
        ("bb49", "limit_exceeds.volume_flow.upper_limit_exceeds", None),
        ("bb56", "duration.volume_flow.last_lower_limit_exceed", "h"),
        ("bb58", "duration.volume_flow.first_upper_limit_exceed", "s"),
        ("bb4a", "time.volume_flow.begin_first_upper_limit_exceed", None),
        ("ab66", "duration.power.last", "h"),
        ("ab6f", "time.power.end_last", None),
        ("9369", "volume.leakage", "m3"),
        ("937e", "volume.future", "m3"),
        ("fdc8fc01", "voltage.l1", "V"),
        ("fdc8fc05", "voltage.l1_l2", "V"),
        ("83fc10", "energy.absolute", "Wh"),
        ("93bb3c", "volume.positive.negative", "m3"),
        ("ed39", "time.start", None),
    ],
)
def test_an_extension_by_the_book(block: str, name: str, unit: str | None) -> None:
    found = meaning(block)
    assert (found.name, found.unit) == (name, unit)


@pytest.mark.parametrize(
    ("block", "exponent"),
    [
        ("9370", -9),
        ("9376", -3),
        ("9377", -2),
        ("937d", 0),
        ("93f073", -12),
        ("953d", 2),
        ("933d", 0),
        ("863d", 0),
    ],
)
def test_correction_factors_move_the_exponent(block: str, exponent: int) -> None:
    assert meaning(block).exponent == exponent


def test_an_additive_correction_is_in_the_codes_own_unit() -> None:
    assert meaning("937a").addend == Decimal("0.1")
    # The standard's row is in Wh, ours in kWh.
    assert meaning("867a").addend == Decimal("0.0001")


def test_flags_and_counts_have_no_sign() -> None:
    assert [meaning(block).unsigned for block in ("fd17", "fd0e", "fb1a", "93fc11", "13", "fd3a")] == [
        True, True, True, True, False, False,
    ]  # fmt: skip


def test_rating_factors_are_steps_of_two_to_the_minus_twelve() -> None:
    found = meaning("fb68")
    assert Decimal(found.factor).scaleb(found.exponent) * 2**12 == 1
    assert (meaning("fb69").unit, meaning("fb69").factor) == ("W", 1)


@pytest.mark.parametrize("code", tables.ERRORS)
def test_in_an_answer_low_codes_are_errors(code: int) -> None:
    found = meaning(f"93{code:02x}")
    assert found.error == (tables.ERRORS[code] if code else None)
    assert found.name == "volume"


@pytest.mark.parametrize("code", tables.RESERVED_ERRORS)
def test_a_reserved_error_is_told_by_its_number(code: int) -> None:
    assert f"{code:02X}" in (meaning(f"93{code:02x}").error or "")


@pytest.mark.parametrize("code", tables.ACTIONS)
def test_in_a_command_low_codes_are_actions(code: int) -> None:
    assert meaning(f"93{code:02x}", command=True).action == tables.ACTIONS[code]


def test_behind_7f_all_is_the_makers() -> None:
    assert meaning("7f").name == "manufacturer.m"
    assert meaning("ff8102").name == "manufacturer.m0102"
    qualified = meaning("93ff74")
    assert (qualified.name, qualified.unit, qualified.exponent) == ("volume.m74", "m3", -3)
    assert qualified.extended


@pytest.mark.parametrize("block", ["6f", "ef01", "fb07", "fd77", "fdfd77", "93fc77", "fdfd", "93fc"])
def test_what_no_table_knows_is_named_by_its_bytes(block: str) -> None:
    found = meaning(block)
    assert (found.quantity, found.unit, found.exponent) == ("unknown", None, 0)


def test_a_unit_in_plain_text_is_made_ours() -> None:
    assert meaning("7c", "kWh").unit == "kWh"
    assert meaning("fc74", "%RH").exponent == -2
    assert meaning("7c", "cust. ID").name == "text.cust. ID"


def test_only_bare_time_points_are_the_time_of_others() -> None:
    assert [meaning(block).point for block in ("6c", "6d", "ed3b", "ed39", "fd30", "13")] == [
        True, True, False, False, False, False,
    ]  # fmt: skip


@given(st.lists(st.integers(0, 127), min_size=1, max_size=11), st.text(max_size=5), st.booleans())
def test_any_block_means_something(codes: list[int], text: str, command: bool) -> None:
    block = bytes(code | 0x80 for code in codes[:-1]) + bytes(codes[-1:])
    found = describe_vib(block, text, command=command)
    assert found.name
    assert found.quantity
