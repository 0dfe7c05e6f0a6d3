"""Bytes to an explained tree and records: what `polymeter decode` shows and collection uses.

An input may hold several messages and noise between them. A read-out is the identification line
and the data block after it; everything else stands for itself. A damaged message gives an error
with its place, and the reading goes on behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from polymeter.protocols.iec62056_21.frames import (
    ACK,
    NAK,
    SOH,
    STX,
    Acknowledge,
    Break,
    Command,
    DataMessage,
    Event,
    Identification,
    OptionSelect,
    Repeat,
    Request,
    decode_block,
    decode_data,
    decode_line,
)
from polymeter.protocols.iec62056_21.readings import is_refusal, records, refusal_text
from polymeter.protocols.wire import (
    Decoded,
    DecodeOptions,
    MeterIdentity,
    Problem,
    Record,
    RemoteProtocolError,
    Tree,
)

__all__ = ["PROTOCOL", "decode", "detect"]

PROTOCOL: Final = "iec62056-21"
_PADDING: Final = frozenset(b"\x00\x7f\xff\r\n ")
_DEVICE_ADDRESS: Final = ("1-0:0.0.0*255", "0-0:96.1.0*255", "0-0:96.1.1*255")


def detect(data: bytes) -> str | None:
    """Why `data` looks like IEC 62056-21, `None` if it does not."""
    message = data.lstrip(bytes(_PADDING))
    if not message:
        return None
    if message[0] in (SOH, STX):
        end = _block_end(message, 0)
        if end is None:
            return None
        try:
            decode_block(_without_parity(message[:end]))
        except RemoteProtocolError:
            return None
        return f"{'SOH' if message[0] == SOH else 'STX'} … ETX with a good block check"
    if message[0] & 0x7F == ord("/"):
        line, newline, rest = message.partition(b"\n")
        if b"!" in line and not line.startswith(b"/?"):
            return None
        if newline and (not rest or rest[0] & 0x7F in (STX, SOH, ACK) or line.startswith(b"/?")):
            return "an identification line" if not line.startswith(b"/?") else "a request line"
    return None


def decode(data: bytes, options: DecodeOptions = DecodeOptions(), *, explain: bool = True) -> list[Decoded]:
    """Decode every message of `data`. Never raises: what is wrong is told in the result.

    With `options.lenient` values are listed although the block check character does not fit.
    """
    return [_decode_message(data[start:end], start, options, explain) for start, end in _split(data)]


def _split(data: bytes) -> Iterator[tuple[int, int]]:
    """Where messages begin and end; padding before a message belongs to it."""
    start = at = 0
    while at < len(data):
        byte = data[at] & 0x7F
        if byte in (SOH, STX):
            end = _block_end(data, at)
        elif byte == ord("/"):
            end = _line_end(data, at)
            following = end
            while following is not None and following < len(data) and data[following] in _PADDING:
                following += 1
            if following is not None and following < len(data) and data[following] & 0x7F == STX:
                end = _block_end(data, following)
        elif byte == ACK:
            line = _line_end(data, at)
            end = line if line == at + 6 else at + 1
        elif byte == NAK:
            end = at + 1
        elif data[at] in _PADDING:
            at += 1
            continue
        else:
            at = _next_start(data, at)
            yield start, at
            start = at
            continue
        at = len(data) if end is None else end
        yield start, at
        start = at
    if start < len(data) and (start == 0 or any(byte not in _PADDING for byte in data[start:])):
        yield start, len(data)


def _next_start(data: bytes, at: int) -> int:
    while at < len(data) and data[at] & 0x7F not in (SOH, STX, ACK, NAK, ord("/")):
        at += 1
    return at


def _block_end(data: bytes, at: int) -> int | None:
    """The end of a block: past the character after the first ETX or EOT."""
    for index in range(at + 1, len(data)):
        if data[index] & 0x7F in (3, 4):
            return index + 2 if index + 2 <= len(data) else None
    return None


def _line_end(data: bytes, at: int) -> int | None:
    for index in range(at, min(len(data), at + 64)):
        if data[index] & 0x7F == 0x0A:
            return index + 1
    return None


def _without_parity(data: bytes) -> bytes:
    """7-bit characters, if all bytes have even parity and at least one has its parity bit set."""
    if any(byte & 0x80 for byte in data) and all(byte.bit_count() % 2 == 0 for byte in data):
        return bytes(byte & 0x7F for byte in data)
    return data


def _decode_message(frame: bytes, start: int, options: DecodeOptions, explain: bool) -> Decoded:
    tree = Tree(frame, "message", start=start) if explain else None
    text, below, layer = frame, tree, 0
    stripped = _without_parity(frame)
    if stripped is not frame:
        text, layer = stripped, 1
        if tree is not None:
            tree.leaf("characters", 0, len(frame), None, "7 bits, even parity")
            below = tree.layer("parity removed", stripped, "message")
    reading = _Message(text, layer, options, below)
    reading.read()
    if below is not None and below is not tree:
        below.finish(reading.name)
    return replace(
        reading.result(),
        layers=tree.layers if tree is not None else (),
        tree=tree.finish(reading.name) if tree is not None else None,
    )


class _Message:
    """One message while it is being decoded."""

    def __init__(self, text: bytes, layer: int, options: DecodeOptions, tree: Tree | None) -> None:
        self.text = text
        self.layer = layer
        self.options = options
        self.tree = tree
        self.name = "message"
        self.why = "nothing that IEC 62056-21 knows"
        self.meter = MeterIdentity()
        self.records: tuple[Record, ...] = ()
        self.errors: list[Problem] = []
        self.frame: Event | None = None
        self.broken = False

    def result(self) -> Decoded:
        return Decoded(
            PROTOCOL,
            not self.broken,
            self.why,
            self.meter,
            self.records,
            tuple(self.errors),
            frame=self.frame,
        )

    def read(self) -> None:
        try:
            self._message(self._padding(0))
        except RemoteProtocolError as error:
            self.broken = True
            self.errors.append(Problem(str(error), error.offset, self.layer))
            if self.tree is not None:
                self.tree.unwind(1, error.offset)

    def _message(self, at: int) -> None:
        start = self.text[at] if at < len(self.text) else None
        if start == ord("/"):
            at = self._line(at)
            if at < len(self.text):
                self._block(self._padding(at))
        elif start in (SOH, STX):
            self._block(at)
        elif start in (ACK, NAK):
            self._single(at)
        else:
            raise RemoteProtocolError(f"{len(self.text) - at} bytes that begin no message", at)

    def _padding(self, at: int) -> int:
        start = at
        while at < len(self.text) and self.text[at] in _PADDING:
            at += 1
        if at > start and self.tree is not None:
            self.tree.leaf("noise", start, at, None, "before the message")
        return at

    def _line(self, at: int) -> int:
        end = self.text.find(b"\n", at) + 1
        if not end:
            raise RemoteProtocolError("the line has no end", len(self.text))
        event = decode_line(self.text[at:end], self.tree, at)
        self.frame = event
        match event:
            case Identification(manufacturer, _, identification):
                self.name, self.why = "identification", "an identification line"
                self.meter = MeterIdentity(manufacturer=manufacturer, identification=identification)
            case Request():
                self.name, self.why = "request", "a request line"
        return end

    def _single(self, at: int) -> None:
        body = self.text[at + 1 :]
        if self.text[at] == NAK and not body:
            self.name, self.why, self.frame = "repeat request", "NAK", Repeat()
        elif not body:
            self.name, self.why, self.frame = "acknowledgement", "ACK", Acknowledge()
        else:
            option = body.rstrip(b"\r\n").decode("latin-1")
            if len(option) != 3:
                raise RemoteProtocolError("an option has three characters", at + 1)
            self.name, self.why, self.frame = "option select", "ACK with an option", OptionSelect(*option)
            if self.tree is not None:
                self.tree.leaf("ACK", at, at + 1)
                self.tree.leaf("protocol control", at + 1, at + 2, option[0])
                self.tree.leaf("baud rate", at + 2, at + 3, option[1])
                self.tree.leaf("mode", at + 3, at + 4, option[2])
                self.tree.leaf("end of line", at + 4, len(self.text))
            return
        if self.tree is not None:
            self.tree.leaf("NAK" if self.text[at] == NAK else "ACK", at, at + 1)

    def _block(self, at: int) -> None:
        if at >= len(self.text):
            return
        end = _block_end(self.text, at)
        if end is None:
            raise RemoteProtocolError("the block ends before ETX and block check character", len(self.text))
        try:
            event = decode_block(self.text[at:end], self.tree, at)
        except RemoteProtocolError:
            if self.options.lenient and self.text[at] == STX:
                self._values(self.text[at + 1 : end - 2].decode("latin-1"), at + 1)
            raise
        identified = isinstance(self.frame, Identification)
        self.frame = event
        match event:
            case DataMessage(data):
                self.name = "read-out" if identified else "data message"
                self.why = "STX … ETX with a good block check"
                self._values(data, at + 1)
            case Command(command):
                self.name = f"command {command}"
                self.why = "SOH … ETX with a good block check"
            case Break():
                self.name, self.why = "break", "SOH B0 ETX with a good block check"

    def _values(self, data: str, offset: int) -> None:
        lines = decode_data(data, offset=offset)
        self.records = tuple(records(lines, offset, self.layer))
        for line in lines:
            for data_set in line:
                if is_refusal(data_set):
                    self.errors.append(Problem(refusal_text(data_set), offset + data_set.offset, self.layer))
        for record in self.records:
            if record.obis in _DEVICE_ADDRESS and self.meter.id is None:
                self.meter = replace(self.meter, id=str(record.value))
