"""What DESIGN promises of a reading, on both engines."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from polymeter.bus import Delivery, MemoryBus
from polymeter.domain import Quality, Reading, Scheme, SimulatedClock, Source
from polymeter.ingest import Entrance, Ingest, Outcome, Status
from polymeter.messages import INCOMING, STORED, NewMeterReading
from polymeter.store import (
    ANY,
    Frame,
    Store,
    Tx,
    channels,
    frames,
    meter_types,
    meters,
    new_uid,
    outbox,
    readings,
    series,
    staged,
)
from tests.fleet import Fleet, make

pytestmark = pytest.mark.anyio

T0 = datetime(2026, 2, 1, 6, 0, tzinfo=UTC)
FORTY = "1234567890123456789012345678901234567890"


@pytest.fixture
async def bus() -> AsyncIterator[MemoryBus]:
    made = MemoryBus()
    yield made
    await made.close()


@pytest.fixture
def ingest(store: Store, bus: MemoryBus, clock: SimulatedClock) -> Ingest:
    return Ingest(store, bus, clock)


@pytest.fixture
async def fleet(store: Store) -> Fleet:
    return await make(store)


def reading(value: str = "14567.000", minutes: int = 0, **more: Any) -> NewMeterReading:
    values: dict[str, Any] = {
        "meter": "M1",
        "series": "1.8.0",
        "timestamp": T0 + timedelta(minutes=minutes),
        "value": value,
    }
    return NewMeterReading(**values | more)


async def commit(ingest: Ingest, fleet: Fleet, *batch: NewMeterReading, **more: Any) -> list[Outcome]:
    return await ingest.commit(batch, Entrance("test", fleet.id), **more)


def everything(tx: Tx) -> tuple[Reading, ...]:
    return readings.page(tx, ANY, [channel.id for channel in channels.of_meter(tx, ANY)])


async def stored(store: Store) -> list[tuple[datetime, Decimal | str]]:
    return [(r.instant, r.value) for r in await store.read(everything)]


def statuses(outcomes: list[Outcome]) -> list[Status]:
    return [outcome.status for outcome in outcomes]


async def test_a_reading_is_stored_exactly_as_it_was_sent(ingest: Ingest, store: Store, fleet: Fleet) -> None:
    (outcome,) = await commit(ingest, fleet, reading())
    assert outcome.status is Status.STORED
    assert outcome.id is not None
    found = await store.read(readings.get, fleet.id, outcome.id)
    assert found is not None
    assert str(found.value) == "14567.000"
    assert (found.instant, found.source, found.quality) == (T0, Source.PUSH, Quality.GOOD)


async def test_a_reading_delivered_twice_is_there_once(ingest: Ingest, store: Store, fleet: Fleet) -> None:
    await commit(ingest, fleet, reading())
    assert statuses(await commit(ingest, fleet, reading(), reading("14567.0"))) == [Status.UNCHANGED] * 2
    assert await stored(store) == [(T0, Decimal("14567.000"))]


async def test_late_and_out_of_order_readings_rest_in_order(
    ingest: Ingest, store: Store, fleet: Fleet
) -> None:
    await commit(ingest, fleet, reading("3", 30), reading("1", 10))
    await commit(ingest, fleet, reading("2", 20))
    assert [value for _, value in await stored(store)] == [1, 2, 3]
    (newest,) = await store.read(readings.latest, fleet.id)
    assert newest.reading.value == 3


async def test_another_value_replaces_at_equal_rank_and_leaves_a_revision(
    ingest: Ingest, store: Store, fleet: Fleet
) -> None:
    await commit(ingest, fleet, reading("1"))
    (outcome,) = await commit(ingest, fleet, reading("2"))
    assert outcome.status is Status.REVISED
    (row,) = await store.read(everything)
    assert (row.value, row.quality) == (2, Quality.CHANGED)
    (revision,) = await store.read(readings.revisions, fleet.id, row.channel, T0)
    assert (revision.value, revision.reason) == (1, "replaced by push")
    (newest,) = await store.read(readings.latest, fleet.id)
    assert newest.reading.value == 2


async def test_a_value_of_lower_rank_becomes_the_revision_itself(
    ingest: Ingest, store: Store, fleet: Fleet
) -> None:
    await commit(ingest, fleet, reading("1"), source=Source.MANUAL)
    (outcome,) = await commit(ingest, fleet, reading("2", source="poll"))
    assert (outcome.status, outcome.reason) == (Status.REVISED, "outranked by manual")
    (row,) = await store.read(everything)
    assert (row.value, row.quality, row.source) == (1, Quality.CHANGED, Source.MANUAL)
    (revision,) = await store.read(readings.revisions, fleet.id, row.channel, T0)
    assert (revision.value, revision.reason) == (2, "outranked by manual")


async def test_conflicts_within_one_batch_are_settled_in_their_order(
    ingest: Ingest, store: Store, fleet: Fleet
) -> None:
    outcomes = await commit(ingest, fleet, reading("1"), reading("2"), reading("2"), reading("3"))
    assert statuses(outcomes) == [Status.STORED, Status.REVISED, Status.UNCHANGED, Status.REVISED]
    (row,) = await store.read(everything)
    assert row.value == 3
    revisions = await store.read(readings.revisions, fleet.id, row.channel, T0)
    assert [(r.number, r.value) for r in revisions] == [(1, 1), (2, 2)]


async def test_every_spelling_of_a_series_is_one_channel(ingest: Ingest, store: Store, fleet: Fleet) -> None:
    names = ["1.8.0", "1-0:1.8.0", "1-0:1.8.0*255", "1-0-1-8-0-255", "OBIS_1.8.0"]
    outcomes = await commit(ingest, fleet, *(reading(series=name) for name in names))
    assert statuses(outcomes) == [Status.STORED] + [Status.UNCHANGED] * 4


async def test_a_unit_is_converted_exactly(ingest: Ingest, store: Store, fleet: Fleet) -> None:
    await commit(ingest, fleet, reading("14567", unit="Wh"), reading(FORTY, 1, unit="MWh"))
    (one, two) = await store.read(everything)
    assert str(one.value) == "14.567"
    assert two.value == Decimal(FORTY + "000")


async def test_a_unit_that_cannot_be_converted_waits_with_its_reason(
    ingest: Ingest, store: Store, fleet: Fleet
) -> None:
    (outcome,) = await commit(ingest, fleet, reading(unit="m3"))
    assert outcome.status is Status.STAGED
    assert "'m3'" in outcome.reason
    assert "'kWh'" in outcome.reason


async def test_forty_digits_survive(ingest: Ingest, store: Store, fleet: Fleet) -> None:
    values = [FORTY, "-" + FORTY, f"{FORTY[:20]}.{FORTY[20:]}", "0." + FORTY]
    await commit(ingest, fleet, *(reading(value, i) for i, value in enumerate(values)))
    assert [format(r.value, "f") for r in await store.read(everything)] == values  # type: ignore[arg-type]


async def test_text_is_kept_in_a_textual_series_only(ingest: Ingest, store: Store, fleet: Fleet) -> None:
    outcomes = await commit(
        ingest,
        fleet,
        reading(series="note", value=None, text="cover opened"),  # type: ignore[arg-type]
        reading(value=None, text="12"),  # type: ignore[arg-type]
    )
    assert statuses(outcomes) == [Status.STORED, Status.STAGED]
    assert await stored(store) == [(T0, "cover opened")]


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ({"timestamp": T0.replace(microsecond=1)}, "timestamp: .* finer than one second"),
        ({"timestamp": datetime(1969, 12, 31, tzinfo=UTC)}, "timestamp: .* outside 1970"),
        ({"timestamp": datetime(2107, 1, 1, tzinfo=UTC)}, "timestamp: .* outside 1970"),
        ({"value": "NaN"}, "value: 'NaN' is not a decimal number"),
        ({"value": "1,5"}, "value: '1,5' is not a decimal number"),
        ({"value": "1e9999"}, "value: .* more than 200 digits"),
        ({"quality": ("fine",)}, "quality: unknown quality 'fine'"),
        ({"source": "rumour"}, "source: unknown source 'rumour'"),
        ({"meter": "a\0b"}, "meter: .* NUL"),
        ({"organization": uuid4()}, "organization: is not the one"),
    ],
)
async def test_a_malformed_reading_is_refused_and_its_neighbours_are_stored(
    ingest: Ingest, store: Store, fleet: Fleet, bad: dict[str, Any], why: str
) -> None:
    first, second, third = await commit(
        ingest, fleet, reading("1"), reading(**{"minutes": 1} | bad), reading("3", 2)
    )
    assert (first.status, third.status) == (Status.STORED, Status.STORED)
    assert second.status is Status.REFUSED
    assert second.malformed
    assert re.search(why, second.reason)


def test_a_naive_time_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="timestamp: has no UTC offset"):
        reading(timestamp=T0.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("when", "suspect"),
    [
        (timedelta(minutes=15), False),
        (timedelta(minutes=15, seconds=1), True),
        (datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC), True),
        (datetime(2000, 1, 1, tzinfo=UTC), False),
    ],
)
async def test_a_wrong_clock_is_kept_and_marked(
    ingest: Ingest, store: Store, fleet: Fleet, clock: SimulatedClock, when: Any, suspect: bool
) -> None:
    instant = when if isinstance(when, datetime) else clock.now() + when
    (outcome,) = await commit(ingest, fleet, reading(timestamp=instant))
    assert outcome.status is Status.STORED
    (row,) = await store.read(everything)
    assert (Quality.CLOCK_SUSPECT in row.quality) is suspect
    assert row.received == clock.now()


async def test_an_unknown_meter_is_staged_and_released_when_it_appears(
    ingest: Ingest, store: Store, fleet: Fleet
) -> None:
    outcomes = await commit(ingest, fleet, reading(meter="M2"), reading("2", 1, meter="M2"))
    assert statuses(outcomes) == [Status.STAGED] * 2
    assert await stored(store) == []
    assert await ingest.release_staged(fleet.id) == 0
    await store.write(meters.create, fleet.id, "M2", type=fleet.type.id)
    assert await ingest.release_staged(fleet.id, ["M2"]) == 2
    assert [value for _, value in await stored(store)] == [Decimal("14567.000"), 2]
    assert (await store.read(staged.page, fleet.id)).count == 0


async def test_staged_twice_is_staged_once(ingest: Ingest, store: Store, fleet: Fleet) -> None:
    await commit(ingest, fleet, reading(meter="M2"))
    await commit(ingest, fleet, reading(meter="M2"), reading(meter="M2"))
    assert (await store.read(staged.page, fleet.id)).count == 1


async def test_a_released_reading_keeps_its_time_of_reception_and_source(
    ingest: Ingest, store: Store, fleet: Fleet, clock: SimulatedClock
) -> None:
    at = clock.now()
    await commit(ingest, fleet, reading(meter="M2"), source=Source.PROFILE)
    clock.advance(3600)
    await store.write(meters.create, fleet.id, "M2", type=fleet.type.id)
    await ingest.release_staged(fleet.id)
    (row,) = await store.read(everything)
    assert (row.received, row.source) == (at, Source.PROFILE)


async def test_a_known_meter_with_an_unknown_series_is_staged_until_the_configuration_allows_it(
    ingest: Ingest, store: Store, fleet: Fleet
) -> None:
    (outcome,) = await commit(ingest, fleet, reading(series="2.8.0"))
    assert outcome.status is Status.STAGED
    assert "does not allow series '2.8.0'" in outcome.reason
    export = await store.write(series.create, fleet.id, "1-0:2.8.0*255", "kWh")
    assert await ingest.release_staged(fleet.id) == 0
    assert fleet.type.config is not None
    await store.write(
        meter_types.change_config, fleet.id, fleet.type.config, series=[fleet.energy.id, export.id]
    )
    assert await ingest.release_staged(fleet.id) == 1


async def test_a_meter_without_a_type_is_staged_until_it_has_one(
    ingest: Ingest, store: Store, fleet: Fleet
) -> None:
    meter = await store.write(meters.create, fleet.id, "M2")
    (outcome,) = await commit(ingest, fleet, reading(meter="M2"))
    assert outcome.reason == "meter 'M2' has no type with a configuration"
    await store.write(meters.change, fleet.id, meter.id, type=fleet.type.id)
    assert await ingest.release_staged(fleet.id) == 1


async def test_an_alias_releases_what_was_sent_under_it(ingest: Ingest, store: Store, fleet: Fleet) -> None:
    await commit(ingest, fleet, reading(meter="1EMH0012345678"))
    await store.write(meters.add_alias, fleet.id, fleet.meter.id, Scheme.SERIAL, "1EMH0012345678")
    assert await ingest.release_staged(fleet.id) == 1


async def test_a_name_in_two_organizations_is_staged_where_the_entrance_has_none(
    ingest: Ingest, store: Store, fleet: Fleet
) -> None:
    other = await make(store, "Andere")
    platform = Entrance("bus")
    (outcome,) = await ingest.commit([reading()], platform)
    assert outcome.status is Status.STAGED
    assert outcome.reason == "2 meters in several organizations are called 'M1'"
    assert statuses(await ingest.commit([reading(organization=other.id)], platform)) == [Status.STORED]
    assert len(await store.read(readings.latest, fleet.id)) == 0
    assert len(await store.read(readings.latest, other.id)) == 1


async def test_a_unique_name_needs_no_organization(ingest: Ingest, store: Store, fleet: Fleet) -> None:
    assert statuses(await ingest.commit([reading()], Entrance("bus"))) == [Status.STORED]


async def test_an_organization_that_does_not_exist_is_refused(
    ingest: Ingest, store: Store, fleet: Fleet
) -> None:
    nobody = UUID(int=7)
    outcomes = await ingest.commit([reading(organization=nobody), reading()], Entrance("bus"))
    assert statuses(outcomes) == [Status.REFUSED, Status.STORED]


async def test_two_meters_of_one_serial_number_are_not_guessed_between(
    ingest: Ingest, store: Store, fleet: Fleet
) -> None:
    for name in ("A", "B"):
        await store.write(meters.create, fleet.id, name, type=fleet.type.id, manufacturer_serial="12345678")
    (outcome,) = await commit(ingest, fleet, reading(meter="12345678"))
    assert outcome.reason == "2 meters in the organization are called '12345678'"


async def test_a_meters_own_name_goes_before_anothers_alias(
    ingest: Ingest, store: Store, fleet: Fleet
) -> None:
    other = await store.write(
        meters.create, fleet.id, "M2", type=fleet.type.id, external_system_reference="M1"
    )
    await commit(ingest, fleet, reading())
    (newest,) = await store.read(readings.latest, fleet.id)
    assert newest.meter == fleet.meter.id != other.id


async def test_a_deleted_range_does_not_come_back(ingest: Ingest, store: Store, fleet: Fleet) -> None:
    batch = [reading(str(i), i) for i in range(4)]
    await commit(ingest, fleet, *batch)
    deleted = await store.write(
        readings.delete,
        fleet.id,
        fleet.meter.id,
        start=T0 + timedelta(minutes=1),
        stop=T0 + timedelta(minutes=3),
        reason="objection of the customer",
    )
    assert deleted == 2
    outcomes = await commit(ingest, fleet, *batch)
    assert statuses(outcomes) == [Status.UNCHANGED, Status.REFUSED, Status.REFUSED, Status.UNCHANGED]
    assert outcomes[1].reason == "the range was deleted: objection of the customer"
    assert not outcomes[1].malformed
    assert len(await stored(store)) == 2


async def test_deleting_the_newest_reading_makes_the_one_before_the_latest(
    ingest: Ingest, store: Store, fleet: Fleet
) -> None:
    await commit(ingest, fleet, reading("1"), reading("2", 1))
    stop = T0 + timedelta(hours=1)
    await store.write(
        readings.delete, fleet.id, fleet.meter.id, start=T0 + timedelta(minutes=1), stop=stop, reason="test"
    )
    (newest,) = await store.read(readings.latest, fleet.id)
    assert newest.reading.value == 1


async def test_a_reading_points_to_its_frame_and_erasure_empties_it(
    ingest: Ingest, store: Store, fleet: Fleet, clock: SimulatedClock
) -> None:
    frame = Frame("iec62056-21", b"/ELS5\r\n!" * 20, clock.now(), new_uid(), organization=fleet.id)
    await store.spool([frame])
    await commit(ingest, fleet, reading(), frame=frame.uid)
    (row,) = await store.read(everything)
    assert row.frame is not None
    kept = await store.read(frames.get, fleet.id, row.frame)
    assert kept is not None
    assert kept.payload == frame.payload
    stop = T0 + timedelta(seconds=1)
    await store.write(
        readings.delete, fleet.id, fleet.meter.id, start=T0, stop=stop, reason="erasure", erase=True
    )
    emptied = await store.read(frames.get, fleet.id, row.frame)
    assert emptied is not None
    assert (emptied.payload, emptied.status) == (b"", "erased")


async def test_two_writers_at_once_agree(ingest: Ingest, store: Store, fleet: Fleet, database: str) -> None:
    other_store = await Store.open(database, clock=SimulatedClock(T0))
    other = Ingest(other_store, MemoryBus(), SimulatedClock(T0))
    try:
        batches = [[reading(str(i), i) for i in range(n, n + 40)] for n in range(0, 200, 20)]
        outcomes = await asyncio.gather(
            *(commit(one, fleet, *batch) for batch in batches for one in (ingest, other))
        )
    finally:
        await other_store.close()
    flat = [status for answer in outcomes for status in statuses(answer)]
    assert flat.count(Status.STORED) == 220
    assert flat.count(Status.UNCHANGED) == len(flat) - 220
    assert [value for _, value in await stored(store)] == list(range(220))


async def test_two_writers_of_contradicting_values_lose_neither(
    ingest: Ingest, store: Store, fleet: Fleet
) -> None:
    await asyncio.gather(*(commit(ingest, fleet, reading(str(i))) for i in range(20)))
    (row,) = await store.read(everything)
    revisions = await store.read(readings.revisions, fleet.id, row.channel, T0)
    assert {row.value, *(r.value for r in revisions)} == set(range(20))


async def test_what_was_stored_is_told_after_the_commit(
    ingest: Ingest, store: Store, fleet: Fleet, bus: MemoryBus
) -> None:
    heard: list[Delivery] = []

    async def hear(deliveries: Any) -> None:
        heard.extend(deliveries)

    await bus.subscribe(["new_meter_reading.#"], hear, exchange=STORED, queue="listener")
    await commit(ingest, fleet, reading("14567", unit="Wh"), reading("14.567"), reading(meter="M2"))
    assert heard == []
    assert await ingest.relay.drain() == 1
    assert [delivery.key for delivery in heard] == ["new_meter_reading.M1.1%2E8%2E0.v1"]
    assert json.loads(heard[0].body) == {
        "meter": "M1",
        "series": "1.8.0",
        "timestamp": "2026-02-01T06:00:00Z",
        "value": "14.567",
        "organization": str(fleet.id),
        "unit": "kWh",
        "source": "push",
    }
    assert await ingest.relay.drain() == 0


async def test_the_outbox_survives_a_restart(
    ingest: Ingest, store: Store, fleet: Fleet, bus: MemoryBus, clock: SimulatedClock
) -> None:
    async def away(_: Any) -> None:
        raise ConnectionError("listener is down")

    subscription = await bus.subscribe(["#"], away, exchange=STORED, queue="listener")
    await commit(ingest, fleet, reading())
    with pytest.raises(Exception, match="listener is down"):
        await ingest.relay.drain()
    assert len(await store.read(outbox.waiting)) == 1
    await subscription.cancel()
    clock.advance(60)  # the lease of the relay that died
    assert await Ingest(store, bus, clock).relay.drain() == 1


async def test_the_bus_is_answered_after_the_commit(
    ingest: Ingest, store: Store, fleet: Fleet, bus: MemoryBus
) -> None:
    await ingest.start()
    one = b'{"meter":"M1","series":"1.8.0","timestamp":"2026-02-01T06:00:00Z","value":"1"}'
    two = b'{"meter":"M1","series":"1.8.0","timestamp":"2026-02-01T07:00:00+01:00","value":"1.0"}'
    await bus.publish("new_meter_reading.M1.1%2E8%2E0.v1", one, exchange=INCOMING)
    await bus.publish("new_meter_readings.M1.v1", b'{"readings":[' + two + b"]}", exchange=INCOMING)
    assert await stored(store) == [(T0, Decimal(1))]


async def test_a_bad_reading_in_a_message_is_kept_with_the_dead_letters_and_its_neighbours_stored(
    ingest: Ingest, store: Store, fleet: Fleet, bus: MemoryBus
) -> None:
    await ingest.start()
    good = b'{"meter":"M1","series":"1.8.0","timestamp":"2026-02-01T06:00:00Z","value":"1"}'
    naive = b'{"meter":"M1","series":"1.8.0","timestamp":"2026-02-01T06:00:00","value":"1"}'
    await bus.publish("new_meter_readings.M1.v1", b'{"readings":[%s,%s]}' % (naive, good), exchange=INCOMING)
    assert await stored(store) == [(T0, Decimal(1))]
    ((_, reason),) = bus.dead_letters
    assert reason == "readings[0].timestamp: has no UTC offset; write 2019-02-24T06:00:00+01:00"
