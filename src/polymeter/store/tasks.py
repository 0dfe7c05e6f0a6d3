"""Tasks: which call, on which meters, when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from polymeter.store import tables
from polymeter.store.connector import Scope, Tx, within
from polymeter.store.errors import Conflict
from polymeter.store.rows import Rows, new_id

__all__ = ["Task", "assign", "assignments", "change", "create", "get", "meters_of", "page", "remove"]


@dataclass(frozen=True, slots=True)
class Task:
    """A call and its schedule: one of Utilitarian's words, or every `interval_s` seconds."""

    id: UUID
    organization: UUID
    name: str
    meter_execution_type: str
    task_call: str
    task_kwargs: Mapping[str, Any] = field(default_factory=dict)
    schedule: str | None = None
    interval_s: int | None = None
    run_offset_s: int = 0
    description: str = ""
    is_active: bool = True
    created_at: datetime | None = None
    updated_at: datetime | None = None


_rows = Rows(tables.task, Task)
get, page, change = _rows.get, _rows.page, _rows.change
_link = tables.task_meter.c


def create(
    tx: Tx, organization: UUID, name: str, meter_execution_type: str, task_call: str, **more: Any
) -> Task:
    """A new task.

    Raises:
        Conflict: the organization has one of that name.
    """
    return _rows.add(tx, Task(new_id(), organization, name, meter_execution_type, task_call, **more))


def remove(tx: Tx, organization: Scope, id: UUID) -> bool:
    """Delete a task; the runs it had stay, without it."""
    if get(tx, organization, id) is None:
        return False
    tx.execute(sa.update(tables.task_run).where(tables.task_run.c.task == id).values(task=None))
    return _rows.remove(tx, organization, id)


def assign(tx: Tx, organization: UUID, task: UUID, meters: Iterable[UUID]) -> None:
    """Make these, and only these, the task's meters.

    Raises:
        Conflict: the task or a meter is not the organization's.
    """
    wanted = list(dict.fromkeys(meters))
    if get(tx, organization, task) is None:
        raise Conflict(f"the organization has no task {task}")
    m = tables.meter.c
    own = {row[0] for row in tx.rows(sa.select(m.id).where(m.organization == organization, m.id.in_(wanted)))}
    if missing := [str(meter) for meter in wanted if meter not in own]:
        raise Conflict(f"the organization has no meter {', '.join(missing)}")
    tx.execute(sa.delete(tables.task_meter).where(_link.task == task))
    if wanted:
        tx.execute(sa.insert(tables.task_meter), [{"task": task, "meter": meter} for meter in wanted])


def meters_of(tx: Tx, organization: Scope, task: UUID) -> tuple[UUID, ...]:
    """The meters of a task."""
    t = tables.task.c
    query = sa.select(_link.meter).where(
        _link.task == task, t.id == _link.task, within(t.organization, organization)
    )
    return tuple(row[0] for row in tx.rows(query.order_by(_link.meter)))


def assignments(tx: Tx, organization: Scope) -> tuple[tuple[Task, UUID], ...]:
    """Every active task with each of its meters: what a scheduler plans from."""
    columns = [tables.task.c[name] for name in Task.__dataclass_fields__]
    t = tables.task.c
    query = (
        sa.select(*columns, _link.meter)
        .where(t.id == _link.task, t.is_active, within(t.organization, organization))
        .order_by(t.id, _link.meter)
    )
    return tuple((Task(*row[:-1]), row[-1]) for row in tx.rows(query))
