"""Trace, record, replay and disturb a conversation: written once, for every line and runner.

A wrapper takes a procedure and gives a procedure. So whatever drives procedures, over sockets, a
serial port or simulated time, drives traced, recorded and disturbed ones as well.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from polymeter.protocols.procedure import Outcome, Pause, Procedure, Receive, Send, SetLine, Step, relay
from polymeter.protocols.wire import LocalProtocolError, TimedOut, TransportError

__all__ = ["Faults", "disturb", "record", "replay", "trace"]

T = TypeVar("T")


def trace(procedure: Procedure[T], tell: Callable[[str], None]) -> Procedure[T]:
    """Say each step and what came of it, one line each, bytes as hex and as text.

    What travels is shown as it is, passwords too: a trace belongs to who may see the line.
    """

    def perform(step: Step) -> Procedure[Outcome]:
        match step:
            case Send(data):
                tell(f"> {data.hex(' ')}  {_printable(data)}")
            case SetLine(baud, bits, parity):
                tell(f"= {baud} Bd {bits}{parity}1")
            case Pause(seconds):
                tell(f"= pause {seconds:g} s")
            case Receive():
                pass
        try:
            outcome = yield step
        except TransportError as error:
            tell(f"! {error}")
            raise
        if isinstance(step, Receive):
            tell(f"< {outcome.hex(' ')}  {_printable(outcome)}" if outcome else "< closed")
        return outcome

    return relay(procedure, perform)


def _printable(data: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data)


def record(procedure: Procedure[T], write: Callable[[str], None]) -> Procedure[T]:
    """Write the conversation, a JSON line for each thing that happened; `replay` reads it."""

    def perform(step: Step) -> Procedure[Outcome]:
        entry = {"send": step.data.hex()} if isinstance(step, Send) else {}
        try:
            outcome = yield step
        except TransportError as error:
            write(json.dumps({**entry, "timed_out" if isinstance(error, TimedOut) else "failed": str(error)}))
            raise
        if isinstance(step, Receive):
            entry = {"receive": outcome.hex()}
        if entry:
            write(json.dumps(entry))
        return outcome

    return relay(procedure, perform)


def replay(procedure: Procedure[T], recording: Iterable[str]) -> T:
    """Run `procedure` against a recording instead of a line; no time passes.

    Raises:
        LocalProtocolError: the procedure says something else than was recorded, or more; or a
            line of the recording is none.
    """
    happened = enumerate(recording, 1)

    def perform(step: Step) -> Procedure[Outcome]:
        if isinstance(step, Pause | SetLine):
            return b""
        number, line = next(happened, (0, ""))
        if not number:
            raise LocalProtocolError(f"the recording ends before {step}")
        return _recorded(line, step, number)
        yield step  # never reached: it makes this function the generator that `relay` wants

    alone = relay(procedure, perform)
    try:
        next(alone)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise AssertionError("unreachable: a replay yields no step")


def _recorded(line: str, step: Step, number: int) -> Outcome:
    """What happened at `step`, by line `number` of a recording."""
    try:
        entry: dict[str, str] = json.loads(line)
        said = {name: bytes.fromhex(entry[name]) for name in ("send", "receive") if name in entry}
    except (ValueError, TypeError) as error:
        raise LocalProtocolError(f"line {number} is no line of a recording: {error}") from error
    if isinstance(step, Send) and "send" in said and said["send"] != step.data:
        raise LocalProtocolError(
            f"line {number} sends {said['send'].hex()}, now {step.data.hex()} is to be sent"
        )
    if ("send" in said) != isinstance(step, Send):
        raise LocalProtocolError(f"line {number} is {line.strip()}, now comes {step}")
    if "timed_out" in entry:
        return TimedOut(entry["timed_out"])
    if "failed" in entry:
        return TransportError(entry["failed"])
    if isinstance(step, Receive) and "receive" not in said:
        raise LocalProtocolError(f"line {number} is {line.strip()}, now comes {step}")
    return said.get("receive", b"")


@dataclass(frozen=True, slots=True)
class Faults:
    """How bad a line is: chances from 0 to 1 per piece received, drawn from `seed`."""

    seed: int
    lose: float = 0.0
    """The piece never comes."""
    flip: float = 0.0
    """One of its bits is wrong."""
    cut: float = 0.0
    """Its end is missing."""
    noise: float = 0.0
    """A random byte comes before it."""
    split: float = 0.0
    """It comes in two pieces."""
    break_: float = 0.0
    """The line breaks instead."""

    def __post_init__(self) -> None:
        """Refuse what is no chance, before a conversation meets it."""
        for name in ("lose", "flip", "cut", "noise", "split", "break_"):
            chance = getattr(self, name)
            if not isinstance(chance, int | float) or not 0 <= chance <= 1:
                raise LocalProtocolError(f"{name} must be a chance from 0 to 1, not {chance!r}")


def disturb(procedure: Procedure[T], faults: Faults) -> Procedure[T]:
    """Put a bad line between a procedure and its peer; the same seed gives the same faults."""
    dice = random.Random(faults.seed)
    held: list[bytes] = []

    def hit(chance: float) -> bool:
        return chance > 0 and dice.random() < chance

    def hurt(data: bytes) -> bytes:
        if data and hit(faults.flip):
            at = dice.randrange(len(data))
            data = data[:at] + bytes([data[at] ^ 1 << dice.randrange(8)]) + data[at + 1 :]
        if hit(faults.cut):
            data = data[: dice.randrange(len(data))] if data else data
        if hit(faults.noise):
            data = dice.randbytes(1) + data
        return data

    def perform(step: Step) -> Procedure[Outcome]:
        if not isinstance(step, Receive):
            return (yield step)
        if held:
            return held.pop()
        data = yield step
        while data and hit(faults.lose):
            data = yield step
        if not data:
            return data
        if hit(faults.break_):
            return TransportError("the line broke (injected)")
        data = hurt(data)
        if len(data) > 1 and hit(faults.split):
            at = dice.randrange(1, len(data))
            held.append(data[at:])
            data = data[:at]
        return data or TimedOut("nothing came (injected)")

    return relay(procedure, perform)
