"""The event stream: after the commit, each caller its own, nobody waits for a slow one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from polymeter.bus import MemoryBus
from polymeter.messages import STORED, NewMeterReading, encode, routing_key
from polymeter.services import Problem, stream
from polymeter.services.stream import Stream
from polymeter.store import ANY, readings
from tests.patience import PATIENCE_S
from tests.web import NOW, Web, platform, reading, run, sqlite_url


async def heard(events: AsyncIterator[bytes], number: int) -> list[bytes]:
    """The next so many events that are more than a comment."""
    found: list[bytes] = []
    async with asyncio.timeout(PATIENCE_S):
        while len(found) < number:
            event = await anext(events)
            if not event.startswith(b":"):
                found.append(event)
    return found


async def listening(events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    assert (await anext(events)).startswith(b": polymeter")
    return events


def body(event: bytes) -> Any:
    kind, data, *_ = event.decode().split("\n")
    assert kind.startswith("event: ")
    return msgspec.json.decode(data.removeprefix("data: "))


async def publish(bus: MemoryBus, organization: UUID | None, meter: str = "M") -> None:
    message = NewMeterReading(meter=meter, series="s", timestamp=NOW, value="1", organization=organization)
    await bus.publish(
        routing_key("new_meter_reading", meter, "s"), encode(message), exchange=STORED, required=False
    )


def test_what_was_committed_is_heard_by_its_own_organization_only(tmp_path: Path) -> None:
    async def work() -> None:
        async with platform(sqlite_url(tmp_path)) as web:
            mine = await listening(await web.services.stream.events(web.mine.id))
            other = await listening(await web.services.stream.events(web.other.id))
            every = await listening(await web.services.stream.events(ANY))
            for tenant in (web.mine, web.other):
                await deliver(web, tenant.tokens["every scope"], tenant.rows["meter_name"])
            assert [body(e)["meter"] for e in await heard(mine, 1)] == ["Stadtwerke-1"]
            assert [body(e)["meter"] for e in await heard(other, 1)] == ["Nachbar-1"]
            assert len(await heard(every, 2)) == 2
            await web.services.close()
            assert (await heard(mine, 1))[0].startswith(b"event: bye")
            with pytest.raises(StopAsyncIteration):
                await anext(mine)
            assert web.services.stream.listeners == 2

    run(work())


async def deliver(web: Web, token: str, meter: str) -> None:
    message = reading(meter, NOW + timedelta(minutes=1), "2000")
    async with web.client(token) as client:
        answer = await client.post("/v1/metering/new-meter-readings", content=encode(message))
        assert answer.status_code == 201


def test_an_event_is_told_after_the_commit(tmp_path: Path) -> None:
    async def work() -> None:
        async with platform(sqlite_url(tmp_path)) as web:
            events = await listening(await web.services.stream.events(web.mine.id))
            await deliver(web, web.mine.tokens["every scope"], "Stadtwerke-1")
            (event,) = await heard(events, 1)
            latest = await web.store.read(readings.latest, web.mine.id)
            assert latest[0].reading.instant == NOW + timedelta(minutes=1)
            assert body(event)["value"] == "2000"

    run(work())


def test_the_route_streams_events(tmp_path: Path) -> None:
    async def work() -> None:
        async with platform(sqlite_url(tmp_path)) as web:
            got: list[bytes] = []

            async def send(message: Any) -> None:
                got.append(message.get("body", b""))
                if b": polymeter" in got[-1]:
                    begun.set()
                if b"event: new_meter_reading" in message.get("body", b""):
                    asyncio.get_running_loop().call_soon(done.set)

            async def receive() -> Any:
                await done.wait()
                return {"type": "http.disconnect"}

            done, begun = asyncio.Event(), asyncio.Event()
            headers = [(b"host", b"t"), (b"authorization", web.mine.tokens["scope read"].encode())]
            scope = {
                "type": "http",
                "method": "GET",
                "path": "/v1/stream/",
                "raw_path": b"/v1/stream/",
                "query_string": b"meter=Stadtwerke-1",
                "headers": headers,
                "http_version": "1.1",
                "scheme": "http",
                "server": ("t", 80),
                "client": ("127.0.0.1", 1),
            }
            task = asyncio.create_task(web.app(scope, receive, send))
            async with asyncio.timeout(PATIENCE_S):
                await begun.wait()
            await deliver(web, web.mine.tokens["every scope"], "Stadtwerke-1")
            async with asyncio.timeout(PATIENCE_S):
                await task
            assert any(b'"meter":"Stadtwerke-1"' in part for part in got)

    run(work())


def test_a_slow_listener_loses_the_oldest_and_is_told_how_many() -> None:
    async def work() -> None:
        bus, organization = MemoryBus(), uuid4()
        served = Stream(bus, STORED)
        events = await listening(await served.events(organization))
        for _ in range(stream.QUEUE_MAX + 7):
            await publish(bus, organization)
            await asyncio.sleep(0)
        await asyncio.sleep(0.05)
        assert body((await heard(events, 1))[0])["count"] >= 1
        assert len(await heard(events, stream.QUEUE_MAX)) == stream.QUEUE_MAX
        await served.close()

    run(work())


def test_a_quiet_stream_has_a_heartbeat_and_ends_when_its_token_does() -> None:
    async def work() -> None:
        answers = [True, False]

        async def still() -> bool:
            return answers.pop(0)

        served = Stream(MemoryBus(), STORED)
        events = await listening(await served.events(uuid4(), still=still, heartbeat_s=0.01))
        assert await anext(events) == b": heartbeat\n\n"
        assert (await anext(events)).startswith(b"event: bye")
        with pytest.raises(StopAsyncIteration):
            await anext(events)
        assert served.listeners == 0

    run(work())


def test_a_message_without_an_organization_is_the_platforms_alone() -> None:
    async def work() -> None:
        bus, organization = MemoryBus(), uuid4()
        served = Stream(bus, STORED)
        mine = await listening(await served.events(organization, heartbeat_s=0.05))
        every = await listening(await served.events(ANY))
        await publish(bus, None)
        assert len(await heard(every, 1)) == 1
        assert await anext(mine) == b": heartbeat\n\n"
        await served.close()

    run(work())


def test_there_is_an_end_to_listeners(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        monkeypatch.setattr(stream, "LISTENERS_MAX", 1)
        served = Stream(MemoryBus(), STORED)
        await listening(await served.events(uuid4()))
        with pytest.raises(Problem) as refused:
            await served.events(uuid4())
        assert refused.value.status_code == 503

    run(work())
