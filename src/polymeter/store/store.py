"""`Store`: one database behind one face, whichever engine it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import sqlalchemy as sa

from polymeter.domain import Clock, SystemClock
from polymeter.store import frames, schema
from polymeter.store.connector import Connector, Tx
from polymeter.store.errors import SchemaOutdated
from polymeter.store.frames import Frame
from polymeter.store.spool import Spool
from polymeter.store.sqlite import SQLite

__all__ = ["Store"]

P = ParamSpec("P")
T = TypeVar("T")


class Store:
    """A database. Functions of the noun modules are run by `read` and `write`, each in one transaction.

    `await store.read(meters.get, organization, id)` · `await store.write(meters.create, organization, "M1")`;
    several of them go into one transaction by writing a function of a `Tx` that calls them.
    """

    def __init__(self, connector: Connector) -> None:
        self._connector = connector
        self._spool = Spool(self._keep_frames)

    @classmethod
    async def open(cls, url: str, *, clock: Clock | None = None, upgrade: bool = False) -> Store:
        """Open the database at `sqlite:///file` or `postgresql://…`.

        Args:
            upgrade: bring the schema to this version first, as the embedded platform does.

        Raises:
            StoreUnavailable: it cannot be reached.
            SchemaOutdated: the schema is another version's.
        """
        store = cls(_connector(url, clock or SystemClock()))
        await store._connector.open()
        try:
            if upgrade:
                await store.upgrade()
            problem = await store.check()
        except BaseException:
            await store.close()
            raise
        if problem is not None:
            await store.close()
            raise SchemaOutdated(problem)
        return store

    async def __aenter__(self) -> Store:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def engine(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._connector.name

    async def close(self) -> None:
        """Finish what was handed over and let go of the database."""
        await self._connector.close()

    async def upgrade(self) -> None:
        """Bring the schema to this version."""
        await self._connector.migrate(schema.upgrade)

    async def check(self) -> str | None:
        """What is wrong with the schema, None when nothing is."""
        return await self._connector.migrate(schema.check)

    async def read(self, work: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` in a read transaction.

        Raises:
            StoreUnavailable: try again later.
        """
        return await self._connector.read(lambda tx: work(tx, *args, **kwargs))

    async def write(self, work: Callable[Concatenate[Tx, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` in a transaction; on return it is on disk. It may run twice, the first time in vain.

        Raises:
            Conflict: the caller's data must change.
            StoreUnavailable: nothing happened; try again later.
        """
        return await self._connector.write(lambda tx: work(tx, *args, **kwargs))

    async def prepare(self, seconds: Iterable[int]) -> None:
        """Make room for readings of these instants; `merge` needs it on PostgreSQL."""
        await self._connector.prepare(seconds)

    async def spool(self, batch: Sequence[Frame]) -> None:
        """Return when these frames are on disk; frames of many callers share a commit.

        Raises:
            StoreUnavailable: they are not, and their sender must not be answered.
        """
        await self._spool.add(batch)

    async def _keep_frames(self, batch: list[Frame]) -> None:
        await self._connector.write(lambda tx: frames.add(tx, batch))


def _connector(url: str, clock: Clock) -> Connector:
    scheme = url.split(":", 1)[0].split("+", 1)[0]
    if scheme == "sqlite":
        database = sa.make_url(url).database
        if not database or database == ":memory:":
            raise ValueError("an SQLite store is a file: sqlite:///polymeter.db")
        return SQLite(Path(database), clock)
    if scheme in ("postgresql", "postgres"):
        # Imported here, because psycopg is an extra that an embedded platform does without.
        from polymeter.store.postgresql import PostgreSQL

        return PostgreSQL("postgresql" + url[len(url.split(":", 1)[0]) :], clock)
    raise ValueError(f"a store's URL begins with sqlite: or postgresql:, not {scheme}:")
