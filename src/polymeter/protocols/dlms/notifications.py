"""Finding readings in what a meter pushes: the patterns that manufacturers use.

A notification's body is any value at all; only habit says where the readings are. The generic
decoding stays in `axdr`. This layer walks over typed items and knows these habits:

* the list of pushed objects first, then their values in the same order;
* a structure for each object: OBIS code and value, perhaps scaler and unit, perhaps class and
  attribute in front, or all of it the other way round;
* OBIS codes and values side by side in one structure, nulls between them or not;
* rows of a profile, each with its time first;
* bare values, whose meaning only the meter's push setup knows: they are numbered by their place.

Two meters break A-XDR itself; `untagged` reads them where the rules do not.
Every value becomes a Record, whatever it is; nulls are no values.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from polymeter.protocols import obis
from polymeter.protocols.dlms import times
from polymeter.protocols.dlms.apdus.descriptors import CaptureObject
from polymeter.protocols.dlms.axdr import shown
from polymeter.protocols.dlms.data import Item, Tag
from polymeter.protocols.dlms.times import DateTime
from polymeter.protocols.obis import OBIS
from polymeter.protocols.units import COSEM_UNITS
from polymeter.protocols.wire import Record, Value

__all__ = ["attribute_records", "records", "scaled"]

_CONTAINERS: Final = (Tag.ARRAY, Tag.STRUCTURE, Tag.COMPACT_ARRAY)
_SMALL: Final = (Tag.INTEGER, Tag.UNSIGNED)
_REGISTERS: Final = (3, 4)
_PUSH_SETUP: Final = 40


def records(body: Item, data: bytes, moment: datetime | None = None, layer: int = 0) -> tuple[Record, ...]:
    """The records of a notification's body; `moment` is the notification's own time, if it has one.

    Without one the first clock in the body stamps all values, for meters send their time either way.
    """
    finder = _Finder(data, moment, layer)
    if body.tag in _CONTAINERS:
        finder.container(body, "", moment)
    else:
        finder.emit(body, "value", moment)
    found = finder.records
    if moment is None:
        clock = next((record.value for record in found if _is_clock(record)), None)
        if isinstance(clock, datetime):
            found = [record if record.time else record._replace(time=clock) for record in found]
    return tuple(found)


def attribute_records(
    code: OBIS, attribute: int, value: Item, data: bytes, moment: datetime | None = None, layer: int = 0
) -> tuple[Record, ...]:
    """The records of one named attribute, as event notifications and answers carry it."""
    finder = _Finder(data, moment, layer)
    finder.named(code, attribute, value, moment)
    return tuple(finder.records)


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


def _is_clock(record: Record) -> bool:
    code = record.obis
    return isinstance(record.value, datetime) and (code is None or code.endswith(":1.0.0*255"))


def _code(item: Item) -> OBIS | None:
    """The OBIS code that an octet string is: six octets of a medium that exists."""
    value = item.value
    if item.tag != Tag.OCTET_STRING or len(value) != 6 or value[0] > 15 or 127 < value[5] < 255:
        return None
    return obis.from_bytes(value)


def _scaler_unit(item: Item) -> tuple[int, str | None] | None:
    """Scaler and unit of a structure of the two."""
    if item.tag != Tag.STRUCTURE or len(item.value) != 2:
        return None
    return _pair(item.value[0], item.value[1])


def _pair(scaler: Item, unit: Item) -> tuple[int, str | None] | None:
    if scaler.tag != Tag.INTEGER or unit.tag != Tag.ENUM:
        return None
    return scaler.value, COSEM_UNITS.get(unit.value)


def _capture_object(item: Item) -> CaptureObject | None:
    """The object that an entry of a push object list names. Later versions append fields."""
    if item.tag != Tag.STRUCTURE or not 4 <= len(item.value) <= 6:
        return None
    class_id, name, attribute, index = item.value[:4]
    code = _code(name)
    if code is None or class_id.tag != Tag.LONG_UNSIGNED or attribute.tag != Tag.INTEGER:
        return None
    return CaptureObject(class_id.value, code, attribute.value, index.value if index.value is not None else 0)


def _object_list(item: Item) -> tuple[CaptureObject, ...] | None:
    if item.tag not in _CONTAINERS or not item.value:
        return None
    objects = [_capture_object(entry) for entry in item.value]
    found = tuple(entry for entry in objects if entry is not None)
    return found if len(found) == len(objects) else None


class _Finder:
    """Records as they are found in one body."""

    def __init__(self, data: bytes, moment: datetime | None, layer: int) -> None:
        self.data = data
        self.moment = moment
        self.layer = layer
        self.records: list[Record] = []

    def emit(
        self,
        item: Item,
        name: str,
        moment: datetime | None,
        code: OBIS | None = None,
        scale: tuple[int, str | None] | None = None,
    ) -> None:
        """One record for a simple value, one for each value of a container."""
        if item.tag in _CONTAINERS:
            for index, child in enumerate(item.value):
                self.emit(child, f"{name} element {index + 1}", moment, code, scale)
            return
        if item.tag in (Tag.NULL_DATA, Tag.DONT_CARE):
            return
        value: Any = reading(item)
        unit = None
        if scale is not None and isinstance(value, int | Decimal):
            value, unit = scaled(value, scale[0]), scale[1]
        self.records.append(
            Record(
                name,
                value,
                unit,
                str(code) if code is not None else None,
                time=moment,
                layer=self.layer,
                offset=item.start,
                raw=self.data[item.start : item.end],
            )
        )

    def named(
        self,
        code: OBIS,
        attribute: int,
        item: Item,
        moment: datetime | None,
        scale: tuple[int, str | None] | None = None,
    ) -> None:
        """The value of one attribute. An attribute 0 is all of them: name, value, scaler and unit …"""
        if attribute == 0 and item.tag == Tag.STRUCTURE and len(item.value) > 1:
            own = _scaler_unit(item.value[2]) if len(item.value) > 2 else None
            self.emit(item.value[1], str(code), moment, code, own or scale)
            for index, child in enumerate(item.value[3 if own else 2 :], 4 if own else 3):
                self.emit(child, f"{code} attribute {index}", moment, code)
            return
        name = str(code) if attribute in (0, 2) else f"{code} attribute {attribute}"
        if item.tag in _CONTAINERS and any(child.tag in _CONTAINERS for child in item.value):
            self.container(item, name + " ", moment)
        else:
            self.emit(item, name, moment, code, scale)

    def container(self, item: Item, prefix: str, moment: datetime | None) -> None:
        """Everything in an array or structure."""
        items: Sequence[Item] = item.value
        if len(items) > 1 and (objects := _object_list(items[0])) is not None:
            left = self._by_objects(objects, items, moment)
            if left is not None:
                items = left
        first = items[0] if items else None
        if first is not None and len(items) > 1 and (stamp := _instant(first)) is not None:
            moment = stamp
        at = 0
        while at < len(items):
            at = self._one(items, at, prefix, moment)

    def _by_objects(
        self, objects: tuple[CaptureObject, ...], items: Sequence[Item], moment: datetime | None
    ) -> Sequence[Item] | None:
        """Values by the object list in front of them; `None` if their numbers do not fit."""
        values: Sequence[Item] = items[1:]
        if len(values) == 1 and values[0].tag == Tag.STRUCTURE and len(objects) != 1:
            values = values[0].value
        if len(values) == len(objects) - 1 and objects[0].class_id == _PUSH_SETUP:
            objects = objects[1:]  # the list itself is the first value
        if len(values) < len(objects):
            return None
        scales = {
            entry.instance: _scaler_unit(value)
            for entry, value in zip(objects, values, strict=False)
            if entry.class_id in _REGISTERS and entry.attribute == 3
        }
        registers = {entry.instance for entry in objects if entry.attribute == 2}
        for entry, value in zip(objects, values, strict=False):
            scale = scales.get(entry.instance)
            if scale is None or entry.attribute == 2:
                self.named(entry.instance, entry.attribute, value, moment, scale)
            elif entry.attribute != 3 or entry.instance not in registers:
                self.named(entry.instance, entry.attribute, value, moment)
        return values[len(objects) :]

    def _one(self, items: Sequence[Item], at: int, prefix: str, moment: datetime | None) -> int:
        """What begins at `at`; gives where the next begins."""
        item = items[at]
        code = _code(item)
        if code is not None:
            return self._after_code(code, 2, items, at + 1, moment)
        following = items[at + 1 : at + 4]
        if item.tag == Tag.LONG_UNSIGNED and len(following) == 3 and following[1].tag in _SMALL:
            code = _code(following[0])
            if code is not None:
                return self._after_code(code, following[1].value, items, at + 3, moment)
        if len(following) == 3 and at == 0 and following[0].tag == Tag.LONG_UNSIGNED:
            code, scale = _code(following[2]), _scaler_unit(following[1])
            if code is not None and scale is not None:  # value, class, scaler and unit, OBIS code
                self.emit(item, str(code), moment, code, scale)
                return at + 4
        if item.tag in _CONTAINERS:
            self.container(item, f"{prefix}element {at + 1} " if len(items) > 1 else prefix, moment)
        else:
            self.emit(item, f"{prefix}element {at + 1}", moment)
        return at + 1

    def _after_code(
        self, code: OBIS, attribute: int, items: Sequence[Item], at: int, moment: datetime | None
    ) -> int:
        """The value that follows an OBIS code at `at`, with scaler and unit if they follow."""
        if at < len(items) and items[at].tag == Tag.NULL_DATA:
            return at + 1
        if at >= len(items):
            return at
        value = items[at]
        at += 1
        scale = _scaler_unit(items[at]) if at < len(items) else None
        if scale is not None:
            at += 1
        elif at + 1 < len(items) and (scale := _pair(items[at], items[at + 1])) is not None:
            at += 2
        self.named(code, attribute, value, moment, scale)
        return at


def _instant(item: Item) -> datetime | None:
    """The instant that an item is, be it tagged as a date-time or as octets."""
    if item.tag == Tag.OCTET_STRING and times.looks_like_date_time(item.value):
        return times.instant(item.value)
    if isinstance(item.value, DateTime):
        return item.value.instant()
    return None


def reading(item: Item) -> Value:
    """The value of a simple item as a record gives it: times as times, readable octets as text."""
    value = item.value
    if item.tag == Tag.OCTET_STRING:
        moment = _instant(item)
        if moment is not None:
            return moment
        if value and all(0x20 <= octet < 0x7F for octet in value):
            text: str = value.decode("ascii")
            return text
    return shown(value)
