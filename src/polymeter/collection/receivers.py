"""Receivers: listen for pushed frames, keep them on disk, and only then answer.

A receiver opens nothing. It cuts the stream into frames, spools them, acknowledges, and wakes the
processor; a slow decoder or an unknown meter never keeps a sender waiting.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

import structlog

from polymeter.domain import Clock
from polymeter.observe import metrics
from polymeter.protocols.dlms.pushes import PushedWrappers
from polymeter.protocols.iec62056_21.pushes import PushedReadOuts
from polymeter.protocols.p1.push import PushedTelegrams
from polymeter.protocols.sml.push import PushedFrames
from polymeter.protocols.wire import (
    LocalProtocolError,
    NeedData,
    RemoteProtocolError,
    TimedOut,
    TransportError,
)
from polymeter.protocols.wmbus.push import PushedTelegrams as RadioTelegrams
from polymeter.store import Frame, Store, StoreUnavailable, new_uid
from polymeter.transports.inbox import AsyncStream
from polymeter.transports.tcp import TCPServer
from polymeter.transports.udp import UDPServer
from polymeter.transports.urls import URL

__all__ = ["Receiver", "ReceiverAddress"]

_log = structlog.get_logger(__name__)

_SILENCE_S: Final = 120.0
"""A connection on which nothing whole comes for so long is closed."""


class _Splitter(Protocol):
    def receive_data(self, data: bytes) -> None: ...

    def next_frame(self) -> bytes | NeedData: ...


@dataclass(frozen=True, slots=True)
class _Pushed:
    """How one protocol is received: what cuts its stream, and what it is answered, if anything."""

    splitter: Callable[[], _Splitter]
    kept: bytes = b""
    damaged: bytes = b""
    lines: tuple[str, ...] = ("tcp",)
    datagram_end: bytes = b""
    """What a datagram may lack that its splitter waits for: the end of a line."""


_PROTOCOLS: Final[Mapping[str, _Pushed]] = {
    "iec62056-21": _Pushed(PushedReadOuts, kept=b"\x06", damaged=b"\x15"),
    "p1": _Pushed(PushedTelegrams),
    "sml": _Pushed(PushedFrames),
    "dlms": _Pushed(PushedWrappers, lines=("tcp", "udp")),
    "wmbus": _Pushed(RadioTelegrams, lines=("tcp", "udp"), datagram_end=b"\n"),
}
"""One line for each protocol that is pushed."""

_PARAMETERS: Final = {"organization": "name of the organization whose meters push here"}


@dataclass(frozen=True, slots=True)
class ReceiverAddress:
    """Where to listen, for what, and for whom: ``iec62056-21://0.0.0.0:5000?organization=NAME``.

    Datagrams are received under ``dlms+udp://0.0.0.0:4059`` or ``dlms://0.0.0.0:4059?udp``.
    """

    protocol: str
    host: str
    port: int
    organization: str | None
    line: str = "tcp"

    @classmethod
    def parse(cls, text: str) -> ReceiverAddress:
        """Take an address apart.

        Raises:
            LocalProtocolError: it names a protocol that is not received, or no port.
        """
        url = URL.parse(text)
        url.refuse_unknown(_PARAMETERS)
        if url.scheme not in _PROTOCOLS:
            raise LocalProtocolError(f"{url.scheme} cannot be received; there are {', '.join(_PROTOCOLS)}")
        if url.line not in (lines := _PROTOCOLS[url.scheme].lines):
            over = " or ".join(lines)
            raise LocalProtocolError(f"{url.scheme} cannot be received by {url.line}, only by {over}")
        return cls(url.scheme, url.host, url.port or 0, url.parameters.get("organization"), url.line)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        scheme = self.protocol if self.line == "tcp" else f"{self.protocol}+{self.line}"
        return f"{scheme}://{host}:{self.port}"


class Receiver:
    """One listening port."""

    def __init__(
        self,
        address: ReceiverAddress,
        organization: UUID | None,
        store: Store,
        clock: Clock,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self.address = address
        self._organization = organization
        self._store = store
        self._clock = clock
        self._wake = wake
        self._pushed = _PROTOCOLS[address.protocol]
        self._server: TCPServer | UDPServer = (
            UDPServer(self._handle_datagram) if address.line == "udp" else TCPServer(self._handle)
        )

    async def start(self) -> int:
        """Begin to listen; gives the port.

        Raises:
            TransportError: the port cannot be opened.
        """
        return await self._server.listen(self.address.host, self.address.port)

    async def close(self) -> None:
        """Stop listening and end the connections; what was acknowledged is on disk."""
        await self._server.close()

    async def _handle(self, stream: AsyncStream) -> None:
        splitter = self._pushed.splitter()
        try:
            while data := await stream.receive(_SILENCE_S):
                splitter.receive_data(data)
                await self._take(splitter, stream.peer, stream.send)
        except TimedOut:
            _log.info("sender silent, closed", peer=stream.peer)
        except RemoteProtocolError as error:
            metrics.frames.labels("refused").inc()
            _log.warning("sender refused", peer=stream.peer, reason=str(error))
        except StoreUnavailable as error:
            # Not acknowledged, so the sender still has it and comes again.
            _log.error("frame not kept", peer=stream.peer, reason=str(error))
        except TransportError as error:
            _log.info("sender gone", peer=stream.peer, reason=str(error))

    async def _handle_datagram(self, data: bytes, peer: str) -> None:
        """Keep the frames of a datagram. Nobody is answered: a sender of datagrams does not listen."""
        splitter = self._pushed.splitter()
        try:
            splitter.receive_data(data + self._pushed.datagram_end)
            if not await self._take(splitter, peer):
                metrics.frames.labels("refused").inc()
                _log.warning("no whole frame in a datagram", peer=peer, size=len(data))
        except RemoteProtocolError as error:
            metrics.frames.labels("refused").inc()
            _log.warning("datagram refused", peer=peer, reason=str(error))
        except StoreUnavailable as error:
            _log.error("frame not kept", peer=peer, reason=str(error))

    async def _take(
        self, splitter: _Splitter, peer: str, send: Callable[[bytes], Awaitable[None]] | None = None
    ) -> int:
        """Keep and answer every whole frame that waits; how many bytes have gone."""
        taken = 0
        while True:
            try:
                frame = splitter.next_frame()
            except RemoteProtocolError as error:
                metrics.frames.labels("refused").inc()
                _log.warning("damaged frame", peer=peer, reason=str(error))
                if send is not None and self._pushed.damaged:
                    await send(self._pushed.damaged)
                continue
            if isinstance(frame, NeedData):
                return taken
            taken += len(frame)
            kept = Frame(
                self.address.protocol,
                frame,
                self._clock.now(),
                new_uid(),
                organization=self._organization,
                entrance=str(self.address),
                peer=peer,
            )
            await self._store.spool([kept])
            metrics.frames.labels("received").inc()
            self._wake()
            if send is not None and self._pushed.kept:
                await send(self._pushed.kept)
