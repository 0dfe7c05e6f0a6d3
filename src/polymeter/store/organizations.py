"""Organizations; an organization's scope is itself."""

from __future__ import annotations

from polymeter.domain import Organization
from polymeter.store import tables
from polymeter.store.connector import Tx
from polymeter.store.rows import Rows, new_id

__all__ = ["add", "change", "create", "find", "get", "page", "remove"]

_rows = Rows(tables.organization, Organization, organization="id")
add, get, find, page, change, remove = (
    _rows.add,
    _rows.get,
    _rows.find,
    _rows.page,
    _rows.change,
    _rows.remove,
)


def create(tx: Tx, name: str) -> Organization:
    """A new organization of that name.

    Raises:
        Conflict: the name is taken.
    """
    return add(tx, Organization(new_id(), name))
