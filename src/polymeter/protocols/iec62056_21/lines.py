"""Data sets and the lines they stand in: ``address(value*unit)`` as text, and back.

One regular expression takes a data set apart, and the whole of a well-formed block is one pass of
it. Texts stay as the meter wrote them, so that what was decoded encodes to the same characters.
No expression here goes back over what it has read, or is tried again at each of the characters
that it does not fit: a hostile block takes no longer than a good one.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError, Tree

__all__ = ["DataLine", "DataSet", "decode_data", "encode_data"]


class DataSet(NamedTuple):
    """``address(value*unit)``. `unit` is `None` without an asterisk, empty after a bare one.

    A tuple, because a read-out makes hundreds.
    """

    address: str
    value: str
    unit: str | None = None
    offset: int = 0
    """Where the set begins in the data."""


DataLine = tuple[DataSet, ...]


_DATA_SET = re.compile(r"([^()\r\n]*+)\(([^()*\r\n]*+)(?:\*([^()\r\n]*+))?\)")
_SET_AND_END = re.compile(r"([^()\r\n]*+)\(([^()*\r\n]*+)(\*[^()\r\n]*+)?\)(\r?\n|\r)?|((?s:.+))")
_END_OF_LINE = re.compile(r"[ \t]*+(?:\r?\n|\r)")
"""Some meters pad their lines with blanks."""


def decode_data(
    data: str, tree: Tree | None = None, offset: int = 0, strict: bool = True
) -> tuple[DataLine, ...]:
    """Take data apart into lines of data sets; an empty line gives none.

    With `strict` off a text without brackets is no error (manufacturers' own commands), but a line
    without sets: what is below it may not be read as if it followed what is above.

    Raises:
        RemoteProtocolError: something that is no data set; the offset is its place.
    """
    if tree is None and (plain := _well_formed(data)) is not None:
        return plain
    lines: list[DataLine] = []
    at = 0
    match_set = _DATA_SET.match
    size = len(data)
    while at < size:
        if tree is not None:
            tree.open("data line", offset + at)
        sets: list[DataSet] = []
        while match := match_set(data, at):
            address, value, unit = match.groups()
            sets.append(DataSet(address, value, unit, at))
            if tree is not None:
                _explain_set(tree, match, offset)
            at = match.end()
        ended = _END_OF_LINE.match(data, at)
        odd = False
        if ended is None and at < size:
            stop = _next_line(data, at)
            ends = data[at:stop] == "!"
            if strict and not ends:
                raise RemoteProtocolError(f"{data[at:stop][:40]!r} is no data set", offset + at)
            odd = not ends
            if tree is not None:
                shown = None if ends else data[at:stop]
                tree.leaf("end of data" if ends else "data", offset + at, offset + stop, shown)
            at = stop
        at = _skip_line_end(data, at, tree, offset)
        if tree is not None:
            tree.close(offset + at)
        if sets or odd:
            lines.append(tuple(sets))
    return tuple(lines)


def _well_formed(data: str) -> tuple[DataLine, ...] | None:
    """The lines of data that is nothing but lines and their end, in one pass; `None` for other data."""
    lines: list[DataLine] = []
    sets: list[DataSet] = []
    at = 0
    for address, value, unit, ended, rest in _SET_AND_END.findall(data):
        if rest:
            if rest not in _ENDS:
                return None
            break
        sets.append(_new(DataSet, (address, value, unit[1:] if unit else None, at)))
        at += len(address) + len(value) + len(unit) + len(ended) + 2
        if ended:
            lines.append(tuple(sets))
            sets = []
    if sets:
        lines.append(tuple(sets))
    return tuple(lines)


_new = tuple.__new__
"""Makes a named tuple of a tuple twice as fast as its class does."""
_ENDS = frozenset(("!", "!\r\n", "!\n"))


def _next_line(data: str, at: int) -> int:
    ended = _END_OF_LINE.search(data, at)
    return ended.start() if ended else len(data)


def _skip_line_end(data: str, at: int, tree: Tree | None, offset: int) -> int:
    ended = _END_OF_LINE.match(data, at)
    if ended is None:
        return at
    if tree is not None:
        tree.leaf("end of line", offset + at, offset + ended.end())
    return ended.end()


def _explain_set(tree: Tree, match: re.Match[str], offset: int) -> None:
    """The leaves of one data set."""
    address, value, unit = match.groups()
    tree.open("data set", offset + match.start())
    if address:
        tree.leaf("address", offset + match.start(1), offset + match.end(1), address)
    tree.leaf("(", offset + match.end(1), offset + match.start(2))
    if value:
        tree.leaf("value", offset + match.start(2), offset + match.end(2), value)
    if unit is not None:
        tree.leaf("*", offset + match.end(2), offset + match.start(3))
        if unit:
            tree.leaf("unit", offset + match.start(3), offset + match.end(3), unit)
    tree.leaf(")", offset + match.end() - 1, offset + match.end())
    tree.close(offset + match.end())


def encode_data(lines: tuple[DataLine, ...], end: bool = True) -> str:
    """Data lines as text; with `end` also the ``!`` line that closes a read-out."""
    text = "".join("".join(map(_set_text, line)) + "\r\n" for line in lines)
    return text + "!\r\n" if end else text


def _set_text(data_set: DataSet) -> str:
    for part in (data_set.address, data_set.value, data_set.unit or ""):
        if any(character in part for character in "()\r\n\x01\x02\x03\x04"):
            raise LocalProtocolError(f"{part!r} holds a character that a data set cannot hold")
    if "*" in data_set.value:
        raise LocalProtocolError(f"{data_set.value!r} holds *, which begins the unit")
    unit = "" if data_set.unit is None else f"*{data_set.unit}"
    return f"{data_set.address}({data_set.value}{unit})"
