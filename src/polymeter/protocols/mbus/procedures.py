"""What a master does on an M-Bus: initialise, read, select, write, set, switch.

Each is a generator over a `Connection` (see `polymeter.protocols.procedure`). What is damaged or
does not come is asked for again with the same frame count bit, at most `Options.repeats` times.
Finding meters is in `search`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from polymeter.protocols.mbus import data_types
from polymeter.protocols.mbus.addresses import SecondaryAddress
from polymeter.protocols.mbus.body import Body, read_body
from polymeter.protocols.mbus.connection import Connection
from polymeter.protocols.mbus.control import BAUD_RATES
from polymeter.protocols.mbus.encoding import encode_record
from polymeter.protocols.mbus.frames import (
    ADDRESS_BROADCAST,
    ADDRESS_SELECTED,
    ADDRESS_TEST,
    SND_NKE,
    Acknowledge,
    Frame,
    LongFrame,
    ShortFrame,
)
from polymeter.protocols.mbus.headers import Header
from polymeter.protocols.mbus.tpl import LongHeader
from polymeter.protocols.procedure import Procedure, Receive, Send, SetLine
from polymeter.protocols.wire import (
    NEED_DATA,
    LocalProtocolError,
    RemoteProtocolError,
    TimedOut,
    TransportError,
    Value,
)

__all__ = [
    "DEFAULTS",
    "Answer",
    "Options",
    "adjust_clock",
    "initialise",
    "read",
    "read_alarm",
    "reset_application",
    "select_data",
    "send_records",
    "set_baud",
    "set_clock",
    "set_primary",
    "set_secondary",
]

_ANYWHERE = (ADDRESS_SELECTED, ADDRESS_TEST)
NOISE_MAX: Final = 2048
"""Bytes that may come in place of an answer, of which the longest has 261; what babbles on is no bus."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to speak on one bus; the defaults suit level converters behind a TCP gateway."""

    answer_timeout_s: float = 2.0
    """How long to wait for the begin of an answer. The standard's slaves begin within 330 bit
    times and 50 ms, which is less than 0.2 s at 2400 Bd; gateways and radio links add to it."""
    gap_s: float = 0.5
    """Silence in the middle of a frame that ends the wait for the rest of it."""
    repeats: int = 2
    repeats_silence: bool = True
    """Whether silence after a selection is asked again; a search, which mostly hears silence, does
    not."""
    telegrams_max: int = 64
    """Telegrams after which a meter that always has more is left alone."""
    initialises: bool = True
    """Whether a reading begins with SND_NKE. Some meters need it, few are disturbed by it."""

    @classmethod
    def at_baud(cls, baud: int) -> Options:
        """Time-outs for a line without a gateway: the standard's, and half as much again."""
        answer = (330 / baud + 0.05) * 1.5
        return cls(answer_timeout_s=round(answer, 3), gap_s=round(max(33 / baud * 1.5, 0.05), 3))


DEFAULTS: Final = Options()


class Answer(NamedTuple):
    """One telegram of a meter, read."""

    frame: LongFrame
    body: Body


def receive(connection: Connection, options: Options) -> Procedure[Frame]:
    """The next frame of a slave.

    Raises:
        TimedOut: none came, or not whole.
        RemoteProtocolError: it is damaged, or the line never falls silent.
    """
    timeout_s, heard = options.answer_timeout_s, 0
    while True:
        event = connection.next_event()
        if event is not NEED_DATA:
            return event  # type: ignore[return-value]
        if heard > NOISE_MAX:
            raise RemoteProtocolError(f"{heard} bytes came and no frame was among them")
        data = yield Receive(timeout_s)
        if not data:
            raise TransportError("the line was closed")
        heard += len(data)
        connection.receive_data(data)
        timeout_s = options.gap_s


def ask(connection: Connection, frame: Frame, options: Options) -> Procedure[Frame]:
    """Say `frame` and give the answer; the very same frame again after damage and silence."""
    for attempt in range(options.repeats + 1):
        connection.clear()
        yield Send(connection.send(frame))
        try:
            return (yield from receive(connection, options))
        except RemoteProtocolError:
            if attempt == options.repeats:
                raise
        except TimedOut as error:
            if attempt == options.repeats:
                raise TimedOut(_silence(frame, len(connection.clear()), options)) from error
    raise AssertionError("unreachable: the last attempt returns or raises")


def _silence(frame: Frame, begun: int, options: Options) -> str:
    """What did not come, with the figures by which a line is set up."""
    address = None if isinstance(frame, Acknowledge) else frame.address
    who = "the selected meter" if address == ADDRESS_SELECTED else f"meter {address}"
    times = f"asked {options.repeats + 1} times" if options.repeats else "asked once"
    if begun:
        return f"{who} breaks off after {begun} bytes: silence of {options.gap_s:g} s, {times}"
    return f"{who} is silent: {times}, answer timeout {options.answer_timeout_s:g} s"


def initialise(connection: Connection, address: int, options: Options = DEFAULTS) -> Procedure[bool]:
    """SND_NKE: the meter at `address` counts frames from the start; 253 deselects who is selected.

    Gives whether a meter acknowledged. To all (255) nobody answers.
    """
    frame = ShortFrame(SND_NKE, address)
    if address == ADDRESS_BROADCAST:
        yield Send(connection.send(frame))
        return False
    try:
        answer = yield from ask(connection, frame, options)
    except TimedOut:
        return False
    return isinstance(answer, Acknowledge)


def read(
    connection: Connection, address: int, options: Options = DEFAULTS, keys: Sequence[bytes] = ()
) -> Procedure[list[Answer]]:
    """REQ_UD2 until the meter has no more telegrams.

    Whether it has more stands at the end of a telegram: of one that is encrypted only a key tells.

    Raises:
        TimedOut: the meter is silent.
        RemoteProtocolError: its answer is damaged every time, is another meter's or no data.
    """
    if options.initialises and address != ADDRESS_SELECTED:
        # A meter that is reached by its selection must not lose it: that would be SND_NKE to 253.
        yield from initialise(connection, address, options)
    answers: list[Answer] = []
    for _ in range(options.telegrams_max):
        frame = yield from ask(connection, connection.request(address), options)
        if not isinstance(frame, LongFrame):
            if answers:
                break
            raise RemoteProtocolError(f"meter {address} has no data: it only acknowledges")
        answers.append(_answer(frame, address, keys))
        if not answers[-1].body.more:
            break
    return answers


def _answer(frame: LongFrame, address: int, keys: Sequence[bytes] = ()) -> Answer:
    if address not in _ANYWHERE and frame.address != address:
        raise RemoteProtocolError(f"meter {frame.address} answers in place of {address}", 5)
    return Answer(frame, read_body(frame.data, 0, len(frame.data), frame.ci, keys=keys))


def read_alarm(connection: Connection, address: int, options: Options = DEFAULTS) -> Procedure[int | None]:
    """REQ_UD1: the meter's alarm status, `None` if it has no alarm to tell."""
    frame = yield from ask(connection, connection.request(address, alarm=True), options)
    match frame:
        case Acknowledge():
            return None
        case LongFrame(_, _, 0x71, data) if data:
            return data[0]
        case LongFrame():
            answer = _answer(frame, address)
            status = answer.body.header.status if answer.body.header is not None else 0
            return status
        case _:
            raise RemoteProtocolError(f"an alarm is expected, {frame} came")


def send(
    connection: Connection, address: int, ci: int, data: bytes = b"", options: Options = DEFAULTS
) -> Procedure[None]:
    """SND_UD, acknowledged.

    Raises:
        RemoteProtocolError: the meter reports an application error.
        TimedOut: it does not acknowledge.
    """
    frame = connection.send_data(address, ci, data)
    if address == ADDRESS_BROADCAST:
        yield Send(connection.send(frame))
        return
    answer = yield from ask(connection, frame, options)
    if isinstance(answer, LongFrame):
        body = read_body(answer.data, 0, len(answer.data), answer.ci)
        said = "; ".join(problem.message for problem in body.problems) or "it answers with data"
        raise RemoteProtocolError(f"meter {address} does not acknowledge: {said}")


def send_records(
    connection: Connection,
    address: int,
    records: Iterable[tuple[Header, Value]],
    options: Options = DEFAULTS,
) -> Procedure[None]:
    """Write records (CI 51)."""
    data = b"".join(encode_record(header, value) for header, value in records)
    yield from send(connection, address, 0x51, data, options)


def reset_application(
    connection: Connection, address: int, subcode: int | None = None, options: Options = DEFAULTS
) -> Procedure[None]:
    """Application reset (CI 50). The high digit of `subcode` chooses what is read afterwards."""
    data = b"" if subcode is None else bytes((subcode,))
    yield from send(connection, address, 0x50, data, options)
    connection.begin(address)


def set_primary(
    connection: Connection, address: int, new: int, options: Options = DEFAULTS
) -> Procedure[None]:
    """Give a meter another primary address."""
    if not 0 <= new <= 250:
        raise LocalProtocolError(f"a primary address is 0 to 250, not {new}")
    yield from send(connection, address, 0x51, bytes((0x01, 0x7A, new)), options)


def set_secondary(
    connection: Connection, address: int, new: SecondaryAddress, options: Options = DEFAULTS
) -> Procedure[None]:
    """Give a meter another identification number, or with all sixteen digits a whole address."""
    if "F" in new.digits[:8]:
        raise LocalProtocolError(f"{new} has wildcards in its number")
    whole = not new.wild
    data = b"\x07\x79" + bytes(new) if whole else b"\x0c\x79" + bytes(new)[:4]
    yield from send(connection, address, 0x51, data, options)


def select_data(
    connection: Connection, address: int, headers: Iterable[Header], options: Options = DEFAULTS
) -> Procedure[None]:
    """Choose the records that the meter sends from now on."""
    data = b"".join(bytes(Header(8, h.vib, h.storage, h.tariff, h.subunit, h.function)) for h in headers)
    yield from send(connection, address, 0x51, data, options)


def set_clock(
    connection: Connection,
    address: int,
    now: datetime,
    options: Options = DEFAULTS,
    *,
    command: bool = False,
    header: LongHeader | None = None,
    summer: bool = False,
) -> Procedure[None]:
    """Set the clock to `now`, the meter's local time.

    By default a time point is written, which nearly all meters take; `command` uses the command
    made for it (CI 6C), which has seconds, and since 2018 the meter's own `header` before them.
    """
    if command:
        data = _addressed(header) + b"\x00" + data_types.encode_local_time(now, summer=summer) + bytes(3)
        yield from send(connection, address, 0x6C, data, options)
        return
    data = b"\x04\x6d" + data_types.encode_date_time(now, summer=summer)
    yield from send(connection, address, 0x51, data, options)


def _addressed(header: LongHeader | None) -> bytes:
    return b"" if header is None else header.address + bytes(4)


def adjust_clock(
    connection: Connection,
    address: int,
    seconds: int,
    options: Options = DEFAULTS,
    header: LongHeader | None = None,
) -> Procedure[None]:
    """Move the clock by some seconds, forward or back (CI 6D); `header` as in `set_clock`."""
    data = _addressed(header) + b"\x00" + data_types.encode_integer(seconds, 6) + bytes(3)
    yield from send(connection, address, 0x6D, data, options)


def set_baud(
    connection: Connection, address: int, baud: int, options: Options = DEFAULTS, *, before: int = 2400
) -> Procedure[bool]:
    """Switch a meter and the line to another rate; gives whether the meter answers at it.

    If it does not, the line goes back to `before`; a meter does so by itself after some minutes.
    """
    fields = {rate: ci for ci, rate in BAUD_RATES.items()}
    if baud not in fields:
        raise LocalProtocolError(f"{baud} Bd is none of {', '.join(map(str, fields))}")
    yield from send(connection, address, fields[baud], b"", options)
    yield SetLine(baud, 8, "E")
    answered = yield from initialise(connection, address, options)
    if not answered:
        yield SetLine(before, 8, "E")
    return answered
