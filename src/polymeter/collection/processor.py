"""The processor: reads spooled frames, publishes what they say, and marks them done.

A frame is marked only when its readings are committed, so a crash at any point reads it again,
and reading it again changes nothing. What cannot be read yet goes to quarantine with its reason
and comes back by `polymeter replay`, or by itself when its meter becomes known or gets its key.

How sealed frames are opened and proven is said in `sealed`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import structlog

from polymeter.bus import Bus, BusUnavailable
from polymeter.catalogue import Frame as DecodedFrame
from polymeter.catalogue import decode_frames
from polymeter.collection import sealed
from polymeter.collection.companions import Companions, Incomplete, awaited, has_companions
from polymeter.collection.publishing import Origin, batch_message, messages_of
from polymeter.collection.quarantine import reconsider_since
from polymeter.collection.sealed import Keys, NotYet
from polymeter.domain import Source
from polymeter.messages import INCOMING
from polymeter.observe import metrics
from polymeter.protocols.wire import MeterIdentity
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
)
from polymeter.store.meters import Known

__all__ = ["Processor"]

_log = structlog.get_logger(__name__)

_BATCH: Final = 200
_AT_ONCE: Final = 32
"""Senders whose frames are read at the same time."""
_IDLE_S: Final = 1.0
_RETRY_S: Final = 2.0
_RECONSIDER_S: Final = 30.0


_NO_KEYS: Final = Keys()


class _Said(NamedTuple):
    """What a frame came to: the meter it is from, and why it gave nothing new, if it did not."""

    meter: Known
    note: str | None = None
    parts: tuple[int, ...] = ()
    """Frames that waited for this one and were read with it."""


class _Place(NamedTuple):
    """A meter, its zone, and the keys of the series it may deliver; all of them if `None`."""

    meter: Known
    zone: str
    allowed: set[str] | None


class _Opened(NamedTuple):
    """A frame as it can be read: by whose keys, with which parts, and why it gives nothing new, if so."""

    decoded: DecodedFrame
    owner: _Place | None = None
    parts: tuple[int, ...] = ()
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
        plain: bool = False,
    ) -> None:
        self._store = store
        self._bus = bus
        self._companions = Companions(store)
        self._key = key
        self._keys_seen: datetime | None = None
        self._exchange = exchange
        self._zone = zone
        self._plain = plain
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
                    self._keys_seen = await self._store.write(reconsider_since, self._keys_seen)
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
        # Frames of one sender are read in their order, since counters rise and messages have parts; those
        # of many at once, since each waits for the disk several times and they share its commits.
        senders: dict[str, list[tuple[Frame, DecodedFrame | NotYet]]] = {}
        for frame in batch:
            first = self._first(frame)
            await asyncio.sleep(0)  # a batch may take long to decode; receivers go on meanwhile
            senders.setdefault(_sender(frame, first), []).append((frame, first))
        turns = asyncio.Semaphore(_AT_ONCE)
        done = await asyncio.gather(
            *(self._in_turn(turns, theirs) for theirs in senders.values()), return_exceptions=True
        )
        for failure in done:
            if isinstance(failure, BaseException):
                raise failure
        return len(batch)

    async def _in_turn(
        self, turns: asyncio.Semaphore, theirs: Sequence[tuple[Frame, DecodedFrame | NotYet]]
    ) -> None:
        async with turns:
            for frame, first in theirs:
                await self._process(frame, first)

    def _first(self, frame: Frame) -> DecodedFrame | NotYet:
        """What a frame says to whoever has no key."""
        try:
            return self._decode(frame)
        except NotYet as waiting:
            return waiting

    async def _process(self, frame: Frame, first: DecodedFrame | NotYet) -> None:
        try:
            said = await self._checked(frame, first)
        except NotYet as waiting:
            metrics.frames.labels("quarantined").inc()
            _log.info("frame quarantined", frame=frame.id, reason=str(waiting))
            await self._store.write(_waits, frame, waiting)
            if isinstance(waiting, Incomplete):
                await self._companions.waiting(frame, waiting)
            return
        metrics.frames.labels("done").inc()
        untaught = await self._store.write(_done, frame, said)
        if untaught:
            await self._teach(frame, said.meter, untaught)

    async def _teach(self, frame: Frame, known: Known, untaught: Sequence[Frame]) -> None:
        """Release the frames of a meter that waited for what a frame of it says."""
        try:
            keys = await self._store.read(sealed.kept_keys, known, frame.protocol, self._key)
            await self._companions.arrived(frame, known, untaught, partial(self._decode_with, keys))
        except NotYet as problem:
            # They go on waiting; this frame is done.
            _log.warning(
                "frames of a meter still wait", frame=frame.id, meter=known.name, reason=str(problem)
            )

    async def _checked(self, frame: Frame, first: DecodedFrame | NotYet) -> _Said:
        if isinstance(first, NotYet):
            raise first
        try:
            return await self._publish(frame, first)
        except (NotYet, BusUnavailable, StoreUnavailable):
            raise
        except Exception as error:
            # One frame must not hold up all behind it: it waits until what it met is mended.
            _log.exception("frame failed", frame=frame.id)
            raise NotYet(f"it cannot be published: {type(error).__name__}: {error}") from error

    async def _publish(self, frame: Frame, first: DecodedFrame) -> _Said:
        """Publish what a frame says, which was decoded without a key."""
        scope: Scope = frame.organization if frame.organization is not None else ANY
        decoded, place, parts, note = await self._opened(frame, first, scope)
        if place is not None and note is not None:
            return _Said(place.meter, note)
        sealed.check(decoded, place.meter if place is not None else None)
        if place is None:
            names = sealed.names_of(frame, decoded.decoded.meter)
            place = await self._store.read(_placed, scope, names, self._zone)
        known = place.meter
        if seals := decoded.decoded.seals:
            echo = await self._store.write(sealed.accept, known, frame.protocol, seals, frame.id)
            if echo is not None:
                return _Said(known, echo.reason, parts)
        origin = Origin(
            known.name,
            known.organization,
            ZoneInfo(place.zone),
            Source.PUSH,
            frame.received,
            frame.uid,
            place.allowed,
        )
        messages = messages_of(decoded.readings, origin)
        unsealed = not decoded.decoded.seals and not self._plain
        if messages and unsealed and await self._store.read(sealed.is_plain, known, decoded):
            raise NotYet(
                f"meter {known.name} has a key and the frame is not encrypted: anybody may have sent it"
                " (the setting PLAIN_PUSHES takes such frames)"
            )
        if messages:
            key, body = batch_message(known.name, messages)
            await self._bus.publish(key, body, exchange=self._exchange)
        return _Said(known, None, parts)

    async def _opened(self, frame: Frame, first: DecodedFrame, scope: Scope) -> _Opened:
        """A frame with its sender's keys, and with the telegrams of its sender that it needs."""
        outside, is_sealed = first.decoded.meter, sealed.is_sealed(first)
        if not is_sealed and first.decoded.waits_for is None:
            return _Opened(first)
        place, keys = await self._store.read(
            _keyed, scope, frame, outside, self._key, self._zone, needed=is_sealed
        )
        owner = place.meter
        decoded = self._decode(frame, keys) if is_sealed else first
        parts: tuple[int, ...] = ()
        if (waits_for := decoded.decoded.waits_for) is not None:
            whole = await self._companions.read(frame, owner, waits_for, partial(self._decode_with, keys))
            if whole.note is not None:
                return _Opened(decoded, place, note=whole.note)
            decoded, parts = whole.decoded, whole.parts
        if (inside := decoded.decoded.meter).address != outside.address:
            await self._store.read(sealed.confirm, scope, inside, owner)
        return _Opened(decoded, place, parts)

    def _decode_with(self, keys: Keys, frame: Frame, context: Sequence[bytes]) -> DecodedFrame:
        return self._decode(frame, keys, context)

    def _decode(self, frame: Frame, keys: Keys = _NO_KEYS, context: Sequence[bytes] = ()) -> DecodedFrame:
        try:
            found = decode_frames(
                frame.payload,
                frame.protocol,
                keys=keys.encryption,
                auth_key=keys.authentication,
                explain=False,
                context=context,
            )
        except Exception as error:
            # A decoder that fails on bytes is our bug; the frame is kept until it is mended.
            _log.exception("decoder failed", frame=frame.id)
            raise NotYet(f"the decoder failed: {type(error).__name__}: {error}") from error
        if len(found) != 1:
            raise NotYet(f"{len(found)} frames where one is expected")
        return found[0]


def _sender(frame: Frame, first: DecodedFrame | NotYet) -> str:
    """Whose frames must be read in order."""
    if isinstance(first, NotYet):
        return f"frame {frame.id}"
    meter = first.decoded.meter
    name = meter.system_title or meter.address or meter.id or frame.meter
    return f"{frame.organization}/{name}" if name is not None else f"frame {frame.id}"


def _waits(tx: Tx, frame: Frame, waiting: NotYet) -> None:
    """Put a frame into quarantine; of strangers only as many are kept as their entrance says."""
    reason, meter = str(waiting).replace("\0", "�"), waiting.meter
    frames.mark(tx, [frame.id], FrameStatus.QUARANTINED, reason, meter=meter)
    keep = frame.meta.get("strangers")
    if keep is not None and meter is not None and reason == sealed.unknown_reason(meter):
        frames.trim(tx, frame.organization, meter, reason, int(keep))


def _done(tx: Tx, frame: Frame, said: _Said) -> tuple[Frame, ...]:
    """Mark a frame, and those that were read with it; gives those of its meter that wait to be taught."""
    frames.mark(tx, [frame.id], FrameStatus.DONE, said.note, meter=said.meter.name)
    if said.parts:
        frames.mark(tx, said.parts, FrameStatus.DONE, f"read with frame {frame.id}")
    teaches = said.note is None and has_companions(frame.protocol)
    return awaited(tx, frame, said.meter) if teaches else ()


def _keyed(
    tx: Tx,
    scope: Scope,
    frame: Frame,
    meter: MeterIdentity,
    key: SecretKey | None,
    default_zone: str,
    *,
    needed: bool,
) -> tuple[_Place, Keys]:
    """The sender of a frame, and its keys; see `sealed.keys_of`."""
    known, keys = sealed.keys_of(tx, scope, frame, meter, key, needed=needed)
    return _place(tx, known, default_zone), keys


def _placed(tx: Tx, scope: Scope, names: Sequence[str], default_zone: str) -> _Place:
    """The meter called so.

    Raises:
        NotYet: there is none, or it is not told which.
    """
    if not names:
        raise NotYet("the frame does not say which meter it comes from")
    if any("\0" in name for name in names):
        raise NotYet(f"the meter's name {names[0]!r} holds a NUL character")
    known = sealed.called(tx, scope, names)
    if known is None:
        raise sealed.unknown(names[0])
    return _place(tx, known, default_zone)


def _place(tx: Tx, known: Known, default_zone: str) -> _Place:
    if known.config is None:
        return _Place(known, default_zone, None)
    config = meter_types.get_config(tx, known.organization, known.config)
    allowed = set(channels.allowed(tx, [known.config]).get(known.config, {}))
    return _Place(known, config.timezone if config is not None else default_zone, allowed)
