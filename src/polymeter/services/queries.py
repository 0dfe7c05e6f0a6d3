"""What both the interface and the pages ask of the store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from polymeter.domain import Channel, Reading
from polymeter.store import Scope, Tx, channels, meters, readings, series
from polymeter.store.connector import chunks

__all__ = ["ReadingPage", "clipped", "delete_reading", "readings_page", "with_names"]

_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(2106, 2, 7, tzinfo=UTC)


def clipped(moment: datetime | None) -> datetime | None:
    """A bound of a search, brought into the range that instants have; both engines know it then."""
    return None if moment is None else min(max(moment, _FIRST), _LAST)


@dataclass(frozen=True, slots=True)
class ReadingPage:
    """Some readings, their channels, and how many there are in all."""

    rows: tuple[Reading, ...]
    channels: dict[int, Channel]
    count: int


def readings_page(
    tx: Tx,
    scope: Scope,
    *,
    meter: UUID | None = None,
    series: UUID | None = None,
    start: datetime | None = None,
    stop: datetime | None = None,
    limit: int = 100,
    offset: int = 0,
    newest_first: bool = False,
) -> ReadingPage:
    """Readings with start <= instant < stop, channel by channel, by time within each."""
    found = {channel.id: channel for channel in channels.of_meter(tx, scope, meter, series)}
    ids = sorted(found, reverse=newest_first)
    rows: list[Reading] = []
    total = 0
    for some in chunks(ids):
        number = readings.count(tx, scope, some, start=start, stop=stop)
        if len(rows) < limit and offset < total + number:
            rows += readings.page(
                tx,
                scope,
                some,
                start=start,
                stop=stop,
                limit=limit - len(rows),
                offset=max(0, offset - total),
                newest_first=newest_first,
            )
        total += number
    return ReadingPage(tuple(rows), found, total)


def with_names(tx: Tx, scope: Scope, meter: UUID, series_id: UUID) -> tuple[UUID, str, str] | None:
    """(organization, meter's name, series' name), where both exist in the scope and belong together."""
    found = meters.get(tx, scope, meter)
    if found is None:
        return None
    measured = series.get(tx, found.organization, series_id)
    return None if measured is None else (found.organization, found.name, measured.name)


def delete_reading(tx: Tx, scope: Scope, id: int, by: UUID | None, reason: str) -> bool:
    """Delete one reading and mark its instant, so that it does not come back; whether it existed."""
    found = readings.get(tx, scope, id)
    if found is None:
        return False
    channel = channels.get(tx, scope, found.channel)
    if channel is None:
        return False
    readings.delete(
        tx,
        scope,
        channel.meter,
        series=channel.series,
        start=found.instant,
        stop=found.instant + timedelta(seconds=1),
        reason=reason,
        by=by,
    )
    return True
