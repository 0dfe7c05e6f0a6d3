"""The fixed data structure: every unit, both codings, both orders of bytes."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols import mbus
from polymeter.protocols.mbus import FixedData, LongFrame, decode_fixed, encode_fixed, fixed_records
from polymeter.protocols.wire import Record, RemoteProtocolError

COUNTERS = st.tuples(st.binary(min_size=4, max_size=4), st.binary(min_size=4, max_size=4))
STRUCTURES = st.builds(
    FixedData,
    st.text("0123456789ABCDEF", min_size=8, max_size=8),
    st.integers(0, 255),
    st.integers(0, 255),
    st.tuples(st.integers(0, 63), st.integers(0, 63)),
    st.integers(0, 15),
    COUNTERS,
)


def records(
    units: tuple[int, int], status: int = 0, counters: tuple[str, str] = ("00000001",) * 2
) -> list[Record]:
    one, two = (bytes.fromhex(counter)[::-1] for counter in counters)
    fixed = FixedData("12345678", 1, status, units, 4, (one, two))
    data = encode_fixed(fixed)
    return list(fixed_records(decode_fixed(data), data, 0))


@given(STRUCTURES)
def test_a_structure_is_its_bytes(fixed: FixedData) -> None:
    data = encode_fixed(fixed)
    assert len(data) == 16
    assert decode_fixed(data) == fixed
    assert decode_fixed(b"xx" + data + b"yy", 2) == fixed


@given(STRUCTURES)
def test_the_other_order_of_bytes_says_the_same(fixed: FixedData) -> None:
    data = encode_fixed(fixed)
    turned = data[3::-1] + data[4:6] + data[7:5:-1] + data[11:7:-1] + data[15:11:-1]
    assert decode_fixed(turned, msb_first=True) == fixed


ROWS = {
    0x02: ("energy", "Wh"),
    0x05: ("energy", "kWh"),
    0x08: ("energy", "MWh"),
    0x0B: ("energy", "kJ"),
    0x0E: ("energy", "MJ"),
    0x11: ("energy", "GJ"),
    0x14: ("power", "W"),
    0x17: ("power", "kW"),
    0x1A: ("power", "MW"),
    0x1D: ("power", "kJ/h"),
    0x20: ("power", "MJ/h"),
    0x23: ("power", "GJ/h"),
    0x26: ("volume", "ml"),
    0x29: ("volume", "l"),
    0x2C: ("volume", "m3"),
    0x2F: ("volume_flow", "ml/h"),
    0x32: ("volume_flow", "l/h"),
    0x35: ("volume_flow", "m3/h"),
}


@pytest.mark.parametrize("code", ROWS)
def test_every_unit_comes_three_times_in_steps_of_ten(code: int) -> None:
    name, unit = ROWS[code]
    for step in range(3):
        first, _ = records((code + step, 0x3F))
        assert (first.name, first.unit, first.value) == (name, unit, 10**step)


@pytest.mark.parametrize(
    ("code", "name", "unit", "value"),
    [
        (0x00, "hours_minutes_seconds", None, 123456),
        (0x01, "day_month_year", None, 123456),
        (0x38, "temperature", "°C", Decimal("123.456")),
        (0x39, "heat_cost_allocation", "HCA", 123456),
        (0x3A, "counter", None, 123456),
        (0x3F, "counter", None, 123456),
    ],
)
def test_units_beside_the_rows(code: int, name: str, unit: str | None, value: object) -> None:
    first, _ = records((code, 0x3F), counters=("00123456", "00000000"))
    assert (first.name, first.unit, first.value) == (name, unit, value)


def test_a_historic_counter_has_the_unit_of_the_other() -> None:
    now, then = records((0x05, 0x3E))
    assert (now.unit, now.storage, then.unit, then.storage) == ("kWh", 0, "kWh", 1)
    then, now = records((0x3E, 0x2C))
    assert (then.name, then.storage, now.name, now.storage) == ("volume", 1, "volume", 0)
    both = records((0x3E, 0x3E))
    assert [record.unit for record in both] == [None, None]


def test_counters_are_stored_at_a_fixed_date_where_the_status_says_so() -> None:
    assert [record.storage for record in records((0x05, 0x2C), status=2)] == [1, 1]


def test_counters_are_decimal_or_binary_and_may_be_negative() -> None:
    decimal = records((0x05, 0x29), counters=("00000016", "f0000001"))
    assert [record.value for record in decimal] == [16, -1]
    binary = records((0x05, 0x29), status=1, counters=("00000016", "ffffffff"))
    assert [record.value for record in binary] == [0x16, -1]
    letters, _ = records((0x05, 0x29), counters=("0000000c", "00000000"))
    assert letters.value == "0000000C"


def test_two_counters_of_one_quantity_are_told_apart() -> None:
    first, second = records((0x05, 0x05))
    assert (first.subunit, second.subunit) == (0, 1)
    assert (first.raw, second.raw) == (bytes.fromhex("01000000"),) * 2
    assert (first.offset, second.offset) == (8, 12)


@pytest.mark.parametrize(
    ("code", "medium"), [(3, "gas"), (4, "heat"), (7, "water"), (0xD, "water"), (9, "reserved")]
)
def test_the_medium_is_spread_over_the_units(code: int, medium: str) -> None:
    fixed = FixedData("12345678", 1, 0, (5, 0x3E), code, (bytes(4), bytes(4)))
    assert decode_fixed(encode_fixed(fixed)).medium == medium


def test_what_is_too_short_is_refused_with_its_place() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        decode_fixed(bytes(15 + 3), 3)
    assert caught.value.offset == 3


@pytest.mark.parametrize("ci", [0x73, 0x77])
def test_a_frame_explains_every_byte(ci: int) -> None:
    fixed = FixedData("12345678", 1, 0x0D, (5, 0x3E), 4, (bytes(4), bytes(4)))
    (frame,) = mbus.decode(mbus.encode(LongFrame(8, 1, ci, encode_fixed(fixed))))
    assert frame.valid
    assert frame.tree is not None
    told = {node.name: node for node in frame.tree.walk()}
    assert "unexplained" not in told
    assert told["status"].meaning == "binary, present, power low, permanent error"
    assert frame.meter.medium == frame.frame.fixed.medium
