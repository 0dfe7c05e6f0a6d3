"""The frame of all APDUs: a tag or two, then fields by a table; one decoder, one encoder.

Each APDU is a frozen value with a `HEAD` (its tag, and where a service has several forms the number
of the form) and a `LAYOUT`, the kinds of its fields in order. `decode_apdu` finds the class by the
head. Everything decoded encodes to the same octets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Final, TypeVar

from polymeter.protocols.dlms.apdus.fields import Cursor, Kind, Sink
from polymeter.protocols.wire import RemoteProtocolError, Tree

__all__ = ["APDU", "apdu", "decode_apdu", "encode_apdu"]


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


T = TypeVar("T", bound=type[APDU])

_CLASSES: Final[dict[bytes, type[APDU]]] = {}
_SERVICES: Final[set[int]] = set()
_QUICK: Final[dict[int, Callable[[bytes], Any]]] = {}


def apdu(cls: T) -> T:
    """Announce an APDU class to the decoder."""
    cls.FIELDS = tuple(part.name for part in fields(cls) if part.name != "heads")
    words = "".join(" " + letter.lower() if letter.isupper() else letter for letter in cls.__name__)
    cls.TITLE = words.strip().replace(" ", "-")
    if len(cls.FIELDS) != len(cls.LAYOUT):
        raise TypeError(f"{cls.__name__} has {len(cls.FIELDS)} fields, its layout {len(cls.LAYOUT)}")
    _CLASSES[cls.HEAD] = cls
    if len(cls.HEAD) > 1:
        _SERVICES.add(cls.HEAD[0])
    # What comes by the million may have a way of its own for its usual octets; it gives None for others.
    quick = getattr(cls, "quick", None)
    if quick is not None:
        _QUICK[cls.HEAD[0]] = quick
    return cls


def decode_apdu(data: bytes, tree: Tree | None = None, *, trailing: bool = False) -> APDU:
    """Decode one whole APDU; with `trailing` octets after it are left alone.

    Raises:
        RemoteProtocolError: unknown, cut, or more than it should be.
    """
    if not data:
        raise RemoteProtocolError("an empty APDU", 0)
    if tree is None and (quick := _QUICK.get(data[0])) is not None:
        usual: APDU | None = quick(data)
        if usual is not None:
            return usual
    head = data[:2] if data[0] in _SERVICES else data[:1]
    cls = _CLASSES.get(head)
    if cls is None:
        if data[0] in _SERVICES:
            raise RemoteProtocolError(f"the service {data[0]:02x} has no form {head[1:].hex() or '(cut)'}", 1)
        raise RemoteProtocolError(f"no APDU has the tag {data[0]:02x}", 0)
    cursor = Cursor(data, len(head), tree)
    if tree is not None:
        tree.leaf("APDU", 0, len(head), None, cls.TITLE)
    values: list[Any] = [
        kind.read(cursor, name.replace("_", " ")) for name, kind in zip(cls.FIELDS, cls.LAYOUT, strict=True)
    ]
    if cursor.pos < len(data) and not trailing:
        raise cursor.fail(f"{len(data) - cursor.pos} octets after the end of {cls.TITLE}")
    return cls(*values, heads=tuple(cursor.heads) if any(cursor.heads) else ())


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
