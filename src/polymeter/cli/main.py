"""Puts the commands together and turns errors into one readable line and an exit status."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

import polymeter
from polymeter.cli import accounts, decode, demo, doctor, frames, meters, platform, simulate
from polymeter.protocols.wire import LocalProtocolError, ProtocolError

__all__ = ["app", "main"]

app = typer.Typer(
    name="polymeter",
    help="Reads any utility meter and loses nothing.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"polymeter {polymeter.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """Reads any utility meter and loses nothing."""


for module in (decode, meters, simulate, demo, platform, accounts, frames, doctor):
    module.register(app)


def main() -> None:
    """Run the command line. Never ends in a traceback for what a user or a meter did."""
    try:
        app()
    except LocalProtocolError as error:
        _say(error)
        sys.exit(2)
    except ProtocolError as error:
        _say(error)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read our output has left; nothing can be said any more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


def _say(error: Exception) -> None:
    typer.echo(f"polymeter: {error}", err=True)
