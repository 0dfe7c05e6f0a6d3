"""What APDUs travel in, told apart in a run of bytes: HDLC, wrapper, M-Bus, or nothing at all.

`split` cuts an input into messages: a message is all the frames that carry one APDU, be it in
segments of the link or in blocks of general block transfer. Bytes between frames are messages that
nobody understands, so that nothing is lost silently and what follows a bad frame is still read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from polymeter.protocols.dlms import hdlc, wrapper
from polymeter.protocols.dlms.mbus_frames import decode_segment, segment_size
from polymeter.protocols.wire import Problem, RemoteProtocolError

__all__ = ["Carried", "split", "strip_llc"]

_FLAGS: Final = b"\x7e"
_STARTS: Final = re.compile(b"[\x7e\x68]")
_MESSAGE_FRAMES: Final = 4096


class Carried(NamedTuple):
    """One message: its carrier, where it is, and the ends of its frames."""

    carrier: str
    start: int
    end: int
    frames: tuple[tuple[int, int], ...] = ()


def strip_llc(information: bytes) -> tuple[bytes, bytes]:
    """The LLC octets in front of an APDU, and the APDU. Blocks after the first may have none."""
    if information[:3] in (hdlc.LLC_COMMAND, hdlc.LLC_RESPONSE):
        return information[:3], information[3:]
    return b"", information


def split(data: bytes) -> Iterator[Carried]:
    """The messages of an input, in order; all bytes but idle flags belong to one."""
    at = 0
    size = len(data)
    # In a stream of frames a frame is known by its length; elsewhere its check has to fit as well.
    strict = data[:1] not in (_FLAGS, b"\x68")
    while at < size:
        if hdlc.frame_size(data, at):
            message = _hdlc_message(data, at)
        elif data[at : at + 2] == b"\x00\x01" and size - at >= wrapper.HEADER_SIZE:
            message = _wrapped_message(data, at)
        elif segment_size(data, at) is not None:
            message = _mbus_message(data, at)
        else:
            end = _next_frame(data, at + 1, strict)
            message = Carried("apdu" if at == 0 and end == size and strict else "noise", at, end)
        if message.carrier != "noise" or data[at : message.end].strip(_FLAGS):
            yield message
        at = message.end


def _next_frame(data: bytes, start: int, strict: bool) -> int:
    """Where a whole HDLC or M-Bus frame begins, at or after `start`, or the end."""
    for match in _STARTS.finditer(data, start):
        at = match.start()
        size = hdlc.frame_size(data, at) if data[at] == hdlc.FLAG else segment_size(data, at)
        if not size or at + size > len(data):
            continue
        problems: list[Problem] = []
        try:
            if data[at] == hdlc.FLAG:
                hdlc.decode_frame(data[at : at + size], problems=problems)
            else:
                decode_segment(data[at : at + size], problems=problems)
        except RemoteProtocolError:
            continue
        if not problems or not strict:
            return at
    return len(data)


def _is_open_block(apdu: bytes) -> bool:
    """A block of general block transfer after which more follow."""
    return len(apdu) > 1 and apdu[0] == 0xE0 and not apdu[1] & 0x80


def _hdlc_message(data: bytes, start: int) -> Carried:
    """The frames from the one at `start` until an APDU is whole."""
    frames = [(start, start + (hdlc.frame_size(data, start) or 0))]
    frame = hdlc_frame(data, frames[0])
    first = frame
    while frame is not None and first is not None and len(frames) < _MESSAGE_FRAMES:
        span = _hdlc_after(data, frames[-1][1])
        after = hdlc_frame(data, span) if span is not None else None
        if span is None or after is None or after.source != first.source:
            break
        if not frame.segmented:
            block = strip_llc(first.information)[1]
            if not _is_open_block(block) or strip_llc(after.information)[1][:1] != b"\xe0":
                break
            first = after
        frames.append(span)
        frame = after
    return Carried("hdlc", start, frames[-1][1], tuple(frames))


def hdlc_frame(data: bytes, span: tuple[int, int]) -> hdlc.Frame | None:
    """The frame at `span`, check sequences aside; `None` if it is none."""
    try:
        return hdlc.decode_frame(data[span[0] : span[1]], problems=[])
    except RemoteProtocolError:
        return None


def _hdlc_after(data: bytes, end: int) -> tuple[int, int] | None:
    """The frame that follows at once; its first flag may be the last one of the frame before."""
    at = end - 1
    while data[at + 1 : at + 2] == _FLAGS:
        at += 1
    size = hdlc.frame_size(data, at)
    return (at, at + size) if size else None


def _wrapped_message(data: bytes, start: int) -> Carried:
    frames: list[tuple[int, int]] = []
    at = start
    while data[at : at + 2] == b"\x00\x01" and len(data) - at >= wrapper.HEADER_SIZE:
        size = wrapper.wrapper_size(data, at) or 0
        if at + size > len(data):
            break
        if frames:
            before = data[frames[-1][0] + wrapper.HEADER_SIZE : frames[-1][1]]
            same = data[at + 2 : at + 6] == data[start + 2 : start + 6]
            if not _is_open_block(before) or not same or data[at + 8 : at + 9] != b"\xe0":
                break
        frames.append((at, at + size))
        at += size
    if not frames:
        return Carried("wrapper", start, len(data), ((start, len(data)),))
    return Carried("wrapper", start, frames[-1][1], tuple(frames))


def _mbus_message(data: bytes, start: int) -> Carried:
    frames: list[tuple[int, int]] = []
    at = start
    while (size := segment_size(data, at)) is not None and at + size <= len(data):
        if frames and data[at + 6] & 0x0F != len(frames) & 0x0F:
            break
        frames.append((at, at + size))
        at += size
        if data[frames[-1][0] + 6] & 0x10:
            break
    if not frames:
        return Carried("mbus", start, len(data), ((start, len(data)),))
    return Carried("mbus", start, frames[-1][1], tuple(frames))
