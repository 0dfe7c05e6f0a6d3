from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.domain import (
    InvalidInstant,
    Period,
    Quality,
    from_second,
    localize,
    reading_id,
    split_reading_id,
    to_second,
)

BERLIN = ZoneInfo("Europe/Berlin")


@given(st.integers(0, 2**32 - 1), st.integers(1, 2**31 - 1))
def test_an_instant_and_an_id_round_trip(second: int, channel: int) -> None:
    assert to_second(from_second(second)) == second
    assert split_reading_id(reading_id(channel, second)) == (channel, second)


@given(st.integers(0, 2**32 - 1), st.integers(-14 * 60, 14 * 60))
def test_an_offset_changes_nothing(second: int, minutes: int) -> None:
    assert to_second(from_second(second).astimezone(timezone(timedelta(minutes=minutes)))) == second


@pytest.mark.parametrize(
    ("instant", "why"),
    [
        (datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None), "no UTC offset"),
        (datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC), "finer than one second"),
        (datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC), "outside 1970"),
        (datetime(2106, 2, 7, 6, 28, 16, tzinfo=UTC), "outside 1970"),
    ],
)
def test_an_instant_that_cannot_be_kept_says_why(instant: datetime, why: str) -> None:
    with pytest.raises(InvalidInstant, match=why):
        to_second(instant)


def naive(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_meter_time_becomes_utc_in_the_meters_zone() -> None:
    assert localize(naive("2026-01-15T12:00:00"), BERLIN) == (
        datetime(2026, 1, 15, 11, tzinfo=UTC),
        Quality.GOOD,
    )


def test_the_doubled_hour_is_settled_by_flag_or_neighbour_or_marked() -> None:
    clock = naive("2026-10-25T02:30:00")
    early, late = datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert localize(clock, BERLIN) == (early, Quality.TIME_AMBIGUOUS)
    assert localize(clock, BERLIN, dst=True) == (early, Quality.GOOD)
    assert localize(clock, BERLIN, dst=False) == (late, Quality.GOOD)
    assert localize(clock, BERLIN, after=early) == (late, Quality.GOOD)


def test_the_missing_hour_is_shifted_and_marked() -> None:
    found = localize(naive("2026-03-29T02:30:00"), BERLIN)
    assert found == (datetime(2026, 3, 29, 1, 30, tzinfo=UTC), Quality.TIME_SHIFTED)


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)])
def test_days_have_the_hours_of_the_zone(day: str, hours: int) -> None:
    start = localize(naive(day + "T00:00:00"), BERLIN)[0]
    assert Period.parse("P1D").after(start, BERLIN) - start == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("period", "after"),
    [
        ("PT15M", "2026-01-31T12:15:00"),
        ("PT1H", "2026-01-31T13:00:00"),
        ("P1M", "2026-01-31T23:00:00"),
        ("P1Y", "2026-12-31T23:00:00"),
    ],
)
def test_a_period_ends_at_its_next_boundary(period: str, after: str) -> None:
    now = datetime(2026, 1, 31, 12, 7, tzinfo=UTC)
    assert Period.parse(period).after(now, BERLIN) == naive(after).replace(tzinfo=UTC)
    assert Period.parse(str(Period.parse(period))) == Period.parse(period)


@pytest.mark.parametrize("bad", ["", "P0D", "PT", "P1W", "PT15", "15M"])
def test_what_is_no_period_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="period"):
        Period.parse(bad)
