"""`Ingest`: the one way into the store."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final

import msgspec
import structlog

from polymeter.bus import Bus, Delivery, NotNow, Rejected, Subscription
from polymeter.domain import Clock, Source
from polymeter.ingest.commit import commit, stage
from polymeter.ingest.items import Item, check
from polymeter.ingest.outcome import Entrance, Outcome, Status
from polymeter.ingest.relay import Relay
from polymeter.messages import INCOMING, STORED, InvalidMessage, NewMeterReading, decode
from polymeter.observe import metrics
from polymeter.store import ANY, Conflict, Scope, Store, StoreUnavailable, Tx, staged
from polymeter.store.staged import Staged

__all__ = ["Ingest"]

_PATTERNS: Final = ("new_meter_reading.#", "new_meter_readings.#")
_RELEASE_CHUNK: Final = 2000
_SWEEP_S: Final = 60.0

_log = structlog.get_logger(__name__)


class _Batch(msgspec.Struct):
    readings: list[msgspec.Raw]


class Ingest:
    """Commits readings and answers for each of them."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        clock: Clock,
        *,
        incoming: str = INCOMING,
        outgoing: str = STORED,
        tolerance_s: int = 900,
        prefetch: int = 500,
    ) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._incoming = incoming
        self._tolerance_s = tolerance_s
        self._prefetch = prefetch
        self.relay = Relay(store, bus, clock, exchange=outgoing)

    async def commit(
        self,
        batch: Sequence[NewMeterReading],
        entrance: Entrance,
        *,
        source: Source | None = None,
        frame: str | None = None,
    ) -> list[Outcome]:
        """Store readings; an outcome for each, in order. On return everything not refused is on disk.

        Args:
            batch: what came; duplicates and conflicts among them are settled in their order.
            entrance: the door they came by; it gives the organization and the source of messages without.
            source: for messages without, instead of the entrance's.
            frame: the receiver's id of the frame they were read from, for messages without.

        Raises:
            StoreUnavailable: nothing was stored; try again.
        """
        received = self._clock.now()
        if source is not None:
            entrance = replace(entrance, source=source)
        if frame is not None:
            batch = [m if m.frame else msgspec.structs.replace(m, frame=frame) for m in batch]
        checked = [check(message, entrance, received, self._tolerance_s) for message in batch]
        items = [item for item in checked if isinstance(item, Item)]
        with metrics.ingest_seconds.time():
            answers = iter(await self._write(items))
        outcomes = [next(answers) if isinstance(item, Item) else item for item in checked]
        for status in Status:
            if number := sum(outcome.status is status for outcome in outcomes):
                metrics.readings.labels(status).inc(number)
        self.relay.wake()
        return outcomes

    async def release_staged(self, organization: Scope, meters: Iterable[str] | None = None) -> int:
        """Store what waited and has a place now; how many that were.

        Called after a meter, alias, series, configuration or type changed.

        Args:
            organization: the one in which it changed; what came without an organization is tried too.
            meters: names the meter is called by, where the change was about one meter.
        """
        names = None if meters is None else list(meters)
        released, after = 0, 0
        while True:
            rows = await self._store.read(staged.take, organization, names, after=after, limit=_RELEASE_CHUNK)
            if not rows:
                break
            after = rows[-1].id
            await self._store.prepare(int(row.instant.timestamp()) for row in rows)
            released += await self._store.write(self._release, [row.id for row in rows])
        if released:
            self.relay.wake()
        return released

    async def start(self) -> Subscription:
        """Take readings from the bus; what is committed is acknowledged. Returns when it is listening."""
        # Named after its exchange: two platforms on one broker do not take each other's readings.
        queue = f"{self._incoming}.ingest"
        return await self._bus.subscribe(
            _PATTERNS, self._handle, exchange=self._incoming, queue=queue, prefetch=self._prefetch
        )

    async def run(self, listening: Callable[[], None] = lambda: None) -> None:
        """Take readings from the bus, relay the outbox and sweep what is staged, until cancelled.

        Args:
            listening: called once readings are taken.
        """
        subscription = await self.start()
        listening()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.relay.run())
                group.create_task(self._sweep())
        finally:
            await subscription.cancel()

    async def _write(self, items: list[Item]) -> list[Outcome]:
        if not items:
            return []
        await self._store.prepare({item.second for item in items})
        try:
            return await self._store.write(_commit_and_stage, items)
        except Conflict:
            # A meter or series was deleted while the batch was under way: its rows now say so.
            return await self._store.write(_commit_and_stage, items)

    def _release(self, tx: Tx, ids: list[int]) -> int:
        rows = staged.lock(tx, ids)
        items, waiting = [], []
        for row in rows:
            item = self._restored(row)
            if item is not None:
                items.append(item)
                waiting.append(row)
        outcomes = commit(tx, items)
        done = [row.id for row, o in zip(waiting, outcomes, strict=True) if o.status is not Status.STAGED]
        staged.remove(tx, ANY, done)
        staged.explain(
            tx,
            (
                (row.id, outcome.reason)
                for row, outcome in zip(waiting, outcomes, strict=True)
                if outcome.status is Status.STAGED and outcome.reason != row.reason
            ),
        )
        return len(done)

    def _restored(self, row: Staged) -> Item | None:
        entrance = Entrance("staged", row.organization, Source(row.source))
        item = check(decode(row.payload, NewMeterReading), entrance, row.received, self._tolerance_s)
        return item if isinstance(item, Item) else None

    async def _handle(self, deliveries: Sequence[Delivery]) -> None:
        readings: list[NewMeterReading] = []
        problems: list[str] = []
        for delivery in deliveries:
            good, bad = _read(delivery)
            readings += good
            problems += bad
        if problems and len(deliveries) > 1:
            raise Rejected("; ".join(problems[:5]))  # the bus hands them over one by one
        try:
            outcomes = await self.commit(readings, Entrance("bus"))
        except StoreUnavailable as error:
            raise NotNow(f"the store is unavailable: {error}") from error
        refused = [outcome.reason for outcome in outcomes if outcome.malformed]
        metrics.readings.labels(Status.REFUSED).inc(len(problems))
        if problems or refused:
            # What was well-formed is stored; the message itself is kept with the dead letters.
            raise Rejected("; ".join((problems + refused)[:5]))

    async def _sweep(self) -> None:
        """Catch what a race left behind: a meter created while its first reading was being staged."""
        while True:
            with contextlib.suppress(StoreUnavailable):
                await self.release_staged(ANY)
            await asyncio.sleep(_SWEEP_S)


def _commit_and_stage(tx: Tx, items: list[Item]) -> list[Outcome]:
    outcomes = commit(tx, items)
    stage(tx, items, outcomes)
    return outcomes


def _read(delivery: Delivery) -> tuple[list[NewMeterReading], list[str]]:
    """The readings of one message, and what is wrong with those that are none."""
    try:
        if not delivery.key.startswith("new_meter_readings."):
            return [decode(delivery.body, NewMeterReading)], []
        parts = decode(delivery.body, _Batch).readings
    except InvalidMessage as error:
        return [], [str(error)]
    good, bad = [], []
    for index, part in enumerate(parts):
        try:
            good.append(decode(bytes(part), NewMeterReading))
        except InvalidMessage as error:
            bad.append(f"readings[{index}].{error}")
    return good, bad
