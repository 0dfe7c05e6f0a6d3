"""A platform in a process of its own, to be killed, and clients that remember what it acknowledged."""

import asyncio
import os
import signal
import socket
import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from polymeter.domain import Source
from polymeter.protocols import iec62056_21 as iec
from polymeter.protocols.wire import TransportError
from polymeter.store import (
    ANY,
    Store,
    Tx,
    channels,
    meter_types,
    meters,
    organizations,
    readings,
    series,
    tasks,
    users,
)
from polymeter.transports import tcp
from tests.patience import until

START = datetime(2026, 1, 1, tzinfo=UTC)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def settle(tx: Tx, polled: list[str]) -> str:
    """An organization with a meter to post for, one that pushes, and some that are polled; gives a token."""
    organization = organizations.create(tx, "Stadtwerke").id
    energy = series.create(tx, organization, "1.8.0", "kWh")
    power = series.create(tx, organization, "1.6.0", "kW")
    config = meter_types.create_config(tx, organization, "electricity", [energy.id, power.id])
    kind = meter_types.create(tx, organization, "SIM100", config=config.id)
    meters.create(tx, organization, "POST", type=kind.id)
    meters.create(tx, organization, "PUSH", type=kind.id, manufacturer_serial="4711")
    fleet = [
        meters.create(tx, organization, f"POLL{number}", type=kind.id, url=url)
        for number, url in enumerate(polled)
    ]
    task = tasks.create(tx, organization, "read", "iec62056-21", "read", interval_s=2)
    tasks.assign(tx, organization, task.id, [meter.id for meter in fleet])
    return users.create_token(tx, organization, "test", ["ingest", "read"])[1]


async def launch(
    folder: Path, arguments: list[str], environment: dict[str, str]
) -> asyncio.subprocess.Process:
    """``polymeter`` as a process with these settings alone, whose log is added to ``log`` in the folder."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("POLYMETER_")}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "polymeter",
        *arguments,
        env={**others, **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=(folder / "log").open("ab"),
    )


def stored_values(tx: Tx, name: str) -> Counter[int]:
    """How often each whole value stands in the store for a meter."""
    (known,) = meters.resolve(tx, ANY, [name])[name]
    ids = [channel.id for channel in channels.of_meter(tx, ANY, known.id)]
    return Counter(int(row.value) for row in readings.page(tx, ANY, ids, limit=1_000_000))


def polled(tx: Tx) -> int:
    """How many readings were polled."""
    ids = [channel.id for channel in channels.of_meter(tx, ANY)]
    return sum(row.source is Source.POLL for row in readings.page(tx, ANY, ids, limit=1_000_000))


@dataclass
class Served:
    """``polymeter serve`` as a process that can be killed and started again on the same data and ports."""

    folder: Path
    environment: dict[str, str]
    token: str
    http: int = field(default_factory=free_port)
    push: int = field(default_factory=free_port)
    process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http}"

    async def start(self) -> None:
        receivers = f"iec62056-21://127.0.0.1:{self.push}?organization=Stadtwerke"
        self.process = await launch(
            self.folder,
            ["serve", "--listen", f"127.0.0.1:{self.http}"],
            {
                "POLYMETER_DATA_DIR": str(self.folder),
                "POLYMETER_RECEIVERS": receivers,
                "POLYMETER_LOG_LEVEL": "warning",
                **self.environment,
            },
        )
        await until(self.is_ready, "the HTTP interface")

    async def is_ready(self) -> bool:
        """Whether the HTTP interface says so; it is an error if the process ended."""
        if self.process is not None and self.process.returncode is not None:
            raise AssertionError(f"serve ended: {(self.folder / 'log').read_text()[-2000:]}")
        async with httpx.AsyncClient() as client:
            try:
                return (await client.get(f"{self.url}/health/ready")).status_code == 200
            except httpx.TransportError:
                return False

    async def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    async def leave_nothing(self) -> None:
        """Kill it if it still runs, whatever the test came to."""
        if self.process is not None and self.process.returncode is None:
            await self.kill()

    async def end(self) -> int:
        """Ask it to end, as Ctrl-C does."""
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        return await asyncio.wait_for(self.process.wait(), 15)


class Poster:
    """Posts readings one after another, over restarts, and remembers which were acknowledged."""

    def __init__(self, served: Served, first: int, step: int) -> None:
        self.served, self.number, self.step = served, first, step
        self.acknowledged: set[int] = set()

    async def run(self) -> None:
        headers = {"Authorization": f"Token {self.served.token}"}
        async with httpx.AsyncClient(headers=headers, timeout=10) as client:
            while True:
                instant = START + timedelta(seconds=self.number)
                body = {
                    "meter": "POST",
                    "series": "1.8.0",
                    "timestamp": instant.isoformat(),
                    "value": str(self.number),
                }
                try:
                    answer = await client.post(f"{self.served.url}/v1/metering/new-meter-readings", json=body)
                except httpx.TransportError:
                    await asyncio.sleep(0.02)
                    continue
                if answer.status_code == 503:
                    await asyncio.sleep(0.05)
                    continue
                assert answer.status_code == 201, answer.text
                self.acknowledged.add(self.number)
                self.number += self.step


class Pusher:
    """A meter that pushes read-outs, and remembers which were acknowledged."""

    def __init__(self, served: Served) -> None:
        self.served, self.number = served, 0
        self.acknowledged: set[int] = set()

    async def run(self) -> None:
        while True:
            try:
                line = await tcp.connect_async("127.0.0.1", self.served.push, 5)
                try:
                    while True:
                        await line.send(self._read_out())
                        if await line.receive(10) != b"\x06":
                            break
                        self.acknowledged.add(self.number)
                        self.number += 1
                finally:
                    await line.close()
            except TransportError:
                await asyncio.sleep(0.02)

    def _read_out(self) -> bytes:
        instant = START + timedelta(seconds=self.number)
        text = f"0.0.0(4711)\r\n1.6.0({self.number}.0*kW)({instant:%y%m%d%H%M%S})\r\n!\r\n"
        return b"/PMX5SIM\r\n" + iec.encode(iec.DataMessage(text))


async def settled(url: str, polled: list[str]) -> str:
    """Make the store ready; gives the token."""
    store = await Store.open(url, upgrade=True)
    try:
        return await store.write(settle, polled)
    finally:
        await store.close()
