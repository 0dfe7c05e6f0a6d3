"""The schema's versions: `upgrade` brings a database to this version, `check` says whether it is there."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

__all__ = ["check", "upgrade"]


# Alembic keeps its context in a module: two stores of one process upgrade after each other.
_ALONE: Final = threading.Lock()


def _config(connection: sa.Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def upgrade(connection: sa.Connection) -> None:
    """Apply every migration that is missing; an up-to-date database is left alone."""
    with _ALONE:
        command.upgrade(_config(connection), "head")


def check(connection: sa.Connection) -> str | None:
    """What is wrong with the schema's version, None when nothing is."""
    head = ScriptDirectory.from_config(_config(connection)).get_current_head()
    present = MigrationContext.configure(connection).get_current_revision()
    if present == head:
        return None
    return (
        f"the database has schema {present or 'none'}, this version needs {head}; run `polymeter db upgrade`"
    )
