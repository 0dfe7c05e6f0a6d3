"""The shells that drive a procedure, as one parameter: what holds over one must hold over all.

Each runs a reader's procedure against a meter's and gives the reader's result. The meter's line is
closed when the reader is done, as in life.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from polymeter.protocols.procedure import Outcome, Procedure, SetLine, Step, relay
from polymeter.protocols.wire import ProtocolError
from polymeter.transports import loopback, tcp
from polymeter.transports.inbox import AsyncStream
from polymeter.transports.runners import AsyncTransport, Transport, run, run_blocking
from polymeter.transports.simulated import run_simulated

__all__ = ["REAL_SHELLS", "SHELLS", "Shell", "each_real_shell", "each_shell", "without_line"]

T = TypeVar("T")
Shell = Callable[[Procedure[Any], Procedure[None]], Any]


def simulated(reader: Procedure[Any], meter: Procedure[None]) -> Any:
    """Simulated time: no line, no clock."""
    return run_simulated(reader, meter).result


def asyncio_loopback(reader: Procedure[Any], meter: Procedure[None]) -> Any:
    """asyncio over a line in memory."""

    async def both() -> Any:
        return await _both(reader, meter, *loopback.pair())

    return asyncio.run(both())


def asyncio_tcp(reader: Procedure[Any], meter: Procedure[None]) -> Any:
    """asyncio over a real socket."""

    async def both() -> Any:
        accepted: asyncio.Future[AsyncStream] = asyncio.get_running_loop().create_future()

        async def handle(stream: AsyncStream) -> None:
            accepted.set_result(stream)
            with contextlib.suppress(ProtocolError):
                await run(meter, stream)

        server = tcp.TCPServer(handle)
        port = await server.listen("127.0.0.1", 0)
        line = await tcp.connect_async("127.0.0.1", port, 5)
        try:
            return await run(reader, line)
        finally:
            await line.close()
            await server.close()

    return asyncio.run(both())


async def _both(
    reader: Procedure[Any], meter: Procedure[None], line: AsyncTransport, far: AsyncTransport
) -> Any:
    async def answer() -> None:
        try:
            with contextlib.suppress(ProtocolError):
                await run(meter, far)
        finally:
            await far.close()

    answering = asyncio.create_task(answer())
    try:
        return await run(reader, line)
    finally:
        await line.close()
        await answering


def blocking_loopback(reader: Procedure[Any], meter: Procedure[None]) -> Any:
    """Blocking calls over a line in memory, the meter in a thread."""
    return _threads(reader, meter, *loopback.blocking_pair())


def blocking_tcp(reader: Procedure[Any], meter: Procedure[None]) -> Any:
    """Blocking calls over a real socket, the meter in a thread."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        line = tcp.connect("127.0.0.1", listening.getsockname()[1], 5)
        return _threads(reader, meter, line, tcp.TCP(listening.accept()[0]))


def _threads(reader: Procedure[Any], meter: Procedure[None], line: Transport, far: Transport) -> Any:
    def answer() -> None:
        try:
            with contextlib.suppress(ProtocolError):
                run_blocking(meter, far)
        finally:
            far.close()

    answering = threading.Thread(target=answer)
    answering.start()
    try:
        return run_blocking(reader, line)
    finally:
        line.close()
        answering.join()


REAL_SHELLS = (asyncio_loopback, asyncio_tcp, blocking_loopback, blocking_tcp)
SHELLS = (simulated, *REAL_SHELLS)
each_shell = pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell.__name__)
each_real_shell = pytest.mark.parametrize("shell", REAL_SHELLS, ids=lambda shell: shell.__name__)


def without_line(end: Procedure[T]) -> Procedure[T]:
    """An end of a line over TCP: its characters take no time, and rates are nobody's concern."""

    def perform(step: Step) -> Procedure[Outcome]:
        return b"" if isinstance(step, SetLine) else (yield step)

    return relay(end, perform)
