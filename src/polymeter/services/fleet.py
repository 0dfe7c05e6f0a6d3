"""How the fleet is doing: the newest values of every meter, whether they are fresh, and where one is missing.

How often a meter should be heard of is taken from its series' period where one is set, else learned from its
last values. A meter that delivers a day's values at once is measured by its deliveries, not by its values:
otherwise it would seem late all day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from statistics import median
from typing import Final
from uuid import UUID

from polymeter.domain import Meter, Period, Reading, Revision, Series
from polymeter.store import Scope, Tx, channels, meter_types, meters, organizations, readings, series
from polymeter.store.readings import Latest

__all__ = ["Fleet", "Gap", "History", "MeterRow", "Shown", "State", "fleet", "gaps", "history", "meter_row"]

_SAMPLE: Final = 100
_SLACK_S: Final = 5.0
_LATE: Final = 2.0
_SILENT: Final = 6.0
"""In periods: after so many without a value the meter is late, or silent."""


class State(StrEnum):
    """How a meter is doing."""

    FRESH = "fresh"
    LATE = "late"
    SILENT = "silent"
    NEW = "nothing yet"


@dataclass(frozen=True, slots=True)
class Gap:
    """Two neighbouring values that are too far apart, and how many should be between them."""

    after: datetime
    before: datetime
    missing: int


@dataclass(frozen=True, slots=True)
class MeterRow:
    """One meter as a page shows it. `missing` counts what is overdue now, `gaps` are those before."""

    meter: Meter
    organization: str
    type: str
    timezone: str
    latest: tuple[Latest, ...]
    last: datetime | None
    period_s: float | None
    state: State
    missing: int
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True)
class Fleet:
    """Some meters by name, and how many there are."""

    rows: tuple[MeterRow, ...]
    count: int


@dataclass(frozen=True, slots=True)
class Shown:
    """A value in a table, with the values that were delivered for the same instant and are not in force."""

    reading: Reading
    revisions: tuple[Revision, ...]


@dataclass(frozen=True, slots=True)
class History:
    """The last values of one series on one meter, oldest first."""

    series: Series
    rows: tuple[Shown, ...]
    count: int
    gaps: tuple[Gap, ...]


def fleet(tx: Tx, scope: Scope, now: datetime, *, limit: int = 100, offset: int = 0) -> Fleet:
    """Meters by name, each with its newest values and its state."""
    page = meters.page(tx, scope, limit=limit, offset=offset)
    return Fleet(tuple(_rows(tx, scope, page.rows, now)), page.count)


def meter_row(tx: Tx, scope: Scope, meter: UUID, now: datetime) -> MeterRow | None:
    """One meter; None where it does not exist in the scope."""
    found = meters.get(tx, scope, meter)
    return None if found is None else _rows(tx, scope, [found], now)[0]


def history(tx: Tx, scope: Scope, meter: UUID, measured: UUID, *, limit: int) -> History | None:
    """The newest values of a series on a meter; None where the meter has no such series."""
    found = channels.of_meter(tx, scope, meter, measured)
    of = series.get(tx, scope, measured)
    if not found or of is None:
        return None
    ids = [found[0].id]
    rows = readings.page(tx, scope, ids, limit=limit, newest_first=True)[::-1]
    shown = tuple(
        Shown(
            row,
            readings.revisions(tx, scope, row.channel, row.instant) if "changed" in row.quality.names else (),
        )
        for row in rows
    )
    between = gaps([row.instant for row in rows], _set_period(of))
    return History(of, shown, readings.count(tx, scope, ids), between)


def gaps(instants: Sequence[datetime], period_s: float | None = None) -> tuple[Gap, ...]:
    """Where values are missing, oldest first.

    Args:
        instants: in order.
        period_s: how far they should be apart; without it, as far as most of them are.
    """
    steps = [(after - before).total_seconds() for before, after in pairwise(instants)]
    if period_s is None:
        if len(steps) < 4:
            return ()
        period_s = median(steps)
    # Half a period of tolerance: polled values are never exactly on time.
    found = []
    for (before, after), step in zip(pairwise(instants), steps, strict=True):
        missing = round(step / period_s) - 1
        if step > 1.5 * period_s + 1 and missing > 0:
            found.append(Gap(before, after, missing))
    return tuple(found)


def _rows(tx: Tx, scope: Scope, some: Sequence[Meter], now: datetime) -> list[MeterRow]:
    if not some:
        return []
    newest: dict[UUID, list[Latest]] = {}
    for item in readings.latest(tx, scope, [meter.id for meter in some]):
        newest.setdefault(item.meter, []).append(item)
    types = {id: meter_types.get(tx, scope, id) for id in {meter.type for meter in some if meter.type}}
    configs = {t.config for t in types.values() if t is not None and t.config is not None}
    zones = {id: config.timezone for id in configs if (config := meter_types.get_config(tx, scope, id))}
    owners = {id: organizations.get(tx, id, id) for id in {meter.organization for meter in some}}
    measured: dict[UUID, Series | None] = {}
    rows = []
    for meter in some:
        latest = tuple(newest.get(meter.id, ()))
        type_ = types.get(meter.type) if meter.type else None
        owner = owners[meter.organization]
        last = max((item.reading.instant for item in latest), default=None)
        period_s, holes = _cadence(tx, scope, latest, measured)
        rows.append(
            MeterRow(
                meter,
                owner.name if owner else "",
                type_.name if type_ else "",
                zones.get(type_.config, "UTC") if type_ and type_.config else "UTC",
                latest,
                last,
                period_s,
                _state(now, last, period_s),
                _missing(now, last, period_s),
                holes,
            )
        )
    return rows


def _cadence(
    tx: Tx, scope: Scope, latest: Sequence[Latest], measured: dict[UUID, Series | None]
) -> tuple[float | None, tuple[Gap, ...]]:
    """How often a meter is heard of, and the gaps in the series it was last heard with."""
    if not latest:
        return None, ()
    newest = max(latest, key=lambda item: item.reading.instant)
    if newest.series not in measured:
        measured[newest.series] = series.get(tx, scope, newest.series)
    of = measured[newest.series]
    set_s = _set_period(of) if of is not None else None
    rows = readings.page(tx, scope, [newest.reading.channel], limit=_SAMPLE, newest_first=True)[::-1]
    instants = [row.instant for row in rows]
    steps = [(b - a).total_seconds() for a, b in pairwise(instants)]
    value_s = set_s if set_s is not None else (median(steps) if len(steps) >= 2 else None)
    received = sorted({row.received for row in rows if row.received is not None})
    delivered = [(b - a).total_seconds() for a, b in pairwise(received)]
    delivery_s = median(delivered) if delivered else 0.0
    heard_s = None if value_s is None else max(value_s, delivery_s)
    return heard_s, gaps(instants, set_s)


def _set_period(of: Series) -> float | None:
    if not of.period:
        return None
    try:
        period = Period.parse(of.period)
    except ValueError:
        return None
    return float(period.seconds or period.days * 86_400) or None


def _missing(now: datetime, last: datetime | None, period_s: float | None) -> int:
    """How many values are overdue; none of a meter that is only a little late."""
    if last is None or period_s is None or _state(now, last, period_s) is State.FRESH:
        return 0
    return int(((now - last).total_seconds() - _SLACK_S) / period_s)


def _state(now: datetime, last: datetime | None, period_s: float | None) -> State:
    if last is None:
        return State.NEW
    # Of a meter that was heard of once or twice nothing more is known than that it lives.
    wait = timedelta(seconds=period_s if period_s is not None else 86_400)
    age = now - last - timedelta(seconds=_SLACK_S)
    if age <= _LATE * wait:
        return State.FRESH
    return State.LATE if age <= _SILENT * wait else State.SILENT
