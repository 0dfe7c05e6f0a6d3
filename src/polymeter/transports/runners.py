"""Drives procedures over real lines: one runner for blocking calls, one for asyncio.

The third runner, simulated time, is in `simulated`. All three understand the same four steps, so
a conversation is written once (`polymeter.protocols.procedure`) and never sees a socket.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol, TypeVar, assert_never

from polymeter.protocols.procedure import (
    Outcome,
    Parity,
    Pause,
    Procedure,
    Receive,
    Send,
    SetLine,
    advance,
)
from polymeter.protocols.wire import TimedOut, TransportError

__all__ = ["RECEIVE_MAX", "AsyncTransport", "Transport", "run", "run_blocking"]

T = TypeVar("T")

RECEIVE_MAX = 1 << 20
"""Bytes that one `Receive` with a gap may gather; a peer that never falls silent is cut off there."""


class Transport(Protocol):
    """A line to a meter, in blocking calls. Every failure is a `TransportError`."""

    def send(self, data: bytes) -> None:
        """Hand over bytes; returns when the line has taken them."""

    def receive(self, timeout_s: float) -> bytes:
        """What came, or ``b""`` once the line is closed; `TimedOut` if nothing came."""

    def set_line(self, baud: int, bits: int, parity: Parity) -> None:
        """Switch a serial line after all has been sent; nothing to do elsewhere."""

    def close(self) -> None:
        """Close the line; may be called twice."""


class AsyncTransport(Protocol):
    """A line to a meter, for asyncio. Every failure is a `TransportError`."""

    async def send(self, data: bytes) -> None:
        """Hand over bytes; returns when the line has taken them."""

    async def receive(self, timeout_s: float) -> bytes:
        """What came, or ``b""`` once the line is closed; `TimedOut` if nothing came."""

    async def set_line(self, baud: int, bits: int, parity: Parity) -> None:
        """Switch a serial line after all has been sent; nothing to do elsewhere."""

    async def close(self) -> None:
        """Close the line; may be called twice."""


def run_blocking(
    procedure: Procedure[T], transport: Transport, sleep: Callable[[float], None] = time.sleep
) -> T:
    """Drive `procedure` over `transport` to its result.

    Raises:
        ProtocolError: what the procedure raised, or the line did and the procedure let pass.
    """
    outcome: Outcome = None
    try:
        while True:
            step = advance(procedure, outcome)
            outcome = b""
            try:
                match step:
                    case Send(data):
                        transport.send(data)
                    case Receive(timeout_s, gap_s):
                        outcome = transport.receive(timeout_s)
                        if gap_s is not None and outcome:
                            outcome = _until_silence(transport, outcome, gap_s)
                    case Pause(seconds):
                        sleep(seconds)
                    case SetLine(baud, bits, parity):
                        transport.set_line(baud, bits, parity)
                    case _:
                        assert_never(step)
            except TransportError as error:
                outcome = error
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        procedure.close()


def _until_silence(transport: Transport, first: bytes, gap_s: float) -> bytes:
    gathered = bytearray(first)
    while len(gathered) < RECEIVE_MAX:
        try:
            more = transport.receive(gap_s)
        except TimedOut:
            break
        if not more:
            break
        gathered += more
    return bytes(gathered)


async def run(procedure: Procedure[T], transport: AsyncTransport) -> T:
    """Drive `procedure` over `transport` to its result; the asyncio twin of `run_blocking`."""
    outcome: Outcome = None
    try:
        while True:
            step = advance(procedure, outcome)
            outcome = b""
            try:
                match step:
                    case Send(data):
                        await transport.send(data)
                    case Receive(timeout_s, gap_s):
                        outcome = await transport.receive(timeout_s)
                        if gap_s is not None and outcome:
                            outcome = await _until_silence_async(transport, outcome, gap_s)
                    case Pause(seconds):
                        await asyncio.sleep(seconds)
                    case SetLine(baud, bits, parity):
                        await transport.set_line(baud, bits, parity)
                    case _:
                        assert_never(step)
            except TransportError as error:
                outcome = error
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        procedure.close()


async def _until_silence_async(transport: AsyncTransport, first: bytes, gap_s: float) -> bytes:
    gathered = bytearray(first)
    while len(gathered) < RECEIVE_MAX:
        try:
            more = await transport.receive(gap_s)
        except TimedOut:
            break
        if not more:
            break
        gathered += more
    return bytes(gathered)
