"""`Services`: what every request needs, put together once by the composition root."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from polymeter.bus import Bus
from polymeter.domain import Clock
from polymeter.ingest import Ingest
from polymeter.services.login import Login
from polymeter.services.sessions import Sessions
from polymeter.services.stream import Stream
from polymeter.settings import Settings
from polymeter.store import Store

__all__ = ["Check", "Services"]

Check = Callable[[], Awaitable[object]]
"""Returns when something works; raises when it does not."""


@dataclass(frozen=True, slots=True)
class Services:
    """What `api` and `ui` stand on."""

    store: Store
    bus: Bus
    settings: Settings
    clock: Clock
    ingest: Ingest
    sessions: Sessions
    login: Login
    stream: Stream
    checks: Mapping[str, Check] = field(default_factory=dict)

    @classmethod
    def build(
        cls,
        store: Store,
        bus: Bus,
        settings: Settings,
        clock: Clock,
        *,
        secret_key: str,
        ingest: Ingest | None = None,
        checks: Mapping[str, Check] | None = None,
    ) -> Services:
        """Put the services together.

        Args:
            secret_key: the text of `SECRET_KEY`; signs logins unless `JWT_SIGNING_KEY` is set.
            ingest: the process's own where it has that role; it need not be running.
            checks: what `/health/ready` asks besides the store, by name.
        """
        if not (settings.jwt_signing_key or secret_key):
            raise ValueError("SECRET_KEY is empty: logins could be forged")
        sessions = Sessions(settings.jwt_signing_key or secret_key, clock, settings.jwt_expiration_s)
        own = ingest or Ingest(
            store,
            bus,
            clock,
            incoming=settings.amqp_exchange,
            outgoing=settings.amqp_publish_to,
            tolerance_s=settings.clock_tolerance_s,
        )
        return cls(
            store,
            bus,
            settings,
            clock,
            own,
            sessions,
            Login(store, sessions, clock),
            Stream(bus, settings.amqp_publish_to),
            dict(checks or {}),
        )

    async def close(self) -> None:
        """End the event streams. Call it when the server is told to stop, before it waits for them."""
        await self.stream.close()
