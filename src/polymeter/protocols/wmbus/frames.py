"""Link-layer frames: formats A and B with their checksums, and frames whose receiver removed them.

EN 13757-4 § 12.3. Both formats begin with L, C, M and A. Format A has a first block of ten bytes and
then blocks of sixteen, each followed by its CRC, and its L counts no CRC. Format B has blocks of up
to 128 bytes with the CRC inside, and its L counts them. A frame of ours is always the stripped one:
no CRC, and L the number of bytes behind it; which format it had is kept, so that it re-encodes to
the bytes that were on air.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from polymeter.protocols.crc import crc16_en13757
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError

__all__ = [
    "FRAME_MAX",
    "FRAME_MIN",
    "SYNC_A",
    "SYNC_B",
    "Format",
    "Frame",
    "Span",
    "counts_removed",
    "decode_format_a",
    "decode_format_b",
    "decode_frame",
    "decode_stripped",
    "encode_format_a",
    "encode_format_b",
    "first_block_fits",
    "format_a_length",
    "has_format_a",
    "has_format_b",
    "spans_a",
    "spans_b",
]

FIRST_BLOCK: Final = 10
BLOCK: Final = 16
CRC: Final = 2
FORMAT_B_BLOCK: Final = 128
"""Bytes of the first CRC section of format B, its CRC included."""
FRAME_MIN: Final = FIRST_BLOCK
"""L, C, M and A; an acknowledgement has no CI field."""
FRAME_MAX: Final = 256
_PROVEN_CI: Final = (0x8D, 0x8F)
SYNC_A: Final = b"\x54\xcd"
"""What mode C sends before a frame of format A, where a receiver gives it."""
SYNC_B: Final = b"\x54\x3d"


class Format(Enum):
    """How a frame was checked on air."""

    A = "A"
    B = "B"
    STRIPPED = "without CRC"


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame without checksums; `data` begins with L, which counts the bytes behind it."""

    data: bytes
    format: Format = Format.STRIPPED

    def __bytes__(self) -> bytes:
        """The frame as it was received."""
        if self.format is Format.A:
            return encode_format_a(self.data)
        if self.format is Format.B:
            return encode_format_b(self.data)
        return self.data


Span = tuple[int, int]
"""Where the bytes of one CRC section begin and end; the CRC stands right behind them."""


def format_a_length(length: int) -> int:
    """The bytes of a frame of format A, checksums included, whose L field is `length`."""
    behind = max(0, length + 1 - FIRST_BLOCK)
    return length + 1 + CRC * (1 + -(-behind // BLOCK))


def spans_a(length: int) -> list[Span]:
    """The blocks of a frame of format A."""
    left, at, size = length + 1, 0, FIRST_BLOCK
    spans = []
    while left > 0:
        taken = min(size, left)
        spans.append((at, at + taken))
        at, left, size = at + taken + CRC, left - taken, BLOCK
    return spans


def spans_b(length: int) -> list[Span]:
    """The CRC sections of a frame of format B."""
    whole = length + 1
    if whole <= FORMAT_B_BLOCK:
        return [(0, whole - CRC)]
    return [(0, FORMAT_B_BLOCK - CRC), (FORMAT_B_BLOCK, whole - CRC)]


def _good(data: bytes, start: int, end: int) -> bool:
    return crc16_en13757(data[start:end]) == int.from_bytes(data[end : end + CRC], "big")


def first_block_fits(data: bytes, at: int = 0) -> bool:
    """Whether a first block of format A with a good CRC stands at `at`, whatever follows."""
    return (
        len(data) >= at + FIRST_BLOCK + CRC
        and data[at] >= FRAME_MIN - 1
        and _good(data, at, at + FIRST_BLOCK)
    )


def has_format_a(data: bytes, at: int = 0) -> bool:
    """Whether the first block of a frame of format A stands at `at`: its CRC fits, the rest is there."""
    if not first_block_fits(data, at) or len(data) < at + format_a_length(data[at]):
        return False
    # A frame of format B without data has its CRC in the same place; the second block tells.
    return data[at] != FIRST_BLOCK + CRC - 1 or _good(data, at + 12, at + 14)


def has_format_b(data: bytes, at: int = 0) -> bool:
    """Whether a frame of format B whose first CRC fits stands at `at`."""
    if len(data) < at + FIRST_BLOCK + CRC or data[at] < FRAME_MIN + CRC - 1 or len(data) <= at + data[at]:
        return False
    whole = data[at] + 1
    if FORMAT_B_BLOCK < whole <= FORMAT_B_BLOCK + CRC:
        return False
    start, end = spans_b(data[at])[0]
    return _good(data, at + start, at + end)


def _joined(data: bytes, spans: list[Span], format_name: str) -> bytes:
    for start, end in spans:
        if len(data) < end + CRC:
            raise RemoteProtocolError(
                f"format {format_name}: {spans[-1][1] + CRC} bytes are announced, there are {len(data)}",
                len(data),
            )
        if not _good(data, start, end):
            wanted = crc16_en13757(data[start:end])
            raise RemoteProtocolError(
                f"format {format_name}: the CRC of the block at {start} is "
                f"{data[end : end + CRC].hex().upper()}, {wanted:04X} was calculated",
                end,
            )
    joined = b"".join(data[start:end] for start, end in spans)
    return bytes((len(joined) - 1,)) + joined[1:]


def decode_format_a(data: bytes) -> Frame:
    """Check and remove the checksums of a frame of format A.

    Raises:
        RemoteProtocolError: bytes are missing or a CRC does not fit; the offset is that of the CRC.
    """
    if len(data) < FIRST_BLOCK + CRC or data[0] < FRAME_MIN - 1:
        raise RemoteProtocolError("a frame of format A has twelve bytes or more", min(len(data), 1))
    return Frame(_joined(data, spans_a(data[0]), "A"), Format.A)


def decode_format_b(data: bytes) -> Frame:
    """Check and remove the checksums of a frame of format B; L is made to count what is left.

    Raises:
        RemoteProtocolError: bytes are missing or a CRC does not fit; the offset is that of the CRC.
    """
    if len(data) < FIRST_BLOCK + CRC or data[0] < FRAME_MIN + CRC - 1:
        raise RemoteProtocolError("a frame of format B has twelve bytes or more", min(len(data), 1))
    if FORMAT_B_BLOCK < data[0] + 1 <= FORMAT_B_BLOCK + CRC:
        raise RemoteProtocolError("format B: the last block has no data", 0)
    return Frame(_joined(data, spans_b(data[0]), "B"), Format.B)


def decode_stripped(data: bytes) -> Frame:
    """A frame whose receiver has checked it and taken the checksums out.

    Some gateways leave L as it was in format B, where it counts them; L is then made to count what is left.

    Raises:
        RemoteProtocolError: L does not count the bytes behind it.
    """
    if counts_removed(data):
        return Frame(bytes((len(data) - 1,)) + data[1:])
    if len(data) < FRAME_MIN or len(data) != data[0] + 1:
        announced = data[0] + 1 if data else FRAME_MIN
        raise RemoteProtocolError(f"L announces {announced} bytes, there are {len(data)}", 0)
    return Frame(data)


def counts_removed(data: bytes) -> bool:
    """Whether L counts the checksums of format B, which a receiver has taken out.

    A frame that was cut off looks the same. So it is believed only of an extended link layer that has a
    CRC of its own (CI 8D and 8F): that one tells.
    """
    if len(data) <= FIRST_BLOCK or data[FIRST_BLOCK] not in _PROVEN_CI:
        return False
    return data[0] + 1 - len(data) == CRC * len(spans_b(data[0]))


def decode_frame(data: bytes) -> Frame:
    """The frame that `data` is, in whichever form it came.

    A form is chosen by its CRC; where none fits, by the length: a frame of format B whose CRC fails
    cannot be told from one without CRC, unless the sync bytes of mode C are given.

    Raises:
        RemoteProtocolError: it is none, or damaged.
    """
    if data[:2] in (SYNC_A, SYNC_B) and len(data) > CRC:
        try:
            return (decode_format_a if data[:2] == SYNC_A else decode_format_b)(data[2:])
        except RemoteProtocolError as error:
            raise RemoteProtocolError(str(error), error.offset + 2) from error
    if has_format_a(data):
        return decode_format_a(data)
    if has_format_b(data):
        return decode_format_b(data)
    damaged = data and len(data) != data[0] + 1 and data[0] >= FRAME_MIN - 1
    if first_block_fits(data) or (damaged and len(data) == format_a_length(data[0])):
        return decode_format_a(data)  # raises: it is cut off, or its first checksum does not fit
    return decode_stripped(data)


def encode_format_a(data: bytes) -> bytes:
    """A stripped frame as format A has it on air.

    Raises:
        LocalProtocolError: L does not count the bytes behind it.
    """
    _check(data)
    blocks = [data[:FIRST_BLOCK]]
    blocks += [data[at : at + BLOCK] for at in range(FIRST_BLOCK, len(data), BLOCK)]
    return b"".join(block + crc16_en13757(block).to_bytes(CRC, "big") for block in blocks)


def encode_format_b(data: bytes) -> bytes:
    """A stripped frame as format B has it on air.

    Raises:
        LocalProtocolError: L does not count the bytes behind it, or it is too long for format B.
    """
    _check(data)
    sections = 1 if len(data) + CRC <= FORMAT_B_BLOCK else 2
    length = len(data) - 1 + CRC * sections
    if length > 255:
        raise LocalProtocolError(f"{len(data)} bytes do not fit a frame of format B")
    whole = bytes((length,)) + data[1:]
    parts = [whole] if sections == 1 else [whole[: FORMAT_B_BLOCK - CRC], whole[FORMAT_B_BLOCK - CRC :]]
    return b"".join(part + crc16_en13757(part).to_bytes(CRC, "big") for part in parts)


def _check(data: bytes) -> None:
    if len(data) < FRAME_MIN or data[0] != len(data) - 1:
        raise LocalProtocolError("a stripped frame has ten bytes or more, and L counts those behind it")
