"""Periods and clocks: boundaries of any zone and year, found by property."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from polymeter.domain import InvalidInstant, SimulatedClock, from_second, localize
from polymeter.domain.period import Period

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/St_Johns",
    "America/Sao_Paulo",
    "America/Havana",
    "Africa/Cairo",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "America/Nuuk",
)
zones = st.sampled_from(ZONES).map(ZoneInfo)
seconds = st.integers(86_400 * 800, 2**32 - 86_400 * 800)
periods = st.one_of(
    st.sampled_from([1, 60, 900, 1800, 3600]).map(lambda n: Period(seconds=n)),
    st.integers(1, 40).map(lambda n: Period(days=n)),
    st.integers(1, 24).map(lambda n: Period(months=n)),
)
# 2010-11-07 00:01 in St. John's: the clock goes back over midnight.
OVER_MIDNIGHT = int(datetime(2010, 11, 7, 2, 45, tzinfo=UTC).timestamp())


@given(seconds, zones, periods)
@example(OVER_MIDNIGHT, ZoneInfo("America/St_Johns"), Period(days=1))
def test_an_instant_lies_between_its_boundary_and_the_next(
    second: int, zone: ZoneInfo, period: Period
) -> None:
    at = from_second(second)
    floor, after = period.floor(at, zone), period.after(at, zone)
    assert floor <= at < after
    assert floor.tzinfo is after.tzinfo is UTC


@given(seconds, zones, periods)
def test_boundaries_follow_each_other(second: int, zone: ZoneInfo, period: Period) -> None:
    at = period.after(from_second(second), zone)
    for _ in range(5):
        later = period.after(at, zone)
        assert later > at
        assert period.floor(later, zone) == later
        assert period.floor(later - timedelta(seconds=1), zone) <= at
        at = later


@given(periods)
def test_a_period_is_read_back_from_its_text(period: Period) -> None:
    assert Period.parse(str(period)) == period


@pytest.mark.parametrize(("s", "d", "m"), [(0, 0, 0), (1, 1, 0), (0, 1, 1), (-1, 0, 0), (1, 0, -1)])
def test_a_period_is_of_one_kind_and_positive(s: int, d: int, m: int) -> None:
    with pytest.raises(ValueError, match="positive number"):
        Period(s, d, m)


@given(seconds, zones)
def test_a_meters_local_time_gives_its_instant_back(second: int, zone: ZoneInfo) -> None:
    at = from_second(second)
    local = at.astimezone(zone)
    found, quality = localize(local.replace(tzinfo=None, fold=0), zone, dst=bool(local.dst()))
    if found != at:
        # The hour occurs twice in a change that is none of summer time: the flag cannot tell.
        assert local.replace(fold=1 - local.fold).utcoffset() != local.utcoffset()
    assert not quality


@given(st.datetimes(), zones)
def test_any_local_time_is_an_instant_or_refused(naive: datetime, zone: ZoneInfo) -> None:
    try:
        found, _ = localize(naive, zone)
    except InvalidInstant:
        return
    assert found.tzinfo is UTC


@pytest.mark.parametrize(
    "extreme", [datetime.fromisoformat("0001-01-01"), datetime.fromisoformat("9999-12-31T23:59:59")]
)
@pytest.mark.parametrize("zone", ["Asia/Kathmandu", "America/St_Johns"])
def test_a_local_time_beyond_the_calendar_is_refused_or_kept(extreme: datetime, zone: str) -> None:
    try:
        localize(extreme, ZoneInfo(zone))
    except InvalidInstant as error:
        assert "outside" in str(error)


def test_a_stepped_clock_moves_the_wall_and_not_the_intervals() -> None:
    clock = SimulatedClock(datetime(2026, 1, 1, 1, tzinfo=ZoneInfo("Europe/Berlin")))
    assert clock.now() == datetime(2026, 1, 1, tzinfo=UTC)
    clock.advance(1.5)
    clock.step(-3600)
    assert clock.monotonic() == 1.5
    assert clock.now() == datetime(2025, 12, 31, 23, 0, 1, 500_000, tzinfo=UTC)
