"""A message made ready for the store, or refused: what can be said of a reading without asking the store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from polymeter.domain import (
    Exact,
    InvalidInstant,
    InvalidValue,
    Quality,
    Source,
    UnknownQuality,
    UnknownSource,
    canonical_series,
    to_second,
)
from polymeter.ingest.outcome import Entrance, Outcome, Status
from polymeter.messages import NewMeterReading

__all__ = ["Item", "check"]

_YEAR_2000: Final = 946_684_800


@dataclass(slots=True)
class Item:
    """One well-formed reading on its way."""

    message: NewMeterReading
    second: int
    key: str
    organization: UUID | None
    quality: int
    source: Source
    received: datetime
    staged: int | None = None

    def exact(self, power: int) -> Exact:
        """The value, times ten to the `power`."""
        if self.message.value is None:
            return Exact.of(self.message.text or "")
        return Exact.parse(self.message.value, power)


def check(
    message: NewMeterReading, entrance: Entrance, received: datetime, tolerance_s: int
) -> Item | Outcome:
    """The reading made ready, or the reason why it can never be stored.

    A time in the future or before 2000 is kept and marked: a wrong clock is worth knowing about.
    """
    try:
        second = to_second(message.timestamp)
        if message.value is not None:
            Exact.parse(message.value)
        quality = Quality.of(message.quality) if message.quality else Quality.GOOD
        source = Source.of(message.source) if message.source else entrance.source
    except InvalidInstant as error:
        return _refused(f"timestamp: {error}")
    except InvalidValue as error:
        return _refused(f"value: {error}")
    except UnknownQuality as error:
        return _refused(f"quality: {error}")
    except UnknownSource as error:
        return _refused(f"source: {error}")
    for name, text in (("meter", message.meter), ("series", message.series)):
        if not text or "\0" in text:
            return _refused(f"{name}: is empty or holds a NUL character")
    for name, given in (("text", message.text), ("frame", message.frame)):
        # PostgreSQL cannot hold one; found there, it would take the whole batch along.
        if given is not None and "\0" in given:
            return _refused(f"{name}: holds a NUL character")
    organization = message.organization or entrance.organization
    if entrance.organization is not None and organization != entrance.organization:
        return _refused("organization: is not the one this entrance belongs to")
    if second > received.timestamp() + tolerance_s or second < _YEAR_2000:
        quality |= Quality.CLOCK_SUSPECT
    key = canonical_series(message.series)
    return Item(message, second, key, organization, int(quality), source, received)


def _refused(reason: str) -> Outcome:
    return Outcome(Status.REFUSED, reason, malformed=True)
