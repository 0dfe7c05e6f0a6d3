"""The frame of all APDUs: a tag or two, then fields by a table; one decoder, one encoder.

Each APDU is a frozen value; `apdu` tells its head (its tag, and where a service has several forms the
number of the form), and its fields are annotated with their kinds, in order. `decode_apdu` finds the
class by the head. Everything decoded encodes to the same octets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Final, TypeVar, dataclass_transform, get_args, get_type_hints

from polymeter.protocols.dlms.apdus.fields import Cursor, Kind, Sink
from polymeter.protocols.wire import RemoteProtocolError, Tree

__all__ = ["APDU", "APDU_TAGS", "announce", "apdu", "decode_apdu", "decode_leading", "encode_apdu"]


@dataclass(frozen=True, slots=True)
class APDU:
    """An application protocol data unit. `heads` are lengths that were longer than needed."""

    HEAD: ClassVar[bytes] = b""
    LAYOUT: ClassVar[tuple[Kind, ...]] = ()
    FIELDS: ClassVar[tuple[str, ...]] = ()
    TITLE: ClassVar[str] = ""
    heads: tuple[int, ...] = field(default=(), kw_only=True, repr=False, compare=False)

    def __bytes__(self) -> bytes:
        return encode_apdu(self)


A = TypeVar("A", bound=APDU)

APDU_TAGS: Final[set[int]] = set()
"""What an APDU may begin with."""
_CLASSES: Final[dict[bytes, type[APDU]]] = {}
_SERVICES: Final[set[int]] = set()
_QUICK: Final[dict[int, Callable[[bytes], Any]]] = {}


@dataclass_transform(frozen_default=True)
def apdu(head: bytes) -> Callable[[type[A]], type[A]]:
    """Make a class of annotated fields the value of the APDU that begins with `head`."""

    def make(cls: type[A]) -> type[A]:
        made = dataclass(frozen=True, slots=True)(cls)
        hints = get_type_hints(made, include_extras=True)
        names = [part.name for part in fields(made) if part.name != "heads"]
        announce(made, head, tuple(get_args(hints[name])[1] for name in names))
        return made

    return make


def announce(cls: type[APDU], head: bytes, layout: tuple[Kind, ...]) -> None:
    """Tell the decoder which class an APDU is that begins with `head`, and of which kinds its fields are."""
    cls.HEAD = head
    cls.LAYOUT = layout
    cls.FIELDS = tuple(part.name for part in fields(cls) if part.name != "heads")
    words = "".join(" " + letter.lower() if letter.isupper() else letter for letter in cls.__name__)
    cls.TITLE = words.strip().replace(" ", "-")
    _CLASSES[head] = cls
    APDU_TAGS.add(head[0])
    if len(head) > 1:
        _SERVICES.add(head[0])
    # What comes by the million may have a way of its own for its usual octets; it gives None for others.
    quick = getattr(cls, "quick", None)
    if quick is not None:
        _QUICK[head[0]] = quick


def decode_apdu(data: bytes, tree: Tree | None = None) -> APDU:
    """Decode one whole APDU.

    Raises:
        RemoteProtocolError: unknown, cut, or more than it should be.
    """
    if tree is None and data and (quick := _QUICK.get(data[0])) is not None:
        usual: APDU | None = quick(data)
        if usual is not None:
            return usual
    value, end = decode_leading(data, 0, tree)
    if end < len(data):
        layer = tree.index if tree is not None else 0
        raise RemoteProtocolError(f"{len(data) - end} octets after the end of {value.TITLE}", end, layer)
    return value


def decode_leading(data: bytes, pos: int = 0, tree: Tree | None = None) -> tuple[APDU, int]:
    """The APDU that begins at `pos`, whatever comes behind it, and where it ends.

    Raises:
        RemoteProtocolError: unknown or cut.
    """
    if pos >= len(data):
        raise RemoteProtocolError("an empty APDU", pos)
    tag = data[pos]
    head = data[pos : pos + 2] if tag in _SERVICES else data[pos : pos + 1]
    cls = _CLASSES.get(head)
    if cls is None:
        if tag in _SERVICES:
            form = head[1:].hex() or "(cut)"
            raise RemoteProtocolError(f"the service {tag:02x} has no form {form}", pos + 1)
        raise RemoteProtocolError(f"no APDU has the tag {tag:02x}", pos)
    cursor = Cursor(data, pos + len(head), tree)
    if tree is not None:
        tree.leaf("APDU", pos, pos + len(head), None, cls.TITLE)
    values: list[Any] = [
        kind.read(cursor, name.replace("_", " ")) for name, kind in zip(cls.FIELDS, cls.LAYOUT, strict=True)
    ]
    return cls(*values, heads=tuple(cursor.heads) if any(cursor.heads) else ()), cursor.pos


def encode_apdu(value: APDU) -> bytes:
    """The octets of an APDU.

    Raises:
        LocalProtocolError: a field does not fit.
    """
    sink = Sink(iter(value.heads))
    sink.out += value.HEAD
    for name, kind in zip(value.FIELDS, value.LAYOUT, strict=True):
        kind.write(sink, getattr(value, name))
    return bytes(sink.out)
