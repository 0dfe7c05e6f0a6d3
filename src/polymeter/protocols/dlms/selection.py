"""What a selection means: which rows of a buffer, which columns (IEC 62056-6-2 § 4.3.6.2).

The asking side builds selections with `apdus.select_by_range` and `apdus.select_by_entry`; a meter
has to understand them, and whoever asked has to know which columns come back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from polymeter.protocols.dlms.apdus import CaptureObject, Selection
from polymeter.protocols.dlms.data import Item, Tag, plain
from polymeter.protocols.dlms.profiles import capture_objects
from polymeter.protocols.wire import RemoteProtocolError

__all__ = ["ByEntry", "ByRange", "chosen_columns", "decode_selection"]


class ByRange(NamedTuple):
    """Rows whose `restricting` column lies between two values, both included."""

    restricting: CaptureObject
    start: Item
    end: Item
    columns: tuple[CaptureObject, ...] = ()
    """All columns if empty."""


class ByEntry(NamedTuple):
    """Rows and columns by number from 1, the oldest row first; 0 as the last is the highest."""

    first: int = 1
    last: int = 0
    first_column: int = 1
    last_column: int = 0


def decode_selection(selection: Selection) -> ByRange | ByEntry:
    """What access selector and parameters mean.

    Raises:
        RemoteProtocolError: they mean nothing to a profile.
    """
    item = selection.parameters.item()
    if item.tag != Tag.STRUCTURE or len(item.value) != 4:
        raise RemoteProtocolError("access parameters are a structure of four")
    one, two, three, four = item.value
    if selection.selector == 1 and four.tag == Tag.ARRAY:
        (restricting,) = capture_objects([plain(one)])
        return ByRange(restricting, two, three, capture_objects(plain(four)))
    numbers = (one.value, two.value, three.value, four.value)
    if selection.selector == 2 and all(isinstance(number, int) for number in numbers):
        return ByEntry(*numbers)
    raise RemoteProtocolError(f"access selector {selection.selector} with other parameters")


def chosen_columns(selection: Selection, columns: Sequence[CaptureObject]) -> tuple[CaptureObject, ...]:
    """Those of a profile's `columns` that rows have after this selection.

    What is neither a range nor entries may be the meter's own; then rows are taken to have all.
    """
    try:
        chosen = decode_selection(selection)
    except RemoteProtocolError:
        return tuple(columns)
    if isinstance(chosen, ByRange):
        return chosen.columns or tuple(columns)
    return tuple(columns[chosen.first_column - 1 : chosen.last_column or None])
