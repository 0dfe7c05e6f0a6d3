"""The vocabulary: steps, outcomes, and what may stand between a procedure and its line."""

import pytest

from polymeter.protocols.procedure import (
    Outcome,
    Pause,
    Procedure,
    Receive,
    Send,
    SetLine,
    Step,
    advance,
    push_frames,
    relay,
)
from polymeter.protocols.wire import TimedOut, TransportError


def conversation(log: list[object]) -> Procedure[str]:
    try:
        log.append((yield Send(b"hello")))
        try:
            log.append((yield Receive(1.0)))
        except TimedOut as error:
            log.append(error)
        yield Pause(2)
        yield SetLine(300, 7, "E")
        return "done"
    finally:
        log.append("closed")


def test_a_procedure_is_advanced_by_outcomes() -> None:
    log: list[object] = []
    procedure = conversation(log)
    silence = TimedOut("nothing")
    assert advance(procedure, None) == Send(b"hello")
    assert advance(procedure, b"") == Receive(1.0, None)
    assert advance(procedure, silence) == Pause(2)
    assert advance(procedure, b"") == SetLine(300, 7, "E")
    with pytest.raises(StopIteration) as stop:
        advance(procedure, b"")
    assert stop.value.value == "done"
    assert log == [b"", silence, "closed"]


def test_a_line_is_8n1_unless_said_otherwise() -> None:
    assert SetLine(9600) == SetLine(9600, 8, "N")


def through(step: Step) -> Procedure[Outcome]:
    return (yield step)


def test_a_relay_that_does_nothing_changes_nothing() -> None:
    plain, relayed = conversation([]), relay(conversation([]), through)
    outcome: Outcome = None
    for given in (b"", b"answer", b"", b""):
        assert advance(plain, outcome) == advance(relayed, outcome)
        outcome = given
    for procedure in (plain, relayed):
        with pytest.raises(StopIteration) as stop:
            advance(procedure, b"")
        assert stop.value.value == "done"


def test_a_relay_may_answer_itself() -> None:
    log: list[object] = []

    def deaf(step: Step) -> Procedure[Outcome]:
        if isinstance(step, Receive):
            return TimedOut("deaf")
        return (yield step)

    relayed = relay(conversation(log), deaf)
    assert advance(relayed, None) == Send(b"hello")
    assert advance(relayed, b"") == Pause(2)
    assert isinstance(log[1], TimedOut)


def test_a_relay_may_do_more_than_it_was_asked() -> None:
    def patient(step: Step) -> Procedure[Outcome]:
        yield Pause(0.1)
        return (yield step)

    relayed = relay(conversation([]), patient)
    assert advance(relayed, None) == Pause(0.1)
    assert advance(relayed, b"") == Send(b"hello")


def test_a_failure_of_the_line_reaches_the_procedure() -> None:
    def broken() -> Procedure[str]:
        try:
            yield Receive(1)
        except TransportError as error:
            return str(error)
        return "no error"

    relayed = relay(broken(), through)
    advance(relayed, None)
    with pytest.raises(StopIteration) as stop:
        advance(relayed, TransportError("unplugged"))
    assert stop.value.value == "unplugged"


def test_closing_a_relay_closes_what_is_behind_it() -> None:
    log: list[object] = []
    relayed = relay(relay(conversation(log), through), through)
    advance(relayed, None)
    relayed.close()
    assert log == ["closed"]


def test_a_meter_pushes_until_nobody_listens() -> None:
    said = iter([[b"one", b"two"], [b"three"], [], [b"four"]])
    procedure = push_frames(lambda: next(said), period_s=1)
    silence = TimedOut("silence")
    assert advance(procedure, None) == Send(b"one")
    assert advance(procedure, b"") == Send(b"two")
    assert advance(procedure, b"") == Receive(1)
    assert advance(procedure, silence) == Send(b"three")
    assert advance(procedure, b"") == Receive(1)
    assert advance(procedure, b"what a listener says does not matter") == Receive(1)
    assert advance(procedure, silence) == Send(b"four")
    advance(procedure, b"")
    with pytest.raises(StopIteration):
        advance(procedure, b"")
