"""What every protocol is built from: errors, cursors, records and the explained tree.

A decoder is written by hand over bytes and a position. Where somebody wants to *see* the decoding
it is handed a `Tree`, and says for each stretch of bytes what it is; collection hands it `None`
and pays one comparison. So the tool that explains a frame runs the code that collects it.

The root of all errors is `ProtocolError`; its children are told apart by who must act:

    ProtocolError
    ├── LocalProtocolError     fix our call
    ├── RemoteProtocolError    the meter's bytes are wrong; carries where
    ├── AccessDenied           fix keys, passwords, addresses
    └── TransportError         try again later
        └── TimedOut           nothing came in time

Any other exception that leaves a protocol package is a bug in polymeter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final, NamedTuple, final

__all__ = [
    "NEED_DATA",
    "AccessDenied",
    "Buffer",
    "DecodeOptions",
    "Decoded",
    "Layer",
    "LocalProtocolError",
    "MeterIdentity",
    "NeedData",
    "Node",
    "Problem",
    "ProtocolError",
    "Reader",
    "Record",
    "RemoteProtocolError",
    "Seal",
    "TimedOut",
    "TransportError",
    "Tree",
    "Value",
    "Writer",
    "key_fingerprint",
    "nothing_found",
]

Value = int | Decimal | bytes | str | datetime | date | time | None


class ProtocolError(Exception):
    """Root of every error that a protocol, a transport or a driver raises on purpose."""


class LocalProtocolError(ProtocolError):
    """We were asked for something that the protocol does not allow: fix the call."""


class RemoteProtocolError(ProtocolError):
    """The other end sent bytes that break the protocol.

    `offset` is the place in layer `layer` where the bytes stopped making sense.
    """

    def __init__(self, message: str, offset: int = 0, layer: int = 0) -> None:
        super().__init__(message)
        self.offset = offset
        self.layer = layer


class AccessDenied(ProtocolError):
    """A key, password or address was refused, is missing or does not fit: fix the credentials."""

    def __init__(self, message: str, offset: int = 0, layer: int = 0) -> None:
        super().__init__(message)
        self.offset = offset
        self.layer = layer


class TransportError(ProtocolError):
    """The line failed: refused, reset, unplugged, closed. Trying again later may help."""


class TimedOut(TransportError):
    """Nothing came within the time given."""


@final
class NeedData:
    """Type of `NEED_DATA`, what `next_event` returns until a whole frame is there."""

    def __repr__(self) -> str:
        return "NEED_DATA"


NEED_DATA: Final = NeedData()


class Record(NamedTuple):
    """One value as a telegram gives it, in the protocol's own terms.

    A tuple rather than a data class: a telegram makes dozens, and a tuple is built five times
    faster. `None` means absent. `unit` is the unit the value is in. `time` is naive where the
    telegram names no offset. `raw` are the value's own bytes, found at `offset` of `layer`.
    """

    name: str
    value: Value
    unit: str | None = None
    obis: str | None = None
    quantity: str = "unknown"
    time: datetime | None = None
    storage: int = 0
    tariff: int = 0
    subunit: int = 0
    function: str = "instantaneous"
    layer: int = 0
    offset: int = 0
    raw: bytes = b""


class Problem(NamedTuple):
    """What is wrong with a frame, and where."""

    message: str
    offset: int
    layer: int = 0


class Layer(NamedTuple):
    """A run of bytes with offsets of its own: the input, or what came out of decryption."""

    name: str
    length: int
    start: int = 0
    """Where layer 0 begins in an input of several frames."""


@dataclass(frozen=True, slots=True)
class MeterIdentity:
    """Who sent a telegram, as far as the telegram says."""

    id: str | None = None
    manufacturer: str | None = None
    medium: str | None = None
    version: int | None = None
    system_title: str | None = None
    identification: str | None = None
    """What the meter calls itself, where the protocol has such a text."""
    address: str | None = None
    """Its secondary address, sixteen digits, where it has one (M-Bus): the number with maker and kind."""


@dataclass(frozen=True, slots=True)
class DecodeOptions:
    """What a decoder may know beside the bytes. Keys are secrets: they never appear in a repr."""

    keys: tuple[bytes, ...] = field(default=(), repr=False)
    auth_key: bytes | None = field(default=None, repr=False)
    lenient: bool = False


class Seal(NamedTuple):
    """How one envelope of a frame was protected; no key, only its fingerprint."""

    system_title: bytes
    """Whose envelope it is; of a radio meter, which has no title, M and A."""
    key_fingerprint: bytes
    invocation_counter: int | None
    """The counter that tells this message from all others under the key, `None` where there is none."""
    verified: bool | None
    """Its authentication tag fits; `False` without the key for it, `None` where there is no tag."""
    content: bytes = b""
    """Digest of what was inside, where the same message may rightly come more than once: by radio."""


def key_fingerprint(key: bytes) -> bytes:
    """By what a key may be told from others without being told itself."""
    return hashlib.sha256(b"polymeter counter" + key).digest()[:8]


@dataclass(slots=True)
class Node:
    """A stretch of one layer and what it means. Leaves cover every byte of a layer once."""

    name: str
    layer: int
    offset: int
    length: int
    raw: bytes
    value: Value = None
    meaning: str | None = None
    children: list[Node] = field(default_factory=list)

    def walk(self) -> Iterator[Node]:
        """This node and all below it, in order."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))

    def leaves(self) -> Iterator[Node]:
        """The nodes that have no child in their own layer."""
        for node in self.walk():
            if not any(child.layer == node.layer for child in node.children):
                yield node


@dataclass(frozen=True, slots=True)
class Decoded:
    """One frame, decoded: what `polymeter decode --json` prints, before the catalogue names it."""

    protocol: str
    valid: bool
    why: str
    meter: MeterIdentity = MeterIdentity()
    records: tuple[Record, ...] = ()
    errors: tuple[Problem, ...] = ()
    encrypted: bool = False
    layers: tuple[Layer, ...] = ()
    tree: Node | None = None
    frame: Any = None
    """The frame as the protocol's own value; what a hand-over to another protocol looks at."""
    seals: tuple[Seal, ...] = ()
    """Of the envelopes that were opened, outermost first; whoever keeps counters checks them."""
    waits_for: str | None = None
    """Which other telegram of the same meter it takes to read this one: ``format 1A2B``, or
    ``fragment 2 of a message``. `None` where the frame says all there is by itself."""


class Tree:
    """Records what each byte of a layer means, while a decoder walks over it.

    Leaves are given in ascending order. What nobody explained shows up as a leaf named
    ``unexplained`` when the tree is finished, so that leaves always cover every byte once.
    """

    __slots__ = ("_data", "_layers", "_open", "index", "root")

    def __init__(self, data: bytes, name: str, layer_name: str = "input", start: int = 0) -> None:
        self._layers: list[Layer] = [Layer(layer_name, len(data), start)]
        self._start(data, name, 0)

    def _start(self, data: bytes, name: str, index: int) -> None:
        self._data = data
        self.index = index
        self.root = Node(name, index, 0, len(data), data)
        self._open = [self.root]

    @property
    def layers(self) -> tuple[Layer, ...]:
        """All layers so far, this one's and those below it."""
        return tuple(self._layers)

    def leaf(self, name: str, start: int, end: int, value: Value = None, meaning: str | None = None) -> Node:
        """Say what the bytes from `start` up to `end` are."""
        node = Node(name, self.index, start, end - start, self._data[start:end], value, meaning)
        self._open[-1].children.append(node)
        return node

    def open(self, name: str, start: int) -> Node:
        """Begin a group at `start`; what follows goes below it until `close`."""
        node = Node(name, self.index, start, 0, b"")
        self._open[-1].children.append(node)
        self._open.append(node)
        return node

    def close(self, end: int, value: Value = None, meaning: str | None = None) -> Node:
        """End the innermost group at `end`."""
        node = self._open.pop()
        node.length = end - node.offset
        node.raw = self._data[node.offset : end]
        node.value = value
        node.meaning = meaning
        return node

    def depth(self) -> int:
        """How many groups are open; `unwind` closes those above it after an error."""
        return len(self._open)

    def unwind(self, depth: int, end: int) -> None:
        """Close groups until `depth` are left, for a decoder that goes on after a bad part."""
        while len(self._open) > depth:
            self.close(max(end, _reach(self._open[-1])), None, "incomplete")

    def layer(self, layer_name: str, data: bytes, name: str) -> Tree:
        """A tree for bytes derived from the innermost open node; it hangs below that node."""
        below = Tree.__new__(Tree)
        below._layers = self._layers
        self._layers.append(Layer(layer_name, len(data)))
        below._start(data, name, len(self._layers) - 1)
        last = self._open[-1]
        (last.children[-1] if last.children else last).children.append(below.root)
        return below

    def finish(self, name: str | None = None, meaning: str | None = None) -> Node:
        """Close what is open, show what nobody explained, and give the tree."""
        self.unwind(1, 0)
        if name is not None:
            self.root.name = name
        if meaning is not None:
            self.root.meaning = meaning
        _fill(self.root, self._data)
        return self.root


def _reach(node: Node) -> int:
    """Where the explained part of an unfinished group ends."""
    own = [child for child in node.children if child.layer == node.layer]
    return max((child.offset + child.length for child in own), default=node.offset)


def _fill(root: Node, data: bytes) -> None:
    """Add a leaf wherever a group has bytes that none of its children explains."""
    for node in list(root.walk()):
        own = [child for child in node.children if child.layer == root.layer]
        if node.layer != root.layer or not own:
            continue
        filled: list[Node] = []
        at = node.offset
        for child in own:
            if child.offset < at:
                raise AssertionError(f"{child.name} at {child.offset} overlaps what ends at {at}")
            if child.offset > at:
                filled.append(_unexplained(data, root.layer, at, child.offset))
            filled.append(child)
            at = child.offset + child.length
        if at > node.offset + node.length:
            raise AssertionError(f"{node.name} ends before its last child")
        if at < node.offset + node.length:
            filled.append(_unexplained(data, root.layer, at, node.offset + node.length))
        filled.extend(child for child in node.children if child.layer != root.layer)
        node.children = filled


def _unexplained(data: bytes, layer: int, start: int, end: int) -> Node:
    return Node("unexplained", layer, start, end - start, data[start:end])


def nothing_found(protocol: str, why: str, problem: str, data: bytes, *, explain: bool) -> Decoded:
    """What is said of bytes in which a protocol finds nothing of its own."""
    tree = Tree(data, "noise") if explain else None
    return Decoded(
        protocol,
        valid=False,
        why=why,
        errors=(Problem(problem, 0),),
        layers=tree.layers if tree is not None else (),
        tree=tree.finish() if tree is not None else None,
    )


class Reader:
    """A cursor over bytes that refuses to pass their end and remembers what it was told.

    Give it a `Tree` and every named read becomes a leaf; without one the name costs nothing.

    Raises:
        RemoteProtocolError: a read went past the end, or `end` is past the data; the offset is where
            it began.
    """

    __slots__ = ("data", "end", "layer", "pos", "tree")

    def __init__(
        self, data: bytes, start: int = 0, end: int | None = None, tree: Tree | None = None, layer: int = 0
    ) -> None:
        self.data = data
        self.pos = start
        self.end = len(data) if end is None else end
        self.tree = tree
        self.layer = tree.index if tree is not None else layer
        if self.end > len(data):
            raise self.fail(f"{self.end - start} bytes are announced, {len(data) - start} are left")

    @property
    def left(self) -> int:
        """Bytes not yet read. Check every count from outside against it before believing it."""
        return self.end - self.pos

    def fail(self, message: str, offset: int | None = None) -> RemoteProtocolError:
        """An error at `offset` (default: here), to be raised by the caller."""
        return RemoteProtocolError(message, self.pos if offset is None else offset, self.layer)

    def take(self, count: int, name: str | None = None) -> bytes:
        """The next `count` bytes."""
        start = self.pos
        stop = start + count
        if count < 0 or stop > self.end:
            what = name or "data"
            raise self.fail(f"{what} needs {count} bytes, {self.end - start} are left")
        self.pos = stop
        taken = self.data[start:stop]
        if name is not None and self.tree is not None:
            self.tree.leaf(name, start, stop)
        return taken

    def peek(self) -> int | None:
        """The next byte without taking it, `None` at the end."""
        return self.data[self.pos] if self.pos < self.end else None

    def u8(self, name: str | None = None, meaning: str | None = None) -> int:
        """One unsigned byte."""
        return self._integer(1, "big", name, meaning)

    def u16be(self, name: str | None = None, meaning: str | None = None) -> int:
        """Two bytes, most significant first."""
        return self._integer(2, "big", name, meaning)

    def u16le(self, name: str | None = None, meaning: str | None = None) -> int:
        """Two bytes, least significant first."""
        return self._integer(2, "little", name, meaning)

    def u32be(self, name: str | None = None, meaning: str | None = None) -> int:
        """Four bytes, most significant first."""
        return self._integer(4, "big", name, meaning)

    def u32le(self, name: str | None = None, meaning: str | None = None) -> int:
        """Four bytes, least significant first."""
        return self._integer(4, "little", name, meaning)

    def _integer(self, size: int, order: Any, name: str | None, meaning: str | None) -> int:
        start = self.pos
        stop = start + size
        if stop > self.end:
            raise self.fail(f"{name or 'number'} needs {size} bytes, {self.end - start} are left")
        self.pos = stop
        value = int.from_bytes(self.data[start:stop], order)
        if name is not None and self.tree is not None:
            self.tree.leaf(name, start, stop, value, meaning)
        return value

    def leaf(self, name: str, start: int, value: Value = None, meaning: str | None = None) -> None:
        """Explain the bytes from `start` up to here, if somebody listens."""
        if self.tree is not None:
            self.tree.leaf(name, start, self.pos, value, meaning)


class Writer:
    """Builds a frame piece by piece. `bytes(writer)` gives it."""

    __slots__ = ("_data",)

    def __init__(self, start: bytes = b"") -> None:
        self._data = bytearray(start)

    def __bytes__(self) -> bytes:
        return bytes(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def raw(self, data: bytes | Iterable[int]) -> Writer:
        """Append bytes as they are."""
        self._data.extend(data)
        return self

    def u8(self, value: int) -> Writer:
        """Append one unsigned byte."""
        return self._integer(value, 1, "big")

    def u16be(self, value: int) -> Writer:
        """Append two bytes, most significant first."""
        return self._integer(value, 2, "big")

    def u16le(self, value: int) -> Writer:
        """Append two bytes, least significant first."""
        return self._integer(value, 2, "little")

    def u32be(self, value: int) -> Writer:
        """Append four bytes, most significant first."""
        return self._integer(value, 4, "big")

    def u32le(self, value: int) -> Writer:
        """Append four bytes, least significant first."""
        return self._integer(value, 4, "little")

    def _integer(self, value: int, size: int, order: Any) -> Writer:
        if not 0 <= value < 1 << 8 * size:
            raise LocalProtocolError(f"{value} does not fit into {size} bytes")
        self._data.extend(value.to_bytes(size, order))
        return self


class Buffer:
    """What a connection has received and not yet understood, bounded.

    Raises:
        RemoteProtocolError: more than `limit` bytes wait, so the peer sends no protocol of ours.
    """

    __slots__ = ("_data", "dropped", "limit")

    def __init__(self, limit: int) -> None:
        self._data = bytearray()
        self.limit = limit
        self.dropped = 0
        """Bytes that have left the buffer since the start: the stream offset of its first byte."""

    def __len__(self) -> int:
        return len(self._data)

    def __bytes__(self) -> bytes:
        return bytes(self._data)

    def append(self, data: bytes) -> None:
        """Take in what came from the line."""
        if len(self._data) + len(data) > self.limit:
            waiting = len(self._data) + len(data)
            raise RemoteProtocolError(
                f"{waiting} bytes without an end of frame, the limit is {self.limit}", self.dropped
            )
        self._data.extend(data)

    def find(self, what: bytes, start: int = 0) -> int:
        """Where `what` begins, or -1."""
        return self._data.find(what, start)

    @property
    def data(self) -> bytearray:
        """What waits, to look at and not to keep or change."""
        return self._data

    def take(self, count: int) -> bytes:
        """Remove and give the first `count` bytes."""
        taken = bytes(self._data[:count])
        del self._data[:count]
        self.dropped += len(taken)
        return taken

    def clear(self) -> bytes:
        """Remove and give everything."""
        return self.take(len(self._data))
