"""One value of a payload: how its bytes are read, and which descriptions make no sense."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.catalogue.payload_fields import parse_field, value_of


def value(data: str, exponent: int = 0, dates: dict[str, date] | None = None, **given_: Any) -> Any:
    raw = bytes.fromhex(data)
    field = parse_field({"name": "x", "at": 0, "size": len(raw), **given_})
    return value_of(field, [raw], exponent, dates or {})


@pytest.mark.parametrize(
    ("data", "described", "meant"),
    [
        ("d204", {}, 1234),
        ("d204", {"scale": -3}, Decimal("1.234")),
        ("d204", {"scale": 2}, Decimal(123400)),
        ("04d2", {"order": "big"}, 1234),
        ("ffff", {"type": "signed"}, -1),
        ("ffff", {"type": "signed", "scale": -1}, Decimal("-0.1")),
        ("3412", {"type": "bcd"}, 1234),
        ("1234", {"type": "bcd", "order": "big"}, 1234),
        ("fa12", {"type": "bcd"}, "12FA"),
        ("d204", {"bits": [[4, 4]]}, 13),
        ("4410", {"bits": [[0, 8], [12, 4]]}, 0x144),
        ("d204", {"divisor": 16}, Decimal("77.125")),
        ("05", {"divisor": 3, "places": 3}, Decimal("1.667")),
        ("06", {"divisor": 3, "places": 3}, Decimal("2.000")),
        ("05", {"divisor": 3, "places": 6, "scale": -3}, Decimal("0.001667")),
        ("0080", {"none": [0x8000]}, None),
        ("0080", {"type": "signed", "none": [-32768]}, None),
        ("02", {"values": [4, 8, 16]}, 16),
        ("01", {"values": ["off", "on"]}, "on"),
        ("07", {"values": ["off", "on"]}, 7),
        ("00", {"flags": ["leakage", "fraud"]}, "none"),
        ("07", {"flags": ["leakage", "", "fraud"]}, "leakage, bit 1, fraud"),
        ("08", {"flags": ["leakage"]}, "bit 3"),
        ("5f31", {"type": "date_g"}, date(2026, 1, 31)),
        ("310126", {"type": "date_bcd"}, date(2026, 1, 31)),
        ("310226", {"type": "date_bcd"}, None),
        ("3a0126", {"type": "date_bcd"}, None),
        ("9f33", {"type": "date", "year": [9, 6]}, date(2025, 12, 31)),
        ("0000", {"type": "date", "year": [9, 6]}, None),
    ],
)
def test_bytes_are_read_as_described(data: str, described: dict[str, Any], meant: Any) -> None:
    assert value(data, **described) == meant


def test_parts_are_added() -> None:
    field = parse_field({"name": "x", "at": [0, 4], "size": 2, "scale": -1})
    assert value_of(field, [b"\x31\0", b"\x59\0"], 0, {}) == Decimal("13.8")


def test_the_telegram_may_tell_the_scale() -> None:
    assert value("d204", -2) == Decimal("12.34")


def test_a_date_without_year_is_the_next_such_day() -> None:
    described = {"type": "date", "day": [4, 5], "month": [9, 4], "after": "date.s1"}
    assert value("3106", dates={"date.s1": date(2025, 12, 31)}, **described) == date(2026, 3, 3)
    assert value("3106", dates={"date.s1": date(2025, 1, 1)}, **described) == date(2025, 3, 3)
    assert value("3106", **described) is None


def test_several_alike_lie_one_behind_the_other() -> None:
    field = parse_field({"name": "x", "at": 1, "size": 2, "count": 3, "storage": 5})
    assert list(field.places_in(10, 16)) == [(5, (11,)), (6, (13,))]
    spread = parse_field({"name": "x", "at": [8, 9], "size": 1, "count": 2, "step": 3})
    assert list(spread.places_in(0, 99)) == [(0, (8, 9)), (1, (11, 12))]
    backwards = parse_field(
        {"name": "x", "at": 6, "size": 2, "count": 2, "step": -3, "storage": 2, "storage_step": 2}
    )
    assert list(backwards.places_in(0, 99)) == [(2, (6,)), (4, (3,))]


@given(st.integers(0, 2**32 - 1), st.sampled_from([(3, 6), (3, 4), (7, 6), (12, 6)]))
def test_a_count_can_be_told_from_its_rounded_value(count: int, described: tuple[int, int]) -> None:
    divisor, places = described
    shown = value(count.to_bytes(4, "little").hex(), scale=-2, divisor=divisor, places=places)
    assert round(shown * 100 * divisor) == count


@given(st.binary(min_size=1, max_size=8), st.integers(-18, 18), st.sampled_from(["signed", "unsigned"]))
def test_no_digit_is_lost(data: bytes, scale: int, kind: str) -> None:
    shown = value(data.hex(), scale=scale, type=kind)
    assert int(Decimal(shown).scaleb(-scale)) == int.from_bytes(data, "little", signed=kind == "signed")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"colour": "red"}, "x has no 'colour'"),
        ({"size": 9}, "size, count or storage_step"),
        ({"size": 0}, "size, count or storage_step"),
        ({"count": 0}, "size, count or storage_step"),
        ({"count": 65}, "size, count or storage_step"),
        ({"storage_step": 0}, "size, count or storage_step"),
        ({"at": 256}, "the place of x"),
        ({"at": -1}, "the place of x"),
        ({"at": []}, "the place of x"),
        ({"at": 250, "count": 4}, "the place of x"),
        ({"at": 3, "count": 3, "step": -2}, "the place of x"),
        ({"exponent_at": -1}, "the place of x"),
        ({"type": "float"}, "no type 'float'"),
        ({"order": "middle"}, "no order 'middle'"),
        ({"divisor": 3}, "say its places"),
        ({"divisor": 0}, "the divisor or the scale"),
        ({"divisor": 3, "places": 2, "scale": -2}, "too few"),
        ({"divisor": 3, "places": 3, "exponent_at": 0}, "told by a VIF"),
        ({"divisor": 3, "places": 13}, "too many"),
        ({"scale": 19}, "the divisor or the scale"),
        ({"bits": [[0, 65]]}, "piece of 65 bits"),
        ({"unit": 5}, "must be a text"),
    ],
)
def test_a_wrong_field_is_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_field({"name": "x", "at": 0, "size": 2, **wrong})


@pytest.mark.parametrize(
    "wrong", [{}, {"name": "x"}, {"name": "x", "at": 0}, {"name": "x", "at": "0", "size": 1}]
)
def test_a_field_needs_name_place_and_size(wrong: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        parse_field(wrong)
