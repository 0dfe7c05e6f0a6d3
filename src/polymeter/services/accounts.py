"""Organizations, users and tokens: made here for the command line, the demo and the HTTP interface alike.

Each function is one transaction and leaves its entry in the audit log.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Final
from uuid import UUID

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from polymeter.domain import Organization, Role, Token, User
from polymeter.services.access import DEFAULT_SCOPES, Permission
from polymeter.store import ANY, Conflict, Store, Tx, audit, organizations, users

__all__ = [
    "EVERYWHERE",
    "PASSWORD_MAX",
    "InvalidAccount",
    "add_token",
    "add_user",
    "ensure_organization",
    "find_organization",
    "hash_password",
    "revoke_token",
    "set_password",
    "verify_password",
]

EVERYWHERE: Final = "*"
"""Instead of an organization's name: the platform itself, Utilitarian's staff."""
PASSWORD_MIN: Final = 10
PASSWORD_MAX: Final = 1024


class InvalidAccount(ValueError):
    """The user or token cannot be made like this; the text says what to change."""


@lru_cache(maxsize=1)
def _hasher() -> PasswordHash:
    return PasswordHash((Argon2Hasher(),))


def hash_password(password: str) -> str:
    """The password as it is stored (Argon2id); takes some 50 ms."""
    return _hasher().hash(password)


def verify_password(password: str, stored: str) -> bool:
    """Whether it is the password; takes as long either way."""
    return _hasher().verify(password, stored)


async def ensure_organization(store: Store, name: str, *, actor: str = "command line") -> Organization:
    """The organization of that name, created where there is none."""
    return await store.write(_ensure_organization, name, actor)


async def find_organization(store: Store, text: str) -> Organization | None:
    """The organization of that name or id; None for `*`, the platform itself.

    Raises:
        InvalidAccount: there is none.
    """
    if text == EVERYWHERE:
        return None
    found = await store.read(_find_organization, text)
    if found is None:
        raise InvalidAccount(f"there is no organization {text!r}")
    return found


async def add_user(
    store: Store,
    name: str,
    password: str | None,
    *,
    organization: str,
    role: Role | str = Role.READER,
    actor: str = "command line",
) -> User:
    """A user with a role in an organization, by the organization's name or id; created where it is new.

    A user who exists gets one more membership, or another role; the password is then changed only where one
    is given. For the organization `*` the user becomes staff and the role says nothing.

    Raises:
        InvalidAccount: an empty name, an unknown role, or a password shorter than ten characters.
    """
    if not name.strip() or len(name) > 150 or "\0" in name:
        raise InvalidAccount("a user's name has 1 to 150 characters")
    try:
        role = Role(role)
    except ValueError as error:
        raise InvalidAccount(
            f"there is no role {role!r}; there are {', '.join(known.value for known in Role)}"
        ) from error
    hashed = None if password is None else _checked(password)
    return await store.write(_add_user, name, hashed, organization, role, actor)


async def set_password(store: Store, name: str, password: str, *, actor: str = "command line") -> None:
    """Change a user's password; every login made with the old one ends.

    Raises:
        InvalidAccount: there is no such user, or the password is too short.
    """
    await store.write(_set_password, name, _checked(password), actor)


async def add_token(
    store: Store,
    name: str,
    *,
    organization: str,
    scopes: Sequence[str] = (),
    expires: datetime | None = None,
    actor: str = "command line",
) -> tuple[Token, str]:
    """A service token and its text, which is shown once and kept nowhere.

    Args:
        organization: name or id of an organization that exists; `*` for a platform token, which sees all.
        scopes: what it may do (`Permission`); without any `read`, `ingest` and `write`, for a platform token
            everything.

    Raises:
        InvalidAccount: an unknown organization or scope.
    """
    if not name.strip() or len(name) > 150 or "\0" in name:
        raise InvalidAccount("a token's name has 1 to 150 characters")
    unknown = [scope for scope in scopes if scope not in list(Permission)]
    if unknown:
        known = ", ".join(permission.value for permission in Permission)
        raise InvalidAccount(f"there is no scope {unknown[0]!r}; there are {known}")
    owner = await find_organization(store, organization)
    default = tuple(Permission) if owner is None else DEFAULT_SCOPES
    chosen = [str(scope) for scope in (scopes or default)]
    return await store.write(_add_token, owner.id if owner else None, name, chosen, expires, actor)


async def revoke_token(store: Store, id: UUID, *, actor: str = "command line") -> bool:
    """End a token for good; whether it existed."""
    return await store.write(_revoke_token, id, actor)


def _checked(password: str) -> str:
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        raise InvalidAccount(f"a password has {PASSWORD_MIN} to {PASSWORD_MAX} characters")
    return hash_password(password)


def _find_organization(tx: Tx, text: str) -> Organization | None:
    found = organizations.named(tx, text)
    if found is not None:
        return found
    try:
        return organizations.get(tx, ANY, UUID(text))
    except ValueError:
        return None


def _ensure_organization(tx: Tx, name: str, actor: str) -> Organization:
    found = _find_organization(tx, name)
    if found is None:
        if not 1 <= len(name) <= 64 or "\0" in name:
            raise InvalidAccount("an organization's name has 1 to 64 characters")
        found = organizations.create(tx, name)
        audit.append(tx, found.id, actor, "create", f"organization {found.id}", {"name": name})
    return found


def _add_user(tx: Tx, name: str, hashed: str | None, organization: str, role: Role, actor: str) -> User:
    staff = organization == EVERYWHERE
    user = users.named(tx, name)
    if user is None:
        user = users.create(tx, name, hashed, is_staff=staff)
    else:
        values = {} if hashed is None else {"password_hash": hashed}
        user = users.change(tx, ANY, user.id, is_staff=staff or user.is_staff, **values) or user
    owner = None if staff else _ensure_organization(tx, organization, actor).id
    if owner is not None:
        users.join(tx, owner, user.id, role)
    detail = {"name": name, "role": "staff" if staff else str(role)}
    audit.append(tx, owner, actor, "add user", f"user {user.id}", detail)
    return user


def _set_password(tx: Tx, name: str, hashed: str, actor: str) -> None:
    user = users.named(tx, name)
    if user is None:
        raise InvalidAccount(f"there is no user {name!r}")
    users.change(tx, ANY, user.id, password_hash=hashed)
    audit.append(tx, None, actor, "set password", f"user {user.id}")


def _add_token(
    tx: Tx, organization: UUID | None, name: str, scopes: list[str], expires: datetime | None, actor: str
) -> tuple[Token, str]:
    try:
        token, text = users.create_token(tx, organization, name, scopes, expires=expires)
    except Conflict as error:
        raise InvalidAccount("the organization is gone") from error
    detail = {"name": name, "scopes": scopes}
    audit.append(tx, organization, actor, "add token", f"token {token.id}", detail)
    return token, text


def _revoke_token(tx: Tx, id: UUID, actor: str) -> bool:
    done = users.revoke_token(tx, ANY, id)
    if done:
        audit.append(tx, None, actor, "revoke token", f"token {id}")
    return done
