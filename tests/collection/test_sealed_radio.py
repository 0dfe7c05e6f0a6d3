"""Telegrams of radio meters are opened with the keys of their meter, and wait with their reason otherwise."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from polymeter.bus import MemoryBus
from polymeter.cli.imports import KINDS
from polymeter.collection import Processor, Receiver, ReceiverAddress, sealed
from polymeter.collection.quarantine import reconsider
from polymeter.domain import Meter, Scheme, SimulatedClock
from polymeter.ingest import Ingest
from polymeter.protocols.mbus import LongHeader
from polymeter.protocols.wmbus import LinkHeader, encode_format_a
from polymeter.protocols.wmbus.meter import Sender, compact_frame
from polymeter.store import (
    ANY,
    Frame,
    FrameStatus,
    SecretKey,
    Store,
    channels,
    frames,
    meters,
    new_uid,
    readings,
    secrets,
)
from polymeter.transports import tcp
from tests.collection.spooled import kept
from tests.fleet import Fleet, make
from tests.vectors import load_vectors

pytestmark = pytest.mark.anyio

SEALING = SecretKey("a made up key of enough length")
KEY, OTHER_KEY = bytes(range(16)), bytes(range(16, 32))
NUMBER, ADDRESS = "12345678", "12345678B8410107"
LINK = LinkHeader(0x44, "PMX", NUMBER, 1, 7)
KIND = "mbus_encryption_key"
PROVEN = [5, 7, 8, 9, 10, "session"]
COUNTED = [7, 8, 9, 10, "session"]


def sender(mode: int | str = 7, link: LinkHeader = LINK, key: bytes = KEY, **more: Any) -> Sender:
    return Sender(link, key, 0 if mode == "session" else int(mode), session=mode == "session", **more)


def records(litres: int, day: int | None = None) -> bytes:
    """A volume, and the noon of a day in March when it was; a meter without a clock says no time."""
    time = b"" if day is None else b"\x04\x6d\x00\x0c" + bytes((0x40 | day, 0x33))
    return time + b"\x04\x13" + litres.to_bytes(4, "little")


def line(telegram: bytes) -> bytes:
    return f"T1;1;1;0;97;72;0;0x{telegram.hex()}\n".encode()


async def spool(store: Store, fleet: Fleet | None, *payloads: bytes, at: datetime | None = None) -> None:
    received = at or datetime(2026, 3, 1, 12, tzinfo=UTC)
    owner = fleet.id if fleet is not None else None
    await store.spool([Frame("wmbus", each, received, new_uid(), organization=owner) for each in payloads])


async def outcomes(store: Store) -> list[tuple[FrameStatus, str | None]]:
    return [(frame.status, frame.reason) for frame in await kept(store)]


def all_readings(tx: Any) -> Any:
    return readings.page(tx, ANY, [channel.id for channel in channels.of_meter(tx, ANY)])


async def volumes(store: Store) -> list[Decimal]:
    return sorted(one.value for one in await store.read(all_readings))


async def registered(store: Store, fleet: Fleet, serial: str = NUMBER) -> Meter:
    changed = await store.write(meters.change, fleet.id, fleet.meter.id, manufacturer_serial=serial)
    assert changed is not None
    return changed


async def give_key(store: Store, meter: Meter, key: bytes = KEY) -> None:
    await store.write(secrets.put, SEALING, meter.organization, meter.id, KIND, key)


@pytest.fixture
async def processor(store: Store, bus: MemoryBus, ingest: Ingest) -> Processor:
    return Processor(store, bus, SEALING)


async def read(store: Store, processor: Processor, fleet: Fleet, *payloads: bytes) -> None:
    """Each after the other, as they come."""
    for payload in payloads:
        await spool(store, fleet, payload)
    while await processor.drain():
        pass


@pytest.mark.parametrize("mode", PROVEN)
async def test_a_telegram_is_opened_with_its_meters_key(
    store: Store, processor: Processor, fleet: Fleet, mode: int | str
) -> None:
    await give_key(store, await registered(store, fleet))
    await read(store, processor, fleet, sender(mode).telegram(records(1234, 1), access_number=3, counter=9))
    assert await outcomes(store) == [(FrameStatus.DONE, None)]
    (reading,) = await store.read(all_readings)
    assert (reading.value, reading.instant) == (Decimal("1.234"), datetime(2026, 3, 1, 12, tzinfo=UTC))


@pytest.mark.parametrize("name", ["mode 2, DES", "mode 3, DES"])
async def test_a_key_of_des_has_eight_bytes(
    store: Store, processor: Processor, fleet: Fleet, name: str
) -> None:
    case = next(case for case in load_vectors("wmbus") if case["name"] == name)
    await give_key(store, await registered(store, fleet), bytes.fromhex(case["keys"][0]))
    await read(store, processor, fleet, bytes.fromhex(case["input"]))
    assert await outcomes(store) == [(FrameStatus.DONE, None)]
    assert len(await volumes(store)) == 1


@pytest.mark.parametrize("mode", PROVEN)
async def test_each_thing_that_is_missing_has_its_reason_and_its_coming_releases(
    store: Store, processor: Processor, fleet: Fleet, mode: int | str
) -> None:
    await read(store, processor, fleet, sender(mode).telegram(records(5, 1), access_number=1, counter=1))
    ((status, reason),) = await outcomes(store)
    assert (status, reason) == (FrameStatus.QUARANTINED, f"meter {ADDRESS} is not known")
    assert await store.write(reconsider) == 0

    meter = await registered(store, fleet)
    assert await store.write(reconsider) == 1
    await processor.drain()
    ((_, reason),) = await outcomes(store)
    assert f"the key of meter {NUMBER} is missing" in (reason or "")
    assert await store.write(reconsider) == 0

    await give_key(store, meter, OTHER_KEY)
    assert await store.write(reconsider) == 1
    await processor.drain()
    ((_, reason),) = await outcomes(store)
    assert "wrong key: the key given does not open" in (reason or "")

    await give_key(store, meter)
    assert await store.write(reconsider) == 1
    await processor.drain()
    assert await outcomes(store) == [(FrameStatus.DONE, None)]
    assert await volumes(store) == [Decimal("0.005")]


async def test_a_known_key_that_does_not_fit_is_not_tried_again_and_again(
    store: Store, clock: SimulatedClock, processor: Processor, fleet: Fleet
) -> None:
    await give_key(store, await registered(store, fleet), OTHER_KEY)
    await read(store, processor, fleet, sender().telegram(records(5, 1), counter=1))
    clock.advance(3600)
    assert await store.write(reconsider, clock.now() - timedelta(minutes=2)) == 0


async def test_a_key_opens_the_frames_of_its_meter_and_of_no_other(
    store: Store, processor: Processor, fleet: Fleet
) -> None:
    await give_key(store, await registered(store, fleet))
    neighbour = LinkHeader(0x44, "PMX", "87654321", 1, 7)
    await store.write(meters.create, fleet.id, "M2", type=fleet.type.id, manufacturer_serial=neighbour.id)
    await read(store, processor, fleet, sender(7, neighbour).telegram(records(5, 1), counter=1))
    ((_, reason),) = await outcomes(store)
    assert "the key of meter 87654321 is missing" in (reason or "")


async def test_behind_an_adapter_the_meter_counts_and_not_the_adapter(
    store: Store, processor: Processor, fleet: Fleet
) -> None:
    await give_key(store, await registered(store, fleet))
    adapter = LinkHeader(0x44, "ADP", "00000001", 1, 0x37)
    stranger = await store.write(
        meters.create, fleet.id, "M2", type=fleet.type.id, manufacturer_serial=adapter.id
    )
    await give_key(store, stranger, OTHER_KEY)
    behind = sender(5, adapter, meter=LongHeader(NUMBER, "PMX", 1, 7))
    await read(store, processor, fleet, behind.telegram(records(5, 1), access_number=1))
    (frame,) = await kept(store)
    assert (frame.status, frame.meter) == (FrameStatus.DONE, "M1")


async def test_an_adapter_that_encrypts_must_be_the_meters_own(
    store: Store, processor: Processor, fleet: Fleet
) -> None:
    meter = await registered(store, fleet)
    adapter = LinkHeader(0x44, "ADP", "00000001", 1, 0x37)
    other = await store.write(
        meters.create, fleet.id, "M2", type=fleet.type.id, manufacturer_serial=adapter.id
    )
    await give_key(store, other)
    behind = sender("session", adapter, meter=LongHeader(NUMBER, "PMX", 1, 7))
    await read(store, processor, fleet, behind.telegram(records(5, 1), counter=1))
    assert await outcomes(store) == [
        (
            FrameStatus.QUARANTINED,
            "it opens with the key of meter M2 and says that it comes from meter M1",
        )
    ]
    await store.write(meters.change, fleet.id, other.id, manufacturer_serial=None)
    await store.write(meters.add_alias, fleet.id, meter.id, Scheme.EXTERNAL, adapter.id)
    await give_key(store, meter)
    await store.write(frames.requeue, ANY)
    await processor.drain()
    assert await outcomes(store) == [(FrameStatus.DONE, None)]


async def test_another_makers_meter_of_the_same_number_is_told_apart_by_the_address(
    store: Store, processor: Processor, fleet: Fleet
) -> None:
    await registered(store, fleet, ADDRESS)
    other = LinkHeader(0x44, "XMP", NUMBER, 1, 7)
    ours, theirs = sender(0).telegram(records(5, 1)), sender(0, other).telegram(records(6, 1))
    await read(store, processor, fleet, ours, theirs)
    assert [frame.status for frame in await kept(store)] == [FrameStatus.DONE, FrameStatus.QUARANTINED]
    assert await volumes(store) == [Decimal("0.005")]


@pytest.mark.parametrize("mode", COUNTED)
async def test_a_telegram_that_is_heard_twice_is_read_once(
    store: Store, processor: Processor, fleet: Fleet, mode: int | str
) -> None:
    await give_key(store, await registered(store, fleet))
    telegram = sender(mode).telegram(records(5), access_number=1, counter=7)
    later = datetime(2026, 3, 1, 12, 0, 5, tzinfo=UTC)
    await spool(store, fleet, telegram)
    await spool(store, fleet, line(telegram), encode_format_a(telegram), at=later)
    await processor.drain()
    first, *again = await kept(store)
    assert (first.status, first.reason) == (FrameStatus.DONE, None)
    heard = (FrameStatus.DONE, f"the same message as frame {first.id}")
    assert [(frame.status, frame.reason) for frame in again] == [heard, heard]
    assert await volumes(store) == [Decimal("0.005")]


@pytest.mark.parametrize("mode", COUNTED)
async def test_an_older_counter_with_other_content_is_refused_after_a_restart_too(
    store: Store, bus: MemoryBus, processor: Processor, fleet: Fleet, mode: int | str
) -> None:
    await give_key(store, await registered(store, fleet))
    meter = sender(mode)
    await read(store, processor, fleet, meter.telegram(records(5), access_number=1, counter=7))
    again = Processor(store, bus, SEALING)
    await read(store, again, fleet, meter.telegram(records(6), access_number=2, counter=7))
    await read(store, again, fleet, meter.telegram(records(7), access_number=3, counter=6))
    await read(store, again, fleet, meter.telegram(records(8, 2), access_number=4, counter=8))
    shift = 4 if mode == "session" else 0
    assert await outcomes(store) == [
        (FrameStatus.DONE, None),
        (
            FrameStatus.QUARANTINED,
            f"message counter {7 << shift} was used already: the message is replayed"
            f" (last seen {7 << shift})",
        ),
        (
            FrameStatus.QUARANTINED,
            f"message counter {6 << shift} is lower than the last one (last seen {7 << shift})",
        ),
        (FrameStatus.DONE, None),
    ]
    assert await volumes(store) == [Decimal("0.005"), Decimal("0.008")]


async def test_reading_all_again_gives_the_same(store: Store, processor: Processor, fleet: Fleet) -> None:
    await give_key(store, await registered(store, fleet))
    one, two = (sender().telegram(records(count), counter=count) for count in (1, 2))
    await read(store, processor, fleet, one, one, two, one)
    before, had = await outcomes(store), await volumes(store)
    assert [status for status, _ in before] == [FrameStatus.DONE] * 4
    await store.write(frames.requeue, ANY, done=True)
    await processor.drain()
    assert (await outcomes(store), await volumes(store)) == (before, had)


async def test_what_waited_for_the_key_is_judged_by_when_it_came(
    store: Store, processor: Processor, fleet: Fleet
) -> None:
    meter = await registered(store, fleet)
    one, two = (sender().telegram(records(count, count), counter=count) for count in (1, 2))
    await read(store, processor, fleet, one)
    await give_key(store, meter)
    await read(store, processor, fleet, two, one)
    assert [frame.status for frame in await kept(store)] == [
        FrameStatus.QUARANTINED, FrameStatus.DONE, FrameStatus.QUARANTINED,
    ]  # fmt: skip
    await store.write(reconsider)
    await processor.drain()
    first, _, again = await kept(store)
    assert (first.status, again.status) == (FrameStatus.DONE, FrameStatus.QUARANTINED)
    # The second hearing came while the first waited; it is a replay then, and an echo once that is read.
    await store.write(frames.requeue, ANY)
    await processor.drain()
    assert (await outcomes(store))[2] == (FrameStatus.DONE, f"the same message as frame {first.id}")
    assert await volumes(store) == [Decimal("0.001"), Decimal("0.002")]


async def test_the_mode_without_a_counter_is_read_as_often_as_it_comes(
    store: Store, processor: Processor, fleet: Fleet
) -> None:
    await give_key(store, await registered(store, fleet))
    telegram = sender(5).telegram(records(5, 1), access_number=1)
    await read(store, processor, fleet, telegram, telegram)
    assert await outcomes(store) == [(FrameStatus.DONE, None)] * 2
    assert await volumes(store) == [Decimal("0.005")]


async def test_an_altered_telegram_is_refused_with_the_right_key_too(
    store: Store, processor: Processor, fleet: Fleet
) -> None:
    await give_key(store, await registered(store, fleet))
    telegram = bytearray(sender(7).telegram(records(5, 1) * 2, counter=1))
    telegram[-1] ^= 1
    await read(store, processor, fleet, bytes(telegram))
    ((status, reason),) = await outcomes(store)
    assert status is FrameStatus.QUARANTINED
    assert "the telegram was altered" in (reason or "")


@pytest.mark.parametrize("form", ["plain", "announced as encrypted", "compact"])
async def test_a_plain_telegram_of_a_meter_that_has_a_key_is_not_believed(
    store: Store, bus: MemoryBus, processor: Processor, fleet: Fleet, form: str
) -> None:
    meter = await registered(store, fleet)
    content = records(5, 1)
    if form == "compact":
        headers = b"\x04\x6d\x04\x13"
        data = content[2:6] + content[8:]
        telegram = sender(0, compact=True).telegram(compact_frame(headers, content, data)[1:])
        await spool(store, fleet, sender(0).telegram(content))
    elif form == "plain":
        telegram = sender(0).telegram(content)
    else:
        telegram = bytearray(sender(5).telegram(content))
        telegram[15:] = (b"\x2f\x2f" + content).ljust(len(telegram) - 15, b"\x2f")
    await processor.drain()
    await give_key(store, meter)
    await read(store, processor, fleet, bytes(telegram))
    status, reason = (await outcomes(store))[-1]
    assert status is FrameStatus.QUARANTINED
    assert (reason or "").startswith("meter M1 has a key and the frame is not encrypted")
    before = len(await volumes(store))
    trusting = Processor(store, bus, SEALING, plain=True)
    await store.write(frames.requeue, ANY)
    await trusting.drain()
    assert (await outcomes(store))[-1] == (FrameStatus.DONE, None)
    assert len(await volumes(store)) == max(before, 1)


async def test_a_plain_telegram_without_readings_is_nothing_to_believe(
    store: Store, processor: Processor, fleet: Fleet
) -> None:
    await give_key(store, await registered(store, fleet))
    await read(store, processor, fleet, sender(0).telegram(b""))
    assert await outcomes(store) == [(FrameStatus.DONE, None)]


async def test_frames_of_an_organization_wait_for_its_own_meter(
    store: Store, processor: Processor, fleet: Fleet
) -> None:
    other = await make(store, "Nachbar")
    await store.write(meters.change, other.id, other.meter.id, manufacturer_serial=NUMBER)
    await read(store, processor, fleet, sender(0).telegram(records(5, 1)))
    assert await store.write(reconsider) == 0
    await registered(store, fleet)
    assert await store.write(reconsider) == 1


async def test_everything_that_waits_for_a_meter_is_released_at_once(
    store: Store, processor: Processor, fleet: Fleet
) -> None:
    waiting = [
        Frame(
            "wmbus", b"x", datetime(2026, 3, 1, tzinfo=UTC), new_uid(), organization=fleet.id, meter=meter,
            status=FrameStatus.QUARANTINED, reason=f"meter {meter} is not known",
        )
        for meter in ["99999999"] * 1500 + [ADDRESS] * 700
    ]  # fmt: skip
    await store.spool(waiting)
    await registered(store, fleet)
    assert await store.write(reconsider) == 700


def test_every_kind_of_key_can_be_imported() -> None:
    assert set(sealed.KINDS) <= set(KINDS)


async def test_of_strangers_only_the_newest_telegrams_are_kept_where_the_entrance_says_so(
    store: Store, clock: SimulatedClock, processor: Processor, fleet: Fleet
) -> None:
    address = ReceiverAddress.parse("wmbus://127.0.0.1:0?strangers=2")
    receiver = Receiver(address, fleet.id, store, clock)
    port = await receiver.start()
    stranger = sender(0, LinkHeader(0x44, "XYZ", "11111111", 1, 7))
    try:
        line = await tcp.connect_async("127.0.0.1", port, 5.0)
        for count in range(5):
            for one in (stranger, sender(0)):
                await line.send(one.telegram(records(count, 1)))
        await line.close()
        await kept(store, 10)
    finally:
        await receiver.close()
    # An entrance without such a word keeps all.
    other = sender(0, LinkHeader(0x44, "XYZ", "22222222", 1, 7))
    await spool(store, fleet, *[other.telegram(records(1))] * 3)
    await processor.drain()
    left = [frame.meter for frame in await kept(store)]
    assert left.count(ADDRESS) == left.count("111111113A630107") == 2
    assert left.count("222222223A630107") == 3
    await registered(store, fleet)
    assert await store.write(reconsider) == 2
