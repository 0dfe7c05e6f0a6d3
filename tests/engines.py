"""Stores and buses to test against: every test of them runs on each engine.

A migrated database is made once and copied for every test.
"""

import shutil
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from polymeter.domain import SimulatedClock
from polymeter.store import Store

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ENGINES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.services)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(NOW)


class Databases:
    """Hands out empty, migrated databases of either engine."""

    def __init__(self, folder: Path, postgres: Callable[[], str]) -> None:
        self._folder = folder
        self._postgres = postgres
        self._templates: dict[str, str] = {}
        self._made: list[str] = []
        self._server = ""

    async def template(self, engine: str) -> str:
        if engine not in self._templates:
            if engine == "sqlite":
                url = f"sqlite:///{self._folder / 'template.db'}"
            else:
                url = self._create(f"polymeter_template_{uuid.uuid4().hex[:12]}", None)
            store = await Store.open(url, upgrade=True)
            await store.close()
            self._templates[engine] = url
        return self._templates[engine]

    async def fresh(self, engine: str) -> str:
        template = await self.template(engine)
        name = f"polymeter_{uuid.uuid4().hex[:12]}"
        if engine == "sqlite":
            path = self._folder / f"{name}.db"
            shutil.copy(template.removeprefix("sqlite:///"), path)
            return f"sqlite:///{path}"
        return self._create(name, template.rsplit("/", 1)[1])

    def empty(self, engine: str) -> str:
        """A database without any schema."""
        name = f"polymeter_{uuid.uuid4().hex[:12]}"
        return f"sqlite:///{self._folder / name}.db" if engine == "sqlite" else self._create(name, None)

    def forget(self, url: str) -> None:
        """Drop one database; hundreds of them would make recovery after a kill slow."""
        name = url.rsplit("/", 1)[1]
        if name in self._made:
            with psycopg.connect(self._server, autocommit=True) as connection:
                connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            self._made.remove(name)

    def drop(self) -> None:
        if self._made:
            with psycopg.connect(self._server, autocommit=True) as connection:
                for name in self._made:
                    connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _create(self, name: str, template: str | None) -> str:
        url = self._server = self._postgres()
        with psycopg.connect(url, autocommit=True) as connection:
            more = f' TEMPLATE "{template}"' if template else ""
            connection.execute(f'CREATE DATABASE "{name}"{more}')
        self._made.append(name)
        return url.rsplit("/", 1)[0] + "/" + name


@pytest.fixture(scope="session")
def databases(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Databases]:
    made = Databases(
        tmp_path_factory.mktemp("databases"), lambda: str(request.getfixturevalue("postgres_url"))
    )
    yield made
    made.drop()


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    if request.param == "postgresql":
        request.getfixturevalue("postgres_url")  # while fixtures may still be asked for
    return str(request.param)


@pytest.fixture
async def database(engine: str, databases: Databases) -> AsyncIterator[str]:
    url = await databases.fresh(engine)
    yield url
    databases.forget(url)


@pytest.fixture
async def store(database: str, clock: SimulatedClock) -> AsyncIterator[Store]:
    opened = await Store.open(database, clock=clock)
    yield opened
    await opened.close()
