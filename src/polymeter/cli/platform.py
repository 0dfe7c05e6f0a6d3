"""``polymeter serve``, ``run`` and ``db``: the platform, whole or role by role."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from polymeter.protocols.wire import LocalProtocolError, ProtocolError

__all__ = ["load_settings", "register", "run_async", "run_platform"]

T = TypeVar("T")

Listen = Annotated[str | None, typer.Option(help="Host and port of pages and HTTP interface.")]
Config = Annotated[Path | None, typer.Option(help="TOML file with settings.", envvar="POLYMETER_CONFIG")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(serve)
    app.command()(run)
    db = typer.Typer(help="The database's schema.", no_args_is_help=True)
    db.command()(upgrade)
    db.command()(check)
    app.add_typer(db, name="db")


def load_settings(config: Path | None = None, **overrides: Any) -> Any:
    """The settings; what is wrong with them is a wrong use of the command."""
    settings_module = _platform_module("polymeter.settings")
    try:
        return settings_module.Settings.load(os.environ, config, **overrides)
    except settings_module.InvalidSettings as error:
        raise LocalProtocolError(str(error)) from error


def _platform_module(name: str) -> Any:
    """A module of the platform; without the extra the error says how to get it."""
    from importlib import import_module

    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("polymeter"):
            raise
        raise LocalProtocolError(
            f"this command needs the extra: pip install 'polymeter[platform]' ({error.name} is missing)"
        ) from error


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run work to its end, on uvloop where it is installed; the platform's errors become readable lines."""
    from polymeter.bus import BusUnavailable
    from polymeter.settings import InvalidSettings
    from polymeter.store import StoreError

    try:
        import uvloop

        factory: Callable[[], asyncio.AbstractEventLoop] | None = uvloop.new_event_loop
    except ImportError:
        factory = None
    try:
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(work)
    except InvalidSettings as error:
        raise LocalProtocolError(str(error)) from error
    except (StoreError, BusUnavailable) as error:
        raise ProtocolError(str(error)) from error


async def run_platform(
    settings: Any, roles: tuple[str, ...], ready: Callable[[str, str], None] | None = None
) -> None:
    """Run roles until Ctrl-C or SIGTERM."""
    from polymeter.app import Platform

    async with Platform.open(settings) as platform:
        await platform.run(roles, stop_event(), ready or _announce)


def stop_event() -> asyncio.Event:
    """An event that Ctrl-C and SIGTERM set; a second Ctrl-C does not wait any longer."""
    stop = asyncio.Event()

    def asked() -> None:
        if stop.is_set():
            _leave_at_once()
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked)
    return stop


def _leave_at_once() -> NoReturn:
    os._exit(130)


def _announce(role: str, message: str) -> None:
    typer.echo(f"{role}: {message}", err=True)


def set_up_logs(settings: Any) -> None:
    """Send the platform's logs to stderr, without the secrets that are known."""
    known = [text for text in (settings.secret_key, settings.jwt_signing_key) if text]
    _platform_module("polymeter.observe").set_up_logs(
        settings.log_level, json=settings.log_json, secrets=known
    )


def serve(listen: Listen = None, config: Config = None) -> None:
    """Run the whole platform in this process."""
    _platform_module("polymeter.app")
    settings = load_settings(config, listen=listen)
    set_up_logs(settings)
    from polymeter.app import ROLES

    run_async(run_platform(settings, ROLES))


def _complete_role(incomplete: str) -> list[str]:
    from polymeter.app import ROLES

    return [role for role in ROLES if role.startswith(incomplete)]


def run(
    roles: Annotated[
        list[str],
        typer.Argument(
            metavar="ROLE…",
            help="api (with pages), receiver, processor, ingest, scheduler, worker.",
            autocompletion=_complete_role,
        ),
    ],
    listen: Listen = None,
    config: Config = None,
) -> None:
    """Run some roles of the platform; other processes run the others."""
    _platform_module("polymeter.app")
    settings = load_settings(config, listen=listen)
    set_up_logs(settings)
    run_async(run_platform(settings, tuple(roles)))


def upgrade(config: Config = None) -> None:
    """Bring the database to this version's schema."""
    run_async(_upgrade(load_settings(config)))
    typer.echo("the schema is up to date")


async def _upgrade(settings: Any) -> None:
    store = _platform_module("polymeter.store").Store
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    async with await store.open(settings.database, upgrade=True):
        pass


def check(config: Config = None) -> None:
    """Say whether the database has this version's schema."""
    run_async(_check(load_settings(config)))
    typer.echo("the schema is up to date")


async def _check(settings: Any) -> None:
    store = _platform_module("polymeter.store").Store
    async with await store.open(settings.database):
        pass
