"""``polymeter import keys``: meters' passwords and keys from a table, sealed as they are stored."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

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
_COLUMNS: Final = ["meter", "kind", "value"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    group = typer.Typer(help="Bring in tables.", no_args_is_help=True)
    group.command("keys")(keys)
    app.add_typer(group, name="import")
    group.callback()(_group)


def _group() -> None:
    """Bring in tables."""


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
    rows = list(_rows(file))

    async def work(store: Any) -> list[str]:
        from polymeter.app import secret_key
        from polymeter.services import accounts
        from polymeter.store import SecretKey

        owner = await accounts.find_organization(store, organization)
        if owner is None:
            raise LocalProtocolError("keys belong to meters of one organization: name it")
        key = SecretKey(secret_key(load_settings(config)))
        missing: list[str] = await store.write(_put, key, owner.id, rows)
        return missing

    missing = with_store(config, work)
    if missing:
        raise ProtocolError(f"nothing was stored: {organization} has no meter {', '.join(missing)}")
    typer.echo(f"{len(rows)} secrets stored", err=True)


def _rows(file: Path) -> Iterator[tuple[str, str, bytes]]:
    """The table's rows, checked. A message names the line and never repeats the secret."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            table = csv.reader(opened)
            if next(table, None) != _COLUMNS:
                raise LocalProtocolError(f"{file}: the first line must be {','.join(_COLUMNS)}")
            for row in table:
                if row:
                    yield _checked(row, f"{file}, line {table.line_num}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LocalProtocolError(f"cannot read {file}: {error}") from error


def _checked(row: list[str], where: str) -> tuple[str, str, bytes]:
    if len(row) != len(_COLUMNS):
        raise LocalProtocolError(f"{where}: {len(row)} columns, {len(_COLUMNS)} are expected")
    meter, kind, value = (cell.strip() for cell in row)
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


def _put(tx: Any, key: Any, organization: Any, rows: list[tuple[str, str, bytes]]) -> list[str]:
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
        audit.append(tx, organization, "command line", "put secret", f"meter {meter.id}", {"kind": kind})
    return []
