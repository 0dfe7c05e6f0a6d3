"""PostgreSQL: a pool of asynchronous connections, readings by binary COPY, partitions by month.

Writers of the same channels take turns by locking the channels' rows in the order of their ids, so a batch
sees what another committed and no insert races.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from polymeter.domain import Clock
from polymeter.store.connector import ReadingRow, Tx
from polymeter.store.errors import Conflict, StoreError, StoreUnavailable

__all__ = ["PostgreSQL"]

T = TypeVar("T")

_ATTEMPTS: Final = 5
_FIRST_YEAR: Final = 2000
"""Everything earlier shares one partition: only stopped clocks report it."""

_INCOMING: Final = """
CREATE TEMP TABLE IF NOT EXISTS incoming (
    channel bigint, instant bigint, mantissa bigint, exponent smallint, text text,
    quality integer, source smallint, received bigint, frame bigint) ON COMMIT DELETE ROWS"""
_TYPES: Final = ("int8", "int8", "int8", "int2", "text", "int4", "int2", "int8", "int8")
_COLUMNS: Final = "channel, instant, mantissa, exponent, text, quality, source, received, frame"
_VALUES: Final = (
    "channel, to_timestamp(instant), mantissa, exponent, text, quality, source, to_timestamp(received), frame"
)


class _Engine:
    """Bulk rows through psycopg's COPY."""

    name = "postgresql"

    def insert(self, table: sa.Table) -> postgresql.Insert:
        return postgresql.insert(table)

    def load(self, tx: Tx, rows: Sequence[ReadingRow]) -> None:
        tx.connection.exec_driver_sql(_INCOMING)
        tx.connection.exec_driver_sql("TRUNCATE incoming")

        async def copy(connection: psycopg.AsyncConnection[Any]) -> None:
            async with (
                connection.cursor() as cursor,
                cursor.copy("COPY incoming FROM STDIN (FORMAT BINARY)") as stream,
            ):
                stream.set_types(_TYPES)
                for row in rows:
                    await stream.write_row(row)

        tx.connection.connection.dbapi_connection.run_async(copy)  # type: ignore[union-attr]

    def present(self, tx: Tx) -> list[ReadingRow]:
        _plan(tx, "off")
        found = tx.connection.exec_driver_sql(
            "SELECT r.channel, extract(epoch FROM r.instant)::bigint, r.mantissa, r.exponent, r.text,"
            " r.quality, r.source, extract(epoch FROM r.received)::bigint, r.frame"
            " FROM incoming AS i JOIN reading AS r"
            " ON r.channel = i.channel AND r.instant = to_timestamp(i.instant)"
        ).all()
        _plan(tx, "on")
        return [ReadingRow(*row) for row in found]

    def add_incoming(self, tx: Tx) -> int:
        return tx.connection.exec_driver_sql(
            f"INSERT INTO reading ({_COLUMNS}) SELECT {_VALUES} FROM incoming ON CONFLICT DO NOTHING"
        ).rowcount

    def change(self, tx: Tx, rows: Sequence[ReadingRow]) -> None:
        self.load(tx, rows)
        tx.connection.exec_driver_sql(
            "UPDATE reading AS r SET mantissa = i.mantissa, exponent = i.exponent, text = i.text,"
            " quality = i.quality, source = i.source, received = to_timestamp(i.received), frame = i.frame"
            " FROM incoming AS i WHERE r.channel = i.channel AND r.instant = to_timestamp(i.instant)"
        )

    def keep_latest(self, tx: Tx, rows: Sequence[ReadingRow]) -> None:
        self.load(tx, rows)
        tx.connection.exec_driver_sql(
            f"INSERT INTO latest ({_COLUMNS}) SELECT {_VALUES} FROM incoming"
            " ON CONFLICT (channel) DO UPDATE SET instant = excluded.instant, mantissa = excluded.mantissa,"
            " exponent = excluded.exponent,"
            " text = excluded.text, quality = excluded.quality, source = excluded.source,"
            " received = excluded.received, frame = excluded.frame WHERE excluded.instant >= latest.instant"
        )

    def lock(self, tx: Tx, name: str) -> None:
        tx.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(name, 0))))


def _plan(tx: Tx, other: str) -> None:
    """Leave the planner only the nested loop over the key, or give it back the other ways.

    A temporary table has no statistics; left to itself the planner may read every partition for it. Forbidden
    ways count as so costly that the plan would be compiled, longer than it runs: no JIT either.
    """
    names = ("enable_hashjoin", "enable_mergejoin", "enable_seqscan", "jit")
    settings = ", ".join(f"set_config('{name}', '{other}', true)" for name in names)
    tx.connection.exec_driver_sql(f"SELECT {settings}")


class PostgreSQL:
    """A PostgreSQL database."""

    name = "postgresql"

    def __init__(self, url: str, clock: Clock, *, connections: int = 8) -> None:
        address = sa.make_url(url).set(drivername="postgresql+psycopg")
        self._clock = clock
        self._engine = _Engine()
        self._partitions: set[tuple[int, int]] = set()
        self._closed = False
        self._pool: AsyncEngine = create_async_engine(
            address,
            pool_size=connections,
            max_overflow=0,
            pool_pre_ping=True,
            connect_args={"connect_timeout": 10},
        )

    async def open(self) -> None:
        async with _translated(), self._pool.connect() as connection:
            await connection.execute(sa.select(1))

    async def close(self) -> None:
        self._closed = True  # a disposed pool would connect again and nobody would close that one
        await self._pool.dispose()

    async def read(self, work: Callable[[Tx], T]) -> T:
        return await self._run(work)

    async def write(self, work: Callable[[Tx], T]) -> T:
        return await self._run(work)

    async def _run(self, work: Callable[[Tx], T]) -> T:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                async with _translated(), self._pool.begin() as connection:
                    return await connection.run_sync(
                        lambda sync: work(Tx(sync, self._engine, self._clock.now()))
                    )
            except _Deadlock as error:
                if attempt == _ATTEMPTS:
                    raise StoreUnavailable(str(error)) from error
        raise AssertionError("unreachable")

    async def prepare(self, seconds: Iterable[int]) -> None:
        months = {_month(second) for second in seconds} - self._partitions
        for month in sorted(months):
            await self._run(lambda tx, month=month: _partition(tx, *month))  # type: ignore[misc]
            self._partitions.add(month)

    async def migrate(self, work: Callable[[sa.Connection], T]) -> T:
        def alone(tx: Tx) -> T:
            self._engine.lock(tx, "polymeter schema")
            return work(tx.connection)

        return await self._run(alone)


class _Deadlock(StoreError):
    """PostgreSQL ended one of two transactions that waited for each other: the work is run again."""


def _month(second: int) -> tuple[int, int]:
    at = datetime.fromtimestamp(second, UTC)
    return (at.year, at.month) if at.year >= _FIRST_YEAR else (0, 0)


def _partition(tx: Tx, year: int, month: int) -> None:
    tx.engine.lock(tx, "polymeter partitions")
    if year == 0:
        name, start, stop = "reading_before_2000", "MINVALUE", f"'{_FIRST_YEAR}-01-01 00:00:00+00'"
    else:
        later = (year + 1, 1) if month == 12 else (year, month + 1)
        name = f"reading_{year:04}_{month:02}"
        start, stop = (
            f"'{year:04}-{month:02}-01 00:00:00+00'",
            f"'{later[0]:04}-{later[1]:02}-01 00:00:00+00'",
        )
    # DDL takes no parameters; the names and bounds are made of integers only.
    tx.connection.exec_driver_sql(
        f"CREATE TABLE IF NOT EXISTS {name} PARTITION OF reading FOR VALUES FROM ({start}) TO ({stop})"
    )


@contextlib.asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    """Turn the driver's errors into the store's."""
    try:
        yield
    except StoreError:
        raise
    except (sa.exc.DBAPIError, psycopg.Error) as error:
        cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
        if isinstance(cause, psycopg.errors.DeadlockDetected | psycopg.errors.SerializationFailure):
            raise _Deadlock(str(cause)) from error
        if isinstance(cause, psycopg.IntegrityError):
            raise Conflict(str(cause).splitlines()[0]) from error
        if isinstance(cause, psycopg.OperationalError) or getattr(error, "connection_invalidated", False):
            raise StoreUnavailable(str(cause).splitlines()[0] if str(cause) else "connection lost") from error
        raise
    except (OSError, sa.exc.TimeoutError) as error:
        raise StoreUnavailable(str(error)) from error
