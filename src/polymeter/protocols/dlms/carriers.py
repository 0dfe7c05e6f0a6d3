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
from polymeter.protocols.dlms.apdus import APDU_TAGS, decode_leading
from polymeter.protocols.dlms.ber import decode_element
from polymeter.protocols.dlms.mbus_frames import decode_segment, segment_size
from polymeter.protocols.wire import Problem, RemoteProtocolError

__all__ = ["Carried", "Span", "apdu_spans", "is_apdu_tag", "split", "strip_llc"]

_FLAGS: Final = b"\x7e"
_STARTS: Final = re.compile(b"\x7e[\xa0-\xaf]|\x68|\x00\x01")
_LLC: Final = (hdlc.LLC_COMMAND, hdlc.LLC_RESPONSE)
_MESSAGE_FRAMES: Final = 4096
_BLOCK: Final = 0xE0
_TRIES: Final = 100
_SHORTEST: Final = 7
"""Octets of the shortest notification: what follows an APDU and is shorter is none."""


class Carried(NamedTuple):
    """One message: its carrier, where it is, and the ends of its frames."""

    carrier: str
    start: int
    end: int
    frames: tuple[tuple[int, int], ...] = ()


def strip_llc(information: bytes) -> tuple[bytes, bytes]:
    """The LLC octets in front of an APDU, and the APDU. Blocks after the first may have none."""
    if information[:3] in _LLC:
        return information[:3], information[3:]
    return b"", information


def split(data: bytes) -> Iterator[Carried]:
    """The messages of an input, in order; all bytes but idle flags belong to one."""
    at = 0
    size = len(data)
    # In a stream of frames a frame is known by its length; elsewhere its check has to fit as well.
    strict = data[:1] not in (_FLAGS, b"\x68")
    bare = strict
    tries = [_TRIES]
    while at < size:
        message: Carried | None = None
        if hdlc.frame_size(data, at):
            message = _hdlc_message(data, at)
        elif _is_wrapper(data, at):
            message = _wrapped_message(data, at)
        elif segment_size(data, at) is not None:
            message = _mbus_message(data, at)
        elif bare:
            message = _bare_message(data, at)
        if message is None:
            end = _next_frame(data, at + 1, strict, tries)
            whole = bare and end == size
            message = Carried("apdu", at, end, ((at, end),)) if whole else Carried("noise", at, end)
        if message.carrier != "noise" or data[at : message.end].strip(_FLAGS):
            yield message
        at = message.end
        bare = message.carrier == "apdu"


def _next_frame(data: bytes, start: int, strict: bool, tries: list[int]) -> int:
    """Where a whole frame begins, at or after `start`, or the end."""
    for match in _STARTS.finditer(data, start):
        at = match.start()
        if data[at] == 0:
            if strict and _is_wrapper_here(data, at, tries):
                return at
            continue
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
    return len(apdu) > 1 and apdu[0] == _BLOCK and not apdu[1] & 0x80


def _continues(block: bytes, after: bytes) -> bool:
    """Whether a block belongs to the transfer of the block before it. Block 1 begins another."""
    return _is_open_block(block) and after[:1] == b"\xe0" and (after[2:4] != b"\x00\x01" or after == block)


# HDLC


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
            if not _continues(strip_llc(first.information)[1], strip_llc(after.information)[1]):
                break
            first = after
        elif after.information[:3] in _LLC:
            break  # an LLC header begins a message: the rest of the one before was lost
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


# Wrapper


def _is_wrapper(data: bytes, at: int) -> bool:
    return data[at : at + 2] == b"\x00\x01" and len(data) - at >= wrapper.HEADER_SIZE


def _is_wrapper_here(data: bytes, at: int, tries: list[int]) -> bool:
    """Whether a header in the midst of other bytes is one: an APDU begins behind it and fills it.

    What follows the frame shows it for nothing; to decode the APDU is tried a limited number of times.
    """
    start = at + wrapper.HEADER_SIZE
    if not _is_wrapper(data, at) or start >= len(data) or not is_apdu_tag(data[start]):
        return False
    end = start + (data[at + 6] << 8 | data[at + 7])
    after = data[end : end + 6]
    if end > len(data) or end == start:
        return False
    if not after or after == data[at : at + 6]:
        return True
    tries[0] -= 1
    return tries[0] >= 0 and apdu_end(data[start:end], 0) == end - start


def _wrapped_message(data: bytes, start: int) -> Carried:
    frames = [(start, _wrapper_end(data, start))]
    while _is_wrapper(data, at := frames[-1][1]):
        end = _wrapper_end(data, at)
        before = data[frames[-1][0] + wrapper.HEADER_SIZE : frames[-1][1]]
        same = data[at + 2 : at + 6] == data[start + 2 : start + 6]
        if not same or not _continues(before, data[at + wrapper.HEADER_SIZE : end]):
            break
        frames.append((at, end))
    return Carried("wrapper", start, frames[-1][1], tuple(frames))


def _wrapper_end(data: bytes, at: int) -> int:
    """Where the frame at `at` ends: where its length says, or where octets that are missing show it.

    They are missing if the same header comes again too early, and the frame, with what it takes of
    the next, is no APDU or ends where no header is.
    """
    start = at + wrapper.HEADER_SIZE
    end = start + (data[at + 6] << 8 | data[at + 7])
    head = data[at : at + 6]
    again = data.find(head, start, end + len(head) - 1)
    if again < 0 or again >= end:
        return min(end, len(data))
    followed = data[end : end + len(head)] in (head, b"")
    return end if end <= len(data) and followed and apdu_end(data[start:end], 0) == end - start else again


# M-Bus


def _mbus_message(data: bytes, start: int) -> Carried:
    frames: list[tuple[int, int]] = []
    at = start
    while (size := segment_size(data, at)) is not None and at + size <= len(data):
        if frames and data[at + 6] & 0x0F != len(frames) & 0x0F:
            break
        frames.append((at, at + size))
        at += size
        if not _is_sound(data, frames[-1]):
            # A wrong octet, or octets missing: then a sound frame begins within this one.
            begin = _next_frame(data, frames[-1][0] + 1, True, [0])
            if begin < at:
                frames[-1] = frames[-1][0], begin
                return Carried("mbus", start, begin, tuple(frames))
        if data[frames[-1][0] + 6] & 0x10:
            break
    if not frames:
        end = _next_frame(data, start + 1, True, [0])
        return Carried("mbus", start, end, ((start, end),))
    return Carried("mbus", start, frames[-1][1], tuple(frames))


def _is_sound(data: bytes, frame: tuple[int, int]) -> bool:
    return data[frame[1] - 1] == 0x16 and data[frame[1] - 2] == sum(data[frame[0] + 4 : frame[1] - 2]) & 0xFF


# No frame at all


def apdu_end(data: bytes, at: int) -> int | None:
    """Where the APDU that begins at `at` ends; `None` if none does."""
    try:
        if 0x60 <= data[at] <= 0x63:
            return decode_element(data, at).end
        return decode_leading(data, at)[1]
    except RemoteProtocolError:
        return None


def is_apdu_tag(tag: int) -> bool:
    """Whether an APDU of xDLMS or ACSE may begin with `tag`."""
    return 0x60 <= tag <= 0x63 or tag in APDU_TAGS


class Span(NamedTuple):
    """Where an APDU lies; `whole` is false where the octets end in the midst of one, or are none."""

    start: int
    end: int
    whole: bool = True


def apdu_spans(data: bytes, start: int = 0) -> Iterator[Span]:
    """The APDUs that follow one another from `start` on, without the LLC headers between them.

    Octets that are none belong to the last one, whoever reads it says what is wrong with them.
    """
    at = start
    size = len(data)
    while at < size:
        llc = len(strip_llc(data[at : at + 4])[0])
        at += llc if at + llc < size else 0
        end = apdu_end(data, at)
        if end == size or (end is not None and _is_another(data, at, end)):
            yield Span(at, end)
            at = end
        else:
            yield Span(at, size, False)
            return


def _is_another(data: bytes, at: int, end: int) -> bool:
    """Whether what follows the APDU from `at` to `end` is meant to be another."""
    if data[end : end + 3] in _LLC:
        return True
    return len(data) - end >= _SHORTEST and (data[end] == data[at] or apdu_end(data, end) is not None)


def _bare_message(data: bytes, start: int) -> Carried | None:
    """The first APDU without a frame, all its blocks if it is in blocks; `None` if it ends nowhere."""
    frames: list[tuple[int, int]] = []
    for begin, end, whole in apdu_spans(data, start):
        if not whole or (frames and not _continues(data[slice(*frames[-1])], data[begin:end])):
            break
        frames.append((begin, end))
        if not _is_open_block(data[begin:end]):
            break
    return Carried("apdu", start, frames[-1][1], tuple(frames)) if frames else None
