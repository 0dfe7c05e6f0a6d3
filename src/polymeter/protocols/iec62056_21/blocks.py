"""Characters and blocks before anybody asks what they say: parity, block ends, block checks.

A block begins with SOH or STX and ends with ETX or EOT and a block check character, the
exclusive-or of all that follows the first SOH or STX (ISO 1155). Whatever is searched for here is
searched for once: work is linear in the bytes.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = [
    "ACK",
    "EOT",
    "ETX",
    "LINE_MAX",
    "NAK",
    "SOH",
    "STRIP_PARITY",
    "STX",
    "block_check",
    "block_end",
    "control_within",
    "line_before",
    "may_begin",
    "without_parity",
]

SOH: Final = 0x01
STX: Final = 0x02
ETX: Final = 0x03
EOT: Final = 0x04
ACK: Final = 0x06
NAK: Final = 0x15

LINE_MAX: Final = 128
"""Characters that a line may have. The standard's longest request has 37; what is longer is noise."""

STRIP_PARITY: Final = bytes(byte & 0x7F for byte in range(256))
"""Table for `bytes.translate` that clears bit 7."""


def block_check(data: bytes) -> int:
    """The exclusive-or of all bytes.

    All eight bits count: on 7-bit characters, and on those that carry even parity, that is the
    standard's own; elsewhere a damaged bit 7 would go unseen.

    Folds the message as one long number, which is some thirty times faster than byte by byte.
    """
    size = 1 << max(len(data) - 1, 0).bit_length()
    folded = int.from_bytes(data, "big")
    while size > 1:
        size >>= 1
        folded = folded >> 8 * size ^ folded & (1 << 8 * size) - 1
    return folded


def without_parity(data: bytes) -> bytes:
    """7-bit characters, if all bytes have even parity and at least one has its parity bit set.

    The last byte is not asked: it is the block check character, which some meters and gateways
    send without parity.
    """
    body = data[:-1]
    if body.isascii() or body.translate(None, _EVEN):
        return data
    return data.translate(STRIP_PARITY)


_EVEN: Final = bytes(byte for byte in range(256) if byte.bit_count() % 2 == 0)
"""The bytes that have even parity."""

_CONTROL_MARKS: Final = bytes(0x01 <= byte & 0x7F <= 0x04 for byte in range(256))
"""Table for `bytes.translate` that leaves 1 for SOH, STX, ETX and EOT, with parity or without, else 0."""


def _next_control(data: bytes | bytearray, at: int) -> int:
    """Where the next SOH, STX, ETX or EOT stands, -1 if there is none.

    Looks at four times as much each time, so that neither a long block nor many short ones cost more than
    their length, and most of the work is `bytes.translate`, which is ten times faster than `re`.
    """
    size = 256
    while at < len(data):
        found = data[at : at + size].translate(_CONTROL_MARKS).find(1)
        if found >= 0:
            return at + found
        at += size
        size *= 4
    return -1


def block_end(data: bytes | bytearray, start: int, searched: int = 0) -> int | None:
    """Where the block that begins at `start` ends, `None` while its end has not come.

    A block that breaks off ends where the next one begins. `searched` says how far `data` is
    known to hold no end, so that a block that comes byte by byte is searched once.
    """
    at = max(start + 1, searched)
    while (at := _next_control(data, at)) >= 0:
        character = data[at] & 0x7F
        if character in (ETX, EOT):
            return at + 2 if at + 2 <= len(data) else None
        if not (character == STX and data[start] & 0x7F == SOH and at <= start + 3):
            return at
        at += 1
    return None


def may_begin(character: int) -> bool:
    """Whether a message may begin so: a block or a line."""
    return character & 0x7F in _BEGINNINGS


_BEGINNINGS: Final = frozenset(b"\x01\x02/")


def control_within(block: bytes, start: int) -> int:
    """Where a control character stands between `start` and the end of a block, -1 if there is none."""
    return block.translate(_CONTROL_MARKS).find(1, start, -2)


_LINE_AT_END = re.compile(rb"/[^\r\n/()]{4,}\r\n[\x00\x7f\r\n ]*\Z")


def line_before(data: bytes | bytearray, start: int, end: int) -> int:
    """Where an identification line begins that ends at `end`; `end` itself if there is none.

    A block that breaks off may have swallowed the line that belongs to the block after it.
    """
    first = max(start, end - LINE_MAX)
    found = _LINE_AT_END.search(data[first:end].translate(STRIP_PARITY))
    return end if found is None else first + found.start()
