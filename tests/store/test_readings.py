"""Readings at rest: revisions in their order, ranges that mean the same everywhere, deletion that stays."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from polymeter.domain import Exact, Quality, Source
from polymeter.store import ANY, Fate, ReadingRow, Store, channels, merge, readings
from tests.engines import NOW
from tests.fleet import Fleet, make

pytestmark = pytest.mark.anyio
SECOND = int(NOW.timestamp())
HALF = timedelta(milliseconds=500)


@pytest.fixture
async def fleet(store: Store) -> Fleet:
    return await make(store)


@pytest.fixture
async def channel(store: Store, fleet: Fleet) -> int:
    return (await store.write(channels.create, fleet.id, fleet.meter.id, fleet.energy.id)).id


def row(channel: int, second: int, value: str, source: Source = Source.PUSH) -> ReadingRow:
    exact = Exact.parse(value)
    return ReadingRow(channel, SECOND + second, *exact, 0, int(source), SECOND, None)


async def put(store: Store, rows: Sequence[ReadingRow]) -> list[Fate]:
    await store.prepare({one.second for one in rows})
    return [fate for fate, _ in await store.write(merge, rows)]


async def values(store: Store, channel: int) -> list[str]:
    return [str(one.value) for one in await store.read(readings.page, ANY, [channel])]


async def test_revisions_are_numbered_in_the_order_they_lost(store: Store, channel: int) -> None:
    assert await put(store, [row(channel, 0, "1")]) == [Fate.STORED]
    assert await put(store, [row(channel, 0, "1.0")]) == [Fate.UNCHANGED]
    assert await put(store, [row(channel, 0, "2"), row(channel, 0, "3")]) == [Fate.REVISED] * 2
    assert await put(store, [row(channel, 0, "4", Source.POLL)]) == [Fate.OUTRANKED]
    assert await put(store, [row(channel, 0, "5", Source.MANUAL)]) == [Fate.REVISED]
    lost = await store.read(readings.revisions, ANY, channel, NOW)
    assert [(one.number, str(one.value)) for one in lost] == [(1, "1"), (2, "2"), (3, "4"), (4, "3")]
    (standing,) = await store.read(readings.page, ANY, [channel])
    assert (standing.value, standing.quality, standing.source) == (5, Quality.CHANGED, Source.MANUAL)
    assert await store.read(readings.revisions, uuid4(), channel, NOW) == ()


async def test_the_latest_is_the_newest_instant_not_the_last_delivery(
    store: Store, fleet: Fleet, channel: int
) -> None:
    await put(store, [row(channel, 900, "2"), row(channel, 0, "1")])
    await put(store, [row(channel, -900, "0")])
    (latest,) = await store.read(readings.latest, fleet.id, [fleet.meter.id])
    assert (latest.reading.value, latest.meter_name, latest.series_name) == (Decimal(2), "M1", "1.8.0")
    await put(store, [row(channel, 900, "3")])
    (latest,) = await store.read(readings.latest, fleet.id)
    assert latest.reading.value == 3
    assert await store.read(readings.latest, uuid4()) == ()


async def test_a_bound_within_a_second_leaves_out_what_is_before_it(
    store: Store, fleet: Fleet, channel: int
) -> None:
    await put(store, [row(channel, n, str(n)) for n in range(3)])

    async def found(start: timedelta | None, stop: timedelta | None) -> list[str]:
        bounds = {
            "start": None if start is None else NOW + start,
            "stop": None if stop is None else NOW + stop,
        }
        page = await store.read(readings.page, fleet.id, [channel], **bounds)  # type: ignore[arg-type]
        count = await store.read(readings.count, fleet.id, [channel], **bounds)
        assert count == len(page)
        return [str(one.value) for one in page]

    assert await found(HALF, None) == ["1", "2"]
    assert await found(None, HALF) == ["0"]
    assert await found(HALF, 3 * HALF) == ["1"]
    assert await found(timedelta(0), timedelta(seconds=2)) == ["0", "1"]


async def test_deleting_between_two_seconds_deletes_neither(store: Store, fleet: Fleet, channel: int) -> None:
    await put(store, [row(channel, n, str(n)) for n in range(3)])
    gone = await store.write(
        readings.delete, fleet.id, fleet.meter.id, start=NOW + HALF, stop=NOW + 3 * HALF, reason="test"
    )
    assert gone == 1
    assert await values(store, channel) == ["0", "2"]
    ((mark,),) = (await store.read(readings.marks, [fleet.meter.id])).values()
    assert (mark.start, mark.stop) == (NOW + 2 * HALF, NOW + 4 * HALF)


async def test_deletion_takes_revisions_along_and_leaves_a_mark(
    store: Store, fleet: Fleet, channel: int
) -> None:
    await put(store, [row(channel, 0, "1"), row(channel, 0, "2"), row(channel, 60, "3")])
    stop = NOW + timedelta(seconds=60)
    assert (
        await store.write(
            readings.delete,
            fleet.id,
            fleet.meter.id,
            start=NOW,
            stop=stop,
            reason="asked for",
            series=fleet.energy.id,
        )
        == 1
    )
    assert await values(store, channel) == ["3"]
    assert await store.read(readings.revisions, ANY, channel, NOW) == ()
    ((mark,),) = (await store.read(readings.marks, [fleet.meter.id, uuid4()])).values()
    assert (mark.series, mark.start, mark.stop, mark.reason) == (fleet.energy.id, NOW, stop, "asked for")


async def test_another_organization_deletes_nothing_and_leaves_no_mark(
    store: Store, fleet: Fleet, channel: int
) -> None:
    theirs = await make(store, "Andere")
    await put(store, [row(channel, 0, "1")])
    stop = NOW + timedelta(days=1)
    gone = await store.write(
        readings.delete, theirs.id, fleet.meter.id, start=NOW, stop=stop, reason="malice"
    )
    assert gone == 0
    assert await store.read(readings.marks, [fleet.meter.id]) == {}
    (kept,) = await store.read(readings.page, fleet.id, [channel])
    assert await store.read(readings.get, fleet.id, kept.id) == kept
    assert await store.read(readings.get, theirs.id, kept.id) is None
    assert await store.read(readings.page, theirs.id, [channel]) == ()
    assert await store.read(readings.count, theirs.id, [channel]) == 0


async def test_pages_by_key_meet_every_reading_once_in_both_directions(store: Store, channel: int) -> None:
    await put(store, [row(channel, n * 60, str(n)) for n in range(25)])
    for newest_first in (False, True):
        seen: list[str] = []
        after = None
        while page := await store.read(
            readings.page, ANY, [channel], after=after, limit=7, newest_first=newest_first
        ):
            seen += [str(one.value) for one in page]
            after = (page[-1].channel, page[-1].instant)
        assert seen == [str(n) for n in sorted(range(25), reverse=newest_first)]


async def test_the_first_and_the_last_instant_have_a_place(store: Store, channel: int) -> None:
    edge = [row(channel, -SECOND, "0"), row(channel, 2**32 - 1 - SECOND, "1")]
    assert await put(store, edge) == [Fate.STORED] * 2
    assert await values(store, channel) == ["0", "1"]


async def test_a_batch_that_fails_stores_none_of_its_readings(store: Store, channel: int) -> None:
    rows = [row(channel, n, str(n)) for n in range(5)]
    await store.prepare({one.second for one in rows})

    def half(tx: object) -> None:
        merge(tx, rows)  # type: ignore[arg-type]
        raise ValueError("the work failed")

    with pytest.raises(ValueError, match="the work failed"):
        await store.write(half)
    assert await values(store, channel) == []
    assert await store.read(readings.latest, ANY) == ()
