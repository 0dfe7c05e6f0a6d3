"""Staged readings: well-formed values that have no place yet, kept until their meter or series appears."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from polymeter.store import tables
from polymeter.store.connector import Scope, Tx, chunks, within
from polymeter.store.rows import Page
from polymeter.store.types import ceiling

__all__ = ["Staged", "add", "expire", "explain", "get", "lock", "page", "remove", "take"]

_s = tables.staged.c
_COLUMNS = (
    _s.id,
    _s.organization,
    _s.meter,
    _s.series,
    _s.instant,
    _s.payload,
    _s.reason,
    _s.source,
    _s.received,
)


@dataclass(frozen=True, slots=True)
class Staged:
    """One waiting reading; `payload` is its message as it came."""

    id: int
    organization: UUID | None
    meter: str
    series: str
    instant: datetime
    payload: bytes
    reason: str
    source: int
    received: datetime
    digest: bytes = b""


def add(tx: Tx, rows: Iterable[Staged]) -> None:
    """Keep these; what is already waiting with the same content is not kept twice."""
    values = [
        {
            "organization": row.organization,
            # A plain text for the key: NULLs would never be equal to each other.
            "scope": str(row.organization or ""),
            "meter": row.meter,
            "series": row.series,
            "instant": row.instant,
            "digest": row.digest,
            "payload": row.payload,
            "reason": row.reason,
            "source": row.source,
            "received": row.received,
        }
        for row in rows
    ]
    for some in chunks(values):
        tx.execute(tx.insert(tables.staged).on_conflict_do_nothing(), list(some))


def get(tx: Tx, organization: Scope, id: int) -> Staged | None:
    """The staged reading with that id."""
    row = tx.row(sa.select(*_COLUMNS).where(_s.id == id, within(_s.organization, organization)))
    return None if row is None else Staged(*row)


def page(
    tx: Tx,
    organization: Scope,
    *,
    meter: str | None = None,
    start: datetime | None = None,
    stop: datetime | None = None,
    limit: int = 100,
    offset: int = 0,
) -> Page[Staged]:
    """What is waiting, oldest delivery first."""
    where = [within(_s.organization, organization)]
    if meter is not None:
        where.append(_s.meter == meter)
    if start is not None:
        where.append(_s.instant >= ceiling(start))
    if stop is not None:
        where.append(_s.instant < ceiling(stop))
    count = tx.scalar(sa.select(sa.func.count()).select_from(tables.staged).where(*where))
    rows = tx.rows(sa.select(*_COLUMNS).where(*where).order_by(_s.id).limit(limit).offset(offset))
    return Page(tuple(Staged(*row) for row in rows), count)


def take(
    tx: Tx, organization: Scope, meters: Iterable[str] | None = None, *, after: int = 0, limit: int = 5000
) -> tuple[Staged, ...]:
    """What may be released: the organization's, and what came without one; in the order of delivery."""
    where = [sa.or_(within(_s.organization, organization), _s.organization.is_(None)), _s.id > after]
    if meters is not None:
        where.append(_s.meter.in_(list(meters)))
    return tuple(
        Staged(*row) for row in tx.rows(sa.select(*_COLUMNS).where(*where).order_by(_s.id).limit(limit))
    )


def lock(tx: Tx, ids: Iterable[int]) -> tuple[Staged, ...]:
    """Those of these that nobody else is releasing, held until the transaction ends."""
    query = sa.select(*_COLUMNS).where(_s.id.in_(list(ids))).order_by(_s.id)
    return tuple(Staged(*row) for row in tx.rows(query.with_for_update(skip_locked=True)))


def explain(tx: Tx, reasons: Iterable[tuple[int, str]]) -> None:
    """Say anew why these wait."""
    values = [{"row": id, "why": reason} for id, reason in reasons]
    if values:
        statement = (
            sa.update(tables.staged).where(_s.id == sa.bindparam("row")).values(reason=sa.bindparam("why"))
        )
        tx.execute(statement, values)


def remove(tx: Tx, organization: Scope, ids: Iterable[int]) -> int:
    """Delete staged readings; how many there were."""
    deleted = 0
    for some in chunks(list(ids)):
        deleted += tx.execute(
            sa.delete(tables.staged).where(_s.id.in_(some), within(_s.organization, organization))
        )
    return deleted


def expire(tx: Tx, before: datetime) -> int:
    """Delete what has waited since before that moment."""
    return tx.execute(sa.delete(tables.staged).where(_s.received < before))
