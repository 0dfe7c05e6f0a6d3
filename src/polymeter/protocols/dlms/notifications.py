"""Finding readings in what a meter pushes: the patterns that manufacturers use.

A notification's body is any value at all; only habit says where the readings are. The generic
decoding stays in `axdr`, what single items look like in `patterns`. This layer walks over typed
items and knows these habits:

* the list of pushed objects first, then their values in the same order, or rows of them;
* all codes, then all values, then perhaps all scalers;
* a structure for each object: OBIS code and value, perhaps scaler and unit before or behind, perhaps
  class and attribute in front, perhaps the time of the value, or all of it the other way round;
* OBIS codes and values side by side in one structure, nulls between them or not;
* a scaler as an attribute of its own, anywhere;
* rows of a profile, each with its time first;
* bare values, whose meaning only the meter's push setup knows: they are numbered by their place.

Some meters break A-XDR itself; `irregular` reads them where the rules do not.
Every value becomes a Record, whatever it is; nulls are no values. The usual attribute of an object
has the object's code for a name, others ``CODE/ATTRIBUTE``, elements of a compound value ``CODE[n]``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from polymeter.protocols.dlms.apdus.descriptors import CaptureObject
from polymeter.protocols.dlms.data import Item, Tag
from polymeter.protocols.dlms.found import Found, leaves, make_records, name_of
from polymeter.protocols.dlms.patterns import (
    CONTAINERS,
    NULLS,
    Descriptor,
    Scale,
    code_of,
    descriptor_at,
    instant_of,
    object_list,
    scale_at,
    scaler_unit,
)
from polymeter.protocols.dlms.profiles import is_clock
from polymeter.protocols.obis import OBIS
from polymeter.protocols.wire import Record

__all__ = ["attribute_records", "records"]

_PUSH_SETUP: Final = 40
_PROFILE: Final = 7
_LISTS_WITHIN: Final = 4
"""Among how many of the first items the list of objects is looked for."""


def records(body: Item, data: bytes, moment: datetime | None = None, layer: int = 0) -> tuple[Record, ...]:
    """The records of a notification's body; `moment` is the notification's own time, if it has one.

    Without one the first clock in the body stamps all values, for meters send their time either way.
    """
    finder = _Finder()
    if body.tag in CONTAINERS:
        finder.container(body, "", moment)
    else:
        finder.found.append(Found(body, "value", moment))
    found = make_records(finder.found, data, layer)
    if moment is None:
        clock = next((record.value for record in found if _is_clock(record)), None)
        if isinstance(clock, datetime):
            found = [record if record.time else record._replace(time=clock) for record in found]
    return tuple(found)


def attribute_records(
    code: OBIS,
    attribute: int,
    value: Item,
    data: bytes,
    moment: datetime | None = None,
    layer: int = 0,
    class_id: int | None = None,
) -> tuple[Record, ...]:
    """The records of one named attribute, as event notifications and answers carry it."""
    finder = _Finder()
    finder.named(Descriptor(code, 0, attribute, class_id), value, moment)
    return tuple(make_records(finder.found, data, layer))


class _Finder:
    """Values as they are found in one body."""

    def __init__(self) -> None:
        self.found: list[Found] = []

    def named(self, named: Descriptor, item: Item, moment: datetime | None) -> None:
        """The value of one attribute. An attribute 0 is all of them, the logical name first."""
        if named.attribute == 0 and item.tag == Tag.STRUCTURE and len(item.value) > 1:
            first = 1 if code_of(item.value[0]) == named.code else 0
            for number, child in enumerate(item.value[first:], first + 1):
                self.named(named._replace(attribute=number), child, moment)
            return
        if item.tag in NULLS:
            return
        name = name_of(named)
        if item.tag in CONTAINERS and named.scale is None and scaler_unit(item) is None:
            inner = _unwrapped(item)
            if inner is not None:
                value, scale, at = inner
                own = named._replace(scale=scale or named.scale)
                self.found.append(Found(value, name, at or moment, own))
                return
            if any(child.tag in CONTAINERS for child in item.value):
                self.container(item, name + " ", moment)
                return
        self.found.append(Found(item, name, moment, named))

    def container(self, item: Item, prefix: str, moment: datetime | None) -> None:
        """Everything in an array or structure."""
        items: Sequence[Item] = item.value
        if _names_only(item):
            # No reading of the objects that it names: the numbers say which part of them is meant.
            self.found += [Found(leaf, name, moment) for name, leaf in leaves(prefix.rstrip(), item, False)]
            return
        if len(items) > 1 and (stamp := instant_of(items[0])) is not None:
            moment = stamp
        at = 0
        while at < len(items):
            if at < _LISTS_WITHIN:
                after = self._by_list(items, at, moment)
                if after is not None:
                    at = after
                    continue
            at = self._one(items, at, prefix, moment)

    def _by_list(self, items: Sequence[Item], at: int, moment: datetime | None) -> int | None:
        """A list at `at` and the values that it names: where they end, `None` if there is none."""
        if items[at].tag not in CONTAINERS or at + 1 >= len(items):
            return None
        objects = object_list(items[at])
        if objects is not None:
            return self._by_objects(objects, items, at, moment)
        codes = [code_of(entry) for entry in items[at].value] if items[at].tag == Tag.ARRAY else []
        values = items[at + 1]
        if len(codes) < 2 or None in codes or values.tag not in CONTAINERS or len(values.value) != len(codes):
            return None
        scales, end = _scales(items, at + 2, len(codes))
        for code, value, scale in zip(codes, values.value, scales, strict=True):
            assert code is not None
            self.named(Descriptor(code, 0, None, None, scale), value, moment)
        return end

    def _by_objects(
        self, objects: Sequence[CaptureObject], items: Sequence[Item], at: int, moment: datetime | None
    ) -> int | None:
        """Values by the object list at `at`; `None` if their numbers do not fit.

        The list may be a value itself, that of the push setup. Then it stands in its place among them.
        """
        count, left = len(objects), len(items) - at - 1
        if at < count <= at + 1 + left and _is_push_setup(objects[at]):
            self._pairs(objects[at + 1 :], items[at + 1 : count], moment)
            return count
        after = items[at + 1]
        for wanted in (objects, objects[1:]) if objects[0].class_id == _PUSH_SETUP else (objects,):
            count = len(wanted)
            if count > 1 and after.tag in CONTAINERS and len(after.value) == count:
                scales, end = _scales(items, at + 2, count)
                self._pairs(wanted, after.value, moment, scales)
                return end
            if count > 1 and after.tag in CONTAINERS and _are_rows(after, count):
                self._rows(wanted, after.value, moment)
                return at + 2
            if count and left >= count:
                self._pairs(wanted, items[at + 1 : at + 1 + count], moment)
                return at + 1 + count
        return None

    def _pairs(
        self,
        objects: Sequence[CaptureObject],
        values: Sequence[Item],
        moment: datetime | None,
        scales: Sequence[Scale | None] = (),
    ) -> None:
        """Values by the objects that they belong to, in the same order."""
        profiles = {
            entry.instance: columns
            for entry, value in zip(objects, values, strict=True)
            if (entry.class_id, entry.attribute) == (_PROFILE, 3) and (columns := object_list(value))
        }
        for number, (entry, value) in enumerate(zip(objects, values, strict=True)):
            columns = profiles.get(entry.instance) if entry.class_id == _PROFILE else None
            if columns and entry.attribute == 2 and _are_rows(value, len(columns)):
                self._rows(columns, value.value, moment)
                continue
            if columns and entry.attribute == 3 and any(one.attribute == 2 for one in objects):
                continue  # told by the rows
            scale = scales[number] if number < len(scales) else None
            self.named(Descriptor(entry.instance, 0, entry.attribute, entry.class_id, scale), value, moment)

    def _rows(self, columns: Sequence[CaptureObject], rows: Sequence[Item], moment: datetime | None) -> None:
        """Rows of a profile; each is stamped by its clock."""
        clock = next((place for place, column in enumerate(columns) if is_clock(column)), None)
        for row in rows:
            stamp = instant_of(row.value[clock]) if clock is not None else None
            self._pairs(columns, row.value, stamp or moment)

    def _one(self, items: Sequence[Item], at: int, prefix: str, moment: datetime | None) -> int:
        """What begins at `at`; gives where the next begins."""
        named = descriptor_at(items, at)
        if named is not None:
            return self._after(named, items, at, moment)
        if at == 0 and (backwards := _backwards(items)) is not None:
            self.named(backwards, items[0], moment)
            return backwards.items
        item = items[at]
        if item.tag in CONTAINERS:
            self.container(item, f"{prefix}element {at + 1} " if len(items) > 1 else prefix, moment)
        else:
            self.found.append(Found(item, f"{prefix}element {at + 1}", moment))
        return at + 1

    def _after(self, named: Descriptor, items: Sequence[Item], start: int, moment: datetime | None) -> int:
        """The value that a descriptor at `start` names, with scaler and unit if they are there."""
        at = start + named.items
        scale, after = scale_at(items, at)
        if scale is not None and after < len(items) and code_of(items[after]) is None:
            at = after
        else:
            scale = None
        value = items[at]
        at += 1
        if scale is None:
            scale, at = scale_at(items, at)
        if start == 0 and len(items) - at in (1, 2):
            # One object and little more: its own time stamps it.
            moment = next(filter(None, map(instant_of, items[at:])), moment)
        self.named(named._replace(scale=scale or named.scale), value, moment)
        return at


def _names_only(item: Item) -> bool:
    """Whether an item is a list of objects by class, code, attribute and index, and no list of values.

    The index is 0 nearly always; another number may as well be a value.
    """
    objects = object_list(item)
    return objects is not None and not any(entry.data_index for entry in objects)


def _is_push_setup(one: CaptureObject) -> bool:
    """Whether an entry of the list is the list itself."""
    return (one.class_id, one.attribute) == (_PUSH_SETUP, 2)


def _are_rows(item: Item, count: int) -> bool:
    """Whether an item holds nothing but rows of so many columns."""
    return (
        item.tag in CONTAINERS
        and bool(item.value)
        and all(row.tag == Tag.STRUCTURE and len(row.value) == count for row in item.value)
    )


def _scales(items: Sequence[Item], at: int, count: int) -> tuple[list[Scale | None], int]:
    """The scalers and units of `count` values, if a container at `at` holds just them."""
    if at < len(items) and items[at].tag in CONTAINERS and len(items[at].value) == count:
        scales = [scaler_unit(entry) for entry in items[at].value]
        if None not in scales:
            return scales, at + 1
    return [None] * count, at


def _backwards(items: Sequence[Item]) -> Descriptor | None:
    """A value with what names it behind it: class or not, scaler and unit or not, OBIS code."""
    if items[0].tag in NULLS or items[0].tag in CONTAINERS:
        return None
    at = 2 if len(items) > 2 and items[1].tag == Tag.LONG_UNSIGNED and scaler_unit(items[2]) else 1
    scale, at = scale_at(items, at)
    code = code_of(items[at]) if at < len(items) else None
    if code is None or (scale is None and len(items) != 2):
        return None
    return Descriptor(code, at + 1, None, None, scale)


def _unwrapped(item: Item) -> tuple[Item, Scale | None, datetime | None] | None:
    """The one value in a structure that holds besides only its scaler and unit, or its time."""
    items = item.value
    if item.tag != Tag.STRUCTURE or not 2 <= len(items) <= 4:
        return None
    scale: Scale | None = None
    moment: datetime | None = None
    value: Item | None = None
    at = 0
    while at < len(items):
        found, after = scale_at(items, at)
        stamp = instant_of(items[at])
        if found is not None and scale is None:
            scale, at = found, after
            continue
        if stamp is not None and moment is None:
            moment = stamp
        elif value is None and items[at].tag not in CONTAINERS:
            value = items[at]
        else:
            return None
        at += 1
    return (value, scale, moment) if value is not None and (scale or moment) else None


def _is_clock(record: Record) -> bool:
    code = record.obis
    return isinstance(record.value, datetime) and (code is None or code.endswith(":1.0.0*255"))
