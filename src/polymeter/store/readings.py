"""Stored readings: by channel and time, the latest per meter, their revisions, and their deletion."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from polymeter.domain import Exact, Quality, Reading, Revision, Source, from_second, split_reading_id
from polymeter.store import channels, tables
from polymeter.store.connector import Scope, Tx, chunks, within
from polymeter.store.types import ceiling

__all__ = ["Latest", "Mark", "count", "delete", "get", "latest", "marks", "page", "revisions", "series_of"]

_r, _c, _l = tables.reading.c, tables.channel.c, tables.latest.c
_VALUE = ("mantissa", "exponent", "text", "quality", "source", "received", "frame")


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest reading of a channel, with the names a page shows."""

    reading: Reading
    meter: UUID
    meter_name: str
    series: UUID
    series_name: str
    unit: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A range of instants that were deleted and must not come back; without a series, all of the meter's."""

    meter: UUID
    series: UUID | None
    start: datetime
    stop: datetime
    reason: str


def _columns(table: sa.Table) -> list[sa.Column[Any]]:
    return [table.c.channel, table.c.instant, *(table.c[name] for name in _VALUE)]


def _made(row: Sequence[Any]) -> Reading:
    channel, instant, mantissa, exponent, text, quality, source, received, frame = row
    value = Exact(mantissa, exponent, text).value
    return Reading(channel, instant, value, Quality(quality), Source(source), received, frame)


def _mine(table: sa.Table, organization: Scope) -> sa.ColumnElement[bool]:
    if not isinstance(organization, UUID):
        return sa.true()
    own = sa.select(_c.id).where(_c.id == table.c.channel, within(_c.organization, organization))
    return own.exists()


def get(tx: Tx, organization: Scope, id: int) -> Reading | None:
    """The reading with that id, or None where it does not exist for the organization."""
    channel, second = split_reading_id(id)
    where = (_r.channel == channel, _r.instant == from_second(second), _mine(tables.reading, organization))
    row = tx.row(sa.select(*_columns(tables.reading)).where(*where))
    return None if row is None else _made(row)


def _range(
    organization: Scope, ids: Iterable[int], start: datetime | None, stop: datetime | None
) -> list[sa.ColumnElement[bool]]:
    where = [_r.channel.in_(list(ids)), _mine(tables.reading, organization)]
    if start is not None:
        where.append(_r.instant >= ceiling(start))
    if stop is not None:
        where.append(_r.instant < ceiling(stop))
    return where


def page(
    tx: Tx,
    organization: Scope,
    ids: Iterable[int],
    *,
    start: datetime | None = None,
    stop: datetime | None = None,
    after: tuple[int, datetime] | None = None,
    limit: int = 1000,
    offset: int = 0,
    newest_first: bool = False,
) -> tuple[Reading, ...]:
    """Readings of some channels with start <= instant < stop, by (channel, instant).

    Args:
        after: the (channel, instant) of the last reading of the page before; costs nothing at any depth,
            where `offset` counts its way.
    """
    where = _range(organization, ids, start, stop)
    key = sa.tuple_(_r.channel, _r.instant)
    if after is not None:
        bound = sa.tuple_(sa.literal(after[0]), sa.literal(after[1], tables.reading.c.instant.type))
        where.append(key < bound if newest_first else key > bound)
    order = (_r.channel.desc(), _r.instant.desc()) if newest_first else (_r.channel, _r.instant)
    query = sa.select(*_columns(tables.reading)).where(*where).order_by(*order).limit(limit).offset(offset)
    return tuple(map(_made, tx.rows(query)))


def count(
    tx: Tx,
    organization: Scope,
    ids: Iterable[int],
    *,
    start: datetime | None = None,
    stop: datetime | None = None,
) -> int:
    """How many readings `page` would walk through."""
    query = sa.select(sa.func.count()).select_from(tables.reading)
    return int(tx.scalar(query.where(*_range(organization, ids, start, stop))))


def latest(
    tx: Tx,
    organization: Scope,
    meters: Iterable[UUID] | None = None,
    *,
    limit: int = 10_000,
    offset: int = 0,
) -> tuple[Latest, ...]:
    """The newest reading of every channel, by meter and series."""
    m, s = tables.meter.c, tables.series.c
    query = (
        sa.select(m.id, m.name, s.id, s.name, s.unit, *_columns(tables.latest))
        .select_from(
            tables.latest.join(tables.channel, _c.id == _l.channel)
            .join(tables.meter, m.id == _c.meter)
            .join(tables.series, s.id == _c.series)
        )
        .where(within(_c.organization, organization))
        .order_by(m.name, s.name, _l.channel)
        .limit(limit)
        .offset(offset)
    )
    if meters is not None:
        query = query.where(_c.meter.in_(list(meters)))
    return tuple(Latest(_made(row[5:]), *row[:5]) for row in tx.rows(query))


def revisions(tx: Tx, organization: Scope, channel: int, instant: datetime) -> tuple[Revision, ...]:
    """The values that were delivered for that instant and are not in force, oldest first."""
    v = tables.reading_revision.c
    query = (
        sa.select(
            v.number, v.mantissa, v.exponent, v.text, v.quality, v.source, v.at, v.by, v.reason, v.frame
        )
        .where(v.channel == channel, v.instant == instant, _mine(tables.reading_revision, organization))
        .order_by(v.number)
    )
    return tuple(
        Revision(channel, instant, n, Exact(m, e, t).value, Quality(q), Source(s), at, by, why, frame)
        for n, m, e, t, q, s, at, by, why, frame in tx.rows(query)
    )


def series_of(tx: Tx, organization: Scope, meter: UUID, series: UUID) -> int | None:
    """The channel of a series on a meter, if it has one."""
    found = channels.of_meter(tx, organization, meter, series)
    return found[0].id if found else None


def delete(
    tx: Tx,
    organization: Scope,
    meter: UUID,
    *,
    start: datetime,
    stop: datetime,
    reason: str,
    series: UUID | None = None,
    by: UUID | None = None,
    erase: bool = False,
) -> int:
    """Delete readings with start <= instant < stop and leave a mark, so that none of them comes back.

    Args:
        erase: remove the frames they came in too (erasure of personal data).

    Returns:
        How many readings were deleted.
    """
    start, stop = ceiling(start), ceiling(stop)
    owner = tx.scalar(
        sa.select(tables.meter.c.organization).where(
            tables.meter.c.id == meter, within(tables.meter.c.organization, organization)
        )
    )
    if owner is None:
        return 0
    tx.execute(
        sa.insert(tables.deletion).values(
            organization=owner,
            meter=meter,
            series=series,
            start=start,
            stop=stop,
            reason=reason,
            by=by,
            at=tx.now,
        )
    )
    ids = [channel.id for channel in channels.of_meter(tx, owner, meter, series)]
    channels.lock(tx, ids)
    where = _range(owner, ids, start, stop)
    if erase:
        _erase_frames(tx, where)
    deleted = tx.execute(sa.delete(tables.reading).where(*where))
    v = tables.reading_revision.c
    tx.execute(
        sa.delete(tables.reading_revision).where(v.channel.in_(ids), v.instant >= start, v.instant < stop)
    )
    for id in ids:
        _renew_latest(tx, id)
    return deleted


def marks(tx: Tx, meters: Iterable[UUID]) -> dict[UUID, list[Mark]]:
    """The deletion marks of these meters."""
    d = tables.deletion.c
    found: dict[UUID, list[Mark]] = {}
    for some in chunks(list(meters)):
        query = sa.select(d.meter, d.series, d.start, d.stop, d.reason).where(d.meter.in_(some))
        for row in tx.rows(query):
            found.setdefault(row[0], []).append(Mark(*row))
    return found


def _erase_frames(tx: Tx, where: list[sa.ColumnElement[bool]]) -> None:
    inside = sa.select(_r.frame).where(_r.frame.is_not(None), *where)
    tx.execute(
        sa.update(tables.frame)
        .where(tables.frame.c.id.in_(inside))
        .values(payload=b"", compressed=False, status="erased", peer="", meta={})
    )


def _renew_latest(tx: Tx, channel: int) -> None:
    tx.execute(sa.delete(tables.latest).where(_l.channel == channel))
    newest = (
        sa.select(*_columns(tables.reading)).where(_r.channel == channel).order_by(_r.instant.desc()).limit(1)
    )
    tx.execute(sa.insert(tables.latest).from_select(["channel", "instant", *_VALUE], newest))
