"""``polymeter decode``: any frame, explained."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from polymeter.catalogue import PROTOCOLS, Frame, decode_frames
from polymeter.catalogue.decoding import INPUT_MAX, input_bytes, key_bytes, telegram_bytes, tree_text
from polymeter.catalogue.readings import value_text
from polymeter.cli.output import json_line, reading_table
from polymeter.cli.secrets import secret
from polymeter.protocols.wire import LocalProtocolError, ProtocolError
from polymeter.transports.pcap import is_capture, read_capture

__all__ = ["register"]

_COLUMNS = ("frame", "protocol", "meter", "series", "obis", "quantity", "value", "unit", "timestamp")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(decode)


def _complete_protocol(incomplete: str) -> list[str]:
    return [name for name in ("auto", *PROTOCOLS) if name.startswith(incomplete)]


def decode(
    given: Annotated[
        str,
        typer.Argument(
            metavar="HEX|FILE|-",
            help="Hex digits, a receiver's line, a file (also pcap or pcapng), or - for stdin.",
        ),
    ],
    protocol: Annotated[
        str,
        typer.Option(
            help=f"Protocol of the frame: auto, {', '.join(PROTOCOLS)}.", autocompletion=_complete_protocol
        ),
    ] = "auto",
    key: Annotated[
        list[str] | None,
        typer.Option(help="Key in hex; may be repeated. @FILE reads it from a file, env:NAME from there."),
    ] = None,
    auth_key: Annotated[str | None, typer.Option(help="Authentication key, given like a key.")] = None,
    lenient: Annotated[bool, typer.Option("--lenient", help="Go on where a check does not fit.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object for each frame.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the readings as CSV.")] = False,
) -> None:
    """Decode a frame, or every frame of a capture, and explain each of its bytes."""
    if as_json and as_csv:
        raise LocalProtocolError("give --json or --csv, not both")
    keys = [key_bytes(secret(one)) for one in key or ()]
    authentication = key_bytes(secret(auth_key), "authentication key") if auth_key else None
    valid = True
    table = csv.writer(sys.stdout, lineterminator="\n") if as_csv else None
    if table is not None:
        table.writerow(_COLUMNS)
    number = 0
    problems: list[ProtocolError] = []
    for data in _inputs(_read(given), problems):
        for frame in decode_frames(data, protocol, keys=keys, auth_key=authentication, lenient=lenient):
            number += 1
            problem = not frame.decoded.valid or (frame.decoded.encrypted and bool(frame.decoded.errors))
            valid = valid and not problem
            if as_json:
                typer.echo(json_line(frame.as_dict()))
            elif table is not None:
                table.writerows(_rows(number, frame))
                for one in frame.decoded.errors:
                    typer.echo(f"frame {number}: {one.message} (offset {one.offset})", err=True)
            else:
                _explain(number, frame)
    if problems:
        raise problems[0]
    if not number:
        raise LocalProtocolError("the input holds no frame")
    if not valid:
        raise typer.Exit(1)


def _read(given: str) -> bytes | str:
    if given == "-":
        return sys.stdin.buffer.read(INPUT_MAX + 1)
    if _is_file(given):
        try:
            with Path(given).open("rb") as file:
                return file.read(INPUT_MAX + 1)
        except OSError as error:
            raise LocalProtocolError(f"cannot read {given}: {error.strerror}") from error
    data = input_bytes(given)
    if data == telegram_bytes(given) and not _is_line(given, data):
        raise LocalProtocolError(f"{given[:60]!r} is neither hex digits nor a file")
    return data


def _is_line(given: str, data: bytes) -> bool:
    """Whether this is a telegram as a receiver prints it, and no mistyped path."""
    return not given.startswith("/") and any(one.detect(data) for one in PROTOCOLS.values())


def _is_file(given: str) -> bool:
    try:
        return Path(given).is_file()
    except (OSError, ValueError):  # too long or not a name at all: then it is no file
        return False


def _inputs(data: bytes | str, problems: list[ProtocolError]) -> Iterator[bytes]:
    """The input as it is, or what was said in a capture; what is wrong with that goes to `problems`."""
    given = input_bytes(data)
    if not is_capture(given):
        yield given
        return
    capture = read_capture(given)
    for conversation in capture.conversations:
        typer.echo(
            f"{conversation.transport} {conversation.source} -> {conversation.destination}, "
            f"{len(conversation.data)} bytes",
            err=True,
        )
        yield conversation.data
    if capture.problem is not None:
        problems.append(capture.problem)


def _rows(number: int, frame: Frame) -> Iterator[tuple[object, ...]]:
    meter = frame.decoded.meter.id or ""
    for reading in frame.readings:
        yield (
            number,
            frame.decoded.protocol,
            meter,
            reading.series,
            reading.obis or "",
            reading.quantity,
            value_text(reading.value),
            reading.unit or "",
            reading.timestamp.isoformat() if reading.timestamp is not None else "",
        )


def _explain(number: int, frame: Frame) -> None:
    """A frame for people: what it is, its tree, its readings, what is wrong."""
    shown = frame.as_dict()
    state = "valid" if frame.decoded.valid else "INVALID"
    typer.echo(f"frame {number}: {frame.decoded.protocol}, {state}: {frame.decoded.why}")
    if meter := " ".join(f"{name}={value}" for name, value in shown["meter"].items()):
        typer.echo(f"meter: {meter}")
    if frame.decoded.tree is not None:
        typer.echo(tree_text(frame.decoded.tree))
    if frame.readings:
        typer.echo(reading_table(frame.readings))
    for problem in frame.decoded.errors:
        typer.echo(f"error at {problem.layer}:{problem.offset:04x}: {problem.message}")
    typer.echo("")
