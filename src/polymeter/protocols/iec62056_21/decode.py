"""Bytes to an explained tree and records: what `polymeter decode` shows and collection uses.

An input may hold several messages and noise between them. A read-out is the identification line
and the data block after it; everything else stands for itself. A damaged message gives an error
with its place, and the reading goes on behind it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final

from polymeter.protocols.iec62056_21.blocks import ACK, EOT, ETX, NAK, SOH, STX, block_end, without_parity
from polymeter.protocols.iec62056_21.frames import (
    Acknowledge,
    Break,
    Command,
    DataMessage,
    Event,
    Identification,
    PlainData,
    Repeat,
    Request,
    decode_block,
    decode_data,
    decode_line,
    decode_option,
)
from polymeter.protocols.iec62056_21.messages import PADDING, Pushes, is_bare_text, past_padding, split
from polymeter.protocols.iec62056_21.readouts import read_records
from polymeter.protocols.iec62056_21.values import is_refusal, refusal_text
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
_DEVICE_ADDRESS: Final = frozenset(("1-0:0.0.0*255", "0-0:96.1.0*255", "0-0:96.1.1*255"))


def detect(data: bytes) -> str | None:
    """Why `data` looks like IEC 62056-21, `None` if it does not."""
    message = without_parity(data.strip(PADDING))
    if not message:
        return None
    if is_bare_text(message):
        return "the lines of a read-out, without the characters around them"
    if message[0] in (SOH, STX):
        # The end may have been stripped with the padding: a block check character can be a blank.
        message = without_parity(data.lstrip(PADDING))
        try:
            decode_block(message[: block_end(message, 0)])
        except RemoteProtocolError:
            return None
        return f"{'SOH' if message[0] == SOH else 'STX'} … ETX with a good block check"
    if message[0] == ACK:
        return "ACK with an option" if _OPTION.match(message) else None
    return _line_reason(message) if message[0] == ord("/") else None


_OPTION = re.compile(rb"\x06[0-9][0-9A-I][0-9A-I](?:\r|$)")


def _line_reason(message: bytes) -> str | None:
    line, newline, rest = message.partition(b"\n")
    if line.startswith(b"/?"):
        return "a request line" if b"!" in line else None
    if line[4:5] == b"3" and Pushes(rest).end(0) is not None:
        return "a push of mode D: identification, empty line, data up to !"
    if b"!" in line or (newline and rest.lstrip(PADDING)[:1] not in (b"", b"\x01", b"\x02", b"\x06")):
        return None
    return "an identification line" if newline or len(line) >= 5 else None


def decode(data: bytes, options: DecodeOptions = DecodeOptions(), *, explain: bool = True) -> list[Decoded]:
    """Decode every message of `data`. Never raises: what is wrong is told in the result.

    With `options.lenient` values are listed although the block check character does not fit. A
    block that is whole but has a line that is no data set is invalid, and its other values are kept.
    """
    return [_decode_message(data[start:end], start, options, explain) for start, end in split(data)]


_REFUSALS: Final = re.compile(r"\([Ee#]")


def _decode_message(frame: bytes, start: int, options: DecodeOptions, explain: bool) -> Decoded:
    tree = Tree(frame, "message", start=start) if explain else None
    text, below, layer = frame, tree, 0
    stripped = without_parity(frame)
    if stripped is not frame:
        text, layer = stripped, 1
        if tree is not None:
            tree.leaf("characters", 0, len(frame), None, "7 bits, even parity")
            below = tree.layer("parity removed", stripped, "message")
    reading = _Message(text, layer, options, below)
    reading.read()
    if below is not None and below is not tree:
        below.finish(reading.name)
    return reading.result(tree)


_NOBODY: Final = MeterIdentity()
_remembered_line = lru_cache(maxsize=1024)(decode_line)
"""Lines of meters are short, and who they are they say each time."""


@lru_cache(maxsize=1024)
def _identity(manufacturer: str, identification: str) -> MeterIdentity:
    return MeterIdentity(manufacturer=manufacturer, identification=identification)


class _Message:
    """One message while it is being decoded."""

    def __init__(self, text: bytes, layer: int, options: DecodeOptions, tree: Tree | None) -> None:
        self.text = text
        self.layer = layer
        self.options = options
        self.tree = tree
        self.name = "message"
        self.why = "nothing that IEC 62056-21 knows"
        self.meter = _NOBODY
        self.records: Sequence[Record] = ()
        self.errors: list[Problem] = []
        self.frame: Event | None = None
        self.broken = False

    def result(self, tree: Tree | None) -> Decoded:
        return Decoded(
            PROTOCOL,
            not self.broken,
            self.why,
            self.meter,
            tuple(self.records),
            tuple(self.errors),
            layers=tree.layers if tree is not None else (),
            tree=tree.finish(self.name) if tree is not None else None,
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
        if is_bare_text(self.text):
            self._bare_text(at)
        elif start == ord("/"):
            at = self._line(at)
            if Pushes(self.text).end(at) is not None:
                self._pushed(at)
            elif at < len(self.text):
                self._block(self._padding(at))
        elif start in (SOH, STX):
            self._block(at)
        elif start in (ACK, NAK):
            self._single(at)
        else:
            raise RemoteProtocolError(f"{len(self.text) - at} bytes that begin no message", at)

    def _padding(self, at: int) -> int:
        end = past_padding(self.text, at)
        if end > at and self.tree is not None:
            self.tree.leaf("noise", at, end, None, "before the message")
        return end

    def _line(self, at: int) -> int:
        end = self.text.find(b"\n", at) + 1
        if not end:
            raise RemoteProtocolError("the line has no end", len(self.text))
        line = self.text[at:end]
        if self.tree is not None:
            self.frame = decode_line(line, self.tree, at)
        else:
            try:
                self.frame = _remembered_line(line)
            except RemoteProtocolError as error:
                raise RemoteProtocolError(str(error), at + error.offset) from error
        match self.frame:
            case Identification(manufacturer, _, identification):
                self.name, self.why = "identification", "an identification line"
                self.meter = _identity(manufacturer, identification)
            case Request():
                self.name, self.why = "request", "a request line"
        return end

    def _single(self, at: int) -> None:
        if len(self.text) > at + 1:
            self.frame = decode_option(self.text[at:], self.tree, at)
            self.name, self.why = "option select", "ACK with an option"
            return
        if self.text[at] == NAK:
            self.name, self.why, self.frame = "repeat request", "NAK", Repeat()
        else:
            self.name, self.why, self.frame = "acknowledgement", "ACK", Acknowledge()
        if self.tree is not None:
            self.tree.leaf(self.why, at, at + 1)

    def _pushed(self, at: int) -> None:
        start = self.text.index(b"\n", at) + 1
        data = self.text[start:].decode("latin-1")
        self.frame, self.name, self.why = PlainData(data), "push", "identification and data up to !, mode D"
        if self.tree is not None:
            self.tree.leaf("empty line", at, start)
            decode_data(data, self.tree, start, strict=False)
        self._values(data, start)

    def _bare_text(self, at: int) -> None:
        if self.text[at] == ord("/"):
            end = self.text.index(b"\n", at) + 1
            words = self.text[at + 1 : end].decode("latin-1").rstrip()
            self.meter = _identity(words[:3], words[4:])
            if self.tree is not None:
                self.tree.leaf("identification", at, end, words)
            at = end
        data = self.text[at:].decode("latin-1")
        self.name, self.why = "read-out", "the lines of a read-out, without the characters around them"
        if self.tree is not None:
            decode_data(data, self.tree, at, strict=False)
        if self.options.lenient:
            self._values(data, at)
        words = "no STX, ETX and block check character: nothing proves these values"
        raise RemoteProtocolError(words if self.options.lenient else f"{words}, lenient lists them", at)

    def _block(self, at: int) -> None:
        if self.text[-1] & 0x7F in (ETX, EOT) and self.text[-2] & 0x7F not in (ETX, EOT):
            raise RemoteProtocolError("the block has no block check character", len(self.text))
        if len(self.text) < at + 3 or self.text[-2] & 0x7F not in (ETX, EOT):
            raise RemoteProtocolError("the block ends before ETX and block check character", len(self.text))
        try:
            event = decode_block(self.text[at:], self.tree, at)
        except RemoteProtocolError:
            if self.options.lenient and self.text[at] == STX:
                self._values(self.text[at + 1 : -2].decode("latin-1"), at + 1)
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
        broken: RemoteProtocolError | None = None
        try:
            self.records, others = read_records(data, offset, self.layer)
        except RemoteProtocolError as error:
            broken = error
            self.records, others = read_records(data, offset, self.layer, strict=False)
        if others is not None and _REFUSALS.search(data):
            self.errors += [
                Problem(refusal_text(data_set), offset + data_set.offset, self.layer)
                for line in decode_data(data, strict=False)
                for data_set in line
                if is_refusal(data_set)
            ]
        number = next((record.value for record in others or () if record.obis in _DEVICE_ADDRESS), None)
        if number is not None:
            self.meter = replace(self.meter, id=str(number).strip())
        if broken is not None:
            raise broken  # a line that is no data set costs the message, not its values
