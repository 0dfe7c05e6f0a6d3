"""Runs end with readings or with a reason, whoever dies."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from polymeter.bus import MemoryBus
from polymeter.collection import Worker
from polymeter.collection.workers import address_of, retry_pause_s
from polymeter.domain import Meter, NetworkInterface, SimulatedClock, Source
from polymeter.ingest import Ingest
from polymeter.messages import STORED, AmrTaskResult, decode
from polymeter.protocols.wire import LocalProtocolError
from polymeter.simulators import Settings, simulate
from polymeter.store import (
    ANY,
    Run,
    RunStatus,
    SecretKey,
    Store,
    channels,
    leases,
    meters,
    readings,
    secrets,
    task_runs,
)
from tests.fleet import Fleet

pytestmark = pytest.mark.anyio

KEY = SecretKey("a made up key of enough length")


@pytest.fixture
def worker(store: Store, bus: MemoryBus, clock: SimulatedClock) -> Worker:
    return Worker(store, bus, clock, KEY, dice=random.Random(1))


@pytest.fixture
async def meter_url(clock: SimulatedClock) -> AsyncIterator[str]:
    config = {"password": "0000"}
    async with simulate("iec62056-21", Settings(now=clock.now, config=config)) as addresses:
        yield addresses[0]


async def plan(store: Store, fleet: Fleet, clock: SimulatedClock, call: str = "read", **kwargs: Any) -> Run:
    run = await store.write(task_runs.create, fleet.id, fleet.meter.id, clock.now(), call, kwargs)
    assert run is not None
    return run


async def outcome(store: Store, run: Run) -> Run:
    found = await store.read(task_runs.get, ANY, run.id)
    assert found is not None
    return found


def stored(tx: Any) -> Any:
    return readings.page(tx, ANY, [channel.id for channel in channels.of_meter(tx, ANY)])


async def test_a_run_reads_the_meter_and_stores_what_is_configured(
    store: Store, ingest: Ingest, worker: Worker, fleet: Fleet, clock: SimulatedClock, meter_url: str
) -> None:
    await store.write(meters.change, fleet.id, fleet.meter.id, url=meter_url)
    run = await plan(store, fleet, clock)
    assert await worker.drain() == 1
    done = await outcome(store, run)
    assert (done.status, done.result) == (RunStatus.DONE, {"readings": 1})
    (reading,) = await store.read(stored)
    assert isinstance(reading.value, Decimal)
    assert (reading.source, reading.instant) == (Source.POLL, clock.now())


async def test_the_password_comes_from_the_sealed_secrets(
    store: Store, ingest: Ingest, worker: Worker, fleet: Fleet, clock: SimulatedClock, meter_url: str
) -> None:
    await store.write(meters.change, fleet.id, fleet.meter.id, url=meter_url)
    args = (KEY, fleet.id, fleet.meter.id, "iec62056_21_password")
    await store.write(secrets.put, *args, b"wrong")
    refused = await plan(store, fleet, clock, objects=["1.8.0"])
    await worker.drain()
    failed = await outcome(store, refused)
    assert (failed.status, failed.reason) == (RunStatus.FAILED, "the meter refuses the password")
    await store.write(secrets.put, *args, b"0000")
    clock.advance(1)
    accepted = await plan(store, fleet, clock, objects=["1.8.0", "9.9.9"])
    await worker.drain()
    done = await outcome(store, accepted)
    assert done.result == {"readings": 1, "refused": {"1-0:9.9.9*255": "the meter answers (ERROR)"}}


async def test_a_silent_meter_is_tried_again_later_and_in_the_end_given_up(
    store: Store, ingest: Ingest, worker: Worker, fleet: Fleet, clock: SimulatedClock
) -> None:
    await store.write(meters.change, fleet.id, fleet.meter.id, url="iec62056-21://127.0.0.1:1")
    run = await plan(store, fleet, clock)
    attempts = 0
    while (now := await outcome(store, run)).status is RunStatus.WAITING:
        clock.advance(max(0.0, (now.not_before - clock.now()).total_seconds()))
        attempts += await worker.drain()
    assert (now.status, now.attempt, attempts) == (RunStatus.FAILED, 6, 6)
    assert "cannot connect to 127.0.0.1 port 1" in (now.reason or "")


async def test_a_wrong_address_is_not_tried_again(
    store: Store, ingest: Ingest, worker: Worker, fleet: Fleet, clock: SimulatedClock
) -> None:
    run = await plan(store, fleet, clock)
    await worker.drain()
    ended = await outcome(store, run)
    assert ended.status is RunStatus.FAILED
    assert ended.reason == "meter M1 has neither an address nor a network interface"


async def test_a_call_that_the_family_does_not_have_ends_with_its_name(
    store: Store, ingest: Ingest, worker: Worker, fleet: Fleet, clock: SimulatedClock, meter_url: str
) -> None:
    await store.write(meters.change, fleet.id, fleet.meter.id, url=meter_url)
    run = await plan(store, fleet, clock, "make_coffee")
    await worker.drain()
    assert "has no call 'make_coffee'" in ((await outcome(store, run)).reason or "")


async def test_a_run_waits_while_another_worker_has_the_interface(
    store: Store, ingest: Ingest, worker: Worker, fleet: Fleet, clock: SimulatedClock, meter_url: str
) -> None:
    gateway = await store.write(meters.create_interface, fleet.id, name="gateway")
    await store.write(meters.change, fleet.id, fleet.meter.id, url=meter_url, network_interface=gateway.id)
    await store.write(leases.take, f"interface {gateway.id}", "another", 30.0)
    run = await plan(store, fleet, clock)
    await worker.drain()
    waiting = await outcome(store, run)
    assert (waiting.status, waiting.attempt) == (RunStatus.WAITING, 0)
    clock.advance(31)
    await worker.drain()
    assert (await outcome(store, run)).status is RunStatus.DONE


async def test_the_run_of_a_dead_worker_is_taken_over(
    store: Store, ingest: Ingest, worker: Worker, fleet: Fleet, clock: SimulatedClock, meter_url: str
) -> None:
    await store.write(meters.change, fleet.id, fleet.meter.id, url=meter_url)
    run = await plan(store, fleet, clock)
    assert len(await store.write(task_runs.claim, "dead", 15.0)) == 1
    assert await worker.drain() == 0
    clock.advance(16)
    assert await worker.drain() == 1
    assert (await outcome(store, run)).attempt == 2


async def test_the_end_of_a_run_is_told(
    store: Store,
    bus: MemoryBus,
    ingest: Ingest,
    worker: Worker,
    fleet: Fleet,
    clock: SimulatedClock,
    meter_url: str,
) -> None:
    told: asyncio.Queue[AmrTaskResult] = asyncio.Queue()

    async def hear(batch: Any) -> None:
        for delivery in batch:
            told.put_nowait(decode(delivery.body, AmrTaskResult))

    await bus.subscribe(["amr_task_result.#"], hear, exchange=STORED)
    await store.write(meters.change, fleet.id, fleet.meter.id, url=meter_url)
    run = await plan(store, fleet, clock)
    await worker.drain()
    message = await asyncio.wait_for(told.get(), 5)
    assert (message.run, message.meter, message.status) == (run.id, "M1", "done")


async def test_meters_behind_one_gateway_are_asked_one_after_another(
    store: Store, ingest: Ingest, worker: Worker, fleet: Fleet, clock: SimulatedClock
) -> None:
    gateway = await store.write(meters.create_interface, fleet.id, name="gateway")
    async with simulate("iec62056-21", Settings(6, now=clock.now)) as addresses:
        for number, address in enumerate(addresses):
            made = await store.write(
                meters.create,
                fleet.id,
                f"G{number}",
                type=fleet.type.id,
                url=address,
                network_interface=gateway.id,
            )
            await store.write(task_runs.create, fleet.id, made.id, clock.now(), "read", {})
        assert await worker.drain() == 6
    page = await store.read(task_runs.page, ANY, status=RunStatus.DONE)
    assert page.count == 6


async def test_a_radio_meter_is_read_with_its_sealed_key(
    store: Store, ingest: Ingest, worker: Worker, fleet: Fleet, clock: SimulatedClock
) -> None:
    settings = Settings(now=clock.now, config={"first": 2, "interval": 0.01})
    async with simulate("wmbus", settings) as (address,):
        url, _, key = address.partition("?key=")
        await store.write(meters.change, fleet.id, fleet.meter.id, url=url)
        await store.write(
            secrets.put, KEY, fleet.id, fleet.meter.id, "mbus_encryption_key", bytes.fromhex(key)
        )
        # A secret of another family is nothing to this driver.
        await store.write(secrets.put, KEY, fleet.id, fleet.meter.id, "iec62056_21_password", b"0000")
        run = await plan(store, fleet, clock)
        assert await worker.drain() == 1
    done = await outcome(store, run)
    assert (done.status, done.result) == (RunStatus.DONE, {"readings": 1}), done.reason


def test_addresses_are_put_together_from_meter_interface_and_secrets() -> None:
    from uuid import uuid4

    organization = uuid4()
    meter = Meter(uuid4(), organization, "M", protocol="iec62056-21", iec62056_21_address="12 3")
    interface = NetworkInterface(uuid4(), organization, static_ip_address="::1", port=5000)
    assert address_of(meter, interface, {"password": "a&b"}) == (
        "iec62056-21://[::1]:5000?address=12%203&password=a%26b"
    )
    with pytest.raises(LocalProtocolError, match="neither an address nor a network interface"):
        address_of(meter, None, {})


def test_pauses_double_with_jitter_up_to_an_hour() -> None:
    dice = random.Random(7)
    pauses = [retry_pause_s(attempt, dice) for attempt in range(1, 12)]
    for number, pause in enumerate(pauses):
        middle = min(3600.0, 10.0 * 2**number)
        assert 0.75 * middle <= pause <= 1.25 * middle
    assert timedelta(seconds=max(pauses)) <= timedelta(hours=1.25)
