"""The scheduler: turns tasks into runs when they are due.

A run is a row, unique on (task, meter, due time): any number of schedulers may plan, any may die.
What was missed while nobody planned is caught up by one run, the latest that is due.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog

from polymeter.domain import Clock
from polymeter.store import ANY, Store, StoreUnavailable, Task, Tx, task_runs, tasks

__all__ = ["SCHEDULES", "Scheduler", "latest_due"]

_log = structlog.get_logger(__name__)

SCHEDULES: Final = ("quarterly", "hourly", "daily", "weekly", "monthly", "yearly")
"""Utilitarian's words; quarterly means every quarter of an hour."""

_TICK_S: Final = 0.5


def latest_due(task: Task, now: datetime, zone: ZoneInfo) -> datetime | None:
    """The last instant up to `now` at which `task` is due; `None` for a task without a schedule.

    Intervals are counted from 1970 in UTC. Days, weeks, months and years begin at midnight in
    `zone`, so a day may have 23 or 25 hours. `run_offset_s` shifts the instant.
    """
    offset = timedelta(seconds=task.run_offset_s)
    moment = now - offset
    if task.interval_s:
        second = int(moment.timestamp())
        return datetime.fromtimestamp(second - second % task.interval_s, UTC) + offset
    if task.schedule in ("quarterly", "hourly"):
        length = 900 if task.schedule == "quarterly" else 3600
        second = int(moment.timestamp())
        return datetime.fromtimestamp(second - second % length, UTC) + offset
    local = moment.astimezone(zone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    match task.schedule:
        case "daily":
            begin = midnight
        case "weekly":
            begin = midnight - timedelta(days=midnight.weekday())
        case "monthly":
            begin = midnight.replace(day=1)
        case "yearly":
            begin = midnight.replace(month=1, day=1)
        case _:
            return None
    return begin.astimezone(UTC) + offset


class Scheduler:
    """Plans runs."""

    def __init__(self, store: Store, clock: Clock, *, zone: str = "UTC") -> None:
        self._store = store
        self._clock = clock
        self._zone = ZoneInfo(zone)
        self._planned: dict[tuple[UUID, UUID], datetime] = {}

    async def run(self) -> None:
        """Plan whatever becomes due, until cancelled."""
        while True:
            try:
                await self.plan()
            except StoreUnavailable as error:
                _log.warning("nothing planned", reason=str(error))
            await asyncio.sleep(_TICK_S)

    async def plan(self) -> int:
        """Plan what is due now; how many runs are new."""
        now = self._clock.now()
        due: list[tuple[Task, UUID, datetime]] = []
        assigned = await self._store.read(tasks.assignments, ANY)
        for task, meter in assigned:
            moment = latest_due(task, now, self._zone)
            if moment is not None and self._planned.get((task.id, meter)) != moment:
                due.append((task, meter, moment))
        if not due:
            return 0
        created = await self._store.write(_create, due)
        current = {(task.id, meter) for task, meter in assigned}
        self._planned = {key: moment for key, moment in self._planned.items() if key in current}
        self._planned |= {(task.id, meter): moment for task, meter, moment in due}
        return created


def _create(tx: Tx, due: list[tuple[Task, UUID, datetime]]) -> int:
    created = 0
    for task, meter, moment in due:
        run = task_runs.create(
            tx, task.organization, meter, moment, task.task_call, task.task_kwargs, task=task.id
        )
        created += run is not None
    return created
