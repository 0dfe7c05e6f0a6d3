"""The data link of IEC 62056-46 between two stations: from frames to whole messages and back.

A `Link` is one end of one logical connection (client address, server address). It works in normal
response mode: the client polls, the server answers, and the right to speak changes hands with the
P/F bit; `turn` says who has it. Everything that must be said is queued and given by
`data_to_send`, so an answer that the rules demand by themselves (UA, DM, RR) needs no decision of
the procedure above. Time-outs are the procedure's: it calls `poll`, and the link finds out by
checkpointing (N(R) at a P/F bit) what was lost on which way.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, Literal

from polymeter.protocols.dlms.hdlc import (
    LLC_COMMAND,
    LLC_RESPONSE,
    Address,
    Frame,
    Parameters,
    decode_parameters,
    encode_frame,
    encode_parameters,
)
from polymeter.protocols.wire import (
    LocalProtocolError,
    RemoteProtocolError,
)

__all__ = [
    "Delivered",
    "Link",
    "LinkDown",
    "LinkEvent",
    "LinkUp",
    "agreed",
]

End = Literal["client", "server"]

MESSAGE_LONGEST: Final = 1 << 20
INFORMATION_MAX: Final = 2030
"""Octets of information that a frame can hold, with addresses of four octets, whatever is negotiated."""
UNNUMBERED_MAX: Final = 1024
"""Octets of a UI frame's information when no length was negotiated."""


@dataclass(frozen=True, slots=True)
class LinkUp:
    """SNRM was answered by UA; `parameters` are in force, as this end sees them."""

    parameters: Parameters


@dataclass(frozen=True, slots=True)
class LinkDown:
    """The link ended, or was refused; `reason` says how, in words."""

    reason: str


@dataclass(frozen=True, slots=True)
class Delivered:
    """A whole message without its LLC header; `numbered` is false for one in a UI frame."""

    data: bytes
    numbered: bool = True


LinkEvent = LinkUp | LinkDown | Delivered


def agreed(own: Parameters, peer: Parameters) -> Parameters:
    """What both stations can do, from our side: we send no more than the peer receives."""
    return Parameters(
        min(own.information_transmit, peer.information_receive, INFORMATION_MAX),
        min(own.information_receive, peer.information_transmit),
        min(own.window_transmit, peer.window_receive),
        min(own.window_receive, peer.window_transmit),
    )


class Link:
    """One end of a data link connection.

    Args:
        end: which end this is.
        local: our address; the client's has one octet, the server's one, two or four.
        remote: the peer's.
        parameters: what we propose (client) or can do at most (server).
        limit: octets that one message may have.
    """

    def __init__(
        self,
        end: End,
        local: Address,
        remote: Address,
        parameters: Parameters = Parameters(),
        limit: int = MESSAGE_LONGEST,
    ) -> None:
        self.end: End = end
        self.local = local
        self.remote = remote
        self.own = parameters
        self.parameters = Parameters()
        self.state: Literal["disconnected", "connecting", "connected", "disconnecting"] = "disconnected"
        self.turn = end == "client"
        """Whether we may speak; the P/F bit hands it over."""
        self.limit = limit
        self.ignored = 0
        """Frames that were for other stations or had no place."""
        self._events: deque[LinkEvent] = deque()
        self._output: deque[bytes] = deque()
        self._unnumbered = bytearray()
        self._reset()

    def _reset(self) -> None:
        self._send_next = 0
        self._receive_next = 0
        self._queue: deque[tuple[bytes, bool]] = deque()
        """Segments not yet sent, each with whether more follow."""
        self._unacknowledged: deque[tuple[bytes, bool]] = deque()
        """Segments sent and not acknowledged; the first has number V(S) minus their count."""
        self._gathered = bytearray()
        self._gathering = False
        self._since_poll = 0
        self._peer_busy = False
        self._poll_owed = False

    # What the procedure asks for

    def connect(self) -> None:
        """Queue SNRM (client)."""
        if self.end != "client":
            raise LocalProtocolError("only a client opens a link")
        self._reset()
        self.state = "connecting"
        self._command("SNRM", encode_parameters(self.own) if self.own != Parameters() else b"")

    def disconnect(self) -> None:
        """Queue DISC (client)."""
        if self.end != "client":
            raise LocalProtocolError("only a client closes a link")
        self._reset()
        self.state = "disconnecting"
        self._command("DISC")

    def poll(self) -> None:
        """Say again what silence shows to be lost: SNRM, DISC, or a poll that tells what is."""
        self.turn = True
        match self.state:
            case "connecting":
                self.connect()
            case "disconnecting":
                self.disconnect()
            case "connected":
                self._poll_owed = True
            case "disconnected":
                raise LocalProtocolError("the link is not open")

    def send(self, data: bytes) -> None:
        """Queue a message, in as many segments as the negotiated length asks for.

        Raises:
            LocalProtocolError: the link is not open.
        """
        if self.state != "connected":
            raise LocalProtocolError(f"nothing can be sent over a link that is {self.state}")
        data = (LLC_COMMAND if self.end == "client" else LLC_RESPONSE) + data
        size = self.parameters.information_transmit
        for at in range(0, len(data), size):
            self._queue.append((data[at : at + size], at + size < len(data)))

    def send_unnumbered(self, data: bytes) -> None:
        """Queue a message in UI frames, for which no link need be open; segmented if it is long."""
        data = (LLC_COMMAND if self.end == "client" else LLC_RESPONSE) + data
        size = self.parameters.information_transmit if self.state == "connected" else UNNUMBERED_MAX
        for at in range(0, len(data), size):
            more = at + size < len(data)
            part = data[at : at + size]
            frame = Frame("UI", self.remote, self.local, part, poll_final=False, segmented=more)
            self._output.append(encode_frame(frame))

    def data_to_send(self) -> bytes:
        """What may be said now; call it whenever something was queued or received."""
        if self.turn and self.state == "connected":
            self._speak()
        output = b"".join(self._output)
        self._output.clear()
        return output

    @property
    def busy(self) -> bool:
        """Whether segments wait for the peer's acknowledgement or for their turn."""
        return bool(self._queue or self._unacknowledged)

    # What comes

    def next_event(self) -> LinkEvent | None:
        """What the frames so far amount to; `None` when there is nothing more."""
        return self._events.popleft() if self._events else None

    def receive_frame(self, frame: Frame) -> None:
        """Take in one frame.

        Raises:
            RemoteProtocolError: it breaks the rules of the link. A poll makes it good.
        """
        if not self._is_ours(frame):
            self.ignored += 1
            return
        if self.end == "server":
            # Answers go to the addresses as the client wrote them, in the same number of octets.
            self.remote, self.local = frame.source, frame.destination
            if frame.poll_final:
                self.turn = True
        match frame.kind:
            case "SNRM" | "DISC":
                self._command_received(frame)
            case "UA" | "DM" | "FRMR":
                self._response_received(frame)
            case "UI":
                self._gather_unnumbered(frame)
                if frame.poll_final and self.end == "server" and self.state != "connected":
                    self.turn = False
            case "I" | "RR" | "RNR":
                self._numbered_received(frame)

    def _is_ours(self, frame: Frame) -> bool:
        def same(one: Address, other: Address) -> bool:
            return one[:2] == other[:2]

        return same(frame.destination, self.local) and same(frame.source, self.remote)

    def _command_received(self, frame: Frame) -> None:
        if self.end != "server":
            raise RemoteProtocolError(f"a meter does not send {frame.kind}")
        was = self.state
        self._reset()
        if frame.kind == "SNRM":
            self.parameters = agreed(self.own, decode_parameters(frame.information))
            self._reply("UA", encode_parameters(self.parameters))
            self.state = "connected"
            self._events.append(LinkUp(self.parameters))
        elif was == "connected":
            self._reply("UA")
            self.state = "disconnected"
            self._events.append(LinkDown("the client disconnected"))
        else:
            self._reply("DM")

    def _response_received(self, frame: Frame) -> None:
        if self.end != "client":
            raise RemoteProtocolError(f"a client does not send {frame.kind}")
        self.turn = True
        state = self.state
        match frame.kind, state:
            case "UA", "connecting":
                self.parameters = agreed(self.own, decode_parameters(frame.information))
                self.state = "connected"
                self._events.append(LinkUp(self.parameters))
            case (("UA" | "DM"), "disconnecting"):
                self.state = "disconnected"
                self._events.append(LinkDown("disconnected"))
            case "UA", _:
                self.ignored += 1  # the answer to a repeated SNRM or DISC
            case "DM", _:
                self._lost("the meter is in disconnected mode (DM)")
            case _:
                self._lost(f"the meter rejects a frame (FRMR {frame.information.hex()})")

    def _lost(self, reason: str) -> None:
        self._reset()
        self.state = "disconnected"
        self._events.append(LinkDown(reason))

    def _numbered_received(self, frame: Frame) -> None:
        if self.state != "connected":
            if self.end == "server" and frame.poll_final:
                self._reply("DM")
            self.ignored += 1
            return
        self._acknowledged(frame)
        self._peer_busy = frame.kind == "RNR"
        in_order = True
        if frame.kind == "I":
            self._since_poll += 1
            in_order = frame.send == self._receive_next
            if in_order:
                self._receive_next = (self._receive_next + 1) & 7
                self._gather(frame)
            else:
                self.ignored += 1
        if self.end == "client" and self._hands_over(frame):
            self.turn = True
            if not in_order or self._gathering:
                self._poll_owed = True

    def _hands_over(self, frame: Frame) -> bool:
        """Whether the server has said all it may; some meters forget the final bit then."""
        return (
            frame.poll_final
            or (frame.kind == "I" and not frame.segmented)
            or self._since_poll >= self.parameters.window_receive
        )

    def _acknowledged(self, frame: Frame) -> None:
        """Forget the segments before N(R); at a P/F bit the others are to be sent again."""
        outstanding = len(self._unacknowledged)
        oldest = (self._send_next - outstanding) & 7
        count = (frame.receive - oldest) & 7
        if count > outstanding:
            if self.end == "server":
                self._reply("FRMR", b"")
            self._lost(f"N(R) {frame.receive} acknowledges what was not sent")
            raise RemoteProtocolError(f"N(R) {frame.receive} acknowledges what was not sent")
        for _ in range(count):
            self._unacknowledged.popleft()
        if frame.poll_final and self._unacknowledged:
            self._queue.extendleft(reversed(self._unacknowledged))
            self._send_next = (self._send_next - len(self._unacknowledged)) & 7
            self._unacknowledged.clear()

    def _gather(self, frame: Frame) -> None:
        if len(self._gathered) + len(frame.information) > self.limit:
            self._lost("the message is too long")
            raise RemoteProtocolError(f"a message of more than {self.limit} octets")
        self._gathered += frame.information
        self._gathering = frame.segmented
        if not frame.segmented:
            message = bytes(self._gathered)
            self._gathered.clear()
            self._events.append(Delivered(self._without_llc(message)))

    def _gather_unnumbered(self, frame: Frame) -> None:
        """UI frames have no numbers: a message that lost a segment is useless, the next one begins anew."""
        if frame.information[:3] in (LLC_COMMAND, LLC_RESPONSE):
            self._unnumbered.clear()
        if len(self._unnumbered) + len(frame.information) > self.limit:
            self._unnumbered.clear()
            raise RemoteProtocolError(f"a message of more than {self.limit} octets")
        self._unnumbered += frame.information
        if not frame.segmented:
            message = bytes(self._unnumbered)
            self._unnumbered.clear()
            self._events.append(Delivered(self._without_llc(message), numbered=False))

    def _without_llc(self, data: bytes) -> bytes:
        """The APDU; some meters push without an LLC header, and nothing else begins with E6."""
        if data[:3] in (LLC_COMMAND, LLC_RESPONSE):
            return data[3:]
        if data[:1] == b"\xe6":
            raise RemoteProtocolError(f"no LLC header in front of {data[:3].hex()}")
        return data

    # What is said

    def _command(self, kind: Literal["SNRM", "DISC"], information: bytes = b"") -> None:
        self._output.clear()
        self._output.append(encode_frame(Frame(kind, self.remote, self.local, information)))
        self.turn = False

    def _reply(self, kind: Literal["UA", "DM", "FRMR"], information: bytes = b"") -> None:
        self._output.append(encode_frame(Frame(kind, self.remote, self.local, information)))
        self.turn = False

    def _speak(self) -> None:
        """Send the next window of segments, or a receive-ready where the rules ask for a frame."""
        window = self.parameters.window_transmit - len(self._unacknowledged)
        frames: list[tuple[bytes, bool]] = []
        while self._queue and len(frames) < window and not self._peer_busy and not self._poll_first():
            frames.append(self._queue.popleft())
        for number, (segment, more) in enumerate(frames, 1):
            last = number == len(frames)
            frame = Frame(
                "I", self.remote, self.local, segment, last, more, self._send_next, self._receive_next
            )
            self._output.append(encode_frame(frame))
            self._send_next = (self._send_next + 1) & 7
            self._unacknowledged.append((segment, more))
        if not frames:
            if self.end == "client" and not self._poll_owed:
                return
            ready = Frame("RR", self.remote, self.local, receive=self._receive_next)
            self._output.append(encode_frame(ready))
        self.turn = False
        self._poll_owed = False
        self._since_poll = 0

    def _poll_first(self) -> bool:
        """After silence or in the middle of the server's message a client asks before it tells."""
        return self.end == "client" and self._poll_owed
