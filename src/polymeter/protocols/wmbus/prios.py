"""PRIOS: how Diehl's IZAR radio modules disguise their payload.

Not a standard: bytes are combined with a shift register of 32 bits whose start depends on a key and
on the telegram's own header. Two keys are used by all modules that were never given one of their
own. Publicly described by those who read their water meters; both ways here, for simulators.
"""

from __future__ import annotations

from typing import Final

__all__ = ["CLEAR_SIZE", "PROOF", "decipher", "encipher"]

CLEAR_SIZE: Final = 4
"""Bytes behind the CI field that stay clear; the last is a VIF."""
PROOF: Final = 0x4B
"""The first byte that a right key gives."""
_TAPS: Final = (1, 2, 11, 31)
_MASK: Final = 0xFFFFFFFF


def _stream(key: bytes, address: bytes, ci: int, clear: bytes, size: int) -> bytes:
    seeds = (key[:4], key[4:8], address[:4], address[4:8], bytes((ci,)) + clear[:3])
    state = 0
    for seed in seeds:
        state ^= int.from_bytes(seed, "big")
    stream = bytearray()
    for _ in range(size):
        for _ in range(8):
            bit = 0
            for tap in _TAPS:
                bit ^= state >> tap & 1
            state = (state << 1 | bit) & _MASK
        stream.append(state & 0xFF)
    return bytes(stream)


def encipher(key: bytes, address: bytes, ci: int, clear: bytes, plain: bytes) -> bytes:
    """The payload as it travels: the clear bytes, then `plain` in disguise."""
    stream = _stream(key, address, ci, clear, len(plain))
    return clear + bytes(a ^ b for a, b in zip(plain, stream, strict=True))


def decipher(key: bytes, address: bytes, ci: int, payload: bytes) -> bytes | None:
    """The bytes behind the clear ones; `None` if the key is wrong.

    Args:
        key: eight bytes.
        address: M and A of the link layer, as they travel.
        ci: the CI field.
        payload: everything behind it.
    """
    if len(payload) <= CLEAR_SIZE:
        return None
    sealed = payload[CLEAR_SIZE:]
    stream = _stream(key, address, ci, payload[:CLEAR_SIZE], len(sealed))
    plain = bytes(a ^ b for a, b in zip(sealed, stream, strict=True))
    return plain if plain[0] == PROOF else None
