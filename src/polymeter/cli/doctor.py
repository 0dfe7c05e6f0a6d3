"""``polymeter doctor``: what works here, and what to do about what does not."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Annotated, NamedTuple

import typer

from polymeter.catalogue import PROTOCOLS, meter_types, prove
from polymeter.cli.output import columns, json_line
from polymeter.drivers import driver_named, drivers
from polymeter.protocols.wire import ProtocolError

__all__ = ["CHECKS", "Finding", "register"]


class Finding(NamedTuple):
    """One thing that was looked at. `state` is ok, note (works without) or fail."""

    state: str
    subject: str
    message: str


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def _python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= (3, 11)
    yield Finding(
        "ok" if good else "fail", "python", version if good else f"{version}: 3.11 or newer is needed"
    )


_EXTRAS = {
    "serial": "serialx",
    "messages": "msgspec",
    "platform": "fastapi",
    "postgres": "psycopg",
    "amqp": "aio_pika",
    "mqtt": "aiomqtt",
    "ui": "bokeh",
    "parquet": "pyarrow",
}


def _extras() -> Iterator[Finding]:
    for extra, module in _EXTRAS.items():
        there = find_spec(module) is not None
        yield Finding(
            "ok" if there else "note",
            f"extra {extra}",
            "installed" if there else f"not installed: pip install 'polymeter[{extra}]'",
        )


def _catalogue() -> Iterator[Finding]:
    try:
        types = meter_types()
    except ProtocolError as error:
        yield Finding("fail", "catalogue", str(error))
        return
    problems = [problem for known in types.values() for problem in prove(known)]
    yield from (Finding("fail", "meter type", problem) for problem in problems)
    yield Finding("ok", "catalogue", f"{len(PROTOCOLS)} protocols, {len(types)} meter types")


def _drivers() -> Iterator[Finding]:
    for scheme in drivers():
        try:
            yield Finding("ok", f"driver {scheme}", driver_named(scheme).description)
        except ProtocolError as error:
            yield Finding("fail", f"driver {scheme}", str(error))


def _platform() -> Iterator[Finding]:
    """Settings, store, broker, secret key and clock of the platform this machine would run."""
    if any(find_spec(module) is None for module in ("fastapi", "sqlalchemy", "structlog")):
        return
    from polymeter.cli import health

    yield from (Finding(*found) for found in health.findings())


CHECKS: list[Callable[[], Iterator[Finding]]] = [_python, _extras, _catalogue, _drivers, _platform]
"""What is looked at, in this order."""


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, an object per line.")] = False,
) -> None:
    """Check this installation and say what to change."""
    findings = [finding for check in CHECKS for finding in check()]
    if as_json:
        for finding in findings:
            typer.echo(json_line(finding._asdict()))
    else:
        typer.echo(columns(findings))
    if any(finding.state == "fail" for finding in findings):
        raise typer.Exit(1)
