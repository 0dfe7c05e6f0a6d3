"""Where bytes wait: streams are joined, datagrams are not, failures come once or for ever."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from polymeter.protocols.wire import TimedOut, TransportError
from polymeter.transports.inbox import AsyncStream, Inbox, timed_out


def within(scenario: Callable[[Inbox], Awaitable[None]], datagrams: bool = False) -> None:
    async def run() -> None:
        await scenario(Inbox(datagrams))

    asyncio.run(run())


def test_what_waits_on_a_stream_comes_at_once() -> None:
    async def scenario(inbox: Inbox) -> None:
        for piece in (b"a", b"", b"bc"):
            inbox.put(piece)
        assert inbox.size == 3
        assert await inbox.get(1) == b"abc"
        assert inbox.size == 0

    within(scenario)


def test_datagrams_come_one_by_one() -> None:
    async def scenario(inbox: Inbox) -> None:
        inbox.put(b"a")
        inbox.put(b"bc")
        assert [await inbox.get(1), await inbox.get(1)] == [b"a", b"bc"]
        assert inbox.size == 0

    within(scenario, datagrams=True)


def test_who_waits_is_woken() -> None:
    async def scenario(inbox: Inbox) -> None:
        waiting = asyncio.create_task(inbox.get(5))
        await asyncio.sleep(0)
        inbox.put(b"here")
        assert await waiting == b"here"

    within(scenario)


def test_silence_is_a_time_out_that_says_how_long() -> None:
    async def scenario(inbox: Inbox) -> None:
        with pytest.raises(TimedOut, match=r"nothing came within 0\.001 s"):
            await inbox.get(0.001)
        inbox.put(b"late")
        assert await inbox.get(1) == b"late"

    within(scenario)
    assert str(timed_out(1.5)) == "nothing came within 1.5 s"


def test_the_end_comes_after_what_was_said() -> None:
    async def scenario(inbox: Inbox) -> None:
        inbox.put(b"last")
        inbox.end()
        inbox.end(ConnectionError("too late to matter"))
        assert [await inbox.get(1) for _ in range(3)] == [b"last", b"", b""]

    within(scenario)


def test_an_end_wakes_who_waits() -> None:
    async def scenario(inbox: Inbox) -> None:
        waiting = asyncio.create_task(inbox.get(5))
        await asyncio.sleep(0)
        inbox.end()
        assert await waiting == b""

    within(scenario)


def test_a_stumble_is_told_once() -> None:
    async def scenario(inbox: Inbox) -> None:
        waiting = asyncio.create_task(inbox.get(5))
        await asyncio.sleep(0)
        inbox.stumble(ConnectionRefusedError("nobody there"))
        with pytest.raises(TransportError, match="nobody there"):
            await waiting
        inbox.put(b"somebody")
        assert await inbox.get(1) == b"somebody"

    within(scenario, datagrams=True)


def test_a_wait_that_is_cancelled_leaves_nothing_behind() -> None:
    async def scenario(inbox: Inbox) -> None:
        waiting = asyncio.create_task(inbox.get(5))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        inbox.put(b"still here")
        assert await inbox.get(1) == b"still here"

    within(scenario)


def test_a_stream_that_is_not_connected_cannot_send() -> None:
    async def scenario() -> None:
        stream = AsyncStream()
        assert stream.peer == ""
        with pytest.raises(TransportError, match="closed"):
            await stream.send(b"x")
        await stream.close()

    asyncio.run(scenario())
