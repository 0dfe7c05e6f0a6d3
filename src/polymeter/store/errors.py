"""What goes wrong in a store, told apart by who must act."""

from __future__ import annotations

__all__ = ["Conflict", "InvalidSecret", "SchemaOutdated", "StoreError", "StoreUnavailable"]


class StoreError(Exception):
    """Root of the store's errors."""


class StoreUnavailable(StoreError):
    """The database cannot be reached or written just now (restart, full disk). Nothing happened."""


class Conflict(StoreError):
    """The row breaks a uniqueness or a reference: the caller's data must change."""


class SchemaOutdated(StoreError):
    """The database's schema is not this version's; run `polymeter db upgrade`."""


class InvalidSecret(StoreError):
    """A sealed secret does not open: another `SECRET_KEY`, or the row was moved or altered."""
