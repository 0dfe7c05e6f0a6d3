"""``polymeter serve`` with radio meters that push by TCP, UDP and MQTT, and is killed among them.

Meters and keys come in by tables, as people bring them in. What the meters counted is in the store
afterwards, named, with its unit, once; what came by MQTT although nobody was there to take it.
"""

import asyncio
import csv
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from polymeter.catalogue import decode_frames
from polymeter.collection import ReceiverAddress
from polymeter.simulators import Settings, simulate
from polymeter.simulators.consumption import Consumption
from polymeter.simulators.wmbus import RadioMeter
from polymeter.store import ANY, Frame, FrameStatus, Store, channels, frames, meters, readings, series, staged
from polymeter.transports.mqtt import Broker, Subscription, subscribed
from polymeter.transports.urls import URL
from tests.collection.spooled import kept
from tests.patience import until
from tests.platform import Served, free_port

pytestmark = pytest.mark.anyio

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
SEED = 7
LINES: dict[str, dict[str, Any]] = {
    "tcp": {"first": 1, "format": "line"},
    "udp": {"first": 3, "format": "crc", "mode": 10},
    "mqtt": {"first": 5, "format": "json"},
    "compact": {"first": 7, "format": "raw", "mode": "session", "frames": "compact"},
    "fragments": {"first": 9, "format": "hex", "fragment": 24},
}
"""Two meters each: the odd one measures heat, the even one water. The last two push by TCP too."""
KEPT = "mqtt"
"""The line on which nothing is lost while nobody listens."""


def numbers(line: str) -> tuple[int, int]:
    return LINES[line]["first"], LINES[line]["first"] + 1


def meters_of(line: str) -> list[RadioMeter]:
    return [RadioMeter(number, 5, SEED, lambda: START) for number in numbers(line)]


def expected(days: dict[str, set[int]]) -> dict[tuple[str, str, datetime], Decimal]:
    """What the meters have counted, by meter, series with its unit, and instant."""
    found = {}
    for line, those in days.items():
        for number in numbers(line):
            used, name = Consumption(SEED * 1_000_003 + number), f"M{number}"
            for day in those:
                at = START + timedelta(days=day)
                energy, power = used.energy_wh(at), used.power_w(at)
                if number % 2:
                    found[name, "energy kWh", at] = Decimal(energy).scaleb(-3)
                    found[name, "power W", at] = Decimal(power)
                else:
                    found[name, "volume m3", at] = Decimal(energy).scaleb(-3)
                    found[name, "volume_flow m3/h", at] = Decimal(power % 3000).scaleb(-3)
    return found


def stored(tx: Any) -> list[tuple[tuple[str, str, datetime], Decimal]]:
    """Every reading, not only one of a kind."""
    rows = []
    for channel in channels.of_meter(tx, ANY):
        meter, of = meters.get(tx, ANY, channel.meter), series.get(tx, ANY, channel.series)
        assert meter is not None
        assert of is not None
        for row in readings.page(tx, ANY, [channel.id], limit=10_000):
            assert isinstance(row.value, Decimal)
            rows.append(((meter.name, f"{of.name} {of.unit}", row.instant), row.value))
    return rows


def polymeter(environment: dict[str, str], *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "polymeter", *arguments],
        env={**{k: v for k, v in os.environ.items() if not k.startswith("POLYMETER_")}, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


async def bring_in(folder: Path, environment: dict[str, str]) -> None:
    """Meters and their keys, from two tables."""
    with (folder / "meters.csv").open("w") as file:
        table = csv.writer(file)
        table.writerow(["meter", "protocol", "serial", "type", "series"])
        for line in LINES:
            for number in numbers(line):
                kind = (
                    ("heat", "energy kWh; power W")
                    if number % 2
                    else ("water", "volume m3; volume_flow m3/h")
                )
                table.writerow([f"M{number}", "wmbus", f"{number:08d}", *kind])
    with (folder / "keys.csv").open("w") as file:
        table = csv.writer(file)
        table.writerow(["meter", "kind", "value"])
        for line in LINES:
            for meter in meters_of(line):
                table.writerow([f"M{int(meter.id)}", "mbus_encryption_key", meter.key.hex()])
    for what in ("meters", "keys"):
        arguments = ["import", what, str(folder / f"{what}.csv"), "--organization", "Stadtwerke"]
        await asyncio.to_thread(polymeter, environment, *arguments)


async def all_read(url: str) -> list[Frame]:
    async with await Store.open(url) as store:

        async def none_waits() -> bool:
            return not await store.read(frames.waiting)

        await until(none_waits, "the reading of all frames")
        return await kept(store)


async def days_in(url: str) -> dict[str, set[int]]:
    """Of which days there are readings of each line's meters."""
    async with await Store.open(url) as store:
        rows = await store.read(stored)
    found: dict[str, set[int]] = {}
    for (name, _, instant), _ in rows:
        found.setdefault(name, set()).add((instant - START).days)
    return {
        line: set.intersection(*(found.get(f"M{number}", set()) for number in numbers(line)))
        for line in LINES
    }


async def until_day(url: str, day: int, *lines: str) -> None:
    async def there() -> bool:
        found = await days_in(url)
        return all(day in found[line] for line in lines)

    await until(there, f"day {day}")


@pytest.fixture
async def served(
    database: str, mqtt_url: str, tmp_path: Path
) -> AsyncIterator[tuple[Served, dict[str, str], str, Broker]]:
    """The platform, not yet started, and where the lines push to."""
    tcp, udp = free_port(), free_port()
    topic = f"pushes/{uuid4()}"
    to = {
        "tcp": f"wmbus://127.0.0.1:{tcp}",
        "udp": f"wmbus+udp://127.0.0.1:{udp}",
        "mqtt": f"wmbus+{mqtt_url}/{topic}",
    }
    to |= {"compact": to["tcp"], "fragments": to["tcp"]}
    receivers = ",".join(f"{to[line]}?organization=Stadtwerke" for line in ("tcp", "udp", "mqtt"))
    environment = {
        "POLYMETER_DATA_DIR": str(tmp_path),
        "POLYMETER_DATABASE_URL": database,
        "POLYMETER_RECEIVERS": receivers,
    }
    await bring_in(tmp_path, environment)
    platform = Served(tmp_path, environment, "")
    # The broker keeps messages for a session that exists: it is made by the first start.
    address = ReceiverAddress.parse(f"{to['mqtt']}?organization=Stadtwerke")
    broker = Broker.parse(mqtt_url)
    async with subscribed(broker, topic, address.client_id):
        pass
    try:
        yield platform, to, database, broker
    finally:
        await platform.leave_nothing()


async def test_radio_meters_push_by_every_line_and_each_reading_is_stored_once(
    served: tuple[Served, dict[str, str], str, Broker],
) -> None:
    platform, to, database, broker = served
    calendar = Calendar()
    every = list(LINES)

    async with AsyncExitStack() as all_the_time:
        await all_the_time.enter_async_context(sending(KEPT, calendar, to))
        watching = await all_the_time.enter_async_context(subscribed(broker, topic_of(to[KEPT])))
        await platform.start()
        async with AsyncExitStack() as others:
            for line in every:
                if line != KEPT:
                    await others.enter_async_context(sending(line, calendar, to))
            for day in range(3):
                calendar.day = day
                await until_day(database, day, *every)
        await platform.kill()
        calendar.day = 3
        await published(watching, 3)
        calendar.day = 4
        await published(watching, 4)
        await platform.start()
        calendar.day = 5
        async with AsyncExitStack() as others:
            for line in every:
                if line != KEPT:
                    await others.enter_async_context(sending(line, calendar, to))
            for day in (5, 6):
                calendar.day = day
                await until_day(database, day, *every)
        await until_day(database, 4, KEPT)
    found = await all_read(database)
    await platform.end()

    # A meter that is switched off within a message leaves a fragment behind; nothing else waits.
    waiting = [one for one in found if one.status is not FrameStatus.DONE]
    assert all((one.reason or "").startswith("waits for fragment 2") for one in waiting)
    assert len(waiting) <= 4
    assert {one.organization is not None for one in found} == {True}
    async with await Store.open(database) as store:
        rows = await store.read(stored)
        assert (await store.read(staged.page, ANY)).count == 0
    days = await days_in(database)
    assert days[KEPT] == set(range(7))
    assert all({0, 1, 2, 5, 6} <= those for those in days.values())
    wanted = expected(days)
    assert len(rows) == len({key for key, _ in rows})
    assert dict(rows) == wanted
    log = (platform.folder / "log").read_text()
    assert not any(meter.key.hex() in log for line in LINES for meter in meters_of(line))


class Calendar:
    """The clock of all meters: noon of a day that we turn."""

    day = 0

    def __call__(self) -> datetime:
        return START + timedelta(days=self.day)


def sending(line: str, calendar: Calendar, to: dict[str, str]) -> AbstractAsyncContextManager[list[str]]:
    return simulate("wmbus", Settings(2, SEED, calendar, {**LINES[line], "push": to[line], "interval": 0.8}))


def topic_of(address: str) -> str:
    return URL.parse(address).topic


async def published(watching: Subscription, day: int) -> None:
    """Wait until both meters have told the broker what they count on that day."""
    keys = [meter.key for meter in meters_of(KEPT)]
    told: set[str] = set()
    while len(told) < 2:
        messages = await watching.receive()
        watching.acknowledge(messages)
        for message in messages:
            (frame,) = decode_frames(message.payload, "wmbus", keys=keys)
            times = [one.value for one in frame.readings if isinstance(one.value, datetime)]
            if times == [(START + timedelta(days=day)).replace(tzinfo=None)]:
                told.add(str(frame.decoded.meter.id))
