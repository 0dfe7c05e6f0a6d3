"""What the items of a pushed body look like: codes, scalers, capture objects, times.

A body says nothing about itself, so each of these is told by types and content alone. They are
narrow on purpose: what is taken for a code gives its name to the value behind it, and a wrong name
is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Final, NamedTuple

from polymeter.protocols import obis
from polymeter.protocols.dlms import times
from polymeter.protocols.dlms.apdus.descriptors import CaptureObject
from polymeter.protocols.dlms.cosem import interface_classes
from polymeter.protocols.dlms.data import Item, Tag
from polymeter.protocols.dlms.times import DateTime
from polymeter.protocols.obis import OBIS
from polymeter.protocols.units import COSEM_UNITS

__all__ = [
    "CONTAINERS",
    "NULLS",
    "Descriptor",
    "Scale",
    "capture_object",
    "code_of",
    "descriptor_at",
    "instant_of",
    "is_number",
    "object_list",
    "scale_at",
    "scaler_unit",
]

CONTAINERS: Final = (Tag.ARRAY, Tag.STRUCTURE, Tag.COMPACT_ARRAY)
NULLS: Final = (Tag.NULL_DATA, Tag.DONT_CARE)
_SMALL: Final = (Tag.INTEGER, Tag.UNSIGNED)
_TEXTS: Final = (Tag.OCTET_STRING, Tag.VISIBLE_STRING, Tag.UTF8_STRING)
_NOT_NUMBERS: Final = (
    *CONTAINERS, *NULLS, *_TEXTS, Tag.BOOLEAN, Tag.BIT_STRING, Tag.DATE_TIME, Tag.DATE, Tag.TIME,
)  # fmt: skip
_WRITTEN: Final = re.compile(
    r"\d{1,3}-\d{1,3}:\d{1,3}\.\d{1,3}\.\d{1,3}(?:\*\d{1,3})?|\d{1,3}\.\d{1,3}\.\d{1,3}"
)
_MEDIUM_MAX: Final = 15
_ATTRIBUTE_MAX: Final = 32

Scale = tuple[int, str | None]
"""A power of ten and a unit."""


class Descriptor(NamedTuple):
    """What names the value behind it, and how many items that takes."""

    code: OBIS
    items: int
    attribute: int | None = None
    class_id: int | None = None
    scale: Scale | None = None


def is_number(item: Item) -> bool:
    """Whether an item is of a numeric type, floats, enumerations and BCD included."""
    return item.tag not in _NOT_NUMBERS


def code_of(item: Item) -> OBIS | None:
    """The OBIS code that an octet string is: six octets of a medium that exists."""
    return _code(item.value) if item.tag == Tag.OCTET_STRING and len(item.value) == 6 else None


def _code(octets: bytes) -> OBIS | None:
    return None if octets[0] > _MEDIUM_MAX or 127 < octets[5] < 255 else obis.from_bytes(octets)


def _written_code(item: Item) -> OBIS | None:
    """The OBIS code that a text spells out, as in ``1-0:1.8.0*255`` or ``1.8.0``."""
    if item.tag not in _TEXTS or not 5 <= len(item.value) <= 23:
        return None
    text = item.value.decode("latin-1") if isinstance(item.value, bytes) else item.value
    return obis.parse(text) if _WRITTEN.fullmatch(text) else None


def scaler_unit(item: Item) -> Scale | None:
    """Scaler and unit of a structure of the two."""
    return _pair(*item.value) if item.tag == Tag.STRUCTURE and len(item.value) == 2 else None


def _pair(scaler: Item, unit: Item) -> Scale | None:
    if scaler.tag != Tag.INTEGER or unit.tag != Tag.ENUM:
        return None
    return scaler.value, COSEM_UNITS.get(unit.value)


def scale_at(items: Sequence[Item], at: int) -> tuple[Scale | None, int]:
    """The scaler and unit at `at`, as a structure or side by side, and where they end."""
    if at < len(items) and (scale := scaler_unit(items[at])) is not None:
        return scale, at + 1
    if at + 1 < len(items) and (scale := _pair(items[at], items[at + 1])) is not None:
        return scale, at + 2
    return None, at


def instant_of(item: Item) -> datetime | None:
    """The instant that an item is, be it tagged as a date-time or as octets."""
    if item.tag == Tag.OCTET_STRING and times.looks_like_date_time(item.value):
        return times.instant(item.value)
    return item.value.instant() if isinstance(item.value, DateTime) else None


def capture_object(item: Item) -> CaptureObject | None:
    """The object that an entry of a push object list names. Later versions append fields."""
    if item.tag != Tag.STRUCTURE or not 3 <= len(item.value) <= 6:
        return None
    class_id, name, attribute = item.value[:3]
    code = code_of(name)
    if code is None or class_id.tag != Tag.LONG_UNSIGNED or attribute.tag not in _SMALL:
        return None
    index = item.value[3] if len(item.value) > 3 else None
    if index is None or index.tag in NULLS:
        return CaptureObject(class_id.value, code, attribute.value)
    if index.tag != Tag.LONG_UNSIGNED:
        return None
    return CaptureObject(class_id.value, code, attribute.value, index.value)


def object_list(item: Item) -> tuple[CaptureObject, ...] | None:
    """The objects that every entry of an array names; `None` if one names none."""
    if item.tag not in CONTAINERS or not item.value:
        return None
    objects = []
    for entry in item.value:
        found = capture_object(entry)
        if found is None:
            return None
        objects.append(found)
    return tuple(objects)


def descriptor_at(items: Sequence[Item], at: int) -> Descriptor | None:
    """What names a value at `at`: a code, with class and attribute around it or not.

    `None` also if nothing follows that it could name.
    """
    item = items[at]
    if at + 1 >= len(items):
        return None
    code = code_of(item)
    if code is not None:
        if at == 0 and len(items) == 3 and _is_attribute(items[1], items[2]):
            return Descriptor(code, 2, items[1].value)
        return Descriptor(code, 1)
    if item.tag in (Tag.LONG_UNSIGNED, Tag.UNSIGNED) and at + 2 < len(items):
        code = code_of(items[at + 1])
        return _with_class(items, at, code) if code is not None else None
    if item.tag == Tag.OCTET_STRING and len(item.value) in (8, 9) and item.value[0] == 0:
        return _in_one_string(item.value)
    code = _written_code(item)
    if code is not None and (is_number(items[at + 1]) or items[at + 1].tag in CONTAINERS or len(items) == 2):
        return Descriptor(code, 1)
    return None


def _is_attribute(number: Item, value: Item) -> bool:
    """Whether the middle one of three is the number of an attribute: code, attribute, value."""
    least, most = (2, _ATTRIBUTE_MAX) if number.tag == Tag.INTEGER else (2, 2)
    if number.tag not in _SMALL or not least <= number.value <= most or value.tag in NULLS:
        return False
    return scaler_unit(value) is None and instant_of(value) is None and value.tag != Tag.ENUM


def _with_class(items: Sequence[Item], at: int, code: OBIS) -> Descriptor | None:
    """Class and code; then an attribute, or, as some meters have it, a bare scaler, or neither."""
    class_id = items[at].value
    following = items[at + 2]
    if following.tag in _SMALL and at + 3 < len(items):
        number, value = following.value, items[at + 3]
        if 1 < number <= _ATTRIBUTE_MAX or (number == 0 and value.tag == Tag.STRUCTURE):
            return Descriptor(code, 3, number, class_id)
        if number == 1 and value.tag in _TEXTS:
            return Descriptor(code, 3, number, class_id)
        if following.tag == Tag.INTEGER and is_number(value):
            return Descriptor(code, 3, None, class_id, (number, None))
    if at == 0 and len(items) <= 5 and _is_class(class_id):
        return Descriptor(code, 2, None, class_id)
    return None


def _in_one_string(octets: bytes) -> Descriptor | None:
    """Class, code and perhaps attribute in one octet string, as descriptors are on the wire."""
    code = _code(octets[2:8])
    attribute = octets[8] if len(octets) == 9 else None
    if code is None or octets[7] != 0xFF or not _is_class(octets[1]):
        return None
    if attribute is not None and not 0 < attribute <= _ATTRIBUTE_MAX:
        return None
    return Descriptor(code, 1, attribute, octets[1])


@cache
def _class_ids() -> frozenset[int]:
    return frozenset(number for number, _ in interface_classes())


def _is_class(number: int) -> bool:
    return number in _class_ids()
