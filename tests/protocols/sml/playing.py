"""A meter to be asked, and a line between it and a reader that is cut into any pieces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from polymeter.protocols import sml
from polymeter.protocols.procedure import Procedure, Receive, Send, advance
from polymeter.protocols.sml.elements import Element
from polymeter.protocols.wire import NEED_DATA, NeedData, TimedOut

__all__ = [
    "EMPTY",
    "ENERGY",
    "EXPORT",
    "LIST",
    "LOG",
    "NAME",
    "NOW",
    "NUMBER",
    "OPTIONS",
    "OTHER_LIST",
    "PROFILE",
    "ROOT",
    "SERVER",
    "START",
    "STATE",
    "Played",
    "asked",
    "meter",
]

T = TypeVar("T")
SERVER = bytes.fromhex("0a01504d580000000001")
ENERGY = bytes.fromhex("0100010800ff")
EXPORT = bytes.fromhex("0100020800ff")
LIST = bytes.fromhex("0100620affff")
OTHER_LIST = bytes.fromhex("990000000003")
PROFILE = bytes.fromhex("8181c78611ff")
EMPTY = bytes.fromhex("8181c78610ff")
ROOT = bytes.fromhex("8181c78201ff")
NUMBER = bytes.fromhex("8181c78202ff")
NAME = bytes.fromhex("8181c78203ff")
STATE = bytes.fromhex("8181c7820eff")
LOG = bytes.fromhex("8181c789e1ff")
NOW = 1769882400
START = datetime(2026, 1, 31, 18, tzinfo=UTC)
OPTIONS = sml.Options(SERVER, username=b"operator", password=b"secret", timeout_s=3, repeats=0)


@dataclass
class Played:
    """A meter and what was set in it."""

    meter: sml.Meter
    store: dict[bytes, Element] = field(default_factory=dict)


def meter(*, clock: bool = True, guarded: bool = True, rows: int = 8) -> Played:
    """A meter with a list, four parameters and a profile of a quarter of an hour."""
    store = {
        NUMBER: sml.unsigned(5, 2),
        NAME: sml.octets(b"name"),
        STATE: sml.boolean(True),
        ROOT: sml.integer(-1, 1),
    }

    def setting(name: bytes, *, fixed: bool = False) -> sml.Setting:
        def write(value: Element) -> bool:
            if value.value == 99:
                return False
            store[name] = value
            return True

        return sml.Setting(lambda: store[name], None if fixed else write)

    def time(second: int | None) -> Element:
        second = NOW if second is None else second
        return sml.timestamp(second) if clock else sml.sec_index(second)

    def recorded() -> list[sml.RecordingRow]:
        return [sml.RecordingRow(NOW + 900 * n, n % 3, (1000 + n, -n)) for n in range(rows)]

    columns = (sml.Column(ENERGY, 30, -1), sml.Column(EXPORT, 30, 0))
    played = sml.Meter(
        SERVER,
        time,
        {
            LIST: lambda: [sml.Entry(ENERGY, 123456, 30, -1, 0x182), sml.Entry(NAME, b"PMX")],
            OTHER_LIST: lambda: [sml.Entry(EXPORT, 7, 30, 3)],
        },
        {
            (ROOT,): setting(ROOT, fixed=True),
            (ROOT, NUMBER): setting(NUMBER),
            (ROOT, NAME): setting(NAME),
            (ROOT, LOG, STATE): setting(STATE),
        },
        {(PROFILE,): sml.Recording(columns, recorded, 900), (EMPTY,): sml.Recording(columns, list, 60)},
        b"operator" if guarded else None,
        b"secret" if guarded else None,
    )
    return Played(played, store)


def pieces(data: bytes, cuts: Iterable[int]) -> Iterator[bytes]:
    """The data in pieces of these sizes, the rest at once."""
    at = 0
    for size in cuts:
        if at >= len(data):
            return
        yield data[at : at + size]
        at += size
    if at < len(data):
        yield data[at:]


def asked(
    procedure: Procedure[T],
    played: sml.Meter | None = None,
    *,
    cuts: Iterable[int] = (),
    change: Any = lambda data: data,
    checksum: sml.Checksum = sml.X25,
) -> T:
    """What a reader's procedure gives who asks the meter, over a line that cuts and changes answers.

    Where an answer ends and more is waited for, there is silence.
    """
    heard = sml.Connection(checksum)
    waiting: list[bytes] = []
    step = advance(procedure, None)
    while True:
        outcome: bytes | TimedOut = b""
        if isinstance(step, Send):
            heard.receive_data(step.data)
            while not isinstance(file := heard.next_event(), NeedData):
                said = (played or meter().meter).answer(file)
                answer = change(heard.send(said) if said else b"")
                waiting.extend(pieces(answer, cuts))
            assert file is NEED_DATA
        else:
            assert isinstance(step, Receive)
            outcome = waiting.pop(0) if waiting else TimedOut("silence")
        try:
            step = advance(procedure, outcome)
        except StopIteration as stop:
            result: T = stop.value
            return result
