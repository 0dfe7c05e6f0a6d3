"""Opening and closing ciphered telegrams: AES-128-GCM as DLMS suite 0 uses it.

The initialization vector is the system title and the counter; what is authenticated beside the
ciphertext is the security control and the authentication key. In Luxembourg that key is public
and the same for everybody, so it is what we try when none is given.

A tag that does not fit has three causes, and the remedy differs: the wrong key, the wrong
authentication key, damaged bytes. They are told apart by deciphering without looking at the tag:
a telegram begins with ``/`` and ends with a checksum of its own.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from polymeter.protocols.p1.frames import Ciphered, decode_telegram
from polymeter.protocols.wire import AccessDenied, LocalProtocolError, RemoteProtocolError

__all__ = ["PUBLIC_AUTHENTICATION_KEY", "Damaged", "decipher", "encipher"]

PUBLIC_AUTHENTICATION_KEY: Final = bytes.fromhex("00112233445566778899aabbccddeeff")
"""The authentication key of Luxembourg, published by its grid operators."""

_TAG_SIZE: Final = 12


class Damaged(RemoteProtocolError):
    """The key fits and the bytes do not: `plaintext` is what they decipher to."""

    def __init__(self, message: str, plaintext: bytes) -> None:
        super().__init__(message)
        self.plaintext = plaintext


def _check(key: bytes, what: str) -> None:
    if len(key) != 16:
        raise LocalProtocolError(f"{what} of {len(key)} bytes: AES-128 needs 16")


def _unchecked(frame: Ciphered, key: bytes) -> bytes:
    """The plaintext without a look at the tag: GCM enciphers in counter mode from 2 on."""
    start = frame.system_title + frame.counter.to_bytes(4, "big") + b"\x00\x00\x00\x02"
    context = Cipher(algorithms.AES(key), modes.CTR(start)).decryptor()
    return context.update(frame.ciphertext) + context.finalize()


def decipher(frame: Ciphered, keys: tuple[bytes, ...], auth_key: bytes | None = None) -> bytes:
    """The telegram inside.

    Raises:
        AccessDenied: no key, or none that fits; or the authentication key does not fit. The
            message says which.
        Damaged: a key fits, the tag does not.
        LocalProtocolError: a key has not 16 bytes.
    """
    if auth_key is not None:
        _check(auth_key, "an authentication key")
    if not keys:
        raise AccessDenied(f"the telegram is enciphered and no key is given for {frame.system_title.hex()}")
    authentication = auth_key if auth_key is not None else PUBLIC_AUTHENTICATION_KEY
    for key in keys:
        _check(key, "a key")
        if plaintext := _open(frame, key, authentication):
            return plaintext
    for key in keys:
        plaintext = frame.ciphertext if frame.security == 0x10 else _unchecked(frame, key)
        if plaintext[:1] == b"/":
            raise _mismatch(plaintext, given=auth_key is not None)
    raise AccessDenied(
        f"the key is wrong: with it the telegram of {frame.system_title.hex()} does not decipher"
    )


def _open(frame: Ciphered, key: bytes, authentication: bytes) -> bytes | None:
    """The plaintext if the tag fits, or if there is none and the text looks like a telegram."""
    nonce = frame.system_title + frame.counter.to_bytes(4, "big")
    associated = bytes((frame.security,)) + authentication
    if not frame.tag:
        plaintext = _unchecked(frame, key)
        return plaintext if plaintext[:1] == b"/" else None
    try:
        if frame.security == 0x10:
            _gcm(key, nonce, frame.tag, b"", associated + frame.ciphertext)
            return frame.ciphertext
        return _gcm(key, nonce, frame.tag, frame.ciphertext, associated)
    except InvalidTag:
        return None


def _gcm(key: bytes, nonce: bytes, tag: bytes, ciphertext: bytes, associated: bytes) -> bytes:
    context = Cipher(algorithms.AES(key), modes.GCM(nonce, tag, _TAG_SIZE)).decryptor()
    context.authenticate_additional_data(associated)
    return context.update(ciphertext) + context.finalize()


def _mismatch(plaintext: bytes, *, given: bool) -> AccessDenied | Damaged:
    """Why the tag does not fit although the key does."""
    try:
        checked = decode_telegram(plaintext).checksum is not None
    except RemoteProtocolError:
        return Damaged("the key fits, but the bytes are damaged: neither tag nor checksum fits", plaintext)
    reason = "the authentication key is " + ("wrong" if given else "missing: it is not the public one")
    if not checked:
        reason += ", or the bytes are damaged: the telegram has no checksum that would tell"
    return AccessDenied(f"the key fits, but {reason}")


def encipher(
    telegram: bytes,
    key: bytes,
    system_title: bytes,
    counter: int,
    auth_key: bytes = PUBLIC_AUTHENTICATION_KEY,
) -> Ciphered:
    """Put a telegram into its envelope. A counter must never come twice under one key.

    Raises:
        LocalProtocolError: a key, the system title or the counter has the wrong size.
    """
    _check(key, "a key")
    _check(auth_key, "an authentication key")
    if len(system_title) != 8 or not 0 <= counter < 1 << 32:
        raise LocalProtocolError("a system title has eight bytes and a counter four")
    nonce = system_title + counter.to_bytes(4, "big")
    sealed = AESGCM(key).encrypt(nonce, telegram, b"\x30" + auth_key)
    return Ciphered(system_title, counter, sealed[: len(telegram)], sealed[len(telegram) :][:_TAG_SIZE])
