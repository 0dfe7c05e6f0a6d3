"""The outbox: what others shall hear, written in the transaction it speaks of, published after the commit."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from polymeter.store import tables
from polymeter.store.connector import Tx

__all__ = ["add", "remove", "waiting"]

_o = tables.outbox.c


def add(tx: Tx, body: bytes) -> None:
    """Leave a message behind; it appears with the commit or not at all."""
    tx.execute(sa.insert(tables.outbox).values(created_at=tx.now, body=body))


def waiting(tx: Tx, limit: int = 50) -> tuple[tuple[int, bytes], ...]:
    """The oldest messages, as (id, body)."""
    return tuple((row[0], row[1]) for row in tx.rows(sa.select(_o.id, _o.body).order_by(_o.id).limit(limit)))


def remove(tx: Tx, ids: Iterable[int]) -> None:
    """These have been published."""
    tx.execute(sa.delete(tables.outbox).where(_o.id.in_(list(ids))))
