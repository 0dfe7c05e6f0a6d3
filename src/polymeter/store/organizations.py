"""Organizations; an organization's scope is itself."""

from __future__ import annotations

from polymeter.domain import Organization
from polymeter.store import tables
from polymeter.store.connector import ANY, Tx
from polymeter.store.rows import Rows, new_id

__all__ = ["change", "create", "get", "named", "page", "remove"]

_rows = Rows(tables.organization, Organization, organization="id")
get, page, change, remove = _rows.get, _rows.page, _rows.change, _rows.remove


def create(tx: Tx, name: str) -> Organization:
    """A new organization of that name.

    Raises:
        Conflict: the name is taken.
    """
    return _rows.add(tx, Organization(new_id(), name))


def named(tx: Tx, name: str) -> Organization | None:
    """The organization of that name."""
    return _rows.find(tx, ANY, name=name)
