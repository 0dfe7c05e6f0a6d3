"""Series: what is measured. Every spelling of an OBIS code is one series of an organization."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from polymeter.domain import Series, SeriesKind, canonical_series
from polymeter.store import tables
from polymeter.store.connector import Scope, Tx
from polymeter.store.rows import Rows, new_id

__all__ = ["change", "create", "get", "named", "page", "remove"]


class _Series(Rows[Series]):
    def fields(self, values: Mapping[Any, Any]) -> dict[str, Any]:
        return dict(values) | {"kind": SeriesKind(values["kind"])}


_rows = _Series(tables.series, Series)
get, page, remove = _rows.get, _rows.page, _rows.remove


def create(tx: Tx, organization: UUID, name: str, unit: str, **more: Any) -> Series:
    """A new series.

    Raises:
        Conflict: the organization has it, possibly under another spelling of its OBIS code.
    """
    return _rows.add(tx, Series(new_id(), organization, name, unit, canonical_series(name), **more))


def named(tx: Tx, organization: UUID, name: str) -> Series | None:
    """The series of that name, in any of its spellings."""
    return _rows.find(tx, organization, key=canonical_series(name))


def change(tx: Tx, organization: Scope, id: UUID, **values: Any) -> Series | None:
    """Set columns; with the name its key follows."""
    if "name" in values:
        values["key"] = canonical_series(values["name"])
    return _rows.change(tx, organization, id, **values)
