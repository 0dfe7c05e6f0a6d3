"""The little of BER (ITU-T X.690) that ACSE needs: tag, length, contents; object identifiers."""

from __future__ import annotations

from typing import NamedTuple

from polymeter.protocols.dlms.data import decode_length, encode_length
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError

__all__ = ["Element", "decode_element", "decode_oid", "encode_element", "encode_oid"]


class Element(NamedTuple):
    """One tag with its contents, and where they stood."""

    tag: int
    content: bytes
    start: int = 0
    content_start: int = 0
    end: int = 0


def decode_element(data: bytes, pos: int, end: int | None = None) -> Element:
    """The element at `pos`, which may not pass `end`.

    Raises:
        RemoteProtocolError: it is cut.
    """
    stop = len(data) if end is None else end
    if pos >= stop:
        raise RemoteProtocolError("a BER element is missing", pos)
    length, start = decode_length(data, pos + 1)
    if length > stop - start:
        raise RemoteProtocolError(
            f"BER element {data[pos]:02x} needs {length} octets, {max(stop - start, 0)} are left", pos + 1
        )
    return Element(data[pos], data[start : start + length], pos, start, start + length)


def encode_element(tag: int, content: bytes) -> bytes:
    """Tag, shortest length, contents."""
    return bytes((tag,)) + encode_length(len(content)) + content


def decode_oid(content: bytes) -> tuple[int, ...]:
    """An object identifier from its contents.

    Raises:
        RemoteProtocolError: it is empty or cut.
    """
    if not content or content[-1] & 0x80 or len(content) > 64:
        raise RemoteProtocolError(f"{content.hex()} is no object identifier")
    numbers = []
    number = 0
    for octet in content:
        number = number << 7 | octet & 0x7F
        if not octet & 0x80:
            numbers.append(number)
            number = 0
    first = min(numbers[0] // 40, 2)
    return (first, numbers[0] - 40 * first, *numbers[1:])


def encode_oid(numbers: tuple[int, ...]) -> bytes:
    """The contents of an object identifier."""
    if len(numbers) < 2 or min(numbers) < 0:
        raise LocalProtocolError(f"{numbers} is no object identifier")
    octets = bytearray()
    for number in (numbers[0] * 40 + numbers[1], *numbers[2:]):
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.append(0x80 | number & 0x7F)
        octets += bytes(reversed(groups))
    return bytes(octets)
