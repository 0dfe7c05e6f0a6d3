"""Whose the meters are, and who may see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

__all__ = ["Membership", "Organization", "Role", "Token", "User"]


class Role(StrEnum):
    """What a member may do in an organization; each role may do what the ones before it may."""

    READER = "reader"
    OPERATOR = "operator"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Organization:
    """A tenant: everything else belongs to one."""

    id: UUID
    name: str
    is_active: bool = True
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class User:
    """A person who logs in; staff see every organization."""

    id: UUID
    name: str
    password_hash: str | None = None
    is_active: bool = True
    is_staff: bool = False
    created_at: datetime | None = None
    updated_at: datetime | None = None

    def __repr__(self) -> str:
        return f"User(id={self.id!r}, name={self.name!r})"


@dataclass(frozen=True, slots=True)
class Membership:
    """A user's role in an organization."""

    id: int
    organization: UUID
    user: UUID
    role: Role
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """A service's key; only its digest is kept. Without an organization it is the platform's own."""

    id: UUID
    name: str
    organization: UUID | None
    scopes: tuple[str, ...] = ()
    user: UUID | None = None
    expires: datetime | None = None
    revoked: datetime | None = None
    last_used: datetime | None = None
    created_at: datetime | None = None
