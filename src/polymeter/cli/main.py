"""Puts the commands together and turns errors into one readable line and an exit status."""

from __future__ import annotations

import io
import os
import sys
from typing import Annotated, Any

import typer

import polymeter
from polymeter.cli import accounts, decode, demo, doctor, frames, imports, meters, platform, scan, simulate
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


for module in (decode, meters, scan, simulate, demo, platform, accounts, imports, frames, doctor):
    module.register(app)


def main() -> None:
    """Run the command line. Never ends in a traceback for what a user or a meter did."""
    status = 1
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        status = app(standalone_mode=False) or 0
        sys.stdout.flush()
    except LocalProtocolError as error:
        status = _say(error, 2)
    except ProtocolError as error:
        status = _say(error, 1)
    except _WrongUse as error:
        status = _usage(error)
    except (typer.Abort, KeyboardInterrupt):
        status = 130
    except BrokenPipeError:
        # Whoever read our output has left; nothing can be said any more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        status = _say(error, 1)
    sys.exit(status)


_WrongUse: type[Exception] = typer.BadParameter.__mro__[2]
"""What the parser of the command line raises; its class has had several homes."""


def _usage(error: Exception) -> int:
    """Wrong use in one line, with the place of the help; without any arguments the help itself."""
    context: Any = getattr(error, "ctx", None)
    if context is not None and len(sys.argv) == 1:
        typer.echo(context.get_help())
        return 2
    message = " ".join(str(getattr(error, "format_message", error.__str__)()).split())
    command = context.command_path if context is not None else "polymeter"
    return _say(f"{message.rstrip('.')}; see {command} --help", 2)


def _say(error: object, status: int) -> int:
    typer.echo(f"polymeter: {error}", err=True)
    return status
