"""One bus from either end: who may say what when, and whose count bit turns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.mbus import TRANSITIONS, Acknowledge, Connection, LongFrame, ShortFrame, encode
from polymeter.protocols.wire import NEED_DATA, LocalProtocolError, RemoteProtocolError

ANSWER = LongFrame(0x08, 1, 0x72, bytes(12))
NKE = ShortFrame(0x40, 1)


def master() -> Connection:
    return Connection("master")


def answered(connection: Connection, frame: ShortFrame | LongFrame, answer: bytes) -> None:
    connection.send(frame)
    connection.receive_data(answer)
    assert connection.next_event() is not NEED_DATA


def test_states_lead_to_states_that_exist() -> None:
    for transitions in TRANSITIONS.values():
        assert set(transitions.values()) <= set(TRANSITIONS)
        assert ("master", "request") in transitions, "the master may always begin anew"


@pytest.mark.parametrize(
    ("asked", "answer", "fits"),
    [
        (NKE, encode(Acknowledge()), True),
        (NKE, encode(ANSWER), False),
        (ShortFrame(0x7B, 1), encode(ANSWER), True),
        (ShortFrame(0x7B, 1), encode(Acknowledge()), True),
        (LongFrame(0x53, 1, 0x51), encode(Acknowledge()), True),
        (LongFrame(0x53, 1, 0x51), encode(LongFrame(0x08, 1, 0x70, b"\x01")), True),
        (ShortFrame(0x7B, 1), encode(ShortFrame(0x7B, 1)), False),
    ],
)
def test_which_answer_has_its_place(asked: ShortFrame | LongFrame, answer: bytes, fits: bool) -> None:
    connection = master()
    connection.send(asked)
    connection.receive_data(answer)
    if fits:
        assert connection.next_event() is not NEED_DATA
        assert connection.state == "idle"
        return
    before = connection.state
    with pytest.raises(RemoteProtocolError, match="no place"):
        connection.next_event()
    assert connection.state == before


def test_the_count_bit_begins_with_one_turns_and_stays_without_an_answer() -> None:
    connection = master()
    assert connection.request(1).control == 0x7B
    answered(connection, connection.request(1), encode(ANSWER))
    assert connection.request(1).control == 0x5B
    connection.send(connection.request(1))
    assert connection.request(1).control == 0x5B, "nobody answered"
    answered(connection, connection.request(1), encode(ANSWER))
    assert connection.request(1).control == 0x7B


def test_requests_alarms_and_writes_are_counted_apart() -> None:
    connection = master()
    answered(connection, connection.request(1), encode(ANSWER))
    assert connection.request(1, alarm=True).control == 0x7A
    assert connection.send_data(1, 0x51).control == 0x73
    answered(connection, connection.request(1, alarm=True), encode(Acknowledge()))
    assert connection.request(1, alarm=True).control == 0x5A
    assert connection.request(1).control == 0x5B


def test_initialising_and_selecting_count_from_the_start() -> None:
    connection = master()
    answered(connection, connection.request(1), encode(ANSWER))
    answered(connection, NKE, encode(Acknowledge()))
    assert connection.request(1).control == 0x7B
    answered(connection, connection.request(253), encode(ANSWER))
    assert connection.request(253).control == 0x5B
    select = connection.send_data(253, 0x52, bytes(8))
    assert select.control == 0x53
    answered(connection, select, encode(Acknowledge()))
    assert connection.request(253).control == 0x7B
    assert connection.send_data(253, 0x56, bytes(8)).control == 0x53


def test_a_damaged_frame_is_dropped_and_the_next_is_heard() -> None:
    connection = master()
    connection.send(ShortFrame(0x7B, 1))
    connection.receive_data(encode(ANSWER)[:-2] + b"\x00\x16" + encode(ANSWER))
    with pytest.raises(RemoteProtocolError, match="checksum"):
        connection.next_event()
    assert connection.next_event() == ANSWER


def test_noise_is_counted_and_the_offset_is_that_of_the_stream() -> None:
    connection = master()
    connection.send(ShortFrame(0x7B, 1))
    connection.receive_data(b"\x00\x01\x02" + encode(ANSWER)[:-1] + b"\x17")
    with pytest.raises(RemoteProtocolError) as caught:
        connection.next_event()
    assert connection.noise == 3
    assert caught.value.offset == 3 + len(encode(ANSWER)) - 1


def test_too_much_without_an_end_is_refused_and_forgotten() -> None:
    connection = Connection("slave", limit=64)
    connection.receive_data(b"\x68\xff\xff\x68" + bytes(50))
    with pytest.raises(RemoteProtocolError, match="the limit is 64"):
        connection.receive_data(bytes(20))
    connection.receive_data(encode(NKE))
    assert connection.next_event() == NKE


def test_what_waits_can_be_looked_at_and_forgotten() -> None:
    connection = master()
    connection.receive_data(b"\xe5\xe5")
    assert connection.clear() == b"\xe5\xe5"
    assert connection.next_event() is NEED_DATA
    connection.send(NKE)
    connection.reset()
    assert connection.state == "idle"


@pytest.mark.parametrize(
    ("end", "frame"),
    [("master", Acknowledge()), ("master", ANSWER), ("slave", NKE), ("slave", LongFrame(0x53, 1, 0x51))],
)
def test_each_end_says_its_own(end: str, frame: Acknowledge | LongFrame | ShortFrame) -> None:
    with pytest.raises(LocalProtocolError):
        Connection(end).send(frame)  # type: ignore[arg-type]


@given(st.lists(st.binary(max_size=40), max_size=10))
def test_anything_heard_raises_only_our_errors_and_it_goes_on(pieces: list[bytes]) -> None:
    connection = master()
    for piece in pieces:
        connection.send(ShortFrame(0x7B, 1))
        try:
            connection.receive_data(piece)
            while connection.next_event() is not NEED_DATA:
                pass
        except RemoteProtocolError:
            pass
        connection.clear()
    answered(connection, NKE, encode(Acknowledge()))
