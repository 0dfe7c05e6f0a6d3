"""From a protocol's Record to a reading with a name: what `decode` prints and drivers give.

A `TelegramReading` is a reading as the telegram has it, before the platform settles whose meter,
which zone and which unit it is; `polymeter.ingest` does that.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final

from polymeter.catalogue.names import quantity_of
from polymeter.catalogue.quirks import mended
from polymeter.catalogue.types import MeterType
from polymeter.protocols.wire import Record, Value

__all__ = ["TelegramReading", "series_name", "telegram_reading", "telegram_readings", "value_text"]

_OBIS: Final = re.compile(r"\d+-\d+:\d+\.\d+\.\d+\*\d+")


@dataclass(frozen=True, slots=True)
class TelegramReading:
    """One value of a telegram under the name of its series. `None` means absent."""

    series: str
    value: Value
    unit: str | None = None
    timestamp: datetime | None = None
    obis: str | None = None
    quantity: str = "unknown"
    function: str = "instantaneous"
    storage: int = 0
    tariff: int = 0
    subunit: int = 0
    layer: int = 0
    offset: int = 0
    raw: bytes = b""
    error: str | None = None
    """Why there is no value, in the meter's words, where it was asked and refused."""

    def as_dict(self) -> dict[str, Any]:
        """The reading as `decode --json` prints it."""
        fields: dict[str, Any] = {
            "series": self.series,
            "obis": self.obis,
            "quantity": self.quantity,
            "value": value_text(self.value),
            "unit": self.unit,
            "timestamp": self.timestamp.isoformat() if self.timestamp is not None else None,
            "function": self.function,
            "storage": self.storage,
            "tariff": self.tariff,
            "subunit": self.subunit,
            "layer": self.layer,
            "offset": self.offset,
            "raw": self.raw.hex(),
        }
        if self.error is not None:
            fields["error"] = self.error
        return fields


def value_text(value: Value) -> str | None:
    """A value as JSON has it: exact decimals, ISO times, hex for bytes that are no text."""
    match value:
        case None:
            return None
        case bool():
            return str(int(value))
        case Decimal():
            return format(value, "f") if value.is_finite() else str(value)
        case bytes():
            return value.decode("ascii") if _printable(value) else value.hex()
        case datetime() | date() | time():
            return value.isoformat()
        case _:
            return str(value)


def _printable(data: bytes) -> bool:
    return bool(data) and all(32 <= byte < 127 for byte in data)


def series_name(record: Record, quantity: str) -> str:
    """The name of a record's series: its OBIS code, else the quantity with what tells it apart."""
    if record.obis is not None:
        # What else an object says has a series of its own, as CODE/ATTRIBUTE or CODE[n].
        more = record.name.startswith((f"{record.obis}/", f"{record.obis}["))
        return record.name if more else record.obis
    name = quantity.replace(" ", "_")
    # A record whose own name begins with its quantity says more, as voltage.l1 does.
    if record.name and (quantity == "unknown" or record.name.partition(".")[0] == name):
        name = record.name
    return name + _apart(record)


def _apart(record: Record) -> str:
    """What tells a record apart from others of its quantity."""
    parts = ""
    if record.tariff:
        parts += f".t{record.tariff}"
    if record.storage:
        parts += f".s{record.storage}"
    if record.function in ("maximum", "minimum", "error"):
        parts += f".{record.function[:3]}"
    if record.subunit:
        parts += f".u{record.subunit}"
    return parts


def telegram_readings(records: Sequence[Record], meter_type: MeterType | None) -> tuple[TelegramReading, ...]:
    """Name the records of one telegram whose names are ours: no two of one instant share a series.

    Some meters send several counters with the same header, and leave it to their place what each is:
    from the second on they are called ``volume.n2``, ``volume.n3``, which a meter type may name.
    """
    readings = tuple([telegram_reading(record, meter_type) for record in records])
    if len({(reading.series, reading.timestamp) for reading in readings}) == len(readings):
        return readings
    seen: Counter[tuple[str, datetime | None]] = Counter()
    told_apart = []
    for record in records:
        key = (series_name(record, record.quantity), record.time)
        seen[key] += record.obis is None  # a code is no name of ours
        told_apart.append(telegram_reading(record, meter_type, seen[key]))
    return tuple(told_apart)


def telegram_reading(record: Record, meter_type: MeterType | None = None, nth: int = 1) -> TelegramReading:
    """Name a record, mended and by its meter type's own words where there is one.

    `nth` says that it is not the first of its series in the telegram.
    """
    if meter_type is not None and meter_type.quirks:
        record = mended(record, meter_type.quirks)
    quantity = record.quantity
    if quantity == "unknown" and record.obis is not None:
        quantity = quantity_of(record.obis)
    place = f".n{nth}" if nth > 1 else ""
    series, value, unit = series_name(record, quantity) + place, record.value, record.unit
    known, whole = None, True
    if meter_type is not None and meter_type.series:
        known = meter_type.series.get(series)
        whole = known is not None
        known = known or meter_type.series.get(record.name)
    code = record.obis
    if known is not None:
        if known.name is not None:
            is_code = _OBIS.fullmatch(known.name) is not None
            if code is None and is_code:
                code = known.name
                quantity = quantity_of(code) if quantity == "unknown" else quantity
            series = known.name if whole or is_code else known.name + _apart(record) + place
        quantity = known.quantity or quantity
        if unit is None or unit == known.instead_of:
            unit = known.unit or unit
        if known.scale and isinstance(value, int | Decimal):
            value = _scaled(Decimal(value), known.scale)
    return TelegramReading(
        series,
        value,
        unit,
        record.time,
        code,
        quantity,
        record.function,
        record.storage,
        record.tariff,
        record.subunit,
        record.layer,
        record.offset,
        record.raw,
    )


def _scaled(value: Decimal, scale: int) -> Decimal:
    """`value` times ten to the power of `scale`, exact: `Decimal.scaleb` rounds to 28 digits."""
    sign, digits, exponent = value.as_tuple()
    return Decimal((sign, digits, exponent + scale)) if isinstance(exponent, int) else value
