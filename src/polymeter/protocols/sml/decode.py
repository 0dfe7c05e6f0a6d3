"""Bytes to an explained tree and records: what `polymeter decode` shows and collection uses.

An input is what was heard on a line: it may begin and end inside a frame. Every whole frame gives
a result, every frame that another one cuts off gives an error, and what lies between belongs to
the frame after it. An input without a start sequence may be a frame's content, messages alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from polymeter.protocols.sml.attentions import ATTENTION, refusal
from polymeter.protocols.sml.explain import explain_message
from polymeter.protocols.sml.flat import read_flat
from polymeter.protocols.sml.grammar import BODIES, check_body
from polymeter.protocols.sml.messages import Message, decode_message
from polymeter.protocols.sml.readings import identity, message_records
from polymeter.protocols.sml.transport import CHECKSUMS, START, Checksum, Frame, decode_frame, find_span
from polymeter.protocols.spans import Span
from polymeter.protocols.wire import (
    Decoded,
    DecodeOptions,
    Problem,
    Record,
    RemoteProtocolError,
    Tree,
    nothing_found,
)

__all__ = ["PROTOCOL", "decode", "detect"]

PROTOCOL: Final = "sml"


def detect(data: bytes) -> str | None:
    """Why `data` looks like SML, `None` if it does not."""
    if START in data:
        return "1B1B1B1B 01010101"
    if data[:1] == b"\x76" and _bare(data):
        return "SML messages with good check sums, without a frame"
    return None


def _bare(data: bytes) -> bool:
    """Whether the first thing in `data` is a message whose check sum fits."""
    try:
        _, problem = decode_message(data)
    except RemoteProtocolError:
        return False
    return problem is None


def decode(data: bytes, options: DecodeOptions = DecodeOptions(), *, explain: bool = True) -> list[Decoded]:
    """Decode every frame of `data`. Never raises: what is wrong is told in the result.

    With `options.lenient` values are listed although a check sum does not fit.
    """
    spans: list[tuple[Span, int]] = []
    at = 0
    while (span := find_span(data, at)) is not None:
        if span.end is None:
            if not spans:
                spans.append((span, len(data)))
            break
        spans.append((span, span.end))
        at = span.end
    if not spans:
        if data[:1] == b"\x76":
            return [_decode_bare(data, options, explain)]
        problem = f"{len(data)} bytes without 1B1B1B1B 01010101"
        return [nothing_found(PROTOCOL, "nothing that SML knows", problem, data, explain=explain)]
    found = []
    begin = 0
    for index, (span, end) in enumerate(spans):
        stop = end if index + 1 < len(spans) else len(data)
        found.append(_decode_span(data[begin:stop], begin, span, end - begin, options, explain))
        begin = stop
    return found


def _decode_span(
    part: bytes, begin: int, span: Span, end: int, options: DecodeOptions, explain: bool
) -> Decoded:
    """Decode the frame of `part`, which is what belongs to it of an input from `begin` on."""
    tree = Tree(part, "SML frame", start=begin) if explain else None
    start = span.start - begin
    if tree is not None and start:
        tree.leaf("noise", 0, start, None, "before the frame")
    if span.sound and span.end is not None:
        decoded = _decode_frame(part[start:end], start, options, tree)
    else:
        why = "1B1B1B1B 01010101 and no end"
        problem = Problem("the frame is cut: its end does not come", end)
        decoded = Decoded(PROTOCOL, valid=False, why=why, errors=(problem,))
        if tree is not None:
            tree.leaf("start", start, start + len(START))
    if tree is not None:
        if end < len(part):
            cut = find_span(part, end) is not None
            tree.leaf(
                "noise", end, len(part), None, "a frame that is not whole" if cut else "after the frame"
            )
        decoded = replace(decoded, layers=tree.layers, tree=tree.finish())
    return decoded


def _decode_frame(data: bytes, start: int, options: DecodeOptions, tree: Tree | None) -> Decoded:
    frame = decode_frame(data, start)
    content_at = start + len(START)
    layer, offset, below = 0, content_at, tree
    if frame.escapes:
        layer, offset = 1, 0
    if tree is not None:
        tree.leaf("start", start, content_at, None, "escape, version 1")
        if frame.escapes:
            _explain_escapes(data, frame, start, tree)
            below = tree.layer("escapes removed", frame.content, "messages")
    errors: list[Problem] = []
    if frame.checksum is None:
        errors.append(Problem("the check sum of the frame does not fit", start + len(data) - 2, 0))
    found = _Content(frame.content, offset, layer, options, below)
    if frame.checksum is not None or options.lenient or tree is not None:
        checksums = CHECKSUMS if frame.checksum is None else (frame.checksum,)
        found.read(checksums, listed=frame.checksum is not None or options.lenient)
        errors.extend(found.errors)
    if tree is not None:
        if below is not None and below is not tree:
            below.finish()
        end = start + len(data)
        tree.leaf("end", end - 8, end - 3, None, "escape, end of the frame")
        tree.leaf("padding", end - 3, end - 2, frame.padding)
        tree.leaf("check sum", end - 2, end, None, _checked(frame.checksum))
    return found.result(frame, errors, _why(frame.checksum))


def _checked(checksum: Checksum | None) -> str:
    return "does not fit" if checksum is None else f"good, {checksum.name}"


def _why(checksum: Checksum | None) -> str:
    return (
        f"1B1B1B1B 01010101 … 1A with {'a bad check sum' if checksum is None else f'a good {checksum.name}'}"
    )


def _explain_escapes(data: bytes, frame: Frame, start: int, tree: Tree) -> None:
    """Content with surplus escapes; without them it is a layer of its own, which hangs below."""
    tree.open("content", start + len(START))
    at = len(START)
    for escape in frame.escapes:
        if escape > at:
            tree.leaf("escaped bytes", start + at, start + escape)
        tree.leaf("escape", start + escape, start + escape + 4, None, "1B1B1B1B in the content")
        at = escape + 4
    tree.leaf("escaped bytes", start + at, start + len(data) - 8)
    tree.close(start + len(data) - 8)


def _decode_bare(data: bytes, options: DecodeOptions, explain: bool) -> Decoded:
    """Messages without a frame, as some gateways pass them on."""
    tree = Tree(data, "SML messages") if explain else None
    found = _Content(data, 0, 0, options, tree)
    found.read(CHECKSUMS, listed=True)
    decoded = found.result(Frame(data, 0, None, ()), found.errors, "SML messages without a frame")
    if tree is not None:
        decoded = replace(decoded, layers=tree.layers, tree=tree.finish())
    return decoded


class _Content:
    """The messages of one frame while they are being decoded."""

    def __init__(
        self, data: bytes, offset: int, layer: int, options: DecodeOptions, tree: Tree | None
    ) -> None:
        self.data = data
        self.offset = offset
        self.layer = layer
        self.lenient = options.lenient
        self.tree = tree
        self.server: bytes | None = None
        self.records: list[Record] = []
        self.errors: list[Problem] = []
        self.reports: list[Problem] = []
        """What the server says is wrong, in frames that are all right."""

    def result(self, frame: Frame, errors: list[Problem], why: str) -> Decoded:
        meter = identity(self.server, self.records)
        told = (*errors, *self.reports)
        return Decoded(PROTOCOL, not errors, why, meter, tuple(self.records), told, frame=frame)

    def read(self, checksums: tuple[Checksum, ...], *, listed: bool) -> None:
        """Read all messages; with `listed` off only the tree learns what they say."""
        data, at, end = self.data, 0, len(self.data)
        while at < end:
            if not data[at]:
                stop = end - len(data[at:].lstrip(b"\0"))
                if self.tree is not None:
                    self.tree.leaf("padding", self.offset + at, self.offset + stop)
                at = stop
                continue
            flat = read_flat(data, at, checksums, self.offset, self.layer) if self.tree is None else None
            if flat is not None:
                self._list(flat.server, flat.records)
                at = flat.end
                continue
            try:
                message, problem = decode_message(data, at, checksums)
                assert message.element is not None  # it was decoded
            except RemoteProtocolError as error:
                self._error(error, listed)
                return
            self._message(message, problem, listed)
            at = message.element.end

    def _message(self, message: Message, problem: RemoteProtocolError | None, listed: bool) -> None:
        known = BODIES.get(message.tag)
        sound = problem is None
        if problem is not None:
            self._error(problem, listed)
        try:
            if known is not None:
                check_body(message.body, known)
            if listed and (sound or self.lenient):
                self._list(message.server, message_records(message, self.data, self.offset, self.layer))
                reported = refusal(message.body) if message.tag == ATTENTION else None
                if reported is not None:
                    self.reports.append(Problem(reported, self.offset + message.body.start, self.layer))
        except RemoteProtocolError as error:
            self._error(error, listed)
        if self.tree is not None:
            explain_message(message, self.offset, self.tree, sound=sound)

    def _list(self, server: bytes | None, records: Iterable[Record]) -> None:
        self.server = server or self.server
        self.records.extend(records)

    def _error(self, error: RemoteProtocolError, listed: bool) -> None:
        """Note an error; where the frame is refused anyway its check sum is the one to tell."""
        if listed:
            self.errors.append(Problem(str(error), self.offset + error.offset, self.layer))
