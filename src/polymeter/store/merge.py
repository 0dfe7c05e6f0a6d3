"""Readings into the store: one row per (channel, instant), never a silent overwrite.

The same value again changes nothing. Another value is settled by the rank of its source, at equal rank the
later delivery wins; the value that lost becomes a revision and the row says "changed".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import sqlalchemy as sa

from polymeter.domain import Quality, Source, from_second, wins
from polymeter.store import channels, tables
from polymeter.store.connector import ReadingRow, Tx, chunks

__all__ = ["Fate", "merge"]


class Fate(StrEnum):
    """What became of one delivered reading."""

    STORED = "stored"  # there was none for that instant
    UNCHANGED = "unchanged"  # the same value was there
    REVISED = "revised"  # it replaced another value, which is a revision now
    OUTRANKED = "outranked"  # another value stands; this one is a revision now


_Key = tuple[int, int]


@dataclass(slots=True)
class _State:
    """One key while a batch is folded into it."""

    row: ReadingRow | None
    fresh: bool
    changed: bool = False
    losers: list[tuple[ReadingRow, str]] = field(default_factory=list)


def merge(tx: Tx, rows: Sequence[ReadingRow]) -> list[tuple[Fate, ReadingRow]]:
    """Store readings; for each, in order, its fate and the row in force after it.

    Their instants must have been prepared (`Store.write(..., seconds=...)` does it).
    """
    if not rows:
        return []
    channels.lock(tx, {row.channel for row in rows})
    first: dict[_Key, ReadingRow] = {}
    for row in rows:
        first.setdefault((row.channel, row.second), row)
    tx.engine.load(tx, list(first.values()))
    states: dict[_Key, _State] = {}
    present = {(row.channel, row.second): row for row in tx.engine.present(tx)}
    added = tx.engine.add_incoming(tx)
    assert added == len(first) - len(present), "the channels were not locked"
    fates: list[tuple[Fate, ReadingRow]] = []
    for row in rows:
        key = row.channel, row.second
        state = states.get(key)
        if state is None:
            state = states[key] = _State(present.get(key), key not in present)
        fates.append(_fold(state, row))
    _keep(tx, states)
    return fates


def _fold(state: _State, row: ReadingRow) -> tuple[Fate, ReadingRow]:
    present = state.row
    if present is None:
        state.row = row
        return Fate.STORED, row
    if row.exact.same(present.exact):
        return Fate.UNCHANGED, present
    state.changed = True
    if wins(Source(row.source), Source(present.source)):
        state.losers.append((present, f"replaced by {Source(row.source).label}"))
        state.row = row._replace(quality=row.quality | Quality.CHANGED)
        return Fate.REVISED, state.row
    state.losers.append((row, f"outranked by {Source(present.source).label}"))
    state.row = present._replace(quality=present.quality | Quality.CHANGED)
    return Fate.OUTRANKED, state.row


def _keep(tx: Tx, states: dict[_Key, _State]) -> None:
    changed = [state.row for state in states.values() if state.changed and state.row]
    if changed:
        tx.engine.change(tx, changed)
        _revise(tx, {key: state for key, state in states.items() if state.losers})
    newest: dict[int, ReadingRow] = {}
    for state in states.values():
        if (state.fresh or state.changed) and state.row is not None:
            best = newest.get(state.row.channel)
            if best is None or best.second < state.row.second:
                newest[state.row.channel] = state.row
    if newest:
        tx.engine.keep_latest(tx, list(newest.values()))


def _revise(tx: Tx, states: dict[_Key, _State]) -> None:
    r = tables.reading_revision.c
    numbers: dict[_Key, int] = dict.fromkeys(states, 0)
    keys = [(channel, from_second(second)) for channel, second in states]
    for some in chunks(keys, 1000):
        query = sa.select(r.channel, r.instant, sa.func.max(r.number)).where(
            sa.tuple_(r.channel, r.instant).in_(some)
        )
        for channel, instant, number in tx.rows(query.group_by(r.channel, r.instant)):
            numbers[channel, int(instant.timestamp())] = number
    values = []
    for key, state in states.items():
        for step, (row, reason) in enumerate(state.losers, start=numbers[key] + 1):
            values.append(
                row._asdict()
                | {
                    "instant": from_second(row.second),
                    "received": from_second(row.received),
                    "number": step,
                    "at": tx.now,
                    "reason": reason,
                }
            )
            del values[-1]["second"]
    tx.execute(sa.insert(tables.reading_revision), values)
