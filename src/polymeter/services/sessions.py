"""Login tokens: signed, short-lived, and void as soon as the password changes.

The interface's (`login`) and the pages' (`page`) are of different kinds and never stand in for one another:
a cookie that leaked is no API token.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from polymeter.domain import Clock, User

__all__ = ["COOKIE", "PAGE_LIFETIME", "Session", "Sessions"]

COOKIE: Final = "polymeter_session"
PAGE_LIFETIME: Final = timedelta(hours=12)
_ALGORITHM: Final = "HS256"
_TOKEN_MAX: Final = 2000


@dataclass(frozen=True, slots=True)
class Session:
    """What a login token says. Without an organization it is staff's, of all."""

    user: UUID
    organization: UUID | None
    mark: str

    def fits(self, user: User) -> bool:
        """Whether the user's password is still the one the login was made with."""
        return hmac.compare_digest(self.mark.encode(), _mark(user).encode())


class Sessions:
    """Makes and reads login tokens."""

    def __init__(self, signing_key: str, clock: Clock, lifetime_s: int) -> None:
        # A key of fixed length, whatever text an operator chose.
        self._key = OctKey.import_key(hashlib.sha256(b"polymeter login v1" + signing_key.encode()).digest())
        self._clock = clock
        self._lifetime = timedelta(seconds=lifetime_s)

    def issue(self, user: User, organization: UUID | None, kind: str) -> str:
        """A token for that user in that organization."""
        now = self._clock.now()
        until = now + (PAGE_LIFETIME if kind == "page" else self._lifetime)
        claims: dict[str, Any] = {
            "iss": "polymeter",
            "aud": kind,
            "sub": str(user.id),
            "org": None if organization is None else str(organization),
            "mark": _mark(user),
            "iat": int(now.timestamp()),
            "exp": int(until.timestamp()),
        }
        return jwt.encode({"alg": _ALGORITHM}, claims, self._key)

    def read(self, text: str, kind: str) -> Session | None:
        """What the token says; None where it is not ours, of another kind, or has expired."""
        if len(text) > _TOKEN_MAX:
            return None
        try:
            claims = jwt.decode(text, self._key, algorithms=[_ALGORITHM]).claims
            if claims["aud"] != kind or claims["iss"] != "polymeter":
                return None
            if claims["exp"] <= self._clock.now().timestamp():
                return None
            organization = claims["org"]
            return Session(
                UUID(claims["sub"]), None if organization is None else UUID(organization), claims["mark"]
            )
        except (JoseError, KeyError, ValueError, TypeError):
            return None


def _mark(user: User) -> str:
    return hashlib.sha256(b"polymeter mark" + (user.password_hash or "").encode()).hexdigest()[:16]
