"""The platform as many processes, by the very lines of the page that says how."""

import asyncio
import signal
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from polymeter.simulators import Settings, simulate
from polymeter.store import Store
from tests.engines import Databases
from tests.patience import PATIENCE_S, until
from tests.platform import Poster, Pusher, Served, launch, polled, settled, stored_values

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
        listen = f"127.0.0.1:{self.served.http}"
        given = [listen if argument == "0.0.0.0:8000" else argument for argument in arguments]
        process = await launch(self.served.folder, given, self.served.environment)
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


async def test_each_role_in_a_process_of_its_own_collects_all_and_may_die(roles: Roles) -> None:
    served = roles.served
    started = {" ".join(line): await roles.start(line) for line in lines()}
    assert len(started) == 4
    await until(served.is_ready, "the HTTP interface")
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
            await until(served.is_ready, "the HTTP interface")
            await until(more(5), f"what is acknowledged after the death of {line}")
        for task in load:
            task.cancel()
        await asyncio.gather(*load, return_exceptions=True)

        async def all_there() -> bool:
            posted, pushed = await store.read(stored_values, "POST"), await store.read(stored_values, "PUSH")
            return poster.acknowledged <= set(posted) and pusher.acknowledged <= set(pushed)

        await until(all_there, "what was acknowledged")
        before = await store.read(polled)

        async def polled_again() -> bool:
            return await store.read(polled) >= before + METERS

        await until(polled_again, "a reading of each polled meter")
        for name in ("POST", "PUSH"):
            assert max((await store.read(stored_values, name)).values()) == 1
    finally:
        for task in load:
            task.cancel()
        await store.close()
    assert await roles.end() == [0] * len(started), roles.log.read_text()[-2000:]
