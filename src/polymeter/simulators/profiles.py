"""The memory of simulated text meters: a clock that can be set, a load profile, a log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from polymeter.protocols.iec62056_21 import DataLine, DataSet, combine, parse_time
from polymeter.simulators.consumption import Consumption

__all__ = ["HISTORY", "INTERVAL", "Clock", "ends", "event_log", "load_profile"]

INTERVAL: Final = timedelta(minutes=15)
HISTORY: Final = timedelta(days=40)
"""How far back a meter remembers."""


class Clock:
    """A meter's clock: the simulation's time, moved by whoever set it."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._offset = timedelta()

    def __call__(self) -> datetime:
        """What the clock shows."""
        return self._now().astimezone(UTC) + self._offset

    def set(self, shown: datetime) -> None:
        """Make the clock show a time; naive ones are the meter's own."""
        self._offset += (shown if shown.tzinfo is not None else shown.replace(tzinfo=UTC)) - self()

    def write(self, address: str, value: str) -> bool:
        """Take what is written to 0.9.1, 0.9.2 or 0.9.4; everything else is refused."""
        shown = self()
        match address:
            case "0.9.1":
                at = combine(f"{shown:%y%m%d}", value)
            case "0.9.2":
                at = combine(value, f"{shown:%H%M%S}")
            case "0.9.4":
                at = parse_time(value)
            case _:
                at = None
        if at is not None:
            self.set(at)
        return at is not None


def ends(
    start: datetime | None, end: datetime | None, now: datetime, length: timedelta
) -> Iterator[datetime]:
    """The ends of the intervals from `start` up to and including `end` that a meter remembers."""
    oldest = now - HISTORY
    first = max(start, oldest) if start is not None else oldest
    last = min(end, now) if end is not None else now
    seconds = int(length.total_seconds())
    at = datetime.fromtimestamp(-(-int(first.timestamp()) // seconds) * seconds, UTC)
    while at <= last:
        yield at
        at += length


def _bound(text: str) -> datetime | None:
    at = parse_time(text)
    return at if at is None or at.tzinfo is not None else at.replace(tzinfo=UTC)


def load_profile(used: Consumption, clock: Clock) -> Callable[[str, str], tuple[DataLine, ...]]:
    """P.01: average power of every interval, stamped at its end."""

    def lines(start: str, end: str) -> tuple[DataLine, ...]:
        found = list(ends(_bound(start), _bound(end), clock(), INTERVAL))
        if not found:
            return ()
        head = _line("P.01", f"0{found[0]:%y%m%d%H%M%S}", "00", "15", "2", "1.5.0", "kW", "2.5.0", "kW")
        per_hour = timedelta(hours=1) // INTERVAL
        powers = (Decimal(used.interval_wh(at, INTERVAL) * per_hour).scaleb(-3) for at in found)
        return (head, *(_line("", f"{power:07.3f}", "000.000") for power in powers))

    return lines


def event_log(clock: Clock) -> Callable[[str, str], tuple[DataLine, ...]]:
    """P.98: the meter notes each midnight (a made-up habit that gives a log some entries)."""

    def lines(start: str, end: str) -> tuple[DataLine, ...]:
        found = ends(_bound(start), _bound(end), clock(), timedelta(days=1))
        return tuple(_line("P.98", f"0{at:%y%m%d%H%M%S}", "0010", "", "0") for at in found)

    return lines


def _line(address: str, *values: str) -> DataLine:
    return tuple(DataSet("" if number else address, value) for number, value in enumerate(values))
