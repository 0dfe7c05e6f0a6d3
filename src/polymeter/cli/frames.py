"""``polymeter replay`` and ``polymeter audit verify``: looking back at what came and what was done."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from polymeter.cli.accounts import with_store
from polymeter.cli.platform import Config
from polymeter.protocols.wire import ProtocolError

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(replay)
    audit = typer.Typer(help="The audit log.", no_args_is_help=True)
    audit.command()(verify)
    app.add_typer(audit, name="audit")


def replay(
    protocol: Annotated[str | None, typer.Option(help="Only frames of this protocol.")] = None,
    frame: Annotated[
        list[int] | None, typer.Option(help="Only the frame with this id; may be repeated.")
    ] = None,
    done: Annotated[
        bool, typer.Option("--done", help="Also frames that were read already, for a mended decoder.")
    ] = False,
    config: Config = None,
) -> None:
    """Read quarantined frames again: the running processor takes them up at once."""

    async def work(store: Any) -> int:
        from polymeter.store import ANY, frames

        count: int = await store.write(frames.requeue, ANY, protocol=protocol, ids=frame or None, done=done)
        return count

    typer.echo(f"{with_store(config, work)} frames will be read again", err=True)


def verify(config: Config = None) -> None:
    """Follow the audit log's chain of hashes and say where it breaks."""

    async def work(store: Any) -> int | None:
        from polymeter.store import audit

        broken: int | None = await store.read(audit.verify)
        return broken

    broken = with_store(config, work)
    if broken is not None:
        raise ProtocolError(f"the audit log was altered: entry {broken} does not fit the one before it")
    typer.echo("the audit log is whole")
