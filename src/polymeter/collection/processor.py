"""The processor: reads spooled frames, publishes what they say, and marks them done.

A frame is marked only when its readings are committed, so a crash at any point reads it again,
and reading it again changes nothing. What cannot be read yet goes to quarantine with its reason
and comes back by `polymeter replay`, or by itself when its meter becomes known or gets its key.

How sealed frames are opened and proven is said in `sealed`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog

from polymeter.bus import Bus, BusUnavailable
from polymeter.catalogue import Frame as DecodedFrame
from polymeter.catalogue import decode_frames
from polymeter.collection import sealed
from polymeter.collection.publishing import Origin, batch_message, messages_of
from polymeter.collection.sealed import Keys, NotYet
from polymeter.domain import Source
from polymeter.messages import INCOMING
from polymeter.observe import metrics
from polymeter.store import (
    ANY,
    Frame,
    FrameStatus,
    Scope,
    SecretKey,
    Store,
    StoreUnavailable,
    Tx,
    channels,
    frames,
    meter_types,
    meters,
    secrets,
)
from polymeter.store.meters import Known

__all__ = ["Processor"]

_log = structlog.get_logger(__name__)

_BATCH: Final = 200
_IDLE_S: Final = 1.0
_RETRY_S: Final = 2.0
_RECONSIDER_S: Final = 30.0
_OVERLAP: Final = timedelta(minutes=2)
"""How far the clocks of two processes may be apart: keys of the time just before are looked at twice."""


class _Said(NamedTuple):
    """What a frame came to: the meter it is from, and why it gave nothing new, if it did not."""

    meter: str
    note: str | None = None


class Processor:
    """Turns frames into messages. Several may run: reading a frame twice changes nothing."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        key: SecretKey | None = None,
        *,
        exchange: str = INCOMING,
        zone: str = "UTC",
    ) -> None:
        self._store = store
        self._bus = bus
        self._key = key
        self._keys_seen: datetime | None = None
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
                    self._keys_seen = await self._store.write(_reconsider_since, self._keys_seen)
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
            said = await self._checked(frame)
        except NotYet as waiting:
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
        await self._store.write(frames.mark, [frame.id], FrameStatus.DONE, said.note, meter=said.meter)

    async def _checked(self, frame: Frame) -> _Said:
        try:
            return await self._publish(frame)
        except (NotYet, BusUnavailable, StoreUnavailable):
            raise
        except Exception as error:
            # One frame must not hold up all behind it: it waits until what it met is mended.
            _log.exception("frame failed", frame=frame.id)
            raise NotYet(f"it cannot be published: {type(error).__name__}: {error}") from error

    async def _publish(self, frame: Frame) -> _Said:
        """Publish what a frame says."""
        scope: Scope = frame.organization if frame.organization is not None else ANY
        decoded, owner = self._decode(frame), None
        if sealed.is_sealed(decoded):
            owner, keys = await self._store.read(
                sealed.keys_of, scope, frame, decoded.decoded.meter, self._key
            )
            outside, decoded = decoded.decoded.meter, self._decode(frame, keys)
            if (inside := decoded.decoded.meter).address != outside.address:
                await self._store.read(sealed.confirm, scope, inside, owner)
        sealed.check(decoded, owner)
        names = sealed.names_of(frame, decoded.decoded.meter, sealed=owner is not None)
        if not names:
            raise NotYet("the frame does not say which meter it comes from")
        if any("\0" in name for name in names):
            raise NotYet(f"the meter's name {names[0]!r} holds a NUL character")
        known, zone, allowed = await self._store.read(_placed, scope, names, owner, self._zone)
        if known is None:
            raise sealed.unknown(names[0])
        if seals := decoded.decoded.seals:
            echo = await self._store.write(sealed.accept, known, frame.protocol, seals, frame.id)
            if echo is not None:
                return _Said(known.name, echo.reason)
        origin = Origin(
            known.name, known.organization, ZoneInfo(zone), Source.PUSH, frame.received, frame.uid, allowed
        )
        messages = messages_of(decoded.readings, origin)
        if messages:
            key, body = batch_message(known.name, messages)
            await self._bus.publish(key, body, exchange=self._exchange)
        return _Said(known.name)

    def _decode(self, frame: Frame, keys: Keys | None = None) -> DecodedFrame:
        keys = keys or Keys()
        try:
            found = decode_frames(
                frame.payload,
                frame.protocol,
                keys=keys.encryption,
                auth_key=keys.authentication,
                explain=False,
            )
        except Exception as error:
            # A decoder that fails on bytes is our bug; the frame is kept until it is mended.
            _log.exception("decoder failed", frame=frame.id)
            raise NotYet(f"the decoder failed: {type(error).__name__}: {error}") from error
        if len(found) != 1:
            raise NotYet(f"{len(found)} frames where one is expected")
        return found[0]


def _placed(
    tx: Tx, scope: Scope, names: Sequence[str], owner: Known | None, default_zone: str
) -> tuple[Known | None, str, set[str] | None]:
    """The meter called so, its zone, and the keys of the series it may deliver."""
    known = owner or sealed.called(tx, scope, names)
    if known is None:
        return None, default_zone, None
    if known.config is None:
        return known, default_zone, None
    config = meter_types.get_config(tx, known.organization, known.config)
    allowed = set(channels.allowed(tx, [known.config]).get(known.config, {}))
    return known, config.timezone if config is not None else default_zone, allowed


def _reconsider_since(tx: Tx, since: datetime | None) -> datetime:
    """Release what need not wait any more; gives the moment from which keys are new the next time."""
    _reconsider(tx, since)
    return tx.now - _OVERLAP


def _reconsider(tx: Tx, since: datetime | None = None) -> int:
    """Release quarantined frames whose meter has become known, or has got a key since then."""
    waiting: dict[UUID | None, list[str]] = {}
    for organization, name in frames.awaited(tx):
        waiting.setdefault(organization, []).append(name)
    released = 0
    for organization, names in waiting.items():
        known = _known(tx, organization if organization is not None else ANY, names)
        keyed = secrets.renewed(tx, {one.id for one in known.values()}, sealed.KINDS, since)
        for name, meter in known.items():
            reason = None if meter.id in keyed else sealed.unknown_reason(name)
            released += frames.release(tx, organization, name, reason)
    return released


def _known(tx: Tx, scope: Scope, names: Sequence[str]) -> dict[str, Known]:
    """Those of the names that frames wait under which are one meter's by now."""
    found = meters.resolve(tx, scope, {other for name in names for other in sealed.also_called(name)})
    meant = {
        name: next((found[other] for other in sealed.also_called(name) if found.get(other)), [])
        for name in names
    }
    return {name: some[0] for name, some in meant.items() if len(some) == 1}
