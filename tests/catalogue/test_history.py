"""Stored values that tell no time get that of their month, and nothing else is touched."""

from datetime import date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.catalogue.history import History, dated, parse_history
from polymeter.protocols.wire import LocalProtocolError, Record

TIME = Record("time", datetime(2026, 9, 23, 14, 59))


def volume(storage: int, time: datetime | None = None) -> Record:
    return Record("volume", storage, time=time, storage=storage)


def days(records: tuple[Record, ...], **table: Any) -> list[date | None]:
    found = dated(records, [parse_history("made-up", table)])
    return [record.time.date() if record.time else None for record in found if record.name == "volume"]


def test_months_are_counted_back_from_the_present() -> None:
    records = (TIME, *(volume(storage) for storage in (0, 1, 2, 3, 10, 16, 17)))
    assert days(records, storage=[2, 16], before="time") == [
        None,
        None,
        date(2026, 8, 31),
        date(2026, 7, 31),
        date(2025, 12, 31),
        date(2025, 6, 30),
        None,
    ]


def test_months_are_counted_back_from_a_date_that_is_the_newests_own() -> None:
    records = (Record("date", date(2026, 2, 28), storage=8), volume(8), volume(9), volume(10))
    assert days(records, storage=[8, 19], first="date.s8") == [
        date(2026, 2, 28),
        date(2026, 1, 31),
        date(2025, 12, 31),
    ]


def test_a_date_within_a_month_stays_that_day_where_there_is_one() -> None:
    records = (Record("date", date(2026, 3, 30), storage=1), volume(1), volume(2), volume(3))
    assert days(records, storage=[1, 12], first="date.s1") == [
        date(2026, 3, 30),
        date(2026, 2, 28),
        date(2026, 1, 30),
    ]


def test_storage_numbers_between_the_steps_are_none_of_it() -> None:
    records = (TIME, volume(3), volume(4), volume(5))
    assert days(records, storage=[3, 31], step=2, before="time") == [
        date(2026, 8, 31),
        None,
        date(2026, 7, 31),
    ]


def test_a_time_that_the_telegram_tells_stays() -> None:
    told = datetime(2020, 1, 1)
    assert days((TIME, volume(2, told)), storage=[2, 3], before="time") == [told.date()]


def test_without_the_date_nothing_is_dated() -> None:
    records = (Record("time", None), volume(2))
    assert days(records, storage=[2, 3], before="time") == [None]


@given(st.dates(), st.integers(1, 1200), st.booleans())
def test_any_date_and_month_is_a_date_or_none(reference: date, storage: int, before: bool) -> None:
    found = History(1, 1200, "date", before).day(storage, reference)
    assert found is None or found <= reference


@pytest.mark.parametrize(
    "table",
    [
        {},
        [],
        {"storage": [1, 2]},
        {"storage": [1, 2], "first": "date", "before": "date"},
        {"storage": [2, 1], "first": "date"},
        {"storage": [0, 1], "first": "date"},
        {"storage": [1, 1201], "first": "date"},
        {"storage": [1], "first": "date"},
        {"storage": "12", "first": "date"},
        {"storage": ["1", "2"], "first": "date"},
        {"storage": [1, 2], "step": 0, "first": "date"},
        {"storage": [1, 2], "first": 5},
        {"storage": [1, 2], "first": "date", "months": 2},
    ],
)
def test_a_wrong_history_is_refused(table: Any) -> None:
    with pytest.raises(LocalProtocolError, match="meter type made-up: history"):
        parse_history("made-up", table)
