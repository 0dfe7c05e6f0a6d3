"""Frames become readings once, and wait with their reason where they cannot yet."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from polymeter.bus import BusUnavailable, MemoryBus
from polymeter.collection import Processor
from polymeter.collection import processor as module
from polymeter.collection.quarantine import reconsider
from polymeter.domain import Quality, Source
from polymeter.ingest import Ingest
from polymeter.protocols import iec62056_21 as iec
from polymeter.store import (
    ANY,
    Frame,
    FrameStatus,
    Store,
    channels,
    frames,
    meters,
    new_uid,
    readings,
)
from tests.fleet import Fleet

pytestmark = pytest.mark.anyio

ARRIVED = datetime(2026, 3, 1, 11, 59, 58, tzinfo=UTC)


def telegram(serial: str = "4711", *sets: iec.DataSet) -> bytes:
    data = (iec.DataSet("0.0.0", serial), *(sets or (iec.DataSet("1.8.0", "12.5", "kWh"),)))
    message = iec.DataMessage(iec.encode_data(tuple((one,) for one in data)))
    return b"/PMX5SIM\r\n" + iec.encode(message)


async def spool(store: Store, fleet: Fleet | None, payload: bytes) -> str:
    uid = new_uid()
    owner = fleet.id if fleet is not None else None
    await store.spool([Frame("iec62056-21", payload, ARRIVED, uid, organization=owner)])
    return uid


async def frame(store: Store) -> Frame:
    (one,) = (await store.read(frames.page, ANY)).rows
    return one


def all_readings(tx: Any) -> Any:
    return readings.page(tx, ANY, [channel.id for channel in channels.of_meter(tx, ANY)])


@pytest.fixture
def processor(store: Store, bus: MemoryBus) -> Processor:
    return Processor(store, bus)


@pytest.fixture
async def known(store: Store, fleet: Fleet) -> Fleet:
    await store.write(meters.change, fleet.id, fleet.meter.id, manufacturer_serial="4711")
    return fleet


async def test_a_frame_becomes_a_reading_that_points_to_it(
    store: Store, ingest: Ingest, processor: Processor, known: Fleet
) -> None:
    await spool(store, known, telegram())
    assert await processor.drain() == 1
    kept = await frame(store)
    assert (kept.status, kept.meter, kept.attempts) == (FrameStatus.DONE, "M1", 1)
    (reading,) = await store.read(all_readings)
    assert (reading.value, reading.instant, reading.frame) == (Decimal("12.5"), ARRIVED, kept.id)
    assert (reading.source, reading.quality) == (Source.PUSH, Quality.TIME_OF_RECEPTION)


async def test_a_frame_read_twice_changes_nothing(
    store: Store, ingest: Ingest, processor: Processor, known: Fleet
) -> None:
    await spool(store, known, telegram())
    await processor.drain()
    before = await store.read(all_readings)
    assert await store.write(frames.requeue, ANY, done=True) == 1
    await processor.drain()
    assert await store.read(all_readings) == before


async def test_a_frame_of_an_unknown_meter_waits_and_comes_back_when_it_is_known(
    store: Store, ingest: Ingest, processor: Processor, fleet: Fleet
) -> None:
    await spool(store, fleet, telegram("4711"))
    await processor.drain()
    waiting = await frame(store)
    assert (waiting.status, waiting.reason) == (FrameStatus.QUARANTINED, "meter 4711 is not known")
    assert await store.write(reconsider) == 0
    await store.write(meters.change, fleet.id, fleet.meter.id, manufacturer_serial="4711")
    assert await store.write(reconsider) == 1
    await processor.drain()
    assert (await frame(store)).status is FrameStatus.DONE
    assert len(await store.read(all_readings)) == 1


async def test_a_meter_known_in_two_organizations_does_not_guess(
    store: Store, ingest: Ingest, processor: Processor, known: Fleet
) -> None:
    from tests.fleet import make

    other = await make(store, "Nachbar")
    await store.write(meters.change, other.id, other.meter.id, manufacturer_serial="4711")
    await spool(store, None, telegram())
    await processor.drain()
    assert (await frame(store)).status is FrameStatus.QUARANTINED
    assert await store.read(all_readings) == ()


async def test_a_frame_that_names_no_meter_waits(
    store: Store, ingest: Ingest, processor: Processor, known: Fleet
) -> None:
    message = iec.DataMessage(iec.encode_data(((iec.DataSet("1.8.0", "1", "kWh"),),)))
    await spool(store, known, iec.encode(message))
    await processor.drain()
    assert (await frame(store)).reason == "the frame does not say which meter it comes from"


async def test_bytes_that_are_no_frame_wait_with_the_decoders_reason(
    store: Store, ingest: Ingest, processor: Processor, known: Fleet
) -> None:
    await spool(store, known, telegram()[:-1] + b"\x00")
    await processor.drain()
    assert "block check character" in ((await frame(store)).reason or "")


async def test_a_broken_decoder_loses_nothing_and_stops_nobody(
    store: Store, ingest: Ingest, processor: Processor, known: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy = module.decode_frames

    def broken(payload: bytes, *arguments: Any, **named: Any) -> Any:
        if b"9999" in payload:
            raise ZeroDivisionError("a bug")
        return healthy(payload, *arguments, **named)

    monkeypatch.setattr(module, "decode_frames", broken)
    await spool(store, known, telegram("9999"))
    await spool(store, known, telegram("4711"))
    await processor.drain()
    first, second = (await store.read(frames.page, ANY)).rows
    assert first.reason == "the decoder failed: ZeroDivisionError: a bug"
    assert second.status is FrameStatus.DONE


async def test_a_frame_stays_new_while_nobody_commits(
    store: Store, processor: Processor, known: Fleet
) -> None:
    await spool(store, known, telegram())
    with pytest.raises(BusUnavailable):
        await processor.drain()
    assert (await frame(store)).status is FrameStatus.NEW


async def test_a_frame_that_cannot_be_published_waits_and_stops_nobody(
    store: Store, ingest: Ingest, processor: Processor, known: Fleet
) -> None:
    # Fifty characters are a name, but in a routing key each of these takes nine bytes.
    long = await store.write(meters.create, known.id, "表" * 50, type=known.type.id, manufacturer_serial="9")
    await spool(store, known, telegram("9"))
    await spool(store, known, telegram("4711"))
    assert await processor.drain() == 2
    poison, healthy = (await store.read(frames.page, ANY)).rows
    assert poison.status is FrameStatus.QUARANTINED
    assert "255" in (poison.reason or "")
    assert healthy.status is FrameStatus.DONE
    await store.write(meters.change, known.id, long.id, name="short")
    await store.write(frames.requeue, ANY)
    await processor.drain()
    assert len(await store.read(all_readings)) == 2


async def test_a_name_with_a_nul_character_waits_and_stops_nobody(
    store: Store, ingest: Ingest, processor: Processor, known: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    healthy = module.decode_frames

    def hostile(payload: bytes, *arguments: Any, **named: Any) -> Any:
        (one,) = healthy(payload, *arguments, **named)
        meter = replace(one.decoded.meter, id="47\0" + "11")
        return (replace(one, decoded=replace(one.decoded, meter=meter)),)

    monkeypatch.setattr(module, "decode_frames", hostile)
    await spool(store, known, telegram())
    assert await processor.drain() == 1
    assert (await frame(store)).status is FrameStatus.QUARANTINED
