"""The bus inside one process: publishing waits for the durable subscribers' handlers."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from polymeter.bus.bus import BusUnavailable, Delivery, Handler, NotNow, Rejected, Unroutable, matches
from polymeter.observe import metrics

__all__ = ["MemoryBus"]

_LISTENER_MAX: Final = 10_000
"""Messages a slow listener may be behind before it misses the oldest."""
_DEAD_MAX: Final = 1_000

_log = structlog.get_logger(__name__)


@dataclass(eq=False, slots=True)
class _Member:
    """One subscriber; those with the same queue name take turns."""

    bus: MemoryBus
    exchange: str
    patterns: list[str]
    handler: Handler
    queue: str | None
    prefetch: int
    waiting: deque[Delivery] = field(default_factory=lambda: deque(maxlen=_LISTENER_MAX))
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)

    def wants(self, exchange: str, key: str) -> bool:
        return self.exchange == exchange and any(matches(pattern, key) for pattern in self.patterns)

    async def cancel(self) -> None:
        with contextlib.suppress(ValueError):
            self.bus._members.remove(self)
        if self.task is not None:
            self.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.task
        async with self.busy:
            pass

    async def listen(self) -> None:
        """A listener's own loop: it may be slow or fail, and nobody waits for it."""
        while True:
            await self.wake.wait()
            self.wake.clear()
            while self.waiting:
                batch = [self.waiting.popleft() for _ in range(min(self.prefetch, len(self.waiting)))]
                try:
                    await self.handler(batch)
                except Exception:
                    _log.exception("a listener failed", patterns=self.patterns)


class MemoryBus:
    """See `Bus`. Messages are nowhere but in the call of `publish`: whoever published still has them."""

    def __init__(self) -> None:
        self._members: list[_Member] = []
        self._turn: dict[str, int] = {}
        self._closed = False
        self.dead_letters: deque[tuple[Delivery, str]] = deque(maxlen=_DEAD_MAX)

    async def publish(self, key: str, body: bytes, *, exchange: str, required: bool = True) -> None:
        await self.publish_many([(key, body)], exchange=exchange, required=required)

    async def publish_many(
        self, messages: Sequence[tuple[str, bytes]], *, exchange: str, required: bool = True
    ) -> None:
        if self._closed:
            raise BusUnavailable("the bus is closed")
        plan: dict[str, list[Delivery]] = {}
        for key, body in messages:
            delivery = Delivery(key, body)
            queues = self._route(exchange, delivery)
            if required and not queues:
                raise Unroutable(f"no durable subscriber for {key} on {exchange}")
            for queue in queues:
                plan.setdefault(queue, []).append(delivery)
        for queue, deliveries in plan.items():
            await self._deliver(queue, deliveries)

    async def subscribe(
        self,
        patterns: Sequence[str],
        handler: Handler,
        *,
        exchange: str,
        queue: str | None = None,
        prefetch: int = 100,
    ) -> _Member:
        if self._closed:
            raise BusUnavailable("the bus is closed")
        member = _Member(self, exchange, list(patterns), handler, queue, prefetch)
        self._members.append(member)
        if queue is None:
            member.task = asyncio.create_task(member.listen())
        return member

    async def ping(self) -> None:
        if self._closed:
            raise BusUnavailable("the bus is closed")

    async def close(self) -> None:
        self._closed = True
        for member in list(self._members):
            await member.cancel()

    def _route(self, exchange: str, delivery: Delivery) -> set[str]:
        queues: set[str] = set()
        for member in self._members:
            if not member.wants(exchange, delivery.key):
                continue
            if member.queue is None:
                member.waiting.append(delivery)
                member.wake.set()
            else:
                queues.add(member.queue)
        return queues

    async def _deliver(self, queue: str, deliveries: list[Delivery]) -> None:
        members = [member for member in self._members if member.queue == queue]
        if not members:
            raise BusUnavailable(f"the subscriber of {queue} has gone")
        turn = self._turn[queue] = self._turn.get(queue, -1) + 1
        member = members[turn % len(members)]
        for start in range(0, len(deliveries), member.prefetch):
            await self._hand_over(member, deliveries[start : start + member.prefetch])

    async def _hand_over(self, member: _Member, batch: list[Delivery]) -> None:
        try:
            async with member.busy:
                await member.handler(batch)
        except Rejected as error:
            if len(batch) > 1:
                # One bad message must not take its neighbours along.
                for delivery in batch:
                    await self._hand_over(member, [delivery])
                return
            metrics.dead_letters.inc()
            _log.warning("message given up", key=batch[0].key, reason=str(error))
            self.dead_letters.append((batch[0], str(error)))
        except NotNow as error:
            raise BusUnavailable(str(error)) from error
        except Exception as error:
            raise BusUnavailable(f"{type(error).__name__}: {error}") from error
