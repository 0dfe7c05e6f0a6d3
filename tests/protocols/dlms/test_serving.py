"""The meter's end of a line: many clients, silence, and whatever else comes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymeter.protocols.dlms.apdus import (
    AttributeDescriptor,
    DataNotification,
    GetRequestNormal,
    encode_apdu,
)
from polymeter.protocols.dlms.associating import Proposal, associate
from polymeter.protocols.dlms.axdr import Data
from polymeter.protocols.dlms.connection import Connection
from polymeter.protocols.dlms.counters import MemoryCounters, counter_id
from polymeter.protocols.dlms.data import Item, Tag, octet_string
from polymeter.protocols.dlms.framing import Parties, WrapperCarrier
from polymeter.protocols.dlms.objects import Level, data
from polymeter.protocols.dlms.procedures import Timing, get
from polymeter.protocols.dlms.serving import push, serve
from polymeter.protocols.dlms.wrapper import Wrapper, encode_wrapper
from polymeter.protocols.obis import OBIS
from polymeter.protocols.procedure import Pause, Procedure, Receive, Send
from polymeter.protocols.wire import RemoteProtocolError, TimedOut
from polymeter.transports.simulated import run_simulated

from . import conversations as c

NAME = AttributeDescriptor(1, OBIS(0, 0, 42, 0, 0), 2)
NOTIFICATION = DataNotification(7, b"", Data.of(Item(Tag.UNSIGNED, 42)))


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


def test_pushes_and_answers_of_a_meter_share_its_counter_in_the_order_in_which_they_are_sent() -> None:
    """Whoever hears both takes none of them for a replay."""
    the_meter = c.meter()
    connection = c.client_connection("wrapper", 6)
    parties = Parties(6, 1)

    def pushing(real: Procedure[None]) -> Procedure[None]:
        """Push before every answer."""
        step = next(real)
        while True:
            outcome: Any = yield step
            if isinstance(step, Receive) and outcome:
                yield from push(NOTIFICATION, parties, security=the_meter.security)
            try:
                step = real.send(outcome)
            except StopIteration:
                return

    def conversation(connection: Connection) -> Procedure[list[Data | int]]:
        return [(yield from get(connection, NAME)), (yield from get(connection, NAME))]

    reader = c.within(connection, c.proposal_for(c.BY_SAP[6]), conversation)
    results = run_simulated(reader, pushing(c.serving(the_meter))).result
    assert all(isinstance(result, Data) for result in results)
    # The first push comes before the AARE, which names the title to open it with.
    assert list(connection.notifications)[-3:] == [NOTIFICATION] * 3
    assert not connection.unopened


def test_a_meter_whose_counters_are_used_up_refuses_and_goes_on() -> None:
    title = c.METER_TITLE
    used_up = {counter_id(title, c.KEYS.encryption): (None, (1 << 32) - 2)}
    the_meter = c.meter(counters=MemoryCounters(used_up))
    connection = c.client_connection("wrapper", 6)
    plain = c.client_connection("wrapper", 7)

    def conversation() -> Procedure[object]:
        yield from associate(connection, c.proposal_for(c.BY_SAP[6]))  # the last number but one
        results = [(yield from get(connection, NAME))]  # and the last
        with pytest.raises(RemoteProtocolError, match="other reason"):
            yield from get(connection, NAME)
        yield from associate(plain, Proposal())
        return [*results, (yield from get(plain, NAME))]

    first, second = run_simulated(conversation(), c.serving(the_meter)).result  # type: ignore[misc]
    assert first == second


def test_an_association_that_cannot_be_sealed_is_not_opened() -> None:
    used_up = {counter_id(c.METER_TITLE, c.KEYS.encryption): (None, 1 << 32)}
    the_meter = c.meter(counters=MemoryCounters(used_up))
    reader = associate(c.client_connection("wrapper", 6), c.proposal_for(c.BY_SAP[6]))
    with pytest.raises(RemoteProtocolError):
        run_simulated(reader, c.serving(the_meter))


def test_one_line_has_several_meters_and_says_nothing_for_one_that_is_not_there() -> None:
    meters = {number: c.meter() for number in (1, 2)}
    for number, one in meters.items():
        one.objects[NAME.instance] = data(NAME.instance, octet_string(b"%d" % number), Level.PUBLIC)

    def reading(server: int) -> Procedure[object]:
        connection = Connection("client", WrapperCarrier("client", 16, server))
        yield from associate(connection, Proposal(), Timing(1.0, 0))
        found = yield from get(connection, NAME)
        return found.value if isinstance(found, Data) else found

    def conversation() -> Procedure[list[object]]:
        found = [(yield from reading(2)), (yield from reading(1))]
        with pytest.raises(TimedOut):
            yield from reading(3)
        return found

    serving = serve(lambda parties: meters.get(parties.server))
    assert run_simulated(conversation(), serving).result == [b"2", b"1"]


def test_rubbish_on_a_line_ends_no_association() -> None:
    connection = c.client_connection("wrapper", 16)

    def conversation() -> Procedure[object]:
        yield Send(b"/?!\r\n")  # no framing at all: it may follow later
        yield Pause(1)
        yield from associate(connection, Proposal())
        yield Send(b"\x00\x07rubbish")  # no wrapper of any version
        yield Pause(1)
        return (yield from get(connection, NAME))

    assert isinstance(run_simulated(conversation(), c.serving(c.meter())).result, Data)


def test_half_a_datagram_does_not_spoil_the_next_one() -> None:
    connection = c.client_connection("wrapper", 16, datagrams=True)

    def conversation() -> Procedure[object]:
        yield from associate(connection, Proposal())
        whole = encode_wrapper(Wrapper(16, 1, encode_apdu(GetRequestNormal(0x41, NAME))))
        yield Send(whole[:-3])
        yield Pause(1)
        return (yield from get(connection, NAME))

    assert isinstance(run_simulated(conversation(), c.serving(c.meter(), datagrams=True)).result, Data)


def test_serving_ends_with_the_line() -> None:
    serving = c.serving(c.meter())
    assert isinstance(next(serving), Receive)
    with pytest.raises(StopIteration):
        serving.send(b"")
