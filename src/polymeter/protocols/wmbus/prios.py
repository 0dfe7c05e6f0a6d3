"""PRIOS: how Diehl's radio modules disguise what they send.

Not a standard, and no protection: bytes are combined with a shift register of 32 bits that starts
from a key, the address in the link layer and the four bytes from the CI field on. Doing it twice
undoes it. Two keys are used by all modules that were never given one of their own; they stand in
the meter types.

Taps, seeds, keys and the first byte of a right payload as a collector under BSD-3-Clause has them
(github.com/ZeWaren/izar-prios-smart-meter-collector). That records of the standard are disguised
in the same way ("real data") was found by solving the register from telegrams with known values.
"""

from __future__ import annotations

from typing import Final

__all__ = ["CLEAR_SIZE", "PROOF", "disguised"]

CLEAR_SIZE: Final = 4
"""Bytes behind the CI field of a PRIOS telegram that stay clear; the last is a VIF."""
PROOF: Final = 0x4B
"""The first byte behind them that a right key gives."""
_TAPS: Final = (1, 2, 11, 31)
_MASK: Final = 0xFFFFFFFF


def disguised(key: bytes, address: bytes, header: bytes, data: bytes) -> bytes:
    """`data` in disguise, or out of it.

    Args:
        key: eight bytes.
        address: M and A of the link layer, as they travel.
        header: the CI field and the three bytes behind it.
        data: what is, or shall be, disguised.
    """
    state = 0
    for seed in (key[:4], key[4:8], address[:4], address[4:8], header[:4]):
        state ^= int.from_bytes(seed, "big")
    out = bytearray()
    for byte in data:
        for _ in range(8):
            bit = 0
            for tap in _TAPS:
                bit ^= state >> tap & 1
            state = (state << 1 | bit) & _MASK
        out.append(byte ^ state & 0xFF)
    return bytes(out)
