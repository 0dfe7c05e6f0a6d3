"""Channels: one series on one meter, the small integer that readings are keyed by."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from polymeter.domain import Channel
from polymeter.store import tables
from polymeter.store.connector import Scope, Tx, chunks, within
from polymeter.store.errors import Conflict

__all__ = ["Allowed", "allowed", "create", "ensure", "get", "lock", "of_meter"]

_c = tables.channel.c
_COLUMNS = (_c.id, _c.organization, _c.meter, _c.series)


@dataclass(frozen=True, slots=True)
class Allowed:
    """A series that a configuration lets in."""

    id: UUID
    key: str
    name: str
    unit: str
    kind: str


def allowed(tx: Tx, configs: Iterable[UUID]) -> dict[UUID, dict[str, Allowed]]:
    """The series of each configuration, by key."""
    link, s = tables.meter_config_series.c, tables.series.c
    found: dict[UUID, dict[str, Allowed]] = {}
    for some in chunks(list(configs)):
        query = sa.select(link.config, s.id, s.key, s.name, s.unit, s.kind).where(
            s.id == link.series, link.config.in_(some)
        )
        for config, *series in tx.rows(query):
            item = Allowed(*series)
            found.setdefault(config, {})[item.key] = item
    return found


def ensure(
    tx: Tx, organization_of: dict[UUID, UUID], wanted: Iterable[tuple[UUID, UUID]]
) -> dict[tuple[UUID, UUID], int]:
    """The channel of each (meter, series), created where it does not exist.

    Args:
        organization_of: whose each meter is.
        wanted: meters and series; the caller has checked that the series is allowed.
    """
    pairs = list(dict.fromkeys(wanted))
    found = _existing(tx, pairs)
    missing = [pair for pair in pairs if pair not in found]
    if missing:
        rows = [
            {"organization": organization_of[meter], "meter": meter, "series": series, "created_at": tx.now}
            for meter, series in sorted(missing)
        ]
        tx.execute(tx.insert(tables.channel).on_conflict_do_nothing(), rows)
        found |= _existing(tx, missing)
    return found


def lock(tx: Tx, ids: Iterable[int]) -> None:
    """Take turns with other writers of these channels, in the order of the ids: nobody waits in a circle."""
    if tx.engine.name == "sqlite":
        return
    for some in chunks(sorted(ids)):
        tx.rows(sa.select(_c.id).where(_c.id.in_(some)).order_by(_c.id).with_for_update(key_share=True))


def create(tx: Tx, organization: UUID, meter: UUID, series: UUID) -> Channel:
    """The channel of a meter and a series of that organization, created where it does not exist.

    Raises:
        Conflict: the meter or the series is not the organization's.
    """
    for table, id in ((tables.meter, meter), (tables.series, series)):
        if (
            tx.row(sa.select(table.c.id).where(table.c.id == id, table.c.organization == organization))
            is None
        ):
            raise Conflict(f"the organization has no {table.name} {id}")
    return Channel(
        ensure(tx, {meter: organization}, [(meter, series)])[meter, series], organization, meter, series
    )


def get(tx: Tx, organization: Scope, id: int) -> Channel | None:
    """The channel, where it is the organization's."""
    row = tx.row(sa.select(*_COLUMNS).where(_c.id == id, within(_c.organization, organization)))
    return None if row is None else Channel(*row)


def of_meter(
    tx: Tx, organization: Scope, meter: UUID | None = None, series: UUID | None = None
) -> tuple[Channel, ...]:
    """The channels of a meter, of a series, or of one series on one meter."""
    query = sa.select(*_COLUMNS).where(within(_c.organization, organization)).order_by(_c.id)
    if meter is not None:
        query = query.where(_c.meter == meter)
    if series is not None:
        query = query.where(_c.series == series)
    return tuple(Channel(*row) for row in tx.rows(query))


def _existing(tx: Tx, pairs: list[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], int]:
    meters = list(dict.fromkeys(meter for meter, _ in pairs))
    series = set(pairs)
    found: dict[tuple[UUID, UUID], int] = {}
    for some in chunks(meters):
        for meter, one, id in tx.rows(sa.select(_c.meter, _c.series, _c.id).where(_c.meter.in_(some))):
            if (meter, one) in series:
                found[meter, one] = id
    return found
