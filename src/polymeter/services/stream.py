"""The event stream: what was committed, told to whoever listens, each caller its own organization's.

One subscription to the outgoing exchange serves all listeners. Each has a queue of its own; a listener that
does not keep up loses the oldest messages and is told how many. Nobody waits for a listener.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import msgspec

from polymeter.bus import Bus, Delivery, Subscription
from polymeter.messages import InvalidTopic, parse_key
from polymeter.services.problems import Problem
from polymeter.store import Scope

__all__ = ["HEARTBEAT_S", "LISTENERS_MAX", "QUEUE_MAX", "Stream"]

QUEUE_MAX: Final = 1000
LISTENERS_MAX: Final = 1000
HEARTBEAT_S: Final = 15.0


class _About(msgspec.Struct):
    """The fields of any message that decide who may hear it."""

    organization: UUID | None = None
    meter: str | None = None


_ABOUT: Final = msgspec.json.Decoder(_About)


@dataclass(eq=False, slots=True)
class _Listener:
    scope: Scope
    meter: str | None
    waiting: deque[bytes] = field(default_factory=deque)
    dropped: int = 0
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def hears(self, about: _About) -> bool:
        # A message that does not say whose it is is the platform's alone.
        mine = about.organization == self.scope if isinstance(self.scope, UUID) else True
        return mine and self.meter in (None, about.meter)

    def put(self, event: bytes) -> None:
        if len(self.waiting) >= QUEUE_MAX:
            self.waiting.popleft()
            self.dropped += 1
        self.waiting.append(event)
        self.wake.set()


class Stream:
    """Serves listeners; subscribes to the bus when the first one comes."""

    def __init__(self, bus: Bus, exchange: str) -> None:
        self._bus = bus
        self._exchange = exchange
        self._listeners: set[_Listener] = set()
        self._subscription: Subscription | None = None
        self._starting = asyncio.Lock()
        self._closed = False

    @property
    def listeners(self) -> int:
        """How many are listening."""
        return len(self._listeners)

    async def events(
        self,
        scope: Scope,
        *,
        meter: str | None = None,
        still: Callable[[], Awaitable[bool]] | None = None,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> AsyncIterator[bytes]:
        """Server-sent events for one caller. Listening has begun when the first bytes come.

        Args:
            meter: only messages about the meter of that name.
            still: asked at every heartbeat whether the caller may go on listening.

        Raises:
            Problem: there are too many listeners, or we are shutting down.
            BusUnavailable: nothing can be heard just now.
        """
        if self._closed or len(self._listeners) >= LISTENERS_MAX:
            raise Problem(503, "no more listeners just now", headers={"Retry-After": "10"})
        await self._start()
        return self._run(_Listener(scope, meter), still, heartbeat_s)

    async def close(self) -> None:
        """End every stream; those who listen hear `bye`."""
        self._closed = True
        for listener in self._listeners:
            listener.wake.set()
        if self._subscription is not None:
            await self._subscription.cancel()
            self._subscription = None

    async def _start(self) -> None:
        async with self._starting:
            if self._subscription is None:
                self._subscription = await self._bus.subscribe(["#"], self._hear, exchange=self._exchange)

    async def _run(
        self, listener: _Listener, still: Callable[[], Awaitable[bool]] | None, heartbeat_s: float
    ) -> AsyncIterator[bytes]:
        self._listeners.add(listener)
        try:
            yield b": polymeter\nretry: 3000\n\n"
            loop = asyncio.get_running_loop()
            checked = loop.time()
            while not self._closed:
                quiet = False
                try:
                    async with asyncio.timeout(heartbeat_s):
                        await listener.wake.wait()
                except TimeoutError:
                    quiet = True
                listener.wake.clear()
                # A busy stream is asked as often as a quiet one.
                if still is not None and loop.time() - checked >= heartbeat_s:
                    checked = loop.time()
                    if not await still():
                        break
                if quiet:
                    yield b": heartbeat\n\n"
                if listener.dropped:
                    dropped, listener.dropped = listener.dropped, 0
                    yield b'event: dropped\ndata: {"count":%d}\n\n' % dropped
                while listener.waiting and not self._closed:
                    yield listener.waiting.popleft()
            yield b"event: bye\ndata: {}\n\n"
        finally:
            self._listeners.discard(listener)

    async def _hear(self, deliveries: Sequence[Delivery]) -> None:
        if not self._listeners:
            return
        for delivery in deliveries:
            with contextlib.suppress(msgspec.DecodeError, InvalidTopic, UnicodeDecodeError):
                kind = parse_key(delivery.key).kind
                about = _ABOUT.decode(delivery.body)
                # JSON on one line: our own encoder writes no line breaks, another publisher's might.
                body = delivery.body.replace(b"\r", b" ").replace(b"\n", b" ")
                event = b"event: %s\ndata: %s\n\n" % (kind.encode(), body)
                for listener in self._listeners:
                    if listener.hears(about):
                        listener.put(event)
