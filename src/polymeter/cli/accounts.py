"""``polymeter user`` and ``polymeter token``: who may come in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from polymeter.cli.platform import Config, load_settings, run_async
from polymeter.protocols.wire import LocalProtocolError

__all__ = ["register", "with_store"]

T = TypeVar("T")

Organization = Annotated[
    str, typer.Option(help="Organization, by name; created if it is new. '*' is the platform itself.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    user = typer.Typer(help="Users: people who log in.", no_args_is_help=True)
    user.command("add")(add_user)
    app.add_typer(user, name="user")
    token = typer.Typer(help="Tokens: keys for programs.", no_args_is_help=True)
    token.command("add")(add_token)
    app.add_typer(token, name="token")


def add_user(
    name: Annotated[str, typer.Argument(help="The name to log in with.")],
    organization: Organization,
    role: Annotated[str, typer.Option(help="reader, operator or admin.")] = "reader",
    password_file: Annotated[
        Path | None, typer.Option(help="File with the password; without it, it is asked for.")
    ] = None,
    config: Config = None,
) -> None:
    """Add a user, or give an existing one a role in one more organization."""
    if password_file is not None:
        try:
            password = password_file.read_text("utf-8").strip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise LocalProtocolError(f"cannot read the password from {password_file}: {error}") from error
    else:
        password = typer.prompt("password", hide_input=True, confirmation_prompt=True, err=True)

    async def work(store: Any) -> None:
        from polymeter.services import accounts

        if organization != accounts.EVERYWHERE:
            await accounts.ensure_organization(store, organization)
        await accounts.add_user(store, name, password, organization=organization, role=role)

    with_store(config, work)
    typer.echo(f"{name} may log in to {organization} as {role}", err=True)


def add_token(
    name: Annotated[str, typer.Argument(help="What the token is for.")],
    organization: Organization,
    scope: Annotated[list[str] | None, typer.Option(help="What it may do; may be repeated.")] = None,
    config: Config = None,
) -> None:
    """Make a service token and print it; it cannot be shown again."""

    async def work(store: Any) -> str:
        from polymeter.services import accounts

        if organization != accounts.EVERYWHERE:
            await accounts.ensure_organization(store, organization)
        made: tuple[Any, str] = await accounts.add_token(
            store, name, organization=organization, scopes=tuple(scope or ())
        )
        return made[1]

    typer.echo(with_store(config, work))


def with_store(config: Path | None, work: Callable[[Any], Awaitable[T]]) -> T:
    """Do something with the platform's store."""
    settings = load_settings(config)

    async def opened() -> T:
        from polymeter.services.accounts import InvalidAccount
        from polymeter.store import Store

        settings.data_dir.mkdir(parents=True, exist_ok=True)
        embedded = settings.database.startswith("sqlite")
        async with await Store.open(settings.database, upgrade=embedded) as store:
            try:
                return await work(store)
            except InvalidAccount as error:
                raise LocalProtocolError(str(error)) from error

    return run_async(opened())
