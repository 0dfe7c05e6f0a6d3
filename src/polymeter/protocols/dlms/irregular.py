"""Notifications that break the rules, in ways that meters in the field are known for.

* The time in front of the body has another form: it is missing altogether, or tagged.
* Sagemcom's XT211 (EG.D and others) leaves out the tags of class, logical name and attribute at the
  beginning of each object: ``00 03 | 01 00 01 08 00 FF | 02`` and then a tagged value.
* Some Landis+Gyr firmware swaps tag and length of a logical name: ``06 09`` for ``09 06``.
* More values follow than the outermost count says.
* There is no APDU around the value at all.

All are read only after the rules have failed, and only if then everything up to the last octet is
explained: bytes that are merely damaged do not come out as something else.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final, NamedTuple

from polymeter.protocols.dlms import axdr
from polymeter.protocols.dlms.data import MAX_DEPTH, Item, Tag, decode_length, tag_name
from polymeter.protocols.dlms.times import instant, looks_like_date_time
from polymeter.protocols.wire import RemoteProtocolError, Tree

__all__ = ["Irregular", "parse_untagged", "read_irregular"]

_ATTRIBUTES = frozenset(bytes((number,)) for number in range(1, 33))
_NOTIFICATION: Final = 0x0F
_BODY_TAGS: Final = (Tag.ARRAY, Tag.STRUCTURE)


class Irregular(NamedTuple):
    """What such bytes hold: a body, and the notification's own time if there is one."""

    body: Item
    moment: datetime | None = None
    is_notification: bool = False


def read_irregular(data: bytes, tree: Tree | None = None) -> Irregular | None:
    """The notification or value that `data` is in some way of its own; `None` if it is none.

    A tree is told only of what was understood.
    """
    if data[:1] and data[0] in _BODY_TAGS:
        body = _to_the_end(data, 0)
        if body is not None and tree is not None:
            _to_the_end(data, 0, tree)
        return Irregular(body) if body is not None else None
    if len(data) <= 6 or data[0] != _NOTIFICATION:
        return None
    for start in _starts(data):
        if start < len(data) and (start == 6 + data[5] or data[start] in _BODY_TAGS):
            octets = data[start - 12 : start] if start >= 17 else b""
            moment = instant(octets) if looks_like_date_time(octets) else None
            body = _to_the_end(data, start)
            if body is not None:
                if tree is not None:
                    _explain_head(data, start, moment, tree)
                    _to_the_end(data, start, tree)
                return Irregular(body, moment, True)
    return None


def _starts(data: bytes) -> Iterator[int]:
    """Where the body of a notification may begin, the likeliest first."""
    yield 6 + data[5]
    if data[5] == Tag.OCTET_STRING:
        yield 7 + data[6]
    if data[5] == Tag.DATE_TIME:
        yield 18
    yield 5  # no time, and no length of none
    yield 6


def _explain_head(data: bytes, start: int, moment: datetime | None, tree: Tree) -> None:
    tree.leaf("APDU", 0, 1, None, "data-notification")
    tree.leaf("long invoke", 1, 5, int.from_bytes(data[1:5], "big"))
    head = start - 12 if moment is not None else start
    if head > 5:
        tree.leaf("length of date time", 5, head, data[5])
    if moment is not None:
        tree.leaf("date time", head, start, moment)


def _to_the_end(data: bytes, start: int, tree: Tree | None = None) -> Item | None:
    """The value at `start`, with whatever values follow it; `None` if octets are left that are none."""
    items: list[Item] = []
    at = start
    try:
        while at < len(data):
            items.append(parse_untagged(data, at, tree))
            at = items[-1].end
    except RemoteProtocolError:
        return None
    first, *more = items
    if not more:
        return first
    if first.tag not in _BODY_TAGS:
        return None
    return Item(first.tag, (*first.value, *more), start, at)


def parse_untagged(data: bytes, pos: int, tree: Tree | None = None, depth: int = 0) -> Item:
    """The value at `pos`, where descriptors may lack their tags; they come out as if they had them.

    Raises:
        RemoteProtocolError: it cannot be read this way either.
    """
    if pos >= len(data):
        raise RemoteProtocolError("a value is missing", pos)
    tag = data[pos]
    if data[pos : pos + 2] == b"\x06\x09" and _is_code(data, pos + 2):
        if tree is not None:
            tree.leaf("octet-string", pos, pos + 8, data[pos + 2 : pos + 8], "tag and length swapped")
        return Item(Tag.OCTET_STRING, data[pos + 2 : pos + 8], pos, pos + 8)
    if tag not in (Tag.ARRAY, Tag.STRUCTURE):
        return axdr.parse(data, pos, tree, depth)
    count, at = decode_length(data, pos + 1)
    if count > len(data) - at:
        raise RemoteProtocolError(f"{tag_name(tag)} of {count}, {len(data) - at} octets are left", pos)
    if depth >= MAX_DEPTH:
        raise RemoteProtocolError(f"more than {MAX_DEPTH} containers within each other", pos)
    if tree is not None:
        tree.open(tag_name(tag), pos)
        tree.leaf("type and count", pos, at, count)
    items: list[Item] = []
    done = 0
    if tag == Tag.STRUCTURE and _is_descriptor(data, at):
        items += _descriptor(data, at, tree)
        at += 9
        # Most count the descriptor as one element, some count each of its parts.
        done = 3 if count > 3 else 1
    for _ in range(count - done):
        item = parse_untagged(data, at, tree, depth + 1)
        items.append(item)
        at = item.end
    if tree is not None:
        tree.close(at)
    return Item(tag, tuple(items), pos, at)


def _is_code(data: bytes, pos: int) -> bool:
    return pos + 6 <= len(data) and data[pos] <= 15 and data[pos + 5] == 0xFF


def _is_descriptor(data: bytes, pos: int) -> bool:
    """A class below 256, a logical name, an attribute."""
    return (
        data[pos : pos + 1] == b"\x00" and _is_code(data, pos + 2) and data[pos + 8 : pos + 9] in _ATTRIBUTES
    )


def _descriptor(data: bytes, pos: int, tree: Tree | None) -> list[Item]:
    class_id = int.from_bytes(data[pos : pos + 2], "big")
    if tree is not None:
        tree.leaf("class id", pos, pos + 2, class_id, "without a tag")
        tree.leaf("instance id", pos + 2, pos + 8, data[pos + 2 : pos + 8], "without a tag")
        tree.leaf("attribute id", pos + 8, pos + 9, data[pos + 8], "without a tag")
    return [
        Item(Tag.LONG_UNSIGNED, class_id, pos, pos + 2),
        Item(Tag.OCTET_STRING, data[pos + 2 : pos + 8], pos + 2, pos + 8),
        Item(Tag.INTEGER, data[pos + 8], pos + 8, pos + 9),
    ]
