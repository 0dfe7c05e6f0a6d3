"""Users, their memberships in organizations, and the services' tokens."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from polymeter.domain import Membership, Role, Token, User
from polymeter.store import tables
from polymeter.store.connector import ANY, Scope, Tx, within
from polymeter.store.rows import Page, Rows, new_id

__all__ = [
    "by_token",
    "change",
    "create",
    "create_token",
    "get",
    "join",
    "leave",
    "membership",
    "memberships",
    "named",
    "page",
    "remove",
    "revoke_token",
    "tokens",
]


class _Memberships(Rows[Membership]):
    def fields(self, values: Mapping[Any, Any]) -> dict[str, Any]:
        return dict(values) | {"role": Role(values["role"])}


class _Tokens(Rows[Token]):
    def fields(self, values: Mapping[Any, Any]) -> dict[str, Any]:
        return dict(values) | {"scopes": tuple(values["scopes"])}


_users = Rows(tables.user, User, organization="id")
_memberships = _Memberships(tables.membership, Membership)
_tokens = _Tokens(tables.token, Token)
_m = tables.membership.c


def create(tx: Tx, name: str, password_hash: str | None = None, *, is_staff: bool = False) -> User:
    """A new user; the hash is made by the caller, who knows the algorithm.

    Raises:
        Conflict: the name is taken.
    """
    return _users.add(tx, User(new_id(), name, password_hash, is_staff=is_staff))


def named(tx: Tx, name: str) -> User | None:
    """The user who logs in under that name."""
    return _users.find(tx, ANY, name=name)


def _visible(organization: Scope) -> sa.ColumnElement[bool]:
    members = sa.select(_m.user).where(within(_m.organization, organization))
    return sa.true() if not isinstance(organization, UUID) else tables.user.c.id.in_(members)


def get(tx: Tx, organization: Scope, id: UUID) -> User | None:
    """The user, where a member of that organization."""
    columns = [tables.user.c[name] for name in User.__dataclass_fields__]
    row = tx.row(sa.select(*columns).where(tables.user.c.id == id, _visible(organization)))
    return None if row is None else _users.made(row)


def page(tx: Tx, organization: Scope, *, limit: int = 100, offset: int = 0) -> Page[User]:
    """Members of the organization, by name."""
    columns = [tables.user.c[name] for name in User.__dataclass_fields__]
    where = _visible(organization)
    count = tx.scalar(sa.select(sa.func.count()).select_from(tables.user).where(where))
    query = sa.select(*columns).where(where).order_by(tables.user.c.name).limit(limit).offset(offset)
    return Page(tuple(map(_users.made, tx.rows(query))), count)


def change(tx: Tx, organization: Scope, id: UUID, **values: Any) -> User | None:
    """Set columns of a user who is a member of that organization."""
    found = get(tx, organization, id)
    return None if found is None else _users.change(tx, id, id, **values)


def remove(tx: Tx, organization: Scope, id: UUID) -> bool:
    """Delete a user with all memberships."""
    if get(tx, organization, id) is None:
        return False
    tx.execute(sa.delete(tables.membership).where(_m.user == id))
    return _users.remove(tx, id, id)


def join(tx: Tx, organization: UUID, user: UUID, role: Role) -> Membership:
    """Make the user a member, or change the role of one."""
    found = membership(tx, organization, user)
    if found is None:
        return _memberships.add(tx, Membership(0, organization, user, role))
    return _memberships.change(tx, organization, found.id, role=role) or found


def leave(tx: Tx, organization: Scope, id: int) -> bool:
    """End a membership."""
    return _memberships.remove(tx, organization, id)


def membership(tx: Tx, organization: UUID, user: UUID) -> Membership | None:
    """The user's membership in that organization."""
    return _memberships.find(tx, organization, user=user)


def memberships(
    tx: Tx, organization: Scope, *, limit: int = 100, offset: int = 0, **equal: Any
) -> Page[Membership]:
    """Memberships of an organization, or with `ANY` and `user=` those of a user."""
    return _memberships.page(tx, organization, limit=limit, offset=offset, **equal)


def create_token(
    tx: Tx,
    organization: UUID | None,
    name: str,
    scopes: Sequence[str] = (),
    *,
    user: UUID | None = None,
    expires: datetime | None = None,
) -> tuple[Token, str]:
    """A new service token and its text, which is nowhere kept: only its digest is.

    Args:
        organization: whose; None for the platform's own, which sees all.
    """
    text = "pm_" + secrets.token_urlsafe(32)
    id = new_id()
    tx.execute(
        sa.insert(tables.token).values(
            id=id,
            name=name,
            organization=organization,
            digest=_digest(text),
            scopes=list(scopes),
            user=user,
            expires=expires,
            created_at=tx.now,
            updated_at=tx.now,
        )
    )
    token = Token(id, name, organization, tuple(scopes), user=user, expires=expires, created_at=tx.now)
    return token, text


def by_token(tx: Tx, text: str) -> Token | None:
    """The token with that text, unless it is revoked or has expired."""
    columns = [tables.token.c[name] for name in Token.__dataclass_fields__]
    row = tx.row(sa.select(*columns).where(tables.token.c.digest == _digest(text)))
    if row is None:
        return None
    token = _tokens.made(row)
    valid = token.revoked is None and (token.expires is None or token.expires > tx.now)
    return token if valid else None


def tokens(tx: Tx, organization: Scope, *, limit: int = 100, offset: int = 0) -> Page[Token]:
    """The organization's tokens, revoked ones too."""
    return _tokens.page(tx, organization, limit=limit, offset=offset)


def revoke_token(tx: Tx, organization: Scope, id: UUID) -> bool:
    """End a token for good."""
    return _tokens.change(tx, organization, id, revoked=tx.now) is not None


def _digest(text: str) -> bytes:
    # 256 random bits need no slow hash: there is nothing to guess.
    return hashlib.sha256(text.encode()).digest()
