"""A reading: one exact value of one series on one meter at one instant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from polymeter.domain.instants import reading_id, to_second
from polymeter.domain.quality import Quality
from polymeter.domain.source import Source

__all__ = ["Reading", "Revision"]


@dataclass(frozen=True, slots=True)
class Reading:
    """What the store keeps of one (channel, instant)."""

    channel: int
    instant: datetime
    value: Decimal | str
    quality: Quality = Quality.GOOD
    source: Source = Source.PUSH
    received: datetime | None = None
    frame: int | None = None

    @property
    def id(self) -> int:
        """The integer id the HTTP interface shows."""
        return reading_id(self.channel, to_second(self.instant))


@dataclass(frozen=True, slots=True)
class Revision:
    """A value that was delivered for the same instant and is not the one in force."""

    channel: int
    instant: datetime
    number: int
    value: Decimal | str
    quality: Quality
    source: Source
    at: datetime
    by: UUID | None
    reason: str
    frame: int | None = None
