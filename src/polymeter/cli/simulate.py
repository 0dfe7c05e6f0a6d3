"""``polymeter simulate``: meters that answer, until Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
import tomllib
from pathlib import Path
from typing import Annotated, Any

import typer

from polymeter.protocols.wire import LocalProtocolError
from polymeter.simulators import Settings, simulators
from polymeter.simulators import simulate as run_fleet

__all__ = ["host_and_port", "register"]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(simulate)


def _complete(incomplete: str) -> list[str]:
    return [name for name in simulators() if name.startswith(incomplete)]


def host_and_port(text: str) -> tuple[str, int]:
    """``HOST:PORT`` taken apart; IPv6 in brackets.

    Raises:
        LocalProtocolError: it has no port, or one that is no number.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise LocalProtocolError(f"{text!r} is no HOST:PORT")
    return host.removeprefix("[").removesuffix("]") or "127.0.0.1", int(port)


def simulate(
    protocol: Annotated[
        str, typer.Argument(help=f"One of {', '.join(simulators())}.", autocompletion=_complete)
    ],
    listen: Annotated[str, typer.Option(help="Where to listen; port 0 takes a free one.")] = "127.0.0.1:0",
    count: Annotated[int, typer.Option(min=1, max=100_000, help="How many meters.")] = 1,
    seed: Annotated[int, typer.Option(help="The same seed gives the same meters.")] = 1,
    config: Annotated[Path | None, typer.Option(help="TOML file with the simulator's own settings.")] = None,
) -> None:
    """Simulate meters; when they are ready, print an address for each, as read takes it."""
    host, port = host_and_port(listen)
    settings = Settings(count, seed, config=_config(config))
    asyncio.run(_serve(protocol, settings, host, port))


async def _serve(protocol: str, settings: Settings, host: str, port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with run_fleet(protocol, settings, host, port) as addresses:
        for address in addresses:
            typer.echo(address)
        count = "1 meter answers" if len(addresses) == 1 else f"{len(addresses)} meters answer"
        typer.echo(f"{count}; Ctrl-C ends it", err=True)
        await stop.wait()


def _config(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise LocalProtocolError(f"{path}: {error}") from error
