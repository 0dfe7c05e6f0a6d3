"""Bytes to an explained tree and records: what `polymeter decode` shows and collection uses.

An input may be frames of HDLC, wrapper or M-Bus, several of them, or one bare APDU. Each message is
unwrapped layer by layer: segments are put together, blocks too, envelopes opened if their key is
there, until an APDU is left whose values become records. A damaged message gives an error with its
place, and the reading goes on behind it. Titles, counters and open requests are remembered from
message to message, so that a recorded conversation explains itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from polymeter.protocols.dlms.carriers import Carried, Span, apdu_spans, split, strip_llc
from polymeter.protocols.dlms.contents import Contents
from polymeter.protocols.dlms.conversation import Conversation
from polymeter.protocols.dlms.detection import REASONS
from polymeter.protocols.dlms.hdlc import LLC_COMMAND, LLC_RESPONSE, decode_frame, decode_parameters
from polymeter.protocols.dlms.identity import meter_identity
from polymeter.protocols.dlms.mbus_frames import decode_segment
from polymeter.protocols.dlms.wrapper import decode_wrapper
from polymeter.protocols.wire import (
    Decoded,
    DecodeOptions,
    Problem,
    RemoteProtocolError,
    Tree,
)

__all__ = ["PROTOCOL", "decode"]

PROTOCOL: Final = "dlms"


def decode(data: bytes, options: DecodeOptions = DecodeOptions(), *, explain: bool = True) -> list[Decoded]:
    """Decode every message of `data`. Never raises: what is wrong is told in the result.

    `options.keys` are tried in turn as encryption keys, `options.auth_key` is the authentication
    key. With `options.lenient` a wrong check sequence is told and the frame believed nevertheless.
    """
    conversation = Conversation(options)
    messages = [_Message(data, part, conversation, explain).read() for part in split(data)]
    conversation.end()
    for place, blocks in conversation.unfinished:
        messages[place] = _unfinished(messages[place], blocks)
    return messages


def _unfinished(message: Decoded, blocks: int) -> Decoded:
    """A message that ends within a block transfer of which nothing more came."""
    words = f"the block transfer is not finished: {blocks} blocks came, the last is missing"
    problem = Problem(words, message.layers[0].length if message.layers else 0)
    return replace(message, valid=False, errors=(*message.errors, problem))


_NAMES: Final = {"hdlc": "HDLC", "wrapper": "wrapper", "mbus": "M-Bus", "apdu": "APDU"}


class _Message:
    """One message of an input: its frames are opened here, what they hold by `Contents`."""

    def __init__(self, data: bytes, part: Carried, conversation: Conversation, explain: bool) -> None:
        self.data = data[part.start : part.end]
        self.part = part
        self.options = conversation.options
        self.tree = Tree(self.data, part.carrier, start=part.start) if explain else None
        self.contents = Contents(conversation)
        conversation.begin_message()
        self.spans = [(begin - part.start, end - part.start) for begin, end in part.frames]
        self.why = "nothing that DLMS/COSEM knows"
        self.frame: Any = None

    def read(self) -> Decoded:
        """Open the message as far as it goes. Never raises."""
        contents = self.contents
        try:
            match self.part.carrier:
                case "hdlc":
                    self._hdlc()
                case "wrapper":
                    self._wrapper()
                case "mbus":
                    self._mbus()
                case "apdu":
                    self._bare()
                case _:
                    noise = f"{len(self.data)} bytes that are no whole frame"
                    contents.fail(RemoteProtocolError(noise, 0), 0)
        except RemoteProtocolError as error:
            contents.fail(error, 0)
            if self.tree is not None:
                self.tree.unwind(1, 0)
        name = " ".join(part for part in (_NAMES.get(self.part.carrier), contents.name) if part)
        return Decoded(
            PROTOCOL,
            not contents.broken,
            self.why,
            meter_identity(contents.title, contents.records),
            tuple(contents.records),
            tuple(contents.errors),
            contents.encrypted,
            self.tree.layers if self.tree is not None else (),
            self.tree.finish(name or "noise") if self.tree is not None else None,
            self.frame or contents.apdu,
            tuple(contents.seals),
        )

    def _forgive(self, problems: list[Problem]) -> None:
        """Tell what was wrong with the frames; without `lenient` that makes them invalid."""
        self.contents.errors.extend(problems)
        if problems and not self.options.lenient:
            self.contents.broken = True

    def _inside(self, name: str, data: bytes) -> None:
        """What a frame, or several together, hold."""
        tree, layer = self.contents.layer(self.tree, name, data)
        self.contents.read(data, tree, layer)
        if tree is not None:
            tree.finish()

    def _bare(self) -> None:
        self.why = "an APDU without a frame"
        if self.spans == [(0, len(self.data))]:
            self.contents.read(self.data, self.tree, 0)
            return
        at = 0
        for start, end in self.spans:
            if self.tree is not None:
                if start > at:
                    self.tree.leaf("LLC", at, start)
                self.tree.leaf("APDU", start, end)
            self._inside("APDU", self.data[start:end])
            at = end

    def _hdlc(self) -> None:
        self.why = REASONS["hdlc"]
        problems: list[Problem] = []
        pieces: list[bytes] = []
        for index, (start, end) in enumerate(self.spans):
            # Two frames may share a flag: it belongs to the first.
            shared = index > 0 and self.spans[index - 1][1] > start
            frame = decode_frame(self.data[start:end], None, start, problems)
            self.frame = self.frame or frame
            carries = frame.kind in ("I", "UI") and not pieces
            llc, information = strip_llc(frame.information) if carries else (b"", frame.information)
            if self.tree is not None:
                self._explain_frame(start, end, shared, len(llc))
                self.tree.close(end, None, f"{frame.kind} from {frame.source} to {frame.destination}")
            self.contents.name = frame.kind
            pieces.append(information)
            if frame.segmented and index + 1 < len(self.spans):
                continue
            whole, pieces = b"".join(pieces), []
            if frame.segmented:
                raise RemoteProtocolError("segments are missing at the end", end)
            if frame.kind in ("SNRM", "UA") and whole:
                self._parameters(whole)
            elif frame.kind in ("I", "UI") and whole:
                for span in _spans_within(whole):
                    self._inside("information", whole[span.start : span.end])
        if problems:
            self.why = REASONS["hdlc-damaged"]
        self._forgive(problems)

    def _explain_frame(self, start: int, end: int, shared: bool, llc: int) -> None:
        """The leaves of one frame, which stays open for what it holds."""
        assert self.tree is not None
        frame = Tree(self.data[start:end], "frame")
        decode_frame(self.data[start:end], frame, problems=[])
        self.tree.open("HDLC frame", start + shared)
        for leaf in frame.root.children[shared:]:
            at, stop = start + leaf.offset, start + leaf.offset + leaf.length
            if leaf.name == "information" and llc:
                self.tree.leaf("LLC", at, at + llc)
                at += llc
            if stop > at:
                self.tree.leaf(leaf.name, at, stop, leaf.value, leaf.meaning)

    def _parameters(self, information: bytes) -> None:
        tree, layer = self.contents.layer(self.tree, "parameters", information)
        try:
            decode_parameters(information, tree)
        except RemoteProtocolError as error:
            self.contents.fail(error, layer)
        if tree is not None:
            tree.finish()

    def _wrapper(self) -> None:
        self.why = REASONS["wrapper"]
        for start, end in self.spans:
            if self.tree is not None:
                self.tree.open("wrapper", start)
            frame = decode_wrapper(self.data[start:end], self.tree, start)
            self.frame = self.frame or frame
            if not frame.data:
                raise RemoteProtocolError("a wrapper without an APDU", start + 6)
            if self.tree is not None:
                self.tree.leaf("APDU", start + 8, end)
                self.tree.close(end, None, f"from {frame.source} to {frame.destination}")
            self._inside("wrapped", frame.data)

    def _mbus(self) -> None:
        self.why = REASONS["mbus"]
        problems: list[Problem] = []
        pieces: list[bytes] = []
        final = False
        for start, end in self.spans:
            if self.tree is not None:
                self.tree.open("M-Bus frame", start)
            segment = decode_segment(self.data[start:end], self.tree, start, problems)
            if self.tree is not None:
                self.tree.close(end)
            if segment.number != len(pieces) & 0x0F:
                wanted = len(pieces) & 0x0F
                raise RemoteProtocolError(f"segment {segment.number} came, {wanted} was expected", start + 6)
            pieces.append(segment.data)
            final = segment.final
        self._forgive(problems)
        # Some meters do not mark an APDU in one frame as the last.
        if not final and len(pieces) > 1:
            raise RemoteProtocolError("segments are missing at the end", len(self.data))
        self._inside("segments", b"".join(pieces))


def _spans_within(information: bytes) -> Iterable[Span]:
    """The APDUs of one frame: one, or as the E450 of Landis+Gyr has it several, each behind an LLC header."""
    if LLC_RESPONSE in information or LLC_COMMAND in information:
        return apdu_spans(information)
    return (Span(0, len(information)),)
