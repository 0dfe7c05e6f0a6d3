"""The meter's own objects: rights, buffers, clocks, and what it refuses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymeter.protocols.dlms.apdus import (
    ActionRequestNormal,
    ActionRequestWithList,
    ActionResponseWithList,
    ActionResult,
    AttributeDescriptor,
    CaptureObject,
    DataAccessResult,
    ExceptionResponse,
    GetRequestNormal,
    MethodDescriptor,
    ReadRequest,
    SelectedAttribute,
    Selection,
    SetRequestNormal,
    SetRequestWithList,
    SetResponseWithList,
    VariableName,
    select_by_entry,
    select_by_range,
)
from polymeter.protocols.dlms.associating import Proposal, associate
from polymeter.protocols.dlms.axdr import Data
from polymeter.protocols.dlms.buffers import Log, Periodic, profile_generic
from polymeter.protocols.dlms.connection import Connection
from polymeter.protocols.dlms.data import Item, Tag, octet_string, plain
from polymeter.protocols.dlms.framing import Parties
from polymeter.protocols.dlms.objects import COSEMObject, Level, MeterClock, clock, date_time
from polymeter.protocols.dlms.procedures import get
from polymeter.protocols.dlms.profiles import rows
from polymeter.protocols.dlms.services import View
from polymeter.protocols.dlms.serving import serve
from polymeter.protocols.dlms.wrapper import Wrapper, encode_wrapper
from polymeter.protocols.obis import OBIS
from polymeter.protocols.procedure import Pause, Procedure, Receive, Send
from polymeter.protocols.wire import RemoteProtocolError
from polymeter.transports.simulated import run_simulated

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


def view(level: Level) -> View:
    return View(level, {one.name: one for one in c.objects()})


@pytest.mark.parametrize("level", list(Level))
def test_the_object_list_tells_the_rights_that_are_enforced(level: Level) -> None:
    seen = view(level)
    for element in seen.object_list().value:
        class_id, _, name, rights = plain(element)
        instance = OBIS(*name)
        for number, mode, _ in rights[0]:
            got = seen.answer(GetRequestNormal(0x41, AttributeDescriptor(class_id, instance, number)))
            assert isinstance(got.result, Data), (instance, number)  # type: ignore[union-attr]
            value = Data.of(NULL)
            answer: Any = seen.answer(
                SetRequestNormal(0x41, AttributeDescriptor(class_id, instance, number), None, value)
            )
            assert (answer.result == DataAccessResult.READ_WRITE_DENIED) == (mode == 1)
        for number, mode in rights[1]:
            acted: Any = seen.answer(ActionRequestNormal(0x41, MethodDescriptor(class_id, instance, number)))
            assert (acted.response.result == ActionResult.READ_WRITE_DENIED) == (mode == 0)


def test_lists_of_writes_and_calls_are_answered_one_by_one() -> None:
    seen = view(Level.MANAGEMENT)
    writable = SelectedAttribute(AttributeDescriptor(1, c.WRITABLE, 2))
    locked = SelectedAttribute(AttributeDescriptor(3, c.ENERGY, 2))
    value = Data.of(octet_string(b"new"))
    assert seen.answer(SetRequestWithList(0x41, (writable, locked), (value, value))) == SetResponseWithList(
        0x41, (0, DataAccessResult.READ_WRITE_DENIED)
    )
    method = MethodDescriptor(70, OBIS(0, 0, 96, 3, 10), 1)
    unknown = MethodDescriptor(70, OBIS(0, 0, 96, 3, 99), 1)
    wrong = MethodDescriptor(3, OBIS(0, 0, 96, 3, 10), 1)
    none = Data.of(NULL)
    answer = seen.answer(ActionRequestWithList(0x41, (method, unknown, wrong), (none,) * 3))
    assert isinstance(answer, ActionResponseWithList)
    assert [one.result for one in answer.responses] == [0, 4, 9]
    assert isinstance(seen.answer(SetRequestWithList(0x41, (writable,), ())), ExceptionResponse)
    assert isinstance(seen.answer(ActionRequestWithList(0x41, (method,), ())), ExceptionResponse)


def test_what_is_not_confirmed_is_not_answered() -> None:
    attribute = AttributeDescriptor(1, c.WRITABLE, 2)
    seen = view(Level.MANAGEMENT)
    assert seen.answer(SetRequestNormal(0x01, attribute, None, Data.of(octet_string(b"quiet")))) is None
    got: Any = seen.answer(GetRequestNormal(0x41, attribute))
    assert got.result.value == b"quiet"


def test_other_services_are_refused() -> None:
    assert isinstance(view(Level.READING).answer(ReadRequest((VariableName(8),))), ExceptionResponse)


def test_a_silent_line_ends_associations_and_a_reaction_takes_its_time() -> None:
    connection = c.client_connection("wrapper", 16)

    def conversation() -> Procedure[object]:
        yield from associate(connection, Proposal())
        attribute = AttributeDescriptor(1, OBIS(0, 0, 42, 0, 0), 2)
        yield from get(connection, attribute)
        yield Pause(500)
        with pytest.raises(RemoteProtocolError, match="service not allowed"):
            yield from get(connection, attribute)

    run = run_simulated(conversation(), c.serving(c.meter(), reaction_s=0.5))
    assert run.seconds == pytest.approx(501.5)


def test_a_line_has_no_more_sessions_than_it_may() -> None:
    serving = serve(lambda parties: c.meter() if parties.server == 1 else None)
    next(serving)
    for sap in range(1, 200):
        connection = Connection("client", c.carrier("wrapper", sap))
        connection.state = "associated"
        step: Any = serving.send(connection.send(GetRequestNormal(0x41, AttributeDescriptor(1, c.ENERGY, 2))))
        assert isinstance(step, Send)
        step = serving.send(b"")
        assert isinstance(step, Receive)
    assert len(serving.gi_frame.f_locals["talks"]) == 64  # type: ignore[attr-defined]
    assert Parties(1, 1).physical == 0


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=120), st.sampled_from([16, 7, 1]))
def test_hostile_requests_in_an_association_are_answered_or_dropped(noise: bytes, sap: int) -> None:
    connection = c.client_connection("wrapper", sap)

    def conversation() -> Procedure[bytes]:
        yield from associate(connection, c.proposal_for(c.BY_SAP[sap]))
        for service in (
            b"",
            b"\xc0\x01\x41",
            b"\xc1\x01\x41",
            b"\xc1\x02\x41",
            b"\xc3\x01\x41",
            b"\xc3\x04\x41",
        ):
            yield Send(encode_wrapper(Wrapper(sap, 1, service + noise)))
        yield Pause(1)
        return b""

    run_simulated(conversation(), c.serving(METER))


METER = c.meter()
