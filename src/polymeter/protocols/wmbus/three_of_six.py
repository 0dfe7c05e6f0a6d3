"""3-of-6 coding: how mode T sends each four bits as six, of which three are ones.

EN 13757-4 § 6.4.2. Of 64 codes sixteen are used, so noise shows: a code that is none is refused
with its place. Modes C, S and R need no such coding (NRZ and Manchester, done by the receiver).
"""

from __future__ import annotations

from typing import Final

from polymeter.protocols.wire import RemoteProtocolError

__all__ = ["decode_3of6", "encode_3of6"]

CODES: Final = (
    0b010110, 0b001101, 0b001110, 0b001011, 0b011100, 0b011001, 0b011010, 0b010011,
    0b101100, 0b100101, 0b100110, 0b100011, 0b110100, 0b110001, 0b110010, 0b101001,
)  # fmt: skip
"""The code of each four bits."""
_VALUES: Final = {code: value for value, code in enumerate(CODES)}


def encode_3of6(data: bytes) -> bytes:
    """`data` as mode T sends it, filled up to whole bytes with alternating bits."""
    codes = [code for byte in data for code in (CODES[byte >> 4], CODES[byte & 15])]
    bits = "".join(f"{code:06b}" for code in codes)
    bits += "01010101"[: -len(bits) % 8]
    return int(bits or "0", 2).to_bytes(len(bits) // 8, "big")


def decode_3of6(data: bytes, count: int | None = None) -> bytes:
    """The first `count` bytes (default: as many as there are) that `data` codes.

    Raises:
        RemoteProtocolError: a code has not three ones, or too few are there; the offset is that of
            the byte in which it begins.
    """
    available = len(data) * 8 // 12
    wanted = available if count is None else count
    if wanted > available:
        raise RemoteProtocolError(f"{wanted} bytes need {-(-wanted * 12 // 8)} in 3-of-6", len(data))
    decoded = bytearray()
    for index in range(wanted):
        # Twelve bits begin at a byte, or in the middle of one.
        at = index * 12 // 8
        pair = data[at] << 8 | data[at + 1]
        pair = pair & 0xFFF if index % 2 else pair >> 4
        high, low = _VALUES.get(pair >> 6), _VALUES.get(pair & 0x3F)
        if high is None or low is None:
            raise RemoteProtocolError(f"{pair:012b} is no pair of 3-of-6 codes", at)
        decoded.append(high << 4 | low)
    return bytes(decoded)
