"""What meters said in a packet capture: pcap and pcapng files, UDP datagrams and TCP streams.

Gives payloads in the order in which they began: each datagram by itself, each direction of a TCP
connection joined. Only what is needed for that is read of Ethernet, Linux cooked, raw IP and
loopback captures; packets of other kinds are passed over.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from polymeter.protocols.wire import RemoteProtocolError

__all__ = ["Capture", "Conversation", "is_capture", "read_capture"]

_PCAP: Final = {
    b"\xd4\xc3\xb2\xa1": "<",
    b"\xa1\xb2\xc3\xd4": ">",
    b"\x4d\x3c\xb2\xa1": "<",
    b"\xa1\xb2\x3c\x4d": ">",
}
_PCAPNG: Final = b"\x0a\x0d\x0d\x0a"
_PACKET_MAX: Final = 1 << 20


@dataclass(slots=True)
class Conversation:
    """What one end said to another: one datagram, or a TCP stream as far as it was captured."""

    source: str
    destination: str
    transport: str
    data: bytes


class Capture(NamedTuple):
    """What was said, and what is wrong with the file if it is cut or damaged."""

    conversations: list[Conversation]
    problem: RemoteProtocolError | None = None


@dataclass(slots=True)
class _Stream:
    conversation: Conversation
    first: int
    begins: bool
    """Whether its begin was captured; if not, what came first may not have been sent first."""
    segments: dict[int, bytes] = field(default_factory=dict)


def is_capture(data: bytes) -> bool:
    """Whether a file is a packet capture, by its first bytes."""
    return data[:4] in _PCAP or data[:4] == _PCAPNG


def read_capture(data: bytes) -> Capture:
    """Everything that was said in a capture, as far as the file goes. Never raises."""
    found: list[Conversation] = []
    streams: dict[tuple[str, str], _Stream] = {}
    problem = None
    try:
        for link, packet in _packets(data):
            network = _network_layer(link, packet)
            if network is not None:
                _transport_layer(network, found, streams)
    except RemoteProtocolError as error:
        problem = error
    for stream in streams.values():
        stream.conversation.data = _joined(stream)
    return Capture([conversation for conversation in found if conversation.data], problem)


def _packets(data: bytes) -> Iterator[tuple[int, bytes]]:
    if data[:4] in _PCAP:
        yield from _pcap_packets(data, _PCAP[data[:4]])
    elif data[:4] == _PCAPNG:
        yield from _pcapng_packets(data)
    else:
        raise RemoteProtocolError("neither pcap nor pcapng", 0)


def _pcap_packets(data: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    if len(data) < 24:
        raise RemoteProtocolError("the capture ends in its header", len(data))
    link = struct.unpack_from(f"{order}I", data, 20)[0] & 0xFFFF
    at = 24
    while at + 16 <= len(data):
        size = struct.unpack_from(f"{order}I", data, at + 8)[0]
        if size > _PACKET_MAX:
            raise RemoteProtocolError(f"a packet of {size} bytes", at)
        yield link, data[at + 16 : at + 16 + size]
        at += 16 + size
    if at != len(data):
        raise RemoteProtocolError("the capture ends in the middle of a packet", len(data))


def _pcapng_packets(data: bytes) -> Iterator[tuple[int, bytes]]:
    order, at = "<", 0
    links: list[int] = []
    while at + 12 <= len(data):
        kind = data[at : at + 4]
        if kind == _PCAPNG:
            order = "<" if data[at + 8 : at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            links = []
        block, size = struct.unpack_from(f"{order}II", data, at)
        if size < 12 or size % 4 or size > _PACKET_MAX + 64:
            raise RemoteProtocolError(f"a block of {size} bytes", at)
        body = data[at + 8 : at + size - 4]
        if block == 1 and len(body) >= 2:
            links.append(struct.unpack_from(f"{order}H", body)[0])
        elif block == 6 and len(body) >= 20:
            interface, captured = struct.unpack_from(f"{order}I8xI", body)
            if interface < len(links):
                yield links[interface], body[20 : 20 + captured]
        elif block == 3 and links and len(body) >= 4:
            yield links[0], body[4:]
        at += size
    if at != len(data):
        raise RemoteProtocolError("the capture ends in the middle of a block", len(data))


_ETHERTYPES: Final = (b"\x08\x00", b"\x86\xdd")


def _network_layer(link: int, packet: bytes) -> bytes | None:
    """The IP packet inside a link-layer frame."""
    match link:
        case 1:
            at = 12
            while packet[at : at + 2] in (b"\x81\x00", b"\x88\xa8"):
                at += 4
            return packet[at + 2 :] if packet[at : at + 2] in _ETHERTYPES else None
        case 113:
            return packet[16:] if packet[14:16] in _ETHERTYPES else None
        case 276:
            return packet[20:] if packet[:2] in _ETHERTYPES else None
        case 0 | 108:
            return packet[4:]
        case 12 | 14 | 101 | 228 | 229:
            return packet
        case _:
            return None


def _transport_layer(
    packet: bytes, found: list[Conversation], streams: dict[tuple[str, str], _Stream]
) -> None:
    """Add the payload of one IP packet; fragments after the first are passed over."""
    version = packet[0] >> 4 if packet else 0
    if version == 4 and len(packet) >= 20:
        header, protocol = max((packet[0] & 15) * 4, 20), packet[9]
        total = int.from_bytes(packet[2:4], "big") or len(packet)
        if int.from_bytes(packet[6:8], "big") & 0x1FFF:
            return
        source, destination = (".".join(map(str, packet[at : at + 4])) for at in (12, 16))
        body = packet[header:total]
    elif version == 6 and len(packet) >= 40:
        protocol = packet[6]
        source, destination = (f"[{packet[at : at + 16].hex(':', 2)}]" for at in (8, 24))
        body = packet[40 : 40 + int.from_bytes(packet[4:6], "big")]
    else:
        return
    if len(body) < 8:
        return
    ends = struct.unpack_from(">HH", body)
    source, destination = f"{source}:{ends[0]}", f"{destination}:{ends[1]}"
    if protocol == 17:
        found.append(Conversation(source, destination, "udp", body[8:]))
    elif protocol == 6 and len(body) >= 20:
        _segment(body, source, destination, found, streams)


def _segment(
    body: bytes,
    source: str,
    destination: str,
    found: list[Conversation],
    streams: dict[tuple[str, str], _Stream],
) -> None:
    sequence = int.from_bytes(body[4:8], "big")
    begins = bool(body[13] & 2)
    payload = body[max((body[12] >> 4) * 4, 20) :]
    stream = streams.get((source, destination))
    if stream is None or begins:
        if stream is not None:
            stream.conversation.data = _joined(stream)
        conversation = Conversation(source, destination, "tcp", b"")
        found.append(conversation)
        first = (sequence + 1 if begins else sequence) & 0xFFFFFFFF
        stream = streams[source, destination] = _Stream(conversation, first, begins)
    if payload:
        at = (sequence + begins - stream.first) & 0xFFFFFFFF
        at -= (at >> 31) << 32  # sequence numbers wrap: the upper half is what was sent before
        if len(payload) > len(stream.segments.get(at, b"")):
            stream.segments[at] = payload


def _joined(stream: _Stream) -> bytes:
    """The segments in order, what was sent twice once; a gap is closed, for the decoder to notice."""
    joined = bytearray()
    reached = 0 if stream.begins else min(stream.segments, default=0)
    for at, payload in sorted(stream.segments.items()):
        if at < reached:
            payload = payload[reached - at :]
            at = reached
        joined += payload
        reached = at + len(payload)
    return bytes(joined)
