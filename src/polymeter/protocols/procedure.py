"""The vocabulary in which every conversation with a meter is written, once.

A procedure is a generator that yields steps and returns its result. It knows what to say and how
long to wait, never how bytes travel: a runner of `polymeter.transports` drives the same generator
over asyncio, over blocking calls or in simulated time. Procedures call each other with
``yield from``; retries are theirs. The meter's end of a conversation is a procedure as well.

    def ask(connection: Connection) -> Procedure[Answer]:
        yield Send(connection.send(Request()))
        connection.receive_data((yield Receive(timeout_s=1.5)))
        ...

`Receive` is answered with what came; ``b""`` means that the line was closed. If nothing comes in
time the runner raises `TimedOut` inside the generator. All other steps are answered with ``b""``.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Final, Literal, NamedTuple, Protocol, TypeVar

from polymeter.protocols.wire import NeedData, RemoteProtocolError, TimedOut, TransportError

__all__ = [
    "Outcome",
    "Parity",
    "Pause",
    "Procedure",
    "Receive",
    "Send",
    "SetLine",
    "Splitter",
    "Step",
    "advance",
    "next_pushed",
    "push_frames",
    "relay",
]

Parity = Literal["N", "E", "O"]
T = TypeVar("T")


class Send(NamedTuple):
    """Hand these bytes to the line; continues when the line has taken them."""

    data: bytes


class Receive(NamedTuple):
    """Wait for bytes, at most `timeout_s` seconds; one datagram at a time where there are such.

    With `gap_s` the answer is everything up to a silence of that many seconds.
    """

    timeout_s: float
    gap_s: float | None = None


class SetLine(NamedTuple):
    """Switch a serial line, after what was sent has left; other transports ignore it."""

    baud: int
    bits: int = 8
    parity: Parity = "N"


class Pause(NamedTuple):
    """Let time pass."""

    seconds: float


Step = Send | Receive | SetLine | Pause
Procedure = Generator[Step, bytes, T]

Outcome = bytes | TransportError | None


def advance(procedure: Procedure[T], outcome: Outcome) -> Step:
    """Give a procedure the outcome of its last step (`None` to start it) and get the next.

    Raises:
        StopIteration: the procedure is done; its value is the result.
    """
    if outcome is None:
        return next(procedure)
    if isinstance(outcome, TransportError):
        return procedure.throw(outcome)
    return procedure.send(outcome)


def relay(procedure: Procedure[T], perform: Callable[[Step], Procedure[Outcome]]) -> Procedure[T]:
    """Put something between a procedure and its line: `perform` does each step in the line's stead.

    `perform` is a generator function. It may yield the step, others besides, or none, and returns
    the outcome for the procedure; a `TransportError` that it raises or returns is raised there.
    """
    outcome: Outcome = None
    try:
        while True:
            try:
                step = advance(procedure, outcome)
            except StopIteration as stop:
                result: T = stop.value
                return result
            try:
                outcome = yield from perform(step)
            except TransportError as error:
                outcome = error
    finally:
        procedure.close()


class Splitter(Protocol):
    """What cuts whole frames out of a stream that a meter pushes by itself."""

    def receive_data(self, data: bytes) -> None:
        """Take in what came."""

    def next_frame(self) -> bytes | NeedData:
        """The next whole frame, or `NEED_DATA`; `RemoteProtocolError` for one that is damaged."""


_DAMAGED_MAX: Final = 5
"""How many damaged frames in a row are passed over before the line is called bad."""
_NOISE_MAX: Final = 1 << 20
"""How many bytes without a frame are heard out; a line's chatter must end somewhere without a clock."""


def next_pushed(stream: Splitter, timeout_s: float) -> Procedure[bytes]:
    """Wait for the next whole frame. One that comes damaged is passed over: another follows.

    Raises:
        TimedOut: nothing came for `timeout_s`.
        RemoteProtocolError: only damaged frames come, or no frames at all.
        TransportError: the line closed.
    """
    damaged = heard = 0
    while True:
        try:
            frame = stream.next_frame()
        except RemoteProtocolError:
            damaged += 1
            if damaged >= _DAMAGED_MAX:
                raise
            continue
        if not isinstance(frame, NeedData):
            return frame
        if heard > _NOISE_MAX:
            raise RemoteProtocolError(f"{heard} bytes came and no frame was among them", heard)
        data = yield Receive(timeout_s)
        if not data:
            raise TransportError("the line closed before a frame was whole")
        heard += len(data)
        stream.receive_data(data)


def push_frames(frames: Callable[[], Sequence[bytes]], period_s: float = 1.0) -> Procedure[None]:
    """Send the frames of now, again and again, until the listener hangs up: what a pushing meter does."""
    while True:
        for frame in frames():
            yield Send(frame)
        try:
            if not (yield Receive(period_s)):
                return
        except TimedOut:
            continue
