"""Task runs: planned once, held by one, and nothing of a lost holder counts."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from polymeter.domain import SimulatedClock
from polymeter.store import ANY, Conflict, Run, RunStatus, Store, meters, task_runs, tasks
from tests.engines import NOW
from tests.fleet import Fleet, make

pytestmark = pytest.mark.anyio


@pytest.fixture
async def fleet(store: Store) -> Fleet:
    return await make(store)


async def planned(store: Store, fleet: Fleet, **more: Any) -> Run:
    run = await store.write(task_runs.create, fleet.id, fleet.meter.id, NOW, "read", **more)
    assert run is not None
    return run


async def claimed(store: Store, owner: str = "a") -> Run:
    (run,) = await store.write(task_runs.claim, owner, 30)
    return run


async def test_a_run_is_as_it_was_planned(store: Store, fleet: Fleet) -> None:
    due = NOW + timedelta(microseconds=700_000)
    run = await store.write(task_runs.create, fleet.id, fleet.meter.id, due, "read", {"days": [1, 2]})
    assert run is not None
    assert (run.due, run.kwargs, run.status, run.attempt) == (NOW, {"days": [1, 2]}, RunStatus.WAITING, 0)
    assert await store.read(task_runs.get, fleet.id, run.id) == run


async def test_runs_without_a_task_are_each_their_own(store: Store, fleet: Fleet) -> None:
    assert (await planned(store, fleet)).id != (await planned(store, fleet)).id


async def test_a_run_is_not_taken_before_its_time(store: Store, fleet: Fleet, clock: SimulatedClock) -> None:
    await planned(store, fleet, not_before=NOW + timedelta(seconds=60))
    clock.advance(59)
    assert await store.write(task_runs.claim, "a", 30) == ()
    clock.advance(1)
    assert (await claimed(store)).started == clock.now()


async def test_the_oldest_runs_are_taken_first_and_busy_meters_left_out(
    store: Store, fleet: Fleet, clock: SimulatedClock
) -> None:
    busy = await store.write(meters.create, fleet.id, "busy")
    made = [await planned(store, fleet, not_before=NOW - timedelta(seconds=n)) for n in (1, 3, 2)]
    await store.write(task_runs.create, fleet.id, busy.id, NOW, "read", not_before=NOW - timedelta(seconds=9))
    taken = await store.write(task_runs.claim, "a", 30, limit=2, exclude=[busy.id])
    assert [run.id for run in taken] == [made[1].id, made[2].id]
    assert [run.meter for run in await store.write(task_runs.claim, "a", 30, limit=9)] == [
        busy.id,
        fleet.meter.id,
    ]


Late = Callable[[Store, Run], Awaitable[bool]]
LATE: dict[str, Late] = {
    "renew": lambda store, run: store.write(task_runs.renew, run, 30),
    "finish": lambda store, run: store.write(task_runs.finish, run, {"readings": 1}),
    "fail": lambda store, run: store.write(task_runs.fail, run, "silent"),
    "fail and retry": lambda store, run: store.write(task_runs.fail, run, "silent", retry_at=NOW),
    "defer": lambda store, run: store.write(task_runs.defer, run, NOW),
}


async def test_what_a_lost_owner_says_changes_nothing(
    store: Store, fleet: Fleet, clock: SimulatedClock
) -> None:
    await planned(store, fleet)
    lost = await claimed(store, "a")
    clock.advance(30)
    # The same name: only the attempt tells the two apart.
    held = await claimed(store, "a")
    for what, late in LATE.items():
        assert not await late(store, lost), what
        assert await store.read(task_runs.get, fleet.id, held.id) == held


async def test_what_is_said_of_an_ended_run_changes_nothing(store: Store, fleet: Fleet) -> None:
    await planned(store, fleet)
    run = await claimed(store)
    assert await store.write(task_runs.finish, run, {"readings": 3})
    ended = await store.read(task_runs.get, fleet.id, run.id)
    for what, late in LATE.items():
        assert not await late(store, run), what
        assert await store.read(task_runs.get, fleet.id, run.id) == ended


async def test_a_renewed_run_is_nobody_elses(store: Store, fleet: Fleet, clock: SimulatedClock) -> None:
    await planned(store, fleet)
    run = await claimed(store)
    for _ in range(3):
        clock.advance(29)
        assert await store.write(task_runs.renew, run, 30)
        assert await store.write(task_runs.claim, "b", 30) == ()


async def test_a_deferred_run_has_not_been_attempted(
    store: Store, fleet: Fleet, clock: SimulatedClock
) -> None:
    await planned(store, fleet)
    for _ in range(3):
        run = await claimed(store)
        assert run.attempt == 1
        assert await store.write(task_runs.defer, run, clock.now() + timedelta(seconds=5))
        assert await store.write(task_runs.claim, "a", 30) == ()
        clock.advance(5)


async def test_a_run_that_succeeds_after_a_failure_has_no_reason_left(store: Store, fleet: Fleet) -> None:
    await planned(store, fleet)
    assert await store.write(task_runs.fail, await claimed(store), "silent", retry_at=NOW)
    run = await claimed(store)
    assert (run.attempt, run.reason) == (2, "silent")
    assert await store.write(task_runs.finish, run)
    done = await store.read(task_runs.get, ANY, run.id)
    assert done is not None
    assert (done.status, done.reason, done.lease_until) == (RunStatus.DONE, None, None)


async def test_many_workers_share_the_runs_without_taking_one_twice(store: Store, fleet: Fleet) -> None:
    made = {(await planned(store, fleet)).id for _ in range(20)}
    taken = await asyncio.gather(*(store.write(task_runs.claim, f"w{i}", 30, limit=3) for i in range(8)))
    ids = [run.id for runs in taken for run in runs]
    rest = await store.write(task_runs.claim, "last", 30, limit=50)
    ids += [run.id for run in rest]
    assert len(ids) == len(set(ids))
    assert set(ids) == made


async def test_the_page_filters_and_stays_in_its_organization(store: Store, fleet: Fleet) -> None:
    task = await store.write(tasks.create, fleet.id, "t", "generic", "read")
    first = await planned(store, fleet, task=task.id)
    second = await planned(store, fleet)
    assert [run.id for run in (await store.read(task_runs.page, fleet.id)).rows] == [second.id, first.id]
    for filter, count in (
        ({"task": task.id}, 1),
        ({"meter": fleet.meter.id}, 2),
        ({"status": RunStatus.WAITING}, 2),
        ({"status": RunStatus.DONE}, 0),
        ({"task": uuid4()}, 0),
    ):
        assert (await store.read(task_runs.page, fleet.id, **filter)).count == count  # type: ignore[arg-type]
    assert await store.read(task_runs.get, uuid4(), first.id) is None
    assert (await store.read(task_runs.page, uuid4())).count == 0


async def test_a_run_on_another_organizations_meter_is_refused(store: Store, fleet: Fleet) -> None:
    theirs = await make(store, "Andere")
    for organization, meter in ((fleet.id, theirs.meter.id), (fleet.id, UUID(int=1))):
        with pytest.raises(Conflict, match="has no meter"):
            await store.write(task_runs.create, organization, meter, NOW, "read")
    task = await store.write(tasks.create, theirs.id, "t", "generic", "read")
    with pytest.raises(Conflict, match="has no task"):
        await planned(store, fleet, task=task.id)
