"""``polymeter scan``: find the meters on a bus."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from polymeter.drivers import Discovered, connect
from polymeter.drivers.faces import driver_for
from polymeter.protocols.wire import LocalProtocolError

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(scan)


def scan(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="The bus: SCHEME://HOST:PORT, with a mask where it has such.")
    ],
    by: Annotated[
        str | None, typer.Option(help="Which addresses are tried: both, primary or secondary (M-Bus).")
    ] = None,
    trace: Annotated[bool, typer.Option("--trace", help="Show what travels, on stderr.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, an object per line.")] = False,
) -> None:
    """Find the meters on a bus; each is printed as soon as it is found."""
    driver = driver_for(url)
    parameters = driver.calls()["scan"].parameters if "scan" in driver.calls() else {}
    if by is not None and "by" not in parameters:
        raise LocalProtocolError(f"a scan of {driver.scheme} has no choice of addresses: leave out --by")
    progress = _Progress(sys.stderr.isatty())
    tell = (lambda line: typer.echo(line, err=True)) if trace else None

    def found(one: Discovered) -> None:
        progress.clear()
        typer.echo(json.dumps(asdict(one), ensure_ascii=False) if as_json else _line(one))

    with connect(url, trace=tell) as meter:
        meter.driver.on_found = found
        meter.driver.on_progress = progress.show
        try:
            all_found = meter.call("scan", **({} if by is None else {"by": by}))
        finally:
            progress.clear()
    if not all_found:
        typer.echo("polymeter: no meter answers", err=True)
        raise typer.Exit(1)


def _line(found: Discovered) -> str:
    words = [
        found.url,
        f"id {found.id}" if found.id is not None else "",
        found.manufacturer or "",
        found.medium or "",
        f"version {found.version}" if found.version is not None else "",
        f"primary address {found.primary}" if found.primary is not None else "",
        "several meters answer" if found.collision else "",
    ]
    return "  ".join(word for word in words if word)


class _Progress:
    """One line on stderr that is written over, where somebody sees it."""

    def __init__(self, shown: bool) -> None:
        self._shown = shown
        self._width = 0

    def show(self, what: str, done: float) -> None:
        """Say what is tried now."""
        if self._shown:
            text = f"{done:4.0%}  {what}"
            sys.stderr.write("\r" + text.ljust(self._width))
            sys.stderr.flush()
            self._width = len(text)

    def clear(self) -> None:
        """Make room for a line of its own."""
        if self._width:
            sys.stderr.write("\r" + " " * self._width + "\r")
            sys.stderr.flush()
            self._width = 0
