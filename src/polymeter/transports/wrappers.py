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

from polymeter.protocols.procedure import Outcome, Pause, Procedure, Receive, Send, SetLine, Step, advance
from polymeter.protocols.wire import LocalProtocolError, TimedOut, TransportError

__all__ = ["Faults", "disturb", "record", "replay", "trace"]

T = TypeVar("T")


def _tap(
    procedure: Procedure[T],
    on_step: Callable[[Step], Step],
    on_outcome: Callable[[Step, bytes | TransportError], bytes | TransportError],
) -> Procedure[T]:
    """Pass every step and every outcome through a function each."""
    outcome: Outcome = None
    try:
        while True:
            try:
                step = advance(procedure, outcome)
            except StopIteration as stop:
                result: T = stop.value
                return result
            step = on_step(step)
            try:
                outcome = on_outcome(step, (yield step))
            except TransportError as error:
                outcome = on_outcome(step, error)
    finally:
        procedure.close()


def trace(procedure: Procedure[T], tell: Callable[[str], None]) -> Procedure[T]:
    """Say each step and what came of it, one line each, bytes as hex and as text.

    What travels is shown as it is, passwords too: a trace belongs to who may see the line.
    """

    def on_step(step: Step) -> Step:
        match step:
            case Send(data):
                tell(f"> {data.hex(' ')}  {_printable(data)}")
            case SetLine(baud, bits, parity):
                tell(f"= {baud} Bd {bits}{parity}1")
            case Pause(seconds):
                tell(f"= pause {seconds:g} s")
            case Receive():
                pass
        return step

    def on_outcome(step: Step, outcome: bytes | TransportError) -> bytes | TransportError:
        if isinstance(outcome, TransportError):
            tell(f"! {outcome}")
        elif isinstance(step, Receive):
            tell(f"< {outcome.hex(' ')}  {_printable(outcome)}" if outcome else "< closed")
        return outcome

    return _tap(procedure, on_step, on_outcome)


def _printable(data: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 else "." for byte in data)


def record(procedure: Procedure[T], write: Callable[[str], None]) -> Procedure[T]:
    """Write the conversation, a JSON line for each thing that happened; `replay` reads it."""

    def on_step(step: Step) -> Step:
        if isinstance(step, Send):
            write(json.dumps({"send": step.data.hex()}))
        return step

    def on_outcome(step: Step, outcome: bytes | TransportError) -> bytes | TransportError:
        if isinstance(outcome, TimedOut):
            write(json.dumps({"timed_out": str(outcome)}))
        elif isinstance(outcome, TransportError):
            write(json.dumps({"failed": str(outcome)}))
        elif isinstance(step, Receive):
            write(json.dumps({"receive": outcome.hex()}))
        return outcome

    return _tap(procedure, on_step, on_outcome)


def replay(procedure: Procedure[T], recording: Iterable[str]) -> T:
    """Run `procedure` against a recording instead of a line; no time passes.

    Raises:
        LocalProtocolError: the procedure says something else than was recorded, or more.
    """
    happened = iter(recording)
    outcome: Outcome = None
    number = 0
    try:
        while True:
            try:
                step = advance(procedure, outcome)
            except StopIteration as stop:
                result: T = stop.value
                return result
            outcome = b""
            if isinstance(step, Pause | SetLine):
                continue
            number += 1
            line = next(happened, None)
            if line is None:
                raise LocalProtocolError(f"the recording ends before step {number}: {step}")
            outcome = _recorded(json.loads(line), step, number)
    finally:
        procedure.close()


def _recorded(entry: dict[str, str], step: Step, number: int) -> bytes | TransportError:
    if isinstance(step, Send) and "send" in entry:
        if bytes.fromhex(entry["send"]) != step.data:
            raise LocalProtocolError(f"step {number} sends {step.data.hex()}, recorded was {entry['send']}")
        return b""
    if "timed_out" in entry:
        return TimedOut(entry["timed_out"])
    if "failed" in entry:
        return TransportError(entry["failed"])
    if isinstance(step, Receive) and "receive" in entry:
        return bytes.fromhex(entry["receive"])
    raise LocalProtocolError(f"step {number} is {step}, recorded was {entry}")


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

    outcome: Outcome = None
    try:
        while True:
            try:
                step = advance(procedure, outcome)
            except StopIteration as stop:
                result: T = stop.value
                return result
            if isinstance(step, Receive) and held:
                outcome = held.pop()
                continue
            try:
                outcome = yield step
                while isinstance(step, Receive) and outcome and hit(faults.lose):
                    outcome = yield step
            except TransportError as error:
                outcome = error
                continue
            if not isinstance(step, Receive) or not outcome:
                continue
            if hit(faults.break_):
                outcome = TransportError("the line broke (injected)")
                continue
            outcome = hurt(outcome)
            if len(outcome) > 1 and hit(faults.split):
                at = dice.randrange(1, len(outcome))
                held.append(outcome[at:])
                outcome = outcome[:at]
            if not outcome:
                outcome = TimedOut("nothing came (injected)")
    finally:
        procedure.close()
