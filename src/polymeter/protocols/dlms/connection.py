"""One association between a client and a meter, seen from either end, over wrapper or HDLC.

Octets from the line become events, events become octets. Events are the APDUs themselves, whole and
plain: ciphering, block transfer, general block transfer, segmentation and acknowledgements happen
here. What must be said without being asked for (the next block, a receive-ready) waits in
`data_to_send`. Both ends see all events, so one table of states serves both. No time is known here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Final, cast

from polymeter.protocols.dlms.acse import (
    AARE,
    AARQ,
    ACSE,
    RLRE,
    Context,
    decode_acse,
    encode_acse,
)
from polymeter.protocols.dlms.apdus import (
    APDU,
    DEDICATED_TAGS,
    GLOBAL_TAGS,
    Assembly,
    ConfirmedServiceError,
    Conformance,
    ExceptionResponse,
    GeneralBlockTransfer,
    GeneralSigning,
    InitiateRequest,
    InitiateResponse,
    NegotiatedConformance,
    decode_apdu,
    encode_apdu,
)
from polymeter.protocols.dlms.blocks import ClientBlocks, ServerBlocks
from polymeter.protocols.dlms.ciphering import OVERHEAD, Envelope, ForeignTitle, SecurityContext
from polymeter.protocols.dlms.framing import Carrier
from polymeter.protocols.dlms.hdlc_link import Delivered, End, LinkDown, LinkUp
from polymeter.protocols.dlms.states import TRANSITIONS, Connect, Disconnect, Event, Notification, kind_of
from polymeter.protocols.wire import (
    NEED_DATA,
    AccessDenied,
    LocalProtocolError,
    NeedData,
    ProtocolError,
    RemoteProtocolError,
)

__all__ = ["Connection"]


class Connection:
    """The state of one association.

    Args:
        end: which end this is.
        carrier: the framing, between the two addresses.
        security: keys and counters, if anything may be ciphered.
        on_notification: is given what the meter says unasked; without it that waits in
            `notifications`.
        associated: whether the association exists beforehand (pre-established).
    """

    def __init__(
        self,
        end: End,
        carrier: Carrier,
        security: SecurityContext | None = None,
        on_notification: Callable[[Notification], None] | None = None,
        associated: bool = False,
    ) -> None:
        self.end: End = end
        self.carrier = carrier
        self.security = security
        self.notifications: deque[Notification] = deque(maxlen=1000)
        """What the meter said unasked, the last thousand."""
        self.unopened: deque[ProtocolError] = deque(maxlen=100)
        """Why something that was no answer could not be understood while an answer was waited for."""
        self.on_notification = on_notification or self.notifications.append
        self.conformance = Conformance(0)
        self.peer_apdu_max = 0
        """Octets that the other end takes in one APDU; 0 is no bound."""
        self.ciphered = associated and security is not None
        """Whether the association's APDUs are protected."""
        self.server_title: bytes | None = None
        self.state = "associated" if associated else "no association" if carrier.is_up else "no link"
        self._client_blocks = ClientBlocks()
        self._server_blocks = ServerBlocks(self.carrier.datagrams)
        self._assembly: Assembly | None = None
        self._blocks_sent = 0
        self._proposed: InitiateRequest | None = None
        self._events: deque[Event] = deque()
        self._last: APDU | ACSE | None = None
        self._invoke = 0

    def next_invoke(self) -> int:
        """The next invoke id, 0 to 15."""
        self._invoke = self._invoke + 1 & 0x0F
        return self._invoke

    def receive_data(self, data: bytes) -> None:
        """Take in what came from the line.

        Raises:
            RemoteProtocolError: more waits than any frame is long.
        """
        self.carrier.receive_data(data)

    def next_event(self) -> Event | NeedData:
        """The next whole event of the other end, or `NEED_DATA`.

        Afterwards `data_to_send` may have something for the line.

        Raises:
            RemoteProtocolError: what came is damaged or has no place here. It is dropped.
            AccessDenied: it cannot be opened, or is not protected as it has to be.
        """
        while not self._events:
            came = self.carrier.next_event()
            if isinstance(came, NeedData):
                return NEED_DATA
            if not isinstance(came, Delivered):
                self._take(came, "server")
                continue
            try:
                self._receive_apdu(came.data)
            except (RemoteProtocolError, AccessDenied) as error:
                if not self._is_aside(came, error):
                    raise
                self.unopened.append(error)
        return self._events.popleft()

    def send(self, event: Event) -> bytes:
        """Say `event`; gives what the line should take now.

        Raises:
            LocalProtocolError: this end cannot say that now, or it does not fit.
        """
        kind = kind_of(event, self.end)
        state = TRANSITIONS[self.state].get((self.end, kind)) if kind != "notification" else self.state
        if state is None:
            raise LocalProtocolError(f"a {self.end} cannot send {kind} when there is {self.state}")
        match event:
            case Connect():
                self.carrier.connect()
            case Disconnect():
                self.carrier.disconnect()
            case ACSE():
                self._send_acse(event)
            case APDU():
                self._send_apdu(event, kind == "notification")
            case LinkUp() | LinkDown():
                raise LocalProtocolError("the link goes up and down by its own rules")
        self.state = state
        return self.data_to_send()

    def data_to_send(self) -> bytes:
        """What the line should take now; ask after every event and after `repeat`."""
        return self.carrier.data_to_send()

    def repeat(self) -> bytes:
        """What to say after silence: a poll over HDLC, the last APDU over UDP, nothing over TCP.

        A ciphered APDU is sealed anew, since no counter may be used twice.
        """
        if self.carrier.datagrams and isinstance(self._last, APDU):
            self._write(self._last)
        elif self.carrier.datagrams and isinstance(self._last, ACSE):
            self._send_acse(self._last)
        else:
            self.carrier.repeat()
        return self.data_to_send()

    # What comes

    def _take(self, event: Event, sender: End) -> None:
        kind = kind_of(event, sender)
        if kind == "notification":
            self.on_notification(cast(Notification, event))
            return
        state = TRANSITIONS[self.state].get((sender, kind))
        if state is None:
            raise RemoteProtocolError(f"{kind} has no place when the state is {self.state!r}")
        self.state = state
        if state in ("no link", "no association"):
            self._forget()
        self._events.append(event)

    def _is_aside(self, came: Delivered, error: ProtocolError) -> bool:
        """Whether what failed is certainly not the answer that the client waits for."""
        if self.end == "server" or not (self._client_blocks.is_due or self.state in _AWAITING):
            return False
        return not came.numbered or isinstance(error, ForeignTitle) or came.data[:1] in _SEALED_NOTIFICATIONS

    def _forget(self) -> None:
        """What was negotiated ends with the association."""
        self.ciphered = False
        self._client_blocks = ClientBlocks()
        self._server_blocks = ServerBlocks(self.carrier.datagrams)
        self._assembly = None
        if self.security is not None:
            self.security.forget()

    @property
    def _peer(self) -> End:
        return "server" if self.end == "client" else "client"

    def _receive_apdu(self, data: bytes) -> None:
        if data[:1] in (b"\x60", b"\x61", b"\x62", b"\x63"):
            self._receive_acse(decode_acse(data))
            return
        apdu = decode_apdu(data)
        protected = False
        for _ in range(4):  # an envelope in blocks in an envelope: no meter goes further
            if isinstance(apdu, GeneralBlockTransfer):
                whole = self._assemble(apdu)
                if whole is None:
                    return
                apdu = decode_apdu(whole)
            elif isinstance(apdu, Envelope):
                if self.security is None:
                    raise AccessDenied("the message is ciphered, but no key is known: give one")
                apdu = decode_apdu(self.security.open(apdu).plaintext)
                protected = True
            else:
                break
        if isinstance(apdu, GeneralSigning):
            raise AccessDenied(f"{apdu.TITLE} is not supported yet")
        if self.ciphered and not protected and kind_of(apdu, self._peer) not in ("refusal", "notification"):
            raise AccessDenied("the message is not protected, as this association demands")
        self._receive_plain(apdu)

    def _receive_plain(self, apdu: APDU) -> None:
        whole: APDU | None
        if self.end == "client":
            whole, answer = self._client_blocks.response(apdu)
        elif self.state == "associated" or (self.state, kind_of(apdu, "client")) == (
            "HLS pending",
            "request",
        ):
            whole, answer = self._server_blocks.request(apdu)
        else:
            whole, answer = apdu, None
        if answer is not None:
            self._write(answer)
        if whole is not None:
            self._take(whole, self._peer)

    def _receive_acse(self, acse: ACSE) -> None:
        if isinstance(acse, AARQ):
            self._forget()
        if isinstance(acse, AARQ | AARE):
            if self.security is not None:
                self.security.learn_title(acse.ap_title)
            if isinstance(acse, AARE):
                self.server_title = acse.ap_title
        inner = acse.user_information
        if inner:
            envelope = _inner(acse, inner)
            if isinstance(envelope, Envelope):
                if self.security is None:
                    raise AccessDenied(f"the {acse.TITLE} is ciphered, but no key is known: give one")
                plain = self.security.open(envelope).plaintext
                acse = replace(acse, user_information=plain, received=None)
            elif self._must_be_sealed(acse) and not isinstance(envelope, ConfirmedServiceError | None):
                # Only a refusal may come in the clear.
                raise AccessDenied("the AARE is not protected, as this association demands")
        if isinstance(acse, AARQ):
            self._propose(acse)
        self._take(acse, self._peer)
        if isinstance(acse, AARE) and acse.refusal is None:
            self._agree(acse)

    def _assemble(self, block: GeneralBlockTransfer) -> bytes | None:
        """Take in one block of a general block transfer; give the whole when it is there."""
        if self._assembly is None:
            self._assembly = Assembly()
            self._blocks_sent = 0
        assembly = self._assembly
        try:
            if block.block_data or not block.last_block:
                assembly.add(block)
            missing = assembly.missing
        except RemoteProtocolError:
            self._assembly = None
            raise
        if assembly.complete and not missing:
            self._assembly = None
            return assembly.data()
        if not block.streaming:
            # Acknowledge up to the first gap: what follows it will be sent again.
            self._blocks_sent += 1
            window = 0x80 | max(block.window, 1)
            self._write(GeneralBlockTransfer(window, self._blocks_sent, assembly.contiguous))
        return None

    # What is said

    def _send_apdu(self, apdu: APDU, unsolicited: bool) -> None:
        bound = self.apdu_max
        if unsolicited:
            self._write(apdu, unsolicited=True)
        elif self.end == "client":
            self._write(self._client_blocks.request(apdu, bound))
        else:
            self._write(self._server_blocks.response(apdu, bound))

    @property
    def apdu_max(self) -> int:
        """Octets that a plain APDU may have on its way to the other end."""
        limit = min(self.peer_apdu_max or self.carrier.message_max, self.carrier.message_max)
        return max(limit - (OVERHEAD if self.ciphered else 0), 32)

    def _write(self, apdu: APDU, unsolicited: bool = False) -> None:
        self._last = apdu
        plain = encode_apdu(apdu)
        bare = isinstance(apdu, GeneralBlockTransfer | ExceptionResponse | ConfirmedServiceError)
        if self.ciphered and not bare:
            assert self.security is not None
            plain = self.security.seal(plain)
        self.carrier.send(plain, unsolicited)

    def _send_acse(self, acse: ACSE) -> None:
        if isinstance(acse, AARQ):
            self._forget()
            self._propose(acse)
        self._last = sealed = acse
        if acse.user_information and self._seals(acse):
            assert self.security is not None
            user_information = self.security.seal(acse.user_information, with_global=True)
            sealed = replace(acse, user_information=user_information)
        self.carrier.send(encode_acse(sealed))
        if isinstance(acse, AARE) and acse.refusal is None:
            self._agree(acse)
        if isinstance(acse, RLRE):
            self._forget()

    def _must_be_sealed(self, acse: ACSE) -> bool:
        return isinstance(acse, AARE) and self.security is not None and acse.context in _CIPHERED

    def _seals(self, acse: ACSE) -> bool:
        if isinstance(acse, AARQ | AARE):
            inner = acse.user_information or b"\x0e"
            return self.security is not None and acse.context in _CIPHERED and inner[0] != 0x0E
        return self.ciphered

    def _propose(self, aarq: AARQ) -> None:
        """Remember what the client proposes, so that the AARE can be understood."""
        self._proposed = None
        if aarq.user_information:
            inner = decode_apdu(aarq.user_information)
            self._proposed = inner if isinstance(inner, InitiateRequest) else None

    def _agree(self, aare: AARE) -> None:
        """Put into force what AARQ and AARE negotiated."""
        inner = decode_apdu(aare.user_information) if aare.user_information else None
        if isinstance(inner, InitiateResponse):
            conformance = inner.conformance
            if isinstance(conformance, NegotiatedConformance):
                conformance = conformance.conformance
            self.conformance = conformance
            self.peer_apdu_max = inner.max_receive_pdu_size
        if self.end == "server" and self._proposed is not None:
            self.peer_apdu_max = self._proposed.max_receive_pdu_size
        self.ciphered = self.security is not None and aare.context in _CIPHERED
        if self.ciphered and self._proposed is not None and self._proposed.dedicated_key:
            assert self.security is not None
            self.security.use_dedicated(self._proposed.dedicated_key)


_CIPHERED: Final = (Context.LN_CIPHERED, Context.SN_CIPHERED)
_AWAITING: Final = ("linking", "associating", "releasing", "unlinking")
_SEALED_NOTIFICATIONS: Final = tuple(
    bytes((tags[service],)) for tags in (GLOBAL_TAGS, DEDICATED_TAGS) for service in (0x18, 0xC2)
)


def _inner(acse: ACSE, information: bytes) -> APDU | None:
    """What the user information holds. That of a refusal may be anything: the refusal stands without it."""
    try:
        return decode_apdu(information)
    except RemoteProtocolError:
        if isinstance(acse, AARE) and acse.refusal is not None:
            return None
        raise
