"""Where telegrams and their envelopes begin and end, among noise and in a stream.

A telegram begins with its first line and ends with a ``!`` at the beginning of a line; an envelope
says how long it is. A frame inside which another begins is cut.
"""

from __future__ import annotations

import re
from typing import Final

from polymeter.protocols.iec62056_21.blocks import STRIP_PARITY
from polymeter.protocols.p1.frames import ENVELOPE, TAIL, ciphered_header
from polymeter.protocols.spans import Span

__all__ = ["HEAD_MAX", "PARITY_SLASH", "TELEGRAM_MAX", "find_span", "without_parity"]

TELEGRAM_MAX: Final = 1 << 16
"""The longest telegram believed in; DSMR 5 asks receivers for 2 048 bytes."""

HEAD_MAX: Final = 256
"""No first line is longer."""
PARITY_SLASH: Final = b"\xaf"
"""The beginning of a telegram with even parity, as a line of eight bits shows it."""
_HEAD: Final = re.compile(
    rb"(?:(?<![^\r\n\x00\xff\x20])/[^\x00-\x20/!?\x7f][^\x00\x01\x03-\x1f/!\x7f]{3,127}\r?\n"
    rb"|/[A-Za-z]{3}[^\x00\x01\x03-\x1f/!\x7f]{1,127}\r?\n\r?\n)"
)
"""A first line: at the beginning of a line, or with the empty line behind it wherever a cut one ends.
The ``\\2`` that many have becomes the character 02 in programs that take it for an escape."""
_SENDER: Final = 10
"""Bytes by which an envelope shows who sent it: its tag and the system title."""


def without_parity(data: bytes) -> bytes:
    """7-bit characters, if a telegram begins with its parity bit set: 7E1 seen through an 8N1 line."""
    if PARITY_SLASH in data and find_span(data) is None:
        stripped = data.translate(STRIP_PARITY)
        span = find_span(stripped)
        if span is not None and data[span.start] == PARITY_SLASH[0]:
            return stripped
    return data


def find_span(
    data: bytes | bytearray, at: int = 0, known: Span | None = None, *, more: bool = False
) -> Span | None:
    """The next frame at or after `at`, `None` if none begins there.

    With `more`, `data` is the beginning of a stream: a frame whose end has not come yet has no
    `end`, and what was seen of it may be given as `known` next time. Without, such a frame reaches
    to the end of `data`, or to the frame after it, and is not sound.
    """
    if known is not None:
        at = known.start
    head = _next_head(data, at)
    start = _find_envelope(data, at, len(data) if head is None else head.start(), more)
    if start is not None:
        return _envelope(data, start, known, more)
    return None if head is None else _telegram(data, head, known, more)


def _telegram(data: bytes | bytearray, head: re.Match[bytes], known: Span | None, more: bool) -> Span:
    """The span of the telegram that begins with `head`."""
    start, begin = head.span()
    searched = begin if known is None else max(begin, known.searched)
    following = _next_head(data, searched if known is None else max(begin, searched - HEAD_MAX))
    reach = min(start + TELEGRAM_MAX, len(data) if following is None else following.start())
    mark = data.find(b"\n!", searched - 1, reach)
    if mark < 0 and following is not None:
        return Span(start, following.start(), sound=False)
    if mark < 0:
        grows = more and len(data) - start < TELEGRAM_MAX
        return Span(start, None if grows else len(data), sound=False, searched=max(begin, len(data)))
    tail = TAIL.match(data, mark + 1)
    assert tail is not None  # it matches ! alone
    if more and tail[2] is None and (tail.end() == len(data) or data[tail.end() :] == b"\r"):
        return Span(start, None, searched=mark + 1)
    return Span(start, tail.end())


def _next_head(data: bytes | bytearray, at: int) -> re.Match[bytes] | None:
    """The next first line at or after `at`."""
    at = data.find(b"/", at)
    while at >= 0:
        if (head := _HEAD.match(data, at)) is not None:
            return head
        at = data.find(b"/", at + 1)
    return None


def _find_envelope(data: bytes | bytearray, at: int, before: int, more: bool) -> int | None:
    """Where the first envelope begins, or may begin, before `before`."""
    start = data.find(ENVELOPE, at, before)
    while start >= 0:
        if ciphered_header(data, start) is not None or (more and len(data) < start + 14):
            return start
        start = data.find(ENVELOPE, start + 1, before)
    return None


def _envelope(data: bytes | bytearray, start: int, known: Span | None, more: bool) -> Span:
    """The span of the envelope at `start`. One of the same meter inside it begins a new one: it is cut."""
    header = ciphered_header(data, start)
    if header is None:
        return Span(start, None, searched=start)
    end, sender = sum(header), data[start : start + _SENDER]
    searched = start + 1 if known is None else max(start + 1, known.searched - _SENDER + 1)
    following = data.find(sender, searched, end)
    if following >= 0:
        return Span(start, following, sound=False)
    if len(data) < end:
        return Span(start, None if more else len(data), sound=False, searched=len(data))
    # The next envelope may begin with the last bytes of this one, of which then as many are missing.
    # In a stream the last byte alone is not waited for: `PushedTelegrams.shared` leaves it to the next.
    last = data.find(ENVELOPE, end - _SENDER + 1, end if more else end + 1)
    if last >= 0 and sender.startswith(data[last : last + _SENDER]):
        if len(data) >= last + _SENDER:
            return Span(start, last, sound=False)
        if more:
            return Span(start, None, searched=last)
    return Span(start, end)
