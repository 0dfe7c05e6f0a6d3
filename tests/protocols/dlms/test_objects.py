"""The objects inside a meter: their attributes, what may be written, what methods do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.dlms.apdus import ActionResult, CaptureObject, DataAccessResult, Selection
from polymeter.protocols.dlms.axdr import Data
from polymeter.protocols.dlms.cosem import interface_class
from polymeter.protocols.dlms.data import Item, Tag, octet_string, plain
from polymeter.protocols.dlms.objects import (
    COSEMObject,
    Level,
    MeterClock,
    clock,
    date_time,
    demand_register,
    describe,
    disconnect_control,
    extended_register,
    push_setup,
    sap_assignment,
)
from polymeter.protocols.dlms.profiles import capture_objects
from polymeter.protocols.dlms.times import DateTime, decode_date_time

from . import conversations as c

NULL = Item(Tag.NULL_DATA)
AWARE = st.just(UTC)


def shown(one: COSEMObject, *numbers: int, level: Level = Level.READING) -> Any:
    """The values of attributes as plain objects, or the numbers of their refusals."""
    found = [one.get(number, level, None) for number in numbers]
    values = [plain(got) if isinstance(got, Item) else got for got in found]
    return values if len(values) > 1 else values[0]


def test_a_clock_is_set_shifted_and_adjusted() -> None:
    changes: list[int] = []
    meter_clock = MeterClock(lambda: c.NOW)
    one = clock(meter_clock, lambda: changes.append(1))
    assert one.act(6, Level.MANAGEMENT, Item(Tag.LONG, -40)) == ActionResult.SUCCESS
    assert meter_clock.now() == c.NOW - timedelta(seconds=40)
    assert one.act(3, Level.MANAGEMENT, NULL) == ActionResult.SUCCESS
    assert meter_clock.now() == c.NOW.replace(second=0)
    assert one.act(1, Level.MANAGEMENT, NULL) == ActionResult.SUCCESS
    assert meter_clock.now() == c.NOW.replace(minute=0, second=0)
    assert one.act(6, Level.MANAGEMENT, Item(Tag.LONG, 4000)) == ActionResult.TYPE_UNMATCHED
    for wrong, result in (
        (Item(Tag.UNSIGNED, 1), DataAccessResult.TYPE_UNMATCHED),
        (octet_string(b"\xff" * 12), DataAccessResult.OTHER_REASON),
    ):
        assert one.set(2, Level.MANAGEMENT, wrong) == result
    assert len(changes) == 3


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC)), st.integers(-900, 900)
)
def test_a_clock_that_was_set_goes_on_from_there(moment: datetime, seconds: int) -> None:
    now = [c.NOW]
    meter_clock = MeterClock(lambda: now[0])
    one = clock(meter_clock)
    moment = moment.replace(microsecond=0)
    assert one.set(2, Level.MANAGEMENT, date_time(moment)) == DataAccessResult.SUCCESS
    now[0] += timedelta(hours=3)
    assert meter_clock.now() == moment + timedelta(hours=3)
    assert one.act(6, Level.MANAGEMENT, Item(Tag.LONG, seconds)) == ActionResult.SUCCESS
    octets = shown(one, 2, level=Level.PUBLIC)
    assert decode_date_time(octets).instant() == moment + timedelta(hours=3, seconds=seconds)


@pytest.mark.parametrize("typed", [True, False])
def test_a_clock_takes_a_time_of_its_own_zone_typed_or_in_octets(typed: bool) -> None:
    zone = timezone(timedelta(hours=2))
    meter_clock = MeterClock(lambda: c.NOW.astimezone(zone))
    naive = DateTime.of(datetime(2026, 5, 1, 8, 0))
    value = Item(Tag.DATE_TIME, naive) if typed else octet_string(bytes(naive))
    one = clock(meter_clock)
    assert one.set(2, Level.MANAGEMENT, value) == DataAccessResult.SUCCESS
    assert meter_clock.now() == datetime(2026, 5, 1, 8, 0, tzinfo=zone)
    assert shown(one, 3, level=Level.PUBLIC) == -120


RIGHTS = COSEMObject(
    3,
    0,
    c.ENERGY,
    {2: Item(Tag.UNSIGNED, 5), 3: lambda: Item(Tag.UNSIGNED, 6)},
    setters={2: lambda _: DataAccessResult.SUCCESS},
    methods={1: lambda _: ActionResult.SUCCESS},
)


@pytest.mark.parametrize(
    ("level", "got", "written", "fixed", "acted"),
    [
        (Level.PUBLIC, 3, 3, 3, 3),
        (Level.READING, 5, 3, 3, 3),
        (Level.MANAGEMENT, 5, 0, 3, 0),
    ],
)
def test_rights_follow_the_level(level: Level, got: int, written: int, fixed: int, acted: int) -> None:
    assert shown(RIGHTS, 2, level=level) == got
    assert RIGHTS.set(2, level, NULL) == written
    assert RIGHTS.set(3, level, NULL) == fixed
    assert RIGHTS.set(1, level, NULL) == DataAccessResult.READ_WRITE_DENIED  # the name stays
    assert RIGHTS.act(1, level, NULL) == acted


def test_what_is_not_there_cannot_be_read_written_or_called() -> None:
    for level in (Level.READING, Level.MANAGEMENT):
        assert RIGHTS.get(9, level, None) == DataAccessResult.OBJECT_UNDEFINED
        assert RIGHTS.set(9, level, NULL) == DataAccessResult.OBJECT_UNDEFINED
        assert RIGHTS.act(9, level, NULL) == ActionResult.OBJECT_UNDEFINED
        assert RIGHTS.get(2, level, Selection(1, Data.of(NULL))) == DataAccessResult.SCOPE_OF_ACCESS_VIOLATED
    assert shown(RIGHTS, 1) == bytes(c.ENERGY)


def test_an_extended_register_says_when_its_value_was_captured() -> None:
    one = extended_register(c.ENERGY, Item(Tag.UNSIGNED, 5), -3, 30, lambda: c.NOW)
    assert shown(one, 2, 3) == [5, [-3, 30]]
    assert decode_date_time(shown(one, 5)).instant() == c.NOW


@given(st.integers(0, 86_400))
def test_a_demand_register_has_the_period_so_far_and_the_last_whole_one(seconds: int) -> None:
    now = c.NOW + timedelta(seconds=seconds)
    asked: list[tuple[datetime, timedelta]] = []

    def average(start: datetime, length: timedelta) -> Item:
        asked.append((start, length))
        return Item(Tag.UNSIGNED, len(asked))

    period = timedelta(minutes=15)
    one = demand_register(c.ENERGY, average, 0, 27, lambda: now, period)
    assert shown(one, 2, 3) == [1, 2]
    (begun, so_far), (before, whole) = asked
    assert begun.timestamp() % 900 == 0
    assert begun <= now < begun + period
    assert so_far == max(now - begun, timedelta(seconds=1))
    assert (before, whole) == (begun - period, period)


def test_switching_is_seen_and_told() -> None:
    told: list[bool] = []
    one = disconnect_control(told.append)
    seen = []
    for method in (1, 2):
        assert one.act(method, Level.MANAGEMENT, NULL) == ActionResult.SUCCESS
        seen.append(shown(one, 2, 3))
    assert told == [False, True]
    assert seen == [[False, 0], [True, 1]]
    other = disconnect_control()
    assert shown(other, 2) is True


def test_a_push_setup_says_what_is_sent_where_and_sends_it() -> None:
    sent: list[int] = []
    columns = [c.CLOCK, CaptureObject(3, c.ENERGY, 2)]
    one = push_setup(columns, "[::1]:4059", lambda: sent.append(1), transport=1)
    assert capture_objects(shown(one, 2)) == tuple(columns)
    assert shown(one, 3) == [1, b"[::1]:4059", 0]
    assert one.act(1, Level.READING, NULL) == ActionResult.READ_WRITE_DENIED
    assert one.act(1, Level.MANAGEMENT, NULL) == ActionResult.SUCCESS
    assert sent == [1]


def test_every_object_shows_the_attributes_of_its_class_in_order() -> None:
    """What a made meter has is what the table of classes knows."""
    for one in c.objects():
        known = interface_class(one.class_id, one.version)
        element = plain(one.object_list_element(Level.MANAGEMENT))
        assert element[:3] == [one.class_id, one.version, bytes(one.name)]
        numbers = [number for number, _, _ in element[3][0]]
        assert numbers == sorted(numbers)
        assert set(numbers) <= {member.number for member in known.attributes}
        assert {number for number, _ in element[3][1]} <= {member.number for member in known.methods}
        assert known.name in describe(one)


def test_devices_behind_an_address() -> None:
    one = sap_assignment([(1, b"ONE"), (2, b"TWO")])
    assert shown(one, 2, level=Level.PUBLIC) == [[1, b"ONE"], [2, b"TWO"]]
