"""The link layer (EN 13757-2 § 5): four frames, their checksum, and how to find them in a stream."""

from __future__ import annotations

from typing import Final, NamedTuple
from zlib import adler32

from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError

__all__ = [
    "ADDRESS_BROADCAST",
    "ADDRESS_SELECTED",
    "ADDRESS_TEST",
    "FCB",
    "REQ_UD1",
    "REQ_UD2",
    "RSP_UD",
    "SND_NKE",
    "SND_UD",
    "Acknowledge",
    "Frame",
    "LongFrame",
    "ShortFrame",
    "checksum",
    "control_name",
    "decode_frame",
    "encode",
    "frame_at",
]

ACK: Final = 0xE5
SHORT_START: Final = 0x10
LONG_START: Final = 0x68
STOP: Final = 0x16

SND_NKE: Final = 0x40
SND_UD: Final = 0x53
REQ_UD2: Final = 0x5B
REQ_UD1: Final = 0x5A
RSP_UD: Final = 0x08
FCB: Final = 0x20
"""The frame count bit of a control field."""
_FROM_MASTER: Final = 0x40

ADDRESS_SELECTED: Final = 253
ADDRESS_TEST: Final = 254
ADDRESS_BROADCAST: Final = 255

_CONTROLS: Final = {
    0x40: "SND_NKE",
    0x43: "SND_UD",
    0x53: "SND_UD",
    0x73: "SND_UD",
    0x44: "SND_NR",
    0x46: "SND_IR",
    0x4B: "REQ_UD2",
    0x5B: "REQ_UD2",
    0x7B: "REQ_UD2",
    0x4A: "REQ_UD1",
    0x5A: "REQ_UD1",
    0x7A: "REQ_UD1",
    0x08: "RSP_UD",
    0x18: "RSP_UD",
    0x28: "RSP_UD",
    0x38: "RSP_UD",
}


class Acknowledge(NamedTuple):
    """The single character E5."""


class ShortFrame(NamedTuple):
    """A request without data: SND_NKE, REQ_UD1, REQ_UD2."""

    control: int
    address: int


class LongFrame(NamedTuple):
    """A frame with a CI field; without data behind it the standard calls it a control frame."""

    control: int
    address: int
    ci: int
    data: bytes = b""

    @property
    def from_master(self) -> bool:
        """Whether a master says it."""
        return bool(self.control & _FROM_MASTER)


Frame = Acknowledge | ShortFrame | LongFrame


class Candidate(NamedTuple):
    """Bytes that begin like a frame: where they end and what is wrong with them, if anything."""

    end: int
    fault: str | None = None
    offset: int = 0
    """Where the fault is."""


def checksum(data: bytes | bytearray) -> int:
    """The sum of all bytes modulo 256; at most 255 of them."""
    # The low half of Adler-32 is one more than the sum, and computed in C.
    return (adler32(data) - 1) & 0xFF


def control_name(control: int) -> str:
    """A control field in the standard's words."""
    return _CONTROLS.get(control & 0x7F, "unknown function")


def encode(frame: Frame) -> bytes:
    """A frame as it travels.

    Raises:
        LocalProtocolError: it has more than 252 bytes of data.
    """
    match frame:
        case Acknowledge():
            return b"\xe5"
        case ShortFrame(control, address):
            return bytes((SHORT_START, control, address, control + address & 0xFF, STOP))
        case LongFrame(control, address, ci, data):
            length = len(data) + 3
            if length > 255:
                raise LocalProtocolError(f"a frame carries 252 bytes of data, not {len(data)}")
            body = bytes((control, address, ci)) + data
            return bytes((LONG_START, length, length, LONG_START)) + body + bytes((checksum(body), STOP))


def frame_at(data: bytes | bytearray, at: int) -> Candidate | None:
    """What the bytes at `at` begin: a frame, a damaged or unfinished one, or `None` for nothing.

    A frame that is not whole yet ends behind the end of `data` and has no fault.
    """
    first, end = data[at], len(data)
    if first == ACK:
        return Candidate(at + 1)
    if first == SHORT_START:
        if at + 5 > end:
            return Candidate(at + 5)
        if data[at + 4] != STOP:
            return Candidate(at + 5, f"a short frame ends with 16, not {data[at + 4]:02X}", at + 4)
        expected = data[at + 1] + data[at + 2] & 0xFF
        return _summed(data, at + 3, expected, at + 5)
    if first != LONG_START:
        return None
    head = data[at + 1 : at + 4]
    if len(head) > 1 and head[0] != head[1]:
        return Candidate(at + 2, f"the lengths {head[0]} and {head[1]} differ", at + 1)
    if len(head) > 2 and head[2] != LONG_START:
        return Candidate(at + 3, f"the second start is 68, not {head[2]:02X}", at + 3)
    if head and head[0] < 3:
        return Candidate(at + 4, f"a length of {head[0]} holds no CI field", at + 1)
    if len(head) < 3:
        return Candidate(end + 1)
    stop = at + 6 + head[0]
    if stop > end:
        return Candidate(stop)
    if data[stop - 1] != STOP:
        return Candidate(stop, f"a long frame ends with 16, not {data[stop - 1]:02X}", stop - 1)
    return _summed(data, stop - 2, checksum(data[at + 4 : stop - 2]), stop)


def _summed(data: bytes | bytearray, at: int, expected: int, end: int) -> Candidate:
    if data[at] != expected:
        return Candidate(end, f"the checksum is {data[at]:02X}, {expected:02X} is expected", at)
    return Candidate(end)


def decode_frame(data: bytes) -> Frame:
    """One whole frame.

    Raises:
        RemoteProtocolError: it is damaged, unfinished, or followed by more.
    """
    candidate = frame_at(data, 0) if data else None
    if candidate is None:
        raise RemoteProtocolError("a frame begins with 10, 68 or E5", 0)
    if candidate.fault is not None:
        raise RemoteProtocolError(candidate.fault, candidate.offset)
    if candidate.end != len(data):
        what = "ends too early" if candidate.end > len(data) else "is followed by more bytes"
        raise RemoteProtocolError(f"the frame {what}", min(candidate.end, len(data)))
    if data[0] == ACK:
        return Acknowledge()
    if data[0] == SHORT_START:
        return ShortFrame(data[1], data[2])
    return LongFrame(data[4], data[5], data[6], data[7:-2])
