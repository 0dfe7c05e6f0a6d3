"""Security suites 0, 1 and 2 (IEC 62056-5-3 § 5.3): AES-GCM with tags of twelve octets.

Suites 0 and 1 have keys of 128 bits, suite 2 of 256; beside that they protect messages alike. (How
keys are agreed and what is signed tells them apart, and that is not done here.)

`protect` and `unprotect` work on what an envelope of `apdus.ciphered` holds: security control,
invocation counter, contents, tag. The library's GCM insists on sixteen octets of tag. In counter
mode encrypting is decrypting, so contents are decrypted by encrypting them, the tag is recomputed
by encrypting the result, and its first twelve octets are compared in constant time; nothing leaves
before that. This is some three times faster than the general cipher object.

Whoever holds both keys finds out by the tag whether a message is what the meter sent. Without the
authentication key contents are still given, marked unverified. All keys and titles are arguments.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from hmac import compare_digest
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from polymeter.protocols.wire import AccessDenied, LocalProtocolError, RemoteProtocolError

__all__ = [
    "AUTHENTICATED",
    "BROADCAST",
    "COMPRESSED",
    "ENCRYPTED",
    "TAG_SIZE",
    "Header",
    "Keys",
    "Opened",
    "protect",
    "read_header",
    "sender_title",
    "system_title_text",
    "unprotect",
]

AUTHENTICATED: Final = 0x10
ENCRYPTED: Final = 0x20
BROADCAST: Final = 0x40
COMPRESSED: Final = 0x80
"""Bits of the security control octet; the low four are the suite."""
TAG_SIZE: Final = 12
_SUITE: Final = 0x0F
_KEY_SIZES: Final = {0: 16, 1: 16, 2: 32}
_HEADER_SIZE: Final = 5


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one association or one meter. They never appear in a repr."""

    encryption: bytes = field(repr=False)
    authentication: bytes | None = field(default=None, repr=False)
    broadcast: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for key in (self.encryption, self.authentication, self.broadcast):
            if key is not None and len(key) not in (16, 32):
                raise LocalProtocolError(
                    f"a key has 16 octets in security suites 0 and 1 and 32 in suite 2, not {len(key)}"
                )

    def encryption_for(self, control: int) -> bytes:
        """The key that a security control octet asks for.

        Raises:
            AccessDenied: it asks for the broadcast key and there is none.
        """
        if not control & BROADCAST:
            return self.encryption
        if self.broadcast is None:
            raise AccessDenied("the message is under the global broadcast key, which is missing")
        return self.broadcast


class Header(NamedTuple):
    """What stands in front of protected contents."""

    control: int
    invocation_counter: int

    @property
    def suite(self) -> int:
        """The security suite."""
        return self.control & 0x0F

    @property
    def authenticated(self) -> bool:
        """A tag follows the contents."""
        return bool(self.control & AUTHENTICATED)

    @property
    def encrypted(self) -> bool:
        """The contents are not plain."""
        return bool(self.control & ENCRYPTED)

    def __str__(self) -> str:
        words = [f"suite {self.suite}"]
        names = ((AUTHENTICATED, "authenticated"), (ENCRYPTED, "encrypted"), (COMPRESSED, "compressed"))
        words += [name for bit, name in names if self.control & bit]
        words.append("broadcast key" if self.control & BROADCAST else "unicast key")
        return ", ".join(words)


class Opened(NamedTuple):
    """A plain APDU and what is known about it."""

    plaintext: bytes
    control: int
    invocation_counter: int
    verified: bool
    """The tag was there and fits."""

    @property
    def header(self) -> Header:
        """What stood in front of the contents."""
        return Header(self.control, self.invocation_counter)


@lru_cache(maxsize=512)
def _cipher(key: bytes) -> AESGCM:
    """One object for each key: it holds the expanded key and is dear to make."""
    return AESGCM(key)


@lru_cache(maxsize=512)
def _usual_cipher(key: bytes, authentication: bytes) -> tuple[Callable[..., bytes], bytes]:
    """What encrypts under a key, and what the tag of the usual kind covers before anything else."""
    return _cipher(key).encrypt, b"\x30" + authentication


def read_header(content: bytes) -> Header:
    """Security control and invocation counter.

    Raises:
        RemoteProtocolError: the contents are cut.
    """
    if len(content) < _HEADER_SIZE:
        raise RemoteProtocolError(f"protected contents of {len(content)} octets have no header", 0)
    return Header(content[0], int.from_bytes(content[1:5], "big"))


def system_title_text(title: bytes) -> str:
    """A system title in words: the manufacturer's three letters and the rest."""
    letters = title[:3]
    if len(title) == 8 and letters.isalpha() and letters.isascii():
        return f"{letters.decode('ascii')} {title[3:].hex()}"
    return title.hex()


def sender_title(carried: bytes, negotiated: bytes) -> bytes:
    """The system title for the initialization vector: the envelope's, or if that is empty ours.

    Raises:
        AccessDenied: both are known and differ, so the message is somebody else's.
    """
    if carried and negotiated and carried != negotiated:
        raise AccessDenied(
            f"the message has the wrong system title: it comes from {system_title_text(carried)},"
            f" {system_title_text(negotiated)} was expected",
            0,
        )
    return carried or negotiated


def protect(
    plaintext: bytes,
    control: int,
    keys: Keys,
    system_title: bytes,
    invocation_counter: int,
    about: bytes = b"",
) -> bytes:
    """Protected contents for an envelope. The counter must never have been used with this key.

    `about` is what the envelope itself says and the tag covers too, as general-ciphering has it.

    Raises:
        LocalProtocolError: suite, title or counter do not fit, or the authentication key is missing.
    """
    key = keys.encryption_for(control)
    if len(key) != _KEY_SIZES.get(control & _SUITE):
        raise LocalProtocolError(f"security suite {control & _SUITE} has no keys of {len(key)} octets")
    if control & COMPRESSED:
        raise LocalProtocolError("compression (V.44) is not supported")
    if len(system_title) != 8:
        raise LocalProtocolError(f"a system title has 8 octets, not {len(system_title)}")
    if not 0 <= invocation_counter < 1 << 32:
        raise LocalProtocolError(f"the invocation counter {invocation_counter} is used up: renew the key")
    header = bytes((control,)) + invocation_counter.to_bytes(4, "big")
    iv = system_title + header[1:]
    if not control & (AUTHENTICATED | ENCRYPTED):
        return header + plaintext
    cipher = _cipher(key)
    if not control & AUTHENTICATED:
        return header + cipher.encrypt(iv, plaintext, None)[: len(plaintext)]
    if keys.authentication is None:
        raise LocalProtocolError("authenticated messages need an authentication key")
    associated = header[:1] + keys.authentication + about
    if control & ENCRYPTED:
        return header + cipher.encrypt(iv, plaintext, associated)[: len(plaintext) + TAG_SIZE]
    return header + plaintext + cipher.encrypt(iv, b"", associated + plaintext)[:TAG_SIZE]


def unprotect(content: bytes, keys: Keys, system_title: bytes, about: bytes = b"") -> Opened:
    """The plain APDU in protected contents.

    `about` is as for `protect`. `system_title` is the sender's: the one in the envelope, or where
    that is empty or absent the one that was negotiated.

    Raises:
        RemoteProtocolError: the contents are cut.
        AccessDenied: a key is missing or does not fit, the system title is none, or the suite is
            not supported. Which of them it is stands in the message.
    """
    opened = _usual(content, keys, system_title, about)
    if opened is not None:
        return opened
    header = read_header(content)
    control = header.control
    if header.suite not in _KEY_SIZES:
        raise AccessDenied(f"security suite {header.suite} is not supported, only 0, 1 and 2 are", 0)
    if len(system_title) != 8:
        which = f"system title {system_title.hex()} has not 8 octets" if system_title else "no system title"
        raise AccessDenied(f"{which}: the message cannot be opened", 0)
    body = content[_HEADER_SIZE:]
    tag = b""
    if control & AUTHENTICATED:
        if len(body) < TAG_SIZE:
            raise RemoteProtocolError(f"{len(body)} octets are left for a tag of {TAG_SIZE}", _HEADER_SIZE)
        body, tag = body[:-TAG_SIZE], body[-TAG_SIZE:]
    iv = system_title + content[1:5]
    plaintext = body
    cipher = None
    if control & ENCRYPTED or (tag and keys.authentication is not None):
        key = keys.encryption_for(control)
        if len(key) != _KEY_SIZES[header.suite]:
            wanted = _KEY_SIZES[header.suite]
            raise AccessDenied(
                f"suite {header.suite} has keys of {wanted} octets, this one has {len(key)}", 0
            )
        cipher = _cipher(key)
    if cipher is not None and control & ENCRYPTED:
        plaintext = cipher.encrypt(iv, body, None)[: len(body)]
    verified = False
    if tag and cipher is not None and keys.authentication is not None:
        associated = content[:1] + keys.authentication + about
        if control & ENCRYPTED:
            expected = cipher.encrypt(iv, plaintext, associated)[len(body) :]
        else:
            expected = cipher.encrypt(iv, b"", associated + body)
        if not compare_digest(expected[:TAG_SIZE], tag):
            raise _misfit(plaintext, control, system_title)
        verified = True
    elif control & ENCRYPTED and not control & COMPRESSED and plaintext[:1] not in _PLAIN_TAGS:
        raise _misfit(plaintext, control, system_title)
    if control & COMPRESSED:
        raise AccessDenied("the contents are compressed (V.44), which is not supported", 0)
    return Opened(plaintext, control, header.invocation_counter, verified)


def _usual(content: bytes, keys: Keys, system_title: bytes, about: bytes) -> Opened | None:
    """Suite 0, authenticated and encrypted under the unicast key: nearly all there is.

    `None` if it is something else, or the tag does not fit: `unprotect` then says why.
    """
    authentication = keys.authentication
    if (
        len(content) < _HEADER_SIZE + TAG_SIZE
        or content[0] != 0x30
        or authentication is None
        or len(keys.encryption) != 16
        or len(system_title) != 8
    ):
        return None
    encrypt, associated = _usual_cipher(keys.encryption, authentication)
    iv = system_title + content[1:5]
    plaintext = encrypt(iv, content[_HEADER_SIZE:-TAG_SIZE], None)[:-16]
    tag = encrypt(iv, plaintext, associated + about if about else associated)[-16:-4]
    if not compare_digest(tag, content[-TAG_SIZE:]):
        return None
    return _new(Opened, (plaintext, 0x30, _U32(content, 1)[0], True))


_U32: Final = struct.Struct(">I").unpack_from
_new: Final = tuple.__new__  # a named tuple's own way costs twice as much
_PLAIN_TAGS: Final = frozenset(
    bytes((tag,))
    for tag in bytes.fromhex("01 05 06 08 0c 0d 0e 0f 10 16 18 c0 c1 c2 c3 c4 c5 c7 d8 d9 da e0")
)
"""What a plain APDU may begin with, the only thing that tells a good key when no tag does."""


def _misfit(plaintext: bytes, control: int, system_title: bytes) -> AccessDenied:
    """Which key is to blame: with the right encryption key something readable came out."""
    if not control & ENCRYPTED or plaintext[:1] in _PLAIN_TAGS:
        return AccessDenied(
            "the authentication tag does not fit: the authentication key is wrong, or the message was"
            " changed on its way",
            0,
        )
    return AccessDenied(
        "the message cannot be opened: the encryption key is wrong, or the system title"
        f" {system_title_text(system_title)} is not the sender's",
        0,
    )
