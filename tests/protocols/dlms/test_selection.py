"""Which rows and columns a selection means, said by one end and understood by the other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.dlms.apdus import CaptureObject, Selection, select_by_entry, select_by_range
from polymeter.protocols.dlms.axdr import Data
from polymeter.protocols.dlms.data import Item, Tag, array, octet_string, structure
from polymeter.protocols.dlms.selection import ByEntry, ByRange, chosen_columns, decode_selection
from polymeter.protocols.dlms.times import decode_date_time
from polymeter.protocols.obis import OBIS
from polymeter.protocols.wire import RemoteProtocolError

CLOCK = CaptureObject(8, OBIS(0, 0, 1, 0, 0), 2)
NUMBER = Item(Tag.LONG_UNSIGNED, 1)

capture_objects = st.builds(
    CaptureObject,
    st.integers(0, 0xFFFF),
    st.binary(min_size=6, max_size=6).map(lambda octets: OBIS(*octets)),
    st.integers(-128, 127),
    st.integers(0, 0xFFFF),
)
words = st.integers(0, 0xFFFF)
long_words = st.integers(0, 0xFFFF_FFFF)


@given(long_words, long_words, words, words)
def test_entries_are_understood_as_they_are_asked_for(first: int, last: int, left: int, right: int) -> None:
    assert decode_selection(select_by_entry(first, last, left, right)) == ByEntry(first, last, left, right)


@given(
    st.datetimes(datetime(1970, 1, 1), datetime(2099, 12, 31), timezones=st.just(UTC)),
    st.timedeltas(timedelta(), timedelta(days=4000)),
    capture_objects,
    st.lists(capture_objects, max_size=4),
)
def test_ranges_are_understood_as_they_are_asked_for(
    start: datetime, length: timedelta, restricting: CaptureObject, columns: list[CaptureObject]
) -> None:
    start = start.replace(microsecond=0)
    end = (start + length).replace(microsecond=0)
    chosen = decode_selection(select_by_range(start, end, restricting, columns))
    assert isinstance(chosen, ByRange)
    assert (chosen.restricting, chosen.columns) == (restricting, tuple(columns))
    assert [decode_date_time(item.value).instant() for item in (chosen.start, chosen.end)] == [start, end]


@given(st.lists(capture_objects, max_size=6), st.integers(1, 7), st.integers(0, 7))
def test_columns_of_entries_are_counted_from_one_and_zero_is_the_last(
    columns: list[CaptureObject], left: int, right: int
) -> None:
    numbered = list(enumerate(columns, 1))
    expected = [one for number, one in numbered if left <= number <= (right or len(columns))]
    assert list(chosen_columns(select_by_entry(1, 0, left, right), columns)) == expected


@given(st.lists(capture_objects, max_size=4), st.lists(capture_objects, max_size=4))
def test_a_range_has_the_columns_that_it_names_or_all(
    columns: list[CaptureObject], wanted: list[CaptureObject]
) -> None:
    selection = select_by_range(NUMBER, NUMBER, CLOCK, wanted)
    assert chosen_columns(selection, columns) == tuple(wanted or columns)


@pytest.mark.parametrize(
    "selection",
    [
        Selection(1, Data.of(NUMBER)),
        Selection(1, Data.of(structure(NUMBER, NUMBER, NUMBER))),
        Selection(1, Data.of(structure(CLOCK.item(), NUMBER, NUMBER, NUMBER))),
        Selection(1, Data.of(structure(NUMBER, NUMBER, NUMBER, array()))),
        Selection(1, Data.of(structure(CLOCK.item(), NUMBER, NUMBER, array(NUMBER)))),
        Selection(2, Data.of(structure(NUMBER, NUMBER, NUMBER, octet_string(b"1")))),
        Selection(2, Data.of(structure(CLOCK.item(), NUMBER, NUMBER, array()))),
        Selection(3, Data.of(structure(NUMBER, NUMBER, NUMBER, NUMBER))),
    ],
)
def test_what_means_nothing_to_a_profile_is_told_and_takes_no_column_away(selection: Selection) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_selection(selection)
    assert chosen_columns(selection, [CLOCK]) == (CLOCK,)
