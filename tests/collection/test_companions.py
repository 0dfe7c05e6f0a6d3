"""Compact frames and fragments wait for the telegrams that make them whole, and are read once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from polymeter.bus import MemoryBus
from polymeter.collection import Processor
from polymeter.collection.quarantine import reconsider
from polymeter.domain import Meter
from polymeter.ingest import Ingest
from polymeter.simulators.wmbus import RadioMeter
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
from tests.fleet import Fleet, make

pytestmark = pytest.mark.anyio

SEALING = SecretKey("a made up key of enough length")
KIND = "mbus_encryption_key"
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
DONE, QUARANTINED = FrameStatus.DONE, FrameStatus.QUARANTINED
MODES = [0, 5, 7, "session"]


class Now:
    """A clock that goes on by a minute whenever it is told."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        return self.at

    def later(self) -> None:
        self.at += timedelta(minutes=1)


def water(mode: int | str = 7, number: int = 2, **more: Any) -> tuple[RadioMeter, Now]:
    now = Now()
    return RadioMeter(number, mode, 1, now, **more), now


def messages(sender: RadioMeter, now: Now, count: int) -> list[list[bytes]]:
    """Messages a minute apart, each in as many telegrams as it takes."""
    sent = []
    for _ in range(count):
        sent.append(sender.telegrams())
        now.later()
    return sent


async def registered(store: Store, fleet: Fleet, sender: RadioMeter) -> Meter:
    changed = await store.write(meters.change, fleet.id, fleet.meter.id, manufacturer_serial=sender.id)
    assert changed is not None
    return changed


async def give_key(store: Store, meter: Meter, sender: RadioMeter) -> None:
    if sender.mode == 0:
        return  # a meter that has a key is not believed without it
    await store.write(secrets.put, SEALING, meter.organization, meter.id, KIND, sender.key)


async def spool(store: Store, fleet: Fleet, *payloads: bytes) -> None:
    for payload in payloads:
        await store.spool([Frame("wmbus", payload, START, new_uid(), organization=fleet.id)])


async def outcomes(store: Store) -> list[tuple[FrameStatus, str | None]]:
    rows = (await store.read(frames.page, ANY)).rows
    return [(frame.status, frame.reason) for frame in rows]


async def instants(store: Store) -> list[datetime]:
    def work(tx: Any) -> Any:
        return readings.page(tx, ANY, [channel.id for channel in channels.of_meter(tx, ANY)])

    return sorted(one.instant for one in await store.read(work))


def minutes(*numbers: int) -> list[datetime]:
    return [START + timedelta(minutes=number) for number in numbers]


async def drained(processor: Processor) -> None:
    for _ in range(50):
        if not await processor.drain():
            return
    raise AssertionError("it goes on for ever")


@pytest.fixture
async def processor(store: Store, bus: MemoryBus, ingest: Ingest) -> Processor:
    return Processor(store, bus, SEALING)


# compact frames


@pytest.mark.parametrize("mode", MODES)
async def test_a_compact_frame_is_read_by_the_full_one_before_it_after_a_restart_too(
    store: Store, bus: MemoryBus, processor: Processor, fleet: Fleet, mode: int | str
) -> None:
    sender, now = water(mode, frames="compact")
    await give_key(store, await registered(store, fleet, sender), sender)
    (full,), (one,), (two,) = messages(sender, now, 3)
    await spool(store, fleet, full, one)
    await drained(processor)
    await spool(store, fleet, two)
    await drained(Processor(store, bus, SEALING))
    assert await outcomes(store) == [(DONE, None)] * 3
    assert await instants(store) == minutes(0, 1, 2)


@pytest.mark.parametrize("mode", MODES)
async def test_a_compact_frame_waits_for_the_full_one_and_comes_back_by_itself(
    store: Store, processor: Processor, fleet: Fleet, mode: int | str
) -> None:
    sender, now = water(mode, frames="compact")
    await give_key(store, await registered(store, fleet, sender), sender)
    sent = [one for each in messages(sender, now, 9) for one in each]
    full, compact, again = sent[0], sent[1:4], sent[8]
    await spool(store, fleet, *compact)
    await drained(processor)
    rows = (await store.read(frames.page, ANY)).rows
    assert {frame.meter for frame in rows} == {"M1"}
    for frame in rows:
        assert frame.status is QUARANTINED
        assert (frame.reason or "").startswith("waits for format ")
        assert (frame.reason or "").endswith(", which another telegram of meter M1 brings")
    # One that came before them in time and comes late is too old by its counter where there is one.
    late = again if mode in (7, "session") else full
    await spool(store, fleet, late)
    await drained(processor)
    assert await outcomes(store) == [(DONE, None)] * 4
    assert await instants(store) == minutes(*((1, 2, 3, 8) if late is again else (0, 1, 2, 3)))


async def test_a_stranger_teaches_nothing(store: Store, processor: Processor, fleet: Fleet) -> None:
    sender, now = water(0, frames="compact")
    other, _ = water(0, number=4)
    await registered(store, fleet, sender)
    await store.write(meters.create, fleet.id, "M2", type=fleet.type.id, manufacturer_serial=other.id)
    _, (compact,) = messages(sender, now, 2)
    await spool(store, fleet, other.telegram(), compact, other.telegram())
    await drained(processor)
    assert [status for status, _ in await outcomes(store)] == [DONE, QUARANTINED, DONE]


async def test_a_key_that_cannot_be_taken_out_of_its_seal_holds_up_nobody(
    store: Store, bus: MemoryBus, ingest: Ingest, fleet: Fleet
) -> None:
    sender, now = water(0, frames="compact")
    meter = await registered(store, fleet, sender)
    (full,), (compact,) = messages(sender, now, 2)
    processor = Processor(store, bus, SEALING, plain=True)
    await spool(store, fleet, compact)
    await drained(processor)
    other = SecretKey("another made up key of enough length")
    await store.write(secrets.put, other, meter.organization, meter.id, KIND, sender.key)
    await spool(store, fleet, full)
    await drained(processor)
    assert [status for status, _ in await outcomes(store)] == [QUARANTINED, DONE]


async def test_another_organizations_frames_teach_nothing(
    store: Store, processor: Processor, fleet: Fleet
) -> None:
    sender, now = water(0, frames="compact")
    neighbour = await make(store, "Nachbar")
    for each in (fleet, neighbour):
        await registered(store, each, sender)
    (full,), (compact,) = messages(sender, now, 2)
    await spool(store, neighbour, full)
    await spool(store, fleet, compact)
    await drained(processor)
    assert [status for status, _ in await outcomes(store)] == [DONE, QUARANTINED]


async def test_reading_all_again_gives_the_same(
    store: Store, processor: Processor, bus: MemoryBus, fleet: Fleet
) -> None:
    sender, now = water(7, frames="compact")
    await give_key(store, await registered(store, fleet, sender), sender)
    sent = [one for each in messages(sender, now, 9) for one in each]
    await spool(store, fleet, *sent[1:])
    await drained(processor)
    before, had = await outcomes(store), await instants(store)
    assert before == [(DONE, None)] * 8
    await store.write(frames.requeue, ANY, done=True)
    await drained(Processor(store, bus, SEALING))
    assert (await outcomes(store), await instants(store)) == (before, had)


# fragments

WAITING = "waits for fragment 2 of a message, which another telegram of meter M1 brings"


@pytest.mark.parametrize("mode", [0, 5, 7, 10])
async def test_a_message_is_read_when_its_last_fragment_comes_after_a_restart_too(
    store: Store, bus: MemoryBus, processor: Processor, fleet: Fleet, mode: int
) -> None:
    sender, now = water(mode, fragment=14)
    await give_key(store, await registered(store, fleet, sender), sender)
    (parts,) = messages(sender, now, 1)
    assert len(parts) > 1
    await spool(store, fleet, parts[0])
    await drained(processor)
    assert await outcomes(store) == [(QUARANTINED, WAITING)]
    await spool(store, fleet, *parts[1:])
    await drained(Processor(store, bus, SEALING))
    last = len(parts)
    assert await outcomes(store) == [(DONE, f"read with frame {last}")] * (last - 1) + [(DONE, None)]
    assert await instants(store) == minutes(0)


async def test_two_receivers_hear_the_same_message(store: Store, processor: Processor, fleet: Fleet) -> None:
    sender, now = water(7, fragment=24)
    await give_key(store, await registered(store, fleet, sender), sender)
    ((one, two),) = messages(sender, now, 1)
    await spool(store, fleet, one, one, two, two)
    await drained(processor)
    assert [status for status, _ in await outcomes(store)] == [DONE] * 4
    assert [reason for _, reason in await outcomes(store)][2:] == [None, "the same message as frame 3"]
    await spool(store, fleet, one)
    await drained(processor)
    assert (await outcomes(store))[-1] == (DONE, "fragment 1 of a message, again")
    assert await instants(store) == minutes(0)


async def test_a_message_of_which_a_part_is_lost_holds_up_no_other(
    store: Store, processor: Processor, fleet: Fleet
) -> None:
    sender, now = water(7, fragment=24)
    await give_key(store, await registered(store, fleet, sender), sender)
    (one, _), (two, three) = messages(sender, now, 2)
    await spool(store, fleet, one, two, three)
    await drained(processor)
    assert await outcomes(store) == [(QUARANTINED, WAITING), (DONE, "read with frame 3"), (DONE, None)]
    assert await instants(store) == minutes(1)


@pytest.mark.parametrize(("mode", "read"), [(7, True), (5, False)])
async def test_fragments_out_of_order_need_a_code_that_proves_them(
    store: Store, processor: Processor, fleet: Fleet, mode: int, read: bool
) -> None:
    sender, now = water(mode, fragment=24)
    await give_key(store, await registered(store, fleet, sender), sender)
    ((one, two),) = messages(sender, now, 1)
    await spool(store, fleet, two, one)
    await drained(processor)
    (_, first), (status, reason) = await outcomes(store)
    if read:
        assert (status, reason, first) == (DONE, None, "read with frame 2")
    else:
        assert status is QUARANTINED
        assert "out of order" in (reason or "")
    assert await instants(store) == (minutes(0) if read else [])


async def test_fragments_wait_for_meter_and_key_like_others(
    store: Store, processor: Processor, fleet: Fleet
) -> None:
    sender, now = water(7, fragment=24)
    (parts,) = messages(sender, now, 1)
    await spool(store, fleet, *parts)
    await drained(processor)
    assert {reason for _, reason in await outcomes(store)} == {"meter 00000002B8410107 is not known"}
    meter = await registered(store, fleet, sender)
    assert await store.write(reconsider) == len(parts)
    await drained(processor)
    *waiting, (_, last) = await outcomes(store)
    assert all("waits for fragment" in (reason or "") for _, reason in waiting)
    assert "the key of meter 00000002 is missing" in (last or "")
    await give_key(store, meter, sender)
    assert await store.write(reconsider) == len(parts)
    await drained(processor)
    assert {status for status, _ in await outcomes(store)} == {DONE}
    assert await instants(store) == minutes(0)


async def test_a_fragment_that_is_read_after_those_behind_it_makes_them_look_again(
    store: Store, processor: Processor, fleet: Fleet
) -> None:
    sender, now = water(5, fragment=24)
    await give_key(store, await registered(store, fleet, sender), sender)
    (parts,) = messages(sender, now, 1)
    await spool(store, fleet, *parts)
    first, *_ = (await store.read(frames.page, ANY)).rows
    # Another processor has the first in hand.
    await store.write(frames.mark, [first.id], QUARANTINED, "in hand elsewhere")
    await drained(processor)
    assert all("waits for fragment 1" in (reason or "") for _, reason in (await outcomes(store))[1:])
    await store.write(frames.requeue, ANY, ids=[first.id])
    await drained(processor)
    assert {status for status, _ in await outcomes(store)} == {DONE}
    assert await instants(store) == minutes(0)


async def test_a_replayed_message_of_fragments_is_refused(
    store: Store, processor: Processor, fleet: Fleet
) -> None:
    sender, now = water(7, fragment=24)
    await give_key(store, await registered(store, fleet, sender), sender)
    old, new = messages(sender, now, 2)
    await spool(store, fleet, *new, *old)
    await drained(processor)
    status, reason = (await outcomes(store))[-1]
    assert status is QUARANTINED
    assert "is lower than the last one" in (reason or "")
    assert await instants(store) == minutes(1)
