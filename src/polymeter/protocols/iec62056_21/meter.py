"""The meter's end, in every mode: read-out, registers, profiles, for simulators and tests.

`Meter.answer` is pure: an event in, events out. `serve` is the conversation around it, as a
procedure, so that the same meter answers over TCP, a pseudo-terminal or in simulated time.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from polymeter.protocols.iec62056_21.connection import Connection
from polymeter.protocols.iec62056_21.frames import (
    BAUD_RATES,
    Acknowledge,
    Break,
    Command,
    DataLine,
    DataMessage,
    DataSet,
    Event,
    Identification,
    OptionSelect,
    PlainData,
    Repeat,
    Request,
    decode_data,
    encode_data,
)
from polymeter.protocols.iec62056_21.modes import MODE_B_RATES, PUSH_LINE, mode_of
from polymeter.protocols.procedure import Pause, Procedure, Receive, Send, SetLine
from polymeter.protocols.wire import NEED_DATA, RemoteProtocolError, TimedOut

__all__ = ["Meter", "push", "serve"]

Registers = Mapping[str, DataSet]

SIGN_ON: Final = SetLine(300, 7, "E")
"""The line before anything is agreed (§ 5.1.1, 6.3.1)."""

_REPEAT_WINDOW_S = 1.5
"""How long a meter waits after its read-out for NAK, before it is back at 300 Bd (§ 6.3.4)."""


_BLOCKS_MAX: Final = 100
"""Partial blocks of one write; a meter's memory ends somewhere, too."""


@dataclass(slots=True)
class Meter:
    """What the meter is and what it shows."""

    identification: Identification
    registers: Callable[[], Registers]
    """Address to data set, as it is at this moment; the read-out has them in this order."""
    address: str = ""
    password: str | None = field(default=None, repr=False)
    operand: str = ""
    algorithm: Callable[[str], str] | None = field(default=None, repr=False)
    """What P2 must answer to the operand; P1 is then refused."""
    write: Callable[[str, str], bool] | None = None
    """Takes an address and a value; says whether the meter accepts it."""
    profiles: Mapping[str, Callable[[str, str], tuple[DataLine, ...]]] = field(default_factory=dict)
    """Load profiles and logs: the lines between two bounds, as the command has them."""
    lines_per_block: int = 4
    """How R3, R4 and R6 are cut."""
    _unlocked: bool = field(default=False, repr=False)
    _last: tuple[Event, ...] = field(default=(), repr=False)
    _blocks: list[DataMessage] = field(default_factory=list, repr=False)
    _written: list[str] = field(default_factory=list, repr=False)

    def session(self) -> Meter:
        """The same meter in a conversation of its own: nobody is logged in yet."""
        return replace(self, _unlocked=False, _last=(), _blocks=[], _written=[])

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
                if mine and mode_of(self.identification) in ("A", "B"):
                    return (self.identification, self._read_out())
                return (self.identification,) if mine else ()
            case OptionSelect(mode="0"):
                return (self._read_out(),)
            case OptionSelect(mode="1"):
                return (Command("P0", f"({self.operand})"),)
            case OptionSelect(mode="2"):
                return (event,) if mode_of(self.identification) == "E" else ()
            case Command("P1" | "P2", data):
                self._unlocked = self._lets_in(event.command, _bracketed(data or ""))
                return (Acknowledge(),) if self._unlocked else (Break(),)
            case Command(command, data) if command[:1] in "RWE" and data and self._unlocked:
                return self._do(event)
            case Command():
                return (DataMessage("(ERROR)"),)
            case Acknowledge() if self._blocks:
                return (self._blocks.pop(0),)
            case _:
                return ()

    def _read_out(self) -> DataMessage:
        return DataMessage(encode_data(tuple((data_set,) for data_set in self.registers().values())))

    def _lets_in(self, command: str, given: str) -> bool:
        if self.algorithm is not None:
            expected = self.algorithm(self.operand) if command == "P2" else None
        else:
            expected = (given if self.password is None else self.password) if command == "P1" else None
        if expected is None:
            return False
        return hmac.compare_digest(given.encode("latin-1", "replace"), expected.encode("latin-1", "replace"))

    def _do(self, command: Command) -> Sequence[Event]:
        address, _, rest = (command.data or "").partition("(")
        if command.command[0] != "R":
            return self._take(command)
        if address in self.profiles:
            start, _, end = rest.removesuffix(")").partition(";")
            lines = self.profiles[address](start, end)
        else:
            data_set = self.registers().get(address)
            lines = ((data_set,),) if data_set is not None else ()
        if not lines:
            return (DataMessage("(ERROR)"),)
        if command.command in ("R3", "R4", "R6"):
            self._blocks = _blocks(lines, self.lines_per_block)
            return (self._blocks.pop(0),)
        return (DataMessage(encode_data(lines, end=False).removesuffix("\r\n")),)

    def _take(self, command: Command) -> Sequence[Event]:
        """Write; partial blocks count when the last one is there."""
        self._written.append(command.data or "")
        if len(self._written) > _BLOCKS_MAX:
            self._written = []
            return (DataMessage("(ERROR)"),)
        if command.more:
            return (Acknowledge(),)
        written, self._written = self._written, []
        sets = [data_set for data in written for line in decode_data(data, strict=False) for data_set in line]
        accepted = self.write is not None and bool(sets)
        for data_set in sets:
            if self.write is not None and data_set.address:
                accepted = accepted and self.write(data_set.address, data_set.value)
        return (Acknowledge() if accepted else DataMessage("(ERROR)"),)


def _bracketed(data: str) -> str:
    return data.removeprefix("(").removesuffix(")")


def _blocks(lines: tuple[DataLine, ...], count: int) -> list[DataMessage]:
    starts = range(0, len(lines), count)
    return [
        DataMessage(encode_data(lines[start : start + count], end=False), more=start + count < len(lines))
        for start in starts
    ]


class Answering(Protocol):
    """What `serve` needs of a meter, or of a line of several."""

    def answer(self, event: Event) -> Sequence[Event]:
        """What is said to `event`."""


def serve(
    meter: Answering,
    inactivity_s: float = 60.0,
    reaction_s: float = 0.0,
    option_wait_s: float | None = None,
    hdlc: Callable[[], Procedure[None]] | None = None,
) -> Procedure[None]:
    """Answer whoever is on the line until it closes; after `inactivity_s` the session is forgotten.

    With `option_wait_s` a reader that chooses nothing gets the read-out after that time, at
    300 Bd, as mode C has it. `hdlc` goes on where a reader chooses mode E; without it there is none.
    """
    connection = Connection("meter")
    yield SIGN_ON
    while True:
        waits = {"read out": _REPEAT_WINDOW_S, "identified": option_wait_s or inactivity_s}
        try:
            data = yield Receive(waits.get(connection.state, inactivity_s))
        except TimedOut:
            if option_wait_s is not None and connection.state == "identified":
                connection.discard()
                for answer in meter.answer(OptionSelect("0", "0", "0")):
                    yield Send(connection.send(answer))
                continue
            connection.reset()
            yield SIGN_ON
            continue
        if not data:
            return
        yield from _take(meter, connection, data, reaction_s, hdlc)


def _take(
    meter: Answering,
    connection: Connection,
    data: bytes,
    reaction_s: float,
    hdlc: Callable[[], Procedure[None]] | None,
) -> Procedure[None]:
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
        if isinstance(event, OptionSelect):
            if event.mode == "2":
                if hdlc is None:
                    connection.reset()
                    continue
                yield from _hand_over(connection, event, answers, hdlc)
                return
            yield SIGN_ON._replace(baud=BAUD_RATES.get(event.baud, 300))
        yield from _say(connection, event, answers)
        if connection.state == "idle":
            yield SIGN_ON


def _say(connection: Connection, event: Event, answers: Sequence[Event]) -> Procedure[None]:
    """Send the answers; a meter of mode B switches between its identification and its data."""
    if isinstance(event, Request):
        if not answers:
            connection.reset()
            return
        first, *answers = answers
        yield Send(connection.send(first))
        if answers and isinstance(first, Identification) and first.baud in MODE_B_RATES:
            yield SIGN_ON._replace(baud=MODE_B_RATES[first.baud])
            yield Pause(first.reaction_time_s)  # for the reader to do the same (§ 6.3.3)
    if answers:
        yield Send(b"".join(connection.send(answer) for answer in answers))


def _hand_over(
    connection: Connection,
    chosen: OptionSelect,
    answers: Sequence[Event],
    hdlc: Callable[[], Procedure[None]],
) -> Procedure[None]:
    """Confirm mode E, switch, and let HDLC have the line until it is done."""
    if answers:
        yield Send(connection.send(answers[0]))
        yield SetLine(BAUD_RATES.get(chosen.baud, 300), 8, "N")
        yield from hdlc()
    connection.reset()
    yield SIGN_ON


def push(
    identification: Identification,
    registers: Callable[[], Registers],
    interval_s: float = 10.0,
    times: int | None = None,
) -> Procedure[None]:
    """A meter of mode D: sends its data every so often and hears nothing (§ 6.4.5)."""
    yield PUSH_LINE
    count = 0
    while times is None or count < times:
        if count:
            yield Pause(interval_s)
        connection = Connection("meter")
        lines = tuple((data_set,) for data_set in registers().values())
        said = (identification, PlainData(encode_data(lines)))
        yield Send(b"".join(connection.send(event) for event in said))
        count += 1
