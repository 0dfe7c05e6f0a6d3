"""Frames: the bytes as they came, kept compressed, each with what became of it.

The receiver gives a frame its id, so that handing it over twice stores it once; identical bytes at different
times are different frames.
"""

from __future__ import annotations

import secrets
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from polymeter.store import tables
from polymeter.store.connector import Record, Scope, Tx, chunks, within
from polymeter.store.rows import Page

__all__ = [
    "Frame",
    "FrameStatus",
    "add",
    "awaited",
    "expire",
    "get",
    "ids",
    "mark",
    "new_uid",
    "page",
    "recent",
    "release",
    "requeue",
    "samples",
    "trim",
    "waiting",
]

_f = tables.frame.c
_COMPRESS_FROM: Final = 64


class FrameStatus(StrEnum):
    """Where a frame is on its way."""

    NEW = "new"
    DONE = "done"
    QUARANTINED = "quarantined"
    ERASED = "erased"


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. `id` is the store's (0 before it is stored), `uid` the receiver's."""

    protocol: str
    payload: bytes
    received: datetime
    uid: str
    organization: UUID | None = None
    entrance: str = ""
    peer: str = ""
    meter: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    id: int = 0
    status: FrameStatus = FrameStatus.NEW
    reason: str | None = None
    attempts: int = 0


def new_uid() -> str:
    """A fresh id for a frame: 128 random bits."""
    return secrets.token_hex(16)


def add(tx: Tx, frames: Sequence[Frame]) -> None:
    """Keep these frames; one whose id is known is the same frame."""
    values = []
    for frame in frames:
        packed = zlib.compress(frame.payload, 1) if len(frame.payload) >= _COMPRESS_FROM else frame.payload
        smaller = len(packed) < len(frame.payload)
        values.append(
            {
                "uid": frame.uid,
                "organization": frame.organization,
                "entrance": frame.entrance,
                "peer": frame.peer,
                "protocol": frame.protocol,
                "received": frame.received,
                "status": str(frame.status),
                "reason": frame.reason,
                "attempts": frame.attempts,
                "meter": frame.meter,
                "meta": dict(frame.meta),
                "compressed": smaller,
                "payload": packed if smaller else frame.payload,
            }
        )
    for some in chunks(values):
        tx.execute(tx.insert(tables.frame).on_conflict_do_nothing(), list(some))


def get(tx: Tx, organization: Scope, id: int) -> Frame | None:
    """The frame with the store's id."""
    row = tx.row(sa.select(tables.frame).where(_f.id == id, within(_f.organization, organization)))
    return None if row is None else _made(row)


def ids(tx: Tx, uids: Iterable[str]) -> dict[str, int]:
    """The store's ids of frames by their receivers' ids; unknown ones are left out."""
    found: dict[str, int] = {}
    for some in chunks(list(dict.fromkeys(uids))):
        found |= {row[0]: row[1] for row in tx.rows(sa.select(_f.uid, _f.id).where(_f.uid.in_(some)))}
    return found


def page(
    tx: Tx,
    organization: Scope,
    *,
    status: FrameStatus | None = None,
    protocol: str | None = None,
    meter: str | None = None,
    start: datetime | None = None,
    stop: datetime | None = None,
    after: int = 0,
    limit: int = 100,
    offset: int = 0,
) -> Page[Frame]:
    """Frames in the order they were stored; `after` is the last id of the page before."""
    where = [within(_f.organization, organization), _f.id > after]
    for column, value in ((_f.status, status), (_f.protocol, protocol), (_f.meter, meter)):
        if value is not None:
            where.append(column == str(value))
    if start is not None:
        where.append(_f.received >= start)
    if stop is not None:
        where.append(_f.received < stop)
    count = tx.scalar(sa.select(sa.func.count()).select_from(tables.frame).where(*where))
    rows = tx.rows(sa.select(tables.frame).where(*where).order_by(_f.id).limit(limit).offset(offset))
    return Page(tuple(map(_made, rows)), count)


def waiting(tx: Tx, *, after: int = 0, limit: int = 500, protocol: str | None = None) -> tuple[Frame, ...]:
    """New frames for the processor, oldest first. They stay new until marked: a crash loses none."""
    where = [_f.status == str(FrameStatus.NEW), _f.id > after]
    if protocol is not None:
        where.append(_f.protocol == protocol)
    return tuple(map(_made, tx.rows(sa.select(tables.frame).where(*where).order_by(_f.id).limit(limit))))


def mark(
    tx: Tx, ids: Iterable[int], status: FrameStatus, reason: str | None = None, *, meter: str | None = None
) -> int:
    """Say what became of these frames; an attempt is counted."""
    values: dict[str, Any] = {"status": str(status), "reason": reason, "attempts": _f.attempts + 1}
    if meter is not None:
        values["meter"] = meter
    done = 0
    for some in chunks(list(ids)):
        done += tx.execute(sa.update(tables.frame).where(_f.id.in_(some)).values(values))
    return done


def requeue(
    tx: Tx,
    organization: Scope,
    *,
    protocol: str | None = None,
    ids: Iterable[int] | None = None,
    done: bool = False,
) -> int:
    """Make quarantined frames (and with `done`, decoded ones) new again: `polymeter replay`."""
    states = [str(FrameStatus.QUARANTINED), *([str(FrameStatus.DONE)] if done else [])]
    where = [within(_f.organization, organization), _f.status.in_(states)]
    if protocol is not None:
        where.append(_f.protocol == protocol)
    if ids is not None:
        where.append(_f.id.in_(list(ids)))
    return tx.execute(sa.update(tables.frame).where(*where).values(status=str(FrameStatus.NEW)))


def awaited(tx: Tx) -> list[tuple[UUID | None, str]]:
    """The meters that quarantined frames wait for, each with the organization whose frames wait."""
    where = (_f.status == str(FrameStatus.QUARANTINED), _f.meter.is_not(None))
    rows = tx.rows(sa.select(_f.organization, _f.meter).where(*where).distinct())
    return [(row[0], row[1]) for row in rows]


def release(
    tx: Tx,
    organization: UUID | None,
    meter: str,
    *,
    reason: str | None = None,
    prefix: str | None = None,
    after: int = 0,
) -> int:
    """Make the quarantined frames that wait for a meter new again: all, or those of a reason.

    With `prefix` the reason begins so; with `after` only frames that came after that one.
    """
    where = [_f.status == str(FrameStatus.QUARANTINED), *_of(organization, meter), _f.id > after]
    if reason is not None:
        where.append(_f.reason == reason)
    if prefix is not None:
        where.append(_f.reason.startswith(prefix, autoescape=True))
    return tx.execute(sa.update(tables.frame).where(*where).values(status=str(FrameStatus.NEW)))


def trim(tx: Tx, organization: UUID | None, meter: str, reason: str, keep: int) -> int:
    """Delete the oldest quarantined frames of a meter and a reason, so that `keep` are left."""
    where = [_f.status == str(FrameStatus.QUARANTINED), *_of(organization, meter), _f.reason == reason]
    newest = sa.select(_f.id).where(*where).order_by(_f.id.desc()).limit(keep)
    return tx.execute(sa.delete(tables.frame).where(*where, _f.id.not_in(newest.scalar_subquery())))


def recent(
    tx: Tx,
    organization: UUID | None,
    meter: str,
    protocol: str,
    *,
    after: int = 0,
    before: int | None = None,
    limit: int = 64,
) -> tuple[Frame, ...]:
    """The last frames of a meter, newest first, whatever became of them."""
    where = [*_of(organization, meter), _f.protocol == protocol, _f.id > after, _f.payload != b""]
    if before is not None:
        where.append(_f.id < before)
    return tuple(
        map(_made, tx.rows(sa.select(tables.frame).where(*where).order_by(_f.id.desc()).limit(limit)))
    )


def samples(tx: Tx, organization: UUID | None, meter: str, prefix: str) -> tuple[Frame, ...]:
    """One quarantined frame of a meter for each reason that begins so."""
    where = [_f.status == str(FrameStatus.QUARANTINED), *_of(organization, meter)]
    where.append(_f.reason.startswith(prefix, autoescape=True))
    newest = sa.select(sa.func.max(_f.id)).where(*where).group_by(_f.reason)
    return tuple(map(_made, tx.rows(sa.select(tables.frame).where(_f.id.in_(newest)))))


def _of(organization: UUID | None, meter: str) -> list[sa.ColumnElement[bool]]:
    own = _f.organization.is_(None) if organization is None else _f.organization == organization
    return [_f.meter == meter, own]


def expire(tx: Tx, before: datetime) -> int:
    """Delete decoded frames received before that moment."""
    return tx.execute(sa.delete(tables.frame).where(_f.received < before, _f.status == str(FrameStatus.DONE)))


def _made(row: Record) -> Frame:
    values = dict(row._mapping)
    if values.pop("compressed"):
        values["payload"] = zlib.decompress(values["payload"])
    return Frame(**values | {"status": FrameStatus(values["status"])})
