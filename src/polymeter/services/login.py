"""Logging in with a password: slow on purpose, equally slow for names that do not exist, and counted.

Failures are counted per name and address, per address and per name; who fails too often waits. The counters
are this process's own: with several, an attacker has as many tries more.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from polymeter.domain import Clock, User
from polymeter.services.accounts import PASSWORD_MAX, hash_password, verify_password
from polymeter.services.problems import Problem
from polymeter.services.sessions import Sessions
from polymeter.store import ANY, Store, Tx, audit, organizations, users

__all__ = ["Granted", "Login", "Throttle"]

_WINDOW_S: Final = 300
_NAMES_AND_ADDRESSES: Final = 10_000
_LIMITS: Final = {"pair": 5, "address": 30, "name": 50}
"""Failures within the window after which the next try is refused unseen."""
_HASHES_AT_ONCE: Final = 2
"""Each takes 64 MiB and a core for a while."""


class Throttle:
    """Counts failures within a window; bounded, whatever names are made up."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    def wait_s(self, name: str, address: str) -> int:
        """Seconds until another try is looked at; zero for now."""
        now = self._clock.now().timestamp()
        waits = [0.0]
        for kind, key in _keys(name, address):
            times = self._failures.get((kind, key))
            while times and times[0] <= now - _WINDOW_S:
                times.popleft()
            if times and len(times) >= _LIMITS[kind]:
                waits.append(times[0] + _WINDOW_S - now)
        return int(max(waits) + 0.999)

    def failed(self, name: str, address: str) -> None:
        """One more failure."""
        for kind, key in _keys(name, address):
            times = self._failures.setdefault((kind, key), deque(maxlen=_LIMITS[kind]))
            times.append(self._clock.now().timestamp())
            self._failures.move_to_end((kind, key))
        while len(self._failures) > _NAMES_AND_ADDRESSES:
            self._failures.popitem(last=False)


def _keys(name: str, address: str) -> tuple[tuple[str, str], ...]:
    return ("pair", f"{address} {name}"), ("address", address), ("name", name)


@dataclass(frozen=True, slots=True)
class Granted:
    """A login that succeeded."""

    user: User
    organization: UUID | None


class Login:
    """Checks passwords."""

    def __init__(self, store: Store, sessions: Sessions, clock: Clock) -> None:
        self._store = store
        self._sessions = sessions
        self._throttle = Throttle(clock)
        self._slots = asyncio.Semaphore(_HASHES_AT_ONCE)
        self._dummy: str | None = None

    async def grant(
        self, name: str, password: str, *, organization: UUID | None = None, address: str = ""
    ) -> Granted:
        """Check the password and choose the organization: the one asked for, else the user's first.

        Raises:
            Problem: 401 for a wrong name, password or organization, without saying which; 429 when too many
                were wrong before.
        """
        name = name[:200]
        wait = self._throttle.wait_s(name, address)
        if wait:
            raise Problem(
                429, f"too many failed logins; try again in {wait} s", headers={"Retry-After": str(wait)}
            )
        user, choice = await self._store.read(_candidate, name, organization)
        good = await self._matches(user, password)
        if user is None or not good or choice is None:
            self._throttle.failed(name, address)
            await self._store.write(_note, None, user, name, address, "login refused")
            raise Problem(401, "the name, the password or the organization is wrong")
        await self._store.write(_note, choice.organization, user, name, address, "login")
        return replace(choice, user=user)

    async def _matches(self, user: User | None, password: str) -> bool:
        if len(password) > PASSWORD_MAX:
            return False
        async with self._slots:
            if self._dummy is None:
                self._dummy = await asyncio.to_thread(hash_password, "no password at all")
            stored = (user.password_hash if user is not None else None) or self._dummy
            good = await asyncio.to_thread(verify_password, password, stored)
        return good and stored is not self._dummy


def _candidate(tx: Tx, name: str, organization: UUID | None) -> tuple[User | None, Granted | None]:
    user = users.named(tx, name)
    if user is None or not user.is_active:
        return user, None
    if user.is_staff:
        exists = organization is None or organizations.get(tx, organization, organization) is not None
        return user, Granted(user, organization) if exists else None
    for member in users.memberships(tx, ANY, user=user.id, limit=1000).rows:
        if organization is not None and member.organization != organization:
            continue
        found = organizations.get(tx, member.organization, member.organization)
        if found is not None and found.is_active:
            return user, Granted(user, member.organization)
    return user, None


def _note(tx: Tx, organization: UUID | None, user: User | None, name: str, address: str, action: str) -> None:
    who = f"user {user.id}" if user is not None else "nobody"
    audit.append(tx, organization, who, action, f"login {name}", {"address": address})
