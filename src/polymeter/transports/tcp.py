"""TCP, blocking and for asyncio, and the server that simulated meters and receivers listen with."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable

from polymeter.protocols.wire import TransportError
from polymeter.transports.inbox import AsyncStream, timed_out

__all__ = ["TCP", "TCPServer", "connect", "connect_async"]


class TCP:
    """A connected socket as a `Transport`."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._send_timeout_s = 30.0

    def send(self, data: bytes) -> None:
        """See `Transport.send`."""
        try:
            self._socket.settimeout(self._send_timeout_s)
            self._socket.sendall(data)
        except OSError as error:
            raise TransportError(f"sending failed: {error}") from error

    def receive(self, timeout_s: float) -> bytes:
        """See `Transport.receive`."""
        try:
            self._socket.settimeout(max(timeout_s, 1e-6))
            return self._socket.recv(65536)
        except TimeoutError as error:
            raise timed_out(timeout_s) from error
        except OSError as error:
            raise TransportError(f"the line broke: {error}") from error

    def set_line(self, baud: int, bits: int, parity: str) -> None:
        """TCP has no line settings."""

    def close(self) -> None:
        """Shut down both ways, so that a meter's modem sees the end of the call."""
        with contextlib.suppress(OSError):  # the peer may have gone first: closed is what we want
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def connect(host: str, port: int, timeout_s: float) -> TCP:
    """Open a blocking connection; tries every address of `host`, IPv6 and IPv4."""
    try:
        return TCP(socket.create_connection((host, port), timeout=timeout_s))
    except (OSError, UnicodeError) as error:
        raise TransportError(f"cannot connect to {host} port {port}: {error}") from error


async def connect_async(host: str, port: int, timeout_s: float) -> AsyncStream:
    """Open a connection for asyncio; tries every address of `host`, IPv6 and IPv4."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout_s):
            _, stream = await loop.create_connection(AsyncStream, host, port)
    except TimeoutError as error:
        raise TransportError(f"cannot connect to {host} port {port}: no answer in {timeout_s:g} s") from error
    except (OSError, UnicodeError) as error:
        raise TransportError(f"cannot connect to {host} port {port}: {error}") from error
    return stream


Handler = Callable[[AsyncStream], Awaitable[None]]


class TCPServer:
    """Listens, and runs a handler for each connection; closing ends the handlers too."""

    def __init__(self, handler: Handler, connections_max: int = 10_000) -> None:
        self._handler = handler
        self._connections_max = connections_max
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.refused = 0
        """Connections turned away because `connections_max` were open."""

    async def listen(self, host: str, port: int) -> int:
        """Begin to listen and give the port; port 0 takes a free one."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                lambda: AsyncStream(self._accept), host, port, backlog=1024
            )
        except (OSError, UnicodeError) as error:
            raise TransportError(f"cannot listen on {host} port {port}: {error}") from error
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    def _accept(self, stream: AsyncStream) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(stream))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, stream: AsyncStream) -> None:
        try:
            if len(self._tasks) > self._connections_max:
                self.refused += 1
                return
            await self._handler(stream)
        finally:
            await stream.close()

    async def close(self) -> None:
        """Stop listening and end all conversations."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
