"""High level security: how each end proves that it knows the secret (IEC 62056-5-3 § 5.3.4.4).

Each end sends a challenge; the answer to the other's challenge f(challenge) is a digest or a GMAC.
Mechanism 2 is each manufacturer's own and mechanism 7 (ECDSA) needs suites that follow later.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final, NamedTuple

from polymeter.protocols.dlms.acse import Mechanism
from polymeter.protocols.dlms.security import AUTHENTICATED, Keys, protect
from polymeter.protocols.wire import LocalProtocolError

__all__ = ["Exchange", "answer", "check", "verify"]


class Exchange(NamedTuple):
    """What both ends know of one authentication, seen from the end that answers.

    `theirs` is the challenge to be answered, `ours` the one we sent; titles likewise.
    """

    theirs: bytes
    ours: bytes = b""
    our_title: bytes = b""
    their_title: bytes = b""

    def reversed(self) -> Exchange:
        """The same exchange seen from the other end."""
        return Exchange(self.ours, self.theirs, self.their_title, self.our_title)


_GMAC_CONTROL: Final = AUTHENTICATED
_SUPPORTED: Final = (Mechanism.HLS_MD5, Mechanism.HLS_SHA1, Mechanism.HLS_SHA256, Mechanism.HLS_GMAC)


def check(mechanism: Mechanism, keys: Keys | None) -> None:
    """Whether we can give a proof by this mechanism.

    Raises:
        LocalProtocolError: the mechanism is not supported, or keys are missing.
    """
    if mechanism not in _SUPPORTED:
        raise LocalProtocolError(f"{mechanism.name} is not supported")
    if mechanism is Mechanism.HLS_GMAC and (keys is None or keys.authentication is None):
        raise LocalProtocolError("GMAC needs encryption key and authentication key")


def answer(
    mechanism: Mechanism,
    exchange: Exchange,
    secret: bytes = b"",
    keys: Keys | None = None,
    invocation_counter: int | None = None,
) -> bytes:
    """f(challenge), as reply_to_HLS_authentication carries it.

    Raises:
        LocalProtocolError: the mechanism is not supported, or keys or counter are missing.
    """
    check(mechanism, keys)
    match mechanism:
        case Mechanism.HLS_MD5:
            return hashlib.md5(exchange.theirs + secret, usedforsecurity=False).digest()
        case Mechanism.HLS_SHA1:
            return hashlib.sha1(exchange.theirs + secret, usedforsecurity=False).digest()
        case Mechanism.HLS_SHA256:
            titles = exchange.our_title + exchange.their_title
            return hashlib.sha256(secret + titles + exchange.theirs + exchange.ours).digest()
        case _:
            if keys is None or invocation_counter is None:
                raise LocalProtocolError("GMAC needs an invocation counter")
            sealed = protect(exchange.theirs, _GMAC_CONTROL, keys, exchange.our_title, invocation_counter)
            return sealed[:5] + sealed[5 + len(exchange.theirs) :]


def verify(
    mechanism: Mechanism,
    exchange: Exchange,
    received: bytes,
    secret: bytes = b"",
    keys: Keys | None = None,
) -> bool:
    """Whether the other end's answer to our challenge proves that it knows the secret.

    `exchange` is seen from our end. Compared in constant time.
    """
    counter = None
    if mechanism is Mechanism.HLS_GMAC:
        if len(received) != 17 or received[0] != _GMAC_CONTROL:
            return False
        counter = int.from_bytes(received[1:5], "big")
    expected = answer(mechanism, exchange.reversed(), secret, keys, counter)
    return hmac.compare_digest(expected, received)
