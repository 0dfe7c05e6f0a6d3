"""Where bytes wait between the event loop that received them and the procedure that asks.

Shared by every asyncio transport. A future and one `call_later` per wait are measurably cheaper
than streams with `asyncio.wait_for`, and meters are many.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from typing import cast

from polymeter.protocols.wire import TimedOut, TransportError

__all__ = ["AsyncStream", "Inbox", "timed_out"]


def timed_out(timeout_s: float) -> TimedOut:
    """The error of a line on which nothing came."""
    return TimedOut(f"nothing came within {timeout_s:g} s")


class Inbox:
    """Chunks in order of arrival, then the end of the line, clean or with its error."""

    __slots__ = ("_chunks", "_datagrams", "_ended", "_failure", "_stumble", "_waiter", "size")

    def __init__(self, datagrams: bool = False) -> None:
        self._chunks: deque[bytes] = deque()
        self._datagrams = datagrams
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False
        self._failure: Exception | None = None
        self._stumble: Exception | None = None
        self.size = 0

    def put(self, data: bytes) -> None:
        """Add what came from the line."""
        if not data:
            return
        self._chunks.append(data)
        self.size += len(data)
        self._wake()

    def end(self, failure: Exception | None = None) -> None:
        """Nothing more will come; `failure` says why if it was no clean close."""
        if not self._ended:
            self._ended = True
            self._failure = failure
            self._wake()

    def stumble(self, failure: Exception) -> None:
        """Say once that something failed on a line that goes on, as datagrams do."""
        self._stumble = failure
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def get(self, timeout_s: float) -> bytes:
        """The next datagram, or everything that waits on a stream; ``b""`` at the end.

        Raises:
            TimedOut: nothing came in time.
            TransportError: the line broke.
        """
        if not self._chunks and not self._ended and self._stumble is None:
            loop = asyncio.get_running_loop()
            self._waiter = loop.create_future()
            timer = loop.call_later(timeout_s, self._wake)
            try:
                await self._waiter
            finally:
                timer.cancel()
                self._waiter = None
        if self._chunks:
            return self._next()
        if self._stumble is not None:
            stumble, self._stumble = self._stumble, None
            raise TransportError(f"the line failed: {stumble}") from stumble
        if self._ended:
            if self._failure is not None:
                raise TransportError(f"the line broke: {self._failure}") from self._failure
            return b""
        raise timed_out(timeout_s)

    def _next(self) -> bytes:
        if self._datagrams or len(self._chunks) == 1:
            chunk = self._chunks.popleft()
            self.size -= len(chunk)
            return chunk
        everything = b"".join(self._chunks)
        self._chunks.clear()
        self.size = 0
        return everything


class AsyncStream(asyncio.Protocol):
    """A byte stream of the event loop (TCP, serial) as an `AsyncTransport`.

    Reading stops while more than `LIMIT` bytes wait, so a peer that floods us fills its own
    buffers and not ours.
    """

    LIMIT = 1 << 20
    CLOSE_S = 5.0
    HALF_CLOSES = True
    """Whether the end of our half can be said before the line closes."""

    def __init__(self, connected: Callable[[AsyncStream], None] | None = None) -> None:
        self._inbox = Inbox()
        self._connected = connected
        self._transport: asyncio.Transport | None = None
        self._writable: asyncio.Future[None] | None = None
        self._lost = False
        self._paused = False
        self._closed: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        # uvloop's transports have the methods of `asyncio.Transport` and do not inherit from it.
        self._transport = cast(asyncio.Transport, transport)
        self._closed = asyncio.get_running_loop().create_future()
        if self._connected is not None:
            self._connected(self)

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        self._inbox.put(bytes(data))
        if self._inbox.size > self.LIMIT and self._transport is not None and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """Called by the event loop; our own half stays open until we close it."""
        self._inbox.end()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        self._lost = True
        self._inbox.end(exc)
        self.resume_writing()
        if self._closed is not None and not self._closed.done():
            self._closed.set_result(None)

    def pause_writing(self) -> None:
        """Called by the event loop."""
        self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """Called by the event loop."""
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    @property
    def peer(self) -> str:
        """The other end's address, as text."""
        name = self._transport.get_extra_info("peername") if self._transport is not None else None
        if not name:
            return ""
        return f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"

    async def send(self, data: bytes) -> None:
        """See `AsyncTransport.send`."""
        if self._lost or self._transport is None or self._transport.is_closing():
            raise TransportError("the line is closed")
        self._transport.write(data)
        if self._writable is not None:
            await self._writable
            if self._lost:
                raise TransportError("the line closed while sending")

    async def receive(self, timeout_s: float) -> bytes:
        """See `AsyncTransport.receive`."""
        data = await self._inbox.get(timeout_s)
        if self._paused and self._transport is not None:
            self._paused = False
            if not self._lost:
                self._transport.resume_reading()
        return data

    async def set_line(self, baud: int, bits: int, parity: str) -> None:
        """A stream has no line settings; serial lines override this."""

    async def close(self) -> None:
        """Shut the connection down both ways, so that a meter's modem sees the end of the call.

        What was sent may take `CLOSE_S` seconds to leave; a peer that takes nothing more is cut off.
        """
        if self._transport is None or self._closed is None:
            return
        if not self._transport.is_closing():
            if self.HALF_CLOSES and self._transport.can_write_eof() and not self._lost:
                with contextlib.suppress(OSError):  # the peer went first: closed is what we want
                    self._transport.write_eof()
            self._transport.close()
        abandoned = asyncio.get_running_loop().call_later(self.CLOSE_S, self._transport.abort)
        try:
            await asyncio.shield(self._closed)
        finally:
            abandoned.cancel()
