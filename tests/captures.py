"""Builds packet captures, byte by byte, so that a test says what is in one."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from ipaddress import ip_address

__all__ = ["ethernet", "ip", "pcap", "pcapng", "sll", "tcp", "udp"]

ETHERNET, RAW, SLL = 1, 101, 113


def udp(data: bytes, source: int = 1000, destination: int = 2000) -> tuple[int, bytes]:
    """A UDP datagram and its protocol number."""
    return 17, struct.pack(">HHHH", source, destination, 8 + len(data), 0) + data


def tcp(
    data: bytes,
    sequence: int,
    *,
    syn: bool = False,
    source: int = 1000,
    destination: int = 2000,
    options: bytes = b"",
) -> tuple[int, bytes]:
    """A TCP segment and its protocol number."""
    words = 5 + len(options) // 4
    head = struct.pack(
        ">HHIIBBHHH", source, destination, sequence & 0xFFFFFFFF, 0, words << 4, 2 if syn else 16, 0, 0, 0
    )
    return 6, head + options + data


def ip(
    inner: tuple[int, bytes], source: str = "192.0.2.1", destination: str = "192.0.2.2", offset: int = 0
) -> bytes:
    """An IP packet, version 4 or 6 by its addresses."""
    protocol, body = inner
    ends = ip_address(source).packed + ip_address(destination).packed
    if ":" in source:
        return struct.pack(">IHBB", 6 << 28, len(body), protocol, 64) + ends + body
    return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), 0, offset, 64, protocol, 0) + ends + body


def _kind(packet: bytes) -> bytes:
    return b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00"


def ethernet(packet: bytes, vlans: int = 0, padding: bytes = b"") -> bytes:
    """An Ethernet frame around a packet, with VLAN tags."""
    return b"\xaa" * 6 + b"\xbb" * 6 + b"\x81\x00\x00\x07" * vlans + _kind(packet) + packet + padding


def sll(packet: bytes) -> bytes:
    """A Linux cooked frame around a packet."""
    return b"\x00" * 14 + _kind(packet) + packet


def pcap(frames: Iterable[bytes], link: int = ETHERNET, order: str = "<", nanoseconds: bool = False) -> bytes:
    """A classic capture file."""
    magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
    head = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    return head + b"".join(struct.pack(f"{order}IIII", 0, 0, len(one), len(one)) + one for one in frames)


def _block(kind: int, body: bytes, order: str) -> bytes:
    body += b"\x00" * (-len(body) % 4)
    size = 12 + len(body)
    return struct.pack(f"{order}II", kind, size) + body + struct.pack(f"{order}I", size)


def pcapng(frames: Iterable[bytes], link: int = ETHERNET, order: str = "<", simple: bool = False) -> bytes:
    """A capture file of the next generation."""
    out = _block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1), order)
    out += _block(1, struct.pack(f"{order}HHI", link, 0, 65535), order)
    out += _block(5, b"\x00" * 12, order)  # statistics: passed over
    for one in frames:
        if simple:
            out += _block(3, struct.pack(f"{order}I", len(one)) + one, order)
        else:
            out += _block(6, struct.pack(f"{order}IIIII", 0, 0, 0, len(one), len(one)) + one, order)
    return out
