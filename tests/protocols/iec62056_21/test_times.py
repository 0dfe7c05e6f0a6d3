"""Every way in which meters write times, and what is none."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.iec62056_21.times import (
    combine,
    format_time,
    parse_date,
    parse_time,
    parse_time_of_day,
)

NOON = datetime(2026, 1, 31, 12, 5)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2601311205", NOON),
        ("260131120509", NOON.replace(second=9)),
        ("1260131120509", NOON.replace(second=9)),
        ("20260131120509", NOON.replace(second=9)),
        ("26-01-31 12:05", NOON),
        ("2026-01-31,12:05:09", NOON.replace(second=9)),
        ("2026-01-31T12:05:09", NOON.replace(second=9)),
        ("2260131120500", NOON.replace(tzinfo=UTC)),
    ],
)
def test_times_are_read_in_every_usual_form(text: str, expected: datetime) -> None:
    assert parse_time(text) == expected


@pytest.mark.parametrize(
    "text", ["", "1", "2613011205", "260131", "3260131120500", "260230120000", "26-13-01 00:00", "٢٦٠١٣١١٢٠٥"]
)
def test_what_is_no_time_is_none(text: str) -> None:
    assert parse_time(text) is None


def test_the_season_tells_the_doubled_hour_apart() -> None:
    zone = ZoneInfo("Europe/Berlin")
    summer, winter = (parse_time(f"{season}251026023000") for season in "10")
    assert summer is not None
    assert winter is not None
    assert (summer.fold, winter.fold) == (0, 1)
    assert winter.replace(tzinfo=zone).astimezone(UTC) - summer.replace(tzinfo=zone).astimezone(
        UTC
    ) == timedelta(hours=1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("260131", date(2026, 1, 31)), ("0260131", date(2026, 1, 31)), ("2026-01-31", date(2026, 1, 31)),
     ("26-01-31", date(2026, 1, 31)), ("26.01.31", date(2026, 1, 31)), ("260231", None), ("x", None)],
)  # fmt: skip
def test_dates_are_read(text: str, expected: date | None) -> None:
    assert parse_date(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("120509", (time(12, 5, 9), None)), ("1120509", (time(12, 5, 9), "1")),
     ("12:05:09", (time(12, 5, 9), None)),
     ("1205", (time(12, 5), None)), ("250000", None), ("12-05", None)],
)  # fmt: skip
def test_times_of_day_are_read(text: str, expected: tuple[time, str | None] | None) -> None:
    assert parse_time_of_day(text) == expected


def test_a_date_and_a_time_of_day_make_an_instant() -> None:
    assert combine("260131", "120500") == NOON
    assert combine("260131", "2120500") == NOON.replace(tzinfo=UTC)
    assert combine("260131", "x") is None


def test_bounds_are_written_with_or_without_season() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert format_time(None) == ""
    assert format_time(NOON) == "02601311205"
    assert format_time(NOON, season=False) == "2601311205"
    assert format_time(NOON, seconds=True) == "0260131120500"
    assert format_time(NOON.replace(tzinfo=UTC)) == "22601311205"
    assert format_time(datetime(2026, 7, 1, tzinfo=berlin)) == "12607010000"
    assert format_time(NOON.replace(tzinfo=timezone(timedelta(hours=1)))) == "02601311205"


@given(st.datetimes(datetime(2000, 1, 1), datetime(2068, 12, 31)), st.booleans())
def test_a_written_bound_reads_back(at: datetime, season: bool) -> None:
    assert parse_time(format_time(at, season, seconds=True)) == at.replace(microsecond=0)


@given(st.text(max_size=24))
def test_no_text_raises(text: str) -> None:
    parse_time(text), parse_date(text), parse_time_of_day(text)


def test_two_digits_of_a_year_mean_what_posix_says() -> None:
    assert parse_time("700101010000") == datetime(1970, 1, 1, 1, 0)
    assert parse_time("681231235959") == datetime(2068, 12, 31, 23, 59, 59)
    assert parse_date("690101") == date(1969, 1, 1)
