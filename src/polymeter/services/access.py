"""Who is asking, and what may they see: the one place where the tenant filter is decided.

Every caller becomes an `Access`. Its `scope` is the first argument of every query of tenant-owned rows;
there is no other way to get one from a request. What is outside it does not exist: the answer is 404,
whoever's it is. What the caller may do within it are its `permissions`.

A caller is a service token, a login token or a page's session. Each is looked up anew in the store for every
request, so that revoking a token, ending a membership or deactivating a user takes effect at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit
from uuid import UUID

from starlette.requests import HTTPConnection

from polymeter.domain import Organization, Role, Token, User
from polymeter.services.problems import Problem
from polymeter.services.sessions import COOKIE, Session
from polymeter.store import ANY, Everywhere, Scope, Tx, organizations, users

if TYPE_CHECKING:
    from polymeter.services.services import Services

__all__ = ["DEFAULT_SCOPES", "Access", "Permission", "authenticate", "same_origin"]


class Permission(StrEnum):
    """What a route asks for. These are also the scopes a service token is given."""

    READ = "read"  # see what the organization has
    INGEST = "ingest"  # deliver readings
    WRITE = "write"  # change meters, types, configurations, series, tasks' definitions; delete readings
    CONTROL = "control"  # have a meter called: reads on demand, clock, disconnect
    ADMIN = "admin"  # members, roles, the organization itself


_EVERYTHING: Final = frozenset(Permission)
_OF_ROLE: Final = {
    Role.READER: frozenset({Permission.READ}),
    Role.OPERATOR: _EVERYTHING - {Permission.ADMIN},
    Role.ADMIN: _EVERYTHING,
}
DEFAULT_SCOPES: Final = (Permission.READ, Permission.INGEST, Permission.WRITE)
"""What a service token may do when nothing else is asked for."""


@dataclass(frozen=True, slots=True)
class Access:
    """One caller."""

    scope: Scope
    permissions: frozenset[Permission]
    actor: str
    user: UUID | None = None

    def allows(self, permission: Permission) -> bool:
        """Whether the caller may do that, within the scope."""
        return permission in self.permissions

    @property
    def everywhere(self) -> bool:
        """Whether the caller sees every organization: a platform token, or staff."""
        return isinstance(self.scope, Everywhere)

    def owner(self, given: UUID | None) -> UUID:
        """Whose a new row is. An organization's caller need not say, and cannot say another.

        Raises:
            Problem: a platform's caller did not say.
        """
        if isinstance(self.scope, UUID):
            return self.scope
        if given is None:
            message = "a platform token says whose it is"
            raise Problem(
                422, "organization is missing", errors=[{"field": "organization", "message": message}]
            )
        return given


async def authenticate(services: Services, connection: HTTPConnection) -> Access | None:
    """The caller of a request; None for one who gave no credentials.

    Raises:
        Problem: the credentials given are not, or no longer, valid (401).
        StoreUnavailable: nobody can tell just now.
    """
    header = connection.headers.get("authorization")
    if header is not None:
        scheme, _, credentials = header.partition(" ")
        credentials = credentials.strip()
        match scheme.lower():
            case "token":
                return await _by_token(services, credentials)
            case "jwt":
                return await _by_session(services, credentials, "login")
            case "bearer" if credentials.startswith("pm_"):
                return await _by_token(services, credentials)
            case "bearer":
                return await _by_session(services, credentials, "login")
        raise Problem(401, f"Authorization: {scheme[:20]!r} is not accepted; use Token or JWT")
    cookie = connection.cookies.get(COOKIE)
    if cookie is None:
        return None
    if connection.scope.get("method", "GET") not in ("GET", "HEAD") and not same_origin(connection):
        raise Problem(403, "a request that changes something must come from our own pages")
    return await _by_session(services, cookie, "page")


def same_origin(connection: HTTPConnection) -> bool:
    """Whether a browser says that the request comes from a page of this very host."""
    site = connection.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = connection.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc == connection.headers.get("host")


async def _by_token(services: Services, text: str) -> Access:
    if not services.settings.allow_token_auth:
        raise Problem(401, "service tokens are switched off here")
    found = await services.store.read(_token_access, text)
    if found is None:
        raise Problem(401, "the token is unknown, expired or revoked")
    return found


async def _by_session(services: Services, text: str, kind: str) -> Access:
    session = services.sessions.read(text, kind)
    found = None if session is None else await services.store.read(session_access, session)
    if found is None:
        raise Problem(401, "the login is unknown, expired or revoked")
    return found


def _token_access(tx: Tx, text: str) -> Access | None:
    token: Token | None = users.by_token(tx, text)
    if token is None:
        return None
    if token.organization is not None and not _active(
        organizations.get(tx, token.organization, token.organization)
    ):
        return None
    if token.user is not None and not _active(users.get(tx, ANY, token.user)):
        return None
    permissions = frozenset(Permission(scope) for scope in token.scopes if scope in _EVERYTHING)
    scope = ANY if token.organization is None else token.organization
    return Access(scope, permissions, f"token {token.name} {token.id}", token.user)


def session_access(tx: Tx, session: Session) -> Access | None:
    """What a login is good for now; None when it is over."""
    user = users.get(tx, ANY, session.user)
    if user is None or not user.is_active or not session.fits(user):
        return None
    actor = f"user {user.name} {user.id}"
    if session.organization is None:
        return Access(ANY, _EVERYTHING, actor, user.id) if user.is_staff else None
    if not _active(organizations.get(tx, session.organization, session.organization)):
        return None
    if user.is_staff:
        return Access(session.organization, _EVERYTHING, actor, user.id)
    member = users.membership(tx, session.organization, user.id)
    return None if member is None else Access(session.organization, _OF_ROLE[member.role], actor, user.id)


def _active(row: Organization | User | None) -> bool:
    return row is not None and row.is_active
