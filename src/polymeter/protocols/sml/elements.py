"""The type-length coding of SML (SML 1.04 § 6): elements of one octet of type and length, then content.

    0L octets   4L boolean   5L integer   6L unsigned   7N list of N elements   01 absent   00 end of message

Bit 7 of a type-length octet says that another one follows with four more bits of length. The length
counts the type-length octets themselves, but for lists, where it counts elements. Numbers may have
any length of one to eight octets.

An element is a plain tuple: a frame has a hundred of them. Its size on the wire follows from where
it begins and ends, so that what was decoded encodes to the same bytes, surplus octets included.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError

__all__ = [
    "ABSENT",
    "BOOLEAN",
    "DEPTH_MAX",
    "END",
    "INTEGER",
    "LIST",
    "OCTETS",
    "UNSIGNED",
    "Element",
    "boolean",
    "encode_element",
    "integer",
    "listing",
    "octets",
    "read_element",
    "type_length",
    "unsigned",
]

OCTETS: Final = 0
BOOLEAN: Final = 4
INTEGER: Final = 5
UNSIGNED: Final = 6
LIST: Final = 7
END: Final = 8
"""The kind of the octet 00 that ends a message."""

DEPTH_MAX: Final = 32
"""Lists inside lists; a profile has seven levels, a parameter tree as many as it likes."""
_LENGTH_OCTETS_MAX: Final = 5


class Element(NamedTuple):
    """One element. `value` is `None` for an absent one, a list of elements for a list."""

    kind: int
    value: Any
    start: int = 0
    end: int = 0
    """Where it lies, if it was decoded. A number's size is ``end - start - 1`` in any case."""


ABSENT: Final = Element(OCTETS, None, 0, 1)


def octets(value: bytes | None) -> Element:
    """An octet string, or the absent element for `None`."""
    return ABSENT if value is None else Element(OCTETS, value)


def unsigned(value: int | None, size: int) -> Element:
    """An unsigned number of `size` octets, or the absent element."""
    return ABSENT if value is None else Element(UNSIGNED, value, 0, size + 1)


def integer(value: int | None, size: int) -> Element:
    """A signed number of `size` octets, or the absent element."""
    return ABSENT if value is None else Element(INTEGER, value, 0, size + 1)


def boolean(value: bool | None) -> Element:
    """A truth value, or the absent element."""
    return ABSENT if value is None else Element(BOOLEAN, value, 0, 2)


def listing(*elements: Element) -> Element:
    """A list."""
    return Element(LIST, list(elements))


def read_element(data: bytes, at: int, end: int) -> Element:
    """The element that begins at `at`, with all that is in it.

    Raises:
        RemoteProtocolError: it does not end before `end`, or breaks the coding.
    """
    begun: list[tuple[int, int, list[Element]]] = []  # lists: where, of how many elements, those so far
    new = tuple.__new__
    while True:
        if at >= end:
            raise RemoteProtocolError("the data ends inside an element", end)
        head = data[at]
        kind, length, behind = (head >> 4, head & 15, at + 1) if head < 0x80 else _long_field(data, at, end)
        if kind == LIST and length:
            if length > end - behind:
                raise RemoteProtocolError(f"a list of {length} elements in {end - behind} bytes", at)
            if len(begun) >= DEPTH_MAX:
                raise RemoteProtocolError(f"more than {DEPTH_MAX} lists inside each other", at)
            begun.append((at, length, []))
            at = behind
            continue
        if head == 1:
            element = new(Element, (OCTETS, None, at, behind))
        else:
            element = _read_scalar(data, at, behind, kind, length, end)
        at = element[3]
        while begun:
            start, count, elements = begun[-1]
            elements.append(element)
            if len(elements) < count:
                break
            begun.pop()
            element = new(Element, (LIST, elements, start, at))
        else:
            return element


def _long_field(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    """Kind, length field and the place behind a type-length field of several octets."""
    kind, length, start = data[at] >> 4 & 7, data[at] & 15, at
    while data[at] & 0x80:
        at += 1
        if at >= end or at - start >= _LENGTH_OCTETS_MAX:
            raise RemoteProtocolError("the type-length field does not end", start)
        if data[at] & 0x70:
            raise RemoteProtocolError("a type-length field goes on with another type", at)
        length = length << 4 | data[at] & 15
    if kind not in (OCTETS, LIST):
        raise RemoteProtocolError("a number has one type-length octet", start)
    return kind, length, at + 1


def _read_scalar(data: bytes, at: int, behind: int, kind: int, length: int, end: int) -> Element:
    """The element at `at`, whose content begins `behind` its type-length field; of lists an empty one."""
    stop = at + length
    value: Any
    if kind == LIST:
        value, stop = [], behind
    elif data[at] == 0:
        kind, value, stop = END, None, behind
    elif stop > end:
        raise RemoteProtocolError(f"an element of {length} bytes, {end - at} are left", at)
    elif kind == OCTETS:
        if stop < behind:
            raise RemoteProtocolError("a length that leaves no room for itself", at)
        value = data[behind:stop] if length > 1 else None
    elif kind in (INTEGER, UNSIGNED):
        if not 2 <= length <= 9:
            raise RemoteProtocolError(f"a number of {length - 1} octets", at)
        value = int.from_bytes(data[behind:stop], "big", signed=kind == INTEGER)
    elif kind == BOOLEAN and length == 2:
        octet = data[behind]  # 7F is true, too, and is written as it came
        value = octet if octet > 1 else octet == 1
    else:
        raise RemoteProtocolError(f"{data[at]:02X} is no type-length octet", at)
    return tuple.__new__(Element, (kind, value, at, stop))


def encode_element(element: Element) -> bytes:
    """The bytes of an element.

    Raises:
        LocalProtocolError: a number does not fit its size.
    """
    written = bytearray()
    waiting: list[Iterator[Element]] = [iter((element,))]
    while waiting:
        found = next(waiting[-1], None)
        if found is None:
            waiting.pop()
            continue
        kind, value, start, end = found
        if kind == LIST:
            first = value[0].start if value and end else 0
            written += type_length(LIST, len(value), (first or end) - start if end else 0)
            waiting.append(iter(value))
        elif kind == END:
            written.append(0)
        elif value is None:
            written += type_length(OCTETS, 0, end - start)
        elif kind == OCTETS:
            written += type_length(OCTETS, len(value), end - start - len(value) if end else 0)
            written += value
        elif kind == BOOLEAN:
            written += bytes((0x42, value))
        else:
            size = end - start - 1
            try:
                content = value.to_bytes(size, "big", signed=kind == INTEGER)
            except (OverflowError, ValueError) as error:
                raise LocalProtocolError(f"{value} does not fit into {size} octets") from error
            written.append(kind << 4 | size + 1)
            written += content
    return bytes(written)


def type_length(kind: int, length: int, given: int = 0) -> bytes:
    """A type-length field for a content of `length`, of as many octets as it was `given` or needs."""
    size = given or 1
    while (length + (size if kind == OCTETS else 0)) >> 4 * size:
        size += 1
    field = length + (size if kind == OCTETS else 0)
    octets_of = [field >> 4 * (size - 1 - index) & 15 for index in range(size)]
    octets_of[0] |= kind << 4
    return bytes(octet | (0x80 if index + 1 < size else 0) for index, octet in enumerate(octets_of))


def walk(element: Element) -> Iterator[Element]:
    """An element and all inside it."""
    waiting: list[Element] = [element]
    while waiting:
        found = waiting.pop()
        yield found
        if found.kind == LIST:
            children: Sequence[Element] = found.value
            waiting.extend(reversed(children))
