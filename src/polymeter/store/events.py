"""Events: what meters recorded that is not a value. The same event delivered twice is one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from polymeter.store import tables
from polymeter.store.connector import Scope, Tx, within
from polymeter.store.rows import Page
from polymeter.store.types import ceiling

__all__ = ["Event", "add", "get", "page", "remove"]

_e = tables.event.c


@dataclass(frozen=True, slots=True)
class Event:
    """One recorded event; `id` is 0 before it is stored."""

    id: int
    organization: UUID
    meter: UUID
    instant: datetime
    title: str
    content: str = ""
    code: str = ""
    frame: int | None = None
    created_at: datetime | None = None


_COLUMNS = [_e[name] for name in Event.__dataclass_fields__]


def add(tx: Tx, event: Event) -> Event | None:
    """Store an event of a meter; None when it was known, or the meter is not the organization's."""
    m = tables.meter.c
    if tx.row(sa.select(m.id).where(m.id == event.meter, m.organization == event.organization)) is None:
        return None
    digest = hashlib.sha256(f"{event.title}\0{event.content}".encode()).digest()
    values = {name: getattr(event, name) for name in Event.__dataclass_fields__ if name != "id"}
    values |= {"digest": digest, "created_at": tx.now}
    statement = tx.insert(tables.event).values(values).on_conflict_do_nothing().returning(*_COLUMNS)
    row = tx.row(statement)
    return None if row is None else Event(*row)


def get(tx: Tx, organization: Scope, id: int) -> Event | None:
    """The event with that id."""
    row = tx.row(sa.select(*_COLUMNS).where(_e.id == id, within(_e.organization, organization)))
    return None if row is None else Event(*row)


def page(
    tx: Tx,
    organization: Scope,
    *,
    meter: UUID | None = None,
    start: datetime | None = None,
    stop: datetime | None = None,
    limit: int = 100,
    offset: int = 0,
) -> Page[Event]:
    """Events, newest first."""
    where = [within(_e.organization, organization)]
    if meter is not None:
        where.append(_e.meter == meter)
    if start is not None:
        where.append(_e.instant >= ceiling(start))
    if stop is not None:
        where.append(_e.instant < ceiling(stop))
    count = tx.scalar(sa.select(sa.func.count()).select_from(tables.event).where(*where))
    rows = tx.rows(
        sa.select(*_COLUMNS).where(*where).order_by(_e.instant.desc(), _e.id).limit(limit).offset(offset)
    )
    return Page(tuple(Event(*row) for row in rows), count)


def remove(tx: Tx, organization: Scope, id: int) -> bool:
    """Delete an event."""
    return tx.execute(sa.delete(tables.event).where(_e.id == id, within(_e.organization, organization))) > 0
