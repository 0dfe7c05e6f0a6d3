"""Leases: who holds a thing, until when. A holder that dies is outlived by its lease, never by more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from polymeter.store import tables
from polymeter.store.connector import Tx

__all__ = ["Lease", "get", "release", "renew", "take"]

_l = tables.lease.c


@dataclass(frozen=True, slots=True)
class Lease:
    """A held lease. `fence` grows with every change of hands: what carries an older one is out of date."""

    name: str
    owner: str
    fence: int
    taken: datetime
    expires: datetime


def take(tx: Tx, name: str, owner: str, seconds: float) -> Lease | None:
    """Take the lease if it is free, expired or one's own; None while another holds it."""
    expires = tx.now + timedelta(seconds=seconds)
    insert = tx.insert(tables.lease).values(name=name, owner=owner, fence=1, taken=tx.now, expires=expires)
    mine = _l.owner == owner
    tx.execute(
        insert.on_conflict_do_update(
            index_elements=[_l.name],
            set_={
                "owner": owner,
                "fence": sa.case((sa.and_(mine, _l.expires > tx.now), _l.fence), else_=_l.fence + 1),
                "taken": sa.case((sa.and_(mine, _l.expires > tx.now), _l.taken), else_=insert.excluded.taken),
                "expires": expires,
            },
            where=sa.or_(mine, _l.expires <= tx.now),
        )
    )
    held = get(tx, name)
    return held if held is not None and held.owner == owner else None


def renew(tx: Tx, lease: Lease, seconds: float) -> Lease | None:
    """Hold it longer; None when it has been lost meanwhile, and then the work must stop."""
    same = (_l.name == lease.name, _l.owner == lease.owner, _l.fence == lease.fence, _l.expires > tx.now)
    changed = tx.execute(
        sa.update(tables.lease).where(*same).values(expires=tx.now + timedelta(seconds=seconds))
    )
    return get(tx, lease.name) if changed else None


def release(tx: Tx, lease: Lease) -> bool:
    """Give it back; whether it was still held. The row stays, so that the fence keeps growing."""
    same = (_l.name == lease.name, _l.owner == lease.owner, _l.fence == lease.fence)
    return tx.execute(sa.update(tables.lease).where(*same).values(expires=tx.now)) > 0


def get(tx: Tx, name: str) -> Lease | None:
    """The lease if somebody holds it now."""
    row = tx.row(
        sa.select(_l.name, _l.owner, _l.fence, _l.taken, _l.expires).where(
            _l.name == name, _l.expires > tx.now
        )
    )
    return None if row is None else Lease(*row)
