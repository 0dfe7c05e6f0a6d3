"""Stored values that tell no time of their own: month ends, counted back from a date that is told.

    [[history]]
    storage = [9, 19]             # storage numbers of the newest and the oldest
    step = 1                      # from one month to the next; this is the default
    first = "date.s8"             # the newest is of this date
    before = "time"               # or: of the end of the month before this

Both name a reading of the telegram, as `decode` prints it without its type. Meters number their
months so, and say it in their manuals only; a type proves it with a value that the telegram dates
itself.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from polymeter.protocols.wire import LocalProtocolError, Record

__all__ = ["History", "dated", "parse_history"]


@dataclass(frozen=True, slots=True)
class History:
    """Which stored values are of which months."""

    newest: int
    oldest: int
    reference: str
    """The reading that tells a date."""
    before: bool
    """Whether the newest is of the end of the month before that date, not of the date itself."""
    step: int = 1

    def day(self, storage: int, reference: date) -> date | None:
        """The date of a storage number, `None` where it is none of this history's."""
        index, off = divmod(storage - self.newest, self.step)
        if not self.newest <= storage <= self.oldest or off:
            return None
        year, month = divmod(reference.year * 12 + reference.month - 1 - index - self.before, 12)
        if year < 1:
            return None
        last = monthrange(year, month + 1)[1]
        ended = self.before or reference.day == monthrange(reference.year, reference.month)[1]
        return date(year, month + 1, last if ended else min(reference.day, last))


def parse_history(name: str, table: Any) -> History:
    """A history from its TOML table.

    Raises:
        LocalProtocolError: a key is missing, unknown or of the wrong kind; the message says which.
    """

    def refuse(what: str) -> LocalProtocolError:
        return LocalProtocolError(f"meter type {name}: history: {what}")

    if not isinstance(table, dict):
        raise refuse("must be a table")
    if unknown := sorted(set(table) - {"storage", "step", "first", "before"}):
        raise refuse(f"unknown key {unknown[0]!r}")
    if ("first" in table) == ("before" in table):
        raise refuse("one of first and before must be named")
    storage, step = table.get("storage"), table.get("step", 1)
    reference = table.get("first", table.get("before"))
    if not (isinstance(storage, list) and len(storage) == 2 and isinstance(reference, str)):
        raise refuse("storage must be two numbers, the newest and the oldest, and the date a text")
    newest, oldest = storage
    if not all(isinstance(each, int) for each in (newest, oldest, step)):
        raise refuse("storage and step must be whole numbers")
    if not (0 < newest <= oldest < newest + 1200 and step > 0):
        raise refuse("the newest must come first, a century is the most, and step is at least one")
    return History(newest, oldest, reference, "before" in table, step)


def dated(records: tuple[Record, ...], histories: Iterable[History]) -> tuple[Record, ...]:
    """The records, with the time of those that a history dates and the telegram does not."""
    told = _told(records)
    for history in histories:
        reference = told.get(history.reference)
        if reference is not None:
            records = tuple(_dated(record, history, reference) for record in records)
    return records


def _told(records: Iterable[Record]) -> Mapping[str, date]:
    told: dict[str, date] = {}
    for record in records:
        if isinstance(record.value, date) and record.function == "instantaneous":
            day = record.value.date() if isinstance(record.value, datetime) else record.value
            told.setdefault(f"{record.name}.s{record.storage}" if record.storage else record.name, day)
    return told


def _dated(record: Record, history: History, reference: date) -> Record:
    if record.time is not None or isinstance(record.value, date):
        return record
    day = history.day(record.storage, reference)
    return record if day is None else record._replace(time=datetime.combine(day, time()))
