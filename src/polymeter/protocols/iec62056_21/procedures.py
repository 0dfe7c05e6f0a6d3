"""What a reader does with an IEC 62056-21 meter: sign on, read out, log in, read, leave.

Each is a generator over a `Connection` (see `polymeter.protocols.procedure`); repeats after
damaged messages and silence are made here, at most `Options.repeats` times, as § 6.3.14 asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from polymeter.protocols import obis
from polymeter.protocols.iec62056_21.connection import Connection
from polymeter.protocols.iec62056_21.frames import (
    BAUD_RATES,
    Acknowledge,
    Break,
    Command,
    DataLine,
    DataMessage,
    Event,
    Identification,
    OptionSelect,
    Repeat,
    Request,
    decode_data,
)
from polymeter.protocols.iec62056_21.values import is_refusal, refusal_text
from polymeter.protocols.procedure import Pause, Procedure, Receive, Send, SetLine
from polymeter.protocols.wire import NEED_DATA, AccessDenied, RemoteProtocolError, TimedOut, TransportError

__all__ = [
    "Options",
    "ask",
    "break_session",
    "choose",
    "log_in",
    "read_data",
    "read_out",
    "read_value",
    "receive",
    "sign_on",
    "start_programming",
]

ANSWER_MAX: Final = 1 << 22
"""Characters in all blocks of one answer; a load profile of a year has fewer."""


@dataclass(frozen=True, slots=True)
class Options:
    """How to speak with one meter; the defaults suit a meter behind a TCP gateway."""

    address: str = ""
    password: str | None = field(default=None, repr=False)
    answer_timeout_s: float = 5.0
    """The standard's reaction time ends at 1.5 s; gateways and radio need longer."""
    block_timeout_s: float = 10.0
    """Silence in the middle of a message that ends the wait for the rest of it."""
    repeats: int = 2
    baud: str | None = None
    """Baud rate character to choose; the meter's own offer if `None`."""
    switches_baud: bool = False
    """Whether the line is a serial one, to be switched to the chosen rate."""
    opening: SetLine = SetLine(300, 7, "E")  # noqa: RUF009 - a named tuple does not change
    """What a serial line is switched to before signing on."""
    switch_delay_s: float | None = None
    """Pause between the option and the switch, for UARTs that report too early that the last
    character has left. By default half the time that the meter must let pass before it answers."""
    acknowledges: bool = False
    """Whether to answer a good read-out with ACK. Few meters need it, but on a serial line it
    brings a meter back to 300 Bd at once."""
    answers_offer: bool = True
    """Whether to answer the meter's offer at all. A meter of mode C that hears nothing sends its
    read-out by itself at 300 Bd: slow, but it works where heads cannot switch."""
    follows_offer: bool = True
    """Whether to switch the line to the rate that was chosen. Some meters accept an option and
    go on at the rate they had."""
    forces_mode_e: bool = False
    """Whether to choose HDLC although the identification does not offer it."""
    quiet_s: float = 0.0
    """Silence before the request; meters on RS-485 want 0.1 to 0.2 s after whatever was said before."""
    wake_up: bytes = b""
    """What wakes a sleeping meter before the request: NUL characters, or its maker's own bytes."""
    wake_up_s: float = 0.0
    """How long to go on sending it, on a line whose rate is known; at least once."""
    wake_up_pause_s: float = 1.6
    """Silence between waking and the request; the standard says 1.5 to 1.7 s (§ 6.3.1)."""
    answer_operand: Callable[[str], str] | None = field(default=None, repr=False)
    """Makes the answer to the meter's operand, for meters whose password is computed (P2). The
    algorithm is the manufacturer's, so it is the caller's."""


def receive(connection: Connection, options: Options) -> Procedure[Event]:
    """The next event of the meter.

    Raises:
        RemoteProtocolError: a damaged message, or one that has no place here; ask for it again.
        TimedOut: nothing came, only noise did, or a message broke off; the error says which.
        TransportError: the line was closed.
    """
    noise = connection.noise
    while True:
        event = connection.next_event()
        if event is not NEED_DATA:
            return event  # type: ignore[return-value]
        timeout_s = options.block_timeout_s if connection.begun else options.answer_timeout_s
        try:
            data = yield Receive(timeout_s)
        except TimedOut as error:
            if come := connection.discard():
                raise TimedOut(
                    f"a message broke off after {come} characters: nothing more came within {timeout_s:g} s"
                ) from error
            if noise := connection.noise - noise:
                raise TimedOut(
                    f"{noise} bytes came and no message among them: are rate and parity the meter's?"
                ) from error
            raise
        if not data:
            raise TransportError("the meter closed the line")
        connection.receive_data(data)


def ask(connection: Connection, options: Options, event: Event, repeat: Event) -> Procedure[Event]:
    """Say `event` and give the answer; after a damaged one say `repeat`, after silence `event` again.

    Raises:
        RemoteProtocolError: the answer came damaged every time.
        TimedOut: no answer.
    """
    saying = event
    attempts_left = options.repeats
    while True:
        yield Send(connection.send(saying))
        try:
            return (yield from receive(connection, options))
        except (RemoteProtocolError, TimedOut) as error:
            if not attempts_left:
                raise
            saying = event if isinstance(error, TimedOut) else repeat
            attempts_left -= 1


def after_option(
    connection: Connection, identification: Identification, options: Options
) -> Procedure[Event]:
    """Give what the meter says after an option, as `await_answer`; an error says that it had been there."""
    try:
        return (yield from await_answer(connection, options))
    except TimedOut as error:
        name = identification.manufacturer + identification.identification
        raise TimedOut(f"{name} said who it is, then no whole answer to the option came: {error}") from error


def await_answer(connection: Connection, options: Options) -> Procedure[Event]:
    """Give the meter's next answer; NAK asks for it again if it is damaged or cut."""
    attempts_left = options.repeats
    while True:
        try:
            return (yield from receive(connection, options))
        except (RemoteProtocolError, TimedOut):
            if not attempts_left:
                raise
            attempts_left -= 1
            yield Send(connection.send(Repeat()))


def sign_on(connection: Connection, options: Options = Options()) -> Procedure[Identification]:
    """Ask who is there (§ 6.3.1) and give the meter's identification.

    Raises:
        TimedOut: no meter answers, or none with this address.
        RemoteProtocolError: something answers, but not as a meter.
    """
    if options.switches_baud:
        yield options.opening
    if options.quiet_s:
        yield Pause(options.quiet_s)
    request, once = Request(options.address), replace(options, repeats=0)
    for attempts_left in range(options.repeats, -1, -1):
        if options.wake_up:
            yield from _wake(options)  # each time: who does not answer may have slept on
        try:
            answer = yield from ask(connection, once, request, request)
        except (RemoteProtocolError, TimedOut) as error:
            if attempts_left:
                continue
            if isinstance(error, RemoteProtocolError):
                raise
            who = f"meter {options.address!r}" if options.address else "a meter"
            raise TimedOut(f"no answer from {who}: {error}") from error
        if isinstance(answer, Identification):
            return answer
        raise RemoteProtocolError(f"an identification is expected, {answer} came")
    raise AssertionError("unreachable: the last attempt returns or raises")


def _wake(options: Options) -> Procedure[None]:
    """Send what wakes the meter, without gaps, for as long as was asked; then let it get up."""
    line = options.opening
    character_s = (2 + line.bits + (line.parity != "N")) / line.baud
    times = max(1, round(options.wake_up_s / character_s / len(options.wake_up)))
    yield Send(options.wake_up * times)
    yield Pause(options.wake_up_pause_s)


def choose(
    connection: Connection, identification: Identification, mode: str, options: Options = Options()
) -> Procedure[None]:
    """Acknowledge the identification, choosing mode and baud rate, and switch to it (§ 6.3.3).

    `mode` is 0 for the read-out and 1 for programming, which `read_out` and `start_programming`
    choose themselves; 6 to 9 are the manufacturer's, and what is said then is the caller's matter.
    """
    baud = options.baud if options.baud is not None else identification.baud
    if baud not in BAUD_RATES:
        baud = "0"
    yield Send(connection.send(OptionSelect("0", baud, mode)))
    if options.switches_baud:
        delay_s = options.switch_delay_s
        yield Pause(identification.reaction_time_s / 2 if delay_s is None else delay_s)
        if options.follows_offer:
            yield options.opening._replace(baud=BAUD_RATES[baud])


def read_out(
    connection: Connection, identification: Identification, options: Options = Options()
) -> Procedure[DataMessage]:
    """The meter's read-out (§ 6.3.4), after `sign_on`.

    Raises:
        RemoteProtocolError: it came damaged every time.
        TimedOut: it did not come, or not whole.
    """
    yield from choose(connection, identification, "0", options)
    message = yield from after_option(connection, identification, options)
    if not isinstance(message, DataMessage):
        raise RemoteProtocolError(f"a read-out is expected, {message} came")
    if options.acknowledges:
        yield Send(connection.send(Acknowledge()))
    return message


def start_programming(
    connection: Connection, identification: Identification, options: Options = Options()
) -> Procedure[str]:
    """Enter programming mode (§ 6.3.6) and give the operand that the meter sends for the password.

    Raises:
        AccessDenied: the meter ends the session at once.
    """
    yield from choose(connection, identification, "1", options)
    answer = yield from after_option(connection, identification, options)
    match answer:
        case Command("P0", data):
            return (data or "").removeprefix("(").removesuffix(")")
        case Break():
            raise AccessDenied("the meter refuses programming mode")
        case _:
            raise RemoteProtocolError(f"an operand is expected, {answer} came")


def log_in(connection: Connection, options: Options = Options(), operand: str = "") -> Procedure[None]:
    """Send the password (P1), or what `Options.answer_operand` makes of the meter's operand (P2).

    Raises:
        AccessDenied: there is none, or the meter refuses it.
    """
    if options.answer_operand is not None:
        command = Command("P2", f"({options.answer_operand(operand)})")
    elif options.password is not None:
        command = Command("P1", f"({options.password})")
    else:
        raise AccessDenied("the meter wants a password: give one")
    answer = yield from ask(connection, options, command, Repeat())
    match answer:
        case Acknowledge():
            return
        case Break() | Repeat():
            raise AccessDenied("the meter refuses the password")
        case DataMessage(data):
            raise AccessDenied(f"the meter refuses the password: {data}")
        case _:
            raise RemoteProtocolError(f"ACK is expected, {answer} came")


def read_value(
    connection: Connection, address: str, argument: str = "", options: Options = Options()
) -> Procedure[tuple[DataLine, ...] | str]:
    """Read one address (R1): its data lines, or the meter's refusal in words.

    `argument` goes between the brackets: some meters want ``1``, others nothing.

    Raises:
        RemoteProtocolError: the answer is about another object, as one that comes late is: never a
            wrong value.
    """
    lines = yield from read_data(connection, "R1", f"{address}({argument})", options)
    if not isinstance(lines, str) and lines and not _same_object(address, lines[0][0].address):
        raise RemoteProtocolError(f"the meter answers about {lines[0][0].address}, not about {address}")
    return lines


def _same_object(asked: str, given: str) -> bool:
    """Whether two addresses are not certainly different: meters leave out groups A, B and F as they like."""
    one, other = obis.parse(asked), obis.parse(given)
    return one is None or other is None or one[2:5] == other[2:5]


def read_data(
    connection: Connection, command: str, data: str, options: Options = Options(), joint: str = ""
) -> Procedure[tuple[DataLine, ...] | str]:
    """Ask by any of the reading commands, R1 to R6: data lines, or the meter's refusal in words.

    The answer may come in partial blocks; `joint` is put between two of them where the meter ends
    a block with a line and without its CR LF.

    Raises:
        RemoteProtocolError: the answer came damaged every time, is no data or too long.
        TimedOut: no answer.
    """
    asked = Command(command, data)
    for attempts_left in range(options.repeats, -1, -1):
        text = yield from whole_answer(connection, options, asked, joint)
        if isinstance(text, str):
            break
        if isinstance(text, TimedOut) and not attempts_left:
            raise text
    else:
        return f"the meter does not understand the request for {data.removesuffix('()')}"
    lines = decode_data(text)
    refused = [data_set for line in lines for data_set in line if is_refusal(data_set)]
    return refusal_text(refused[0]) if refused else lines


def whole_answer(
    connection: Connection, options: Options, command: Command, joint: str = ""
) -> Procedure[str | Repeat | TimedOut]:
    """The answer to a command, all its blocks put together.

    `Repeat` if the meter wants to hear the command again. `TimedOut` if it fell silent between two
    blocks: then nobody knows which of them comes next, so the command must be said again too.
    """
    blocks: list[str] = []
    size = 0
    answer = yield from ask(connection, options, command, Repeat())
    while True:
        match answer:
            case DataMessage(data, more):
                blocks.append(data)
                size += len(data) + 1  # so that empty blocks, too, come to an end
                if not more:
                    return "".join(_joined(blocks, joint))
            case Repeat():
                return answer
            case Break():
                raise RemoteProtocolError("the meter ends the session")
            case _:
                raise RemoteProtocolError(f"data is expected, {answer} came")
        if size > ANSWER_MAX:
            raise RemoteProtocolError(f"an answer of more than {ANSWER_MAX} characters")
        try:
            yield Send(connection.send(Acknowledge()))
            answer = yield from await_answer(connection, replace(options, repeats=0))
        except TimedOut as error:
            return error
        except RemoteProtocolError:
            answer = yield from ask(connection, options, Repeat(), Repeat())


def _joined(blocks: list[str], joint: str) -> Iterator[str]:
    """The blocks with `joint` between those that do not end with a line end of their own."""
    for number, block in enumerate(blocks, 1):
        yield block
        if joint and number < len(blocks) and not block.endswith("\n"):
            yield joint


def break_session(connection: Connection) -> Procedure[None]:
    """End the session (B0), from whatever state allows it."""
    if connection.state in ("entering", "programming", "asked", "partly answered"):
        yield Send(connection.send(Break()))
    connection.reset()
