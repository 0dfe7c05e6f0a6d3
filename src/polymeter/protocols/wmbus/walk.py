"""What a decoder knows while it goes down the layers of one telegram.

A telegram is bytes within bytes: what is left without checksums, what was decrypted, what a compact
frame stands for. Each is a layer with offsets of its own; a `Walk` is at one place of one layer and
notes records, problems and, where somebody wants to see it, the tree.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from polymeter.protocols.mbus import LongHeader, ShortHeader
from polymeter.protocols.wire import DecodeOptions, Node, Problem, Record, Seal, Tree, Value
from polymeter.protocols.wmbus.frames import Frame
from polymeter.protocols.wmbus.headers import AFL, ELL, Configuration, LinkHeader
from polymeter.protocols.wmbus.memory import Memory

__all__ = ["Telegram", "Walk"]


@dataclass(slots=True)
class Telegram:
    """A frame as our own value: every header, and the application data."""

    frame: Frame | None = None
    link: LinkHeader | None = None
    """Who sent it: the meter, or the radio adapter in front of it."""
    ell: ELL | None = None
    afl: AFL | None = None
    """For the fragment that makes a message whole: the layer of the message, with every field."""
    ci: int | None = None
    """The CI field of the transport or application layer."""
    header: LongHeader | ShortHeader | None = None
    configuration: Configuration | None = None
    application: bytes = b""
    """The data behind the headers, opened if it could be: for whoever knows its protocol."""
    application_layer: int = 0
    application_offset: int = 0
    receiver: str | None = None
    rssi_dbm: int | None = None

    @property
    def address(self) -> bytes:
        """M and A of the meter: from the long header if there is one, else from the link layer."""
        if isinstance(self.header, LongHeader):
            return bytes(self.header)[4:6] + bytes(self.header)[:4] + bytes(self.header)[6:8]
        return self.link.address if self.link is not None else b""

    @property
    def sender(self) -> bytes:
        """M and A of the link layer: who sent this, be it a meter or the adapter in front of it."""
        return self.link.address if self.link is not None else b""

    @property
    def session(self) -> bytes:
        """What tells this conversation from others of the same sender."""
        return self.ell.address + self.ell.session if self.ell is not None else b""

    @property
    def meter_id(self) -> str:
        """The number of the meter that a key belongs to."""
        if isinstance(self.header, LongHeader):
            return self.header.id
        return self.link.id if self.link is not None else "?"


@dataclass(slots=True)
class Walk:
    """A place in a layer, and what was found so far."""

    data: bytes
    options: DecodeOptions
    memory: Memory
    tree: Tree | None
    learning: bool = False
    layer: int = 0
    count: int = 1
    telegram: Telegram = field(default_factory=Telegram)
    records: list[Record] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    valid: bool = True
    encrypted: bool = False
    seals: list[Seal] = field(default_factory=list)
    waits_for: str | None = None
    """Which other telegram of the same meter it takes to read this one."""
    trees: list[Tree] = field(default_factory=list)

    def push(self, layer_name: str, data: bytes, name: str) -> None:
        """Go down into bytes that were derived from what was explained last."""
        if self.tree is not None:
            self.trees.append(self.tree)
            self.tree = self.tree.layer(layer_name, data, name)
        self.data, self.layer = data, self.count
        self.count += 1

    def leaf(self, name: str, start: int, end: int, value: Value = None, meaning: str | None = None) -> None:
        """Explain bytes of this layer, if somebody listens."""
        if self.tree is not None and end > start:
            self.tree.leaf(name, start, end, value, meaning)

    def open(self, name: str, start: int) -> None:
        """Begin a group."""
        if self.tree is not None:
            self.tree.open(name, start)

    def close(self, end: int, meaning: str | None = None) -> None:
        """End a group."""
        if self.tree is not None:
            self.tree.close(end, None, meaning)

    def problem(self, message: str, offset: int, *, invalid: bool = False) -> None:
        """Note what is wrong at a place of this layer."""
        self.problems.append(Problem(message, offset, self.layer))
        if invalid:
            self.valid = False

    def opaque(self, name: str, start: int, end: int, leaf: str | None = "data") -> None:
        """Keep bytes whose meaning is not ours to know as a reading of their own."""
        if end <= start:
            return
        raw = self.data[start:end]
        self.records.append(Record(name, raw, layer=self.layer, offset=start, raw=raw))
        if leaf is not None:
            self.leaf(leaf, start, end)

    def finish(self, name: str, meaning: str | None) -> Node | None:
        """Close all trees; gives the root of the outermost."""
        if self.tree is None:
            return None
        self.tree.finish()
        for tree in reversed(self.trees[1:]):
            tree.finish()
        if self.trees:
            return self.trees[0].finish(name, meaning)
        return self.tree.finish(name, meaning)
