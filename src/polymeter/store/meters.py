"""Meters, the names they are called by, and the interfaces they are reached through."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from polymeter.domain import Alias, Meter, NetworkInterface, Scheme
from polymeter.store import tables
from polymeter.store.connector import Scope, Tx, chunks, within
from polymeter.store.errors import Conflict
from polymeter.store.rows import Rows, new_id

__all__ = [
    "Known",
    "add_alias",
    "aliases",
    "change",
    "change_interface",
    "create",
    "create_interface",
    "get",
    "get_interface",
    "interface_page",
    "named",
    "page",
    "remove",
    "remove_alias",
    "remove_interface",
    "resolve",
]

_meters = Rows(tables.meter, Meter)
_interfaces = Rows(tables.network_interface, NetworkInterface)
_alias = tables.meter_alias.c
get, page = _meters.get, _meters.page
get_interface, interface_page = _interfaces.get, _interfaces.page
change_interface, remove_interface = _interfaces.change, _interfaces.remove

_SCHEMES = {
    "name": Scheme.NAME,
    "manufacturer_serial": Scheme.SERIAL,
    "dlms_logical_device_name": Scheme.LOGICAL_DEVICE_NAME,
    "dlms_system_title": Scheme.SYSTEM_TITLE,
    "external_system_reference": Scheme.EXTERNAL,
}
"""Columns of a meter that are aliases too, kept in step with it."""


@dataclass(frozen=True, slots=True)
class Known:
    """What ingest needs of a meter it has found."""

    id: UUID
    organization: UUID
    name: str
    config: UUID | None


def create(tx: Tx, organization: UUID, name: str, **more: Any) -> Meter:
    """A new meter, known by its name, serial number, logical device name, system title and reference.

    Raises:
        Conflict: the organization has a meter of that name, or a reference is not the organization's.
    """
    meter = Meter(new_id(), organization, name, **more)
    _own(tx, organization, meter.type, meter.network_interface)
    meter = _meters.add(tx, meter)
    _keep_aliases(tx, meter)
    return meter


def change(tx: Tx, organization: Scope, id: UUID, **values: Any) -> Meter | None:
    """Set columns; the aliases made of them follow."""
    before = _meters.get(tx, organization, id)
    if before is None:
        return None
    _own(tx, before.organization, values.get("type"), values.get("network_interface"))
    after = _meters.change(tx, organization, id, **values)
    if after is not None and any(name in values for name in _SCHEMES):
        tx.execute(
            sa.delete(tables.meter_alias).where(_alias.meter == id, _alias.scheme.in_(_SCHEMES.values()))
        )
        _keep_aliases(tx, after)
    return after


def remove(tx: Tx, organization: Scope, id: UUID) -> bool:
    """Delete a meter that has delivered nothing yet.

    Raises:
        Conflict: it has channels; their readings are deleted first, by `readings.delete`.
    """
    return _meters.remove(tx, organization, id)


def named(tx: Tx, organization: UUID, name: str) -> Meter | None:
    """The meter of that name."""
    return _meters.find(tx, organization, name=name)


def add_alias(tx: Tx, organization: UUID, meter: UUID, scheme: Scheme, value: str) -> Alias:
    """Let the meter be called by one more name."""
    if _meters.get(tx, organization, meter) is None:
        raise Conflict(f"the organization has no meter {meter}")
    alias = Alias(organization, scheme, value, meter)
    tx.execute(_insert_alias(tx), [_alias_values(alias)])
    return alias


def remove_alias(tx: Tx, organization: Scope, alias: Alias) -> bool:
    """Take a name back."""
    values = _alias_values(alias)
    condition = [tables.meter_alias.c[name] == value for name, value in values.items()]
    return (
        tx.execute(sa.delete(tables.meter_alias).where(within(_alias.organization, organization), *condition))
        > 0
    )


def aliases(tx: Tx, organization: Scope, meter: UUID) -> tuple[Alias, ...]:
    """All names of a meter."""
    query = sa.select(_alias.organization, _alias.scheme, _alias.value, _alias.meter).where(
        within(_alias.organization, organization), _alias.meter == meter
    )
    return tuple(
        Alias(row[0], Scheme(row[1]), row[2], row[3]) for row in tx.rows(query.order_by(_alias.scheme))
    )


def resolve(tx: Tx, organization: Scope, names: Iterable[str]) -> dict[str, list[Known]]:
    """The meters called by each of these names.

    Within an organization a meter's own name goes before the other kinds of alias. More than one in the
    answer means that the name does not say which.
    """
    m, t = tables.meter.c, tables.meter_type.c
    query = (
        sa.select(_alias.value, _alias.scheme, m.id, m.organization, m.name, t.config)
        .select_from(
            tables.meter_alias.join(tables.meter, m.id == _alias.meter).outerjoin(
                tables.meter_type, t.id == m.type
            )
        )
        .where(within(_alias.organization, organization))
    )
    found: dict[str, dict[UUID, tuple[bool, Known]]] = {}
    for some in chunks(list(dict.fromkeys(names))):
        for value, scheme, *known in tx.rows(query.where(_alias.value.in_(some))):
            by_id = found.setdefault(value, {})
            own = scheme == Scheme.NAME or (known[0] in by_id and by_id[known[0]][0])
            by_id[known[0]] = (own, Known(*known))
    return {name: _preferred(list(by_id.values())) for name, by_id in found.items()}


def create_interface(tx: Tx, organization: UUID, **values: Any) -> NetworkInterface:
    """A new network interface."""
    return _interfaces.add(tx, NetworkInterface(new_id(), organization, **values))


def _preferred(found: list[tuple[bool, Known]]) -> list[Known]:
    named_so = {known.organization for own, known in found if own}
    return [known for own, known in found if own or known.organization not in named_so]


def _keep_aliases(tx: Tx, meter: Meter) -> None:
    values = [
        _alias_values(Alias(meter.organization, scheme, getattr(meter, column), meter.id))
        for column, scheme in _SCHEMES.items()
        if getattr(meter, column)
    ]
    tx.execute(_insert_alias(tx), values)


def _insert_alias(tx: Tx) -> sa.Executable:
    statement: sa.Executable = tx.insert(tables.meter_alias).on_conflict_do_nothing()
    return statement


def _alias_values(alias: Alias) -> dict[str, Any]:
    return {
        "organization": alias.organization,
        "scheme": str(alias.scheme),
        "value": alias.value,
        "meter": alias.meter,
    }


def _own(tx: Tx, organization: UUID, type: UUID | None, interface: UUID | None) -> None:
    """A reference to another tenant's row would pass the foreign key and leak its existence."""
    for table, id in ((tables.meter_type, type), (tables.network_interface, interface)):
        if id is None:
            continue
        if (
            tx.row(sa.select(table.c.id).where(table.c.id == id, table.c.organization == organization))
            is None
        ):
            raise Conflict(f"the organization has no {table.name} {id}")
