"""Tasks become runs once, whenever and however often anybody plans."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from polymeter.collection import Scheduler, latest_due
from polymeter.domain import SimulatedClock
from polymeter.store import ANY, Store, Task, task_runs, tasks
from tests.fleet import Fleet

STOCKHOLM = ZoneInfo("Europe/Stockholm")


def task(**more: Any) -> Task:
    return Task(uuid4(), uuid4(), "t", "iec62056-21", "read", **more)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("how", "now", "due"),
    [
        ({"interval_s": 300}, "2026-03-01T12:07:31+00:00", "2026-03-01T12:05:00+00:00"),
        ({"interval_s": 300}, "2026-03-01T12:10:00+00:00", "2026-03-01T12:10:00+00:00"),
        ({"interval_s": 300, "run_offset_s": 60}, "2026-03-01T12:05:59+00:00", "2026-03-01T12:01:00+00:00"),
        ({"schedule": "quarterly"}, "2026-03-01T12:44:59+00:00", "2026-03-01T12:30:00+00:00"),
        (
            {"schedule": "hourly", "run_offset_s": 600},
            "2026-03-01T12:05:00+00:00",
            "2026-03-01T11:10:00+00:00",
        ),
        ({"schedule": "daily"}, "2026-03-01T23:30:00+00:00", "2026-03-02T00:00:00+01:00"),
        ({"schedule": "daily"}, "2026-03-29T10:00:00+00:00", "2026-03-29T00:00:00+01:00"),
        ({"schedule": "daily"}, "2026-03-30T10:00:00+00:00", "2026-03-30T00:00:00+02:00"),
        ({"schedule": "weekly"}, "2026-03-04T10:00:00+00:00", "2026-03-02T00:00:00+01:00"),
        ({"schedule": "monthly"}, "2026-03-31T22:30:00+00:00", "2026-04-01T00:00:00+02:00"),
        ({"schedule": "yearly"}, "2026-07-04T10:00:00+00:00", "2026-01-01T00:00:00+01:00"),
    ],
)
def test_the_last_due_instant(how: dict[str, Any], now: str, due: str) -> None:
    assert latest_due(task(**how), at(now), STOCKHOLM) == at(due)


def test_a_task_without_a_schedule_is_never_due() -> None:
    assert latest_due(task(), at("2026-03-01T12:00:00+00:00"), STOCKHOLM) is None


async def plan_for(store: Store, fleet: Fleet, **more: Any) -> Task:
    made = await store.write(tasks.create, fleet.id, "read", "iec62056-21", "read", **more)
    await store.write(tasks.assign, fleet.id, made.id, [fleet.meter.id])
    return made


async def due_times(store: Store) -> list[datetime]:
    return sorted(run.due for run in (await store.read(task_runs.page, ANY)).rows)


@pytest.mark.anyio
async def test_two_schedulers_plan_a_run_once(store: Store, clock: SimulatedClock, fleet: Fleet) -> None:
    await plan_for(store, fleet, interval_s=60)
    one, other = Scheduler(store, clock), Scheduler(store, clock)
    assert [await one.plan(), await other.plan(), await one.plan()] == [1, 0, 0]
    clock.advance(60)
    assert [await other.plan(), await one.plan()] == [1, 0]
    assert len(await due_times(store)) == 2


@pytest.mark.anyio
async def test_what_was_missed_is_caught_up_by_one_run(
    store: Store, clock: SimulatedClock, fleet: Fleet
) -> None:
    await plan_for(store, fleet, interval_s=60)
    await Scheduler(store, clock).plan()
    clock.advance(3 * 3600 + 1)
    assert await Scheduler(store, clock).plan() == 1
    first, second = await due_times(store)
    assert second - first == timedelta(hours=3)


@pytest.mark.anyio
async def test_a_clock_set_back_plans_nothing_twice(
    store: Store, clock: SimulatedClock, fleet: Fleet
) -> None:
    await plan_for(store, fleet, interval_s=60)
    scheduler = Scheduler(store, clock)
    await scheduler.plan()
    clock.advance(60)
    await scheduler.plan()
    clock.step(-60)
    assert await scheduler.plan() == 0
    assert len(await due_times(store)) == 2


@pytest.mark.anyio
async def test_an_inactive_task_is_not_planned(store: Store, clock: SimulatedClock, fleet: Fleet) -> None:
    made = await plan_for(store, fleet, interval_s=60)
    await store.write(tasks.change, fleet.id, made.id, is_active=False)
    assert await Scheduler(store, clock).plan() == 0
