"""COSEM times: wildcards, deviations, states."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.dlms.times import (
    Date,
    DateTime,
    Time,
    decode_date_time,
    instant,
    looks_like_date_time,
)
from polymeter.protocols.wire import LocalProtocolError

CEST = timezone(timedelta(hours=2))


@given(st.binary(min_size=12, max_size=12))
def test_any_twelve_octets_are_kept_and_never_crash(octets: bytes) -> None:
    moment = decode_date_time(octets)
    assert bytes(moment) == octets
    assert str(moment)
    looks_like_date_time(octets)


def test_deviation_minus_120_is_central_european_summer_time() -> None:
    octets = bytes.fromhex("07e60b0c061036000000ff88 80".replace("00ff88", "ff88"))
    moment = instant(octets)
    assert moment == datetime(2022, 11, 12, 16, 54, tzinfo=CEST)
    assert moment.utcoffset() == timedelta(hours=2)


def test_meters_that_invert_the_deviation_are_read_with_an_option() -> None:
    octets = bytes.fromhex("07e60b0c06103600ff007880")
    moment = instant(octets, inverted_deviation=True)
    assert moment == datetime(2022, 11, 12, 16, 54, tzinfo=CEST)
    assert bytes(DateTime.of(moment, 0x80, inverted_deviation=True))[9:] == octets[9:]


def test_a_deviation_not_specified_gives_a_naive_time() -> None:
    moment = instant(bytes.fromhex("07e3020401173416ff800000"))
    assert moment == datetime(2019, 2, 4, 23, 52, 22)
    assert moment.tzinfo is None


def test_a_status_of_ff_is_not_specified_rather_than_all_flags() -> None:
    assert decode_date_time(bytes.fromhex("07e3020401173416ff8000ff")).status is None
    assert decode_date_time(bytes.fromhex("07e3020401173416ff800081")).status == 0x81


@pytest.mark.parametrize(("day", "expected"), [(0xFE, 29), (0xFD, 28)])
def test_the_last_and_second_last_day_of_a_month(day: int, expected: int) -> None:
    moment = DateTime(Date(2024, 2, day), Time(0, 0, 0)).instant()
    assert moment == datetime(2024, 2, expected)


@pytest.mark.parametrize("field", range(5))
def test_a_wildcard_makes_no_instant(field: int) -> None:
    parts: list = [2024, 2, 3, 4, 5]
    parts[field] = None
    moment = DateTime(Date(*parts[:3]), Time(*parts[3:]))
    assert moment.instant() is None
    assert "**" in str(moment)


def test_impossible_dates_make_no_instant() -> None:
    for octets in ("07e7021d01000000ff800000", "07e70d0101000000ff800000", "000001010100000000800000"):
        assert instant(bytes.fromhex(octets)) is None


@given(st.datetimes(timezones=st.just(UTC) | st.just(CEST) | st.none()))
def test_an_instant_survives_both_ways(moment: datetime) -> None:
    moment = moment.replace(microsecond=moment.microsecond // 10_000 * 10_000)
    assert decode_date_time(bytes(DateTime.of(moment))).instant() == moment


def test_what_does_not_fit_is_our_error() -> None:
    for value in (Date(1 << 16), Time(300), DateTime(Date(2000), Time(1), 1 << 15)):
        with pytest.raises(LocalProtocolError):
            bytes(value)


def test_text_is_no_date_time() -> None:
    assert not looks_like_date_time(b"181220000009")
    assert looks_like_date_time(bytes.fromhex("07e3020401173416ff800000"))
