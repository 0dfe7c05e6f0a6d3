"""The security context of an association: which keys, whose titles, which counters.

`seal` puts a plain APDU into the envelope that the context asks for, `open` takes one out of any
envelope that fits; both keep the invocation counters. The dedicated key, when there is one, takes
over after association and has counters of its own, since it is a key of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from polymeter.protocols.dlms.apdus import (
    APDU,
    DEDICATED_TAGS,
    GLOBAL_TAGS,
    GeneralCiphering,
    GeneralDedCiphering,
    GeneralGloCiphering,
    IdentifiedKey,
    ServiceCiphering,
    encode_apdu,
)
from polymeter.protocols.dlms.counters import (
    COUNTER_BLOCK,
    Counters,
    MemoryCounters,
    OwnCounter,
    accept,
    counter_id,
)
from polymeter.protocols.dlms.security import (
    AUTHENTICATED,
    ENCRYPTED,
    Keys,
    Opened,
    protect,
    system_title_text,
    unprotect,
)
from polymeter.protocols.wire import AccessDenied, LocalProtocolError

__all__ = ["OVERHEAD", "CounterRefused", "Envelope", "ForeignTitle", "Security", "SecurityContext"]

OVERHEAD: Final = 1 + 3 + 5 + 12 + 9
"""Octets that an envelope adds at most: tag, length, header, authentication tag, system title."""

Envelope = ServiceCiphering | GeneralGloCiphering | GeneralDedCiphering | GeneralCiphering


class ForeignTitle(AccessDenied):
    """The message comes from somebody else than the other end of this association."""


class CounterRefused(AccessDenied):
    """An invocation counter was used before or went back; the message itself was sound."""

    def __init__(self, message: str, last: int | None) -> None:
        super().__init__(message)
        self.last = last


@dataclass(frozen=True, slots=True)
class Security:
    """What a connection needs to protect and to open. Secrets never appear in a repr."""

    keys: Keys
    system_title: bytes
    """Our own, eight octets."""
    peer_title: bytes | None = None
    """The other end's, where it is known beforehand; another one is then refused."""
    control: int = AUTHENTICATED | ENCRYPTED
    """How we protect, and the least that we accept."""
    general: bool = False
    """General-glo and general-ded envelopes in place of those of the services."""
    dedicated_key: bytes | None = field(default=None, repr=False)
    """Proposed in the AARQ (client); the server learns it there."""
    counters: Counters = field(default_factory=MemoryCounters, repr=False)

    def __post_init__(self) -> None:
        if len(self.system_title) != 8:
            raise LocalProtocolError(f"a system title has 8 octets, not {len(self.system_title)}")
        if self.control & AUTHENTICATED and self.keys.authentication is None:
            raise LocalProtocolError("authenticated messages need an authentication key")


class SecurityContext:
    """Seals and opens the APDUs of one association.

    With `mirrors` answers come in the kind of envelope in which the last request came: clients may
    use either, and some understand only their own. Of our own counters `block` are reserved at a time;
    where several contexts share a key, 1 keeps their messages in the order in which they were sealed.
    """

    def __init__(self, security: Security, mirrors: bool = False, block: int = COUNTER_BLOCK) -> None:
        self.security = security
        self._block = block
        self._mirrors = mirrors
        self._general = security.general
        self.peer_title = security.peer_title
        self.unverified = 0
        """Messages opened without an authentication key to check them with."""
        self._own = self._counter_of(security.keys.encryption)
        self._dedicated: Keys | None = None
        self._dedicated_own: OwnCounter | None = None

    def _counter_of(self, key: bytes) -> OwnCounter:
        counter = counter_id(self.security.system_title, key)
        return OwnCounter(self.security.counters, counter, self._block)

    def take_counter(self) -> int:
        """A number of our own counter under the global key, as GMAC authentication needs one."""
        return self._own.take()

    def forget(self) -> None:
        """Begin anew: the next association may be with somebody else, and has another dedicated key."""
        self.peer_title = self.security.peer_title
        self.use_dedicated(None)

    def learn_title(self, title: bytes | None) -> None:
        """Take the other end's system title, as AARQ or AARE name it.

        Raises:
            AccessDenied: another one was expected, or it is none.
        """
        if title is None:
            return
        known = self.security.peer_title
        if known is not None and title != known:
            raise AccessDenied(_foreign(title, known))
        if len(title) != 8:
            raise AccessDenied(f"the other end's system title {title.hex()} has not 8 octets")
        self.peer_title = title

    def use_dedicated(self, key: bytes | None) -> None:
        """From now on protect with this key (`None`: with the global one)."""
        if key is None:
            self._dedicated = self._dedicated_own = None
            return
        self._dedicated = Keys(key, self.security.keys.authentication)
        self._dedicated_own = self._counter_of(key)

    def seal(self, plain: bytes, with_global: bool = False) -> bytes:
        """The envelope for a plain APDU. `with_global` for what opens and closes associations."""
        security = self.security
        keys, own = security.keys, self._own
        dedicated = self._dedicated is not None and not with_global
        if dedicated:
            assert self._dedicated is not None
            assert self._dedicated_own is not None
            keys, own = self._dedicated, self._dedicated_own
        content = protect(plain, security.control, keys, security.system_title, own.take())
        tags = DEDICATED_TAGS if dedicated else GLOBAL_TAGS
        envelope: APDU
        if plain[0] in tags and (with_global or not self._general):
            envelope = ServiceCiphering.of(plain[0], content, dedicated=dedicated)
        elif dedicated:
            envelope = GeneralDedCiphering(security.system_title, content)
        else:
            envelope = GeneralGloCiphering(security.system_title, content)
        return encode_apdu(envelope)

    def open(self, envelope: Envelope) -> Opened:
        """The plain APDU of an envelope, its counter checked and remembered.

        Raises:
            AccessDenied: a key is missing or wrong, the title is not the peer's, the message is
                not protected as agreed.
            CounterRefused: it is a replay.
            RemoteProtocolError: it is cut.
        """
        title = self.peer_title or b""
        carried = _carried_title(envelope)
        if carried:
            # An empty title on the wire stands for the one negotiated.
            if title and carried != title:
                raise ForeignTitle(_foreign(carried, title))
            title = carried
        keys = self.security.keys
        if (
            envelope.dedicated
            if isinstance(envelope, ServiceCiphering)
            else isinstance(envelope, GeneralDedCiphering)
        ):
            if self._dedicated is None:
                raise AccessDenied("the message is under a dedicated key, but none was agreed")
            keys = self._dedicated
        about = b""
        if isinstance(envelope, GeneralCiphering):
            if not isinstance(envelope.key_info, IdentifiedKey | None):
                raise AccessDenied("the message brings its own key, which is not supported")
            about = envelope.about
        opened = unprotect(envelope.content, keys, title, about)
        lacking = self.security.control & ~opened.header.control & (AUTHENTICATED | ENCRYPTED)
        if lacking:
            what = "authenticated" if lacking & AUTHENTICATED else "encrypted"
            raise AccessDenied(f"the message is not {what}, as this association demands")
        if not opened.verified:
            self.unverified += 1
        if self._mirrors:
            self._general = not isinstance(envelope, ServiceCiphering)
        self.peer_title = title or None
        counter = counter_id(title, keys.encryption_for(opened.header.control))
        counters = self.security.counters
        try:
            accept(counters, counter, opened.header.invocation_counter)
        except AccessDenied as error:
            raise CounterRefused(str(error), counters.last_seen(counter)) from error
        return opened


def _carried_title(envelope: Envelope) -> bytes:
    """The sender's title in an envelope that names it."""
    match envelope:
        case GeneralGloCiphering() | GeneralDedCiphering():
            return envelope.system_title
        case GeneralCiphering():
            return envelope.originator_system_title
        case ServiceCiphering():
            return b""


def _foreign(title: bytes, known: bytes) -> str:
    came, expected = system_title_text(title), system_title_text(known)
    return f"the other end's system title is {came}, expected is {expected}"
