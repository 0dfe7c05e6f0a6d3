"""The five modes (IEC 62056-21 § 6.4), told by the baud rate character of the identification.

A  a character that is no rate: nothing is agreed, data follows at the same rate.
B  ``A`` to ``I``: the meter switches to that rate by itself, then sends its data.
C  ``0`` to ``9``: the reader acknowledges, chooses rate and read-out or programming.
D  no request at all: the meter pushes, at 2400 Bd.
E  mode C whose identification carries ``\\2``: the reader may choose HDLC; both then leave this
   protocol.

C is what `procedures` speaks; here are the others, and `read_out`, which does what the mode asks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from polymeter.protocols.iec62056_21 import procedures
from polymeter.protocols.iec62056_21.connection import Connection
from polymeter.protocols.iec62056_21.frames import (
    BAUD_RATES,
    DataMessage,
    Identification,
    OptionSelect,
    PlainData,
)
from polymeter.protocols.iec62056_21.procedures import Options, receive
from polymeter.protocols.procedure import Pause, Procedure, Send, SetLine
from polymeter.protocols.wire import (
    AccessDenied,
    LocalProtocolError,
    RemoteProtocolError,
    TimedOut,
)

__all__ = [
    "MODE_B_RATES",
    "PUSH_LINE",
    "HandOver",
    "Mode",
    "mode_of",
    "read_out",
    "receive_push",
    "start_mode_e",
    "without_option",
]

Mode = Literal["A", "B", "C", "E"]

MODE_B_RATES: Final = {"A": 600, "B": 1200, "C": 2400, "D": 4800, "E": 9600, "F": 19200}
"""Baud rate characters of mode B (§ 6.3.2 item 13b); ``G`` to ``I`` are reserved."""

PUSH_LINE: Final = SetLine(2400, 7, "E")
"""Mode D has one rate."""

_CONFIRM_S: Final = 2.0
"""How long a meter may take to confirm mode E; the standard's reaction time ends at 1.5 s."""


@dataclass(frozen=True, slots=True)
class HandOver:
    """The line now belongs to another protocol: HDLC, with 8 bits and no parity.

    Whoever started mode E goes on from here with a connection of that protocol.
    """

    identification: Identification
    baud: int
    confirmed: bool
    """Whether the meter repeated the option, as the standard has it; not all do."""


def mode_of(identification: Identification) -> Mode:
    """The mode that an identification offers; mode D has none, for it is never asked."""
    if "2" in identification.escapes:
        return "E"
    if identification.baud.isdigit():
        return "C"
    return "B" if identification.baud in "ABCDEFGHI" else "A"


def without_option(options: Options) -> Options:
    """The options for a meter that is never answered: modes A and B, whatever it says of itself."""
    return replace(options, answers_offer=False)


def read_out(
    connection: Connection, identification: Identification, options: Options = Options()
) -> Procedure[DataMessage]:
    """The read-out of a meter of mode A, B, C or E, after `sign_on`.

    Raises:
        RemoteProtocolError: it came damaged every time, or the meter names a reserved rate.
        TimedOut: it did not come, or not whole.
    """
    mode = mode_of(identification)
    if mode in ("C", "E") and options.answers_offer:
        return (yield from procedures.read_out(connection, identification, options))
    if mode == "B" and options.switches_baud:
        rate = MODE_B_RATES.get(identification.baud)
        if rate is None:
            raise RemoteProtocolError(f"baud rate {identification.baud!r} of mode B is reserved")
        # Nothing is sent, so there is nothing to wait for: the meter pauses before it switches.
        yield options.opening._replace(baud=rate)
    for attempts_left in range(options.repeats, -1, -1):
        try:
            message = yield from receive(connection, options)
        except (RemoteProtocolError, TimedOut):
            # There is no NAK before an option: what came damaged is asked for from the beginning.
            if not attempts_left:
                raise
            yield from _again(connection, identification, options)
            continue
        if not isinstance(message, DataMessage):
            raise RemoteProtocolError(f"a read-out is expected, {message} came")
        return message
    raise AssertionError("unreachable: the last attempt returns or raises")


def _again(connection: Connection, identification: Identification, options: Options) -> Procedure[None]:
    again = yield from procedures.sign_on(connection, options)
    if again != identification:
        raise RemoteProtocolError(f"another meter answers: {again}")
    if options.switches_baud and mode_of(identification) == "B":
        yield options.opening._replace(baud=MODE_B_RATES[identification.baud])


def receive_push(
    connection: Connection, options: Options = Options(), timeout_s: float = 900.0
) -> Procedure[tuple[Identification, str]]:
    """Wait for a meter of mode D to push (§ 6.4.5): its identification and its data.

    A telegram of which only the end was heard is passed over. Damaged bytes cannot be noticed:
    mode D has no check. Use it where nothing else is offered.

    Raises:
        TimedOut: no whole telegram came within `timeout_s`.
    """
    if options.switches_baud:
        yield PUSH_LINE
    identification: Identification | None = None
    wait = Options(answer_timeout_s=timeout_s, block_timeout_s=options.block_timeout_s)
    for _ in range(1000):
        try:
            event = yield from receive(connection, wait)
        except RemoteProtocolError:
            identification = None
            continue
        match event:
            case Identification():
                identification = event
            case PlainData(data) | DataMessage(data):
                if identification is not None:
                    return identification, data
    raise RemoteProtocolError("1000 messages and no whole push among them")


def start_mode_e(
    connection: Connection, identification: Identification, options: Options = Options()
) -> Procedure[HandOver]:
    """Hand the line over to HDLC: choose it, hear the meter confirm, switch to 8 bits without parity.

    The confirmation comes at the rate of the sign-on, before either end switches. Some meters
    leave it out, so after `_CONFIRM_S` seconds of silence its absence is taken for consent: an
    HDLC connection notices soon enough whether somebody is there.

    Raises:
        LocalProtocolError: the identification does not offer mode E.
        AccessDenied: the meter chooses another option than was asked for.
    """
    if mode_of(identification) != "E" and not options.forces_mode_e:
        raise LocalProtocolError("the meter does not offer mode E: its identification has no \\2")
    baud = options.baud if options.baud is not None else identification.baud
    if baud not in BAUD_RATES:
        raise LocalProtocolError(f"{baud!r} is no baud rate of mode E")
    chosen = OptionSelect("2", baud, "2")
    yield Send(connection.send(chosen))
    confirmed = yield from _confirmation(connection, chosen)
    if options.switches_baud and options.switch_delay_s is not None:
        yield Pause(options.switch_delay_s)
    # Said on every line: one without settings of its own may still have to stop adding parity.
    rate = BAUD_RATES[baud] if options.follows_offer else options.opening.baud
    yield SetLine(rate, 8, "N")
    return HandOver(identification, BAUD_RATES[baud], confirmed)


def _confirmation(connection: Connection, chosen: OptionSelect) -> Procedure[bool]:
    wait = Options(answer_timeout_s=_CONFIRM_S, block_timeout_s=_CONFIRM_S)
    for _ in range(8):
        try:
            event = yield from receive(connection, wait)
        except TimedOut:
            return False
        except RemoteProtocolError:
            continue
        if event == chosen:
            return True
        if isinstance(event, OptionSelect):
            raise AccessDenied(f"the meter chooses {event}, not {chosen}")
    return False
