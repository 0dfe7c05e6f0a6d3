"""Meter types and their configurations: the list of series that meters of a type may deliver."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from polymeter.domain import MeterConfig, MeterType
from polymeter.store import tables
from polymeter.store.connector import Scope, Tx
from polymeter.store.errors import Conflict
from polymeter.store.rows import Page, Rows, new_id

__all__ = [
    "change",
    "change_config",
    "config_page",
    "create",
    "create_config",
    "get",
    "get_config",
    "named",
    "page",
    "remove",
    "remove_config",
]

_types = Rows(tables.meter_type, MeterType)
_configs = Rows(tables.meter_config, MeterConfig)
_allowed = tables.meter_config_series
get, page, remove = _types.get, _types.page, _types.remove


def create(tx: Tx, organization: UUID, name: str, **more: Any) -> MeterType:
    """A new meter type.

    Raises:
        Conflict: the organization has one of that name, or the configuration is not the organization's.
    """
    type = MeterType(new_id(), organization, name, **more)
    _own(tx, organization, type.config)
    return _types.add(tx, type)


def named(tx: Tx, organization: UUID, name: str) -> MeterType | None:
    """The type of that name."""
    return _types.find(tx, organization, name=name)


def change(tx: Tx, organization: Scope, id: UUID, **values: Any) -> MeterType | None:
    """Set columns; None where the type does not exist.

    Raises:
        Conflict: see `create`.
    """
    before = _types.get(tx, organization, id)
    if before is None:
        return None
    _own(tx, before.organization, values.get("config"))
    return _types.change(tx, organization, id, **values)


def create_config(
    tx: Tx, organization: UUID, name: str, series: Iterable[UUID] = (), *, timezone: str = "UTC"
) -> MeterConfig:
    """A new configuration allowing these series.

    Raises:
        Conflict: the name is taken, or a series is not the organization's.
    """
    config = _configs.add(tx, MeterConfig(new_id(), organization, name, timezone))
    return replace(config, series=_allow(tx, config, series))


def get_config(tx: Tx, organization: Scope, id: UUID) -> MeterConfig | None:
    """The configuration with its series."""
    config = _configs.get(tx, organization, id)
    return None if config is None else _with_series(tx, [config])[0]


def config_page(
    tx: Tx, organization: Scope, *, limit: int = 100, offset: int = 0, **equal: Any
) -> Page[MeterConfig]:
    """Configurations by name, with their series."""
    found = _configs.page(tx, organization, limit=limit, offset=offset, **equal)
    return Page(tuple(_with_series(tx, list(found.rows))), found.count)


def change_config(
    tx: Tx, organization: Scope, id: UUID, *, series: Iterable[UUID] | None = None, **values: Any
) -> MeterConfig | None:
    """Set columns and, where given, the whole list of allowed series."""
    config = _configs.change(tx, organization, id, **values)
    if config is None:
        return None
    if series is not None:
        _allow(tx, config, series)
    return _with_series(tx, [config])[0]


def remove_config(tx: Tx, organization: Scope, id: UUID) -> bool:
    """Delete a configuration that no type uses."""
    return _configs.remove(tx, organization, id)


def _own(tx: Tx, organization: UUID, config: UUID | None) -> None:
    """A reference to another tenant's row would pass the foreign key and let its series in."""
    if config is not None and _configs.get(tx, organization, config) is None:
        raise Conflict(f"the organization has no meter_config {config}")


def _allow(tx: Tx, config: MeterConfig, series: Iterable[UUID]) -> tuple[UUID, ...]:
    wanted = tuple(dict.fromkeys(series))
    own = tables.series.c.organization == config.organization
    found = {
        row[0] for row in tx.rows(sa.select(tables.series.c.id).where(own, tables.series.c.id.in_(wanted)))
    }
    missing = [str(id) for id in wanted if id not in found]
    if missing:
        raise Conflict(f"the organization has no series {', '.join(missing)}")
    tx.execute(sa.delete(_allowed).where(_allowed.c.config == config.id))
    if wanted:
        tx.execute(sa.insert(_allowed), [{"config": config.id, "series": id} for id in wanted])
    return wanted


def _with_series(tx: Tx, configs: list[MeterConfig]) -> list[MeterConfig]:
    lists: dict[UUID, list[UUID]] = {config.id: [] for config in configs}
    query = sa.select(_allowed.c.config, _allowed.c.series).where(_allowed.c.config.in_(lists))
    for config, series in tx.rows(query.order_by(_allowed.c.series)):
        lists[config].append(series)
    return [replace(config, series=tuple(lists[config.id])) for config in configs]
