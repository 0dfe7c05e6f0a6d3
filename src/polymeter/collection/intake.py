"""The intake of a receiver: cuts what comes into frames, keeps them on disk, and answers.

Whatever line frames come by, they go through here. Nothing is opened: a frame is kept as it came.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Protocol
from uuid import UUID

import structlog

from polymeter.collection.pushed import PROTOCOLS, ReceiverAddress
from polymeter.domain import Clock
from polymeter.observe import metrics
from polymeter.protocols.procedure import Splitter
from polymeter.protocols.wire import NeedData, RemoteProtocolError
from polymeter.store import Frame, Store, StoreUnavailable, new_uid

__all__ = ["Intake", "Stream"]

_log = structlog.get_logger(__name__)

_RETRY_S: Final = 1.0


class Stream(Protocol):
    """What the intake needs of a line."""

    async def send(self, data: bytes) -> None: ...

    async def receive(self, timeout_s: float) -> bytes: ...


class Intake:
    """Keeps the frames of one receiver."""

    def __init__(
        self,
        address: ReceiverAddress,
        organization: UUID | None,
        store: Store,
        clock: Clock,
        wake: Callable[[], None],
    ) -> None:
        self.address = address
        self.pushed = PROTOCOLS[address.protocol]
        self._organization = organization
        self._store = store
        self._clock = clock
        self._wake = wake
        self._closing = False
        self._meta = {"strangers": address.strangers} if address.strangers is not None else {}

    def close(self) -> None:
        """Give up what cannot be kept; its senders have no answer."""
        self._closing = True

    async def stream(
        self,
        stream: Stream,
        peer: str,
        silence_s: float,
        begin: bytes = b"",
        heard: Callable[[], None] = lambda: None,
    ) -> None:
        """Take frames from a line until it ends.

        Args:
            stream: the line.
            peer: who is at its other end.
            silence_s: how long nothing may come.
            begin: what was read from the line already.
            heard: called whenever something comes.

        Raises:
            TimedOut: nothing came for `silence_s`.
            TransportError: the line broke.
            RemoteProtocolError: what comes is nothing of this protocol.
            StoreUnavailable: a frame is not kept, and its sender was not answered and comes again.
        """
        splitter = self.pushed.splitter()
        data = begin
        while True:
            if data:
                splitter.receive_data(data)
                await self._take(splitter, peer, stream)
            data = await stream.receive(silence_s)
            if not data:
                return
            heard()

    def cut(self, message: bytes, peer: str) -> list[bytes]:
        """The frames of a datagram or a message, which ends where its last frame does."""
        splitter = self.pushed.splitter()
        found: list[bytes] = []
        try:
            splitter.receive_data(message + self.pushed.message_end)
            while (frame := self._next(splitter, peer)) is not None:
                if frame:
                    found.append(frame)
        except RemoteProtocolError as error:
            self.refuse(peer, str(error))
        else:
            if not found:
                self.refuse(peer, f"no whole frame in {len(message)} bytes")
        return found

    def refuse(self, peer: str, reason: str) -> None:
        """Count and tell what is no frame."""
        metrics.frames.labels("refused").inc()
        _log.warning("refused", entrance=str(self.address), peer=peer, reason=reason)

    async def keep(self, frames: Sequence[tuple[bytes, str]]) -> None:
        """Return when these, each with its sender, are on disk.

        Where no sender would come again, a disk that fails is waited for.

        Raises:
            StoreUnavailable: they are not kept.
        """
        kept = [
            Frame(
                self.address.protocol,
                frame,
                self._clock.now(),
                new_uid(),
                organization=self._organization,
                entrance=str(self.address),
                peer=peer,
                meta=self._meta,
            )
            for frame, peer in frames
        ]
        failed = False
        while True:
            try:
                await self._store.spool(kept)
                break
            except StoreUnavailable as error:
                if self.pushed.kept or self._closing:
                    raise
                if not failed:
                    _log.error("frames wait for the disk", entrance=str(self.address), reason=str(error))
                failed = True
                await asyncio.sleep(_RETRY_S)
        metrics.frames.labels("received").inc(len(kept))
        self._wake()

    async def _take(self, splitter: Splitter, peer: str, stream: Stream) -> None:
        """Keep and answer every whole frame that waits."""
        while (frame := self._next(splitter, peer)) is not None:
            if not frame:
                if self.pushed.damaged:
                    await stream.send(self.pushed.damaged)
                continue
            await self.keep([(frame, peer)])
            if self.pushed.kept:
                await stream.send(self.pushed.kept)

    def _next(self, splitter: Splitter, peer: str) -> bytes | None:
        """The next whole frame; nothing in place of a damaged one, `None` if more must come."""
        try:
            frame = splitter.next_frame()
        except RemoteProtocolError as error:
            self.refuse(peer, str(error))
            return b""
        return None if isinstance(frame, NeedData) else frame
