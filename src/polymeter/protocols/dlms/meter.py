"""The meter's end: a COSEM logical device with several clients, for simulators and tests.

A `Meter` has objects and the associations it offers, one for each client address. A `Session` is
one of them in a conversation: it answers events and changes nothing but its own state and what a
client may change. `serving` carries sessions over a line. Clocks and dice come as arguments.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from polymeter.protocols.dlms import authentication
from polymeter.protocols.dlms.acse import AARE, AARQ, RLRE, RLRQ, Context, Mechanism, Result
from polymeter.protocols.dlms.apdus import (
    APDU,
    LOGICAL_NAME_SERVICES,
    VAA_NAME_LN,
    ActionRequestNormal,
    ActionResponse,
    ActionResponseNormal,
    ActionResult,
    ConfirmedServiceError,
    Conformance,
    ExceptionResponse,
    InitiateRequest,
    InitiateResponse,
    NegotiatedConformance,
    ServiceError,
    StateError,
    decode_apdu,
    encode_apdu,
)
from polymeter.protocols.dlms.authentication import Exchange
from polymeter.protocols.dlms.axdr import Data
from polymeter.protocols.dlms.ciphering import Security, SecurityContext
from polymeter.protocols.dlms.data import octet_string
from polymeter.protocols.dlms.hdlc_link import LinkDown, LinkUp
from polymeter.protocols.dlms.objects import COSEMObject, Level, data, sap_assignment, security_setup
from polymeter.protocols.dlms.security import AUTHENTICATED, ENCRYPTED
from polymeter.protocols.dlms.services import (
    CURRENT_ASSOCIATION,
    AssociationFacts,
    View,
    association_object,
)
from polymeter.protocols.dlms.states import Event
from polymeter.protocols.obis import OBIS
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError

__all__ = ["CONFORMANCE", "Client", "Meter", "Session"]

CONFORMANCE: Final = LOGICAL_NAME_SERVICES | Conformance.GENERAL_PROTECTION
"""What a meter of ours can do."""
_CHALLENGE_SIZE: Final = 16
_DLMS_VERSION: Final = 6
_PDU_MIN: Final = 12
"""Octets that a client must take at least, else nothing can be said to it."""


@dataclass(frozen=True, slots=True)
class Client:
    """An association that the meter offers, by the client's address."""

    sap: int
    level: Level = Level.READING
    mechanism: Mechanism = Mechanism.NONE
    secret: bytes = field(default=b"", repr=False)
    """Password, or secret of MD5, SHA-1 and SHA-256; GMAC uses the meter's keys."""
    ciphered: bool = False
    """Whether only the ciphered application context will do."""
    system_title: bytes | None = None
    """The only client title accepted; any if `None`."""


class Meter:
    """What the meter is and has.

    Args:
        name: logical device name; the first three letters are the manufacturer's FLAG id.
        objects: what it has beside those that every meter has.
        clients: the associations that it offers.
        random: gives that many random octets, for challenges.
        security: the meter's keys, title and counters.
        server: address of the logical device.
        apdu_max: octets that it takes in one APDU.
    """

    def __init__(
        self,
        name: bytes,
        objects: Iterable[COSEMObject],
        clients: Iterable[Client],
        random: Callable[[int], bytes],
        security: Security | None = None,
        server: int = 1,
        apdu_max: int = 1024,
        conformance: Conformance = CONFORMANCE,
    ) -> None:
        for client in (clients := tuple(clients)):
            if (client.ciphered or client.mechanism is Mechanism.HLS_GMAC) and security is None:
                raise LocalProtocolError(f"client {client.sap} needs keys, and the meter has none")
        self.name = name
        self.clients = {client.sap: client for client in clients}
        self.random = random
        self.security = security
        self.server = server
        self.apdu_max = apdu_max
        self.conformance = conformance
        own = [
            data(OBIS(0, 0, 42, 0, 0), octet_string(name), Level.PUBLIC),
            sap_assignment([(server, name)]),
        ]
        if security is not None:
            own.append(security_setup(_policy(security.control), 0, security.system_title))
        self.objects = {one.name: one for one in (*own, *objects)}

    def session(self, sap: int) -> Session:
        """The conversation with one client."""
        return Session(self, sap)


def _policy(control: int) -> int:
    """The security policy (version 0) that asks for this protection."""
    return (1 if control & AUTHENTICATED else 0) | (2 if control & ENCRYPTED else 0)


class Session:
    """One client's conversation with a meter."""

    def __init__(self, meter: Meter, sap: int) -> None:
        self.meter = meter
        self.client = meter.clients.get(sap)
        self.sap = sap
        self.security = (
            SecurityContext(meter.security, mirrors=True, block=1) if meter.security is not None else None
        )
        self._pending: tuple[Mechanism, Exchange] | None = None
        self._associated = False
        self._facts = AssociationFacts(sap, meter.server, 1, 0, Conformance(0), 0, 0, 0)
        level = self.client.level if self.client is not None else Level.PUBLIC
        objects = dict(meter.objects)
        self.view = View(level, objects)
        number = 1 + (list(meter.clients).index(sap) if self.client is not None else 0)
        for name in (CURRENT_ASSOCIATION, OBIS(0, 0, 40, 0, number)):
            objects[name] = association_object(lambda: self._facts, self.view.object_list, name)

    def answer(self, event: Event) -> Event | None:
        """What the meter says to `event`; `None` to what needs no answer."""
        match event:
            case LinkUp() | LinkDown():
                self._end()
                return None
            case AARQ():
                return self._associate(event)
            case RLRQ():
                user_information = event.user_information and encode_apdu(self._initiate_response())
                self._end()
                return RLRE(user_information=user_information)
            case ActionRequestNormal(invoke, method, parameters) if (
                self._pending is not None
                and (method.class_id, method.method) == (15, 1)
                and method.instance == CURRENT_ASSOCIATION
            ):
                return ActionResponseNormal(invoke, self._prove(parameters))
            case APDU() if self._associated:
                return self.view.answer(event)
            case APDU():
                self._end()
                return ExceptionResponse(StateError.SERVICE_NOT_ALLOWED, ServiceError.OPERATION_NOT_POSSIBLE)
            case _:
                return None

    def _end(self) -> None:
        self._pending = None
        self._associated = False

    def _associate(self, aarq: AARQ) -> AARE:
        self._end()
        context = aarq.context or Context.LN
        diagnostic = self._objection(aarq)
        if diagnostic:
            return _refused(context, diagnostic)
        try:
            inner = decode_apdu(aarq.user_information or b"")
        except RemoteProtocolError:
            return _refused(context, 1)
        if not isinstance(inner, InitiateRequest):
            return _refused(context, 1)
        proposed = inner.conformance
        if isinstance(proposed, NegotiatedConformance):
            proposed = proposed.conformance
        agreed = proposed & self.meter.conformance
        wrong = 1 if inner.dlms_version < _DLMS_VERSION else 2 if not agreed else 0
        if 0 < inner.max_receive_pdu_size < _PDU_MIN:
            wrong = 3
        if wrong:
            return _refused(context, 1, encode_apdu(ConfirmedServiceError(1, 6, wrong)))
        mechanism = aarq.mechanism or Mechanism.NONE
        self._facts = AssociationFacts(
            self.sap,
            self.meter.server,
            context,
            mechanism,
            agreed,
            self.meter.apdu_max,
            inner.max_receive_pdu_size,
            1 if mechanism > Mechanism.LLS else 2,
            OBIS(0, 0, 43, 0, 0) if self.security is not None else None,
        )
        title = None
        if self.security is not None and (context is Context.LN_CIPHERED or mechanism > Mechanism.LLS):
            title = self.security.security.system_title
        answer = encode_apdu(self._initiate_response())
        if mechanism <= Mechanism.LLS:
            self._associated = True
            return AARE.of(context, Mechanism.NONE, None, title, answer)
        challenge = self.meter.random(_CHALLENGE_SIZE)
        exchange = Exchange(aarq.authentication_value or b"", challenge, title or b"", aarq.ap_title or b"")
        self._pending = mechanism, exchange
        return AARE.of(context, mechanism, challenge, title, answer, diagnostic=14)

    def _objection(self, aarq: AARQ) -> int:
        """Why this client may not associate in this way; 0 if it may."""
        client = self.client
        if client is None:
            return 1
        ciphered = aarq.context is Context.LN_CIPHERED
        if aarq.context not in (Context.LN, Context.LN_CIPHERED) or client.ciphered != ciphered:
            return 2
        if client.system_title is not None and aarq.ap_title != client.system_title:
            return 3
        if aarq.mechanism is not client.mechanism:
            return 12 if aarq.mechanism is Mechanism.NONE else 11
        given = aarq.authentication_value or b""
        if client.mechanism is Mechanism.LLS and not hmac.compare_digest(given, client.secret):
            return 13
        return 0

    def _initiate_response(self) -> InitiateResponse:
        return InitiateResponse(
            None, _DLMS_VERSION, self._facts.conformance, self.meter.apdu_max, VAA_NAME_LN
        )

    def _prove(self, parameters: Data | None) -> ActionResponse:
        """Check the client's proof and give ours."""
        received = parameters.value if parameters is not None else None
        if self._pending is None or self.client is None:
            return ActionResponse(ActionResult.READ_WRITE_DENIED)
        mechanism, exchange = self._pending
        security = self.security
        keys = security.security.keys if security is not None else None
        secret = self.client.secret
        self._pending = None
        if not isinstance(received, bytes) or not authentication.verify(
            mechanism, exchange, received, secret, keys
        ):
            return ActionResponse(ActionResult.READ_WRITE_DENIED)
        counter = (
            security.take_counter() if security is not None and mechanism == Mechanism.HLS_GMAC else None
        )
        proof = authentication.answer(mechanism, exchange, secret, keys, counter)
        self._associated = True
        self._facts = replace(self._facts, status=2)
        return ActionResponse(ActionResult.SUCCESS, Data.of(octet_string(proof)))


def _refused(context: Context, diagnostic: int, user_information: bytes | None = None) -> AARE:
    return AARE.of(
        context,
        user_information=user_information,
        result=Result.REJECTED_PERMANENT,
        diagnostic=diagnostic,
    )
