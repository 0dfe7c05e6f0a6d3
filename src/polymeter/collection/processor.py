"""The processor: reads spooled frames, publishes what they say, and marks them done.

A frame is marked only when its readings are committed, so a crash at any point reads it again,
and reading it again changes nothing. What cannot be read yet goes to quarantine with its reason
and comes back by `polymeter replay`, or by itself when its meter becomes known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final
from zoneinfo import ZoneInfo

import structlog

from polymeter.bus import Bus, BusUnavailable
from polymeter.catalogue import Frame as DecodedFrame
from polymeter.catalogue import decode_frames
from polymeter.collection.publishing import Origin, batch_message, messages_of
from polymeter.domain import Source
from polymeter.messages import INCOMING
from polymeter.observe import metrics
from polymeter.store import (
    ANY,
    Frame,
    FrameStatus,
    Scope,
    Store,
    StoreUnavailable,
    Tx,
    channels,
    frames,
    meter_types,
    meters,
)
from polymeter.store.meters import Known

__all__ = ["Processor"]

_log = structlog.get_logger(__name__)

_BATCH: Final = 200
_IDLE_S: Final = 1.0
_RETRY_S: Final = 2.0
_RECONSIDER_S: Final = 30.0


class _NotYet(Exception):
    """Why a frame waits in quarantine, and which meter's appearance would release it."""

    def __init__(self, reason: str, meter: str | None = None) -> None:
        super().__init__(reason)
        self.meter = meter


class Processor:
    """Turns frames into messages. Several may run: reading a frame twice changes nothing."""

    def __init__(self, store: Store, bus: Bus, *, exchange: str = INCOMING, zone: str = "UTC") -> None:
        self._store = store
        self._bus = bus
        self._exchange = exchange
        self._zone = zone
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """There is a frame."""
        self._wake.set()

    async def run(self) -> None:
        """Process frames as they come, until cancelled."""
        loop = asyncio.get_running_loop()
        reconsidered = loop.time()
        while True:
            self._wake.clear()
            try:
                while await self.drain():
                    pass
                if loop.time() - reconsidered > _RECONSIDER_S:
                    reconsidered = loop.time()
                    await self._store.write(_reconsider)
            except (BusUnavailable, StoreUnavailable) as error:
                _log.warning("frames wait", reason=str(error))
                await asyncio.sleep(_RETRY_S)
                continue
            try:
                async with asyncio.timeout(_IDLE_S):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def drain(self) -> int:
        """Process one batch of waiting frames; how many there were.

        Raises:
            BusUnavailable, StoreUnavailable: the frames stay as they are.
        """
        batch = await self._store.read(frames.waiting, limit=_BATCH)
        for frame in batch:
            await self._process(frame)
        return len(batch)

    async def _process(self, frame: Frame) -> None:
        try:
            meter = await self._checked(frame)
        except _NotYet as waiting:
            metrics.frames.labels("quarantined").inc()
            _log.info("frame quarantined", frame=frame.id, reason=str(waiting))
            await self._store.write(
                frames.mark,
                [frame.id],
                FrameStatus.QUARANTINED,
                str(waiting).replace("\0", "�"),
                meter=waiting.meter,
            )
            return
        metrics.frames.labels("done").inc()
        await self._store.write(frames.mark, [frame.id], FrameStatus.DONE, meter=meter)

    async def _checked(self, frame: Frame) -> str:
        try:
            return await self._publish(frame)
        except (_NotYet, BusUnavailable, StoreUnavailable):
            raise
        except Exception as error:
            # One frame must not hold up all behind it: it waits until what it met is mended.
            _log.exception("frame failed", frame=frame.id)
            raise _NotYet(f"it cannot be published: {type(error).__name__}: {error}") from error

    async def _publish(self, frame: Frame) -> str:
        """Publish what a frame says; gives the name of the meter it came from."""
        decoded = self._decode(frame)
        name = frame.meter or decoded.decoded.meter.id
        if name is None:
            raise _NotYet("the frame does not say which meter it comes from")
        if "\0" in name:
            raise _NotYet(f"the meter's name {name!r} holds a NUL character")
        scope: Scope = frame.organization if frame.organization is not None else ANY
        known, zone, allowed = await self._store.read(_placed, scope, name, self._zone)
        if known is None:
            raise _NotYet(f"meter {name} is not known", name)
        origin = Origin(
            known.name, known.organization, ZoneInfo(zone), Source.PUSH, frame.received, frame.uid, allowed
        )
        messages = messages_of(decoded.readings, origin)
        if messages:
            key, body = batch_message(known.name, messages)
            await self._bus.publish(key, body, exchange=self._exchange)
        return known.name

    def _decode(self, frame: Frame) -> DecodedFrame:
        try:
            found = decode_frames(frame.payload, frame.protocol, explain=False)
        except Exception as error:
            # A decoder that fails on bytes is our bug; the frame is kept until it is mended.
            _log.exception("decoder failed", frame=frame.id)
            raise _NotYet(f"the decoder failed: {type(error).__name__}: {error}") from error
        if len(found) != 1:
            raise _NotYet(f"{len(found)} frames where one is expected")
        if not found[0].decoded.valid or found[0].decoded.encrypted:
            problems: Sequence[str] = [problem.message for problem in found[0].decoded.errors]
            raise _NotYet("; ".join(problems) or found[0].decoded.why)
        return found[0]


def _placed(tx: Tx, scope: Scope, name: str, default_zone: str) -> tuple[Known | None, str, set[str] | None]:
    """The meter called so, its zone, and the keys of the series it may deliver."""
    found = meters.resolve(tx, scope, [name]).get(name, [])
    if len(found) != 1:
        return None, default_zone, None
    known = found[0]
    if known.config is None:
        return known, default_zone, None
    config = meter_types.get_config(tx, known.organization, known.config)
    allowed = set(channels.allowed(tx, [known.config]).get(known.config, {}))
    return known, config.timezone if config is not None else default_zone, allowed


def _reconsider(tx: Tx) -> int:
    """Release quarantined frames whose meter has become known."""
    waiting = frames.page(tx, ANY, status=FrameStatus.QUARANTINED, limit=1000).rows
    names = {frame.meter for frame in waiting if frame.meter is not None}
    known = meters.resolve(tx, ANY, names)
    ids = [frame.id for frame in waiting if frame.meter is not None and len(known.get(frame.meter, [])) == 1]
    return frames.requeue(tx, ANY, ids=ids) if ids else 0
