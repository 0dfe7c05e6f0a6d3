"""Compact arrays: the type is told once, then only contents follow (IEC 62056-6-2 § 4.1.5).

A description is a type without values; the contents are an octet string of elements without tags.
Nulls occupy nothing, so a few octets could announce any number of them: the values in one compact
array may be no more than `_VALUES_PER_OCTET` for each octet of its contents.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, overload

from polymeter.protocols.dlms.data import (
    FIXED,
    MAX_DEPTH,
    Item,
    Tag,
    decode_length,
    decode_scalar,
    encode_length,
    encode_scalar,
    tag_name,
    unusual_head,
)
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError

__all__ = ["CompactArray", "Description", "compact_array", "encode_compact", "parse_compact"]

_VALUES_PER_OCTET: Final = 4


@dataclass(frozen=True, slots=True)
class Description:
    """The type of an element: a simple one, an array of `count` such, or a structure of several."""

    tag: int
    children: tuple[Description, ...] = ()
    count: int = 0
    head: int = 0


@dataclass(frozen=True, slots=True)
class CompactArray(Sequence[Item]):
    """Description and elements; a sequence of the elements as typed items."""

    description: Description
    items: tuple[Item, ...]
    head: int = 0
    end: int = 0

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Item]:
        return iter(self.items)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Item, ...]: ...
    def __getitem__(self, index: Any) -> Any:
        return self.items[index]


def compact_array(description: Description, *items: Item) -> Item:
    """A compact array to be sent."""
    return Item(Tag.COMPACT_ARRAY, CompactArray(description, items))


def parse_compact(data: bytes, pos: int, depth: int = 0) -> CompactArray:
    """The compact array whose description begins at `pos`.

    Raises:
        RemoteProtocolError: it is cut, or contents and description do not fit.
    """
    budget = [len(data) - pos]
    description, at = _parse_description(data, pos, depth, budget)
    length, start = decode_length(data, at)
    stop = start + length
    if stop > len(data):
        raise RemoteProtocolError(f"contents need {length} octets, {len(data) - start} are left", start)
    contents = data[:stop]
    budget[0] = _VALUES_PER_OCTET * length
    items = []
    position = start
    while position < stop:
        item = _parse_element(contents, position, description, budget)
        if item.end == position:
            raise RemoteProtocolError("elements of a compact array that occupy nothing", position)
        items.append(item)
        position = item.end
    return CompactArray(description, tuple(items), unusual_head(length, at, start), stop)


def _parse_description(data: bytes, pos: int, depth: int, budget: list[int]) -> tuple[Description, int]:
    if pos >= len(data):
        raise RemoteProtocolError("a type description is missing", pos)
    if depth > MAX_DEPTH:
        raise RemoteProtocolError(f"more than {MAX_DEPTH} containers within each other", pos)
    tag = data[pos]
    if tag == Tag.ARRAY:
        if pos + 3 > len(data):
            raise RemoteProtocolError("the description of an array is cut", pos)
        child, end = _parse_description(data, pos + 3, depth + 1, budget)
        return Description(tag, (child,), data[pos + 1] << 8 | data[pos + 2]), end
    if tag == Tag.STRUCTURE:
        count, at = decode_length(data, pos + 1)
        if count > len(data) - at:
            raise RemoteProtocolError(f"structure of {count} types, {len(data) - at} octets are left", pos)
        head = unusual_head(count, pos + 1, at)
        children = []
        for _ in range(count):
            child, at = _parse_description(data, at, depth + 1, budget)
            children.append(child)
        return Description(tag, tuple(children), count, head), at
    if tag == Tag.COMPACT_ARRAY or tag not in Tag.__members__.values():
        raise RemoteProtocolError(f"no type that a compact array may hold has the tag {tag}", pos)
    return Description(tag), pos + 1


def _parse_element(data: bytes, pos: int, description: Description, budget: list[int]) -> Item:
    """One element. What it holds is paid for before it is read."""
    tag = description.tag
    if tag == Tag.STRUCTURE:
        _pay(budget, len(description.children), pos)
        kinds = description.children
    elif tag == Tag.ARRAY:
        _pay(budget, description.count, pos)
        kinds = description.children * description.count
    else:
        value, end, head = decode_scalar(data, pos, tag)
        return Item(tag, value, pos, end, head)
    items = []
    at = pos
    for kind in kinds:
        fixed = FIXED.get(kind.tag)
        if fixed is None or kind.tag == Tag.BOOLEAN or at + fixed[0] > len(data):
            item = _parse_element(data, at, kind, budget)
        else:
            stop = at + fixed[0]
            item = Item(kind.tag, fixed[1](data[at:stop]), at, stop)
        items.append(item)
        at = item.end
    return Item(tag, tuple(items), pos, at)


def _pay(budget: list[int], count: int, pos: int) -> None:
    budget[0] -= count
    if budget[0] < 0:
        raise RemoteProtocolError("a compact array with more values than its contents can hold", pos)


def encode_compact(compact: CompactArray) -> bytes:
    """Description and contents, without the tag of the compact array itself.

    Raises:
        LocalProtocolError: an element is not of the type described.
    """
    contents = b"".join(_encode_element(item, compact.description) for item in compact.items)
    return _encode_description(compact.description) + encode_length(len(contents), compact.head) + contents


def _encode_description(description: Description) -> bytes:
    head = bytes((description.tag,))
    if description.tag == Tag.ARRAY:
        head += description.count.to_bytes(2, "big")
    elif description.tag == Tag.STRUCTURE:
        head += encode_length(len(description.children), description.head)
    return head + b"".join(_encode_description(child) for child in description.children)


def _encode_element(item: Item, description: Description) -> bytes:
    if item.tag != description.tag:
        raise LocalProtocolError(f"{tag_name(description.tag)} was described, {tag_name(item.tag)} is given")
    if item.tag == Tag.ARRAY:
        kinds = description.children * description.count
    elif item.tag == Tag.STRUCTURE:
        kinds = description.children
    else:
        return encode_scalar(item)
    if len(kinds) != len(item.value):
        raise LocalProtocolError(f"{len(kinds)} elements were described, {len(item.value)} are given")
    return b"".join(_encode_element(child, kind) for child, kind in zip(item.value, kinds, strict=True))
