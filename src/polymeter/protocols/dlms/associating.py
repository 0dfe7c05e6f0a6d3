"""Opening and closing an association: link, AARQ, the proof of the secret, release.

Each way of failing has its own error and its own words: a password, a secret, a key, a system
title and an address that does not answer are mended in different places.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from polymeter.protocols.dlms import authentication
from polymeter.protocols.dlms.acse import AARE, AARQ, RLRE, RLRQ, Context, Mechanism
from polymeter.protocols.dlms.apdus import (
    LOGICAL_NAME_SERVICES,
    ActionResult,
    ConfirmedServiceError,
    Conformance,
    ExceptionResponse,
    InitiateRequest,
    MethodDescriptor,
    decode_apdu,
    encode_apdu,
)
from polymeter.protocols.dlms.authentication import Exchange
from polymeter.protocols.dlms.ciphering import SecurityContext
from polymeter.protocols.dlms.connection import Connection
from polymeter.protocols.dlms.data import octet_string
from polymeter.protocols.dlms.hdlc_link import LinkDown, LinkUp
from polymeter.protocols.dlms.procedures import Timing, action, next_event, refused
from polymeter.protocols.dlms.security import AUTHENTICATED
from polymeter.protocols.dlms.states import Connect, Disconnect
from polymeter.protocols.obis import OBIS
from polymeter.protocols.procedure import Procedure, Send
from polymeter.protocols.wire import (
    AccessDenied,
    LocalProtocolError,
    ProtocolError,
    RemoteProtocolError,
    TimedOut,
    TransportError,
)

__all__ = ["PROPOSED", "Association", "Proposal", "associate", "release"]

PROPOSED: Final = LOGICAL_NAME_SERVICES | Conformance.GENERAL_BLOCK_TRANSFER
"""The services that a client of ours can use."""
_CURRENT_ASSOCIATION: Final = OBIS(0, 0, 40, 0, 0)


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the client wants of an association."""

    mechanism: Mechanism = Mechanism.NONE
    secret: bytes = field(default=b"", repr=False)
    """Password (LLS) or shared secret (MD5, SHA-1, SHA-256); GMAC needs the keys only."""
    challenge: bytes = field(default=b"", repr=False)
    """Ours, 8 to 64 octets that nobody can foresee; for HLS."""
    conformance: Conformance = PROPOSED
    apdu_max: int = 0xFFFF
    """Octets that we take in one APDU."""
    releases: bool = True
    """Whether to say RLRQ at the end; some meters know none and want the link closed."""


@dataclass(frozen=True, slots=True)
class Association:
    """What was agreed."""

    conformance: Conformance
    server_title: bytes | None
    notes: tuple[str, ...] = ()
    """Where the meter strayed from the standard and was understood all the same."""


def associate(
    connection: Connection, proposal: Proposal = Proposal(), timing: Timing = Timing()
) -> Procedure[Association]:
    """Open the link if need be, and the association, with proof where one is asked for.

    Raises:
        LocalProtocolError: what is proposed cannot be done with what is at hand.
        AccessDenied: password, secret, keys or system title are refused, or the meter cannot prove
            that it knows the secret.
        RemoteProtocolError: the meter refuses for another reason, or answers with something else.
        TimedOut: no meter answers at this address.
    """
    security = connection.security
    if proposal.mechanism > Mechanism.LLS:
        _check(proposal, security)
    if connection.state in ("no link", "linking", "unlinking"):
        yield from _open_link(connection, timing)
    context = Context.LN_CIPHERED if security is not None else Context.LN
    dedicated = security.security.dedicated_key if security is not None else None
    conformance = proposal.conformance
    if security is not None:
        conformance |= Conformance.GENERAL_PROTECTION
    initiate = InitiateRequest(dedicated, None, None, 6, conformance, proposal.apdu_max)
    title = security.security.system_title if security is not None else None
    value = None
    if proposal.mechanism is Mechanism.LLS:
        value = proposal.secret
    elif proposal.mechanism > Mechanism.LLS:
        value = proposal.challenge
    aarq = AARQ.of(context, proposal.mechanism, value, title, encode_apdu(initiate))
    yield Send(connection.send(aarq))
    try:
        answer = yield from next_event(connection, timing)
    except TimedOut as error:
        silent = ", and are the keys right? Some meters are silent when they cannot open a message"
        question = f"is there a meter at this address{silent if security is not None else '?'}"
        raise TimedOut(f"no answer to the AARQ: {error}; {question}") from error
    match answer:
        case AARE():
            pass
        case ExceptionResponse() | ConfirmedServiceError():
            raise refused(answer, security)
        case LinkDown(reason):
            raise TransportError(f"the link ended: {reason}")
        case _:
            raise RemoteProtocolError(f"an AARE is expected, {type(answer).__name__} came")
    if answer.refusal is not None:
        raise _refusal(answer, proposal, security)
    if connection.state == "HLS pending":
        yield from _prove(connection, proposal, _challenge(answer, proposal), answer, timing)
    elif proposal.mechanism > Mechanism.LLS:
        raise AccessDenied("the meter opens the association without asking for the proof of the secret")
    notes = answer.notes
    strays = connection.conformance & ~conformance
    if strays:
        # Not a reason to refuse: nothing that was not proposed will be used.
        notes += (f"the meter grants services that were not proposed: {strays!r}",)
    return Association(connection.conformance, answer.ap_title, notes)


def _check(proposal: Proposal, security: SecurityContext | None) -> None:
    """Whether we could give the proof, before anything is said."""
    authentication.check(proposal.mechanism, security.security.keys if security is not None else None)
    if not 8 <= len(proposal.challenge) <= 64:
        raise LocalProtocolError(f"a challenge has 8 to 64 octets, not {len(proposal.challenge)}")


def _challenge(aare: AARE, proposal: Proposal) -> bytes:
    """What the meter wants answered, if it may."""
    if proposal.mechanism <= Mechanism.LLS:
        wanted = aare.mechanism.name if aare.mechanism is not None else "some HLS mechanism"
        raise AccessDenied(f"the meter asks for the proof of a secret: it wants {wanted}")
    theirs = aare.authentication_value
    if not theirs:
        raise AccessDenied("the meter asks for the proof of the secret with no challenge")
    if theirs == proposal.challenge:
        # Our answer would be the proof that it owes us.
        raise AccessDenied("the meter asks back our own challenge: it need not know the secret")
    return theirs


def _open_link(connection: Connection, timing: Timing) -> Procedure[None]:
    yield Send(connection.send(Connect()))
    try:
        event = yield from next_event(connection, timing)
    except TimedOut as error:
        raise TimedOut(f"no answer to SNRM: {error}; is there a meter at this address?") from error
    if isinstance(event, LinkDown):
        raise TransportError(f"the meter refuses the link: {event.reason}")
    if not isinstance(event, LinkUp):
        raise RemoteProtocolError(f"UA is expected, {type(event).__name__} came")


def _refusal(aare: AARE, proposal: Proposal, security: SecurityContext | None) -> ProtocolError:
    """Why the meter does not associate, as an error of who must act."""
    try:
        inner = decode_apdu(aare.user_information or b"")
    except RemoteProtocolError:
        inner = None  # the refusal stands without it
    if isinstance(inner, ConfirmedServiceError):
        return refused(inner, security)
    text = f"the meter refuses the association: {aare.refusal}"
    if aare.diagnostic_source != 1:
        return RemoteProtocolError(text)
    match aare.diagnostic:
        case 2:
            return AccessDenied(f"{text}: it wants ciphering where we do not, or the other way round")
        case 3:
            return AccessDenied(f"{text}: it does not know our system title")
        case 11 | 12 | 14:
            return AccessDenied(f"{text}: it wants another authentication than {proposal.mechanism.name}")
        case 13:
            return AccessDenied(f"{text}: the password is wrong")
        case _:
            return AccessDenied(f"{text}: does it know this client address?")


def _prove(
    connection: Connection, proposal: Proposal, challenge: bytes, aare: AARE, timing: Timing
) -> Procedure[None]:
    """Passes 3 and 4 of HLS (IEC 62056-5-3 § 5.3.4.4): our proof for the meter's."""
    security = connection.security
    mechanism = proposal.mechanism
    ours = security.security.system_title if security is not None else b""
    theirs = aare.ap_title or (security.peer_title if security is not None else None) or b""
    exchange = Exchange(challenge, proposal.challenge, ours, theirs)
    keys = security.security.keys if security is not None else None
    counter = security.take_counter() if security is not None and mechanism is Mechanism.HLS_GMAC else None
    proof = authentication.answer(mechanism, exchange, proposal.secret, keys, counter)
    method = MethodDescriptor(15, _CURRENT_ASSOCIATION, 1)
    response = yield from action(connection, method, octet_string(proof), timing)
    if response.result != ActionResult.SUCCESS:
        raise AccessDenied(f"the meter does not accept our proof: {_doubt(mechanism, security)}")
    returned = getattr(response.returned, "value", None)
    if not isinstance(returned, bytes):
        raise AccessDenied("the meter gives no proof that it knows the secret")
    if not authentication.verify(mechanism, exchange, returned, proposal.secret, keys):
        what = "authentication key" if mechanism is Mechanism.HLS_GMAC else "secret"
        raise AccessDenied(f"the meter's proof is wrong: it does not know the {what}")


def _doubt(mechanism: Mechanism, security: SecurityContext | None) -> str:
    """What may be wrong when the meter has opened the AARQ and refuses the proof."""
    if mechanism is not Mechanism.HLS_GMAC or security is None:
        return "the secret is wrong"
    if security.security.control & AUTHENTICATED:
        return "it has verified the AARQ with both keys, so it knows another system title or challenge of us"
    return "the authentication key is wrong; the encryption key has opened the AARQ"


def release(
    connection: Connection, proposal: Proposal = Proposal(), timing: Timing = Timing()
) -> Procedure[None]:
    """Close the association and the link; a meter that no longer answers is left all the same."""
    if proposal.releases and connection.state in ("associated", "HLS pending"):
        information = None
        if connection.ciphered:
            information = encode_apdu(
                InitiateRequest(None, None, None, 6, proposal.conformance, proposal.apdu_max)
            )
        yield Send(connection.send(RLRQ(user_information=information)))
        yield from _until(connection, lambda event: isinstance(event, RLRE), timing)
    if connection.state not in ("no link", "linking"):
        out = connection.send(Disconnect())
        if out:
            yield Send(out)
        yield from _until(connection, lambda event: isinstance(event, LinkDown), timing)


def _until(connection: Connection, done: Callable[[object], bool], timing: Timing) -> Procedure[None]:
    """Wait for the end of something that may as well have ended already."""
    try:
        while not done((yield from next_event(connection, timing))):
            continue
    except (TransportError, RemoteProtocolError, AccessDenied):
        return
