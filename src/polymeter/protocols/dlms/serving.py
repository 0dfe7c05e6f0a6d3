"""The meter's end of a line, as procedures: answer whoever asks, and push unasked.

One line may carry several clients and several meters. Each pair has a session and a connection of
its own; what none of them understands is refused or dropped, and never ends the others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from polymeter.protocols.dlms.apdus import (
    ConfirmedServiceError,
    ExceptionResponse,
    ServiceError,
    StateError,
)
from polymeter.protocols.dlms.ciphering import CounterRefused, Security, SecurityContext
from polymeter.protocols.dlms.connection import Connection
from polymeter.protocols.dlms.framing import (
    Carrier,
    Framing,
    HDLCCarrier,
    Parties,
    Switchboard,
    WrapperCarrier,
)
from polymeter.protocols.dlms.hdlc import Address, Parameters
from polymeter.protocols.dlms.meter import Meter, Session
from polymeter.protocols.dlms.states import TRANSITIONS, Notification
from polymeter.protocols.procedure import Pause, Procedure, Receive, Send
from polymeter.protocols.wire import (
    AccessDenied,
    LocalProtocolError,
    NeedData,
    ProtocolError,
    RemoteProtocolError,
    TimedOut,
)

__all__ = ["HDLC_PARAMETERS", "SESSIONS_MAX", "push", "serve"]

HDLC_PARAMETERS: Final = Parameters(512, 512, 1, 1)
SESSIONS_MAX: Final = 64
"""Sessions on one line; the one that has been silent longest makes way."""


@dataclass(slots=True)
class _Talk:
    session: Session
    connection: Connection

    def take(self, octets: bytes) -> bytes:
        """Take in one frame and give the answer."""
        said = []
        connection = self.connection
        try:
            connection.receive_data(octets)
            while True:
                try:
                    event = connection.next_event()
                    if isinstance(event, NeedData):
                        break
                    answer = self.session.answer(event)
                    if answer is not None:
                        said.append(connection.send(answer))
                except (RemoteProtocolError, AccessDenied, LocalProtocolError) as error:
                    said.append(self._refuse(error))
        except RemoteProtocolError:
            return b""
        said.append(connection.data_to_send())
        return b"".join(said)

    def _refuse(self, error: ProtocolError) -> bytes:
        """Say that a request cannot be served, if the conversation is one in which that is said."""
        connection = self.connection
        if ("server", "refusal") not in TRANSITIONS[connection.state] or not connection.carrier.is_up:
            return b""
        if isinstance(error, CounterRefused):
            expected = (error.last or 0) + 1
            refused = StateError.SERVICE_NOT_ALLOWED, ServiceError.INVOCATION_COUNTER_ERROR
            return connection.send(ExceptionResponse(*refused, expected))
        if isinstance(error, AccessDenied):
            if connection.state == "no association":
                return connection.send(ConfirmedServiceError(1, 0, 6))
            return connection.send(
                ExceptionResponse(StateError.SERVICE_NOT_ALLOWED, ServiceError.DECIPHERING_ERROR)
            )
        kind = StateError.SERVICE_UNKNOWN
        if connection.state in ("no association", "HLS pending"):
            kind = StateError.SERVICE_NOT_ALLOWED
        return connection.send(ExceptionResponse(kind, ServiceError.OTHER_REASON))


def serve(
    find: Callable[[Parties], Meter | None],
    framing: Framing | None = None,
    inactivity_s: float = 120.0,
    reaction_s: float = 0.0,
    parameters: Parameters = HDLC_PARAMETERS,
    datagrams: bool = False,
) -> Procedure[None]:
    """Answer until the line closes; after `inactivity_s` all associations are forgotten.

    Args:
        find: the meter that an address means, `None` if there is none; then nothing is said.
        framing: wrapper or HDLC; the first octet that comes decides if it is `None`.
        inactivity_s: seconds of silence that end every association.
        reaction_s: seconds to let pass before each answer.
        parameters: what the meter's HDLC link can do.
        datagrams: whether each `Receive` is a datagram by itself.
    """
    switchboard = Switchboard(framing)
    talks: dict[Parties, _Talk] = {}
    while True:
        try:
            data = yield Receive(inactivity_s)
        except TimedOut:
            talks.clear()
            continue
        if not data:
            return
        if datagrams:
            switchboard = Switchboard(framing)
        try:
            switchboard.receive_data(data)
        except RemoteProtocolError:
            switchboard = Switchboard(framing)
            continue
        while True:
            try:
                came = switchboard.next_frame()
            except RemoteProtocolError:
                continue  # damaged: whoever sent it will ask again
            if isinstance(came, NeedData):
                break
            parties, octets = came
            talk = talks.pop(parties, None)
            if talk is None:
                meter = find(parties)
                if meter is None:
                    continue
                talk = _talk(meter, parties, switchboard.framing or "wrapper", parameters, datagrams)
            talks[parties] = talk
            while len(talks) > SESSIONS_MAX:
                del talks[next(iter(talks))]
            answer = talk.take(octets)
            if answer:
                if reaction_s:
                    yield Pause(reaction_s)
                yield Send(answer)


def _talk(meter: Meter, parties: Parties, framing: Framing, parameters: Parameters, datagrams: bool) -> _Talk:
    session = meter.session(parties.client)
    carrier = _carrier(framing, parties, parameters, datagrams)
    return _Talk(session, Connection("server", carrier, session.security))


def _carrier(framing: Framing, parties: Parties, parameters: Parameters, datagrams: bool) -> Carrier:
    if framing == "hdlc":
        size = 1 if not parties.physical else 4
        server = Address(parties.server, parties.physical, size)
        return HDLCCarrier("server", Address(parties.client), server, parameters)
    return WrapperCarrier("server", parties.client, parties.server, datagrams)


def push(
    notification: Notification,
    parties: Parties,
    framing: Framing = "wrapper",
    security: Security | None = None,
) -> Procedure[None]:
    """Send what the meter says unasked, ciphered if it has keys; nobody answers."""
    context = SecurityContext(security, block=1) if security is not None else None
    carrier = _carrier(framing, parties, HDLC_PARAMETERS, False)
    connection = Connection("server", carrier, context, associated=True)
    yield Send(connection.send(notification))
