"""Profile generic objects inside a meter: rows that are there, and the selection of some of them.

A `Periodic` buffer holds a row for each whole period. It keeps none of them: a row is made by the
capture function when somebody asks, so a simulated meter has years of history for nothing. A `Log`
keeps what happened, up to its capacity.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo
from typing import Protocol

from polymeter.protocols.dlms.apdus import ActionResult, CaptureObject, DataAccessResult, Selection
from polymeter.protocols.dlms.data import Item, Tag, array, structure
from polymeter.protocols.dlms.objects import COSEMObject
from polymeter.protocols.dlms.profiles import is_clock
from polymeter.protocols.dlms.selection import ByEntry, ByRange, decode_selection
from polymeter.protocols.dlms.times import decode_date_time
from polymeter.protocols.obis import OBIS
from polymeter.protocols.wire import RemoteProtocolError

__all__ = ["Buffer", "Log", "Periodic", "profile_generic"]

Row = tuple[Item, ...]


class Buffer(Protocol):
    """Rows by index, the oldest at 0."""

    capacity: int
    period_s: int

    @property
    def now(self) -> Callable[[], datetime]:
        """The meter's clock."""

    def count(self) -> int:
        """How many rows there are."""

    def row(self, index: int) -> Row:
        """One of them."""

    def between(self, start: datetime, end: datetime) -> range:
        """Which of them were captured from `start` to `end`."""

    def clear(self) -> None:
        """Forget them."""

    def capture(self) -> None:
        """Make one now, if that can be asked for."""


@dataclass(slots=True)
class Periodic:
    """A row at the end of each period since `begin`, as far back as `capacity` goes."""

    make: Callable[[datetime], Row]
    now: Callable[[], datetime]
    period_s: int
    begin: datetime
    capacity: int = 1000

    def _span(self) -> tuple[int, int]:
        """The numbers of the oldest and of the newest period's end, counted from the epoch."""
        newest = int(self.now().timestamp()) // self.period_s
        oldest = math.ceil(self.begin.timestamp() / self.period_s)
        return max(oldest, newest - self.capacity + 1), newest

    def _instant(self, number: int) -> datetime:
        return datetime.fromtimestamp(number * self.period_s, self.begin.tzinfo)

    def count(self) -> int:
        """See `Buffer`."""
        oldest, newest = self._span()
        return max(0, newest - oldest + 1)

    def row(self, index: int) -> Row:
        """See `Buffer`."""
        return self.make(self._instant(self._span()[0] + index))

    def between(self, start: datetime, end: datetime) -> range:
        """See `Buffer`."""
        oldest, newest = self._span()
        first = max(oldest, math.ceil(start.timestamp() / self.period_s))
        last = min(newest, math.floor(end.timestamp() / self.period_s))
        return range(first - oldest, max(first, last + 1) - oldest)

    def clear(self) -> None:
        """See `Buffer`: history begins now."""
        self.begin = self.now()

    def capture(self) -> None:
        """Periods end by themselves."""


@dataclass(slots=True)
class Log:
    """What happened, when it did; the oldest entry goes when the log is full."""

    make: Callable[[datetime, int], Row]
    now: Callable[[], datetime]
    capacity: int = 100
    period_s: int = 0
    entries: deque[tuple[datetime, int]] = field(default_factory=deque)

    def add(self, code: int) -> None:
        """Write an event down."""
        self.entries.append((self.now(), code))
        while len(self.entries) > self.capacity:
            self.entries.popleft()

    def count(self) -> int:
        """See `Buffer`."""
        return len(self.entries)

    def row(self, index: int) -> Row:
        """See `Buffer`."""
        return self.make(*self.entries[index])

    def between(self, start: datetime, end: datetime) -> range:
        """See `Buffer`."""
        chosen = [index for index, (at, _) in enumerate(self.entries) if start <= at <= end]
        return range(chosen[0], chosen[-1] + 1) if chosen else range(0)

    def clear(self) -> None:
        """See `Buffer`."""
        self.entries.clear()

    def capture(self) -> None:
        """Events come by themselves."""


def profile_generic(
    name: OBIS, columns: Sequence[CaptureObject], buffer: Buffer, compressed: bool = False
) -> COSEMObject:
    """Class 7. `compressed` leaves null-data where a value repeats or a timestamp follows the last."""
    columns = tuple(columns)

    def rows(indexes: Sequence[int], chosen: Sequence[int]) -> Item:
        made = [[buffer.row(index)[column] for column in chosen] for index in indexes]
        if compressed:
            made = _compress(made, [is_clock(columns[column]) for column in chosen], buffer.period_s)
        return array(*(structure(*row) for row in made))

    def select(selection: Selection) -> Item | DataAccessResult:
        try:
            chosen = decode_selection(selection)
        except RemoteProtocolError:
            return DataAccessResult.TYPE_UNMATCHED
        return by_entry(chosen) if isinstance(chosen, ByEntry) else by_range(chosen)

    def by_entry(selection: ByEntry) -> Item | DataAccessResult:
        count = buffer.count()
        last = min(selection.last or count, count)
        last_column = min(selection.last_column or len(columns), len(columns))
        if selection.first < 1 or selection.first_column < 1:
            return DataAccessResult.OTHER_REASON
        return rows(range(selection.first - 1, last), range(selection.first_column - 1, last_column))

    def by_range(selection: ByRange) -> Item | DataAccessResult:
        if selection.restricting not in columns:
            return DataAccessResult.OBJECT_UNDEFINED
        if any(column not in columns for column in selection.columns):
            return DataAccessResult.OBJECT_UNDEFINED
        chosen = [columns.index(column) for column in selection.columns] or range(len(columns))
        if not is_clock(selection.restricting):
            place = columns.index(selection.restricting)
            low, high = selection.start.value, selection.end.value
            try:
                found = [i for i in range(buffer.count()) if low <= buffer.row(i)[place].value <= high]
            except TypeError:
                return DataAccessResult.TYPE_UNMATCHED
            return rows(found, chosen)
        start, end = _moment(selection.start), _moment(selection.end)
        if start is None or end is None:
            return DataAccessResult.TYPE_UNMATCHED
        zone = buffer.now().tzinfo
        return rows(buffer.between(_in(start, zone), _in(end, zone)), chosen)

    def reset(_: Item) -> ActionResult:
        buffer.clear()
        return ActionResult.SUCCESS

    def capture(_: Item) -> ActionResult:
        buffer.capture()
        return ActionResult.SUCCESS

    sort_object = next((column for column in columns if is_clock(column)), None)
    none = CaptureObject(0, OBIS(0, 0, 0, 0, 0, 0), 0)
    return COSEMObject(
        7,
        1,
        name,
        {
            2: lambda: rows(range(buffer.count()), range(len(columns))),
            3: array(*(column.item() for column in columns)),
            4: Item(Tag.DOUBLE_LONG_UNSIGNED, buffer.period_s),
            5: Item(Tag.ENUM, 1),
            6: (sort_object or none).item(),
            7: lambda: Item(Tag.DOUBLE_LONG_UNSIGNED, buffer.count()),
            8: Item(Tag.DOUBLE_LONG_UNSIGNED, buffer.capacity),
        },
        methods={1: reset, 2: capture},
        selectors={2: ((1, 2), select)},
    )


def _moment(item: Item) -> datetime | None:
    """The instant that a restricting value names, whichever way it is typed."""
    octets = bytes(item.value) if item.tag in (Tag.OCTET_STRING, Tag.DATE_TIME) else b""
    return decode_date_time(octets).instant() if len(octets) == 12 else None


def _in(moment: datetime, zone: tzinfo | None) -> datetime:
    """A time without deviation is the meter's own."""
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)


def _compress(rows: list[list[Item]], clocks: Sequence[bool], period_s: int) -> list[list[Item]]:
    """Leave out what the row before already says (IEC 62056-6-2 § 4.3.6.2, null-data)."""
    null = Item(Tag.NULL_DATA)
    made: list[list[Item]] = []
    for number, row in enumerate(rows):
        before = rows[number - 1] if number else None
        made.append(
            [
                null if before is not None and _follows(before[at], item, clocks[at], period_s) else item
                for at, item in enumerate(row)
            ]
        )
    return made


def _follows(before: Item, item: Item, is_clock: bool, period_s: int) -> bool:
    if not is_clock:
        return before == item
    if not period_s:
        return False  # nobody could tell the time again
    earlier, later = _moment(before), _moment(item)
    return earlier is not None and later is not None and later - earlier == timedelta(seconds=period_s)
