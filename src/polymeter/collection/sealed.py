"""Sealed frames: whose they are, which keys open them, and whether what they say is proven.

One mechanism for every protocol that is sealed. What a frame says in clear names its sender; the
sender's own keys are taken out of their seals for it alone; what they open is believed to come from
that meter and from no other. What differs between protocols is a line of `_SEALINGS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from polymeter.catalogue import Frame as DecodedFrame
from polymeter.protocols.wire import MeterIdentity, Seal
from polymeter.store import Frame, InvalidSecret, Scope, SecretKey, Tx, counters, meters, secrets
from polymeter.store.counters import Refusal
from polymeter.store.meters import Known

__all__ = [
    "KINDS",
    "Keys",
    "NotYet",
    "accept",
    "also_called",
    "called",
    "check",
    "confirm",
    "is_plain",
    "is_sealed",
    "kept_keys",
    "key_bytes",
    "keys_of",
    "names_of",
    "unknown",
    "unknown_reason",
]


@dataclass(frozen=True, slots=True)
class _Sealing:
    """How the frames of a protocol are sealed."""

    encryption: tuple[str, ...]
    """Kinds of secret that open them, all of them tried."""
    authentication: str | None = None
    """The kind that proves them, where it is another key than the one that opens."""
    titled: bool = False
    """Whether only the system title is the sender's word, and a number within may be anybody's."""
    counter: str = "message counter"


_DLMS: Final = _Sealing(
    ("dlms_global_unicast_encryption_key", "dlms_global_broadcast_encryption_key"),
    "dlms_global_authentication_key",
    titled=True,
    counter="invocation counter",
)
_MBUS: Final = _Sealing(("mbus_encryption_key",))
_SEALINGS: Final = {"dlms": _DLMS, "p1": _DLMS, "mbus": _MBUS, "wmbus": _MBUS}
"""One line for each protocol whose frames may be sealed."""

KINDS: Final = tuple(
    dict.fromkeys(
        kind
        for sealing in _SEALINGS.values()
        for kind in (*sealing.encryption, sealing.authentication)
        if kind is not None
    )
)
"""Every kind of secret that opens or proves a frame."""

_ADDRESS: Final = 16
_NUMBER: Final = 8
"""Digits of a secondary address of M-Bus, and of the number with which it begins."""


class NotYet(Exception):
    """Why a frame waits in quarantine, and which meter's appearance would release it."""

    def __init__(self, reason: str, meter: str | None = None) -> None:
        super().__init__(reason)
        self.meter = meter


@dataclass(frozen=True, slots=True)
class Keys:
    """What opens a meter's frames."""

    encryption: tuple[bytes, ...] = field(default=(), repr=False)
    authentication: bytes | None = field(default=None, repr=False)


def unknown(name: str) -> NotYet:
    """A frame waits for a meter of that name."""
    return NotYet(unknown_reason(name), name)


def unknown_reason(name: str) -> str:
    """What a frame says that waits for a meter of that name."""
    return f"meter {name} is not known"


def names_of(frame: Frame, meter: MeterIdentity, *, sealed: bool = False) -> list[str]:
    """What the meter of a frame may be called, the surest first; a system title may be in capitals."""
    title = meter.system_title
    titles = (title, title.upper() if title is not None else None)
    own = (meter.address, meter.id, *titles)
    if not sealed:
        names = [frame.meter, *own]
    elif _SEALINGS[frame.protocol].titled:
        names = [*titles, frame.meter]
    else:
        names = [*own, frame.meter]
    return list(dict.fromkeys(name for name in names if name is not None))


def also_called(name: str) -> tuple[str, ...]:
    """The names by which whoever is waited for under `name` may become known: an address holds a number."""
    return (name, name[:_NUMBER]) if len(name) == _ADDRESS else (name,)


def called(tx: Tx, scope: Scope, names: Sequence[str]) -> Known | None:
    """The meter that the first name which is anybody's says, `None` unless it is one."""
    found = meters.resolve(tx, scope, names)
    some = next((found[name] for name in names if found.get(name)), [])
    return some[0] if len(some) == 1 else None


def is_sealed(frame: DecodedFrame) -> bool:
    """Whether keys are wanting, to open the frame or to prove it."""
    decoded = frame.decoded
    if decoded.protocol not in _SEALINGS:
        return False
    return (decoded.encrypted and not decoded.seals) or any(seal.verified is False for seal in decoded.seals)


def keys_of(
    tx: Tx, scope: Scope, frame: Frame, meter: MeterIdentity, key: SecretKey | None, *, needed: bool = True
) -> tuple[Known, Keys]:
    """The meter that a frame names as its sender, and its keys, without which a sealed one stays shut.

    Raises:
        NotYet: there is no such meter, or its keys are needed and cannot be had.
    """
    names = names_of(frame, meter, sealed=True)
    if not names:
        raise NotYet("the frame is encrypted and does not say which meter it comes from")
    known = called(tx, scope, names)
    if known is None:
        raise unknown(names[0])
    if key is None and needed:
        raise NotYet("the frame is encrypted, and there is no SECRET_KEY to open the meters' keys with")
    return known, kept_keys(tx, known, frame.protocol, key)


def kept_keys(tx: Tx, known: Known, protocol: str, key: SecretKey | None) -> Keys:
    """The keys of a meter, taken out of their seals.

    Raises:
        NotYet: one does not open.
    """
    if key is None or protocol not in _SEALINGS:
        return Keys()
    sealing = _SEALINGS[protocol]

    def opened(kind: str) -> bytes | None:
        kept = secrets.get(tx, key, known.organization, known.id, kind)
        return key_bytes(kept) if kept is not None else None

    try:
        encryption = tuple(value for kind in sealing.encryption if (value := opened(kind)) is not None)
        authentication = opened(sealing.authentication) if sealing.authentication is not None else None
    except InvalidSecret as error:
        raise NotYet(str(error), known.name) from error
    return Keys(encryption, authentication)


def key_bytes(kept: bytes) -> bytes:
    """A key as it is used; it is kept as such or in hex digits."""
    if len(kept) in (32, 64):
        try:
            return bytes.fromhex(kept.decode("ascii"))
        except ValueError:
            return kept
    return kept


def confirm(tx: Tx, scope: Scope, meter: MeterIdentity, owner: Known) -> None:
    """See that what was opened with a meter's key is that meter's: outside a radio adapter may stand.

    Raises:
        NotYet: it names another meter, or one that is not known.
    """
    names = [name for name in (meter.address, meter.id) if name is not None]
    found = called(tx, scope, names)
    if found is None:
        raise unknown(names[0])
    if found.id != owner.id:
        raise NotYet(
            f"it opens with the key of meter {owner.name} and says that it comes from meter {found.name}"
        )


def is_plain(tx: Tx, known: Known, frame: DecodedFrame) -> bool:
    """Whether a frame came without a seal from a meter that has a key: anybody may have sent it."""
    decoded = frame.decoded
    if decoded.seals or decoded.protocol not in _SEALINGS:
        return False
    kept = secrets.kinds(tx, known.organization, known.id)
    return any(kind in kept for kind in _SEALINGS[decoded.protocol].encryption)


def check(frame: DecodedFrame, owner: Known | None) -> None:
    """See that a frame is whole, open, and proven to be its sender's.

    Raises:
        NotYet: it is damaged, shut, or not proven.
    """
    decoded = frame.decoded
    waits_for = owner.name if owner is not None else None
    problems: Sequence[str] = [problem.message for problem in decoded.errors]
    if not decoded.valid:
        raise NotYet("; ".join(problems) or decoded.why)
    if decoded.encrypted and (problems or not decoded.seals):
        raise NotYet("; ".join(problems) or decoded.why, waits_for)
    if any(seal.verified is False for seal in decoded.seals):
        kind = _SEALINGS[decoded.protocol].authentication
        raise NotYet(f"the message carries a tag and meter {waits_for} has no {kind} to prove it", waits_for)


def accept(tx: Tx, known: Known, protocol: str, seals: Sequence[Seal], frame: int) -> Refusal | None:
    """Take the counters of a frame's proven envelopes.

    Returns the refusal of a message that was only heard again, `None` where all are new.

    Raises:
        NotYet: one was used already, or is lower than one before; none is taken then.
    """
    for seal in seals:
        if not seal.verified or seal.invocation_counter is None:
            continue
        sender = f"{known.organization}/{seal.system_title.hex()}/{seal.key_fingerprint.hex()}"
        what = _SEALINGS[protocol].counter
        refusal = counters.accept(tx, sender, seal.invocation_counter, frame, seal.content, what)
        if refusal is not None and refusal.echo_of is None:
            raise NotYet(refusal.reason)
        if refusal is not None:
            return refusal
    return None
