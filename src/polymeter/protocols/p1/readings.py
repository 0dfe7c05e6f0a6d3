"""The records of a telegram: what its lines say, its own time, and where they stand.

Most lines of a telegram stand in the one before it too, and in those of other meters: counters at
zero, voltages, codes of sub-meters. So what a line says is remembered, and the bound is such that
neither many meters nor hostile ones fill the memory.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import Final

from polymeter.protocols.p1.lines import CLOCK, read_line
from polymeter.protocols.p1.values import parse_time
from polymeter.protocols.wire import Record, RemoteProtocolError

__all__ = ["records"]

_SHORT: Final = 80
"""The longest line that is remembered; it holds thirty values at the most."""
_remembered = lru_cache(maxsize=4096)(read_line)

_CLOCK: Final = re.compile(rb"\n0-0:1\.0\.0(?:\*255)?\(([^()]*)\)")
_LINE_END: Final = re.compile(rb"(?<=\n)(?![\r\n]{0,4}\()")
"""Where a line ends and none follows that goes on with it."""


def _lines(data: bytes) -> list[bytes]:
    """The lines of a telegram with their line ends."""
    return _LINE_END.split(data) if b"\n(" in data else data.splitlines(keepends=True)


def _clock(data: bytes) -> datetime | None:
    """The telegram's own time, if it has one."""
    found = _CLOCK.search(data)
    return parse_time(found[1].decode("latin-1")) if found is not None else None


def records(
    data: bytes,
    offset: int = 0,
    layer: int = 0,
    *,
    strict: bool = True,
    into: list[Record] | None = None,
) -> list[Record]:
    """The records of a telegram's data, found at `offset` of its layer.

    With `strict` off a line that holds no data sets becomes a record without a name, for telegrams
    whose checksum says that the meter meant it so.

    They are appended to `into` if it is given; it keeps those before a line that is refused.

    Raises:
        RemoteProtocolError: such a line, with its place.
    """
    found: list[Record] = [] if into is None else into
    clock, new, append = _clock(data), tuple.__new__, found.append
    for line in _lines(data):
        read, odd = _remembered(line) if len(line) <= _SHORT else read_line(line)
        if odd is not None and strict:
            read = tuple(record for record in read if record.offset < odd)
        for name, value, unit, code, quantity, time, storage, _, channel, function, _, start, raw in read:
            if time is CLOCK:
                time = clock
            at = offset + start
            fields = (name, value, unit, code, quantity, time, storage, 0, channel, function, layer, at, raw)
            append(new(Record, fields))
        if odd is not None and strict:
            shown = line[odd:].splitlines()[0].decode("latin-1").strip()[:40]
            raise RemoteProtocolError(f"{shown!r} is no data set", offset + odd, layer)
        offset += len(line)
    return found
