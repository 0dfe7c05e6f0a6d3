"""Bytes to an explained tree and records: what `polymeter decode` shows and collection uses.

An input may hold several messages and noise between them. A read-out is the identification line
and the data block after it; everything else stands for itself. A damaged message gives an error
with its place, and the reading goes on behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Final

from polymeter.protocols.iec62056_21.frames import (
    ACK,
    EOT,
    ETX,
    LINE_MAX,
    NAK,
    SOH,
    STRIP_PARITY,
    STX,
    Acknowledge,
    Break,
    Command,
    DataMessage,
    Event,
    Identification,
    PlainData,
    Repeat,
    Request,
    block_end,
    decode_block,
    decode_data,
    decode_line,
    decode_option,
    line_before,
    without_parity,
)
from polymeter.protocols.iec62056_21.readings import is_refusal, refusal_text
from polymeter.protocols.iec62056_21.readouts import data_records
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
_PADDING: Final = b"\x00\x7f\xff\r\n "
_DEVICE_ADDRESS: Final = frozenset(("1-0:0.0.0*255", "0-0:96.1.0*255", "0-0:96.1.1*255"))


def detect(data: bytes) -> str | None:
    """Why `data` looks like IEC 62056-21, `None` if it does not."""
    message = without_parity(data.strip(_PADDING))
    if not message:
        return None
    if message[0] in (SOH, STX):
        # The end may have been stripped with the padding: a block check character can be a blank.
        message = without_parity(data.lstrip(_PADDING))
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
    if line[4:5] == b"3" and _Pushes(rest).end(0) is not None:
        return "a push of mode D: identification, empty line, data up to !"
    if b"!" in line or (newline and rest.lstrip(_PADDING)[:1] not in (b"", b"\x01", b"\x02", b"\x06")):
        return None
    return "an identification line" if newline or len(line) >= 5 else None


def decode(data: bytes, options: DecodeOptions = DecodeOptions(), *, explain: bool = True) -> list[Decoded]:
    """Decode every message of `data`. Never raises: what is wrong is told in the result.

    With `options.lenient` values are listed although the block check character does not fit. A
    block that is whole but has a line that is no data set is invalid, and its other values are kept.
    """
    return [_decode_message(data[start:end], start, options, explain) for start, end in _split(data)]


def _split(data: bytes) -> Iterator[tuple[int, int]]:
    """Where messages begin and end; padding before a message belongs to it.

    What makes no message stays together, up to where one begins.
    """
    plain = data if data.isascii() else data.translate(STRIP_PARITY)
    pushes = _Pushes(plain)
    start = at = 0
    broken = False
    while (at := _past_padding(data, at)) < len(data):
        end, whole = _message_end(data, plain, pushes, at)
        if whole:
            if broken:
                yield start, at
                start = at
            yield start, end
            start = end
        broken = not whole
        at = end
    if start < len(data) and (broken or start == 0):
        yield start, len(data)


def _message_end(data: bytes, plain: bytes, pushes: _Pushes, at: int) -> tuple[int, bool]:
    """The end of the message at `at`, and whether it is one; if not, where another may begin."""
    match plain[at]:
        case 0x01 | 0x02:
            return _block_end(plain, at)
        case 0x06:
            return (at + 6 if _OPTION_LINE.match(plain, at) else at + 1), True
        case 0x15:
            return at + 1, True
        case 0x2F:
            end = plain.find(b"\n", at, at + LINE_MAX) + 1
            if end and plain.find(b"/", at + 1, end) < 0:
                return _line_end(data, plain, pushes, at, end), True
    following = _START.search(plain, at + 1)
    return (following.start() if following else len(data)), False


def _line_end(data: bytes, plain: bytes, pushes: _Pushes, at: int, end: int) -> int:
    """The end of a line at `at`, with the data that belongs to it."""
    pushed = pushes.end(end)
    if pushed is not None:
        return pushed
    following = _past_padding(data, end)
    request = data[at + 1] == ord("?")
    if not request and following < len(data) and plain[following] == STX:
        return _block_end(plain, following)[0]
    return end


def _block_end(plain: bytes, at: int) -> tuple[int, bool]:
    """The end of the block at `at`, or of what there is of it, and whether it is whole."""
    end = block_end(plain, at) or len(plain)
    if end > at + 2 and plain[end - 2] in (ETX, EOT):
        return end, True
    return line_before(plain, at + 1, end), False


_REFUSALS = re.compile(r"\([Ee#]")
_START = re.compile(rb"[\x01\x02\x06\x15/]")
_OPTION_LINE = re.compile(rb"\x06[^\r\n/]{3}\r\n")
_PADDING_RUN = re.compile(rb"[\x00\x7f\xff\r\n ]*+")


def _past_padding(data: bytes, at: int) -> int:
    run = _PADDING_RUN.match(data, at)
    return run.end() if run is not None else at


class _Pushes:
    """What follows an identification in mode D: an empty line, values, and ``!`` in a line of its own.

    P1 has a check behind its ``!`` and is not meant. Asked at ascending places it searches once.
    """

    def __init__(self, plain: bytes) -> None:
        self._plain = plain
        self._stop = self._value = -1

    def end(self, at: int) -> int | None:
        """Where the data ends that begins with the empty line at `at`, `None` if none does."""
        plain = self._plain
        if not plain.startswith((b"\n", b"\r\n"), at):
            return None
        if self._stop < at:
            stop = _PUSH_STOP.search(plain, at)
            self._stop = stop.start() if stop is not None else len(plain)
        if self._value < at:
            value = plain.find(b"(", at)
            self._value = value if value >= 0 else len(plain)
        ended = _PUSH_END.match(plain, self._stop)
        return ended.end() if ended is not None and self._value < self._stop else None


_PUSH_STOP = re.compile(rb"[\x01-\x06\x15!]")
_PUSH_END = re.compile(rb"!(?:\r?\n|\r?\Z)")


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
        if start == ord("/"):
            at = self._line(at)
            if _Pushes(self.text).end(at) is not None:
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
        end = _past_padding(self.text, at)
        if end > at and self.tree is not None:
            self.tree.leaf("noise", at, end, None, "before the message")
        return end

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

    def _block(self, at: int) -> None:
        if at >= len(self.text):
            return
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
            self.records = data_records(data, offset, self.layer)
        except RemoteProtocolError as error:
            broken = error
            self.records = data_records(data, offset, self.layer, strict=False)
        if _REFUSALS.search(data):
            self.errors += [
                Problem(refusal_text(data_set), offset + data_set.offset, self.layer)
                for line in decode_data(data, strict=False)
                for data_set in line
                if is_refusal(data_set)
            ]
        if self.meter.id is None and not _DEVICE_ADDRESS.isdisjoint(map(_OBIS, self.records)):
            number = next(record.value for record in self.records if record.obis in _DEVICE_ADDRESS)
            self.meter = replace(self.meter, id=str(number))
        if broken is not None:
            raise broken  # a line that is no data set costs the message, not its values


_OBIS: Final = attrgetter("obis")
