"""Two ends of one line in memory, for programs that carry both the reader and the meter.

What one end sends the other receives, in the same pieces. `pair` is for asyncio, `blocking_pair`
for two threads.
"""

from __future__ import annotations

import queue

from polymeter.protocols.wire import TransportError
from polymeter.transports.inbox import Inbox, timed_out

__all__ = ["AsyncLoopback", "Loopback", "blocking_pair", "pair"]


class AsyncLoopback:
    """One end of a line in memory, as an `AsyncTransport`."""

    def __init__(self, inbox: Inbox, outbox: Inbox) -> None:
        self._inbox = inbox
        self._outbox = outbox
        self._closed = False

    async def send(self, data: bytes) -> None:
        """See `AsyncTransport.send`."""
        if self._closed:
            raise TransportError("the line is closed")
        self._outbox.put(data)

    async def receive(self, timeout_s: float) -> bytes:
        """See `AsyncTransport.receive`."""
        return await self._inbox.get(timeout_s)

    async def set_line(self, baud: int, bits: int, parity: str) -> None:
        """A line in memory has no settings."""

    async def close(self) -> None:
        """See `AsyncTransport.close`; the other end sees the line closed."""
        self._closed = True
        self._outbox.end()
        self._inbox.end()


class Loopback:
    """One end of a line in memory, as a `Transport`."""

    def __init__(self, inbox: queue.SimpleQueue[bytes], outbox: queue.SimpleQueue[bytes]) -> None:
        self._inbox = inbox
        self._outbox = outbox
        self._closed = False
        self._ended = False

    def send(self, data: bytes) -> None:
        """See `Transport.send`."""
        if self._closed:
            raise TransportError("the line is closed")
        if data:
            self._outbox.put(data)

    def receive(self, timeout_s: float) -> bytes:
        """See `Transport.receive`."""
        if self._ended:
            return b""
        try:
            data = self._inbox.get(timeout=timeout_s)
        except queue.Empty as error:
            raise timed_out(timeout_s) from error
        self._ended = not data
        return data

    def set_line(self, baud: int, bits: int, parity: str) -> None:
        """A line in memory has no settings."""

    def close(self) -> None:
        """See `Transport.close`; the other end sees the line closed."""
        if not self._closed:
            self._closed = True
            self._outbox.put(b"")
            self._inbox.put(b"")


def pair() -> tuple[AsyncLoopback, AsyncLoopback]:
    """The two ends of a new line, for asyncio."""
    one, other = Inbox(), Inbox()
    return AsyncLoopback(one, other), AsyncLoopback(other, one)


def blocking_pair() -> tuple[Loopback, Loopback]:
    """The two ends of a new line, for two threads."""
    one: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    other: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    return Loopback(one, other), Loopback(other, one)
