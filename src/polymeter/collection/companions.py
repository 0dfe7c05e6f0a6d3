"""Frames that can only be read with others of their meter: compact frames, and fragments of a message.

What a frame waits for is looked for among the meter's frames that are kept. A compact frame needs one
that teaches its format, whenever that came; the last fragment of a message needs those before it. A
frame whose companions are missing waits in quarantine, and is released when the one arrives that helps.
Nothing is kept here that the store has not: another processor, or this one after a restart, does the same.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple
from uuid import UUID

from polymeter.catalogue import Frame as DecodedFrame
from polymeter.catalogue.registry import protocol_named
from polymeter.collection.sealed import NotYet
from polymeter.store import Frame, FrameStatus, Store, Tx, frames
from polymeter.store.meters import Known

__all__ = ["Companions", "Incomplete", "Whole", "awaited", "has_companions"]

Decode = Callable[[Frame, Sequence[bytes]], DecodedFrame]
"""Reads a frame with these telegrams before it."""

_WAITS: Final = "waits for "
_FRAGMENT: Final = "fragment"
_RECENT_MAX: Final = 64
"""Frames of a meter that are looked at for one that teaches a format."""
_FRAGMENTS_MAX: Final = 32
"""Frames before the last fragment of a message, among which the others are."""
_REMEMBERED_MAX: Final = 10_000


class Whole(NamedTuple):
    """A frame read with its companions."""

    decoded: DecodedFrame
    parts: tuple[int, ...] = ()
    """Frames that waited for it, and are read with it."""
    note: str | None = None
    """Why it gives nothing new: a fragment that came again."""


def has_companions(protocol: str) -> bool:
    """Whether frames of a protocol may teach each other."""
    return protocol_named(protocol).memory is not None


class Incomplete(NotYet):
    """Which telegram of its meter a frame waits for."""

    def __init__(self, waits_for: str, known: Known) -> None:
        super().__init__(
            f"{_WAITS}{waits_for}, which another telegram of meter {known.name} brings", known.name
        )
        self.waits_for = waits_for


class Companions:
    """Finds what a frame waits for."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # A meter sends in one format for years: the frame that taught it is remembered, or up to which
        # frame there was none.
        self._teachers: OrderedDict[tuple[UUID, str], bytes | int] = OrderedDict()

    async def read(self, frame: Frame, known: Known, waits_for: str, decode: Decode) -> Whole:
        """The frame with what its meter sent besides.

        Raises:
            Incomplete: what it waits for has not come.
        """
        if waits_for.startswith(_FRAGMENT):
            return await self._message(frame, known, waits_for, decode)
        return await self._taught(frame, known, waits_for, decode)

    async def _taught(self, frame: Frame, known: Known, waits_for: str, decode: Decode) -> Whole:
        format = (known.id, waits_for)
        teacher = self._teachers.pop(format, 0)
        if isinstance(teacher, bytes):
            decoded = decode(frame, [teacher])
            if decoded.decoded.waits_for is None:
                self._remember(format, teacher)
                return Whole(decoded)
            teacher = 0
        recent = await self._store.read(
            frames.recent, frame.organization, known.name, frame.protocol, after=teacher, limit=_RECENT_MAX
        )
        for one in recent:
            decoded = decode(frame, [one.payload])
            if decoded.decoded.waits_for is None:
                self._remember(format, one.payload)
                return Whole(decoded)
        self._remember(format, max((one.id for one in recent), default=teacher))
        raise Incomplete(waits_for, known)

    def _remember(self, format: tuple[UUID, str], teacher: bytes | int) -> None:
        self._teachers[format] = teacher
        if len(self._teachers) > _REMEMBERED_MAX:
            self._teachers.popitem(last=False)

    async def _message(self, frame: Frame, known: Known, waits_for: str, decode: Decode) -> Whole:
        before = await self._store.read(
            frames.recent,
            frame.organization,
            known.name,
            frame.protocol,
            before=frame.id,
            limit=_FRAGMENTS_MAX,
        )
        decoded = decode(frame, [one.payload for one in reversed(before)])
        missing = decoded.decoded.waits_for
        if missing is not None:
            raise Incomplete(missing, known)
        if decoded.decoded.valid and _fragment(decoded) is not None:
            return Whole(decoded, note="; ".join(problem.message for problem in decoded.decoded.errors))
        waiting = [one for one in before if _waits_as_fragment(one)]
        for candidates in (waiting, before):
            # The fewest before it that make it whole are the message's; older ones were of others.
            for count in range(1, len(candidates) + 1):
                fewer = decode(frame, [one.payload for one in reversed(candidates[:count])])
                if fewer.decoded.waits_for is None and fewer.decoded.valid:
                    return Whole(fewer, _parts(candidates[:count], waiting, decode))
        return Whole(decoded)

    async def arrived(self, frame: Frame, known: Known, samples: Sequence[Frame], decode: Decode) -> None:
        """A frame of a meter was read: release those that wait for what it teaches."""
        for sample in samples:
            waits_for = (sample.reason or "").removeprefix(_WAITS).partition(",")[0]
            if decode(sample, [frame.payload]).decoded.waits_for is None:
                self._remember((known.id, waits_for), frame.payload)
                await self._store.write(frames.release, frame.organization, known.name, reason=sample.reason)

    async def waiting(self, frame: Frame, why: Incomplete) -> None:
        """A frame waits. If it is a fragment, those behind it, perhaps read before it, look again."""
        if why.waits_for.startswith(_FRAGMENT) and why.meter is not None:
            prefix = _WAITS + _FRAGMENT
            await self._store.write(
                frames.release, frame.organization, why.meter, prefix=prefix, after=frame.id
            )


def awaited(tx: Tx, frame: Frame, known: Known) -> tuple[Frame, ...]:
    """Of the frames of a meter that wait to be taught, one for each format."""
    return frames.samples(tx, frame.organization, known.name, f"{_WAITS}format")


def _waits_as_fragment(frame: Frame) -> bool:
    """Whether a frame waits as a fragment of a message."""
    return frame.status is FrameStatus.QUARANTINED and (frame.reason or "").startswith(_WAITS + _FRAGMENT)


def _fragment(decoded: DecodedFrame) -> bytes | None:
    """The bytes of a frame that is a fragment and no more."""
    records = decoded.decoded.records
    return records[0].raw if len(records) == 1 and records[0].name == _FRAGMENT else None


def _parts(some: Sequence[Frame], waiting: Sequence[Frame], decode: Decode) -> tuple[int, ...]:
    """Of the frames that wait, those that are of the message made of `some`; two receivers hear one twice."""
    own = {_fragment(decode(one, ())) for one in some}
    return tuple(one.id for one in waiting if _fragment(decode(one, ())) in own)
