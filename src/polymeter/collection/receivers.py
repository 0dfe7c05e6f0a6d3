"""Receivers: take pushed frames, keep them on disk, and only then answer.

A receiver opens nothing. It cuts what comes into frames, spools them, acknowledges, and wakes the
processor; a slow decoder or an unknown meter never keeps a sender waiting. Senders come to a port
of ours, or the receiver goes to where they talk: a serial line, a port of theirs, a broker.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from typing import Final, Protocol
from uuid import UUID

import structlog

from polymeter.collection.intake import Intake
from polymeter.collection.lines import Connecting, Subscribing
from polymeter.collection.pushed import MQTT, ReceiverAddress
from polymeter.domain import Clock
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError, TimedOut, TransportError
from polymeter.store import Store, StoreUnavailable
from polymeter.transports.inbox import AsyncStream
from polymeter.transports.mqtt import Broker
from polymeter.transports.tcp import TCPServer
from polymeter.transports.udp import UDPServer

__all__ = ["Receiver", "ReceiverAddress"]

_log = structlog.get_logger(__name__)

_SILENCE_S: Final = 120.0
"""A connection on which nothing whole comes for so long is closed."""


class _Line(Protocol):
    @abstractmethod
    async def start(self) -> int: ...

    @abstractmethod
    async def close(self) -> None: ...

    @abstractmethod
    async def wait(self) -> None: ...


class Receiver:
    """One entrance."""

    def __init__(
        self,
        address: ReceiverAddress,
        organization: UUID | None,
        store: Store,
        clock: Clock,
        wake: Callable[[], None] = lambda: None,
        *,
        broker: Broker | None = None,
    ) -> None:
        self.address = address
        self._intake = Intake(address, organization, store, clock, wake)
        self._line = _line(self._intake, broker)

    async def start(self) -> int:
        """Begin to listen; gives the port, 0 where the receiver goes to others.

        Raises:
            TransportError: the port cannot be opened.
        """
        return await self._line.start()

    async def wait(self) -> None:
        """Return never.

        Raises:
            LocalProtocolError: the receiver can never work as its address is.
        """
        await self._line.wait()

    async def close(self) -> None:
        """Stop listening and end the connections; what was acknowledged is on disk."""
        self._intake.close()
        await self._line.close()


def _line(intake: Intake, broker: Broker | None) -> _Line:
    line = intake.address.line
    if line in MQTT:
        wanted = intake.address.broker or broker
        if wanted is None:
            raise LocalProtocolError(f"receiver {intake.address} names no broker, and MQTT_URL is not set")
        return Subscribing(intake, wanted)
    return _Listening(intake) if line in ("tcp", "udp") else Connecting(intake)


class _Listening:
    """A port of ours."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._server: TCPServer | UDPServer = (
            UDPServer(self._datagram) if intake.address.line == "udp" else TCPServer(self._connection)
        )

    async def start(self) -> int:
        return await self._server.listen(self._intake.address.host, self._intake.address.port)

    async def wait(self) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        await self._server.close()

    async def _connection(self, stream: AsyncStream) -> None:
        try:
            await self._intake.stream(stream, stream.peer, _SILENCE_S)
        except TimedOut:
            _log.info("sender silent, closed", peer=stream.peer)
        except RemoteProtocolError as error:
            self._intake.refuse(stream.peer, str(error))
        except StoreUnavailable as error:
            # Not acknowledged, so the sender still has it and comes again.
            _log.error("frame not kept", peer=stream.peer, reason=str(error))
        except TransportError as error:
            _log.info("sender gone", peer=stream.peer, reason=str(error))

    async def _datagram(self, data: bytes, peer: str) -> None:
        """Keep the frames of a datagram. Nobody is answered: a sender of datagrams does not listen."""
        frames = [(frame, peer) for frame in self._intake.cut(data, peer)]
        if not frames:
            return
        try:
            await self._intake.keep(frames)
        except StoreUnavailable as error:
            _log.error("frame not kept", peer=peer, reason=str(error))
