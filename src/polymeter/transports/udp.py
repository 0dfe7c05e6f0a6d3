"""UDP: one meter's datagrams, or those of a port of ours. A `receive` gives one datagram, whole."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

from polymeter.protocols.wire import TransportError
from polymeter.transports.inbox import Inbox, timed_out

__all__ = ["UDP", "AsyncUDP", "UDPServer", "bind", "bind_async", "connect", "connect_async"]

_SYSTEM_BUFFER: Final = 4 << 20


class UDP:
    """A connected datagram socket as a `Transport`."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    def send(self, data: bytes) -> None:
        """See `Transport.send`."""
        try:
            self._socket.send(data)
        except OSError as error:
            raise TransportError(f"sending failed: {error}") from error

    def receive(self, timeout_s: float) -> bytes:
        """See `Transport.receive`."""
        try:
            end = time.monotonic() + timeout_s
            while True:
                self._socket.settimeout(max(end - time.monotonic(), 1e-6))
                if data := self._socket.recv(65536):
                    return data  # an empty datagram says nothing, and certainly not the end
        except TimeoutError as error:
            raise timed_out(timeout_s) from error
        except OSError as error:
            raise TransportError(f"the line broke: {error}") from error

    def set_line(self, baud: int, bits: int, parity: str) -> None:
        """UDP has no line settings."""

    def close(self) -> None:
        """See `Transport.close`."""
        self._socket.close()


class AsyncUDP(asyncio.DatagramProtocol):
    """A connected datagram endpoint as an `AsyncTransport`."""

    LIMIT = 1 << 20

    def __init__(self) -> None:
        self._inbox = Inbox(datagrams=True)
        self._transport: asyncio.DatagramTransport | None = None
        self.dropped = 0
        """Datagrams that came while `LIMIT` bytes were waiting."""

    def connection_made(self, transport: Any) -> None:
        """Called by the event loop."""
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """Called by the event loop."""
        if self._inbox.size + len(data) > self.LIMIT:
            self.dropped += 1
        elif data:
            self._inbox.put(data)

    def error_received(self, exc: Exception) -> None:
        """Called by the event loop, for example when nobody listens at the other end."""
        self._inbox.stumble(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        self._inbox.end(exc)

    async def send(self, data: bytes) -> None:
        """See `AsyncTransport.send`."""
        if self._transport is None or self._transport.is_closing():
            raise TransportError("the line is closed")
        self._transport.sendto(data)

    async def receive(self, timeout_s: float) -> bytes:
        """See `AsyncTransport.receive`."""
        return await self._inbox.get(timeout_s)

    async def set_line(self, baud: int, bits: int, parity: str) -> None:
        """UDP has no line settings."""

    async def close(self) -> None:
        """See `AsyncTransport.close`."""
        if self._transport is not None:
            self._transport.close()


class UDPServer(asyncio.DatagramProtocol):
    """Listens, and runs a handler for each datagram with its bytes and its sender."""

    LIMIT = 16 << 20
    """Bytes that may be in the handlers' hands; beyond them datagrams are dropped, as UDP does."""

    def __init__(self, handler: Callable[[bytes, str], Awaitable[None]]) -> None:
        self._handler = handler
        self._tasks: set[asyncio.Task[None]] = set()
        self._transport: asyncio.DatagramTransport | None = None
        self._size = 0
        self.dropped = 0
        """Datagrams that came while `LIMIT` bytes were waiting."""

    async def listen(self, host: str, port: int) -> int:
        """Begin to listen and give the port; port 0 takes a free one."""
        loop = asyncio.get_running_loop()
        try:
            self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(host, port))
        except (OSError, UnicodeError) as error:
            raise TransportError(f"cannot listen on {host} port {port}: {error}") from error
        listening = self._transport.get_extra_info("socket")
        with suppress(OSError):  # many meters send at the same full hour
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SYSTEM_BUFFER)
        bound: int = listening.getsockname()[1]
        return bound

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """Called by the event loop."""
        if self._size + len(data) > self.LIMIT:
            self.dropped += 1
            return
        if not data:
            return
        self._size += len(data)
        host = f"[{addr[0]}]" if ":" in addr[0] else addr[0]
        task = asyncio.get_running_loop().create_task(self._handle(data, f"{host}:{addr[1]}"))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _handle(self, data: bytes, peer: str) -> None:
        try:
            await self._handler(data, peer)
        finally:
            self._size -= len(data)

    async def close(self) -> None:
        """Stop listening; what came is handled to its end."""
        if self._transport is not None:
            self._transport.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def bind(host: str, port: int) -> UDP:
    """Open a blocking datagram socket that takes what anybody sends to this port."""
    opened: socket.socket | None = None
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        opened = socket.socket(family, kind, proto)
        opened.bind(address)
    except (OSError, UnicodeError) as error:
        if opened is not None:
            opened.close()
        raise TransportError(f"cannot listen on {host} port {port}: {error}") from error
    return UDP(opened)


async def bind_async(host: str, port: int) -> AsyncUDP:
    """The asyncio twin of `bind`."""
    loop = asyncio.get_running_loop()
    try:
        _, endpoint = await loop.create_datagram_endpoint(AsyncUDP, local_addr=(host, port))
    except (OSError, UnicodeError) as error:
        raise TransportError(f"cannot listen on {host} port {port}: {error}") from error
    return endpoint


def connect(host: str, port: int) -> UDP:
    """Open a blocking datagram socket towards one meter."""
    opened: socket.socket | None = None
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        opened = socket.socket(family, kind, proto)
        opened.connect(address)
    except (OSError, UnicodeError) as error:
        if opened is not None:
            opened.close()
        raise TransportError(f"cannot reach {host} port {port}: {error}") from error
    return UDP(opened)


async def connect_async(host: str, port: int) -> AsyncUDP:
    """Open a datagram endpoint for asyncio towards one meter."""
    loop = asyncio.get_running_loop()
    try:
        _, endpoint = await loop.create_datagram_endpoint(AsyncUDP, remote_addr=(host, port))
    except (OSError, UnicodeError) as error:
        raise TransportError(f"cannot reach {host} port {port}: {error}") from error
    return endpoint
