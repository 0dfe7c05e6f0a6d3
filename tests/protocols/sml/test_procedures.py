"""What a reader does on a line: wait for what is pushed, or ask."""

import pytest

from polymeter.protocols import sml
from polymeter.protocols.procedure import Receive, Send, advance
from polymeter.protocols.wire import RemoteProtocolError, TimedOut, TransportError

PUSH = sml.Connection().send(sml.pushed(b"server", sml.sec_index(7), [], 1))
CLOSE = sml.Message(b"1", 0, 0, sml.TAGS["PublicClose.Req"], sml.listing(sml.octets(None)))


def test_the_next_frame_is_waited_for() -> None:
    procedure = sml.next_frame(sml.PushedFrames())
    assert advance(procedure, None) == Receive(10.0)
    assert advance(procedure, PUSH[:20]) == Receive(10.0)
    with pytest.raises(StopIteration) as stop:
        advance(procedure, PUSH[20:])
    assert stop.value.value == PUSH


def test_silence_is_told() -> None:
    procedure = sml.next_frame(sml.PushedFrames(), timeout_s=4)
    advance(procedure, None)
    with pytest.raises(TimedOut):
        advance(procedure, TimedOut("silence"))


def test_a_request_is_answered_by_the_next_frame() -> None:
    procedure = sml.exchange(sml.Connection(), [CLOSE], timeout_s=2)
    asked = advance(procedure, None)
    assert isinstance(asked, Send)
    assert asked.data == sml.encode_frame(sml.encode_message(CLOSE))
    assert advance(procedure, b"") == Receive(2)
    with pytest.raises(StopIteration) as stop:
        advance(procedure, PUSH)
    assert [message.tag for message in stop.value.value] == [0x101, 0x701, 0x201]


def test_an_answer_that_breaks_the_grammar_is_an_error() -> None:
    wrong = sml.Message(b"1", 0, 0, sml.TAGS["PublicClose.Res"], sml.listing(sml.unsigned(1, 1)))
    procedure = sml.exchange(sml.Connection(), [CLOSE])
    advance(procedure, None)
    advance(procedure, b"")
    with pytest.raises(RemoteProtocolError, match="octets is expected"):
        advance(procedure, sml.encode_frame(sml.encode_message(wrong)))


def test_a_line_that_closes_ends_the_asking() -> None:
    procedure = sml.exchange(sml.Connection(), [CLOSE])
    advance(procedure, None)
    advance(procedure, b"")
    with pytest.raises(TransportError):
        advance(procedure, b"")
