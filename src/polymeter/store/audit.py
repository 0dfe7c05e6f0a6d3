"""The audit log: every entry carries the hash of all before it, so that a changed byte is found."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa

from polymeter.store import tables
from polymeter.store.connector import Scope, Tx, within
from polymeter.store.rows import Page
from polymeter.store.types import moment_to_micros

__all__ = ["Entry", "append", "page", "verify"]

_START: Final = bytes(32)
_a = tables.audit.c


@dataclass(frozen=True, slots=True)
class Entry:
    """Who did what to which object, when."""

    id: int
    organization: UUID | None
    at: datetime
    actor: str
    action: str
    object: str
    detail: str
    hash: bytes


_COLUMNS = [_a[name] for name in Entry.__dataclass_fields__]


def append(
    tx: Tx,
    organization: UUID | None,
    actor: str,
    action: str,
    object: str,
    detail: Mapping[str, Any] | None = None,
) -> Entry:
    """Add an entry. It belongs to the transaction of what it tells of."""
    tx.engine.lock(tx, "polymeter audit")
    last = tx.row(sa.select(_a.id, _a.hash).order_by(_a.id.desc()).limit(1))
    number, before = (last[0] + 1, last[1]) if last is not None else (1, _START)
    text = json.dumps(dict(detail or {}), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    digest = _hash(before, number, organization, tx.now, actor, action, object, text)
    entry = Entry(number, organization, tx.now, actor, action, object, text, digest)
    tx.execute(
        sa.insert(tables.audit).values({name: getattr(entry, name) for name in Entry.__dataclass_fields__})
    )
    return entry


def page(tx: Tx, organization: Scope, *, limit: int = 100, offset: int = 0) -> Page[Entry]:
    """Entries, newest first."""
    where = within(_a.organization, organization)
    count = tx.scalar(sa.select(sa.func.count()).select_from(tables.audit).where(where))
    rows = tx.rows(sa.select(*_COLUMNS).where(where).order_by(_a.id.desc()).limit(limit).offset(offset))
    return Page(tuple(Entry(*row) for row in rows), count)


def verify(tx: Tx) -> int | None:
    """Follow the chain; the id of the first entry that does not fit, None when all do."""
    before, expected = _START, 1
    for row in tx.connection.execute(sa.select(*_COLUMNS).order_by(_a.id)):
        entry = Entry(*row)
        digest = _hash(
            before,
            entry.id,
            entry.organization,
            entry.at,
            entry.actor,
            entry.action,
            entry.object,
            entry.detail,
        )
        if entry.id != expected or digest != entry.hash:
            return expected
        before, expected = entry.hash, expected + 1
    return None


def _hash(before: bytes, number: int, organization: UUID | None, at: datetime, *texts: str) -> bytes:
    # JSON keeps the fields apart: no two different entries have the same bytes.
    content = json.dumps([number, str(organization or ""), moment_to_micros(at), *texts], ensure_ascii=False)
    return hashlib.sha256(before + content.encode()).digest()
