"""SQLite: one writer thread that commits whatever waits as one group, readers on connections of their own.

A commit costs a sync of the disk, so waiting units of work share one: each runs inside a savepoint and
answers for itself, the commit answers for all. Nothing is acknowledged before it.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.pool import NullPool, QueuePool

from polymeter.domain import Clock
from polymeter.store.connector import ReadingRow, Tx
from polymeter.store.errors import Conflict, StoreError, StoreUnavailable

__all__ = ["SQLite"]

T = TypeVar("T")

_GROUP_MAX: Final = 256
"""Units of work that share a commit; a bound on how long the first one waits."""
_READERS: Final = 4
_BUSY_TIMEOUT_S: Final = 30

_INCOMING: Final = """
CREATE TEMP TABLE IF NOT EXISTS incoming (
    channel INTEGER, instant INTEGER, mantissa INTEGER, exponent INTEGER, text TEXT,
    quality INTEGER, source INTEGER, received INTEGER, frame INTEGER)"""
_COLUMNS: Final = "channel, instant, mantissa, exponent, text, quality, source, received, frame"


class _Engine:
    """Bulk rows through the standard library's own cursor."""

    name = "sqlite"

    def insert(self, table: sa.Table) -> sqlite.Insert:
        return sqlite.insert(table)

    def load(self, tx: Tx, rows: Sequence[ReadingRow]) -> None:
        raw = _raw(tx)
        raw.execute("DELETE FROM temp.incoming")
        raw.executemany("INSERT INTO temp.incoming VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def present(self, tx: Tx) -> list[ReadingRow]:
        found = _raw(tx).execute(
            "SELECT r.channel, r.instant, r.mantissa, r.exponent, r.text, r.quality, r.source, r.received,"
            " r.frame FROM temp.incoming AS i CROSS JOIN reading AS r"
            " ON r.channel = i.channel AND r.instant = i.instant"
        )
        return [ReadingRow(*row) for row in found]

    def add_incoming(self, tx: Tx) -> int:
        return (
            _raw(tx)
            .execute(
                f"INSERT INTO reading ({_COLUMNS}) SELECT {_COLUMNS} FROM temp.incoming WHERE true"
                " ON CONFLICT DO NOTHING"
            )
            .rowcount
        )

    def change(self, tx: Tx, rows: Sequence[ReadingRow]) -> None:
        _raw(tx).executemany(
            "UPDATE reading SET mantissa = ?3, exponent = ?4, text = ?5, quality = ?6, source = ?7,"
            " received = ?8, frame = ?9 WHERE channel = ?1 AND instant = ?2",
            rows,
        )

    def keep_latest(self, tx: Tx, rows: Sequence[ReadingRow]) -> None:
        _raw(tx).executemany(
            f"INSERT INTO latest ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (channel) DO UPDATE SET instant = excluded.instant, mantissa = excluded.mantissa,"
            " exponent = excluded.exponent,"
            " text = excluded.text, quality = excluded.quality, source = excluded.source,"
            " received = excluded.received, frame = excluded.frame WHERE excluded.instant >= latest.instant",
            rows,
        )

    def lock(self, tx: Tx, name: str) -> None:
        """Nothing to do: there is one writer."""


def _raw(tx: Tx) -> sqlite3.Connection:
    driver = tx.connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


_Job = tuple[Callable[[Tx], Any], "Future[Any]"]


class SQLite:
    """A database file."""

    name = "sqlite"

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._engine = _Engine()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        self._readers: ThreadPoolExecutor | None = None
        self._read_engine: sa.Engine | None = None
        self._write_engine: sa.Engine | None = None

    async def open(self) -> None:
        if self._writer is not None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._write_engine = self._make(NullPool, "BEGIN IMMEDIATE")
        self._read_engine = self._make(QueuePool, "BEGIN", pool_size=_READERS, max_overflow=0)
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="polymeter-read")
        self._writer = threading.Thread(target=self._write_loop, name="polymeter-write", daemon=True)
        self._writer.start()

    async def close(self) -> None:
        writer, readers, read_engine = self._writer, self._readers, self._read_engine
        if writer is None or readers is None or read_engine is None:
            return
        # First, so that nothing comes in behind the end of the queue and waits there for ever.
        self._writer = self._readers = None
        self._jobs.put(None)
        await asyncio.to_thread(writer.join)
        await asyncio.to_thread(readers.shutdown)
        read_engine.dispose()

    async def read(self, work: Callable[[Tx], T]) -> T:
        if self._readers is None:
            raise StoreUnavailable("the store is closed")
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    async def write(self, work: Callable[[Tx], T]) -> T:
        if self._writer is None:
            raise StoreUnavailable("the store is closed")
        answer: Future[T] = Future()
        self._jobs.put((work, answer))
        # Shielded: a caller that is cancelled stops waiting, but what it handed over is still written.
        return await asyncio.shield(asyncio.wrap_future(answer))

    async def prepare(self, seconds: Iterable[int]) -> None:
        """Nothing to do: one table holds all instants."""

    async def migrate(self, work: Callable[[sa.Connection], T]) -> T:
        return await self.write(lambda tx: work(tx.connection))

    def _make(self, pool: type[sa.Pool], begin: str, **more: Any) -> sa.Engine:
        engine = sa.create_engine(
            sa.URL.create("sqlite+pysqlite", database=str(self._path)),
            poolclass=pool,
            connect_args={"check_same_thread": False, "timeout": _BUSY_TIMEOUT_S, "cached_statements": 512},
            **more,
        )

        @sa.event.listens_for(engine, "connect")
        def _on_connect(connection: sqlite3.Connection, _record: Any) -> None:
            connection.isolation_level = (
                None  # we say BEGIN ourselves; the driver's guessing breaks savepoints
            )
            for pragma in (
                "journal_mode = WAL",
                "synchronous = FULL",
                "foreign_keys = ON",
                "cache_size = -65536",
                "temp_store = MEMORY",
            ):
                connection.execute(f"PRAGMA {pragma}")
            if begin != "BEGIN":
                connection.execute(_INCOMING)

        @sa.event.listens_for(engine, "begin")
        def _on_begin(connection: sa.Connection) -> None:
            connection.exec_driver_sql(begin)

        return engine

    def _read(self, work: Callable[[Tx], T]) -> T:
        assert self._read_engine is not None
        with translated(), self._read_engine.connect() as connection:
            return work(Tx(connection, self._engine, self._clock.now()))

    def _write_loop(self) -> None:
        assert self._write_engine is not None
        connection: sa.Connection | None = None
        while True:
            group = self._next_group()
            if group is None:
                break
            try:
                with translated():
                    if connection is None:
                        connection = self._write_engine.connect()
                    self._write_group(connection, group)
            except BaseException as error:  # whatever it was, the waiting callers must hear of it
                for _, answer in group:
                    if not answer.done():
                        answer.set_exception(error)
                if connection is not None:
                    with contextlib.suppress(Exception):
                        connection.invalidate()
                        connection.close()
                connection = None
        if connection is not None:
            connection.close()
        self._write_engine.dispose()

    def _next_group(self) -> list[_Job] | None:
        first = self._jobs.get()
        if first is None:
            return None
        group = [first]
        while len(group) < _GROUP_MAX:
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                break
            if job is None:
                self._jobs.put(None)  # nothing came behind it: this one ends the next group
                break
            group.append(job)
        return group

    def _write_group(self, connection: sa.Connection, group: list[_Job]) -> None:
        done: list[tuple[Future[Any], Any]] = []
        now: datetime = self._clock.now()
        with connection.begin():
            for work, answer in group:
                savepoint = connection.begin_nested()
                try:
                    with translated():
                        result = work(Tx(connection, self._engine, now))
                        savepoint.commit()
                except StoreUnavailable:
                    raise  # a full disk ends the whole transaction, and the whole group hears of it
                except Exception as error:
                    savepoint.rollback()
                    answer.set_exception(error)
                else:
                    done.append((answer, result))
        for answer, result in done:
            answer.set_result(result)


@contextlib.contextmanager
def translated() -> Any:
    """Turn the driver's errors into the store's."""
    try:
        yield
    except StoreError:
        raise
    except sa.exc.IntegrityError as error:
        raise Conflict(str(error.orig)) from error
    except (sa.exc.OperationalError, sa.exc.TimeoutError, sqlite3.OperationalError) as error:
        raise StoreUnavailable(str(getattr(error, "orig", error))) from error
