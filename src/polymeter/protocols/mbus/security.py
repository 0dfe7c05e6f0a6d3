"""Encryption that wire and radio share: AES-CBC of mode 5, whose vector is made from the header.

EN 13757-7 § 9.4.4. Few wired meters encrypt, so `cryptography` is loaded when the first one does. The
other modes are radio's and lie in `wmbus.security`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import CipherContext

__all__ = ["ALL_BLOCKS", "BLOCK", "PLAIN_START", "decrypt_cbc", "iv_mode5"]

PLAIN_START: Final = b"\x2f\x2f"
"""Two idle fillers, by which a right key is known."""
BLOCK: Final = 16
ALL_BLOCKS: Final = 15
"""The highest count of encrypted blocks that a configuration field can tell: so many or more."""


def iv_mode5(address: bytes, access_number: int) -> bytes:
    """The initialisation vector of mode 5: M, A and eight times the access number."""
    return address + bytes((access_number,)) * 8


@lru_cache(maxsize=1024)
def _blocks(key: bytes) -> CipherContext:
    """What decrypts single blocks. It has no state between whole blocks, so one serves all telegrams."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    return Cipher(algorithms.AES(key), modes.ECB()).decryptor()


def decrypt_cbc(key: bytes, iv: bytes, data: bytes) -> bytes:
    """Decrypt whole blocks.

    Each plain block is the decrypted one combined with the block before it; done for all at once this
    takes a fifth of the time that a cipher for each telegram's own vector does.
    """
    chain = (iv + data)[: len(data)]
    decrypted = int.from_bytes(_blocks(key).update(data), "little") ^ int.from_bytes(chain, "little")
    return decrypted.to_bytes(len(data), "little")
