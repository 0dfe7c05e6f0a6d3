"""DLMS in M-Bus frames, as Austrian, Czech and German meters push it (EN 13757-3, DLMS UA 1000-2).

A long frame ``68 L L 68`` with control and address field, a CI field 00…1F that counts the segments
of one APDU (bit 4 marks the last), two transport addresses, the segment, a checksum and ``16``.
Only this small part of M-Bus lives here; the rest is a protocol of its own.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from polymeter.protocols.wire import LocalProtocolError, Problem, RemoteProtocolError, Tree

__all__ = ["Segment", "decode_segment", "encode_segment", "segment_size"]

_OVERHEAD: Final = 6
_FIELDS: Final = 5
_FINAL: Final = 0x10


class Segment(NamedTuple):
    """A part of an APDU. `number` counts from 0."""

    data: bytes
    number: int = 0
    final: bool = True
    source: int = 1
    destination: int = 0x67
    control: int = 0x53
    address: int = 0xFF


def segment_size(data: bytes, start: int = 0) -> int | None:
    """Length of the frame that begins at `start`, `None` if none of this kind does.

    Sagemcom's T210-D fills frames with up to 257 octets, which the length field cannot say: ``68 01
    01 68``. A length shorter than the fields is taken for one that has overflowed.
    """
    head = data[start : start + 7]
    if len(head) < 7 or head[0] != 0x68 or head[3] != 0x68 or head[1] != head[2] or head[6] > 0x1F:
        return None
    if head[1] >= _FIELDS:
        return head[1] + _OVERHEAD
    size = head[1] + 0x100 + _OVERHEAD
    return size if data[start + size - 1 : start + size] in (b"", b"\x16") else None


def encode_segment(segment: Segment) -> bytes:
    """The octets of a frame."""
    if len(segment.data) + _FIELDS > 0xFF or not 0 <= segment.number < 16:
        raise LocalProtocolError("an M-Bus segment has at most 250 octets and a number below 16")
    ci = segment.number | (_FINAL if segment.final else 0)
    head = bytes((segment.control, segment.address, ci, segment.source, segment.destination))
    body = head + segment.data
    length = len(body)
    return bytes((0x68, length, length, 0x68)) + body + bytes((sum(body) & 0xFF, 0x16))


def decode_segment(
    data: bytes, tree: Tree | None = None, offset: int = 0, problems: list[Problem] | None = None
) -> Segment:
    """Decode one whole frame. With `problems` a wrong checksum is put there instead of raised.

    Raises:
        RemoteProtocolError: it is cut, or the checksum is wrong.
    """
    size = segment_size(data)
    if size is None:
        raise RemoteProtocolError("no M-Bus frame that carries DLMS", offset)
    if size != len(data):
        raise RemoteProtocolError(f"the M-Bus frame needs {size} octets, {len(data)} came", offset + 1)
    found, expected = data[-2], sum(data[4:-2]) & 0xFF
    if tree is not None:
        tree.leaf("start and length", offset, offset + 4, data[1])
        tree.leaf("control field", offset + 4, offset + 5, data[4])
        tree.leaf("address field", offset + 5, offset + 6, data[5])
        last = "last segment" if data[6] & _FINAL else "more follow"
        tree.leaf("CI field", offset + 6, offset + 7, data[6], f"segment {data[6] & 0x0F}, {last}")
        tree.leaf("source address", offset + 7, offset + 8, data[7])
        tree.leaf("destination address", offset + 8, offset + 9, data[8])
        if size > _OVERHEAD + _FIELDS:
            tree.leaf("segment", offset + 9, offset + size - 2)
        fit = "good" if found == expected else f"wrong, {expected:02x} expected"
        tree.leaf("checksum", offset + size - 2, offset + size - 1, found, fit)
        tree.leaf("stop", offset + size - 1, offset + size)
    if data[-1] != 0x16:
        raise RemoteProtocolError(f"the M-Bus frame ends in {data[-1]:02x}, not 16", offset + size - 1)
    if found != expected:
        problem = Problem(f"checksum {found:02x}, {expected:02x} expected", offset + size - 2)
        if problems is None:
            raise RemoteProtocolError(problem.message, problem.offset)
        problems.append(problem)
    return Segment(data[9:-2], data[6] & 0x0F, bool(data[6] & _FINAL), data[7], data[8], data[4], data[5])
