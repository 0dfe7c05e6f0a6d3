"""The meter's end: a mode C meter with a read-out and registers, for simulators and tests.

`Meter.answer` is pure: an event in, events out. `serve` is the conversation around it, as a
procedure, so that the same meter answers over TCP, a pseudo-terminal or in simulated time.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from polymeter.protocols.iec62056_21.connection import Connection
from polymeter.protocols.iec62056_21.frames import (
    BAUD_RATES,
    Acknowledge,
    Break,
    Command,
    DataMessage,
    DataSet,
    Event,
    Identification,
    OptionSelect,
    Repeat,
    Request,
    encode_data,
)
from polymeter.protocols.procedure import Pause, Procedure, Receive, Send, SetLine
from polymeter.protocols.wire import NEED_DATA, RemoteProtocolError, TimedOut

__all__ = ["Meter", "serve"]

Registers = Mapping[str, DataSet]

_REPEAT_WINDOW_S = 1.5
"""How long a meter waits after its read-out for NAK, before it is back at 300 Bd (§ 6.3.4)."""


@dataclass(slots=True)
class Meter:
    """What the meter is and what it shows."""

    identification: Identification
    registers: Callable[[], Registers]
    """Address to data set, as it is at this moment; the read-out has them in this order."""
    address: str = ""
    password: str | None = field(default=None, repr=False)
    operand: str = ""
    _unlocked: bool = field(default=False, repr=False)
    _last: tuple[Event, ...] = field(default=(), repr=False)

    def session(self) -> Meter:
        """The same meter in a conversation of its own: nobody is logged in yet."""
        return replace(self, _unlocked=False, _last=())

    def answer(self, event: Event) -> Sequence[Event]:
        """What the meter says to `event`; nothing to what is not for it."""
        if event == Repeat():
            return self._last
        self._last = tuple(self._answer(event))
        return self._last

    def _answer(self, event: Event) -> Sequence[Event]:
        match event:
            case Request(address):
                self._unlocked = self.password is None
                mine = address.lstrip("0") in ("", self.address.lstrip("0"))
                return (self.identification,) if mine else ()
            case OptionSelect(mode="0"):
                lines = tuple((data_set,) for data_set in self.registers().values())
                return (DataMessage(encode_data(lines)),)
            case OptionSelect(mode="1"):
                return (Command("P0", f"({self.operand})"),)
            case Command("P1", data):
                given = (data or "").removeprefix("(").removesuffix(")")
                expected = (given if self.password is None else self.password).encode("latin-1", "replace")
                self._unlocked = hmac.compare_digest(given.encode("latin-1", "replace"), expected)
                return (Acknowledge(),) if self._unlocked else (Break(),)
            case Command("R1", data):
                return (DataMessage(self._read(data or "")),)
            case Command():
                return (DataMessage("(ERROR)"),)
            case _:
                return ()

    def _read(self, data: str) -> str:
        address, _, _ = data.partition("(")
        data_set = self.registers().get(address)
        if data_set is None or not self._unlocked:
            return "(ERROR)"
        return encode_data(((data_set,),), end=False).removesuffix("\r\n")


class Answering(Protocol):
    """What `serve` needs of a meter, or of a line of several."""

    def answer(self, event: Event) -> Sequence[Event]:
        """What is said to `event`."""


def serve(meter: Answering, inactivity_s: float = 60.0, reaction_s: float = 0.0) -> Procedure[None]:
    """Answer whoever is on the line until it closes; after `inactivity_s` the session is forgotten."""
    connection = Connection("meter")
    yield SetLine(300, 7, "E")
    while True:
        try:
            data = yield Receive(_REPEAT_WINDOW_S if connection.state == "read out" else inactivity_s)
        except TimedOut:
            connection.reset()
            yield SetLine(300, 7, "E")
            continue
        if not data:
            return
        yield from _take(meter, connection, data, reaction_s)


def _take(meter: Answering, connection: Connection, data: bytes, reaction_s: float) -> Procedure[None]:
    """Answer everything that `data` completes."""
    try:
        connection.receive_data(data)
    except RemoteProtocolError:
        connection.reset()
    while True:
        try:
            event = connection.next_event()
        except RemoteProtocolError:
            # A damaged command is answered by NAK; anything else is noise to a meter.
            if connection.state == "programming":
                yield Send(connection.send(Repeat()))
            continue
        if event is NEED_DATA:
            return
        assert not isinstance(event, type(NEED_DATA))
        if reaction_s:
            yield Pause(reaction_s)
        answers = meter.answer(event)
        if isinstance(event, Request) and not answers:
            connection.reset()
        if isinstance(event, OptionSelect):
            yield SetLine(BAUD_RATES.get(event.baud, 300), 7, "E")
        if answers:
            yield Send(b"".join(connection.send(answer) for answer in answers))
        if connection.state == "idle":
            yield SetLine(300, 7, "E")
