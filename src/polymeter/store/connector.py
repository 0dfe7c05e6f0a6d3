"""The seam between the store and its two engines.

A unit of work is a plain function of a `Tx`. On SQLite it runs on the one writer thread, on PostgreSQL inside
SQLAlchemy's asyncio bridge; either way the same function, the same Core statements, one transaction. Work may
run a second time after a deadlock, so it touches nothing but its transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from polymeter.domain import Exact

__all__ = ["ANY", "Connector", "Everywhere", "ReadingRow", "Record", "Scope", "Tx", "chunks", "within"]

T = TypeVar("T")

if TYPE_CHECKING:
    Record = sa.Row[*tuple[Any, ...]]
else:
    Record = sa.Row


class Everywhere:
    """The type of `ANY`."""

    def __repr__(self) -> str:
        return "ANY"


ANY: Final = Everywhere()
"""Instead of an organization: all of them. Only staff and the platform's own roles may say so."""

Scope = UUID | Everywhere
"""Every query of tenant-owned rows takes one first; there is no default, so it cannot be forgotten."""


def within(column: sa.ColumnElement[Any], organization: Scope) -> sa.ColumnElement[bool]:
    """The condition that keeps a query inside an organization."""
    return sa.true() if isinstance(organization, Everywhere) else column == organization


class ReadingRow(NamedTuple):
    """A reading as the engines store it: integers only, seconds since 1970."""

    channel: int
    second: int
    mantissa: int | None
    exponent: int | None
    text: str | None
    quality: int
    source: int
    received: int
    frame: int | None

    @property
    def exact(self) -> Exact:
        return Exact(self.mantissa, self.exponent, self.text)


class Engine(Protocol):
    """What differs between the engines inside a transaction: bulk rows and locks."""

    name: str

    def insert(self, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
        """The engine's INSERT, with ON CONFLICT."""
        ...

    def load(self, tx: Tx, rows: Sequence[ReadingRow]) -> None:
        """Fill the transaction's temporary table `incoming` with these rows."""
        ...

    def present(self, tx: Tx) -> list[ReadingRow]:
        """The stored readings that have the key of a row in `incoming`."""
        ...

    def add_incoming(self, tx: Tx) -> int:
        """Insert what is in `incoming` and not yet stored; how many rows that were."""
        ...

    def change(self, tx: Tx, rows: Sequence[ReadingRow]) -> None:
        """Overwrite stored readings."""
        ...

    def keep_latest(self, tx: Tx, rows: Sequence[ReadingRow]) -> None:
        """Raise `latest` to these rows where they are not older."""
        ...

    def lock(self, tx: Tx, name: str) -> None:
        """Hold a lock of this name until the transaction ends."""
        ...


@dataclass(slots=True)
class Tx:
    """One transaction: its connection, its engine and the one time it happens at."""

    connection: sa.Connection
    engine: Engine
    now: datetime

    def rows(self, statement: sa.Executable, parameters: Any = None) -> Sequence[Record]:
        """All rows of a query."""
        return self.connection.execute(statement, parameters).all()

    def row(self, statement: sa.Executable) -> Record | None:
        """The first row of a query, or None."""
        return self.connection.execute(statement).first()

    def scalar(self, statement: sa.Executable) -> Any:
        """The first column of the first row, or None."""
        return self.connection.execute(statement).scalar()

    def execute(self, statement: sa.Executable, parameters: Any = None) -> int:
        """Run a statement; the number of rows it touched."""
        return self.connection.execute(statement, parameters).rowcount

    def insert(self, table: sa.Table) -> Any:
        """The engine's INSERT, with `on_conflict_do_nothing` and `on_conflict_do_update`."""
        return self.engine.insert(table)


class Connector(Protocol):
    """One database."""

    name: str

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def read(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in a read transaction of its own."""
        ...

    async def write(self, work: Callable[[Tx], T]) -> T:
        """Run `work`; when this returns, what it did is on disk."""
        ...

    async def prepare(self, seconds: Iterable[int]) -> None:
        """Make sure that readings of these instants have a place (partitions)."""
        ...

    async def migrate(self, work: Callable[[sa.Connection], T]) -> T:
        """Run schema work on a plain connection, alone."""
        ...


def chunks(items: Sequence[T], size: int = 5000) -> Iterable[Sequence[T]]:
    """Pieces small enough for one statement's parameters on either engine."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
