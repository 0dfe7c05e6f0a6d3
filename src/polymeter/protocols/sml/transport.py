"""SML transport version 1 (SML 1.04 § 8.1): a file of messages between escape sequences.

    1B1B1B1B 01010101   content, padded with zeros to a multiple of four   1B1B1B1B 1A pad crc crc

Four 1B in the content are sent twice. The check sum covers everything before it and is sent low
octet first. The standard's is CRC-16/X-25; Holley and some Itron meters compute CRC-16/KERMIT, so
that is what a frame is tried with next, and then all of it must fit that.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from polymeter.protocols.crc import crc16_kermit, crc16_x25
from polymeter.protocols.spans import Span
from polymeter.protocols.wire import RemoteProtocolError

__all__ = ["FRAME_MAX", "START", "Checksum", "Frame", "decode_frame", "encode_frame", "find_span"]

ESCAPE: Final = b"\x1b\x1b\x1b\x1b"
START: Final = ESCAPE + b"\x01\x01\x01\x01"
FRAME_MAX: Final = 1 << 17
"""The longest frame believed in."""
ESCAPES_MAX: Final = 64
"""How many times four 1B may stand in a frame's content. Each may turn out to be where a cut frame
reads on into the next, so without a bound hostile bytes would be read over and over."""
PADDING_MAX: Final = 3
_ESCAPED: Final = re.compile(rb"\x1b{4}(?s:(\x1b{4})|(\x01{4})|\x1a(.{3})|(.{0,4}))")


class Checksum(NamedTuple):
    """A check sum algorithm and its name."""

    name: str
    compute: Callable[[bytes], int]


X25: Final = Checksum("CRC-16/X-25", crc16_x25)
KERMIT: Final = Checksum("CRC-16/KERMIT", crc16_kermit)
CHECKSUMS: Final = (X25, KERMIT)


class Frame(NamedTuple):
    """A frame without its escapes."""

    content: bytes
    """Messages and padding."""
    padding: int
    """Zeros at the end of the content, as the frame counts them."""
    checksum: Checksum | None
    """The algorithm that fits; `None` if none does."""
    escapes: tuple[int, ...]
    """Where in the frame the surplus escapes lie."""


def find_span(data: bytes | bytearray, at: int = 0, known: Span | None = None) -> Span | None:
    """The next frame at or after `at`; `None` if none begins there.

    A frame inside which another begins is cut, and so is one longer than `FRAME_MAX`. What was seen
    of a frame whose end had not come may be given as `known` when more has.
    """
    start = data.find(START, at) if known is None else known.start
    if start < 0:
        return None
    place, escapes = (start + len(START), 0) if known is None else (known.searched, known.seen)
    limit = min(len(data), start + FRAME_MAX)
    while (escape := data.find(ESCAPE, place, limit)) >= 0:
        match = _ESCAPED.match(data, escape, limit)
        assert match is not None  # whatever follows an escape is one of its cases
        if match[1] is not None:
            place = match.end()
            escapes += 1
            if escapes > ESCAPES_MAX:
                return Span(start, place, sound=False)
        elif match[3] is not None:
            return _ended(data, start, match)
        elif match[2] is not None:
            return Span(start, match.start(), sound=False)
        elif match.end() == limit:
            place = escape
            break  # the sequence may not be whole yet
        elif data[match.start() + 4] == 0x1B:
            place = escape + 1  # content that ends with 1B: the escape begins later
        else:
            return Span(start, match.start() + 4, sound=False)
    if limit - start >= FRAME_MAX:
        return Span(start, limit, sound=False)
    if escape < 0:
        place = max(place, limit - len(ESCAPE) + 1)  # an escape may have begun
    return Span(start, None, searched=place, seen=escapes)


def _ended(data: bytes | bytearray, start: int, match: re.Match[bytes]) -> Span:
    """The span of a frame whose end was found, unless what looks like it belongs to the next frame.

    A frame that is cut inside its end would swallow the beginning of the one behind it.
    """
    following = data.find(START, match.start() + 4, match.end() + len(START) - 1)
    if 0 <= following < match.end():
        return Span(start, following, sound=False)
    if data[match.start() + 5] > PADDING_MAX:
        return Span(start, match.start() + 5, sound=False)
    inner = data.find(START, start + len(START), match.start())
    if inner >= 0 and decode_frame(bytes(data[start : match.end()])).checksum is None:
        # Cut behind an escape, a frame reads on into the next one as if its start were content.
        return Span(start, inner, sound=False)
    return Span(start, match.end())


def decode_frame(frame: bytes, offset: int = 0) -> Frame:
    """Take a whole frame apart, from its start to its check sum. The check is told, not enforced.

    Raises:
        RemoteProtocolError: it does not begin and end as a frame does.
    """
    if not frame.startswith(START) or len(frame) < 16 or frame[-8:-3] != ESCAPE + b"\x1a":
        raise RemoteProtocolError("a frame begins with 1B1B1B1B 01010101 and ends with 1B1B1B1B 1A", offset)
    body = frame[8:-8]
    escapes: list[int] = []
    if ESCAPE in body:
        place = 8
        while (match := _ESCAPED.search(frame, place, len(frame) - 8)) is not None:
            if match[1] is None:
                place = match.start() + 1
                continue
            escapes.append(match.start())
            place = match.end()
        pieces = [8, *(place + 4 for place in escapes)]
        ends = [*escapes, len(frame) - 8]
        body = b"".join(frame[begin:end] for begin, end in zip(pieces, ends, strict=True))
    given = frame[-2] | frame[-1] << 8
    covered = frame[:-2]
    fitting = next((checksum for checksum in CHECKSUMS if checksum.compute(covered) == given), None)
    return Frame(body, frame[-3], fitting, tuple(escapes))


def encode_frame(messages: bytes, checksum: Checksum = X25) -> bytes:
    """A frame around messages."""
    padding = -len(messages) % 4
    content = (messages + bytes(padding)).replace(ESCAPE, ESCAPE + ESCAPE)
    covered = START + content + ESCAPE + bytes((0x1A, padding))
    return covered + checksum.compute(covered).to_bytes(2, "little")
