"""Real sockets on loopback, IPv4 and IPv6, blocking and asyncio."""

import asyncio
import contextlib
import socket
import threading

import pytest

from polymeter.protocols.wire import TimedOut, TransportError
from polymeter.transports import tcp, udp
from polymeter.transports.inbox import AsyncStream, Inbox

HOSTS = ["127.0.0.1", "::1"]
each_host = pytest.mark.parametrize("host", HOSTS)


@contextlib.contextmanager
def echo_server(host: str):  # type: ignore[no-untyped-def]
    """A TCP echo in a thread, for blocking clients; answers in capitals, hangs up after ``bye``."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, 0), family=family)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                with connection:
                    while (data := connection.recv(100)) and data != b"bye":
                        connection.sendall(data.upper())

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


async def echo(stream: AsyncStream) -> None:
    while data := await stream.receive(5):
        await stream.send(data.upper())


# TCP


@each_host
def test_blocking_tcp_talks(host: str) -> None:
    with echo_server(host) as port:
        line = tcp.connect(host, port, 5)
        line.set_line(300, 7, "E")
        line.send(b"hello")
        assert line.receive(5) == b"HELLO"
        with pytest.raises(TimedOut):
            line.receive(0.01)
        line.send(b"bye")
        assert line.receive(5) == b""
        line.close()
        line.close()
        with pytest.raises(TransportError):
            line.send(b"x")
        with pytest.raises(TransportError):
            line.receive(1)


@each_host
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_asyncio_tcp_talks(host: str, loop: str) -> None:
    async def scenario() -> None:
        server = tcp.TCPServer(echo)
        port = await server.listen(host, 0)
        line = await tcp.connect_async(host, port, 5)
        assert line.peer == (f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        await line.set_line(300, 7, "E")
        await line.send(b"hello")
        assert await line.receive(5) == b"HELLO"
        with pytest.raises(TimedOut):
            await line.receive(0.01)
        await server.close()
        assert await line.receive(5) == b""
        await line.close()
        await line.close()
        with pytest.raises(TransportError):
            await line.send(b"x")

    if loop == "uvloop":
        uvloop = pytest.importorskip("uvloop", reason="not on this platform")
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(scenario())
    else:
        asyncio.run(scenario())


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid", "a" * 70, "a..b"])
def test_a_host_that_cannot_be_reached_is_a_failure_of_the_line(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as once:
        port = once.getsockname()[1]
    with pytest.raises(TransportError, match="cannot connect to"):
        tcp.connect(host, port, 2)
    with pytest.raises(TransportError, match="cannot connect to"):
        asyncio.run(tcp.connect_async(host, port, 2))


def test_an_address_that_cannot_be_listened_on_says_so() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(TransportError, match="listen"),
    ):
        asyncio.run(tcp.TCPServer(echo).listen("127.0.0.1", taken.getsockname()[1]))


def test_too_many_connections_are_turned_away_and_counted() -> None:
    async def scenario() -> None:
        server = tcp.TCPServer(echo, connections_max=1)
        port = await server.listen("127.0.0.1", 0)
        first = await tcp.connect_async("127.0.0.1", port, 5)
        await first.send(b"a")
        assert await first.receive(5) == b"A"
        second = await tcp.connect_async("127.0.0.1", port, 5)
        assert await second.receive(5) == b""
        assert server.refused == 1
        await second.close()
        await first.close()
        await server.close()

    asyncio.run(scenario())


def test_a_flood_waits_in_the_senders_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AsyncStream, "LIMIT", 10_000)

    async def scenario() -> None:
        paused = asyncio.Event()
        total = 4_000_000

        async def flooded(stream: AsyncStream) -> None:
            while not stream._paused:  # noqa: ASYNC110 - the pause is nobody's event
                await asyncio.sleep(0)
            assert stream._inbox.size < 10_000 + (1 << 20)
            paused.set()
            count = 0
            while count < total:
                count += len(await stream.receive(5))
            await stream.send(b"all")

        server = tcp.TCPServer(flooded)
        port = await server.listen("127.0.0.1", 0)
        line = await tcp.connect_async("127.0.0.1", port, 5)
        await asyncio.gather(line.send(b"x" * total), paused.wait())
        assert await line.receive(5) == b"all"
        await line.close()
        await server.close()

    asyncio.run(scenario())


def test_a_peer_that_takes_nothing_is_cut_off_on_closing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AsyncStream, "CLOSE_S", 0.02)

    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            line = await tcp.connect_async("127.0.0.1", listening.getsockname()[1], 5)
            line._transport.write(b"x" * 20_000_000)  # type: ignore[union-attr]
            async with asyncio.timeout(5):
                await line.close()

    asyncio.run(scenario())


def test_a_handler_is_cancelled_when_the_server_closes() -> None:
    async def scenario() -> None:
        ended = asyncio.Event()

        async def waiting(stream: AsyncStream) -> None:
            try:
                await stream.receive(1e6)
            finally:
                ended.set()

        server = tcp.TCPServer(waiting)
        port = await server.listen("127.0.0.1", 0)
        line = await tcp.connect_async("127.0.0.1", port, 5)
        await asyncio.sleep(0.01)
        await server.close()
        assert ended.is_set()
        assert await line.receive(1) == b""
        await line.close()

    asyncio.run(scenario())


def test_a_reset_is_a_failure_and_not_an_end() -> None:
    async def scenario() -> None:
        inbox = Inbox()
        inbox.put(b"before")
        inbox.end(ConnectionResetError("reset"))
        assert await inbox.get(1) == b"before"
        for _ in range(2):
            with pytest.raises(TransportError, match="reset"):
                await inbox.get(1)

    asyncio.run(scenario())


# UDP


def far_end(host: str) -> socket.socket:
    far = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    far.bind((host, 0))
    far.settimeout(5)
    return far


@each_host
def test_blocking_udp_gives_datagrams_whole(host: str) -> None:
    with far_end(host) as far:
        line = udp.connect(host, far.getsockname()[1])
        line.set_line(300, 7, "E")
        line.send(b"hello")
        _, peer = far.recvfrom(100)
        for data in (b"one", b"", b"two"):
            far.sendto(data, peer)
        assert [line.receive(5), line.receive(5)] == [b"one", b"two"]
        with pytest.raises(TimedOut):
            line.receive(0.01)
        line.close()
        line.close()
        with pytest.raises(TransportError):
            line.send(b"x")
        with pytest.raises(TransportError):
            line.receive(1)


@each_host
def test_asyncio_udp_gives_datagrams_whole(host: str) -> None:
    async def scenario() -> None:
        with far_end(host) as far:
            line = await udp.connect_async(host, far.getsockname()[1])
            await line.set_line(300, 7, "E")
            await line.send(b"hello")
            _, peer = await asyncio.to_thread(far.recvfrom, 100)
            for data in (b"one", b"", b"two"):
                far.sendto(data, peer)
            assert [await line.receive(5), await line.receive(5)] == [b"one", b"two"]
            with pytest.raises(TimedOut):
                await line.receive(0.01)
            await line.close()
            await line.close()
            with pytest.raises(TransportError):
                await line.send(b"x")

    asyncio.run(scenario())


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 70])
def test_a_host_without_an_address_is_a_failure_of_the_line(host: str) -> None:
    with pytest.raises(TransportError, match="cannot reach"):
        udp.connect(host, 1)
    with pytest.raises(TransportError, match="cannot reach"):
        asyncio.run(udp.connect_async(host, 1))


def test_a_refused_datagram_does_not_end_the_line() -> None:
    async def scenario() -> None:
        with far_end("127.0.0.1") as far:
            port = far.getsockname()[1]
        line = await udp.connect_async("127.0.0.1", port)
        await line.send(b"anybody?")
        with pytest.raises(TransportError):
            await line.receive(1)
        with far_end("127.0.0.1") as far:
            far.close()
            far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            far.bind(("127.0.0.1", port))
            far.settimeout(5)
            await line.send(b"again")
            _, peer = await asyncio.to_thread(far.recvfrom, 100)
            far.sendto(b"here", peer)
            assert await line.receive(5) == b"here"
            far.close()
        await line.close()

    asyncio.run(scenario())


def test_datagrams_that_nobody_takes_are_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp.AsyncUDP, "LIMIT", 10)
    endpoint = udp.AsyncUDP()
    for _ in range(5):
        endpoint.datagram_received(b"12345", None)
    assert endpoint.dropped == 3
