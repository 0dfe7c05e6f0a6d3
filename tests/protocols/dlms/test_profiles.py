"""Profile buffers to rows."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.dlms import axdr
from polymeter.protocols.dlms.apdus import CaptureObject
from polymeter.protocols.dlms.data import Item, Tag, array, octet_string, plain, structure
from polymeter.protocols.dlms.profiles import capture_objects, rows
from polymeter.protocols.dlms.times import DateTime
from polymeter.protocols.obis import OBIS
from polymeter.protocols.wire import RemoteProtocolError

CLOCK = CaptureObject(8, OBIS(0, 0, 1, 0, 0, 255))
STATUS = CaptureObject(1, OBIS(0, 0, 96, 10, 1, 255))
ENERGY = CaptureObject(3, OBIS(1, 0, 1, 8, 0, 255))
CET = timezone(timedelta(hours=1))
START = datetime(2024, 1, 1, tzinfo=CET)
NULL = Item(Tag.NULL_DATA)


def stamp(moment: datetime) -> bytes:
    return bytes(DateTime.of(moment))


def test_pitfall_3_nulls_repeat_the_value_before_in_every_column() -> None:
    """Pitfall 3: a null in a column that is no clock must not shift the others."""
    buffer = [[stamp(START), 8, 100], [None, None, 101], [None, 9, None], [None, None, 103]]
    assert rows(buffer, [CLOCK, STATUS, ENERGY], 900) == [
        (START, 8, 100),
        (START + timedelta(minutes=15), 8, 101),
        (START + timedelta(minutes=30), 9, 101),
        (START + timedelta(minutes=45), 9, 103),
    ]


def test_the_capture_period_is_in_seconds() -> None:
    assert rows([[stamp(START)], [None]], [CLOCK], 60)[1] == (START + timedelta(minutes=1),)


def test_the_clock_need_not_be_the_first_column() -> None:
    assert rows([[1, stamp(START)], [2, None]], [ENERGY, CLOCK], 3600)[1] == (2, START + timedelta(hours=1))


def test_a_full_time_corrects_the_series() -> None:
    later = START + timedelta(hours=5)
    found = rows([[stamp(START)], [None], [stamp(later)], [None]], [CLOCK], 3600)
    assert [row[0] for row in found] == [START, START + timedelta(hours=1), later, later + timedelta(hours=1)]


def test_nulls_that_nothing_precedes_are_no_values() -> None:
    assert rows([[None, None]], [CLOCK, ENERGY], 900) == [(None, None)]
    assert rows([[stamp(START), 1], [None, 2]], [CLOCK, ENERGY]) == [(START, 1), (None, 2)]


def test_a_time_that_is_no_instant_stays_octets() -> None:
    odd = b"\xff" * 12
    assert rows([[odd]], [CLOCK]) == [(odd,)]


def test_meters_that_invert_the_deviation() -> None:
    (row,) = rows([[stamp(START)]], [CLOCK], inverted_deviation=True)
    assert row[0].utcoffset() == timedelta(hours=-1)


@pytest.mark.parametrize("buffer", [5, [[1]], [1], [[1, 2, 3]]])
def test_rows_of_another_width_are_refused(buffer: object) -> None:
    with pytest.raises(RemoteProtocolError):
        rows(buffer, [CLOCK, ENERGY])


values = st.none() | st.integers(0, 5)


@given(st.lists(st.tuples(values, values, values), max_size=20))
def test_columns_never_shift_and_only_leading_nulls_remain(table: list[tuple[int | None, ...]]) -> None:
    found = rows([list(row) for row in table], [STATUS, ENERGY, ENERGY])
    assert len(found) == len(table)
    before: list[int | None] = [None] * 3
    for row, original in zip(found, table, strict=True):
        before = [old if new is None else new for old, new in zip(before, original, strict=True)]
        assert list(row) == before


def test_capture_objects_are_read_from_the_attribute() -> None:
    item = array(CLOCK.item(), ENERGY.item())
    assert capture_objects(plain(item)) == (CLOCK, ENERGY)
    assert capture_objects(axdr.decode(axdr.encode(item))[0]) == (CLOCK, ENERGY)
    longer = structure(*ENERGY.item().value, NULL)
    assert capture_objects([plain(longer)]) == (ENERGY,)
    for wrong in ([[1, b"short", 2, 0]], None, [[1]], [7]):
        with pytest.raises(RemoteProtocolError):
            capture_objects(wrong)


def test_a_column_tagged_as_date_time() -> None:
    buffer = axdr.decode(
        axdr.encode(array(structure(Item(Tag.DATE_TIME, DateTime.of(START))), structure(NULL)))
    )[0]
    assert rows(buffer, [CLOCK], 900)[1] == (START + timedelta(minutes=15),)
    assert octet_string(b"x").value == b"x"
