"""Bytes to an explained tree and records: what `polymeter decode` shows and collection uses.

An input may be frames of HDLC, wrapper or M-Bus, several of them, or one bare APDU. Each message is
unwrapped layer by layer: segments are put together, blocks too, envelopes opened if their key is
there, until an APDU is left whose values become records. A damaged message gives an error with its
place, and the reading goes on behind it. Titles, counters and open requests are remembered from
message to message, so that a recorded conversation explains itself.
"""

from __future__ import annotations

from typing import Any, Final

from polymeter.protocols.dlms import axdr
from polymeter.protocols.dlms.acse import AARQ, decode_acse
from polymeter.protocols.dlms.apdus import Assembly, decode_apdu
from polymeter.protocols.dlms.carriers import Carried, split, strip_llc
from polymeter.protocols.dlms.contents import Contents, Conversation
from polymeter.protocols.dlms.hdlc import decode_frame, decode_parameters, frame_size
from polymeter.protocols.dlms.mbus_frames import decode_segment, segment_size
from polymeter.protocols.dlms.untagged import parse_untagged
from polymeter.protocols.dlms.wrapper import decode_wrapper
from polymeter.protocols.wire import (
    Decoded,
    DecodeOptions,
    MeterIdentity,
    Problem,
    RemoteProtocolError,
    Tree,
)

__all__ = ["PROTOCOL", "decode", "detect"]

PROTOCOL: Final = "dlms"

_PLAIN: Final = frozenset(b"\x01\x08\x0f\x10\xc0\xc1\xc2\xc3\xc4\xc5\xc7\xd8\xe0")
_CIPHERED: Final = frozenset(
    b"\x21\x28\xc8\xc9\xca\xcb\xcc\xcd\xcf\xd0\xd1\xd2\xd3\xd4\xd5\xd7\xdb\xdc\xdd\xdf"
)
_ASSOCIATION: Final = frozenset(b"\x60\x61")


def detect(data: bytes) -> str | None:
    """Why `data` looks like DLMS/COSEM, `None` if it does not."""
    start = len(data) - len(data.lstrip(b"\x7e")) - 1
    if start >= 0 and (size := frame_size(data, start)):
        try:
            decode_frame(data[start : start + size])
        except RemoteProtocolError:
            return "7E A… 7E with a length that fits"
        return "7E … 7E with good check sequences"
    if (size := segment_size(data)) and size <= len(data):
        try:
            segment = decode_segment(data[:size])
        except RemoteProtocolError:
            return None
        return "68 … 16 with a DLMS segment" if segment.data[:1] and _is_known(segment.data[0]) else None
    if data[:2] == b"\x00\x01" and len(data) > 8:
        length = data[6] << 8 | data[7]
        return "a wrapper header" if length + 8 <= len(data) and _is_known(data[8]) else None
    return f"an APDU with the tag {data[0]:02x}" if data and _is_bare(data) else None


def _is_known(tag: int) -> bool:
    return tag in _PLAIN or tag in _CIPHERED or tag in _ASSOCIATION or tag in (0x62, 0x63)


def _is_bare(data: bytes) -> bool:
    """Whether the whole is one APDU; tags alone would claim too much."""
    try:
        if data[0] in _ASSOCIATION:
            association = decode_acse(data)
            return (isinstance(association, AARQ) and association.context is not None) or data[0] == 0x61
        if data[0] in _PLAIN or data[0] in _CIPHERED:
            decode_apdu(data)
            return True
        if data[0] == 0x02:
            return len(data) > 8 and axdr.parse(data).end == len(data)
    except RemoteProtocolError:
        if data[0] == 0x0F and len(data) > 6:
            try:
                return parse_untagged(data, 6 + data[5]).end == len(data)
            except RemoteProtocolError:
                return False
    return False


def decode(data: bytes, options: DecodeOptions = DecodeOptions(), *, explain: bool = True) -> list[Decoded]:
    """Decode every message of `data`. Never raises: what is wrong is told in the result.

    `options.keys` are tried in turn as encryption keys, `options.auth_key` is the authentication
    key. With `options.lenient` a wrong check sequence is told and the frame believed nevertheless.
    """
    conversation = Conversation(options)
    return [_Message(data, part, conversation, explain).read() for part in split(data)]


_DEVICE_IDS: Final = (
    "0-0:96.1.0*255",
    "0-0:96.1.1*255",
    "0-0:42.0.0*255",
    "1-1:0.0.5*255",
    "1-0:0.0.0*255",
)
"""Where meters keep their own number, the most telling first."""
_LIST_ID: Final = "1-1:0.2.129*255"
_MODELS: Final = ("0-0:96.1.7*255", "1-1:96.1.1*255")
_LOGICAL_DEVICE_NAME: Final = "0-0:42.0.0*255"
_MEDIA: Final = {"1": "electricity", "5": "cooling", "6": "heat", "7": "gas", "8": "water", "9": "hot water"}
_NAMES: Final = {"hdlc": "HDLC", "wrapper": "wrapper", "mbus": "M-Bus", "apdu": "APDU"}


class _Message:
    """One message of an input: its frames are opened here, what they hold by `Contents`."""

    def __init__(self, data: bytes, part: Carried, conversation: Conversation, explain: bool) -> None:
        self.data = data[part.start : part.end]
        self.part = part
        self.options = conversation.options
        self.tree = Tree(self.data, part.carrier, start=part.start) if explain else None
        self.contents = Contents(conversation)
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
                    self.why = "an APDU without a frame"
                    contents.read(self.data, self.tree, 0)
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
            self._meter(),
            tuple(contents.records),
            tuple(contents.errors),
            contents.encrypted,
            self.tree.layers if self.tree is not None else (),
            self.tree.finish(name or "noise") if self.tree is not None else None,
            self.frame or contents.apdu,
            tuple(contents.seals),
        )

    def _meter(self) -> MeterIdentity:
        found: dict[str, str] = {}
        for record in self.contents.records:
            if record.obis in _DEVICE_IDS and isinstance(record.value, str | int):
                found.setdefault(record.obis, str(record.value))
        number = next((found[code] for code in _DEVICE_IDS if code in found), None)
        listed, own_number, model = self._listed()
        title = self.contents.title
        letters = title[:3].decode("latin-1") if len(title) == 8 else found.get(_LOGICAL_DEVICE_NAME, "")[:3]
        return MeterIdentity(
            id=number or own_number,
            manufacturer=letters if letters.isalpha() and letters.isascii() else None,
            medium=self._medium(),
            system_title=title.hex() if title else None,
            identification=" ".join(part for part in (listed, model) if part) or None,
        )

    def _medium(self) -> str | None:
        """What is measured, if all codes that are not about the meter itself agree."""
        groups = {record.obis.partition("-")[0] for record in self.contents.records if record.obis}
        media = groups - {"0"}
        return _MEDIA.get(media.pop()) if len(media) == 1 else None

    def _listed(self) -> tuple[str | None, str | None, str | None]:
        """Name of the list, number and model of the meter: what lists for customers begin with.

        A list names itself under a code of its own or, as bare values have no codes, in its first
        element; then the meter's number and model follow.
        """
        texts = {
            record.obis or record.name: record.value
            for record in self.contents.records
            if isinstance(record.value, str)
        }
        bare = texts.get("element 1")
        listed = texts.get(_LIST_ID, bare)
        if listed is None:
            return None, None, None
        model = next((texts[code] for code in _MODELS if code in texts), None)
        if bare is not None and model is None:
            return listed, texts.get("element 2"), texts.get("element 3")
        return listed, None, model

    def _forgive(self, problems: list[Problem]) -> None:
        """Tell what was wrong with the frames; without `lenient` that makes them invalid."""
        self.contents.errors.extend(problems)
        if problems and not self.options.lenient:
            self.contents.broken = True

    def _inside(self, name: str, data: bytes, assembly: Assembly | None = None) -> Assembly | None:
        """What a frame, or several together, hold."""
        tree, layer = self.contents.layer(self.tree, name, data)
        assembly = self.contents.read(data, tree, layer, assembly)
        if tree is not None:
            tree.finish()
        return assembly

    def _hdlc(self) -> None:
        self.why = "7E … 7E with good check sequences"
        problems: list[Problem] = []
        pieces: list[bytes] = []
        assembly: Assembly | None = None
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
                assembly = self._inside("information", whole, assembly)
        if problems:
            self.why = "7E A… 7E with a length that fits"
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
        self.why = "a wrapper header"
        assembly: Assembly | None = None
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
            assembly = self._inside("wrapped", frame.data, assembly)

    def _mbus(self) -> None:
        self.why = "68 … 16 with a DLMS segment"
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
