"""HDLC frames of IEC 62056-46: octets between two flags and what they mean, exactly.

A frame is format and length, two addresses, a control octet, perhaps a header check sequence with
information after it, and a frame check sequence (§ 6.4). Both addresses may have one, two or four
octets each, in any mixture; the header check covers them as they came. Length, not flags, ends a
frame, since nothing is stuffed. Windows and sequence numbers belong to the link above this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from polymeter.protocols.crc import crc16_x25
from polymeter.protocols.wire import LocalProtocolError, Problem, RemoteProtocolError, Tree

__all__ = [
    "FLAG",
    "LLC_COMMAND",
    "LLC_RESPONSE",
    "Address",
    "Frame",
    "Kind",
    "Parameters",
    "decode_frame",
    "decode_parameters",
    "encode_frame",
    "encode_parameters",
    "frame_size",
    "scan",
]

FLAG: Final = 0x7E
LLC_COMMAND: Final = b"\xe6\xe6\x00"
LLC_RESPONSE: Final = b"\xe6\xe7\x00"

Kind = Literal["I", "RR", "RNR", "SNRM", "UA", "DISC", "DM", "FRMR", "UI"]

_UNNUMBERED: Final[dict[int, Kind]] = {
    0x83: "SNRM", 0x63: "UA", 0x43: "DISC", 0x0F: "DM", 0x87: "FRMR", 0x03: "UI",
}  # fmt: skip
_CODES: Final = {kind: code for code, kind in _UNNUMBERED.items()}
_POLL_FINAL: Final = 0x10
_SHORTEST: Final = 7
_LONGEST: Final = 0x7FF


class Address(NamedTuple):
    """An HDLC address: upper (logical device or client) and lower (physical device) part.

    `size` is the number of octets on the line: 1 (upper alone), 2 or 4.
    """

    upper: int
    lower: int = 0
    size: int = 1

    def __bytes__(self) -> bytes:
        parts: tuple[int, ...]
        if self.size == 1:
            parts = (self.upper,)
        elif self.size == 2:
            parts = (self.upper, self.lower)
        elif self.size == 4:
            parts = (self.upper >> 7, self.upper & 0x7F, self.lower >> 7, self.lower & 0x7F)
        else:
            raise LocalProtocolError(f"an HDLC address has 1, 2 or 4 octets, not {self.size}")
        if min(parts) < 0 or max(parts) > 0x7F or (self.size == 1 and self.lower):
            raise LocalProtocolError(f"{self} does not fit into {self.size} octets")
        octets = bytearray(part << 1 for part in parts)
        octets[-1] |= 1
        return bytes(octets)

    def __str__(self) -> str:
        return f"{self.upper}" if self.size == 1 else f"{self.upper}/{self.lower}"


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame. `send` and `receive` are the sequence numbers of I, RR and RNR frames."""

    kind: Kind
    destination: Address
    source: Address
    information: bytes = b""
    poll_final: bool = True
    segmented: bool = False
    """Further frames carry the rest of the information."""
    send: int = 0
    receive: int = 0


class Parameters(NamedTuple):
    """What SNRM proposes and UA grants (§ 6.4.4.4.3.2), as the sender of the frame sees it."""

    information_transmit: int = 128
    information_receive: int = 128
    window_transmit: int = 1
    window_receive: int = 1


def _control(frame: Frame) -> int:
    poll_final = _POLL_FINAL if frame.poll_final else 0
    if not 0 <= frame.send <= 7 or not 0 <= frame.receive <= 7:
        raise LocalProtocolError("HDLC sequence numbers go from 0 to 7")
    match frame.kind:
        case "I":
            return frame.receive << 5 | poll_final | frame.send << 1
        case "RR":
            return frame.receive << 5 | poll_final | 0x01
        case "RNR":
            return frame.receive << 5 | poll_final | 0x05
        case _:
            return _CODES[frame.kind] | poll_final


def encode_frame(frame: Frame) -> bytes:
    """The octets of a frame with both flags.

    Raises:
        LocalProtocolError: an address, a sequence number or the length does not fit.
    """
    header = bytes(frame.destination) + bytes(frame.source) + bytes((_control(frame),))
    length = 2 + len(header) + 2 + (len(frame.information) + 2 if frame.information else 0)
    if length > _LONGEST:
        raise LocalProtocolError(f"an HDLC frame holds at most {_LONGEST} octets, not {length}")
    body = (0xA000 | (0x800 if frame.segmented else 0) | length).to_bytes(2, "big") + header
    if frame.information:
        body += crc16_x25(body).to_bytes(2, "little") + frame.information
    return b"\x7e" + body + crc16_x25(body).to_bytes(2, "little") + b"\x7e"


def frame_size(data: bytes | bytearray, at: int) -> int | None:
    """Length with both flags of the frame that begins at the flag at `at`, 0 while it is not whole.

    `None` if no frame begins there.
    """
    head = data[at : at + 3]
    if len(head) < 3:
        return 0 if head[:1] == b"\x7e" and (len(head) < 2 or head[1] & 0xF0 == 0xA0) else None
    length = (head[1] & 7) << 8 | head[2]
    if head[0] != FLAG or head[1] & 0xF0 != 0xA0 or length < _SHORTEST:
        return None
    end = at + length + 2
    if end > len(data):
        return 0
    return length + 2 if data[end - 1] == FLAG else None


def scan(data: bytes | bytearray, start: int = 0) -> tuple[int, int]:
    """Where the next frame begins and ends (both flags included), at or after `start`.

    What lies before the beginning is noise. The end is -1 while the frame is not whole; with no
    flag at all the beginning is the end of `data`. A flag may end one frame and begin the next.
    """
    at = data.find(FLAG, start)
    while at >= 0:
        size = frame_size(data, at)
        if size is not None:
            return at, at + size if size else -1
        at = data.find(FLAG, at + 1)
    return len(data), -1


def _address(data: bytes, at: int, end: int, what: str, offset: int) -> tuple[Address, int]:
    octets: list[int] = []
    while True:
        if at + len(octets) >= end or len(octets) == 4:
            raise RemoteProtocolError(f"the {what} address has no end", offset + at)
        octet = data[at + len(octets)]
        octets.append(octet >> 1)
        if octet & 1:
            break
    match octets:
        case [upper]:
            return Address(upper), at + 1
        case [upper, lower]:
            return Address(upper, lower, 2), at + 2
        case [a, b, c, d]:
            return Address(a << 7 | b, c << 7 | d, 4), at + 4
        case _:
            raise RemoteProtocolError(f"the {what} address has three octets", offset + at)


def decode_frame(
    data: bytes, tree: Tree | None = None, offset: int = 0, problems: list[Problem] | None = None
) -> Frame:
    """Decode one frame with both flags, as `scan` found it at `offset` of the tree's layer.

    With `problems` a wrong check sequence is put there instead of being raised.

    Raises:
        RemoteProtocolError: it is no such frame, is cut, or a check sequence is wrong.
    """
    size = len(data)
    layer = tree.index if tree is not None else 0

    def wrong(message: str, at: int) -> None:
        if problems is None:
            raise RemoteProtocolError(message, offset + at, layer)
        problems.append(Problem(message, offset + at, layer))

    if size < _SHORTEST + 2 or data[0] != FLAG or data[1] & 0xF0 != 0xA0:
        raise RemoteProtocolError("no HDLC frame of format type 3", offset, layer)
    length = (data[1] & 7) << 8 | data[2]
    if length + 2 != size or data[-1] != FLAG:
        raise RemoteProtocolError(
            f"the frame says {length} octets between its flags, {size - 2} came", offset + 1, layer
        )
    end = size - 3
    destination, at = _address(data, 3, end, "destination", offset)
    source, control_at = _address(data, at, end, "source", offset)
    if control_at >= end:
        raise RemoteProtocolError("the frame has no control octet", offset + control_at, layer)
    header_end = control_at + 1
    if tree is not None:
        tree.leaf("flag", offset, offset + 1)
        segmented = "segmented, more follows" if data[1] & 8 else "not segmented"
        tree.leaf("frame format", offset + 1, offset + 3, length, segmented)
        tree.leaf("destination address", offset + 3, offset + at, str(destination))
        tree.leaf("source address", offset + at, offset + control_at, str(source))
    information = b""
    frame = _kind(data[control_at], destination, source, offset + control_at)
    if tree is not None:
        tree.leaf("control", offset + control_at, offset + header_end, frame.kind, _meaning(frame))
    if end > header_end:
        if end - header_end < 2:
            raise RemoteProtocolError("one octet is no header check sequence", offset + header_end, layer)
        found = data[header_end] | data[header_end + 1] << 8
        expected = crc16_x25(data[1:header_end])
        good = found == expected
        if tree is not None:
            fit = "good" if good else f"wrong, {expected:04x} expected"
            tree.leaf("header check sequence", offset + header_end, offset + header_end + 2, found, fit)
        if not good:
            wrong(f"header check sequence {found:04x}, {expected:04x} expected", header_end)
        information = data[header_end + 2 : end]
        if tree is not None and information:
            tree.leaf("information", offset + header_end + 2, offset + end)
    found = data[end] | data[end + 1] << 8
    expected = crc16_x25(data[1:end])
    if tree is not None:
        fit = "good" if found == expected else f"wrong, {expected:04x} expected"
        tree.leaf("frame check sequence", offset + end, offset + end + 2, found, fit)
        tree.leaf("flag", offset + end + 2, offset + size)
    if found != expected:
        wrong(f"frame check sequence {found:04x}, {expected:04x} expected", end)
    return Frame(
        frame.kind,
        destination,
        source,
        information,
        frame.poll_final,
        bool(data[1] & 8),
        frame.send,
        frame.receive,
    )


def _kind(control: int, destination: Address, source: Address, offset: int) -> Frame:
    poll_final = bool(control & _POLL_FINAL)
    if not control & 1:
        return Frame("I", destination, source, b"", poll_final, False, control >> 1 & 7, control >> 5)
    if control & 0x0F == 0x01:
        return Frame("RR", destination, source, b"", poll_final, False, 0, control >> 5)
    if control & 0x0F == 0x05:
        return Frame("RNR", destination, source, b"", poll_final, False, 0, control >> 5)
    kind = _UNNUMBERED.get(control & ~_POLL_FINAL)
    if kind is None:
        raise RemoteProtocolError(f"control octet {control:02x} is no frame of IEC 62056-46", offset)
    return Frame(kind, destination, source, b"", poll_final)


def _meaning(frame: Frame) -> str:
    bit = "poll/final" if frame.poll_final else "no poll/final"
    if frame.kind == "I":
        return f"{bit}, N(S) {frame.send}, N(R) {frame.receive}"
    return f"{bit}, N(R) {frame.receive}" if frame.kind in ("RR", "RNR") else bit


_INFORMATION_TRANSMIT: Final = 5
_INFORMATION_RECEIVE: Final = 6
_WINDOW_TRANSMIT: Final = 7
_WINDOW_RECEIVE: Final = 8


def encode_parameters(parameters: Parameters) -> bytes:
    """The information field of SNRM or UA that negotiates `parameters`."""
    group = bytearray()
    for identifier, value in ((5, parameters.information_transmit), (6, parameters.information_receive)):
        if not 0 < value < 1 << 16:
            raise LocalProtocolError(f"an information field of {value} octets cannot be negotiated")
        size = 1 if value < 256 else 2
        group += bytes((identifier, size)) + value.to_bytes(size, "big")
    for identifier, value in ((7, parameters.window_transmit), (8, parameters.window_receive)):
        if not 0 < value < 8:
            raise LocalProtocolError(f"a window of {value} frames cannot be negotiated")
        group += bytes((identifier, 4)) + value.to_bytes(4, "big")
    return b"\x81\x80" + bytes((len(group),)) + bytes(group)


def decode_parameters(information: bytes, tree: Tree | None = None, offset: int = 0) -> Parameters:
    """What the information field of SNRM or UA says; what it leaves out has its default.

    Raises:
        RemoteProtocolError: it is cut or is no parameter field.
    """
    if not information:
        return Parameters()
    if len(information) < 3 or information[0] != 0x81:
        raise RemoteProtocolError("no HDLC parameter field", offset)
    if tree is not None:
        tree.leaf("format identifier", offset, offset + 1)
        tree.leaf("group identifier", offset + 1, offset + 2)
        tree.leaf("group length", offset + 2, offset + 3, information[2])
    end = 3 + information[2]
    if end > len(information):
        raise RemoteProtocolError(f"the parameter group needs {information[2]} octets", offset + 2)
    values = {}
    at = 3
    while at < end:
        if at + 2 > end or at + 2 + information[at + 1] > end:
            raise RemoteProtocolError("an HDLC parameter is cut", offset + at)
        stop = at + 2 + information[at + 1]
        values[information[at]] = int.from_bytes(information[at + 2 : stop], "big")
        if tree is not None:
            name = _PARAMETER_NAMES.get(information[at], "unknown parameter")
            tree.leaf(name, offset + at, offset + stop, values[information[at]])
        at = stop
    default = Parameters()
    return Parameters(
        values.get(_INFORMATION_TRANSMIT) or default.information_transmit,
        values.get(_INFORMATION_RECEIVE) or default.information_receive,
        values.get(_WINDOW_TRANSMIT) or default.window_transmit,
        values.get(_WINDOW_RECEIVE) or default.window_receive,
    )


_PARAMETER_NAMES: Final = {
    _INFORMATION_TRANSMIT: "maximum information field length, transmit",
    _INFORMATION_RECEIVE: "maximum information field length, receive",
    _WINDOW_TRANSMIT: "window size, transmit",
    _WINDOW_RECEIVE: "window size, receive",
}
