"""The processor: reads spooled frames, publishes what they say, and marks them done.

A frame is marked only when its readings are committed, so a crash at any point reads it again,
and reading it again changes nothing. What cannot be read yet goes to quarantine with its reason
and comes back by `polymeter replay`, or by itself when its meter becomes known or gets its key.

A ciphered frame names its sender by the system title. The meter's own keys are taken out of their
seals for it alone, and what they open is believed to come from that meter and from no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
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
from polymeter.protocols.wire import MeterIdentity, Seal
from polymeter.store import (
    ANY,
    Frame,
    FrameStatus,
    InvalidSecret,
    Scope,
    SecretKey,
    Store,
    StoreUnavailable,
    Tx,
    channels,
    counters,
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

_ENCRYPTION_KEYS: Final = ("dlms_global_unicast_encryption_key", "dlms_global_broadcast_encryption_key")
_AUTHENTICATION_KEY: Final = "dlms_global_authentication_key"


class _NotYet(Exception):
    """Why a frame waits in quarantine, and which meter's appearance would release it."""

    def __init__(self, reason: str, meter: str | None = None) -> None:
        super().__init__(reason)
        self.meter = meter


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
        scope: Scope = frame.organization if frame.organization is not None else ANY
        decoded = self._decode(frame)
        if _is_sealed(decoded):
            names = _names(frame, decoded.decoded.meter, sealed=True)
            owner, keys = await self._store.read(_keys_of, scope, names, self._key)
            decoded = self._decode(frame, keys)
        else:
            names, owner = _names(frame, decoded.decoded.meter), None
        _check(decoded, owner)
        if not names:
            raise _NotYet("the frame does not say which meter it comes from")
        if any("\0" in name for name in names):
            raise _NotYet(f"the meter's name {names[0]!r} holds a NUL character")
        known, zone, allowed = await self._store.read(_placed, scope, names, owner, self._zone)
        if known is None:
            raise _unknown(names[0])
        for seal in decoded.decoded.seals:
            if seal.verified and (refusal := await self._store.write(_accept, known, seal, frame.id)):
                raise _NotYet(refusal)
        origin = Origin(
            known.name, known.organization, ZoneInfo(zone), Source.PUSH, frame.received, frame.uid, allowed
        )
        messages = messages_of(decoded.readings, origin)
        if messages:
            key, body = batch_message(known.name, messages)
            await self._bus.publish(key, body, exchange=self._exchange)
        return known.name

    def _decode(self, frame: Frame, keys: _Keys | None = None) -> DecodedFrame:
        keys = keys or _Keys()
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
            raise _NotYet(f"the decoder failed: {type(error).__name__}: {error}") from error
        if len(found) != 1:
            raise _NotYet(f"{len(found)} frames where one is expected")
        return found[0]


@dataclass(frozen=True, slots=True)
class _Keys:
    """What opens a meter's frames."""

    encryption: tuple[bytes, ...] = field(default=(), repr=False)
    authentication: bytes | None = field(default=None, repr=False)


def _unknown(name: str) -> _NotYet:
    return _NotYet(_unknown_reason(name), name)


def _unknown_reason(name: str) -> str:
    return f"meter {name} is not known"


def _names(frame: Frame, meter: MeterIdentity, *, sealed: bool = False) -> list[str]:
    """What the meter of a frame may be called, the surest first; a system title may be in capitals.

    Of a sealed frame only the title is its sender's word.
    """
    title = meter.system_title
    titles = (title, title.upper() if title is not None else None)
    names = (*titles, frame.meter) if sealed else (frame.meter, meter.id, *titles)
    return list(dict.fromkeys(name for name in names if name is not None))


def _is_sealed(frame: DecodedFrame) -> bool:
    """Whether keys are wanting, to open the frame or to prove it."""
    seals = frame.decoded.seals
    return (frame.decoded.encrypted and not seals) or any(seal.verified is False for seal in seals)


def _check(frame: DecodedFrame, owner: Known | None) -> None:
    """Raise `_NotYet` for a frame that is damaged, was not opened, or is not proven to be its sender's."""
    decoded = frame.decoded
    waits_for = owner.name if owner is not None else None
    problems: Sequence[str] = [problem.message for problem in decoded.errors]
    if not decoded.valid:
        raise _NotYet("; ".join(problems) or decoded.why)
    if decoded.encrypted and not decoded.seals:
        raise _NotYet("; ".join(problems) or decoded.why, waits_for)
    if decoded.encrypted and problems:
        raise _NotYet("; ".join(problems))
    if any(seal.verified is False for seal in decoded.seals):
        reason = f"the message carries a tag and meter {waits_for} has no {_AUTHENTICATION_KEY} to prove it"
        raise _NotYet(reason, waits_for)


def _keys_of(tx: Tx, scope: Scope, names: Sequence[str], key: SecretKey | None) -> tuple[Known, _Keys]:
    """The meter that sends under one of these names, and its keys."""
    if not names:
        raise _NotYet("the frame is encrypted and does not say which meter it comes from")
    known = _called(tx, scope, names)
    if known is None:
        raise _unknown(names[0])
    if key is None:
        raise _NotYet("the frame is encrypted, and there is no SECRET_KEY to open the meters' keys with")
    try:
        opened = [
            secrets.get(tx, key, known.organization, known.id, kind)
            for kind in (*_ENCRYPTION_KEYS, _AUTHENTICATION_KEY)
        ]
    except InvalidSecret as error:
        raise _NotYet(str(error), known.name) from error
    *encryption, authentication = (_key_bytes(value) if value is not None else None for value in opened)
    return known, _Keys(tuple(value for value in encryption if value is not None), authentication)


def _key_bytes(kept: bytes) -> bytes:
    """A key as it is used; it is kept as such or in hex digits."""
    if len(kept) in (32, 64):
        try:
            return bytes.fromhex(kept.decode("ascii"))
        except ValueError:
            return kept
    return kept


def _accept(tx: Tx, known: Known, seal: Seal, frame: int) -> str | None:
    """Take a message's invocation counter; `None`, or why it is refused."""
    sender = f"{known.organization}/{seal.system_title.hex()}/{seal.key_fingerprint.hex()}"
    return counters.accept(tx, sender, seal.invocation_counter, frame)


def _called(tx: Tx, scope: Scope, names: Sequence[str]) -> Known | None:
    """The meter that the first name which is anybody's says, `None` unless it is one."""
    found = meters.resolve(tx, scope, names)
    some = next((found[name] for name in names if found.get(name)), [])
    return some[0] if len(some) == 1 else None


def _placed(
    tx: Tx, scope: Scope, names: Sequence[str], owner: Known | None, default_zone: str
) -> tuple[Known | None, str, set[str] | None]:
    """The meter called so, its zone, and the keys of the series it may deliver."""
    known = owner or _called(tx, scope, names)
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
    waiting = frames.page(tx, ANY, status=FrameStatus.QUARANTINED, limit=1000).rows
    named = {frame.id: frame.meter for frame in waiting if frame.meter is not None}
    found = meters.resolve(tx, ANY, set(named.values()))
    known = {name: some[0].id for name, some in found.items() if len(some) == 1}
    keyed = secrets.renewed(tx, set(known.values()), (*_ENCRYPTION_KEYS, _AUTHENTICATION_KEY), since)
    ids = [
        frame.id
        for frame in waiting
        if (name := named.get(frame.id)) in known
        and (frame.reason == _unknown_reason(name) or known[name] in keyed)
    ]
    return frames.requeue(tx, ANY, ids=ids) if ids else 0
