"""What carries APDUs: both carriers keep the same promises, and a switchboard tells who speaks."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.dlms.framing import (
    Carrier,
    Framing,
    HDLCCarrier,
    Parties,
    Switchboard,
    WrapperCarrier,
    detect_framing,
)
from polymeter.protocols.dlms.hdlc import Address, Frame, Parameters, encode_frame
from polymeter.protocols.dlms.hdlc_link import Delivered, LinkDown, LinkUp
from polymeter.protocols.dlms.wrapper import Wrapper, encode_wrapper
from polymeter.protocols.wire import NEED_DATA, NeedData, RemoteProtocolError

CLIENT, SERVER = Address(16), Address(1, 17, 4)
apdus = st.binary(min_size=1, max_size=300)


def ends(framing: Framing) -> tuple[Carrier, Carrier]:
    """A client's end and a meter's."""
    if framing == "hdlc":
        small = Parameters(40, 40, 2, 2)
        return HDLCCarrier("client", CLIENT, SERVER, small), HDLCCarrier("server", CLIENT, SERVER, small)
    return WrapperCarrier("client", 16, 1), WrapperCarrier("server", 16, 1)


def events(carrier: Carrier) -> list[object]:
    found: list[object] = []
    while not isinstance(event := carrier.next_event(), NeedData):
        found.append(event)
    return found


def carried(client: Carrier, server: Carrier, answers: Sequence[bytes] = ()) -> list[list[object]]:
    """Let both talk until they are silent; the meter answers what it is asked. What each has heard."""
    due = list(answers)
    heard: list[list[object]] = [[], []]
    while True:
        to_server, to_client = client.data_to_send(), b""
        if to_server:
            server.receive_data(to_server)
        for event in events(server):
            heard[1].append(event)
            if isinstance(event, Delivered) and due:
                server.send(due.pop(0))
        if to_client := server.data_to_send():
            client.receive_data(to_client)
        heard[0] += events(client)
        if not to_server and not to_client:
            return heard


def delivered(heard: list[object]) -> list[bytes]:
    return [event.data for event in heard if isinstance(event, Delivered)]


@pytest.mark.parametrize("framing", ["wrapper", "hdlc"])
@given(talk=st.lists(st.tuples(apdus, apdus), max_size=3))
def test_apdus_arrive_as_they_were_sent(framing: Framing, talk: list[tuple[bytes, bytes]]) -> None:
    client, server = ends(framing)
    client.connect()
    assert [type(event) for event in carried(client, server)[0]] == [LinkUp]
    assert client.is_up
    for question, answer in talk:
        client.send(question)
        at_client, at_server = carried(client, server, [answer])
        assert (delivered(at_client), delivered(at_server)) == ([answer], [question])
    client.disconnect()
    assert [type(event) for event in carried(client, server)[0]] == [LinkDown]
    assert client.is_up == (framing == "wrapper")


@pytest.mark.parametrize("framing", ["wrapper", "hdlc"])
def test_what_is_unasked_needs_no_turn(framing: Framing) -> None:
    client, server = ends(framing)
    client.connect()
    carried(client, server)
    for _ in range(3):
        server.send(b"\x0fpushed", unsolicited=True)
    heard, _ = carried(client, server)
    assert delivered(heard) == [b"\x0fpushed"] * 3
    assert all(event.numbered == (framing == "wrapper") for event in heard if isinstance(event, Delivered))


def test_frames_between_others_are_counted_and_not_heard() -> None:
    carrier = WrapperCarrier("client", 16, 1)
    for source, destination in ((2, 16), (1, 17), (16, 1)):
        carrier.receive_data(encode_wrapper(Wrapper(source, destination, b"x")))
    assert carrier.next_event() is NEED_DATA
    assert carrier.ignored == 3
    carrier.receive_data(encode_wrapper(Wrapper(1, 16, b"mine")))
    assert carrier.next_event() == Delivered(b"mine")


@pytest.mark.parametrize("datagrams", [True, False])
def test_a_frame_may_come_in_pieces_but_not_over_datagrams(datagrams: bool) -> None:
    carrier = WrapperCarrier("client", 16, 1, datagrams)
    frame = encode_wrapper(Wrapper(1, 16, b"whole"))
    carrier.receive_data(frame[:5])
    assert carrier.next_event() is NEED_DATA
    if datagrams:
        carrier.receive_data(frame)
    else:
        carrier.receive_data(frame[5:])
    assert carrier.next_event() == Delivered(b"whole")
    assert carrier.next_event() is NEED_DATA


def test_a_stream_that_lost_its_frames_begins_anew_and_says_where() -> None:
    carrier = WrapperCarrier("client", 16, 1)
    frame = encode_wrapper(Wrapper(1, 16, b"x"))
    carrier.receive_data(frame + b"rubbish" + frame)
    assert carrier.next_event() == Delivered(b"x")
    with pytest.raises(RemoteProtocolError) as caught:
        carrier.next_event()
    assert caught.value.offset == len(frame)
    assert carrier.next_event() is NEED_DATA
    carrier.receive_data(frame)
    assert carrier.next_event() == Delivered(b"x")


def test_too_much_that_waits_is_dropped() -> None:
    carrier = WrapperCarrier("client", 16, 1)
    with pytest.raises(RemoteProtocolError):
        carrier.receive_data(bytes(1 << 20))
    carrier.receive_data(encode_wrapper(Wrapper(1, 16, b"x")))
    assert carrier.next_event() == Delivered(b"x")


def test_hdlc_asks_again_and_the_wrapper_does_not() -> None:
    client, server = ends("hdlc")
    client.connect()
    first = client.data_to_send()  # lost
    client.repeat()
    assert client.data_to_send() == first
    wrapper, _ = ends("wrapper")
    wrapper.send(b"x")
    wrapper.data_to_send()
    wrapper.repeat()
    assert wrapper.data_to_send() == b""
    assert server.is_up is False


def test_the_first_octet_tells_the_framing() -> None:
    assert [detect_framing(octets) for octets in (b"\x7e\xa0", b"\x00\x01", b"", b"/?!")] == [
        "hdlc",
        "wrapper",
        None,
        None,
    ]


@given(st.lists(st.tuples(st.integers(1, 127), st.integers(1, 127)), max_size=6), st.booleans(), st.data())
def test_a_switchboard_gives_every_frame_with_its_parties(
    pairs: list[tuple[int, int]], hdlc: bool, data: st.DataObject
) -> None:
    if hdlc:
        expected = [
            (
                Parties(client, server, 17),
                encode_frame(Frame("UI", Address(server, 17, 2), Address(client), b"x")),
            )
            for client, server in pairs
        ]
    else:
        expected = [
            (Parties(client, server), encode_wrapper(Wrapper(client, server, b"x")))
            for client, server in pairs
        ]
    stream = b"".join(octets for _, octets in expected)
    board, found, at = Switchboard(), [], 0
    while at < len(stream):
        size = data.draw(st.integers(1, len(stream) - at))
        board.receive_data(stream[at : at + size])
        while not isinstance(came := board.next_frame(), NeedData):
            found.append(came)
        at += size
    assert found == expected
    assert board.framing == ("hdlc" if hdlc else "wrapper") or not pairs


def test_a_switchboard_drops_what_is_damaged() -> None:
    good = encode_frame(Frame("UI", SERVER, CLIENT, b"x"))
    bad = good[:-2] + bytes((good[-2] ^ 1, 0x7E))
    board = Switchboard()
    board.receive_data(bad + good)
    with pytest.raises(RemoteProtocolError):
        board.next_frame()
    assert board.next_frame() == (Parties(16, 1, 17), good)
    stream = Switchboard("wrapper")
    stream.receive_data(b"\x00\x02" + bytes(20))
    with pytest.raises(RemoteProtocolError):
        stream.next_frame()
    assert stream.next_frame() is NEED_DATA
    with pytest.raises(RemoteProtocolError, match="neither a wrapper nor an HDLC frame"):
        Switchboard().receive_data(b"/?!\r\n")
