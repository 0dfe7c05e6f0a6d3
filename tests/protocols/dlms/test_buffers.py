"""Profiles inside a meter: which rows there are, and which of them a selection means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.dlms.apdus import (
    ActionResult,
    CaptureObject,
    DataAccessResult,
    Selection,
    select_by_entry,
    select_by_range,
)
from polymeter.protocols.dlms.axdr import Data
from polymeter.protocols.dlms.buffers import Log, Periodic, profile_generic
from polymeter.protocols.dlms.data import Item, Tag, plain
from polymeter.protocols.dlms.objects import COSEMObject, Level, date_time
from polymeter.protocols.dlms.profiles import capture_objects, rows
from polymeter.protocols.dlms.times import decode_date_time
from polymeter.protocols.obis import OBIS

from . import conversations as c

COLUMNS = (c.CLOCK, CaptureObject(3, c.ENERGY, 2, 0))
NULL = Item(Tag.NULL_DATA)


def buffer_of(count: int, compressed: bool = False) -> tuple[COSEMObject, datetime]:
    begin = datetime(2026, 1, 1, tzinfo=UTC)

    def row(at: datetime) -> tuple[Item, ...]:
        return date_time(at), Item(Tag.LONG_UNSIGNED, int((at - begin).total_seconds()) // 7200)

    now = begin + timedelta(minutes=15 * (count - 1), seconds=7)
    profile = profile_generic(c.PROFILE, COLUMNS, Periodic(row, lambda: now, 900, begin, 100), compressed)
    return profile, begin


def buffer(profile: COSEMObject, selection: Selection | None = None) -> Any:
    got = profile.get(2, Level.READING, selection)
    return plain(got) if isinstance(got, Item) else got


@pytest.mark.parametrize("count", [1, 5, 100, 250])
def test_a_periodic_buffer_holds_a_row_for_each_period_up_to_its_capacity(count: int) -> None:
    profile, _ = buffer_of(count)
    assert len(buffer(profile)) == min(count, 100)
    in_use = profile.get(7, Level.READING, None)
    assert isinstance(in_use, Item)
    assert in_use.value == min(count, 100)


@given(st.integers(1, 300), st.integers(-50, 400), st.integers(-50, 400))
def test_a_range_gives_just_the_rows_within_it(count: int, first: int, last: int) -> None:
    profile, begin = buffer_of(count)
    start, end = (begin + timedelta(minutes=15 * number) for number in (first, last))
    found = rows(buffer(profile, select_by_range(start, end)), COLUMNS)
    everything = rows(buffer(profile), COLUMNS)
    assert found == [row for row in everything if start <= row[0] <= end]


@given(st.integers(1, 120), st.integers(1, 130), st.integers(0, 130), st.integers(1, 2), st.integers(0, 3))
def test_entries_are_counted_from_the_oldest(
    count: int, first: int, last: int, left: int, right: int
) -> None:
    profile, _ = buffer_of(count)
    found = buffer(profile, select_by_entry(first, last, left, right))
    everything = buffer(profile)
    chosen = everything[first - 1 : last or None]
    assert found == [row[left - 1 : right or None] for row in chosen]


@given(st.integers(1, 120))
def test_pitfall_3_a_compressed_buffer_says_the_same(count: int) -> None:
    """Pitfall 3: nulls stand for every kind of column, and never move one."""
    bare, _ = buffer_of(count)
    compressed, _ = buffer_of(count, compressed=True)
    assert rows(buffer(compressed), COLUMNS, 900) == rows(buffer(bare), COLUMNS, 900)
    assert all(row[0] is None for row in buffer(compressed)[1:])
    assert count < 3 or [None, None] in buffer(compressed)


def test_a_range_without_deviation_is_in_the_meters_time() -> None:
    profile, begin = buffer_of(50)
    naive = begin.replace(tzinfo=None)
    assert len(buffer(profile, select_by_range(naive, naive + timedelta(hours=1)))) == 5


@pytest.mark.parametrize(
    ("selection", "refusal"),
    [
        (Selection(7, Data.of(NULL)), DataAccessResult.SCOPE_OF_ACCESS_VIOLATED),
        (Selection(1, Data.of(NULL)), DataAccessResult.TYPE_UNMATCHED),
        (select_by_entry(0), DataAccessResult.OTHER_REASON),
        (select_by_range(NULL, NULL), DataAccessResult.TYPE_UNMATCHED),
        (select_by_range(NULL, NULL, COLUMNS[1]), DataAccessResult.TYPE_UNMATCHED),
        (
            select_by_range(c.NOW, c.NOW, CaptureObject(3, OBIS(1, 0, 9, 9, 9), 2, 0)),
            DataAccessResult.OBJECT_UNDEFINED,
        ),
        (
            select_by_range(c.NOW, c.NOW, c.CLOCK, [CaptureObject(3, OBIS(1, 0, 9, 9, 9), 2, 0)]),
            DataAccessResult.OBJECT_UNDEFINED,
        ),
    ],
)
def test_selections_that_make_no_sense_are_refused(selection: Selection, refusal: int) -> None:
    profile, _ = buffer_of(5)
    assert buffer(profile, selection) == refusal


def test_selection_of_what_is_no_buffer_is_refused() -> None:
    profile, _ = buffer_of(5)
    assert profile.get(3, Level.READING, select_by_entry()) == DataAccessResult.SCOPE_OF_ACCESS_VIOLATED


def test_a_log_forgets_its_oldest_entry_when_full() -> None:
    log = Log(lambda at, code: (date_time(at), Item(Tag.UNSIGNED, code)), lambda: c.NOW, 3)
    profile = profile_generic(c.EVENTS, COLUMNS, log)
    for code in range(5):
        log.add(code)
    assert [row[1] for row in buffer(profile)] == [2, 3, 4]
    assert [row[1] for row in buffer(profile, select_by_range(c.NOW, c.NOW))] == [2, 3, 4]
    assert buffer(profile, select_by_range(c.NOW - timedelta(2), c.NOW - timedelta(1))) == []
    assert profile.act(2, Level.MANAGEMENT, NULL) == ActionResult.SUCCESS
    assert profile.act(1, Level.MANAGEMENT, NULL) == ActionResult.SUCCESS
    assert buffer(profile) == []


@given(st.integers(1, 120), st.integers(-5, 40), st.integers(-5, 40), st.booleans())
def test_a_range_of_values_chooses_by_any_other_column(count: int, low: int, high: int, first: bool) -> None:
    profile, _ = buffer_of(count)
    start, end = Item(Tag.LONG, low), Item(Tag.LONG, high)
    chosen = [COLUMNS[1]] if first else []
    found = buffer(profile, select_by_range(start, end, COLUMNS[1], chosen))
    expected = [row for row in buffer(profile) if low <= row[1] <= high]
    assert found == ([[row[1]] for row in expected] if first else expected)


@given(st.integers(0, 200_000), st.integers(1, 20), st.integers(60, 7200))
def test_rows_stand_at_the_ends_of_whole_periods(elapsed: int, capacity: int, period_s: int) -> None:
    """However the history began: the newest row is the last end of a period, none is before the beginning."""
    begin = datetime(2026, 1, 1, 0, 0, 7, tzinfo=UTC)
    now = begin + timedelta(seconds=elapsed)
    one = Periodic(lambda at: (date_time(at),), lambda: now, period_s, begin, capacity)
    moments = [decode_date_time(one.row(index)[0].value).instant() for index in range(one.count())]
    assert len(moments) <= capacity
    assert all(moment is not None and moment.timestamp() % period_s == 0 for moment in moments)
    assert all(begin <= moment <= now for moment in moments if moment is not None)
    ends = now.timestamp() // period_s - (begin.timestamp() - 1) // period_s
    assert len(moments) == min(capacity, ends)
    if moments:
        assert moments[-1] is not None
        assert now - moments[-1] < timedelta(seconds=period_s)
        assert one.between(begin, now) == range(len(moments))


def test_a_cleared_history_begins_anew() -> None:
    now = [datetime(2026, 1, 2, 0, 0, 1, tzinfo=UTC)]
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    profile = profile_generic(
        c.PROFILE, COLUMNS[:1], Periodic(lambda at: (date_time(at),), lambda: now[0], 900, begin, 1000)
    )
    assert len(buffer(profile)) == 97
    assert profile.act(1, Level.MANAGEMENT, NULL) == ActionResult.SUCCESS
    assert buffer(profile) == []
    now[0] += timedelta(minutes=30)
    assert len(buffer(profile)) == 2


def test_a_profile_describes_itself() -> None:
    profile, _ = buffer_of(5)
    shown = {}
    for number in (3, 4, 5, 6, 7, 8):
        item = profile.get(number, Level.READING, None)
        assert isinstance(item, Item)
        shown[number] = plain(item)
    assert capture_objects(shown[3]) == COLUMNS
    assert [shown[number] for number in (4, 5, 7, 8)] == [900, 1, 5, 100]
    assert capture_objects([shown[6]]) == (c.CLOCK,)


def test_a_compressed_log_leaves_no_time_out() -> None:
    """Without a period a time cannot be told from the one before it."""
    now = [c.NOW]
    log = Log(lambda at, code: (date_time(at), Item(Tag.UNSIGNED, code)), lambda: now[0])
    profile = profile_generic(c.EVENTS, COLUMNS, log, compressed=True)
    for code, minutes in ((5, 0), (5, 15), (6, 0)):
        now[0] += timedelta(minutes=minutes)
        log.add(code)
    assert [row[1] for row in buffer(profile)] == [5, None, 6]
    assert [row[0] for row in rows(buffer(profile), COLUMNS)] == [c.NOW, now[0], now[0]]
