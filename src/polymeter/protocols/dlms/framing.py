"""What carries APDUs between two addresses: the wrapper, or a data link of HDLC frames.

Both offer the same few things to the connection above: octets in, whole APDUs out, APDUs to be
sent, octets to be given to the line. The wrapper has no link to open, so its `connect` is done at
once. At the meter's end of a line several clients may meet several logical devices: a
`Switchboard` takes the line apart into whole frames and says between whom each travels.
"""

from __future__ import annotations

from collections import deque
from typing import Final, Literal, NamedTuple, Protocol

from polymeter.protocols.dlms.frame_buffer import FrameBuffer
from polymeter.protocols.dlms.hdlc import Address, Frame, Parameters, decode_frame
from polymeter.protocols.dlms.hdlc_link import (
    Delivered,
    End,
    Link,
    LinkDown,
    LinkEvent,
    LinkUp,
)
from polymeter.protocols.dlms.wrapper import (
    HEADER_SIZE,
    Wrapper,
    decode_wrapper,
    encode_wrapper,
    wrapper_size,
)
from polymeter.protocols.wire import NEED_DATA, Buffer, NeedData, RemoteProtocolError

__all__ = ["Carrier", "Framing", "HDLCCarrier", "Parties", "Switchboard", "WrapperCarrier", "detect_framing"]

Framing = Literal["wrapper", "hdlc"]

WRAPPER_BUFFER: Final = 2 * (0xFFFF + HEADER_SIZE)


class Carrier(Protocol):
    """What a connection needs of its framing."""

    message_max: int
    """Octets of the longest APDU that can be carried."""
    datagrams: bool
    """Whether APDUs may be lost, so that silence is answered by saying the last one again."""

    @property
    def is_up(self) -> bool:
        """Whether APDUs can be sent."""

    def receive_data(self, data: bytes) -> None:
        """Take in what came from the line."""

    def next_event(self) -> LinkEvent | NeedData:
        """The next APDU, or what happened to the link."""

    def connect(self) -> None:
        """Queue what opens the link."""

    def disconnect(self) -> None:
        """Queue what closes it."""

    def send(self, apdu: bytes, unsolicited: bool = False) -> None:
        """Queue an APDU."""

    def repeat(self) -> None:
        """Queue what finds out, after silence, what was lost."""

    def data_to_send(self) -> bytes:
        """What the line should take now."""


class WrapperCarrier:
    """The wrapper over a TCP stream, or with `datagrams` over UDP."""

    message_max = 0xFFFF
    is_up = True
    datagrams = False

    def __init__(self, end: End, client: int, server: int, datagrams: bool = False) -> None:
        self._end = end
        self._local, self._remote = (client, server) if end == "client" else (server, client)
        self.datagrams = datagrams
        self._buffer = Buffer(WRAPPER_BUFFER)
        self._events: deque[LinkEvent] = deque()
        self._output: list[bytes] = []
        self.ignored = 0
        """Frames between other addresses."""

    def receive_data(self, data: bytes) -> None:
        """See `Carrier`. A new datagram begins a new frame, whatever the last one lacked."""
        if self.datagrams:
            self._buffer.clear()
        try:
            self._buffer.append(data)
        except RemoteProtocolError:
            self._buffer.clear()
            raise

    def next_event(self) -> LinkEvent | NeedData:
        """See `Carrier`.

        Raises:
            RemoteProtocolError: what came is no wrapper frame; all that waited is dropped, since
                nothing in a stream tells where the next one begins.
        """
        while not self._events:
            offset = self._buffer.dropped
            try:
                size = wrapper_size(self._buffer.data, 0, offset)
            except RemoteProtocolError:
                self._buffer.clear()
                raise
            if size is None or len(self._buffer) < size:
                return NEED_DATA
            frame = decode_wrapper(self._buffer.take(size), offset=offset)
            if (frame.source, frame.destination) == (self._remote, self._local):
                self._events.append(Delivered(frame.data))
            else:
                self.ignored += 1
        return self._events.popleft()

    def connect(self) -> None:
        """See `Carrier`: there is no link, so it is up at once."""
        self._events.append(LinkUp(Parameters()))

    def disconnect(self) -> None:
        """See `Carrier`: there is no link, so it is down at once."""
        self._events.append(LinkDown("disconnected"))

    def send(self, apdu: bytes, unsolicited: bool = False) -> None:
        """See `Carrier`."""
        self._output.append(encode_wrapper(Wrapper(self._local, self._remote, apdu)))

    def repeat(self) -> None:
        """See `Carrier`: TCP loses nothing, and datagrams are said again by the connection."""

    def data_to_send(self) -> bytes:
        """See `Carrier`."""
        output = b"".join(self._output)
        self._output.clear()
        return output


class HDLCCarrier:
    """An HDLC link between a client and a server address."""

    message_max = 0xFFFF
    datagrams = False

    def __init__(
        self,
        end: End,
        client: Address,
        server: Address,
        parameters: Parameters = Parameters(),
        lenient: bool = False,
    ) -> None:
        local, remote = (client, server) if end == "client" else (server, client)
        self.link = Link(end, local, remote, parameters)
        self.frames = FrameBuffer(lenient)

    @property
    def is_up(self) -> bool:
        """See `Carrier`."""
        return self.link.state == "connected"

    def receive_data(self, data: bytes) -> None:
        """See `Carrier`."""
        self.frames.append(data)

    def next_event(self) -> LinkEvent | NeedData:
        """See `Carrier`.

        Raises:
            RemoteProtocolError: a frame is damaged or breaks the rules; `repeat` makes it good.
        """
        while (event := self.link.next_event()) is None:
            frame = self.frames.next_frame()
            if isinstance(frame, NeedData):
                return NEED_DATA
            self.link.receive_frame(frame)
        return event

    def connect(self) -> None:
        """See `Carrier`."""
        self.link.connect()

    def disconnect(self) -> None:
        """See `Carrier`."""
        self.link.disconnect()

    def send(self, apdu: bytes, unsolicited: bool = False) -> None:
        """See `Carrier`; an unsolicited APDU goes in a UI frame, without waiting for a poll."""
        if unsolicited:
            self.link.send_unnumbered(apdu)
        else:
            self.link.send(apdu)

    def repeat(self) -> None:
        """See `Carrier`."""
        self.link.poll()

    def data_to_send(self) -> bytes:
        """See `Carrier`."""
        return self.link.data_to_send()


class Parties(NamedTuple):
    """Who speaks with whom: a client's address and a logical device's."""

    client: int
    server: int
    physical: int = 0
    """The lower HDLC address of the meter."""


def detect_framing(data: bytes) -> Framing | None:
    """What the first octets of a line show; `None` while they show nothing yet."""
    if data[:1] == b"\x7e":
        return "hdlc"
    return "wrapper" if data[:1] == b"\x00" else None


class Switchboard:
    """The meter's end of a line: whole frames, and between whom each travels.

    Without `framing` the first octet that comes decides.
    """

    def __init__(self, framing: Framing | None = None) -> None:
        self.framing: Framing | None = framing
        self._stream = Buffer(WRAPPER_BUFFER)
        self._frames = FrameBuffer()

    def receive_data(self, data: bytes) -> None:
        """Take in what came from the line.

        Raises:
            RemoteProtocolError: it begins like no framing.
        """
        if self.framing is None:
            self.framing = detect_framing(data)
            if self.framing is None:
                raise RemoteProtocolError(f"{data[:1].hex()} begins neither a wrapper nor an HDLC frame")
        if self.framing == "hdlc":
            self._frames.append(data)
        else:
            self._stream.append(data)

    def next_frame(self) -> tuple[Parties, bytes] | NeedData:
        """The next frame as it was on the line.

        Raises:
            RemoteProtocolError: it is none. An HDLC frame is dropped; a wrapper stream is lost.
        """
        return self._next_hdlc() if self.framing == "hdlc" else self._next_wrapper()

    def _next_hdlc(self) -> tuple[Parties, bytes] | NeedData:
        octets = self._frames.next_octets()
        if isinstance(octets, NeedData):
            return octets
        frame: Frame = decode_frame(octets)
        return Parties(frame.source.upper, frame.destination.upper, frame.destination.lower), octets

    def _next_wrapper(self) -> tuple[Parties, bytes] | NeedData:
        try:
            size = wrapper_size(self._stream.data)
        except RemoteProtocolError:
            self._stream.clear()
            raise
        if size is None or len(self._stream) < size:
            return NEED_DATA
        octets = self._stream.take(size)
        frame = decode_wrapper(octets)
        return Parties(frame.source, frame.destination), octets
