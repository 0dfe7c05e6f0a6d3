"""A platform for the tests of services, api and ui: two organizations and everybody who may call."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import sqlalchemy as sa
from fastapi import FastAPI

from polymeter import api
from polymeter.bus import MemoryBus, Subscription
from polymeter.domain import Role, SimulatedClock, Source
from polymeter.ingest import Entrance, Ingest
from polymeter.messages import NewMeterReading
from polymeter.services import Permission, Services, accounts
from polymeter.settings import Settings
from polymeter.store import Store, Tx, meter_types, meters, series, staged, task_runs, tasks, users

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PASSWORD = "a made-up password"
SECRET_KEY = "made up for the tests only"


@dataclass
class Tenant:
    """One organization's rows."""

    id: UUID
    name: str
    rows: dict[str, Any] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)


@dataclass
class Web:
    """The platform."""

    services: Services
    app: FastAPI
    clock: SimulatedClock
    bus: MemoryBus
    ingest: Ingest
    subscription: Subscription | None = None
    mine: Tenant = field(default_factory=lambda: Tenant(uuid4(), ""))
    other: Tenant = field(default_factory=lambda: Tenant(uuid4(), ""))
    platform: str = ""

    def client(self, token: str | None = None, **headers: str) -> httpx.AsyncClient:
        """A client, logged in with that token."""
        if token is not None:
            headers["Authorization"] = token if " " in token else f"Token {token}"
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://testserver", headers=headers)

    @property
    def store(self) -> Store:
        return self.services.store


@contextlib.asynccontextmanager
async def platform(
    url: str,
    *,
    settings: Settings | None = None,
    tenants: bool = True,
    mount: Callable[..., None] | None = None,
) -> AsyncIterator[Web]:
    """A running platform over the store at `url`, with its tenants."""
    clock = SimulatedClock(NOW)
    bus = MemoryBus()
    async with await Store.open(url, clock=clock, upgrade=True) as store:
        ingest = Ingest(store, bus, clock)
        services = Services.build(
            store, bus, settings or Settings(), clock, secret_key=SECRET_KEY, ingest=ingest
        )
        app = api.create(services)
        if mount is not None:
            mount(app, services)
        web = Web(services, app, clock, bus, ingest)
        web.subscription = await ingest.start()
        relay = asyncio.create_task(ingest.relay.run())
        try:
            if tenants:
                web.mine = await _tenant(web, "Stadtwerke")
                web.other = await _tenant(web, "Nachbar")
                _, web.platform = await accounts.add_token(store, "platform", organization="*")
            yield web
        finally:
            await services.close()
            relay.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await relay
            await bus.close()


async def _tenant(web: Web, name: str) -> Tenant:
    owner = await accounts.ensure_organization(web.store, name)
    tenant = Tenant(owner.id, name)
    tenant.rows = await web.store.write(_rows, owner.id, name)
    messages = [reading(f"{name}-1", NOW - timedelta(minutes=15 * n), f"{1000 - n}.500") for n in range(4)]

    outcomes = await web.ingest.commit(
        [*messages, reading(f"{name}-unknown", NOW, "1")], Entrance("test", owner.id, Source.PUSH)
    )
    tenant.rows["reading"] = outcomes[0].id
    tenant.rows["staged"] = (await web.store.read(staged.page, owner.id)).rows[0].id
    tenant.tokens = await _logins(web, owner.id, name)
    found = await web.store.read(users.memberships, owner.id)
    tenant.rows["membership"] = found.rows[0].id
    tenant.rows["user"] = found.rows[0].user
    return tenant


def _rows(tx: Tx, owner: UUID, name: str) -> dict[str, Any]:
    measured = series.create(tx, owner, "1-0:1.8.0*255", "kWh", period="PT15M")
    config = meter_types.create_config(tx, owner, "config", [measured.id], timezone="Europe/Berlin")
    type_ = meter_types.create(
        tx, owner, "type", config=config.id, manufacturer="ELS", manufacturer_model="X"
    )
    interface = meters.create_interface(tx, owner, fqdn="gateway.example", port=4059)
    meter = meters.create(
        tx, owner, f"{name}-1", protocol="iec62056-21", type=type_.id, network_interface=interface.id
    )
    task = tasks.create(tx, owner, "task", "generic_iec6205621", "read", interval_s=900)
    run = task_runs.create(tx, owner, meter.id, NOW, "read", task=task.id)
    assert run is not None
    return {
        "organization": owner,
        "series": measured.id,
        "config": config.id,
        "type": type_.id,
        "interface": interface.id,
        "meter": meter.id,
        "meter_name": meter.name,
        "task": task.id,
        "run": run.id,
    }


async def _logins(web: Web, owner: UUID, name: str) -> dict[str, str]:
    """Every kind of caller an organization can have; the value is what goes after Authorization."""
    found: dict[str, str] = {}
    for scope in Permission:
        _, text = await accounts.add_token(web.store, scope, organization=name, scopes=[scope])
        found[f"scope {scope}"] = f"Token {text}"
    _, everything = await accounts.add_token(web.store, "all", organization=name, scopes=list(Permission))
    found["every scope"] = f"Token {everything}"
    _, expired = await accounts.add_token(
        web.store, "expired", organization=name, scopes=list(Permission), expires=NOW - timedelta(seconds=1)
    )
    found["expired token"] = f"Token {expired}"
    token, revoked = await accounts.add_token(
        web.store, "revoked", organization=name, scopes=list(Permission)
    )
    await accounts.revoke_token(web.store, token.id)
    found["revoked token"] = f"Token {revoked}"
    for role in Role:
        user = await web.store.write(users.create, f"{name} {role}", None)
        await web.store.write(users.join, owner, user.id, role)
        found[f"role {role}"] = f"JWT {web.services.sessions.issue(user, owner, 'login')}"
    user = await web.store.write(users.create, f"{name} left", None)
    found["role none"] = f"JWT {web.services.sessions.issue(user, owner, 'login')}"
    gone = await web.store.write(users.create, f"{name} inactive", None)
    await web.store.write(users.join, owner, gone.id, Role.ADMIN)
    await web.store.write(users.change, owner, gone.id, is_active=False)
    found["inactive user"] = f"JWT {web.services.sessions.issue(gone, owner, 'login')}"
    return found


def reading(
    meter: str, timestamp: datetime, value: str, series: str = "1.8.0", **more: Any
) -> NewMeterReading:
    """A message."""
    return NewMeterReading(meter=meter, series=series, timestamp=timestamp, value=value, **more)


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a test's coroutine."""
    return asyncio.run(work)


def sqlite_url(folder: Path) -> str:
    """A fresh store in that folder."""
    return f"sqlite:///{folder / 'polymeter.db'}"


@contextlib.contextmanager
def postgres_database(url: str) -> Any:
    """A fresh database, dropped afterwards."""
    name = f"web_{uuid4().hex[:12]}"
    made = sa.make_url(url)
    admin = sa.create_engine(made.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    try:
        yield made.set(database=name, drivername="postgresql").render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        admin.dispose()
