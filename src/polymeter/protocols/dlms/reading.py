"""Reading a meter by what it says of itself: object list, values with units, profiles, clock.

Nothing of a meter need be known beforehand. The association's object list names the objects, their
classes say which attributes hold values and which their scaler and unit, a profile names its own
columns. Values come as Records, exactly scaled. Refusals are values here too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from polymeter.protocols import obis
from polymeter.protocols.dlms.apdus import (
    AttributeDescriptor,
    CaptureObject,
    Conformance,
    MethodDescriptor,
    Selection,
    select_by_range,
)
from polymeter.protocols.dlms.axdr import Data, shown
from polymeter.protocols.dlms.connection import Connection
from polymeter.protocols.dlms.cosem import VALUE_CLASSES, values_of
from polymeter.protocols.dlms.data import Item, Tag, octet_string
from polymeter.protocols.dlms.found import reading, scaled
from polymeter.protocols.dlms.procedures import Timing, action, get, get_with_list, set_attribute
from polymeter.protocols.dlms.profiles import capture_objects, is_clock, rows
from polymeter.protocols.dlms.selection import chosen_columns
from polymeter.protocols.dlms.times import DateTime, instant
from polymeter.protocols.obis import OBIS
from polymeter.protocols.procedure import Procedure
from polymeter.protocols.units import COSEM_UNITS
from polymeter.protocols.wire import Record, RemoteProtocolError, Value

__all__ = [
    "CLOCK",
    "VALUE_CLASSES",
    "ListedObject",
    "Profile",
    "Refusal",
    "Scales",
    "read_attribute",
    "read_clock",
    "read_object_list",
    "read_profile",
    "read_values",
    "set_clock",
    "switch",
]

CLOCK: Final = OBIS(0, 0, 1, 0, 0)
DISCONNECT_CONTROL: Final = OBIS(0, 0, 96, 3, 10)
ASSOCIATION: Final = OBIS(0, 0, 40, 0, 0)
_ASSOCIATION_CLASS: Final = 15
_READ_BIT: Final = 1
_UNREADABLE: Final = (0, 2, 5)
"""No access, write only, authenticated write only."""


class ListedObject(NamedTuple):
    """An object of the association's list. `None` for rights: the meter does not tell them."""

    class_id: int
    version: int
    name: OBIS
    attributes: tuple[tuple[int, int], ...] | None = None
    """Attribute numbers with access modes; 0 is no access."""
    methods: tuple[tuple[int, int], ...] | None = None
    in_bits: bool = False
    """Whether access modes are bits, as associations from version 3 on have them."""

    def readable(self, attribute: int) -> bool:
        """Whether this client may read the attribute, as far as the list tells."""
        if self.attributes is None:
            return True
        mode = dict(self.attributes).get(attribute, 0)
        return bool(mode & _READ_BIT) if self.in_bits else mode not in _UNREADABLE


class Refusal(NamedTuple):
    """What a meter refused: which attribute, and the number of its `DataAccessResult`."""

    attribute: AttributeDescriptor
    result: int


@dataclass(slots=True)
class Scales:
    """Scaler and unit code of the registers seen so far; they do not change while one reads."""

    known: dict[OBIS, tuple[int, int] | None] = field(default_factory=dict)

    def apply(self, name: OBIS, value: Value) -> tuple[Value, str | None]:
        """The value scaled exactly, with its unit."""
        scale = self.known.get(name)
        if scale is None or not isinstance(value, int | Decimal) or isinstance(value, bool):
            return value, None
        return scaled(value, scale[0]), COSEM_UNITS.get(scale[1])

    def learn(self, name: OBIS, result: Data | int) -> None:
        """Keep what a scaler_unit attribute answered; a refusal means that there is none."""
        match result:
            case Data(value=[int(scaler), int(unit)]):
                self.known[name] = scaler, unit
            case _:
                self.known[name] = None


@dataclass(frozen=True, slots=True)
class Profile:
    """Rows of a profile. Times are datetimes, other values as the meter has them, scaled."""

    columns: tuple[CaptureObject, ...]
    units: tuple[str | None, ...]
    rows: tuple[tuple[Value, ...], ...]
    period_s: int = 0


def read_object_list(
    connection: Connection, timing: Timing = Timing()
) -> Procedure[list[ListedObject] | Refusal]:
    """The objects that this client may see, from the current association."""
    attribute = AttributeDescriptor(_ASSOCIATION_CLASS, ASSOCIATION, 2)
    result = yield from get(connection, attribute, None, timing)
    if isinstance(result, int):
        return Refusal(attribute, result)
    if not isinstance(result.value, list):
        raise RemoteProtocolError("the object list is no array")
    listed = [_listed(entry) for entry in result.value]
    if any(one.class_id == _ASSOCIATION_CLASS and one.version >= 3 for one in listed):
        return [one._replace(in_bits=True) for one in listed]
    return listed


def _listed(entry: Any) -> ListedObject:
    match entry:
        case [int(class_id), int(version), bytes(name), *rest] if len(name) == 6:
            match rest:
                case [[list(attributes), list(methods)], *_]:
                    return ListedObject(
                        class_id, version, obis.from_bytes(name), _rights(attributes), _rights(methods)
                    )
            return ListedObject(class_id, version, obis.from_bytes(name))
    raise RemoteProtocolError(f"{entry!r} is no element of an object list")


def _rights(entries: list[Any]) -> tuple[tuple[int, int], ...]:
    found = []
    for entry in entries:
        match entry:
            case [int(number), int(mode), *_]:
                found.append((number, mode))
    return tuple(found)


def read_values(
    connection: Connection,
    objects: Sequence[ListedObject],
    scales: Scales,
    timing: Timing = Timing(),
    list_max: int = 32,
) -> Procedure[list[Record | Refusal]]:
    """The values of objects, in their order. Objects of other classes give their attribute 2."""
    wanted: list[AttributeDescriptor] = []
    for one in objects:
        layout = values_of(one.class_id)
        wanted += [
            AttributeDescriptor(one.class_id, one.name, attribute)
            for attribute in (*layout.attributes, layout.time)
            if attribute is not None and one.readable(attribute)
        ]
        if layout.scale is not None and one.name not in scales.known:
            wanted.append(AttributeDescriptor(one.class_id, one.name, layout.scale))
    results = yield from get_with_list(connection, wanted, timing, list_max)
    answered = dict(zip(wanted, results, strict=True))
    records: list[Record | Refusal] = []
    for one in objects:
        layout = values_of(one.class_id)
        if layout.scale is not None and one.name not in scales.known:
            key = AttributeDescriptor(one.class_id, one.name, layout.scale)
            scales.learn(one.name, answered[key])
        captured = None
        if layout.time is not None:
            captured = _moment(answered.get(AttributeDescriptor(one.class_id, one.name, layout.time)))
        for attribute in layout.attributes:
            key = AttributeDescriptor(one.class_id, one.name, attribute)
            result = answered.get(key)
            if isinstance(result, int):
                records.append(Refusal(key, result))
            elif result is not None:
                records += _records(key, result, scales, captured)
    return records


def read_attribute(
    connection: Connection, attribute: AttributeDescriptor, scales: Scales, timing: Timing = Timing()
) -> Procedure[list[Record | Refusal]]:
    """One attribute of any class, value by value."""
    result = yield from get(connection, attribute, None, timing)
    if isinstance(result, int):
        return [Refusal(attribute, result)]
    layout = values_of(attribute.class_id)
    scaled_here = layout.scale is not None and attribute.attribute in layout.attributes
    if scaled_here and layout.scale is not None and attribute.instance not in scales.known:
        key = AttributeDescriptor(attribute.class_id, attribute.instance, layout.scale)
        scales.learn(attribute.instance, (yield from get(connection, key, None, timing)))
    return list(_records(attribute, result, scales if scaled_here else Scales(), None))


def _moment(result: Data | int | None) -> datetime | None:
    value = result.value if isinstance(result, Data) else None
    if isinstance(value, DateTime):
        return value.instant()
    return instant(value) if isinstance(value, bytes) else None


def _records(
    attribute: AttributeDescriptor, result: Data, scales: Scales, captured: datetime | None
) -> list[Record]:
    """A record for a simple value, one for each element of a compound one."""
    code = str(attribute.instance)
    usual = values_of(attribute.class_id).attributes[0]
    name = code if attribute.attribute == usual else f"{code}/{attribute.attribute}"
    records = []
    for suffix, item in _leaves(result.item()):
        value, unit = scales.apply(attribute.instance, reading(item))
        raw = result.encoded[item.start : item.end]
        records.append(Record(name + suffix, value, unit, code, time=captured, offset=item.start, raw=raw))
    return records


def _leaves(item: Item) -> list[tuple[str, Item]]:
    if item.tag not in (Tag.ARRAY, Tag.STRUCTURE, Tag.COMPACT_ARRAY):
        return [("", item)]
    return [
        (f"[{number}]{suffix}", leaf)
        for number, child in enumerate(item.value, 1)
        for suffix, leaf in _leaves(child)
    ]


def read_profile(
    connection: Connection,
    name: OBIS,
    selection: Selection | tuple[datetime, datetime] | None = None,
    scales: Scales | None = None,
    timing: Timing = Timing(),
    inverted_deviation: bool = False,
) -> Procedure[Profile | Refusal]:
    """Rows of a profile: those selected, those captured between two instants, or all.

    A meter without selective access, or a profile without a clock, gives all rows; those outside
    two instants are then left out here.
    """
    scales = scales if scales is not None else Scales()
    about = [AttributeDescriptor(7, name, attribute) for attribute in (3, 4)]
    captured, period = yield from get_with_list(connection, about, timing)
    if isinstance(captured, int):
        return Refusal(about[0], captured)
    columns = capture_objects(captured.value)
    clock = next((column for column in columns if is_clock(column)), None)
    between = selection if isinstance(selection, tuple) and not isinstance(selection, Selection) else None
    chosen = selection if isinstance(selection, Selection) else None
    if between is not None and clock is not None and Conformance.SELECTIVE_ACCESS in connection.conformance:
        start, end = (DateTime.of(moment, 0, inverted_deviation) for moment in between)
        chosen = select_by_range(start, end, clock)
    elif chosen is not None:
        columns = chosen_columns(chosen, columns)
    period_s = period.value if isinstance(period, Data) and isinstance(period.value, int) else 0
    yield from _learn_scales(connection, columns, scales, timing)
    buffer = AttributeDescriptor(7, name, 2)
    result = yield from get(connection, buffer, chosen, timing)
    if isinstance(result, int):
        return Refusal(buffer, result)
    found = rows(result.value, columns, period_s, inverted_deviation=inverted_deviation)
    if between is not None and clock is not None:
        place = columns.index(clock)
        found = [row for row in found if _within(row[place], *between)]
    units = tuple(scales.apply(column.instance, 0)[1] if _is_scaled(column) else None for column in columns)
    return Profile(columns, units, tuple(_scaled_row(columns, row, scales) for row in found), period_s)


def _within(moment: Any, start: datetime, end: datetime) -> bool:
    """Whether a row belongs to the range; one whose time cannot be compared is not thrown away."""
    if not isinstance(moment, datetime) or (moment.tzinfo is None) != (start.tzinfo is None):
        return True
    return start <= moment <= end


def _is_scaled(column: CaptureObject) -> bool:
    layout = VALUE_CLASSES.get(column.class_id)
    return layout is not None and layout.scale is not None and column.attribute in layout.attributes


def _learn_scales(
    connection: Connection, columns: Iterable[CaptureObject], scales: Scales, timing: Timing
) -> Procedure[None]:
    wanted = []
    for column in columns:
        scale = VALUE_CLASSES[column.class_id].scale if _is_scaled(column) else None
        if scale is not None and column.instance not in scales.known:
            wanted.append(AttributeDescriptor(column.class_id, column.instance, scale))
    wanted = list(dict.fromkeys(wanted))
    results = yield from get_with_list(connection, wanted, timing)
    for attribute, result in zip(wanted, results, strict=True):
        scales.learn(attribute.instance, result)


def _scaled_row(columns: Sequence[CaptureObject], row: Sequence[Any], scales: Scales) -> tuple[Value, ...]:
    return tuple(
        scales.apply(column.instance, value)[0] if _is_scaled(column) else shown(value)
        for column, value in zip(columns, row, strict=True)
    )


def read_clock(
    connection: Connection, name: OBIS = CLOCK, timing: Timing = Timing(), inverted_deviation: bool = False
) -> Procedure[datetime | Refusal]:
    """The meter's time; naive if the meter gives no deviation."""
    attribute = AttributeDescriptor(8, name, 2)
    result = yield from get(connection, attribute, None, timing)
    if isinstance(result, int):
        return Refusal(attribute, result)
    value = result.value
    moment = value.instant(inverted_deviation) if isinstance(value, DateTime) else None
    if isinstance(value, bytes):
        moment = instant(value, inverted_deviation)
    if moment is None:
        raise RemoteProtocolError(f"the meter's clock shows no time: {result.encoded.hex()}")
    return moment


def set_clock(
    connection: Connection,
    now: datetime,
    name: OBIS = CLOCK,
    timing: Timing = Timing(),
    inverted_deviation: bool = False,
) -> Procedure[int]:
    """Set the meter's time: 0, or the number of the refusal."""
    attribute = AttributeDescriptor(8, name, 2)
    value = octet_string(bytes(DateTime.of(now, 0, inverted_deviation)))
    return (yield from set_attribute(connection, attribute, value, None, timing))


def switch(
    connection: Connection, on: bool, name: OBIS = DISCONNECT_CONTROL, timing: Timing = Timing()
) -> Procedure[int]:
    """Disconnect or reconnect the supply: 0, or the number of the refusal."""
    method = MethodDescriptor(70, name, 2 if on else 1)
    response = yield from action(connection, method, Item(Tag.INTEGER, 0), timing)
    return response.result
