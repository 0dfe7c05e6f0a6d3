"""Quarantine: which frames need not wait any more, since their meter has become known or has got a key."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from polymeter.collection import sealed
from polymeter.store import ANY, Scope, Tx, frames, meters, secrets
from polymeter.store.meters import Known

__all__ = ["reconsider", "reconsider_since"]

_OVERLAP: Final = timedelta(minutes=2)
"""How far the clocks of two processes may be apart: keys of the time just before are looked at twice."""


def reconsider_since(tx: Tx, since: datetime | None) -> datetime:
    """Release what need not wait any more; gives the moment from which keys are new the next time."""
    reconsider(tx, since)
    return tx.now - _OVERLAP


def reconsider(tx: Tx, since: datetime | None = None) -> int:
    """Release quarantined frames whose meter has become known, or has got a key since then."""
    waiting: dict[UUID | None, list[str]] = {}
    for organization, name in frames.awaited(tx):
        waiting.setdefault(organization, []).append(name)
    released = 0
    for organization, names in waiting.items():
        known = _known(tx, organization if organization is not None else ANY, names)
        keyed = secrets.renewed(tx, {one.id for one in known.values()}, sealed.KINDS, since)
        for name, meter in known.items():
            reason = None if meter.id in keyed else sealed.unknown_reason(name)
            released += frames.release(tx, organization, name, reason=reason)
    return released


def _known(tx: Tx, scope: Scope, names: Sequence[str]) -> dict[str, Known]:
    """Those of the names that frames wait under which are one meter's by now."""
    found = meters.resolve(tx, scope, {other for name in names for other in sealed.also_called(name)})
    meant = {
        name: next((found[other] for other in sealed.also_called(name) if found.get(other)), [])
        for name in names
    }
    return {name: some[0] for name, some in meant.items() if len(some) == 1}
