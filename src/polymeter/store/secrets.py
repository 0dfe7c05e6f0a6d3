"""Meters' secrets, sealed: AES-GCM under the key-encryption key, bound to organization, meter and kind.

The database alone opens nothing, and a row moved to another meter does not open either. The key is passed in
and never kept in a table.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from polymeter.store import tables
from polymeter.store.connector import Scope, Tx, chunks, within
from polymeter.store.errors import Conflict, InvalidSecret

__all__ = ["SecretKey", "delete", "get", "kinds", "put", "renewed", "reseal"]

_VERSION: Final = b"\x01"
_NONCE: Final = 12
_KEY_ID: Final = 4
_s = tables.secret.c


class SecretKey:
    """The key-encryption key, made from the text of `SECRET_KEY`."""

    __slots__ = ("_aead", "_id")

    def __init__(self, text: str) -> None:
        if len(text) < 16:
            raise ValueError("SECRET_KEY is shorter than 16 characters")
        key = HKDF(SHA256(), 32, salt=None, info=b"polymeter sealed secrets v1").derive(text.encode())
        self._aead = AESGCM(key)
        self._id = hashlib.sha256(b"id" + key).digest()[:_KEY_ID]

    def __repr__(self) -> str:
        return f"SecretKey({self._id.hex()})"

    def seal(self, plain: bytes, organization: UUID, meter: UUID, kind: str) -> bytes:
        """The secret as it is stored."""
        nonce = os.urandom(_NONCE)
        return (
            _VERSION + self._id + nonce + self._aead.encrypt(nonce, plain, _bound(organization, meter, kind))
        )

    def open(self, sealed: bytes, organization: UUID, meter: UUID, kind: str) -> bytes:
        """The secret again.

        Raises:
            InvalidSecret: sealed under another key, for another meter, or altered.
        """
        head = len(_VERSION) + _KEY_ID
        if sealed[:1] != _VERSION or sealed[1:head] != self._id:
            raise InvalidSecret(f"the {kind} of meter {meter} is sealed under another SECRET_KEY")
        try:
            return self._aead.decrypt(
                sealed[head : head + _NONCE], sealed[head + _NONCE :], _bound(organization, meter, kind)
            )
        except (InvalidTag, ValueError) as error:  # ValueError: cut off within the nonce
            raise InvalidSecret(
                f"the {kind} of meter {meter} was altered or belongs to another row"
            ) from error


def _bound(organization: UUID, meter: UUID, kind: str) -> bytes:
    return organization.bytes + meter.bytes + kind.encode()


def put(tx: Tx, key: SecretKey, organization: UUID, meter: UUID, kind: str, value: bytes) -> int:
    """Keep a secret as the active one of its kind; the one before is kept as old. Returns its version.

    Raises:
        Conflict: the organization has no such meter.
    """
    m = tables.meter.c
    if tx.row(sa.select(m.id).where(m.id == meter, m.organization == organization)) is None:
        raise Conflict(f"the organization has no meter {meter}")
    # Two at once would count to the same version, and a rotation must not overlook what comes meanwhile.
    tx.engine.lock(tx, "polymeter secrets")
    same = (_s.meter == meter, _s.kind == kind)
    version = int(tx.scalar(sa.select(sa.func.coalesce(sa.func.max(_s.version), 0)).where(*same))) + 1
    tx.execute(sa.update(tables.secret).where(*same, _s.state == "active").values(state="old"))
    tx.execute(
        sa.insert(tables.secret).values(
            organization=organization,
            meter=meter,
            kind=kind,
            version=version,
            state="active",
            sealed=key.seal(value, organization, meter, kind),
            created_at=tx.now,
        )
    )
    return version


def get(tx: Tx, key: SecretKey, organization: Scope, meter: UUID, kind: str) -> bytes | None:
    """The active secret of that kind, opened; None where there is none.

    Raises:
        InvalidSecret: it does not open.
    """
    where = (_s.meter == meter, _s.kind == kind, _s.state == "active", within(_s.organization, organization))
    row = tx.row(sa.select(_s.sealed, _s.organization).where(*where))
    return None if row is None else key.open(row[0], row[1], meter, kind)


def kinds(tx: Tx, organization: Scope, meter: UUID) -> tuple[str, ...]:
    """Which secrets a meter has, without opening any."""
    where = (_s.meter == meter, _s.state == "active", within(_s.organization, organization))
    return tuple(row[0] for row in tx.rows(sa.select(_s.kind).where(*where).order_by(_s.kind)))


def renewed(
    tx: Tx, meters: Collection[UUID], kinds: Collection[str], since: datetime | None = None
) -> set[UUID]:
    """Which of these meters have an active secret of one of these kinds, put there after `since`."""
    where = [_s.kind.in_(list(kinds)), _s.state == "active"]
    if since is not None:
        where.append(_s.created_at >= since)
    return {
        row[0]
        for some in chunks(list(meters))
        for row in tx.rows(sa.select(_s.meter).where(_s.meter.in_(list(some)), *where).distinct())
    }


def delete(tx: Tx, organization: Scope, meter: UUID, kind: str | None = None) -> int:
    """Forget a meter's secrets of one kind, or of all, in every version."""
    where = [_s.meter == meter, within(_s.organization, organization)]
    if kind is not None:
        where.append(_s.kind == kind)
    return tx.execute(sa.delete(tables.secret).where(*where))


def reseal(tx: Tx, old: SecretKey, new: SecretKey) -> int:
    """Seal every secret under another key; how many there were.

    Raises:
        InvalidSecret: one does not open under the old key; none is changed then.
    """
    tx.engine.lock(tx, "polymeter secrets")
    rows = tx.rows(sa.select(_s.organization, _s.meter, _s.kind, _s.version, _s.sealed))
    for organization, meter, kind, version, sealed in rows:
        again = new.seal(old.open(sealed, organization, meter, kind), organization, meter, kind)
        same = (_s.meter == meter, _s.kind == kind, _s.version == version)
        tx.execute(sa.update(tables.secret).where(*same).values(sealed=again))
    return len(rows)
