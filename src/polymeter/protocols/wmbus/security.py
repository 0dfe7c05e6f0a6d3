"""Encryption and authentication of wireless M-Bus: from a key and a header to plain bytes.

EN 13757-7 § 7.7 and § 9, EN 13757-4 § 13.2.9 for the extended link layer. Decrypting tells whether
the key was right: CBC by the two idle fillers that every message begins with, GCM and CCM by their
tag, the link layer by its CRC. What cannot be verified is not believed, so a wrong key never makes
values. The functions named `encrypt_…` are the meter's end.
"""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import Final, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM
from cryptography.hazmat.primitives.cmac import CMAC

from polymeter.protocols.crc import crc16_en13757
from polymeter.protocols.mbus.security import ALL_BLOCKS, BLOCK, PLAIN_START, decrypt_cbc, iv_mode5
from polymeter.protocols.wire import LocalProtocolError

__all__ = [
    "ALL_BLOCKS",
    "BLOCK",
    "MODES",
    "PLAIN_START",
    "authentication_code",
    "ccm",
    "ctr",
    "decrypt_cbc",
    "decrypt_ccm",
    "decrypt_des",
    "decrypt_ell",
    "decrypt_gcm",
    "derive_key",
    "encrypt_cbc",
    "encrypt_des",
    "encrypt_ell",
    "gcm",
    "iv_mode5",
    "nonce_ccm",
]

DES_BLOCK: Final = 8

MODES: Final = {
    0: "none",
    2: "DES-CBC, zero IV",
    3: "DES-CBC",
    4: "AES-CBC, zero IV",
    5: "AES-CBC",
    7: "AES-CBC with a derived key",
    8: "AES-CTR and CMAC",
    9: "AES-GCM",
    10: "AES-CCM with a derived key",
    13: "TLS",
}
"""Security modes by the configuration field."""

Purpose = Literal["encryption", "authentication"]


def cmac(key: bytes, message: bytes) -> bytes:
    """AES-CMAC (RFC 4493)."""
    code = CMAC(algorithms.AES(key))
    code.update(message)
    return code.finalize()


@lru_cache(maxsize=1024)
def derive_key(
    key: bytes, purpose: Purpose, counter: bytes, number: bytes, *, from_meter: bool = True
) -> bytes:
    """Key derivation function A (EN 13757-7 § 9.6.2).

    Args:
        key: the meter's own key.
        purpose: what the derived key is for.
        counter: the message counter, four bytes as they travel.
        number: the meter's identification number, four bytes as they travel.
        from_meter: whether the message is the meter's; the other way has keys of its own.
    """
    constant = (purpose == "authentication") + (0 if from_meter else 0x10)
    return cmac(key, bytes((constant,)) + counter + number + b"\x07" * 7)


def authentication_code(key: bytes, message: bytes, size: int) -> bytes:
    """The code that an AFL carries: the first bytes of a CMAC."""
    return cmac(key, message)[:size]


def _cbc(key: bytes, iv: bytes) -> Cipher[modes.CBC]:
    return Cipher(algorithms.AES(key), modes.CBC(iv))


def encrypt_cbc(key: bytes, iv: bytes, data: bytes) -> bytes:
    """Encrypt whole blocks.

    Raises:
        LocalProtocolError: the data does not fill its last block.
    """
    if len(data) % BLOCK:
        raise LocalProtocolError("data is filled with 2F to whole blocks before it is encrypted")
    encryptor = _cbc(key, iv).encryptor()
    return encryptor.update(data) + encryptor.finalize()


def _des(key: bytes, iv: bytes) -> Cipher[modes.CBC]:
    # DES is three times DES with one key. The library has set it aside, meters have not.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
        except ImportError:
            from cryptography.hazmat.primitives.ciphers.algorithms import TripleDES
        return Cipher(TripleDES(key * 3), modes.CBC(iv))


def decrypt_des(key: bytes, iv: bytes, data: bytes) -> bytes:
    """Decrypt whole blocks of eight bytes with an eight byte key."""
    decryptor = _des(key, iv).decryptor()
    return decryptor.update(data) + decryptor.finalize()


def encrypt_des(key: bytes, iv: bytes, data: bytes) -> bytes:
    """Encrypt whole blocks of eight bytes with an eight byte key.

    Raises:
        LocalProtocolError: the data does not fill its last block.
    """
    if len(data) % DES_BLOCK:
        raise LocalProtocolError("data is filled with 2F to whole blocks before it is encrypted")
    encryptor = _des(key, iv).encryptor()
    return encryptor.update(data) + encryptor.finalize()


def ctr(key: bytes, counter_block: bytes, data: bytes) -> bytes:
    """AES in counter mode, both ways."""
    encryptor = Cipher(algorithms.AES(key), modes.CTR(counter_block)).encryptor()
    return encryptor.update(data) + encryptor.finalize()


def decrypt_ell(key: bytes, counter_block: bytes, data: bytes) -> bytes | None:
    """What follows the session number, CRC first; `None` if the CRC does not fit: a wrong key."""
    plain = ctr(key, counter_block, data)
    return plain if ell_crc_fits(plain) else None


def ell_crc_fits(data: bytes) -> bool:
    """Whether the first two bytes are the CRC of those behind them."""
    return len(data) > 2 and crc16_en13757(data[2:]) == int.from_bytes(data[:2], "little")


def encrypt_ell(key: bytes, counter_block: bytes, payload: bytes) -> bytes:
    """CRC and payload of an extended link layer as they travel."""
    return ctr(key, counter_block, crc16_en13757(payload).to_bytes(2, "little") + payload)


def nonce_ccm(address: bytes, counter: bytes) -> bytes:
    """The nonce of mode 10: M, A, a zero, and the counter most significant byte first."""
    return address + b"\0" + counter[::-1]


def ccm(key: bytes, nonce: bytes, header: bytes, data: bytes, tag_size: int) -> bytes:
    """Encrypt by AES-CCM; the tag stands behind the data."""
    return AESCCM(key, tag_size).encrypt(nonce, data, header)


def decrypt_ccm(key: bytes, nonce: bytes, header: bytes, data: bytes, tag_size: int) -> bytes | None:
    """Decrypt by AES-CCM; `None` if the tag does not fit: a wrong key, or changed bytes."""
    try:
        return AESCCM(key, tag_size).decrypt(nonce, data, header)
    except InvalidTag:
        return None


GCM_TAG: Final = 12


def gcm(key: bytes, nonce: bytes, header: bytes, data: bytes) -> bytes:
    """Encrypt by AES-GCM; twelve bytes of the tag stand behind the data."""
    return AESGCM(key).encrypt(nonce, data, header)[: len(data) + GCM_TAG]


def decrypt_gcm(key: bytes, nonce: bytes, header: bytes, data: bytes) -> bytes | None:
    """Decrypt by AES-GCM with a tag of twelve bytes; `None` if it does not fit."""
    if len(data) < GCM_TAG:
        return None
    decryptor = Cipher(
        algorithms.AES(key), modes.GCM(nonce, data[-GCM_TAG:], min_tag_length=GCM_TAG)
    ).decryptor()
    decryptor.authenticate_additional_data(header)
    try:
        return decryptor.update(data[:-GCM_TAG]) + decryptor.finalize()
    except InvalidTag:
        return None
