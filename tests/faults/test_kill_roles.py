"""The platform as many processes, by the very lines of the page that says how."""

import asyncio
import os
import signal
import sys
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from polymeter.domain import Source
from polymeter.simulators import Settings, simulate
from polymeter.store import ANY, Store, channels, meters, readings
from tests.engines import Databases
from tests.patience import PATIENCE_S, until
from tests.platform import Poster, Pusher, Served, settled

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).parents[2] / "docs/howto/run-the-platform.md"
METERS = 3


def lines() -> list[list[str]]:
    """The processes of the page's last example, each by its arguments."""
    block = PAGE.read_text().rsplit("```sh\n", 1)[1].split("```", 1)[0]
    return [line.split()[1:] for line in block.splitlines() if line.startswith("polymeter run")]


class Roles:
    """Processes that can be killed and started again one by one."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.running: list[asyncio.subprocess.Process] = []
        self.log = served.folder / "log"

    async def start(self, arguments: list[str]) -> asyncio.subprocess.Process:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("POLYMETER_")}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "polymeter",
            *(
                f"127.0.0.1:{self.served.http}" if argument == "0.0.0.0:8000" else argument
                for argument in arguments
            ),
            env={**environment, **self.served.environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=self.log.open("ab"),
        )
        self.running.append(process)
        return process

    async def kill(self, process: asyncio.subprocess.Process) -> None:
        self.running.remove(process)
        process.kill()
        await process.wait()

    async def end(self) -> list[int]:
        """Ask all of them to end, as Ctrl-C does."""
        for process in self.running:
            process.send_signal(signal.SIGINT)
        return [await asyncio.wait_for(process.wait(), PATIENCE_S) for process in self.running]

    async def leave_nothing(self) -> None:
        for process in self.running:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def stored(tx: Any, source: Source) -> Counter[tuple[Any, ...]]:
    ids = [channel.id for channel in channels.of_meter(tx, ANY)]
    page = readings.page(tx, ANY, ids, limit=1_000_000)
    return Counter((row.channel, row.instant) for row in page if row.source is source)


def values_of(tx: Any, name: str) -> Counter[int]:
    (known,) = meters.resolve(tx, ANY, [name])[name]
    ids = [channel.id for channel in channels.of_meter(tx, ANY, known.id)]
    return Counter(int(row.value) for row in readings.page(tx, ANY, ids, limit=1_000_000))


@pytest.fixture
async def roles(
    tmp_path: Path, databases: Databases, postgres_url: str, amqp_url: str
) -> AsyncIterator[Roles]:
    name = uuid.uuid4().hex[:8]
    database = databases.empty("postgresql")
    environment = {
        "POLYMETER_DATABASE_URL": database,
        "POLYMETER_DATA_DIR": str(tmp_path),
        "POLYMETER_SECRET_KEY": "ab" * 32,
        "POLYMETER_AMQP_URL": amqp_url,
        "POLYMETER_AMQP_EXCHANGE": f"polymeter-{name}",
        "POLYMETER_AMQP_PUBLISH_TO": f"polymeter-{name}.stored",
        "POLYMETER_LOG_LEVEL": "warning",
    }
    async with simulate("iec62056-21", Settings(METERS)) as addresses:
        served = Served(tmp_path, environment, await settled(database, addresses))
        environment["POLYMETER_RECEIVERS"] = f"iec62056-21://127.0.0.1:{served.push}?organization=Stadtwerke"
        found = Roles(served)
        try:
            yield found
        finally:
            await found.leave_nothing()


async def is_ready(served: Served) -> bool:
    async with httpx.AsyncClient() as client:
        try:
            return (await client.get(f"{served.url}/health/ready")).status_code == 200
        except httpx.TransportError:
            return False


async def test_each_role_in_a_process_of_its_own_collects_all_and_may_die(roles: Roles) -> None:
    served = roles.served
    started = {" ".join(line): await roles.start(line) for line in lines()}
    assert len(started) == 4
    await until(lambda: is_ready(served), "the HTTP interface")
    poster, pusher = Poster(served, 0, 1), Pusher(served)
    load = [asyncio.create_task(one.run()) for one in (poster, pusher)]
    store = await Store.open(served.environment["POLYMETER_DATABASE_URL"])

    def more(count: int) -> Callable[[], bool]:
        wanted = [len(one.acknowledged) + count for one in (poster, pusher)]
        return lambda: [len(poster.acknowledged), len(pusher.acknowledged)] >= wanted

    try:
        await until(more(5), "what is acknowledged")
        for line, process in started.items():
            await roles.kill(process)
            await roles.start(line.split())
            await until(lambda: is_ready(served), "the HTTP interface")
            await until(more(5), f"what is acknowledged after the death of {line}")
        for task in load:
            task.cancel()
        await asyncio.gather(*load, return_exceptions=True)

        async def all_there() -> bool:
            posted, pushed = await store.read(values_of, "POST"), await store.read(values_of, "PUSH")
            return poster.acknowledged <= set(posted) and pusher.acknowledged <= set(pushed)

        await until(all_there, "what was acknowledged")
        polled_before = len(await store.read(stored, Source.POLL))

        async def polled() -> bool:
            return len(await store.read(stored, Source.POLL)) >= polled_before + METERS

        await until(polled, "a reading of each polled meter")
        for source in (Source.POLL, Source.PUSH):
            assert max((await store.read(stored, source)).values()) == 1
    finally:
        for task in load:
            task.cancel()
        await store.close()
    assert await roles.end() == [0] * len(started), roles.log.read_text()[-2000:]
