"""The HDLC data link: two ends joined in memory, with frames lost, damaged and cut on the way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymeter.protocols.dlms.frame_buffer import FrameBuffer
from polymeter.protocols.dlms.hdlc import Address, Frame, Parameters, decode_frame, encode_frame
from polymeter.protocols.dlms.hdlc_link import Delivered, Link, LinkDown, LinkUp, agreed
from polymeter.protocols.wire import NEED_DATA, LocalProtocolError, RemoteProtocolError

DEFAULTS = Parameters()
CLIENT = Address(16)
SERVER = Address(1, 17, 4)


class Pair:
    """A client's and a server's link; `exchange` carries until nobody has anything to say."""

    def __init__(self, client: Parameters = DEFAULTS, server: Parameters = DEFAULTS) -> None:
        self.client = Link("client", CLIENT, SERVER, client)
        self.server = Link("server", SERVER, CLIENT, server)
        self.frames: list[Frame] = []
        self.lose: set[int] = set()

    def carry(self, data: bytes, to: Link) -> None:
        buffer = FrameBuffer()
        buffer.append(data)
        while isinstance(frame := buffer.next_frame(), Frame):
            self.frames.append(frame)
            if len(self.frames) - 1 not in self.lose:
                to.receive_frame(frame)

    def exchange(self, polls: int = 5) -> tuple[list[object], list[object]]:
        seen: tuple[list[object], list[object]] = ([], [])
        for _ in range(500):
            out = self.client.data_to_send()
            self.carry(out, self.server)
            while (event := self.server.next_event()) is not None:
                seen[1].append(event)
            back = self.server.data_to_send()
            self.carry(back, self.client)
            while (event := self.client.next_event()) is not None:
                seen[0].append(event)
            if not out and not back:
                if not polls or (not self.client.busy and not self.server.busy):
                    break
                polls -= 1
                self.client.poll()
        return seen

    def up(self) -> None:
        self.client.connect()
        self.exchange()
        self.frames.clear()


def test_snrm_and_ua_open_the_link_with_the_smaller_of_both_ends_parameters() -> None:
    pair = Pair(Parameters(512, 400, 3, 2), Parameters(300, 256, 1, 7))
    pair.client.connect()
    (up,), (served,) = pair.exchange()
    assert up == LinkUp(Parameters(256, 300, 3, 1))
    assert served == LinkUp(Parameters(300, 256, 1, 3))
    assert pair.client.state == pair.server.state == "connected"


def test_without_parameters_both_ends_keep_to_128_octets_and_a_window_of_one() -> None:
    pair = Pair(server=Parameters(2030, 2030, 7, 7))
    pair.up()
    assert pair.client.parameters == Parameters() == pair.server.parameters


def test_agreed_never_exceeds_either_end() -> None:
    assert agreed(Parameters(9, 8, 7, 6), Parameters(1, 2, 3, 4)) == Parameters(2, 1, 4, 3)


@pytest.mark.parametrize("window", [1, 2, 7])
def test_messages_of_any_length_pass_in_segments_both_ways(window: int) -> None:
    pair = Pair(Parameters(128, 128, window, window), Parameters(128, 128, window, window))
    pair.up()
    for size in (0, 1, 124, 125, 126, 1000, 5000):
        message = bytes(i * 7 & 0xFF for i in range(size))
        pair.client.send(message)
        assert pair.exchange()[1] == [Delivered(message)]
        pair.server.send(message[::-1])
        pair.client.poll()
        assert pair.exchange()[0] == [Delivered(message[::-1])]
    assert not pair.client.busy
    assert not pair.server.busy


@pytest.mark.parametrize("lost", range(40))
def test_a_lost_frame_is_sent_again_after_a_poll(lost: int) -> None:
    pair = Pair(Parameters(64, 64, 3, 3), Parameters(64, 64, 3, 3))
    pair.up()
    pair.lose = {lost}
    message = bytes(range(250)) * 2
    pair.client.send(message)
    assert pair.exchange(9)[1] == [Delivered(message)]
    pair.server.send(message)
    pair.client.poll()
    assert pair.exchange(9)[0] == [Delivered(message)]


sizes = st.integers(1, 7)


@settings(max_examples=150)
@given(
    st.tuples(sizes, sizes, sizes, sizes),
    st.lists(st.tuples(st.booleans(), st.binary(max_size=600)), min_size=1, max_size=5),
    st.sets(st.integers(0, 60), max_size=12),
)
def test_messages_arrive_once_and_in_order_whatever_is_lost(
    windows: tuple[int, int, int, int], messages: list[tuple[bool, bytes]], lost: set[int]
) -> None:
    pair = Pair(Parameters(64, 48, windows[0], windows[1]), Parameters(50, 64, windows[2], windows[3]))
    pair.up()
    pair.lose = lost
    for from_client, message in messages:
        if from_client:
            pair.client.send(message)
        else:
            pair.server.send(message)
            pair.client.poll()
        heard = pair.exchange(len(lost) + 2)
        assert heard == ([], [Delivered(message)]) if from_client else ([Delivered(message)], [])
    assert max(len(frame.information) for frame in pair.frames) <= 50


def test_a_lost_snrm_is_repeated_by_a_poll() -> None:
    pair = Pair()
    pair.lose = {0}
    pair.client.connect()
    assert pair.exchange() == ([], [])
    pair.client.poll()
    assert pair.exchange()[0] == [LinkUp(Parameters())]


def test_disconnecting_twice_is_answered_by_ua_and_then_dm() -> None:
    pair = Pair()
    pair.up()
    pair.client.disconnect()
    assert pair.exchange() == ([LinkDown("disconnected")], [LinkDown("the client disconnected")])
    assert [frame.kind for frame in pair.frames] == ["DISC", "UA"]
    pair.client.disconnect()
    pair.exchange()
    assert [frame.kind for frame in pair.frames[2:]] == ["DISC", "DM"]


def test_a_meter_that_forgot_the_link_says_dm() -> None:
    pair = Pair()
    pair.up()
    pair.server.state = "disconnected"
    pair.client.send(b"hello")
    (down,), _ = pair.exchange()
    assert isinstance(down, LinkDown)
    assert pair.client.state == "disconnected"
    with pytest.raises(LocalProtocolError):
        pair.client.send(b"again")


def test_an_acknowledgement_of_what_was_not_sent_is_answered_by_frmr() -> None:
    pair = Pair()
    pair.up()
    with pytest.raises(RemoteProtocolError):
        pair.carry(encode_frame(Frame("RR", SERVER, CLIENT, receive=5)), pair.server)
    assert b"\x97" in pair.server.data_to_send()


@pytest.mark.parametrize("server", [Address(1), Address(1, 17, 2), Address(1, 17, 4)])
@pytest.mark.parametrize("client", [Address(16), Address(16, 0, 2), Address(16, 0, 4)])
def test_pitfall_5_mixed_address_sizes_are_answered_as_they_came(client: Address, server: Address) -> None:
    """Pitfall 5: the header check covers the addresses as received, whatever their sizes."""
    ours = Link("client", client, server)
    theirs = Link("server", Address(server.upper, server.lower, 4), Address(client.upper, 0, 1))
    ours.connect()
    theirs.receive_frame(decode_frame(ours.data_to_send()))
    answer = decode_frame(theirs.data_to_send())
    assert answer.destination == client
    assert answer.source == server
    ours.receive_frame(answer)
    assert ours.state == "connected"


def test_pitfall_8_frames_between_others_are_ignored() -> None:
    """Pitfall 8: several clients share one link."""
    pair = Pair()
    pair.up()
    pair.carry(encode_frame(Frame("DISC", SERVER, Address(1))), pair.server)
    assert pair.server.state == "connected"
    assert pair.server.ignored == 1
    assert pair.server.data_to_send() == b""


def test_a_wrong_frame_check_is_an_error_unless_lenient() -> None:
    octets = bytearray(encode_frame(Frame("UI", CLIENT, SERVER, b"\xe6\xe7\x00hello")))
    octets[-2] ^= 0xFF
    strict = FrameBuffer()
    strict.append(bytes(octets) + encode_frame(Frame("UA", CLIENT, SERVER)))
    with pytest.raises(RemoteProtocolError, match="frame check"):
        strict.next_frame()
    assert isinstance(following := strict.next_frame(), Frame)
    assert following.kind == "UA"
    lenient = FrameBuffer(lenient=True)
    lenient.append(bytes(octets))
    assert lenient.next_frame() == Frame("UI", CLIENT, SERVER, b"\xe6\xe7\x00hello")
    assert len(lenient.problems) == 1


def test_pitfall_8_octets_that_come_one_by_one_make_the_same_frames() -> None:
    """Pitfall 8: partial reads."""
    frames = [Frame("UA", CLIENT, SERVER), Frame("I", CLIENT, SERVER, b"\xe6\xe7\x00\x7e\x7e", send=3)]
    octets = b"\x00\xff" + encode_frame(frames[0])[:-1] + encode_frame(frames[1])
    buffer = FrameBuffer()
    found = []
    for octet in octets:
        buffer.append(bytes((octet,)))
        while (frame := buffer.next_frame()) is not NEED_DATA:
            found.append(frame)
    assert found == frames
    assert buffer.noise == 2


def test_frames_are_never_longer_than_their_length_field_can_say() -> None:
    pair = Pair(Parameters(5000, 5000, 1, 1), Parameters(5000, 5000, 1, 1))
    pair.up()
    message = bytes(6000)
    pair.client.send(message)
    assert pair.exchange()[1] == [Delivered(message)]


def test_a_message_without_an_llc_header_is_taken_as_it_is() -> None:
    pair = Pair()
    for octets in (b"\x0f push", b"\xc2 event"):
        pair.carry(encode_frame(Frame("UI", CLIENT, SERVER, octets, False)), pair.client)
        assert pair.client.next_event() == Delivered(octets, numbered=False)
    with pytest.raises(RemoteProtocolError, match="no LLC header"):
        pair.carry(encode_frame(Frame("UI", CLIENT, SERVER, b"\xe6\x01\x00\x0f", False)), pair.client)


def test_a_ui_frame_needs_no_link() -> None:
    pair = Pair()
    pair.server.send_unnumbered(b"\x0f push")
    pair.carry(pair.server.data_to_send(), pair.client)
    assert pair.client.next_event() == Delivered(b"\x0f push", numbered=False)


def test_a_long_push_comes_in_segmented_ui_frames() -> None:
    pair = Pair()
    message = bytes(range(256)) * 12
    pair.server.send_unnumbered(message)
    pair.carry(pair.server.data_to_send(), pair.client)
    assert [frame.segmented for frame in pair.frames] == [True, True, True, False]
    assert pair.client.next_event() == Delivered(message, numbered=False)


def test_a_message_without_end_is_cut_off() -> None:
    pair = Pair()
    pair.up()
    pair.server.limit = 1000
    frame = Frame("I", SERVER, CLIENT, bytes(100), segmented=True)
    for number in range(10):
        pair.server.receive_frame(replace(frame, send=number & 7))
    with pytest.raises(RemoteProtocolError, match="more than"):
        pair.server.receive_frame(replace(frame, send=2))
    assert pair.server.state == "disconnected"


def test_only_a_client_opens_and_closes() -> None:
    link = Link("server", SERVER, CLIENT)
    for action in (link.connect, link.disconnect):
        with pytest.raises(LocalProtocolError):
            action()


@pytest.mark.parametrize(
    ("kind", "reason"), [("DM", "disconnected mode"), ("FRMR", "rejects a frame"), ("UA", None)]
)
def test_what_a_meter_may_say_of_an_open_link(kind: Any, reason: str | None) -> None:
    """A second UA answers an SNRM that was repeated; it opens nothing again."""
    pair = Pair()
    pair.up()
    pair.carry(encode_frame(Frame(kind, CLIENT, SERVER, b"\x01" if kind == "FRMR" else b"")), pair.client)
    if reason is None:
        assert pair.client.next_event() is None
        assert (pair.client.state, pair.client.ignored) == ("connected", 1)
    else:
        down = pair.client.next_event()
        assert isinstance(down, LinkDown)
        assert reason in down.reason
        pair.client.connect()
        assert [type(event) for event in pair.exchange()[0]] == [LinkUp]


@pytest.mark.parametrize("kind", ["SNRM", "DISC"])
def test_each_end_says_only_what_is_its_own(kind: Any) -> None:
    pair = Pair()
    pair.up()
    with pytest.raises(RemoteProtocolError, match=f"a meter does not send {kind}"):
        pair.carry(encode_frame(Frame(kind, CLIENT, SERVER)), pair.client)
    with pytest.raises(RemoteProtocolError, match="a client does not send UA"):
        pair.carry(encode_frame(Frame("UA", SERVER, CLIENT)), pair.server)
    assert (pair.client.state, pair.server.state) == ("connected", "connected")


def test_a_poll_of_a_link_that_is_not_open_is_our_error() -> None:
    with pytest.raises(LocalProtocolError, match="not open"):
        Link("client", CLIENT, SERVER).poll()


def test_a_busy_meter_is_waited_for() -> None:
    pair = Pair(Parameters(128, 128, 2, 2), Parameters(128, 128, 2, 2))
    pair.up()
    message = bytes(range(200)) * 2
    pair.client.send(message)
    pair.carry(encode_frame(Frame("RNR", CLIENT, SERVER)), pair.client)
    assert pair.client.data_to_send() == b""  # nothing until it is asked whether it is ready
    pair.client.poll()
    assert pair.exchange()[1] == [Delivered(message)]
    assert pair.frames[1].kind == "RR"


def test_numbered_frames_without_a_link_are_answered_by_dm_and_passed_over() -> None:
    pair = Pair()
    pair.carry(encode_frame(Frame("I", SERVER, CLIENT, b"\xe6\xe6\x00hello")), pair.server)
    assert decode_frame(pair.server.data_to_send()).kind == "DM"
    pair.carry(encode_frame(Frame("RR", CLIENT, SERVER)), pair.client)
    assert (pair.client.ignored, pair.client.data_to_send()) == (1, b"")


def test_a_push_whose_last_segment_was_lost_takes_the_next_one_not_along() -> None:
    pair = Pair()
    message = bytes(range(256)) * 12
    for lost in (3, 0, 1):
        pair.frames.clear()
        pair.server.send_unnumbered(message)
        pair.lose = {lost}
        pair.carry(pair.server.data_to_send(), pair.client)
        pair.lose = set()
        pair.server.send_unnumbered(b"\x0f next")
        pair.carry(pair.server.data_to_send(), pair.client)
        heard = []
        while (event := pair.client.next_event()) is not None:
            heard.append(event)
        assert heard[-1] == Delivered(b"\x0f next", numbered=False)
        assert Delivered(message, numbered=False) not in heard


def test_a_push_without_end_is_cut_off() -> None:
    pair = Pair()
    pair.client.limit = 1000
    frame = Frame("UI", CLIENT, SERVER, bytes(100), False, segmented=True)
    for _ in range(10):
        pair.client.receive_frame(frame)
    with pytest.raises(RemoteProtocolError, match="more than 1000"):
        pair.client.receive_frame(frame)
    pair.server.send_unnumbered(b"\x0f push")
    pair.carry(pair.server.data_to_send(), pair.client)
    assert pair.client.next_event() == Delivered(b"\x0f push", numbered=False)
