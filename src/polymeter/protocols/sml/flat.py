"""Messages in their usual form, read at once: what meters push every second, without elements.

The structures of `messages` are turned into regular expressions for the forms in which their
fields usually come: short octet strings, numbers, the two short forms of a time.
A message that matches, and whose check sum fits, has obeyed coding and grammar; its parts then go
to the functions that read elements too. Anything else is `None` and is read element by element,
which is also who tells errors. The tests read every message both ways.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any, Final, NamedTuple

from polymeter.protocols.sml.elements import BOOLEAN, INTEGER, OCTETS, UNSIGNED, read_element, type_length
from polymeter.protocols.sml.grammar import BODIES, SERVERS, STRUCTURES, TAGS
from polymeter.protocols.sml.readings import instant, object_name, scaled, unit_text
from polymeter.protocols.sml.transport import Checksum
from polymeter.protocols.wire import Record, Value

__all__ = ["Flat", "read_flat"]


def _strings(longest: int) -> list[bytes]:
    return [re.escape(type_length(OCTETS, size)) + b".{%d}" % size for size in range(1, longest + 1)]


_NUMBERS: Final = [b"[%c%c].{%d}" % (0x51 + size, 0x61 + size, size) for size in range(1, 9)]
_FORMS: Final = {
    holds: b"|".join((rb"\x01", *forms))
    for holds, forms in {
        "octets": _strings(14),
        "number": _NUMBERS,
        "unit": [rb"\x62."],
        "scaler": [rb"\x52."],
        "value": [*_NUMBERS, *_strings(64), rb"\x42."],  # a public key has 48 octets
        "time": [rb"\x72\x62[\x01\x02](?:%b)" % b"|".join(_NUMBERS), *_NUMBERS],
    }.items()
}
"""What a field holds to the forms in which it usually comes."""


def _fields(structure: str, begin: int = 0, end: int | None = None) -> bytes:
    """A structure's fields, each in brackets."""
    return b"".join(b"(" + _FORMS[holds] + b")" for _, holds in STRUCTURES[structure][begin:end])


def _list_of(structure: str) -> bytes:
    return b"\\x7%x" % len(STRUCTURES[structure])


_CHECK_AND_END: Final = rb"\x63(..)\x00"
_LIST: Final = TAGS["GetList.Res"]


class _Patterns:
    """Expressions for the parts of a message; they take a moment to make."""

    def __init__(self) -> None:
        octets = _FORMS["octets"]
        self.head = _whole(rb"\x76(" + octets + rb")\x62.\x62.\x72(?:\x63(..)|\x65\x00\x00(..))")
        self.bodies = {
            tag: _whole(_list_of(name) + _fields(name) + _CHECK_AND_END)
            for tag, name in BODIES.items()
            if all(holds in _FORMS for _, holds in STRUCTURES[name])
        }
        """Whole bodies, of those messages that hold no lists."""
        count = rb"(?:([\x70-\x7f])|([\xf0-\xff])([\x00-\x0f]))"
        self.list_begin = _whole(_list_of("GetList.Res") + _fields("GetList.Res", 0, 4) + count)
        self.list_entry = _whole(_list_of("ListEntry") + _fields("ListEntry"))
        self.list_end = _whole(_fields("GetList.Res", 5) + _CHECK_AND_END)


def _whole(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern, re.DOTALL)


_patterns = cache(_Patterns)


class Flat(NamedTuple):
    """What a message says that was read at once."""

    end: int
    server: bytes | None
    records: list[Record]


@lru_cache(maxsize=4096)
def _plain(element: bytes) -> Any:
    """The value of an element that is no list."""
    return read_element(element, 0, len(element)).value


@lru_cache(maxsize=4096)
def _instant(time: bytes) -> Any:
    return instant(read_element(time, 0, len(time)))


@lru_cache(maxsize=4096)
def _meaning(name: bytes, unit: bytes, scaler: bytes) -> tuple[str, str | None, str | None, int | None]:
    """What an entry says beside its value: name, OBIS code, unit, scaler."""
    shown, code = object_name(_plain(name) or b"")
    return shown, code, unit_text(_plain(unit)), _plain(scaler)


def read_flat(
    data: bytes, at: int, checksums: tuple[Checksum, ...], offset: int = 0, layer: int = 0
) -> Flat | None:
    """The message that begins at `at`, `None` if its form is not the usual one or its check sum wrong.

    `data` begins at `offset` of its layer.
    """
    patterns = _patterns()
    head = patterns.head.match(data, at)
    if head is None:
        return None
    tag = int.from_bytes(head[2] or head[3], "big")
    records: list[Record] = []
    if tag == _LIST:
        begin = patterns.list_begin.match(data, head.end())
        stop = _entries(data, begin, records, offset, layer) if begin is not None else None
        end = patterns.list_end.match(data, stop) if stop is not None else None
    else:
        whole = patterns.bodies.get(tag)
        begin = end = whole.match(data, head.end()) if whole is not None else None
    if begin is None or end is None:
        return None
    check = end[end.lastindex or 0]
    covered = data[at : end.end() - len(check) - 2]
    given = check[0] | check[1] << 8
    if all(checksum.compute(covered) != given for checksum in checksums):
        return None
    server = _plain(begin[SERVERS[tag] + 1]) if tag in SERVERS else None
    return Flat(end.end(), server, records)


def _entries(data: bytes, begin: re.Match[bytes], found: list[Record], offset: int, layer: int) -> int | None:
    """Read the entries of a list into `found`. Gives where they end, `None` if one is not as usual."""
    *_, listed, short, high, low = begin.groups()
    count = short[0] & 15 if short is not None else (high[0] & 15) << 4 | low[0]
    time = _instant(listed)
    at, new, match_entry = begin.end(), tuple.__new__, _patterns().list_entry.match
    for _ in range(count):
        entry = match_entry(data, at)
        if entry is None:
            return None
        name, _, own, unit, scaler, value, _ = entry.groups()
        shown, code, given, power = _meaning(name, unit, scaler)
        kind = value[0] >> 4
        number: Value
        if kind in (UNSIGNED, INTEGER):
            number = scaled(int.from_bytes(value[1:], "big", signed=kind == INTEGER), power)
        elif kind == BOOLEAN:
            number = int(value[1] != 0)
        else:
            number = _plain(value)
        at = entry.end()
        place = offset + entry.start(6)
        when = time if len(own) == 1 else _instant(own) or time
        fields = (shown, number, given, code, "unknown", when, 0, 0, 0, "instantaneous", layer, place, value)
        found.append(new(Record, fields))
    return at
