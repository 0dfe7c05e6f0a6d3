"""One connection for both ends: states, pieces, notifications, blocks, lost datagrams."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymeter.protocols.dlms.apdus import (
    AttributeDescriptor,
    DataNotification,
    EventNotificationRequest,
    GeneralBlockTransfer,
    GetRequestNormal,
    GetResponseNormal,
    encode_apdu,
)
from polymeter.protocols.dlms.associating import Proposal, associate
from polymeter.protocols.dlms.axdr import Data
from polymeter.protocols.dlms.ciphering import Security
from polymeter.protocols.dlms.connection import Connection
from polymeter.protocols.dlms.counters import MemoryCounters
from polymeter.protocols.dlms.data import Item, Tag, octet_string
from polymeter.protocols.dlms.framing import Framing, Parties, WrapperCarrier
from polymeter.protocols.dlms.hdlc_link import LinkDown, LinkUp
from polymeter.protocols.dlms.procedures import Timing, get, set_attribute
from polymeter.protocols.dlms.reading import Profile, read_object_list, read_profile
from polymeter.protocols.dlms.serving import push
from polymeter.protocols.dlms.states import TRANSITIONS, Connect, Disconnect
from polymeter.protocols.dlms.wrapper import Wrapper, encode_wrapper
from polymeter.protocols.procedure import Procedure, Receive, Send
from polymeter.protocols.wire import (
    NEED_DATA,
    AccessDenied,
    LocalProtocolError,
    ProtocolError,
    RemoteProtocolError,
    TransportError,
)
from polymeter.transports.loopback import blocking_pair, pair
from polymeter.transports.runners import run, run_blocking
from polymeter.transports.simulated import run_simulated
from polymeter.transports.wrappers import Faults, disturb

from . import conversations as c

ENERGY = AttributeDescriptor(3, c.ENERGY, 2)
NOTIFICATION = DataNotification(7, b"", Data.of(Item(Tag.UNSIGNED, 42)))


def much(connection: Connection) -> Procedure[tuple[int, int]]:
    """A conversation with blocks, lists and segments both ways."""
    listed = yield from read_object_list(connection)
    profile = yield from read_profile(connection, c.PROFILE, None)
    assert isinstance(profile, Profile)
    assert isinstance(listed, list)
    return len(listed), len(profile.rows)


def small(the_meter: Any = None) -> Any:
    """A meter with a short history."""
    made = the_meter or c.meter()
    made.objects[c.PROFILE].methods[1](Item(Tag.INTEGER, 0))
    return made


def over_simulated_time(framing: Framing, sap: int) -> Any:
    return c.converse(framing, sap, much, small())


def over_asyncio(framing: Framing, sap: int) -> Any:
    connection = c.client_connection(framing, sap)

    async def both() -> Any:
        one, other = pair()
        serving = asyncio.create_task(run(c.serving(small()), other))
        result = await run(c.within(connection, c.proposal_for(c.BY_SAP[sap]), much), one)
        await one.close()
        await serving
        return result

    return asyncio.run(both())


def over_blocking_calls(framing: Framing, sap: int) -> Any:
    connection = c.client_connection(framing, sap)
    one, other = blocking_pair()
    thread = threading.Thread(target=run_blocking, args=(c.serving(small()), other))
    thread.start()
    try:
        return run_blocking(c.within(connection, c.proposal_for(c.BY_SAP[sap]), much), one)
    finally:
        one.close()
        thread.join()


@pytest.mark.parametrize("framing", ["wrapper", "hdlc"])
@pytest.mark.parametrize("sap", [1, 5, 7])
@pytest.mark.parametrize("runner", [over_simulated_time, over_asyncio, over_blocking_calls])
def test_the_same_conversation_runs_over_every_runner(
    runner: Callable[[Framing, int], Any], framing: Framing, sap: int
) -> None:
    assert runner(framing, sap) == (16, 0)


@pytest.mark.parametrize("framing", ["wrapper", "hdlc"])
@pytest.mark.parametrize("sap", [1, 5])
def test_pitfall_8_partial_reads_change_nothing(framing: Framing, sap: int) -> None:
    """Pitfall 8: what comes octet by octet is the same conversation."""

    def crumbled(procedure: Procedure[Any]) -> Procedure[Any]:
        outcome: Any = None
        waiting = b""
        while True:
            try:
                step = procedure.send(outcome) if outcome is not None else next(procedure)
            except StopIteration as stop:
                return stop.value
            if isinstance(step, Receive):
                if not waiting:
                    waiting = yield step
                outcome, waiting = waiting[:1], waiting[1:]
            else:
                outcome = yield step

    connection = c.client_connection(framing, sap)
    reader = crumbled(c.within(connection, c.proposal_for(c.BY_SAP[sap]), much))
    assert run_simulated(reader, crumbled(c.serving(small()))).result == (16, 0)


@pytest.mark.parametrize("seed", range(12))
def test_hdlc_over_a_bad_line_reads_the_same(seed: int) -> None:
    connection = c.client_connection("hdlc", 5)
    timing = Timing(2.0, 30, 2.0)
    faults = Faults(seed, lose=0.04, flip=0.04, cut=0.02, noise=0.05, split=0.1)

    def conversation() -> Procedure[object]:
        yield from associate(connection, c.proposal_for(c.BY_SAP[5]), timing)
        profile = yield from read_profile(connection, c.EVENTS, None, None, timing)
        value = yield from get(connection, ENERGY, None, timing)
        return len(profile.rows), value.value  # type: ignore[union-attr]

    result = run_simulated(disturb(conversation(), faults), c.serving(c.meter())).result
    assert result == (0, c.energy_at(c.NOW))


@pytest.mark.parametrize("sap", [1, 5, 7])
@pytest.mark.parametrize("seed", range(8))
def test_udp_loses_datagrams_and_reads_the_same(seed: int, sap: int) -> None:
    connection = c.client_connection("wrapper", sap, datagrams=True)
    timing = Timing(1.0, 30, 1.0)
    served = c.meter(apdu_max=400)

    def conversation() -> Procedure[object]:
        proposal = c.proposal_for(c.BY_SAP[sap], apdu_max=200)
        yield from associate(connection, proposal, timing)
        listed = yield from read_object_list(connection, timing)
        return len(listed)

    lossy = disturb(conversation(), Faults(seed, lose=0.15))
    deaf = disturb(c.serving(served, datagrams=True), Faults(seed + 100, lose=0.0))
    assert run_simulated(lossy, deaf).result == 16


@pytest.mark.parametrize("sap", [5, 7])
@pytest.mark.parametrize("seed", range(8))
def test_a_long_value_is_written_over_udp_that_loses_datagrams_both_ways(seed: int, sap: int) -> None:
    """A block whose acknowledgement was lost comes again, and is taken as what it is."""
    connection = c.client_connection("wrapper", sap, datagrams=True)
    timing = Timing(1.0, 30, 1.0)
    served = c.meter(apdu_max=150)
    long = octet_string(bytes(range(250)) * 4)
    written = AttributeDescriptor(1, c.WRITABLE, 2)

    def conversation() -> Procedure[object]:
        yield from associate(connection, c.proposal_for(c.BY_SAP[sap]), timing)
        result = yield from set_attribute(connection, written, long, None, timing)
        read = yield from get(connection, written, None, timing)
        return result, read

    lossy = disturb(conversation(), Faults(seed, lose=0.1))
    serving = disturb(c.serving(served, datagrams=True), Faults(seed + 100, lose=0.15))
    assert run_simulated(lossy, serving).result == (0, Data.of(long))


def test_notifications_come_between_and_are_kept() -> None:
    for seen in (None, []):
        connection = Connection(
            "client", WrapperCarrier("client", 16, 1), on_notification=None if seen is None else seen.append
        )
        event = EventNotificationRequest(None, ENERGY, Data.of(Item(Tag.UNSIGNED, 1)))
        for apdu in (NOTIFICATION, event):
            connection.receive_data(encode_wrapper(Wrapper(1, 16, encode_apdu(apdu))))
        assert connection.next_event() is NEED_DATA
        assert list(connection.notifications if seen is None else seen) == [NOTIFICATION, event]
        assert connection.state == "no association"


@pytest.mark.parametrize("framing", ["wrapper", "hdlc"])
@pytest.mark.parametrize("ciphered", [False, True])
def test_a_meter_pushes_unasked(framing: Framing, ciphered: bool) -> None:
    security = Security(c.KEYS, c.METER_TITLE) if ciphered else None
    parties = Parties(16, 1, 17 if framing == "hdlc" else 0)
    pushed = next(iter(push(NOTIFICATION, parties, framing, security)))
    assert isinstance(pushed, Send)
    connection = c.client_connection(framing, 16)
    if ciphered:
        connection.receive_data(pushed.data)
        with pytest.raises(AccessDenied, match="no key is known"):
            connection.next_event()
        context = c.client_connection(framing, 6).security
        connection = Connection("client", c.carrier(framing, 16), context)
    connection.receive_data(pushed.data)
    assert connection.next_event() is NEED_DATA
    assert list(connection.notifications) == [NOTIFICATION]


def gbt(data: bytes, size: int, window: int) -> list[GeneralBlockTransfer]:
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    blocks = []
    for number, part in enumerate(parts, 1):
        last = number == len(parts)
        streaming = not last and number % window != 0
        control = (0x80 if last else 0) | (0x40 if streaming else 0) | window
        blocks.append(GeneralBlockTransfer(control, number, 0, part))
    return blocks


@pytest.mark.parametrize("window", [1, 3])
@pytest.mark.parametrize("lost", [None, 1, 2, 4])
def test_general_block_transfer_is_received_with_gaps_filled(window: int, lost: int | None) -> None:
    connection = Connection("client", WrapperCarrier("client", 16, 1), associated=True)
    response = GetResponseNormal(0xC1, Data.of(octet_string(bytes(range(200)))))
    blocks = gbt(encode_apdu(response), 30, window)
    sent: list[int] = []
    at = 0
    skip = lost
    while at < len(blocks):
        block = blocks[at]
        at += 1
        sent.append(block.block_number)
        if block.block_number == skip and (block.streaming or block.last_block):
            skip = None
            continue
        connection.receive_data(encode_wrapper(Wrapper(1, 16, encode_apdu(block))))
        event = connection.next_event()
        if event is not NEED_DATA:
            assert event == response
            return
        answer = connection.data_to_send()
        if answer:
            acknowledged = int.from_bytes(answer[8 + 4 : 8 + 6], "big")
            at = acknowledged
    raise AssertionError("the response never came")


def test_a_request_has_no_place_before_an_association() -> None:
    connection = Connection("client", WrapperCarrier("client", 16, 1))
    with pytest.raises(LocalProtocolError, match="cannot send request when there is no association"):
        connection.send(GetRequestNormal(1, ENERGY))
    with pytest.raises(LocalProtocolError):
        Connection("server", WrapperCarrier("server", 16, 1)).send(Connect())


def test_a_response_nobody_asked_for_is_an_error_and_changes_nothing() -> None:
    connection = Connection("client", WrapperCarrier("client", 16, 1))
    response = GetResponseNormal(0xC1, Data.of(Item(Tag.UNSIGNED, 1)))
    connection.receive_data(encode_wrapper(Wrapper(1, 16, encode_apdu(response))))
    with pytest.raises(RemoteProtocolError, match="has no place"):
        connection.next_event()
    assert connection.state == "no association"
    assert connection.next_event() is NEED_DATA


def test_rubbish_on_a_stream_is_dropped() -> None:
    connection = Connection("client", WrapperCarrier("client", 16, 1))
    connection.receive_data(b"rubbish that is no wrapper")
    with pytest.raises(RemoteProtocolError, match="wrapper version"):
        connection.next_event()
    assert connection.next_event() is NEED_DATA


def test_frames_for_other_addresses_are_ignored() -> None:
    carrier = WrapperCarrier("client", 16, 1)
    connection = Connection("client", carrier)
    connection.receive_data(encode_wrapper(Wrapper(1, 17, encode_apdu(NOTIFICATION))))
    assert connection.next_event() is NEED_DATA
    assert carrier.ignored == 1
    assert not connection.notifications


def test_plain_messages_in_a_ciphered_association_are_refused() -> None:
    connection = c.client_connection("wrapper", 6)

    def conversation() -> Procedure[None]:
        yield from associate(connection, Proposal())

    run_simulated(conversation(), c.serving(c.meter()))
    response = GetResponseNormal(0xC1, Data.of(Item(Tag.UNSIGNED, 1)))
    connection.receive_data(encode_wrapper(Wrapper(1, 6, encode_apdu(response))))
    with pytest.raises(AccessDenied, match="not protected"):
        connection.next_event()


def test_the_wrapper_opens_and_closes_at_once() -> None:
    connection = Connection("client", WrapperCarrier("client", 16, 1))
    assert connection.send(Disconnect()) == b""
    assert isinstance(connection.next_event(), LinkDown)
    assert connection.send(Connect()) == b""
    assert isinstance(connection.next_event(), LinkUp)


def test_a_link_that_ends_in_the_middle_is_told() -> None:
    connection = c.client_connection("hdlc", 7)

    def forgetful(real: Procedure[None]) -> Procedure[None]:
        """A meter that restarts after its first answers."""
        outcome: Any = None
        for _ in range(4):
            outcome = yield (real.send(outcome) if outcome is not None else next(real))
        yield from c.serving(c.meter())

    def conversation() -> Procedure[object]:
        yield from associate(connection, Proposal())
        return (yield from get(connection, ENERGY))

    with pytest.raises(TransportError, match="disconnected mode"):
        run_simulated(conversation(), forgetful(c.serving(c.meter())))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["wrapper", "hdlc"]), st.booleans(), st.integers(0, 2**32))
def test_hostile_octets_raise_only_protocol_errors(
    noise: bytes, framing: Framing, client: bool, seed: int
) -> None:
    dice = random.Random(seed)
    if client:
        connection = c.client_connection(framing, 6)
        connection.state = dice.choice(list(TRANSITIONS))
        frame = encode_wrapper(Wrapper(1, 6, noise)) if framing == "wrapper" else noise
        connection.receive_data(frame)
        for _ in range(50):
            try:
                if connection.next_event() is NEED_DATA:
                    break
            except ProtocolError:
                continue
        return
    serving = c.serving(METER)
    next(serving)
    frame = encode_wrapper(Wrapper(6, 1, noise)) if framing == "wrapper" else b"\x7e" + noise
    step: Any = serving.send(frame)
    while not isinstance(step, Receive):
        step = serving.send(b"")


METER = c.meter(counters=MemoryCounters())
