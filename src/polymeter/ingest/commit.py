"""One batch, one transaction: find the channels, convert, merge, stage the rest, leave word in the outbox."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec

from polymeter.domain import InvalidValue, Quality, Source, UnitMismatch, from_second, reading_id, shift
from polymeter.ingest.items import Item
from polymeter.ingest.outcome import Outcome, Status
from polymeter.messages import NewMeterReading, encode
from polymeter.store import (
    ANY,
    Fate,
    ReadingRow,
    Tx,
    channels,
    frames,
    merge,
    meters,
    organizations,
    outbox,
    readings,
    staged,
)
from polymeter.store.channels import Allowed
from polymeter.store.meters import Known
from polymeter.store.staged import Staged

__all__ = ["commit", "stage"]

_TEXTUAL = ("text", "status")
_STATUS = {
    Fate.STORED: Status.STORED,
    Fate.UNCHANGED: Status.UNCHANGED,
    Fate.REVISED: Status.REVISED,
    Fate.OUTRANKED: Status.REVISED,
}


@dataclass(frozen=True, slots=True)
class _Placed:
    """An item whose channel's meter and series are known."""

    item: Item
    meter: Known
    series: Allowed
    power: int


def commit(tx: Tx, items: Sequence[Item]) -> list[Outcome]:
    """Store what has a place; an outcome for each item, in order. Nothing is staged yet."""
    outcomes: list[Outcome | None] = [None] * len(items)
    placed: list[tuple[int, _Placed]] = []
    for index, found in enumerate(_place(tx, items)):
        if isinstance(found, _Placed):
            placed.append((index, found))
        else:
            outcomes[index] = found
    ids = channels.ensure(
        tx,
        {found.meter.id: found.meter.organization for _, found in placed},
        ((found.meter.id, found.series.id) for _, found in placed),
    )
    frame_ids = frames.ids(tx, (p.item.message.frame for _, p in placed if p.item.message.frame))
    rows = [_row(found, ids, frame_ids) for _, found in placed]
    told: list[NewMeterReading] = []
    for (index, found), (fate, row) in zip(placed, merge(tx, rows), strict=True):
        reason = f"outranked by {Source(row.source).label}" if fate is Fate.OUTRANKED else ""
        outcomes[index] = Outcome(_STATUS[fate], reason, reading_id(row.channel, row.second))
        if fate in (Fate.STORED, Fate.REVISED):
            told.append(_told(found, row))
    if told:
        outbox.add(tx, msgspec.json.encode(told))
    return [outcome for outcome in outcomes if outcome is not None]


def stage(tx: Tx, items: Sequence[Item], outcomes: Sequence[Outcome]) -> None:
    """Keep what had no place, so that it is on disk when its sender hears "staged"."""
    waiting = []
    for item, outcome in zip(items, outcomes, strict=True):
        if outcome.status is not Status.STAGED:
            continue
        payload = encode(item.message)
        waiting.append(
            Staged(
                0,
                item.organization,
                item.message.meter,
                item.message.series,
                from_second(item.second),
                payload,
                outcome.reason,
                item.source,
                item.received,
                hashlib.sha256(payload).digest()[:16],
            )
        )
    staged.add(tx, waiting)


def _place(tx: Tx, items: Sequence[Item]) -> list[_Placed | Outcome]:
    """For each item where it belongs, or why it has no place."""
    named = {item.message.organization for item in items if item.message.organization is not None}
    missing = {id for id in named if organizations.get(tx, id, id) is None}
    by_scope: dict[UUID | None, set[str]] = {}
    for item in items:
        by_scope.setdefault(item.organization, set()).add(item.message.meter)
    known = {
        scope: meters.resolve(tx, ANY if scope is None else scope, names)
        for scope, names in by_scope.items()
        if scope not in missing
    }
    found = [known.get(item.organization, {}).get(item.message.meter, []) for item in items]
    unique = [candidates[0] for candidates in found if len(candidates) == 1]
    allowed = channels.allowed(tx, {meter.config for meter in unique if meter.config is not None})
    marks = readings.marks(tx, {meter.id for meter in unique})
    places: list[_Placed | Outcome] = []
    for item, candidates in zip(items, found, strict=True):
        if item.organization in missing:
            reason = f"organization: there is no organization {item.organization}"
            places.append(Outcome(Status.REFUSED, reason, malformed=True))
            continue
        place = _place_one(item, candidates, allowed)
        if isinstance(place, _Placed) and place.meter.id in marks:
            place = _unless_deleted(place, marks[place.meter.id])
        places.append(place)
    return places


def _place_one(
    item: Item, candidates: list[Known], allowed: dict[UUID, dict[str, Allowed]]
) -> _Placed | Outcome:
    message = item.message
    if not candidates:
        return _staged(f"no meter is called {message.meter!r}")
    if len(candidates) > 1:
        several = len({meter.organization for meter in candidates}) > 1
        where = "in several organizations" if several else "in the organization"
        return _staged(f"{len(candidates)} meters {where} are called {message.meter!r}")
    meter = candidates[0]
    if meter.config is None:
        return _staged(f"meter {meter.name!r} has no type with a configuration")
    series = allowed.get(meter.config, {}).get(item.key)
    if series is None:
        return _staged(f"the configuration of meter {meter.name!r} does not allow series {message.series!r}")
    if message.text is not None and series.kind not in _TEXTUAL:
        return _staged(f"series {series.name!r} is numeric, the value is text")
    try:
        power = shift(message.unit, series.unit) if message.unit is not None else 0
        item.exact(power)
    except (UnitMismatch, InvalidValue) as error:
        return _staged(f"unit: {error}")
    return _Placed(item, meter, series, power)


def _unless_deleted(place: _Placed, marks: list[readings.Mark]) -> _Placed | Outcome:
    instant = from_second(place.item.second)
    for mark in marks:
        if mark.start <= instant < mark.stop and mark.series in (None, place.series.id):
            return Outcome(Status.REFUSED, f"the range was deleted: {mark.reason}")
    return place


def _staged(reason: str) -> Outcome:
    return Outcome(Status.STAGED, reason)


def _row(place: _Placed, ids: dict[tuple[UUID, UUID], int], frame_ids: dict[str, int]) -> ReadingRow:
    item = place.item
    return ReadingRow(
        ids[place.meter.id, place.series.id],
        item.second,
        *item.exact(place.power),
        item.quality,
        int(item.source),
        int(item.received.timestamp()),
        frame_ids.get(item.message.frame) if item.message.frame else None,
    )


def _told(place: _Placed, row: ReadingRow) -> NewMeterReading:
    textual = row.exponent is None
    shown = row.exact.shown
    return NewMeterReading(
        meter=place.meter.name,
        series=place.series.name,
        timestamp=from_second(row.second),
        value=None if textual else shown,
        text=shown if textual else None,
        organization=place.meter.organization,
        unit=place.series.unit,
        quality=Quality(row.quality).names,
        source=Source(row.source).label,
        frame=place.item.message.frame,
    )
