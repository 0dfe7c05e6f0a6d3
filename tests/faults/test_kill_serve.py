"""kill -9 of the platform while readings are posted, pushed and polled: acknowledged means there, once."""

import asyncio
import os
import random
import uuid
from contextlib import suppress
from pathlib import Path

import pytest

from polymeter.simulators import Settings, simulate
from polymeter.store import ANY, FrameStatus, Store, frames
from tests.engines import Databases
from tests.patience import until
from tests.platform import Poster, Pusher, Served, polled, settled, stored_values

pytestmark = pytest.mark.anyio

ROUNDS = int(os.environ.get("POLYMETER_KILL_ROUNDS", "5"))
SEED = int(os.environ.get("POLYMETER_KILL_SEED", "20260301"))


async def all_frames_read(store: Store) -> None:
    async def none_waits() -> bool:
        return not await store.read(frames.waiting)

    await until(none_waits, "the reading of all frames")


async def torture(folder: Path, url: str, environment: dict[str, str]) -> None:
    print(f"seed {SEED}, {ROUNDS} rounds")
    async with simulate("iec62056-21", Settings(4)) as addresses:
        token = await settled(url, addresses)
        served = Served(folder, {"POLYMETER_DATABASE_URL": url, **environment}, token)
        try:
            await rounds(served, url)
        finally:
            await served.leave_nothing()


async def rounds(served: Served, url: str) -> None:
    dice = random.Random(SEED)
    posters = [Poster(served, first, 3) for first in range(3)]
    pusher = Pusher(served)
    await served.start()
    load = [asyncio.create_task(one.run()) for one in (*posters, pusher)]
    try:
        for _ in range(ROUNDS):
            await asyncio.sleep(dice.uniform(0.2, 2.5))
            await served.kill()
            await served.start()
        await asyncio.sleep(3)
    finally:
        for task in load:
            task.cancel()
        for task in load:
            with suppress(asyncio.CancelledError):
                await task
    store = await Store.open(url)
    try:
        await all_frames_read(store)
        await served.end()
        posted = set().union(*(one.acknowledged for one in posters))
        there = await store.read(stored_values, "POST")
        assert posted
        assert posted - set(there) == set()
        assert max(there.values()) == 1
        pushed = await store.read(stored_values, "PUSH")
        assert pusher.acknowledged
        assert pusher.acknowledged - set(pushed) == set()
        assert max(pushed.values()) == 1
        assert await store.read(polled) > 0
        quarantined = await store.read(frames.page, ANY, status=FrameStatus.QUARANTINED)
        assert quarantined.count == 0
        print(f"{len(posted)} posted, {len(pusher.acknowledged)} pushed, all there once")
    finally:
        await store.close()


async def test_what_was_acknowledged_survives_kills_embedded(tmp_path: Path) -> None:
    await torture(tmp_path, f"sqlite:///{tmp_path / 'polymeter.db'}", {})


async def test_what_was_acknowledged_survives_kills_on_postgresql_and_rabbitmq(
    tmp_path: Path, databases: Databases, postgres_url: str, amqp_url: str
) -> None:
    name = uuid.uuid4().hex[:8]
    environment = {
        "POLYMETER_AMQP_URL": amqp_url,
        "POLYMETER_AMQP_EXCHANGE": f"polymeter-{name}",
        "POLYMETER_AMQP_PUBLISH_TO": f"polymeter-{name}.stored",
    }
    await torture(tmp_path, databases.empty("postgresql"), environment)
