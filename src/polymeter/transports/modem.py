"""A Hayes modem over any byte line: dial, notice a lost carrier, hang up.

Dialling is a conversation like any other, so it is written as procedures and runs everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, TypeVar

from polymeter.protocols.procedure import Outcome, Pause, Procedure, Receive, Send, Step, relay
from polymeter.protocols.wire import LocalProtocolError, TimedOut, TransportError

__all__ = ["DIAL_TIMEOUT_S", "INITIALISATION", "dial", "hang_up", "with_carrier"]

T = TypeVar("T")

DIAL_TIMEOUT_S: Final = 90.0
COMMAND_TIMEOUT_S: Final = 5.0
GUARD_S: Final = 1.1
"""Silence around the escape sequence; modems want more than a second."""
ANSWER_MAX: Final = 4096
INITIALISATION: Final = ("ATE0", "ATV1")
"""No echo, answers in words: what the reading of answers below relies on."""

_FINAL: Final = {
    "OK": None,
    "CONNECT": None,
    "BUSY": "the number is busy",
    "NO CARRIER": "no carrier: the call was not answered by a modem or was hung up",
    "NO ANSWER": "nobody answers",
    "NO DIALTONE": "the modem's line has no dial tone",
    "NO DIAL TONE": "the modem's line has no dial tone",
    "DELAYED": "the modem blocks this number for a while",
    "BLACKLISTED": "the modem blocks this number",
    "ERROR": "the modem refuses the command",
}
_NUMBER = re.compile(r"[-+0-9A-DTPW*#,;!@() ]+", re.ASCII | re.IGNORECASE)
_LOST = re.compile(rb"(?:^|[\r\n])NO CARRIER[\r\n]*$")


def dial(number: str, initialisation: Sequence[str] = INITIALISATION) -> Procedure[str]:
    """Initialise the modem and call `number`; gives the modem's CONNECT line.

    Raises:
        TransportError: busy, no carrier, no dial tone, or no answer of the modem itself.
        LocalProtocolError: the number or a command holds characters that no modem takes.
    """
    if not _NUMBER.fullmatch(number):
        raise LocalProtocolError(f"{number!r} is no number to dial")
    for command in initialisation:
        yield from _command(command, COMMAND_TIMEOUT_S)
    try:
        return (yield from _command(f"ATD{number}", DIAL_TIMEOUT_S))
    except TimedOut as error:
        raise TransportError(f"no connection to {number} within {DIAL_TIMEOUT_S:g} s") from error


def _command(command: str, timeout_s: float) -> Procedure[str]:
    """Send a command and wait for the line that ends its answer."""
    if not (command.isascii() and command.isprintable()):
        raise LocalProtocolError(f"{command!r} is no modem command")
    yield Send(command.encode("ascii") + b"\r")
    answer = b""
    while len(answer) < ANSWER_MAX:
        try:
            data = yield Receive(timeout_s)
        except TimedOut as error:
            raise TimedOut(f"the modem does not answer {command}") from error
        if not data:
            raise TransportError("the line to the modem closed")
        answer += data
        complete, _, _ = answer.rpartition(b"\r")
        for line in re.split(rb"[\r\n]+", complete):
            text = line.decode("ascii", "replace").strip()
            word = "CONNECT" if text.startswith("CONNECT") else text
            if word in _FINAL:
                if refusal := _FINAL[word]:
                    raise TransportError(f"modem: {refusal} ({text})")
                return text
    raise TransportError(f"the modem answers {command} with rubbish")


def hang_up() -> Procedure[None]:
    """Back to command mode, then end the call; a modem that no longer answers has hung up."""
    try:
        yield Pause(GUARD_S)
        yield Send(b"+++")
        yield Pause(GUARD_S)
        yield from _command("ATH", COMMAND_TIMEOUT_S)
    except TransportError:
        return


def with_carrier(procedure: Procedure[T]) -> Procedure[T]:
    """Turn the modem's NO CARRIER in the middle of a conversation into a `TransportError`."""
    tail = b""

    def perform(step: Step) -> Procedure[Outcome]:
        nonlocal tail
        outcome = yield step
        if isinstance(step, Receive):
            # The words may come in pieces, of which only the last one tells.
            tail = (tail + outcome)[-32:]
            if _LOST.search(tail):
                return TransportError("the modem lost the carrier")
        return outcome

    return relay(procedure, perform)
