"""What every ordinary noun can do (add, find, list, change, remove), always inside an organization."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeVar
from uuid import UUID, uuid4

import sqlalchemy as sa

from polymeter.store.connector import Record, Scope, Tx, within

__all__ = ["Page", "Rows", "new_id"]


class _Entity(Protocol):
    """A frozen dataclass whose fields are its table's columns."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def id(self) -> Any: ...


E = TypeVar("E", bound=_Entity)
T = TypeVar("T")


def new_id() -> UUID:
    """A fresh id for a row."""
    return uuid4()


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of the rows a query has, and how many there are in all."""

    rows: tuple[T, ...]
    count: int


class Rows(Generic[E]):
    """The rows of one table as values of one class.

    `organization` is the name of the column that tells whose a row is; it is filtered in every query.
    """

    def __init__(self, table: sa.Table, cls: type[E], *, organization: str = "organization") -> None:
        self._table = table
        self._cls = cls
        self._owner = table.c[organization]
        self._columns = [table.c[f.name] for f in dataclasses.fields(cls) if f.name in table.c]
        self._order = table.c["name"] if "name" in table.c else table.c["id"]

    def add(self, tx: Tx, row: E) -> E:
        """Insert the row and return it with its time stamps (and its serial id, given as 0).

        Raises:
            Conflict: another row has its name, or what it refers to does not exist.
        """
        values = self._values(row) | {"created_at": tx.now, "updated_at": tx.now}
        if values.get("id") == 0:
            del values["id"]
        statement = sa.insert(self._table).values({k: v for k, v in values.items() if k in self._table.c})
        key = tx.connection.execute(statement).inserted_primary_key
        assert key is not None
        return self._read(tx, self._table.c.id == key[0]) or row

    def get(self, tx: Tx, organization: Scope, id: Any) -> E | None:
        """The row, or None where it does not exist for that organization."""
        return self._read(tx, self._table.c.id == id, within(self._owner, organization))

    def find(self, tx: Tx, organization: Scope, **equal: Any) -> E | None:
        """The first row with these values, or None."""
        return self._read(tx, within(self._owner, organization), *self._where(equal))

    def page(
        self, tx: Tx, organization: Scope, *, limit: int = 100, offset: int = 0, **equal: Any
    ) -> Page[E]:
        """Rows by name; further arguments filter by equality.

        Raises:
            TypeError: a filter names no column.
        """
        where = (within(self._owner, organization), *self._where(equal))
        count = tx.scalar(sa.select(sa.func.count()).select_from(self._table).where(*where))
        query = sa.select(*self._columns).where(*where).order_by(self._order, self._table.c.id)
        return Page(tuple(map(self.made, tx.rows(query.limit(limit).offset(offset)))), count)

    def change(self, tx: Tx, organization: Scope, id: Any, **values: Any) -> E | None:
        """Set these columns; the row as it is then, or None where it does not exist.

        Raises:
            Conflict: see `add`.
            TypeError: a value names no column.
        """
        self._where(values)
        condition = (self._table.c.id == id, within(self._owner, organization))
        if "updated_at" in self._table.c:
            values["updated_at"] = tx.now
        if tx.execute(sa.update(self._table).where(*condition).values(values)) == 0:
            return None
        return self._read(tx, *condition)

    def remove(self, tx: Tx, organization: Scope, id: Any) -> bool:
        """Delete the row; whether it existed.

        Raises:
            Conflict: something still refers to it.
        """
        condition = (self._table.c.id == id, within(self._owner, organization))
        return tx.execute(sa.delete(self._table).where(*condition)) > 0

    def made(self, row: Record) -> E:
        """The value of a row selected with this table's columns."""
        return self._cls(**self.fields(row._mapping))

    def fields(self, values: Mapping[Any, Any]) -> dict[str, Any]:
        """A hook for nouns whose class holds other types than the columns."""
        return dict(values)

    def _values(self, row: E) -> dict[str, Any]:
        return {column.name: getattr(row, column.name) for column in self._columns}

    def _read(self, tx: Tx, *where: sa.ColumnElement[bool]) -> E | None:
        row = tx.row(sa.select(*self._columns).where(*where).order_by(self._order).limit(1))
        return None if row is None else self.made(row)

    def _where(self, equal: Mapping[str, Any]) -> list[sa.ColumnElement[bool]]:
        unknown = set(equal) - {column.name for column in self._columns}
        if unknown:
            raise TypeError(f"{self._table.name} has no column {', '.join(sorted(unknown))}")
        return [self._table.c[name] == value for name, value in equal.items()]
