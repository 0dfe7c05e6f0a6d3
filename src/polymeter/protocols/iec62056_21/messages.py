"""Where messages begin and end in bytes that somebody captured, with whatever stands between them.

What makes no message stays together, so that a stretch of noise is one thing to tell of, and work
is linear in the bytes. Whether a message is sound is not asked here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from polymeter.protocols.iec62056_21.blocks import (
    EOT,
    ETX,
    LINE_MAX,
    STRIP_PARITY,
    STX,
    block_check,
    block_end,
    line_before,
    may_begin,
)

__all__ = ["PADDING", "Pushes", "is_bare_text", "past_padding", "split"]

PADDING: Final = b"\x00\x7f\xff\r\n "
"""What lines carry between two messages, beside real noise."""


def is_bare_text(data: bytes) -> bool:
    """Whether these are a read-out's lines without the characters around them, as they stand on a screen."""
    return _BARE_TEXT.fullmatch(data) is not None


_BARE_TEXT = re.compile(
    rb"\s*+(?:/(?!\?)[^\x00-\x1f]++\r?\n(?!\r?\n))?"
    rb"(?:(?:[^\x00-\x1f()/!]*+\([^\x00-\x1f()]*+\))++ *+(?:[\r\n]++|\Z))++!?\s*+"
)


def split(data: bytes) -> Iterator[tuple[int, int]]:
    """Where messages begin and end; padding before a message belongs to it.

    What makes no message stays together, up to where one begins.
    """
    if is_bare_text(data):
        yield 0, len(data)
        return
    plain = data if data.isascii() else data.translate(STRIP_PARITY)
    pushes = Pushes(plain)
    start = at = 0
    broken = False
    while (at := past_padding(data, at)) < len(data):
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


def _message_end(data: bytes, plain: bytes, pushes: Pushes, at: int) -> tuple[int, bool]:
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


def _line_end(data: bytes, plain: bytes, pushes: Pushes, at: int, end: int) -> int:
    """The end of a line at `at`, with the data that belongs to it."""
    pushed = pushes.end(end)
    if pushed is not None:
        return pushed
    following = past_padding(data, end)
    request = data[at + 1] == ord("?")
    if not request and following < len(data) and plain[following] == STX:
        return _block_end(plain, following)[0]
    return end


def _block_end(plain: bytes, at: int) -> tuple[int, bool]:
    """The end of the block at `at`, or of what there is of it, and whether it is whole.

    One without its check, which has the next message's first character in its place, ends before that.
    """
    end = block_end(plain, at) or len(plain)
    if end > at + 2 and plain[end - 2] in (ETX, EOT):
        if may_begin(plain[end - 1]) and block_check(plain[at + 1 : end - 1]) != plain[end - 1]:
            return end - 1, True
        return end, True
    return line_before(plain, at + 1, end), False


_START = re.compile(rb"[\x01\x02\x06\x15/]")
_OPTION_LINE = re.compile(rb"\x06[^\r\n/]{3}\r\n")
_PADDING_RUN = re.compile(rb"[\x00\x7f\xff\r\n ]*+")


def past_padding(data: bytes, at: int) -> int:
    """Where what is no padding begins, from `at` on."""
    run = _PADDING_RUN.match(data, at)
    return run.end() if run is not None else at


class Pushes:
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
