"""Runs both ends of a conversation in simulated time: the third runner.

Two procedures, the reader's and the meter's, meet on a line that takes the time a real one would:
characters leave at the baud rate, bytes sent at one rate and received at another arrive as
rubbish. Hours pass in milliseconds, and every run is the same.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, assert_never

from polymeter.protocols.procedure import Outcome, Pause, Procedure, Receive, Send, SetLine, Step, advance
from polymeter.protocols.wire import ProtocolError, TransportError
from polymeter.transports.inbox import timed_out

__all__ = ["Simulated", "run_simulated"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Simulated(Generic[T]):
    """The reader's result, and how long the conversation would have taken."""

    result: T
    seconds: float


class _End:
    """One party: where its procedure stands and what has arrived for it."""

    def __init__(self, procedure: Generator[Any, bytes, Any]) -> None:
        self.procedure = procedure
        self.line: SetLine | None = None
        self.arrivals: deque[bytes] = deque()
        self.waiting: Receive | None = None
        self.gathered = bytearray()
        self.timer = 0
        self.peer_closed = False
        self.done = False
        self.result: Any = None


def run_simulated(
    reader: Procedure[T],
    meter: Procedure[None],
    latency_s: float = 0.0,
    limit_s: float = 7 * 86400.0,
) -> Simulated[T]:
    """Run `reader` against `meter` until the reader is done.

    Raises:
        ProtocolError: what the reader raised.
        TransportError: simulated time passed `limit_s`.
    """
    simulation = _Simulation(reader, meter, latency_s)
    try:
        return simulation.run(limit_s)
    finally:
        reader.close()
        meter.close()


class _Simulation:
    def __init__(self, reader: Procedure[Any], meter: Procedure[None], latency_s: float) -> None:
        self.reader = _End(reader)
        self.meter = _End(meter)
        self.latency_s = latency_s
        self.now = 0.0
        self._count = 0
        self._agenda: list[tuple[float, int, Any, tuple[Any, ...]]] = []

    def run(self, limit_s: float) -> Simulated[Any]:
        self._at(0.0, self._resume, self.meter, None)
        self._at(0.0, self._resume, self.reader, None)
        while not self.reader.done:
            if not self._agenda:
                raise TransportError("both ends wait for ever")
            self.now, _, action, arguments = heapq.heappop(self._agenda)
            if self.now > limit_s:
                raise TransportError(f"no end after {limit_s:g} simulated seconds")
            action(*arguments)
        return Simulated(self.reader.result, self.now)

    def _at(self, when: float, action: Any, *arguments: Any) -> None:
        self._count += 1
        heapq.heappush(self._agenda, (when, self._count, action, arguments))

    def _peer(self, end: _End) -> _End:
        return self.meter if end is self.reader else self.reader

    def _resume(self, end: _End, outcome: Outcome) -> None:
        while True:
            try:
                step = advance(end.procedure, outcome)
            except StopIteration as stop:
                end.result = stop.value
            except ProtocolError:
                if end is self.reader:
                    raise
                # As on a real line: a meter that breaks down is one that hangs up.
            else:
                outcome = self._perform(end, step)
                if outcome is None:
                    return
                continue
            end.done = True
            self._at(self.now + self.latency_s, self._hang_up, self._peer(end))
            return

    def _perform(self, end: _End, step: Step) -> Outcome:
        """Begin a step; what came of it, or `None` if that is known later."""
        match step:
            case Send(data):
                taken = self.now + _duration(end.line, len(data))
                self._at(taken + self.latency_s, self._arrive, end.line, self._peer(end), data)
                self._at(taken, self._resume, end, b"")
            case Pause(seconds):
                self._at(self.now + seconds, self._resume, end, b"")
            case SetLine():
                end.line = step
                return b""
            case Receive(timeout_s):
                end.waiting = step
                self._arm(end, timeout_s)
                self._deliver(end)
            case _:
                assert_never(step)
        return None

    def _arrive(self, sent_at: SetLine | None, receiver: _End, data: bytes) -> None:
        if sent_at is not None and receiver.line is not None and sent_at != receiver.line:
            data = bytes((byte * 37 + 11) & 0xFF for byte in data)
        if data:
            receiver.arrivals.append(data)
            self._deliver(receiver)

    def _hang_up(self, end: _End) -> None:
        end.peer_closed = True
        self._deliver(end)

    def _arm(self, end: _End, seconds: float) -> None:
        end.timer += 1
        self._at(self.now + seconds, self._expire, end, end.timer)

    def _deliver(self, end: _End) -> None:
        if end.waiting is None or not (end.arrivals or end.peer_closed):
            return
        gap_s = end.waiting.gap_s
        if gap_s is not None and end.arrivals:
            end.gathered += b"".join(end.arrivals)
            end.arrivals.clear()
            if not end.peer_closed:
                self._arm(end, gap_s)
                return
        data = bytes(end.gathered) or (end.arrivals.popleft() if end.arrivals else b"")
        self._answer(end, data)

    def _expire(self, end: _End, timer: int) -> None:
        if end.waiting is None or timer != end.timer:
            return
        self._answer(end, bytes(end.gathered) or timed_out(end.waiting.timeout_s))

    def _answer(self, end: _End, outcome: Outcome) -> None:
        end.waiting = None
        end.timer += 1
        end.gathered.clear()
        self._at(self.now, self._resume, end, outcome)


def _duration(line: SetLine | None, count: int) -> float:
    if line is None:
        return 0.0
    return count * (2 + line.bits + (line.parity != "N")) / line.baud
