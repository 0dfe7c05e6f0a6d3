"""Opening an envelope when several keys are known and none is named: trying until one fits.

With an authentication key the tag tells which fits. Without one only what comes out does: octets
that are no APDU were opened with the wrong key. A key that comes wrapped in its message is unwrapped
with each key that is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

from polymeter.protocols.dlms.apdus import AgreedKey, GeneralCiphering, WrappedKey, decode_apdu
from polymeter.protocols.dlms.irregular import read_irregular
from polymeter.protocols.dlms.security import BROADCAST, Header, Keys, system_title_text, unprotect
from polymeter.protocols.wire import AccessDenied, DecodeOptions, RemoteProtocolError

__all__ = ["OpenedWith", "open_envelope"]


class OpenedWith(NamedTuple):
    """A plain APDU, whether its tag fits, and the key that opened it."""

    plaintext: bytes
    verified: bool
    key: bytes

    def __repr__(self) -> str:
        return f"OpenedWith(plaintext={self.plaintext.hex()}, verified={self.verified})"


def open_envelope(
    options: DecodeOptions,
    title: bytes,
    content: bytes,
    header: Header,
    envelope: GeneralCiphering | None = None,
) -> OpenedWith:
    """The plain APDU in protected contents, with the first key that fits.

    `envelope` is the one around them, if it is of the kind that says something about its key.

    Raises:
        AccessDenied: no key fits or there is none; the message says which of it.
        RemoteProtocolError: the contents are cut.
    """
    about = envelope.about if envelope is not None else b""
    info = envelope.key_info if envelope is not None else None
    if not header.encrypted and not options.keys:
        opened = unprotect(content, Keys(bytes(16)), title or bytes(8), about)
        return OpenedWith(opened.plaintext, False, b"")
    if isinstance(info, AgreedKey):
        raise AccessDenied("the key of the message was agreed by Diffie-Hellman, which is not supported")
    if not options.keys:
        who = system_title_text(title) if title else "an unknown sender"
        which = "global broadcast" if header.control & BROADCAST else "encryption"
        which = "master" if isinstance(info, WrappedKey) else which
        raise AccessDenied(f"the message of {who} is encrypted and its {which} key is missing")
    refusal = AccessDenied(
        "the message cannot be read: the encryption key is wrong, or the system title"
        f" {system_title_text(title)} is not the sender's"
    )
    for key in _candidates(options.keys, info.key_ciphered_data if isinstance(info, WrappedKey) else None):
        try:
            opened = unprotect(content, Keys(key, options.auth_key, broadcast=key), title, about)
        except AccessDenied as error:
            # That the authentication key alone is wrong is the most that can be found out.
            if "authentication key" not in str(refusal):
                refusal = error
            continue
        if opened.verified or not header.encrypted or _is_readable(opened.plaintext):
            return OpenedWith(opened.plaintext, opened.verified, key)
    raise refusal


def _candidates(keys: tuple[bytes, ...], wrapped: bytes | None) -> Iterator[bytes]:
    """The keys to be tried: those that are known, or what they unwrap."""
    for key in keys:
        if wrapped is None:
            yield key
            continue
        try:
            yield aes_key_unwrap(key, wrapped)
        except (InvalidUnwrap, ValueError):  # another key's wrap, or no wrap at all
            continue


def _is_readable(plaintext: bytes) -> bool:
    """Whether octets are an APDU, or a notification whose body breaks the rules in its own way."""
    try:
        decode_apdu(plaintext)
    except RemoteProtocolError:
        known = plaintext[:1] == b"\x0f" and plaintext[5:6] in (b"\x00", b"\x09", b"\x0c")
        return known or read_irregular(plaintext) is not None
    return True
