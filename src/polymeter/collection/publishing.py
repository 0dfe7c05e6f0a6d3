"""From what a telegram says to a message on the bus: the meter's zone, the time, the source."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from polymeter.catalogue import TelegramReading
from polymeter.catalogue.readings import value_text
from polymeter.domain import Quality, Source, canonical_series, localize
from polymeter.messages import NewMeterReading, NewMeterReadings, encode, routing_key

__all__ = ["Origin", "batch_message", "messages_of"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose readings these are, and how they came."""

    meter: str
    organization: UUID | None
    zone: ZoneInfo
    source: Source
    received: datetime
    frame: str | None = None
    allowed: Container[str] | None = None
    """Keys of the series that the meter's configuration lets in; all of them if `None`."""


def messages_of(readings: Iterable[TelegramReading], origin: Origin) -> list[NewMeterReading]:
    """A message for each reading that has a value and is allowed.

    What the configuration does not ask for stays in the frame, where a replay finds it when the
    configuration changes: staging it would drown what waits for a meter.
    """
    return [
        _message(reading, origin)
        for reading in readings
        if reading.value is not None
        and reading.error is None
        and (origin.allowed is None or canonical_series(reading.series) in origin.allowed)
    ]


def _message(reading: TelegramReading, origin: Origin) -> NewMeterReading:
    instant, quality = _instant(reading.timestamp, origin)
    value = reading.value
    exact = Decimal(value) if isinstance(value, int | Decimal) else value_text(value) or ""
    return NewMeterReading.of(
        origin.meter,
        reading.series,
        instant,
        exact,
        organization=origin.organization,
        unit=reading.unit if isinstance(exact, Decimal) else None,
        quality=quality,
        source=origin.source,
        frame=origin.frame,
    )


def _instant(timestamp: datetime | None, origin: Origin) -> tuple[datetime, Quality]:
    if timestamp is None:
        return origin.received.astimezone(UTC).replace(microsecond=0), Quality.TIME_OF_RECEPTION
    if timestamp.tzinfo is None:
        # A fold of 1 is a meter's own word that summer time was over; 0 may be silence.
        return localize(timestamp, origin.zone, dst=False if timestamp.fold else None)
    return timestamp, Quality.GOOD


def batch_message(meter: str, messages: Iterable[NewMeterReading]) -> tuple[str, bytes]:
    """Readings of one meter as one message: its routing key and its body."""
    return routing_key("new_meter_readings", meter), encode(NewMeterReadings(tuple(messages)))
