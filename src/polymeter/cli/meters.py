"""``polymeter read`` and ``polymeter call``: one meter, now, without a platform."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from polymeter.catalogue import TelegramReading
from polymeter.catalogue.readings import value_text
from polymeter.cli.output import json_line, reading_table
from polymeter.cli.secrets import with_secrets
from polymeter.drivers import Meter, Row, connect, drivers
from polymeter.drivers.driver import argument_value
from polymeter.drivers.faces import driver_for
from polymeter.protocols.wire import LocalProtocolError

__all__ = ["register"]


def _complete_scheme(incomplete: str) -> list[str]:
    """Addresses begin with the scheme of a driver."""
    return [f"{scheme}://" for scheme in drivers() if scheme.startswith(incomplete)]


_URL = Annotated[
    str,
    typer.Argument(
        metavar="URL",
        help="The meter's address: SCHEME://HOST:PORT?NAME=VALUE.",
        autocompletion=_complete_scheme,
    ),
]
_Secret = Annotated[
    list[str] | None,
    typer.Option("--secret", help="A secret parameter: NAME=@FILE, NAME=env:VARIABLE, or NAME to be asked."),
]
_Trace = Annotated[bool, typer.Option("--trace", help="Show what travels, on stderr.")]
_Record = Annotated[Path | None, typer.Option("--record", help="Write the conversation to this file.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON, an object per line.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(read)
    app.command()(call)


def _open(stack: ExitStack, url: str, secrets: list[str] | None, trace: bool, record: Path | None) -> Meter:
    tell = (lambda line: typer.echo(line, err=True)) if trace else None
    write = None
    driver_for(url)  # a wrong address is told before a file is made
    if record is not None:
        try:
            file = stack.enter_context(record.open("w", encoding="ascii"))
        except OSError as error:
            raise LocalProtocolError(f"cannot write {record}: {error.strerror}") from error

        def write(line: str) -> None:
            file.write(line + "\n")

    return stack.enter_context(connect(with_secrets(url, secrets or ()), trace=tell, record=write))


def read(
    url: _URL,
    objects: Annotated[
        list[str] | None, typer.Argument(help="What to read; everything the meter shows, if left out.")
    ] = None,
    start: Annotated[str | None, typer.Option("--from", help="Begin of a profile, ISO time.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="End of a profile, ISO time (now).")] = None,
    secret: _Secret = None,
    trace: _Trace = False,
    record: _Record = None,
    as_json: _Json = False,
) -> None:
    """Read one meter. With --from the object is a load profile, read from then on."""
    if start is None and end is not None:
        raise LocalProtocolError("--to needs --from")
    with ExitStack() as stack:
        meter = _open(stack, url, secret, trace, record)
        if start is None:
            readings = meter.read(*(objects or ()))
        else:
            if len(objects or ()) != 1:
                raise LocalProtocolError("--from needs exactly one object, the profile")
            rows = meter.read_profile((objects or [""])[0], _time(start), _time(end))
            readings = [reading for row in rows for reading in row.readings]
    if as_json:
        for reading in readings:
            typer.echo(json_line(reading.as_dict()))
    else:
        typer.echo(reading_table(readings))
    if any(reading.error is not None for reading in readings):
        raise typer.Exit(1)


def _time(text: str | None) -> datetime:
    if text is None:
        return datetime.now().astimezone()
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise LocalProtocolError(f"{text!r} is no ISO time such as 2026-01-31T00:00+01:00") from error


def call(
    url: _URL,
    name: Annotated[
        str, typer.Argument(metavar="CALL", help="The call, such as set_clock; 'help' lists them.")
    ],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="NAME=VALUE…", help="Its arguments.")
    ] = None,
    secret: _Secret = None,
    trace: _Trace = False,
    record: _Record = None,
    as_json: _Json = False,
) -> None:
    """Make any call that the meter's driver knows."""
    driver = driver_for(url)
    calls = driver.calls()
    if name == "help":
        for known in calls.values():
            parameters = " ".join(
                f"{parameter}={wanted.__name__}" for parameter, wanted in known.parameters.items()
            )
            typer.echo(f"{known.name} {parameters}\n    {known.description}")
        return
    if name not in calls:
        raise LocalProtocolError(f"{driver.scheme} has no call {name!r}; there are {', '.join(calls)}")
    named: dict[str, Any] = {}
    for argument in arguments or ():
        parameter, given, text = argument.partition("=")
        if not given or parameter not in calls[name].parameters:
            names = ", ".join(calls[name].parameters) or "none"
            raise LocalProtocolError(f"{argument!r} is no argument of {name}; there are {names}")
        named[parameter] = argument_value(text, calls[name].parameters[parameter])
    positional = (named.pop("objects"),) if name == "read" and "objects" in named else ()
    with ExitStack() as stack:
        result = _open(stack, url, secret, trace, record).call(name, *positional, **named)
    _show(result, as_json)


def _show(result: Any, as_json: bool) -> None:
    items = result if isinstance(result, list) else [result]
    if as_json:
        for item in items:
            typer.echo(json_line(_plain(item)))
    elif readings := [reading for item in items for reading in _readings(item)]:
        typer.echo(reading_table(readings))
    else:
        for item in items:
            plain = _plain(item)
            typer.echo("done" if plain is None else plain if isinstance(plain, str) else json_line(plain))


def _readings(item: Any) -> tuple[TelegramReading, ...]:
    match item:
        case TelegramReading():
            return (item,)
        case Row():
            return item.readings
        case _:
            return ()


def _plain(item: Any) -> Any:
    """A result as JSON has it."""
    match item:
        case TelegramReading():
            return item.as_dict()
        case Row():
            return {
                "timestamp": value_text(item.timestamp),
                "status": item.status,
                "readings": [reading.as_dict() for reading in item.readings],
            }
        case None | bool() | str():
            return item
        case dict():
            return {str(key): _plain(value) for key, value in item.items()}
        case list() | tuple():
            return [_plain(value) for value in item]
        case _ if is_dataclass(item) and not isinstance(item, type):
            return _plain(asdict(item))
        case _:
            return value_text(item)
