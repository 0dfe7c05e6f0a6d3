"""A-XDR (IEC 61334-6) as COSEM uses it: one tagged value after the other, nested at will.

Two readers share the rules of `data`. `decode` gives plain Python objects as fast as can be: one
loop for each container over octets and a position, no object per value beyond the value. Values
whose meaning is known from elsewhere (profile rows, attributes of a class) want nothing more.
`parse` gives typed `Item`s with their places, for whoever needs the types: the pattern layer that
tells a scaler from a number, the explained tree, and `encode`, which restores the very octets.
A `Data` carries both faces through an APDU: the octets as they came and the plain value.

Numbers are int or Decimal, strings bytes or str, both kinds of sequences lists. Every count is
checked against the octets that are left and nesting is capped, so work is linear in the input.
"""

from __future__ import annotations

import struct
from typing import Any, Final, NamedTuple

from polymeter.protocols import obis
from polymeter.protocols.dlms.compact_arrays import CompactArray, encode_compact, parse_compact
from polymeter.protocols.dlms.data import (
    MAX_DEPTH,
    BitString,
    Item,
    Tag,
    decode_length,
    decode_scalar,
    encode_length,
    encode_scalar,
    plain,
    tag_name,
    unusual_head,
)
from polymeter.protocols.dlms.times import Date, DateTime, Time, instant, looks_like_date_time
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError, Tree, Value

__all__ = ["Data", "decode", "decode_data", "encode", "encode_data", "parse"]

_new: Final = tuple.__new__
_U32: Final = struct.Struct(">I").unpack_from
_U16: Final = struct.Struct(">H").unpack_from


def decode(data: bytes, pos: int = 0) -> tuple[Any, int]:
    """The value at `pos` as plain Python objects, and where it ends.

    Raises:
        RemoteProtocolError: it is cut, nested too deep, or of no known type; carries the offset.
    """
    try:
        if data[pos] == 2 and (count := data[pos + 1]) < 0x80 and count < len(data) - pos:
            values, end = _values(data, pos + 2, count, 1)  # what most bodies are, at once
            if end <= len(data):
                return values, end
        else:
            values, end = _values(data, pos, 1, 0)
            if end <= len(data):
                return values[0], end
    except (IndexError, struct.error):
        pass
    # The loop below trusts that the octets are there. They are not: the other reader says where.
    parse(data, pos)
    raise RemoteProtocolError("the data ends within a value", len(data))


def _values(data: bytes, pos: int, count: int, depth: int) -> tuple[list[Any], int]:
    """`count` values from `pos` on, and where the last ends, which may lie past the data."""
    values: list[Any] = [None] * count
    for place in range(count):
        tag = data[pos]
        if tag == 9:  # octet-string
            size = data[pos + 1]
            start = pos + 2
            if size > 0x7F:
                size, start = decode_length(data, pos + 1)
            pos = start + size
            values[place] = data[start:pos]
        elif tag == 6:  # double-long-unsigned
            (values[place],) = _U32(data, pos + 1)
            pos += 5
        elif tag == 18:  # long-unsigned
            (values[place],) = _U16(data, pos + 1)
            pos += 3
        elif tag == 2 or tag == 1:  # structure, array
            size = data[pos + 1]
            start = pos + 2
            if size > 0x7F:
                size, start = decode_length(data, pos + 1)
            if size > len(data) - start:
                raise _too_many(tag, size, len(data) - start, pos)
            if depth >= MAX_DEPTH:
                raise _too_deep(pos)
            values[place], pos = _values(data, start, size, depth + 1)
        elif tag == 10:  # visible-string
            size = data[pos + 1]
            start = pos + 2
            if size > 0x7F:
                size, start = decode_length(data, pos + 1)
            pos = start + size
            values[place] = data[start:pos].decode("latin-1")
        elif tag == 22 or tag == 17:  # enum, unsigned
            values[place] = data[pos + 1]
            pos += 2
        elif tag == 15:  # integer
            size = data[pos + 1]
            values[place] = size if size < 128 else size - 256
            pos += 2
        elif tag == 0:  # null-data
            pos += 1
        elif tag == 19:  # compact-array
            if depth >= MAX_DEPTH:
                raise _too_deep(pos)
            compact = parse_compact(data, pos + 1, depth + 1)
            values[place] = [plain(item) for item in compact]
            pos = compact.end
        else:
            values[place], pos, _ = decode_scalar(data, pos + 1, tag)
    return values, pos


def parse(data: bytes, pos: int = 0, tree: Tree | None = None, depth: int = 0) -> Item:
    """The typed value at `pos`; its `end` tells where it ends. A tree is told what is what.

    Raises:
        RemoteProtocolError: as `decode`.
    """
    if pos >= len(data):
        raise RemoteProtocolError("a value is missing", len(data))
    tag = data[pos]
    if tag in (Tag.ARRAY, Tag.STRUCTURE):
        return _parse_container(data, pos, tag, tree, depth)
    if tag == Tag.COMPACT_ARRAY:
        if depth >= MAX_DEPTH:
            raise _too_deep(pos)
        compact = parse_compact(data, pos + 1, depth + 1)
        item = Item(tag, compact, pos, compact.end)
        if tree is not None:
            tree.leaf("compact-array", pos, item.end, None, f"{len(compact)} elements")
        return item
    value, end, head = decode_scalar(data, pos + 1, tag)
    if tree is not None:
        tree.leaf(tag_name(tag), pos, end, shown(value), _meaning(tag, value))
    return Item(tag, value, pos, end, head)


def _parse_container(data: bytes, pos: int, tag: int, tree: Tree | None, depth: int) -> Item:
    count, at = decode_length(data, pos + 1)
    if count > len(data) - at:
        raise _too_many(tag, count, len(data) - at, pos)
    if depth >= MAX_DEPTH:
        raise _too_deep(pos)
    head = unusual_head(count, pos + 1, at)
    if tree is not None:
        tree.open(tag_name(tag), pos)
        tree.leaf("type and count", pos, at, count)
    items = []
    for _ in range(count):
        item = parse(data, at, tree, depth + 1)
        items.append(item)
        at = item.end
    if tree is not None:
        tree.close(at)
    return Item(tag, tuple(items), pos, at, head)


def encode(item: Item, depth: int = 0) -> bytes:
    """The octets of an item: for a parsed one those it was parsed from.

    Raises:
        LocalProtocolError: a value does not fit its type, or the nesting is too deep.
    """
    tag = item.tag
    if tag in (Tag.ARRAY, Tag.STRUCTURE):
        if depth >= MAX_DEPTH:
            raise LocalProtocolError(f"more than {MAX_DEPTH} containers within each other")
        parts = [bytes((tag,)), encode_length(len(item.value), item.head)]
        parts += [encode(child, depth + 1) for child in item.value]
        return b"".join(parts)
    if tag == Tag.COMPACT_ARRAY:
        return b"\x13" + encode_compact(item.value)
    if not 0 <= tag <= 255:
        raise LocalProtocolError(f"{tag} is no tag")
    return bytes((tag,)) + encode_scalar(item)


class Data(NamedTuple):
    """A COSEM value inside an APDU: its octets, and the same as plain Python objects."""

    encoded: bytes
    value: Any = None

    def item(self) -> Item:
        """The typed form."""
        return parse(self.encoded)

    @classmethod
    def of(cls, item: Item) -> Data:
        """The value to be sent.

        Raises:
            LocalProtocolError: it cannot be encoded.
        """
        return cls(encode(item), plain(item))


def decode_data(data: bytes, pos: int = 0) -> tuple[Data, int]:
    """The value at `pos` with its octets, and where it ends."""
    value, end = decode(data, pos)
    return _new(Data, (data[pos:end], value)), end


def encode_data(data: Data | Item) -> bytes:
    """The octets of either face of a value."""
    return data.encoded if isinstance(data, Data) else encode(data)


def shown(value: Any) -> Value:
    """A plain value in the words of trees and records."""
    if isinstance(value, DateTime):
        return value.instant() or str(value)
    if isinstance(value, Date):
        return value.date() or str(value)
    if isinstance(value, Time):
        return value.time() or str(value)
    if isinstance(value, BitString):
        return str(value)
    if isinstance(value, CompactArray):
        return None
    result: Value = value
    return result


def _meaning(tag: int, value: Any) -> str | None:
    """What an octet string most likely is, for readers of the tree."""
    if tag != Tag.OCTET_STRING:
        return None
    if len(value) == 6 and value[0] <= 15 and value[5] == 0xFF:
        return str(obis.from_bytes(value))
    return str(instant(value)) if looks_like_date_time(value) else None


def _too_many(tag: int, count: int, left: int, pos: int) -> RemoteProtocolError:
    return RemoteProtocolError(f"{tag_name(tag)} of {count} elements, {left} octets are left", pos)


def _too_deep(pos: int) -> RemoteProtocolError:
    return RemoteProtocolError(f"more than {MAX_DEPTH} containers within each other", pos)
