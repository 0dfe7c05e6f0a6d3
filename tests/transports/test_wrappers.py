"""Trace, record, replay and disturb: the same over every shell, and the procedure does not notice."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.procedure import Pause, Procedure, Receive, Send, SetLine
from polymeter.protocols.wire import LocalProtocolError, TimedOut, TransportError
from polymeter.transports.simulated import run_simulated
from polymeter.transports.wrappers import Faults, disturb, record, replay, trace
from tests.conversations import Shell, each_shell


def echo() -> Procedure[None]:
    while data := (yield Receive(1e6)):
        if data != b"quiet":
            yield Send(data.upper())


def reader(*words: bytes) -> Procedure[list[object]]:
    heard: list[object] = []
    yield SetLine(300, 7, "E")
    for word in words or (b"abc", b"quiet"):
        yield Send(word)
        yield Pause(0)
        try:
            heard.append((yield Receive(0.02)))
        except TransportError as error:
            heard.append(type(error))
    return heard


@each_shell
def test_a_trace_shows_everything_and_changes_nothing(shell: Shell) -> None:
    lines: list[str] = []
    assert shell(trace(reader(), lines.append), echo()) == [b"ABC", TimedOut]
    assert lines == [
        "= 300 Bd 7E1",
        "> 61 62 63  abc",
        "= pause 0 s",
        "< 41 42 43  ABC",
        "> 71 75 69 65 74  quiet",
        "= pause 0 s",
        "! nothing came within 0.02 s",
    ]


def test_a_trace_tells_a_closed_line() -> None:
    def leaving() -> Procedure[None]:
        yield Receive(1)

    lines: list[str] = []
    run_simulated(trace(reader(b"\x00"), lines.append), leaving())
    assert lines[-1] == "< closed"
    assert lines[1] == "> 00  ."


@each_shell
def test_a_recording_replays(shell: Shell) -> None:
    lines: list[str] = []
    result = shell(record(reader(), lines.append), echo())
    assert replay(reader(), lines) == result == [b"ABC", TimedOut]
    assert [json.loads(line) for line in lines] == [
        {"send": "616263"},
        {"receive": "414243"},
        {"send": b"quiet".hex()},
        {"timed_out": "nothing came within 0.02 s"},
    ]


def test_a_failed_line_is_recorded_where_it_failed() -> None:
    def failing() -> Procedure[list[str]]:
        seen = []
        for step in (Send(b"x"), Receive(1)):
            try:
                yield step
            except TransportError as error:
                seen.append(f"{type(step).__name__}: {error}")
        return seen

    lines: list[str] = []
    recorded = record(failing(), lines.append)
    next(recorded)
    recorded.throw(TransportError("unplugged"))
    with pytest.raises(StopIteration) as stop:
        recorded.throw(TransportError("still"))
    assert stop.value.value == ["Send: unplugged", "Receive: still"]
    assert replay(failing(), lines) == stop.value.value


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "ends before Send"),
        (['{"send": "616264"}'], "sends 616264, now 616263"),
        (['{"receive": "41"}'], "now comes Send"),
        (['{"send": "616263"}', '{"send": "00"}'], "now comes Receive"),
        (['{"send": "616263"}', "{}"], "now comes Receive"),
        (["rubbish"], "line 1 is no line of a recording"),
        (['{"send": "6"}'], "line 1 is no line of a recording"),
        (['{"send": 5}'], "line 1 is no line of a recording"),
        (["[]"], "now comes Send"),
    ],
)
def test_a_recording_of_something_else_is_refused(lines: list[str], said: str) -> None:
    with pytest.raises(LocalProtocolError, match=said):
        replay(reader(), lines)


def test_a_replay_passes_results_and_errors_on() -> None:
    def raising() -> Procedure[None]:
        yield Send(b"x")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        replay(raising(), ['{"send": "78"}'])


# faults


def test_no_faults_change_nothing() -> None:
    assert run_simulated(disturb(reader(), Faults(1)), echo()).result == [b"ABC", TimedOut]


WORDS = [bytes([65 + number]) * 20 for number in range(26)]
BAD = {"lose": 0.1, "flip": 0.3, "cut": 0.1, "noise": 0.2, "split": 0.3, "break_": 0.05}


def test_the_same_seed_gives_the_same_faults() -> None:
    def outcome(seed: int) -> list[object]:
        return run_simulated(disturb(reader(*WORDS), Faults(seed, **BAD)), echo()).result

    assert outcome(1) == outcome(1)
    assert outcome(1) != outcome(2)


@each_shell
def test_faults_are_the_same_over_every_shell(shell: Shell) -> None:
    faults = Faults(5, flip=0.5, noise=0.3)
    expected = run_simulated(disturb(reader(*WORDS[:8]), faults), echo()).result
    assert shell(disturb(reader(*WORDS[:8]), faults), echo()) == expected


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ({"lose": 1}, [TimedOut]),
        ({"break_": 1}, [TransportError]),
        ({"cut": 1}, None),
        ({"noise": 1}, None),
        ({"flip": 1}, None),
    ],
)
def test_each_fault_does_what_it_says(fault: dict[str, float], outcome: list[object] | None) -> None:
    heard = run_simulated(disturb(reader(b"word"), Faults(3, **fault)), echo()).result
    assert heard != [b"WORD"]
    if outcome is not None:
        assert heard == outcome


def test_noise_comes_before_and_a_flip_is_one_bit() -> None:
    (noisy,) = run_simulated(disturb(reader(b"word"), Faults(3, noise=1)), echo()).result
    assert noisy[1:] == b"WORD"
    (flipped,) = run_simulated(disturb(reader(b"word"), Faults(3, flip=1)), echo()).result
    assert sum((one ^ other).bit_count() for one, other in zip(flipped, b"WORD", strict=True)) == 1


@given(st.integers(0, 10_000))
def test_a_split_loses_nothing(seed: int) -> None:
    def patient() -> Procedure[bytes]:
        yield Send(b"a long sentence")
        heard = b""
        while len(heard) < 15:
            heard += yield Receive(1)
        return heard

    assert run_simulated(disturb(patient(), Faults(seed, split=1)), echo()).result == b"A LONG SENTENCE"


@pytest.mark.parametrize("chance", [-0.1, 1.1, "half", None])
def test_what_is_no_chance_is_refused(chance: object) -> None:
    with pytest.raises(LocalProtocolError, match="flip must be a chance"):
        Faults(1, flip=chance)  # type: ignore[arg-type]


def test_wrappers_stack() -> None:
    lines: list[str] = []
    told: list[str] = []
    stacked = trace(record(disturb(reader(), Faults(1, split=1)), lines.append), told.append)
    run_simulated(stacked, echo())
    assert lines
    assert told


@pytest.mark.parametrize(
    "wrap", [lambda p: trace(p, print), lambda p: record(p, print), lambda p: disturb(p, Faults(1))]
)
def test_closing_a_wrapper_closes_the_procedure(wrap: object) -> None:
    ended = []

    def waiting() -> Procedure[None]:
        try:
            yield Receive(1)
        finally:
            ended.append(True)

    wrapped = wrap(waiting())  # type: ignore[operator]
    next(wrapped)
    wrapped.close()
    assert ended
