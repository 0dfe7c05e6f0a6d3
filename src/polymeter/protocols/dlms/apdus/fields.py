"""What APDUs are made of: kinds of fields that read and write themselves.

The ASN.1 of IEC 62056-5-3 § 8 becomes classes of these: each field of an APDU is annotated with its
kind. Lengths that could be shorter are remembered in `heads`, in the order
in which they came, so that an APDU encodes to the octets it was decoded from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import Annotated, Any, NamedTuple, Protocol

from polymeter.protocols.dlms import axdr
from polymeter.protocols.dlms.axdr import Data
from polymeter.protocols.dlms.data import Item, decode_length, encode_length, unusual_head
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError, Tree

__all__ = [
    "BOOLEAN",
    "DATA",
    "I8",
    "I16",
    "OCTETS",
    "U8",
    "U16",
    "U32",
    "Boolean",
    "Choice",
    "Cursor",
    "Enumerated",
    "Fixed",
    "Integer",
    "Integer16",
    "Kind",
    "ListOf",
    "OctetString",
    "Optional",
    "Sink",
    "Tupled",
    "Unsigned8",
    "Unsigned16",
    "Unsigned32",
    "Value",
    "Values",
]


class Cursor:
    """Octets, a position, and whoever wants to see."""

    __slots__ = ("data", "heads", "pos", "tree")

    def __init__(self, data: bytes, pos: int = 0, tree: Tree | None = None) -> None:
        self.data = data
        self.pos = pos
        self.tree = tree
        self.heads: list[int] = []

    def fail(self, message: str, offset: int | None = None) -> RemoteProtocolError:
        """An error here, to be raised by the caller."""
        layer = self.tree.index if self.tree is not None else 0
        return RemoteProtocolError(message, self.pos if offset is None else offset, layer)

    def take(self, count: int, name: str) -> bytes:
        """The next octets."""
        stop = self.pos + count
        if stop > len(self.data):
            raise self.fail(f"{name} needs {count} octets, {len(self.data) - self.pos} are left")
        taken = self.data[self.pos : stop]
        self.pos = stop
        return taken

    def octet(self, name: str) -> int:
        """The next octet."""
        if self.pos >= len(self.data):
            raise self.fail(f"{name} is missing")
        self.pos += 1
        return self.data[self.pos - 1]

    def length(self) -> int:
        """A length or count, checked against the octets left."""
        start = self.pos
        length, self.pos = decode_length(self.data, start)
        if length > len(self.data) - self.pos:
            raise self.fail(f"{length} announced, {len(self.data) - self.pos} octets are left", start)
        self.heads.append(unusual_head(length, start, self.pos))
        return length

    def leaf(self, name: str, start: int, value: Any = None, meaning: str | None = None) -> None:
        """Explain what was taken since `start`."""
        if self.tree is not None:
            self.tree.leaf(name, start, self.pos, axdr.shown(value), meaning)


class Sink:
    """Where an APDU is written; hands out the unusual lengths it came with."""

    __slots__ = ("heads", "out")

    def __init__(self, heads: Iterator[int]) -> None:
        self.out = bytearray()
        self.heads = heads

    def length(self, length: int) -> None:
        """Append a length or count."""
        self.out += encode_length(length, next(self.heads, 0))


class Kind(Protocol):
    """A kind of field."""

    def read(self, cursor: Cursor, name: str) -> Any:
        """Take the field's octets and give its value; raises RemoteProtocolError."""

    def write(self, sink: Sink, value: Any) -> None:
        """Append the field's octets."""


class Integer(NamedTuple):
    """A number of a fixed size."""

    size: int
    signed: bool = False

    def read(self, cursor: Cursor, name: str) -> int:
        start = cursor.pos
        value = int.from_bytes(cursor.take(self.size, name), "big", signed=self.signed)
        cursor.leaf(name, start, value)
        return value

    def write(self, sink: Sink, value: Any) -> None:
        try:
            sink.out += int(value).to_bytes(self.size, "big", signed=self.signed)
        except OverflowError:
            raise LocalProtocolError(f"{value} does not fit into {self.size} octets") from None


class Enumerated(NamedTuple):
    """One octet with a name; an unknown one is kept as its number."""

    names: type[IntEnum]

    def read(self, cursor: Cursor, name: str) -> int:
        start = cursor.pos
        value: int = cursor.octet(name)
        meaning = "unknown"
        if value in self.names.__members__.values():
            value = self.names(value)
            meaning = value.name.lower().replace("_", " ")
        cursor.leaf(name, start, int(value), meaning)
        return value

    def write(self, sink: Sink, value: Any) -> None:
        U8.write(sink, value)


class _Boolean(NamedTuple):
    """One octet; a truth other than 01 stays the number it is."""

    def read(self, cursor: Cursor, name: str) -> int:
        start = cursor.pos
        value = cursor.octet(name)
        cursor.leaf(name, start, value)
        return bool(value) if value < 2 else value

    def write(self, sink: Sink, value: Any) -> None:
        U8.write(sink, value)


class _Octets(NamedTuple):
    """An octet string with its length in front."""

    def read(self, cursor: Cursor, name: str) -> bytes:
        start = cursor.pos
        length = cursor.length()
        cursor.leaf(f"length of {name}", start, length)
        start = cursor.pos
        octets = cursor.take(length, name)
        if length:
            cursor.leaf(name, start, octets)
        return octets

    def write(self, sink: Sink, value: Any) -> None:
        sink.length(len(value))
        sink.out += value


class Fixed(NamedTuple):
    """Octets of a fixed number, and what they make."""

    size: int
    make: Callable[[bytes], Any] = bytes

    def read(self, cursor: Cursor, name: str) -> Any:
        start = cursor.pos
        value = self.make(cursor.take(self.size, name))
        cursor.leaf(name, start, None, str(value) if self.make is not bytes else None)
        return value

    def write(self, sink: Sink, value: Any) -> None:
        octets = bytes(value)
        if len(octets) != self.size:
            raise LocalProtocolError(f"{octets.hex()} has not {self.size} octets")
        sink.out += octets


class _Data(NamedTuple):
    """A COSEM value."""

    def read(self, cursor: Cursor, name: str) -> Data:
        if cursor.tree is not None:
            axdr.parse(cursor.data, cursor.pos, cursor.tree)
        data, cursor.pos = axdr.decode_data(cursor.data, cursor.pos)
        return data

    def write(self, sink: Sink, value: Any) -> None:
        if not isinstance(value, Data | Item):
            raise LocalProtocolError(f"{value!r} is no encoded value: make it one with Data.of")
        sink.out += axdr.encode_data(value)


class Optional(NamedTuple):
    """00 for nothing, 01 in front of a value."""

    kind: Kind

    def read(self, cursor: Cursor, name: str) -> Any:
        start = cursor.pos
        usage = cursor.octet(name)
        if usage > 1:
            raise cursor.fail(f"{name} is present or not, {usage:02x} says neither", start)
        cursor.leaf(f"{name} present", start, usage)
        return self.kind.read(cursor, name) if usage else None

    def write(self, sink: Sink, value: Any) -> None:
        sink.out.append(value is not None)
        if value is not None:
            self.kind.write(sink, value)


class Tupled(NamedTuple):
    """Fields in a row that make one value, a named tuple."""

    make: Callable[..., Any]
    fields: tuple[tuple[str, Kind], ...]

    def read(self, cursor: Cursor, name: str) -> Any:
        if cursor.tree is not None:
            cursor.tree.open(name, cursor.pos)
        value = self.make(*[kind.read(cursor, inner) for inner, kind in self.fields])
        if cursor.tree is not None:
            cursor.tree.close(cursor.pos, None, None)
        return value

    def write(self, sink: Sink, value: Any) -> None:
        for (_, kind), part in zip(self.fields, value, strict=True):
            kind.write(sink, part)


class ListOf(NamedTuple):
    """A count and as many values."""

    kind: Kind

    def read(self, cursor: Cursor, name: str) -> tuple[Any, ...]:
        if cursor.tree is not None:
            cursor.tree.open(name, cursor.pos)
        start = cursor.pos
        count = cursor.length()
        cursor.leaf("count", start, count)
        values = tuple([self.kind.read(cursor, str(index + 1)) for index in range(count)])
        if cursor.tree is not None:
            cursor.tree.close(cursor.pos)
        return values

    def write(self, sink: Sink, value: Any) -> None:
        sink.length(len(value))
        for part in value:
            self.kind.write(sink, part)


class Choice(NamedTuple):
    """A number that says which of several kinds follows; `types` tell them apart for writing."""

    kinds: dict[int, Kind]
    types: tuple[tuple[type, int], ...]

    def read(self, cursor: Cursor, name: str) -> Any:
        start = cursor.pos
        number = cursor.octet(name)
        kind = self.kinds.get(number)
        if kind is None:
            raise cursor.fail(f"{name} has no choice {number}", start)
        cursor.leaf(f"choice of {name}", start, number)
        return kind.read(cursor, name)

    def write(self, sink: Sink, value: Any) -> None:
        for kind, number in self.types:
            if isinstance(value, kind):
                sink.out.append(number)
                self.kinds[number].write(sink, value)
                return
        raise LocalProtocolError(f"{value!r} is none of the choices here")


U8 = Integer(1)
U16 = Integer(2)
U32 = Integer(4)
I8 = Integer(1, True)
I16 = Integer(2, True)
BOOLEAN = _Boolean()
OCTETS = _Octets()
DATA = _Data()

# The same as types, for the fields of APDUs: what they hold, and how it is read and written.
Unsigned8 = Annotated[int, U8]
Unsigned16 = Annotated[int, U16]
Unsigned32 = Annotated[int, U32]
Integer16 = Annotated[int, I16]
Boolean = Annotated[bool, BOOLEAN]
OctetString = Annotated[bytes, OCTETS]
Value = Annotated[Data, DATA]
Values = Annotated[tuple[Data, ...], ListOf(DATA)]
