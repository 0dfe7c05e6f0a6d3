"""Task runs: one row per (task, meter, due time), so that any number of schedulers plan it once.

A worker takes a run with a lease; when the worker dies the lease runs out and another takes it. A run that
failed waits until its next attempt, or ends with its reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from polymeter.store import tables
from polymeter.store.connector import Record, Scope, Tx, within
from polymeter.store.errors import Conflict
from polymeter.store.rows import Page

__all__ = ["Run", "RunStatus", "claim", "create", "defer", "fail", "finish", "get", "page", "renew"]

_r = tables.task_run.c


class RunStatus(StrEnum):
    """Where a run stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Run:
    """One call on one meter at one time."""

    id: int
    organization: UUID
    task: UUID | None
    meter: UUID
    due: datetime
    call: str
    kwargs: Mapping[str, Any]
    status: RunStatus
    not_before: datetime
    attempt: int
    owner: str | None
    lease_until: datetime | None
    started: datetime | None
    finished: datetime | None
    reason: str | None
    result: Any
    created_at: datetime


_COLUMNS = [_r[name] for name in Run.__dataclass_fields__]


def _made(row: Record) -> Run:
    return Run(**dict(row._mapping) | {"status": RunStatus(row.status)})


def create(
    tx: Tx,
    organization: UUID,
    meter: UUID,
    due: datetime,
    call: str,
    kwargs: Mapping[str, Any] | None = None,
    *,
    task: UUID | None = None,
    not_before: datetime | None = None,
) -> Run | None:
    """Plan a run; None when the same (task, meter, due) is planned already. Without a task: run once, now.

    Raises:
        Conflict: the meter or the task is not the organization's.
    """
    for table, id in ((tables.meter, meter), (tables.task, task)):
        own = sa.select(table.c.id).where(table.c.id == id, table.c.organization == organization)
        if id is not None and tx.row(own) is None:
            raise Conflict(f"the organization has no {table.name} {id}")
    statement = (
        tx.insert(tables.task_run)
        .values(
            organization=organization,
            task=task,
            meter=meter,
            due=due.replace(microsecond=0),
            call=call,
            kwargs=dict(kwargs or {}),
            status=str(RunStatus.WAITING),
            not_before=not_before or due,
            attempt=0,
            created_at=tx.now,
        )
        .on_conflict_do_nothing()
        .returning(*_COLUMNS)
    )
    row = tx.row(statement)
    return None if row is None else _made(row)


def claim(
    tx: Tx, owner: str, lease_s: float, *, limit: int = 1, exclude: Sequence[UUID] = ()
) -> tuple[Run, ...]:
    """Take runs that are due, or whose worker's lease has run out; oldest first.

    Args:
        exclude: meters not to take now, because their interface is busy.
    """
    ready = sa.or_(
        sa.and_(_r.status == str(RunStatus.WAITING), _r.not_before <= tx.now),
        sa.and_(_r.status == str(RunStatus.RUNNING), _r.lease_until <= tx.now),
    )
    query = sa.select(_r.id).where(ready).order_by(_r.not_before, _r.id).limit(limit)
    if exclude:
        query = query.where(_r.meter.not_in(exclude))
    ids = [row[0] for row in tx.rows(query.with_for_update(skip_locked=True))]
    if not ids:
        return ()
    tx.execute(
        sa.update(tables.task_run)
        .where(_r.id.in_(ids))
        .values(
            status=str(RunStatus.RUNNING),
            owner=owner,
            lease_until=tx.now + timedelta(seconds=lease_s),
            attempt=_r.attempt + 1,
            started=tx.now,
        )
    )
    return tuple(
        map(_made, tx.rows(sa.select(*_COLUMNS).where(_r.id.in_(ids)).order_by(_r.not_before, _r.id)))
    )


def _held(run: Run) -> tuple[sa.ColumnElement[bool], ...]:
    # The attempt fences: a worker that lost its lease cannot end the run another one took.
    running = _r.status == str(RunStatus.RUNNING)
    return _r.id == run.id, _r.owner == run.owner, _r.attempt == run.attempt, running


def renew(tx: Tx, run: Run, lease_s: float) -> bool:
    """Hold the run longer; False when it has been lost, and then the work must stop."""
    until = tx.now + timedelta(seconds=lease_s)
    return tx.execute(sa.update(tables.task_run).where(*_held(run)).values(lease_until=until)) > 0


def finish(tx: Tx, run: Run, result: Any = None) -> bool:
    """The run succeeded; False when it was no longer this worker's."""
    values = {
        "status": str(RunStatus.DONE),
        "finished": tx.now,
        "result": result,
        "lease_until": None,
        "reason": None,
    }
    return tx.execute(sa.update(tables.task_run).where(*_held(run)).values(values)) > 0


def fail(tx: Tx, run: Run, reason: str, *, retry_at: datetime | None = None) -> bool:
    """The run failed: again at `retry_at`, or for good; False when it was no longer this worker's."""
    values: dict[str, Any] = {"reason": reason, "lease_until": None, "owner": None}
    if retry_at is None:
        values |= {"status": str(RunStatus.FAILED), "finished": tx.now}
    else:
        values |= {"status": str(RunStatus.WAITING), "not_before": retry_at}
    return tx.execute(sa.update(tables.task_run).where(*_held(run)).values(values)) > 0


def defer(tx: Tx, run: Run, until: datetime) -> bool:
    """Put the run back unattempted: its interface was busy."""
    values = {
        "status": str(RunStatus.WAITING),
        "not_before": until,
        "lease_until": None,
        "owner": None,
        "attempt": _r.attempt - 1,
    }
    return tx.execute(sa.update(tables.task_run).where(*_held(run)).values(values)) > 0


def get(tx: Tx, organization: Scope, id: int) -> Run | None:
    """The run with that id."""
    row = tx.row(sa.select(*_COLUMNS).where(_r.id == id, within(_r.organization, organization)))
    return None if row is None else _made(row)


def page(
    tx: Tx,
    organization: Scope,
    *,
    meter: UUID | None = None,
    task: UUID | None = None,
    status: RunStatus | None = None,
    limit: int = 100,
    offset: int = 0,
) -> Page[Run]:
    """Runs, newest first."""
    where = [within(_r.organization, organization)]
    for column, value in ((_r.meter, meter), (_r.task, task), (_r.status, status and str(status))):
        if value is not None:
            where.append(column == value)
    count = tx.scalar(sa.select(sa.func.count()).select_from(tables.task_run).where(*where))
    rows = tx.rows(sa.select(*_COLUMNS).where(*where).order_by(_r.id.desc()).limit(limit).offset(offset))
    return Page(tuple(map(_made, rows)), count)
