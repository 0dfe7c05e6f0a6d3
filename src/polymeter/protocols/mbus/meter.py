"""The slaves' end: meters with primary and secondary addresses, and the bus that they share.

`Slave` is what a meter is and shows; `Bus.session` is one conversation with all of them: who is
selected, whose frame was counted last. `Session.answer` is pure: a frame in, the bytes that are on
the line out, which collide where several answer. `serve` is the conversation around it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from polymeter.protocols.mbus.addresses import SecondaryAddress
from polymeter.protocols.mbus.body import read_body
from polymeter.protocols.mbus.connection import Connection
from polymeter.protocols.mbus.control import BAUD_RATES
from polymeter.protocols.mbus.frames import (
    ADDRESS_BROADCAST,
    ADDRESS_SELECTED,
    ADDRESS_TEST,
    FCB,
    REQ_UD1,
    REQ_UD2,
    RSP_UD,
    SND_NKE,
    Acknowledge,
    Frame,
    LongFrame,
    ShortFrame,
    encode,
)
from polymeter.protocols.mbus.tpl import LongHeader
from polymeter.protocols.procedure import Pause, Procedure, Receive, Send, SetLine
from polymeter.protocols.wire import NeedData, Record, RemoteProtocolError, TimedOut

__all__ = ["Bus", "Session", "Slave", "serve"]

_COUNTED: Final = 0x10
_FUNCTION: Final = 0x4F
_CLOCK_SIZE: Final = 10
"""Of a clock command, behind the header that it may have."""


@dataclass(slots=True)
class Slave:
    """One meter on the bus."""

    header: LongHeader
    """Its secondary address; a fixed structure has only the number and the medium of it."""
    address: int
    telegrams: Callable[[], Sequence[tuple[int, bytes]]]
    """CI field and data of each telegram, as they are at this moment."""
    alarm: int | None = None
    reaction_s: float = 0.0
    garbles: int = 0
    """Every so many answers one is damaged, as on a bad line; 0 for never."""
    written: list[Record] = field(default_factory=list)
    """The records that were written to it, apart from its address."""
    on_write: Callable[[Record], None] | None = None
    """Told of each of them."""

    def write(self, data: bytes, ci: int) -> None:
        """Take in records that a master sends; addresses are taken over."""
        for record in read_body(data, 0, len(data), ci, from_master=True).records:
            value = record.value
            if record.name == "address" and isinstance(value, int):
                self.address = value & 0xFF
            elif record.name == "identification" and isinstance(value, str):
                self.header = self.header._replace(id=value)
            elif record.name == "identification" and isinstance(value, int):
                whole = SecondaryAddress.decode(value.to_bytes(8, "little"))
                maker = whole.manufacturer or self.header.manufacturer
                numbers = bytes.fromhex(whole.digits[12:])
                self.header = LongHeader(whole.digits[:8], maker, numbers[0], numbers[1])
            else:
                self.note(record)

    def note(self, record: Record) -> None:
        """Keep what was written."""
        self.written.append(record)
        if self.on_write is not None:
            self.on_write(record)


@dataclass(slots=True)
class _Link:
    """Where one slave stands in one conversation."""

    slave: Slave
    selected: bool = False
    counted: int | None = None
    """The control field of the last counted request: the same again asks for the same telegram."""
    next: int = 0
    sent: bytes = b""
    answers: int = 0

    def reset(self) -> None:
        self.counted, self.next = None, 0


class Bus:
    """Meters that hear everything."""

    def __init__(self, slaves: Sequence[Slave], *, exact_overlap: bool = False) -> None:
        self.slaves = list(slaves)
        self.exact_overlap = exact_overlap
        """Whether acknowledgements that collide look like one, as with equally fast meters."""

    def session(self) -> Session:
        """The bus in a conversation of its own: nobody is selected yet."""
        return Session(self)


class Session:
    """One master's conversation with all meters of a bus."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._links = [_Link(slave) for slave in bus.slaves]
        self.reaction_s = 0.0
        """How long the slowest of those who answered last takes."""

    def answer(self, frame: Frame) -> bytes:
        """What is on the line after `frame`: nothing, an answer, or several at once."""
        answers = []
        self.reaction_s = 0.0
        for link in self._links:
            said = self._said(link, frame)
            if said:
                link.answers += 1
                if link.slave.garbles and link.answers % link.slave.garbles == 0:
                    said = said[:-1] + bytes((said[-1] ^ 0x10,))
                answers.append(said)
                self.reaction_s = max(self.reaction_s, link.slave.reaction_s)
        return _collided(answers, self._bus.exact_overlap)

    def _said(self, link: _Link, frame: Frame) -> bytes:
        if isinstance(frame, Acknowledge):
            return b""
        slave = link.slave
        if frame.address == ADDRESS_SELECTED and isinstance(frame, LongFrame) and frame.ci in (0x52, 0x56):
            # Masters select with 53 and with 73: there is nothing to count yet.
            link.selected = len(frame.data) >= 8 and SecondaryAddress.decode(frame.data[:8]).matches(
                slave.header
            )
            link.reset()
            return b"\xe5" if link.selected else b""
        mine = frame.address in (slave.address, ADDRESS_TEST, ADDRESS_BROADCAST)
        if not mine and not (frame.address == ADDRESS_SELECTED and link.selected):
            return b""
        said = self._short(link, frame) if isinstance(frame, ShortFrame) else self._long(slave, link, frame)
        return b"" if frame.address == ADDRESS_BROADCAST else said

    def _short(self, link: _Link, frame: ShortFrame) -> bytes:
        match frame.control & (_FUNCTION | _COUNTED):
            case control if control & _FUNCTION == SND_NKE:
                link.reset()
                if frame.address == ADDRESS_SELECTED:
                    link.selected = False
                return b"\xe5"
            case control if control & _FUNCTION == REQ_UD2 & _FUNCTION:
                return self._telegram(link, frame)
            case control if control & _FUNCTION == REQ_UD1 & _FUNCTION:
                alarm = link.slave.alarm
                if alarm is None:
                    return b"\xe5"
                return encode(LongFrame(RSP_UD, link.slave.address, 0x71, bytes((alarm,))))
            case _:
                return b""

    def _telegram(self, link: _Link, frame: ShortFrame) -> bytes:
        """The next telegram, or the last one again if the frame count bit has not changed."""
        counted = bool(frame.control & _COUNTED)
        if counted and link.counted == frame.control & FCB and link.sent:
            return link.sent
        telegrams = link.slave.telegrams()
        if not telegrams:
            return b"\xe5"
        if not counted or link.next >= len(telegrams):
            link.next = 0
        ci, data = telegrams[link.next]
        link.next += 1
        link.counted = frame.control & FCB if counted else None
        link.sent = encode(LongFrame(RSP_UD, link.slave.address, ci, data))
        return link.sent

    def _long(self, slave: Slave, link: _Link, frame: LongFrame) -> bytes:
        if not frame.from_master:
            return b""
        address = slave.address
        if frame.ci == 0x50:
            link.reset()
        elif frame.ci in (0x51, 0x55):
            slave.write(frame.data, frame.ci)
        elif frame.ci not in (0x6C, 0x6D) and frame.ci not in BAUD_RATES:
            # Application error 1: unimplemented CI field.
            return encode(LongFrame(RSP_UD, address, 0x70, b"\x01"))
        else:
            name = {0x6C: "clock", 0x6D: "clock shift"}.get(frame.ci, "baud rate")
            value = BAUD_RATES.get(frame.ci, frame.data[-_CLOCK_SIZE:])
            slave.note(Record(name, value))
        return b"\xe5"


def _collided(answers: Sequence[bytes], exact_overlap: bool) -> bytes:
    """Several answers on one line: a slave sends by drawing current, so a 0 bit wins."""
    if len(answers) < 2:
        return answers[0] if answers else b""
    longest = bytearray(max(answers, key=len))
    for answer in answers:
        for at, byte in enumerate(answer):
            longest[at] &= byte
    if not exact_overlap and len(longest) < len(answers):
        # Each begins a little later than the one before: what is left of the last ones trails.
        longest += bytes(0xE5 >> 1 + at % 7 for at in range(len(answers) - 1))
    return bytes(longest)


def serve(bus: Bus, inactivity_s: float = 3600.0) -> Procedure[None]:
    """Answer whoever is on the line until it closes, or says nothing for `inactivity_s`."""
    connection = Connection("slave")
    session = bus.session()
    yield SetLine(2400, 8, "E")
    while True:
        try:
            data = yield Receive(inactivity_s)
        except TimedOut:
            return
        if not data:
            return
        try:
            connection.receive_data(data)
        except RemoteProtocolError:
            continue
        while True:
            try:
                frame = connection.next_event()
            except RemoteProtocolError:
                # A slave does not answer what it does not understand.
                continue
            if isinstance(frame, NeedData):
                break
            said = session.answer(frame)
            if not said:
                continue
            if session.reaction_s:
                yield Pause(session.reaction_s)
            connection.state = "idle"
            yield Send(said)
            if isinstance(frame, LongFrame) and frame.ci in BAUD_RATES and said == b"\xe5":
                yield SetLine(BAUD_RATES[frame.ci], 8, "E")
