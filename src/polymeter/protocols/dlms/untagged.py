"""Two ways in which meters in the field break A-XDR, and how to read them nevertheless.

Sagemcom's XT211 (EG.D and others) leaves out the tags of class, logical name and attribute at the
beginning of each object: ``00 03 | 01 00 01 08 00 FF | 02`` and then a tagged value. Some Landis+Gyr
firmware swaps tag and length of a logical name: ``06 09`` for ``09 06``. Both are read only after
the rules of A-XDR have failed, and only where an OBIS code is plainly there.
"""

from __future__ import annotations

from polymeter.protocols.dlms import axdr
from polymeter.protocols.dlms.data import MAX_DEPTH, Item, Tag, decode_length, tag_name
from polymeter.protocols.wire import RemoteProtocolError, Tree

__all__ = ["parse_untagged"]

_ATTRIBUTES = frozenset(bytes((number,)) for number in range(1, 33))


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
