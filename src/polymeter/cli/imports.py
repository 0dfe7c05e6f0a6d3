"""``polymeter import``: meters, and their passwords and keys, from tables.

A table is stored whole, or nothing of it: what is wrong is told with its line.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import typer

from polymeter.cli.accounts import Organization, with_store
from polymeter.cli.platform import Config, load_settings
from polymeter.protocols.wire import LocalProtocolError, ProtocolError

__all__ = ["KINDS", "register"]

_DLMS_SIZES: Final = (32, 64)
KINDS: Final[Mapping[str, tuple[int, ...]]] = {
    "iec62056_21_password": (),
    "dlms_global_unicast_encryption_key": _DLMS_SIZES,
    "dlms_global_broadcast_encryption_key": _DLMS_SIZES,
    "dlms_global_authentication_key": _DLMS_SIZES,
    "mbus_encryption_key": (32, 16),
}
"""The kinds of secret, and how many hex digits a key has (AES, or DES); a password is text."""
_KEY_COLUMNS: Final = ("meter", "kind", "value")
_METER_COLUMNS: Final = ("meter", "protocol")
_MORE_COLUMNS: Final = ("serial", "system_title", "url", "type", "series", "timezone")
_NAME_MAX: Final = 50
_ACTOR: Final = "command line"


class _Row(NamedTuple):
    where: str
    cells: Mapping[str, str]


class _Meter(NamedTuple):
    where: str
    name: str
    columns: Mapping[str, str | None]
    type: str
    series: Mapping[str, str]
    timezone: str


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Bring in tables.", no_args_is_help=True)
    group.command("meters")(meters)
    group.command("keys")(keys)
    app.add_typer(group, name="import")
    group.callback()(_group)


def _group() -> None:
    """Bring in tables."""


def meters(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="Columns: meter, protocol, and more.")],
    organization: Organization,
    config: Config = None,
) -> None:
    """Add meters; the whole table or, if a row is wrong, nothing of it.

    Columns: meter (its name) and protocol; as wanted serial (number or secondary address), system_title,
    url, type, and for a type that does not exist yet its series ("volume m3; power W") and timezone.
    """
    rows = [_meter(row) for row in _table(file, _METER_COLUMNS, _MORE_COLUMNS)]
    settings = load_settings(config)

    async def work(store: Any) -> None:
        from polymeter.services import accounts
        from polymeter.store import Conflict

        owner = await accounts.ensure_organization(store, organization)
        try:
            await store.write(_put_meters, owner.id, rows, settings.default_meter_timezone)
        except Conflict as error:
            raise ProtocolError(f"nothing was stored: {error}") from error

    if organization == "*":
        raise LocalProtocolError("meters belong to one organization: name it")
    with_store(config, work)
    typer.echo(f"{len(rows)} meters added", err=True)


def keys(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="Columns: meter, kind, value.")],
    organization: Organization,
    config: Config = None,
) -> None:
    """Store meters' passwords and keys, sealed; the whole table or, if a row is wrong, nothing of it.

    Kinds: iec62056_21_password, dlms_global_unicast_encryption_key,
    dlms_global_broadcast_encryption_key, dlms_global_authentication_key, mbus_encryption_key (of
    wireless M-Bus too). Keys are hex digits.
    """
    rows = [_secret(row) for row in _table(file, _KEY_COLUMNS)]

    async def work(store: Any) -> list[str]:
        from polymeter.app import secret_key
        from polymeter.services import accounts
        from polymeter.store import SecretKey

        owner = await accounts.find_organization(store, organization)
        if owner is None:
            raise LocalProtocolError("keys belong to meters of one organization: name it")
        key = SecretKey(secret_key(load_settings(config)))
        missing: list[str] = await store.write(_put_keys, key, owner.id, rows)
        return missing

    missing = with_store(config, work)
    if missing:
        raise ProtocolError(f"nothing was stored: {organization} has no meter {', '.join(missing)}")
    typer.echo(f"{len(rows)} secrets stored", err=True)


def _table(file: Path, required: Sequence[str], more: Sequence[str] = ()) -> Iterator[_Row]:
    """The rows of a table; lines that begin with # are comments.

    Raises:
        LocalProtocolError: it is no such table. A message never repeats a value: it may be a secret.
    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            lines = csv.reader(opened)
            header: list[str] | None = None
            for cells in lines:
                if not cells or cells[0].startswith("#"):
                    continue
                where = f"{file}, line {lines.line_num}"
                if header is None:
                    header = [cell.strip() for cell in cells]
                    _check_header(file, header, required, more)
                elif len(cells) != len(header):
                    raise LocalProtocolError(f"{where}: {len(cells)} columns, {len(header)} are expected")
                else:
                    yield _Row(where, dict(zip(header, (cell.strip() for cell in cells), strict=True)))
            if header is None:
                raise LocalProtocolError(f"{file}: the first line must be {','.join(required)}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LocalProtocolError(f"cannot read {file}: {error}") from error


def _check_header(file: Path, header: list[str], required: Sequence[str], more: Sequence[str]) -> None:
    if not more and header != list(required):
        raise LocalProtocolError(f"{file}: the first line must be {','.join(required)}")
    missing = [name for name in required if name not in header]
    unknown = [name for name in header if name not in (*required, *more)]
    if missing or unknown or len(set(header)) < len(header):
        raise LocalProtocolError(
            f"{file}: the first line must name {', '.join(required)}, and may name {', '.join(more)}"
        )


def _meter(row: _Row) -> _Meter:
    cells, where = row.cells, row.where
    name = cells["meter"]
    if not 1 <= len(name) <= _NAME_MAX:
        raise LocalProtocolError(f"{where}: a meter's name has 1 to {_NAME_MAX} characters")
    columns = {
        "protocol": _protocol(cells["protocol"], where),
        "manufacturer_serial": cells.get("serial") or None,
        "dlms_system_title": cells.get("system_title") or None,
        "url": cells.get("url") or None,
    }
    series: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in cells.get("series", "").split(";"))):
        code, blank, unit = part.rpartition(" ")
        if not blank:
            raise LocalProtocolError(f"{where}: {part!r} is no series and its unit, such as 'volume m3'")
        series[code.strip()] = unit
    if series and not cells.get("type"):
        raise LocalProtocolError(f"{where}: series are a type's: name the type too")
    return _Meter(where, name, columns, cells.get("type", ""), series, cells.get("timezone", ""))


def _protocol(text: str, where: str) -> str:
    """A protocol by the name that the platform has for it; ours are taken too."""
    from polymeter.catalogue import PROTOCOLS
    from polymeter.collection.workers import SCHEMES

    ours = {scheme: name for name, scheme in SCHEMES.items()}
    known = sorted({*PROTOCOLS, *SCHEMES, *ours})
    if text not in known:
        raise LocalProtocolError(f"{where}: there is no protocol {text!r}; there are {', '.join(known)}")
    return ours.get(text, text)


def _secret(row: _Row) -> tuple[str, str, bytes]:
    cells, where = row.cells, row.where
    meter, kind, value = (cells[name] for name in _KEY_COLUMNS)
    if kind not in KINDS:
        raise LocalProtocolError(f"{where}: there is no kind {kind!r}; there are {', '.join(KINDS)}")
    if not value:
        raise LocalProtocolError(f"{where}: the value is empty")
    sizes = KINDS[kind]
    if not sizes:
        return meter, kind, value.encode("utf-8")
    try:
        key = bytes.fromhex(value)
    except ValueError as error:
        raise LocalProtocolError(f"{where}: a key is given in hex digits") from error
    if 2 * len(key) not in sizes:
        wanted = " or ".join(map(str, sizes))
        raise LocalProtocolError(f"{where}: a key has {wanted} hex digits, not {2 * len(key)}")
    return meter, kind, key


def _put_meters(tx: Any, organization: Any, rows: Sequence[_Meter], timezone: str) -> None:
    """Store all of them, or none.

    Raises:
        Conflict: a name is taken, or a type is neither there nor described.
    """
    from polymeter.store import Conflict, audit, meters

    types: dict[str, Any] = {}
    for row in rows:
        if row.type and row.type not in types:
            types[row.type] = _type(tx, organization, row, timezone)
        if meters.named(tx, organization, row.name) is not None:
            raise Conflict(f"{row.where}: there is a meter {row.name} already")
        type = types[row.type] if row.type else None
        made = meters.create(tx, organization, row.name, type=type, **row.columns)
        audit.append(tx, organization, _ACTOR, "create", f"meter {made.id}", {"name": row.name})


def _type(tx: Any, organization: Any, row: _Meter, timezone: str) -> Any:
    """The type of that name, made where it does not exist and the table says what it measures."""
    from polymeter.store import Conflict, meter_types, series

    found = meter_types.named(tx, organization, row.type)
    if found is not None:
        return found.id
    if not row.series:
        raise Conflict(f"{row.where}: there is no type {row.type}, and no series to make it with")
    known = [
        series.named(tx, organization, code) or series.create(tx, organization, code, unit)
        for code, unit in row.series.items()
    ]
    config = meter_types.create_config(
        tx, organization, row.type, [one.id for one in known], timezone=row.timezone or timezone
    )
    return meter_types.create(tx, organization, row.type, config=config.id).id


def _put_keys(tx: Any, key: Any, organization: Any, rows: list[tuple[str, str, bytes]]) -> list[str]:
    """Store all of them, or none; gives the meters that the organization does not have."""
    from polymeter.store import audit, meters, secrets

    known = {name: meters.named(tx, organization, name) for name, _, _ in rows}
    missing = sorted(name for name, meter in known.items() if meter is None)
    if missing:
        return missing
    for name, kind, value in rows:
        meter = known[name]
        assert meter is not None
        secrets.put(tx, key, organization, meter.id, kind, value)
        audit.append(tx, organization, _ACTOR, "put secret", f"meter {meter.id}", {"kind": kind})
    return []
