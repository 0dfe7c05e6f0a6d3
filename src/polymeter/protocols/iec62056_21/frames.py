"""What travels on an IEC 62056-21 line, as frozen values, and their bytes.

Two kinds of message exist. Lines begin with ``/`` and end with CR LF: the request and the
identification (§ 6.3.1, 6.3.2). Blocks begin with SOH or STX, end with ETX or EOT and carry a
block check character, the exclusive-or of all that follows the first SOH or STX (ISO 1155).
Between the two stand single characters: ACK, alone or with an option, and NAK.

Every value here encodes to the bytes it was decoded from: texts stay as the meter wrote them,
leading zeros, blanks and empty units included. What they mean is told in `decode`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from polymeter.protocols.iec62056_21.blocks import ACK, EOT, ETX, NAK, SOH, STX, block_check, control_within
from polymeter.protocols.iec62056_21.lines import DataLine, DataSet, decode_data, encode_data
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError, Tree

__all__ = [
    "BAUD_RATES",
    "Acknowledge",
    "Break",
    "Command",
    "DataLine",
    "DataMessage",
    "DataSet",
    "Event",
    "Identification",
    "OptionSelect",
    "PlainData",
    "Repeat",
    "Request",
    "decode_block",
    "decode_data",
    "decode_line",
    "decode_option",
    "encode",
    "encode_data",
]

BAUD_RATES: Final = {"0": 300, "1": 600, "2": 1200, "3": 2400, "4": 4800, "5": 9600, "6": 19200}
"""Baud rate characters of modes C and E (§ 6.3.2 item 13c)."""


@dataclass(frozen=True, slots=True)
class Request:
    """Reader: who is there? An empty address speaks to whichever meter is on the line."""

    address: str = ""


@dataclass(frozen=True, slots=True)
class Identification:
    """Meter: who I am, and by its `baud` character what I can do."""

    manufacturer: str
    baud: str
    identification: str
    escapes: str = ""
    """Characters that followed a backslash: ``2`` announces mode E."""

    @property
    def reaction_time_s(self) -> float:
        """The shortest time between a message and its answer; the manufacturer's case tells it."""
        return 0.02 if self.manufacturer[2:].islower() else 0.2


@dataclass(frozen=True, slots=True)
class OptionSelect:
    """Reader: acknowledges the identification and chooses control, baud rate and mode."""

    control: str = "0"
    baud: str = "0"
    mode: str = "0"


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """ACK: understood."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """NAK: not understood, say it again."""


@dataclass(frozen=True, slots=True)
class Command:
    """A programming mode command: ``P0``, ``P1``, ``R1``, ``W1`` … with its data, if it has any."""

    command: str
    data: str | None = None
    more: bool = False
    """The block ends in EOT: others follow."""


@dataclass(frozen=True, slots=True)
class Break:
    """``B0``: the end of the session; nobody answers."""


@dataclass(frozen=True, slots=True)
class DataMessage:
    """Meter: data between STX and ETX, or EOT when `more` blocks follow."""

    data: str
    more: bool = False


@dataclass(frozen=True, slots=True)
class PlainData:
    """Meter in mode D: data without control characters and check, from the empty line up to ``!``."""

    data: str


Event = (
    Request | Identification | OptionSelect | Acknowledge | Repeat | Command | Break | DataMessage | PlainData
)


def encode(event: Event) -> bytes:
    """The bytes of one event.

    Raises:
        LocalProtocolError: a text holds characters that its place does not allow.
    """
    match event:
        case Request(address):
            return b"/?" + _text(address, _LINE_EXCLUDED + "!", "an address") + b"!\r\n"
        case Identification(manufacturer, baud, identification, escapes):
            if len(manufacturer) != 3 or len(baud) != 1:
                raise LocalProtocolError(
                    "an identification has a manufacturer of 3 and a baud rate of 1 character"
                )
            if manufacturer.startswith("?") or (identification[:1] == "\\" and len(identification) > 1):
                raise LocalProtocolError("an identification would be read as a request or an escape")
            escaped = "".join("\\" + character for character in escapes)
            return (
                b"/" + _text(manufacturer + baud + escaped + identification, _LINE_EXCLUDED, "it") + b"\r\n"
            )
        case OptionSelect(control, baud, mode):
            if not len(control) == len(baud) == len(mode) == 1:
                raise LocalProtocolError("an option has three characters: control, baud rate, mode")
            return bytes([ACK]) + _text(control + baud + mode, _LINE_EXCLUDED, "an option") + b"\r\n"
        case Acknowledge():
            return bytes([ACK])
        case Repeat():
            return bytes([NAK])
        case Break():
            return encode(Command("B0"))
        case Command(command, data, more):
            if len(command) != 2:
                raise LocalProtocolError(f"a command has two characters, not {command!r}")
            body = _text(command, _BLOCK_EXCLUDED, "a command")
            if data is not None:
                body += bytes([STX]) + _text(data, _BLOCK_EXCLUDED, "data")
            return _with_check(SOH, body, more)
        case DataMessage(data, more):
            return _with_check(STX, _text(data, _BLOCK_EXCLUDED, "data"), more)
        case PlainData(data):
            if not data.endswith("!\r\n") or data.find("!") != len(data) - 3 or "\n/" in f"\n{data}":
                raise LocalProtocolError("plain data has one !, at its end, and no line that begins with /")
            return b"\r\n" + _text(data, _BLOCK_EXCLUDED + "\x06\x15", "data")


_LINE_EXCLUDED = "\r\n/"
_BLOCK_EXCLUDED = "\x01\x02\x03\x04"


def _text(text: str, excluded: str, what: str) -> bytes:
    for character in excluded:
        if character in text:
            raise LocalProtocolError(f"{what} cannot hold {character!r}")
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise LocalProtocolError(f"{what} holds a character outside Latin-1: {text!r}") from error


def _with_check(start: int, body: bytes, more: bool) -> bytes:
    checked = body + bytes([EOT if more else ETX])
    return bytes([start]) + checked + bytes([block_check(checked)])


_IDENTIFICATION = re.compile(r"/([^\r\n/]{3})([^\r\n/])((?:\\[^\r\n/])*)([^\r\n/]*)")


def decode_line(line: bytes, tree: Tree | None = None, offset: int = 0) -> Request | Identification:
    """Decode a line from its ``/`` up to and including CR LF.

    Raises:
        RemoteProtocolError: it is neither a request nor an identification.
    """
    if not line.endswith(b"\r\n"):
        raise RemoteProtocolError("a line ends with CR LF", offset + len(line))
    body = line[:-2]
    if body.startswith(b"/?"):
        if body.find(b"!") != len(body) - 1:
            raise RemoteProtocolError("a request has one ! at its end", offset + len(body))
        if tree is not None:
            tree.leaf("start", offset, offset + 2, None, "request")
            if len(body) > 3:
                address = body[2:-1].decode("latin-1")
                tree.leaf("device address", offset + 2, offset + len(body) - 1, address)
            tree.leaf("end", offset + len(body) - 1, offset + len(line))
        return Request(body[2:-1].decode("latin-1"))
    match = _IDENTIFICATION.fullmatch(body.decode("latin-1"))
    if match is None:
        raise RemoteProtocolError(
            "an identification is / and a manufacturer of 3 characters, baud rate, name", offset
        )
    manufacturer, baud, escapes, name = match.groups()
    if tree is not None:
        tree.leaf("start", offset, offset + 1)
        tree.leaf("manufacturer", offset + 1, offset + 4, manufacturer)
        tree.leaf("baud rate", offset + 4, offset + 5, baud, _baud_meaning(baud))
        if escapes:
            tree.leaf("escapes", offset + 5, offset + match.end(3), escapes, _escape_meaning(escapes))
        if name:
            tree.leaf("identification", offset + match.start(4), offset + match.end(4), name)
        tree.leaf("end of line", offset + len(body), offset + len(line))
    return Identification(manufacturer, baud, name, escapes[1::2])


_OPTION = re.compile(rb"\x06([^\r\n/])([^\r\n/])([^\r\n/])\r\n")


def decode_option(line: bytes, tree: Tree | None = None, offset: int = 0) -> OptionSelect:
    """Decode an option from its ACK up to and including CR LF.

    Raises:
        RemoteProtocolError: it has not three characters.
    """
    match = _OPTION.fullmatch(line)
    if match is None:
        raise RemoteProtocolError("an option is ACK, three characters, CR LF", offset + 1)
    control, baud, mode = (part.decode("latin-1") for part in match.groups())
    if tree is not None:
        tree.leaf("ACK", offset, offset + 1)
        tree.leaf("protocol control", offset + 1, offset + 2, control)
        tree.leaf("baud rate", offset + 2, offset + 3, baud, _rate_meaning(baud))
        tree.leaf("mode", offset + 3, offset + 4, mode, _MODES.get(mode))
        tree.leaf("end of line", offset + 4, offset + 6)
    return OptionSelect(control, baud, mode)


_MODES: Final = {"0": "read-out", "1": "programming", "2": "binary (HDLC)"}


def _rate_meaning(baud: str) -> str | None:
    return f"{BAUD_RATES[baud]} Bd" if baud in BAUD_RATES else None


def _baud_meaning(baud: str) -> str:
    if rate := BAUD_RATES.get(baud):
        return f"mode C, up to {rate} Bd"
    if "A" <= baud <= "F":
        return f"mode B, {600 << ord(baud) - ord('A')} Bd"
    if baud in "789GHI":
        return "reserved"
    return "mode A, 300 Bd"


def _escape_meaning(escapes: str) -> str:
    return "mode E is possible" if "2" in escapes[1::2] else "manufacturer's own"


def decode_block(block: bytes, tree: Tree | None = None, offset: int = 0) -> Command | Break | DataMessage:
    """Decode a block from SOH or STX up to and including its block check character.

    Raises:
        RemoteProtocolError: the block check does not fit, or the block is no command or data.
    """
    if len(block) < 3 or block[-2] not in (ETX, EOT):
        raise RemoteProtocolError("a block ends with ETX or EOT and a block check character", offset)
    expected = block_check(block[1:-1])
    if expected != block[-1]:
        raise RemoteProtocolError(
            f"block check character is {block[-1]:02X}, {expected:02X} is expected", offset + len(block) - 1
        )
    start = block[0]
    if start not in (SOH, STX):
        raise RemoteProtocolError("a block begins with SOH or STX", offset)
    more = block[-2] == EOT
    text = block[1:-2].decode("latin-1")
    inner = control_within(block, 1 if start == STX else 4)
    if inner >= 0:
        raise RemoteProtocolError("a control character inside a block", offset + inner)
    if start == STX:
        event: Command | Break | DataMessage = DataMessage(text, more)
        if tree is not None:
            tree.leaf("STX", offset, offset + 1)
            decode_data(text, tree, offset + 1, strict=False)
    else:
        command, data = text[:2], text[2:]
        if len(command) != 2 or "\x02" in command or (data and data[0] != "\x02"):
            raise RemoteProtocolError("a command is two characters, then STX and data or ETX", offset + 1)
        event = Command(command, data[1:] if data else None, more)
        if tree is not None:
            tree.leaf("SOH", offset, offset + 1)
            tree.leaf("command", offset + 1, offset + 3, command, _COMMANDS.get(command))
            if data:
                tree.leaf("STX", offset + 3, offset + 4)
                decode_data(data[1:], tree, offset + 4, strict=False)
        if event == Command("B0"):
            event = Break()
    if tree is not None:
        end = offset + len(block)
        tree.leaf("EOT" if more else "ETX", end - 2, end - 1, None, "more blocks follow" if more else None)
        tree.leaf("block check character", end - 1, end, block[-1], "good")
    return event


_COMMANDS: Final = {
    "P0": "operand for the password",
    "P1": "password",
    "P2": "password, computed",
    "W1": "write, ASCII coded",
    "W2": "write, formatted",
    "W3": "write, ASCII coded, partial blocks",
    "W4": "write, formatted, partial blocks",
    "W5": "write, national use",
    "R1": "read, ASCII coded",
    "R2": "read, formatted",
    "R3": "read, ASCII coded, partial blocks",
    "R4": "read, formatted, partial blocks",
    "R5": "read, national use",
    "R6": "read, national use, partial blocks",
    "E2": "execute, formatted",
    "B0": "break: end of the session",
    "B1": "break, baud rate kept",
}
