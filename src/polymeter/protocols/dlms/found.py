"""Values where they were found in a body, and the records that they become.

What one attribute says about another of the same object (scaler and unit, time of capture) is known
only when all of a body has been seen; so values are gathered first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from polymeter.protocols.dlms import times
from polymeter.protocols.dlms.axdr import shown
from polymeter.protocols.dlms.cosem import values_of
from polymeter.protocols.dlms.data import Item, Tag
from polymeter.protocols.dlms.patterns import (
    CONTAINERS,
    NULLS,
    Descriptor,
    Scale,
    instant_of,
    is_number,
    scaler_unit,
)
from polymeter.protocols.obis import OBIS
from polymeter.protocols.wire import Record, Value

__all__ = ["Found", "leaves", "make_records", "name_of", "reading", "scaled"]


class Found(NamedTuple):
    """A value where it was found, before it is known what others say about it."""

    item: Item
    name: str
    moment: datetime | None
    named: Descriptor | None = None

    @property
    def is_value(self) -> bool:
        """Whether it is what its object measures, rather than something about it."""
        named = self.named
        return named is not None and (
            named.attribute is None or named.attribute in values_of(named.class_id).attributes
        )


def name_of(named: Descriptor) -> str:
    """What the value of an attribute is called: the usual one like its object, others ``CODE/ATTRIBUTE``."""
    usual = values_of(named.class_id).attributes[0]
    return f"{named.code}" if named.attribute in (None, usual) else f"{named.code}/{named.attribute}"


def make_records(found: Sequence[Found], data: bytes, layer: int) -> list[Record]:
    """Records of what was found, each value with what other attributes say about it."""
    values = {one.named.code for one in found if one.is_value and one.named and scaler_unit(one.item) is None}
    scales: dict[OBIS, Scale] = {}
    captured: dict[OBIS, datetime] = {}
    told: set[int] = set()
    for place, one in enumerate(found):
        named = one.named
        if named is None or named.code not in values:
            continue
        layout = values_of(named.class_id)
        scale = scaler_unit(one.item)
        if scale is not None and named.attribute in (None, 2, layout.scale or 3):
            scales.setdefault(named.code, scale)
            told.add(place)
        elif layout.time is not None and named.attribute == layout.time:
            moment = instant_of(one.item)
            if moment is not None:
                captured.setdefault(named.code, moment)
    result: list[Record] = []
    for place, one in enumerate(found):
        if place in told:
            continue
        scale, moment = None, one.moment
        if one.named is not None:
            scale = one.named.scale
            if one.is_value:
                scale = scale or scales.get(one.named.code)
                moment = captured.get(one.named.code, moment)
        code = str(one.named.code) if one.named is not None else None
        for name, item in leaves(one.name, one.item, code is not None):
            result.append(_record(name, item, code, scale, moment, data, layer))
    return result


def leaves(name: str, item: Item, coded: bool) -> Iterator[tuple[str, Item]]:
    """The simple values of an item."""
    if item.tag not in CONTAINERS:
        if item.tag not in NULLS:
            yield name, item
        return
    for number, child in enumerate(item.value, 1):
        inner = f"{name}[{number}]" if coded else f"{name} element {number}".lstrip()
        yield from leaves(inner, child, coded)


def _record(
    name: str,
    item: Item,
    code: str | None,
    scale: Scale | None,
    moment: datetime | None,
    data: bytes,
    layer: int,
) -> Record:
    value: Any = reading(item)
    unit = None
    if scale is not None and is_number(item) and isinstance(value, int | Decimal):
        value, unit = scaled(value, scale[0]), scale[1]
    raw = data[item.start : item.end]
    return Record(name, value, unit, code, time=moment, layer=layer, offset=item.start, raw=raw)


def reading(item: Item) -> Value:
    """The value of a simple item as a record gives it: times as times, readable octets as text."""
    value = item.value
    if item.tag == Tag.OCTET_STRING:
        moment = instant_of(item)
        if moment is not None:
            return moment
        if value and all(0x20 <= octet < 0x7F for octet in value):
            text: str = value.decode("ascii")
            return text
        day = _day(value)
        if day is not None:
            return day
    return shown(value)


def _day(octets: bytes) -> date | None:
    """The date that five octets are, if their weekday is that of the day."""
    if len(octets) != 5 or not 1970 <= octets[0] << 8 | octets[1] <= 2199:
        return None
    day = times.decode_date(octets).date()
    return day if day is not None and octets[4] == day.isoweekday() else None


def scaled(value: int | Decimal, scaler: int) -> int | Decimal:
    """`value` times ten to the power of `scaler`, exactly."""
    if scaler == 0:
        return value
    if isinstance(value, int) and scaler > 0:
        return int(value * 10**scaler)
    if isinstance(value, int):
        sign, digits, _ = Decimal(value).as_tuple()
        return Decimal((sign, digits, scaler))
    if not value.is_finite():
        return value
    sign, digits, exponent = value.as_tuple()
    return Decimal((sign, digits, int(exponent) + scaler))
