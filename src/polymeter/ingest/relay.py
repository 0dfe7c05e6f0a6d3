"""The relay: publishes what the outbox holds, after the commit, in order, and again after a restart.

A message leaves the outbox when the bus has it. Should we die between the two, it is published twice:
listeners know a reading by meter, series and timestamp.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Final

import msgspec
import structlog

from polymeter.bus import Bus, BusUnavailable
from polymeter.domain import Clock
from polymeter.messages import STORED, InvalidTopic, NewMeterReading, encode, routing_key
from polymeter.observe import metrics
from polymeter.store import Store, StoreUnavailable, leases, outbox

__all__ = ["Relay"]

_LEASE_S: Final = 30
_IDLE_S: Final = 2.0
"""How long another process's commit may wait to be told, when nothing wakes us."""

_log = structlog.get_logger(__name__)
_DECODER: Final = msgspec.json.Decoder(list[NewMeterReading])


class Relay:
    """Empties the outbox. Any number may run; a lease lets one at a time publish, so the order is kept."""

    def __init__(self, store: Store, bus: Bus, clock: Clock, *, exchange: str = STORED) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._exchange = exchange
        self._owner = f"relay-{secrets.token_hex(8)}"
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """There is something to publish."""
        self._wake.set()

    async def drain(self) -> int:
        """Publish all there is; how many readings that were.

        Raises:
            BusUnavailable, StoreUnavailable: the rest stays in the outbox.
        """
        published = 0
        while True:
            lease = await self._store.write(leases.take, "outbox relay", self._owner, _LEASE_S)
            if lease is None:
                return published
            batch = await self._store.read(outbox.waiting)
            metrics.outbox_waiting.set(len(batch))
            if not batch:
                await self._store.write(leases.release, lease)
                return published
            messages = [message for _, body in batch for message in self._messages(body)]
            await self._bus.publish_many(messages, exchange=self._exchange, required=False)
            await self._store.write(outbox.remove, [id for id, _ in batch])
            published += len(messages)
            metrics.published.inc(len(messages))

    async def run(self) -> None:
        """Drain whenever woken, and now and then for what other processes left."""
        while True:
            self._wake.clear()
            try:
                await self.drain()
            except (BusUnavailable, StoreUnavailable) as error:
                _log.warning("the outbox waits", reason=str(error))
            try:
                async with asyncio.timeout(_IDLE_S):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _messages(self, body: bytes) -> list[tuple[str, bytes]]:
        return [(_key(reading), encode(reading)) for reading in _DECODER.decode(body)]


def _key(reading: NewMeterReading) -> str:
    try:
        return routing_key("new_meter_reading", reading.meter, reading.series)
    except InvalidTopic:
        # Names too long for a routing key: the message still says them, `new_meter_reading.#` still gets it.
        # ASCII first, because one character of a name may be twelve of a key.
        return routing_key("new_meter_reading", _short(reading.meter), _short(reading.series))


def _short(name: str) -> str:
    return name.encode("ascii", "replace").decode()[:30]
