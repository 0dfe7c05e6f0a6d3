"""The objects inside a COSEM meter: attributes with values that live, methods that do something.

A `COSEMObject` knows what it is and who may do what with it; the functions below make those of
the common classes. Values are given as items or as functions that give the present one, so that a
simulated meter's registers move with time although nothing here knows a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final

from polymeter.protocols.dlms.apdus import ActionResult, CaptureObject, DataAccessResult, Selection
from polymeter.protocols.dlms.cosem import interface_class
from polymeter.protocols.dlms.data import Item, Tag, array, octet_string, structure
from polymeter.protocols.dlms.times import DateTime, decode_date_time
from polymeter.protocols.obis import OBIS

__all__ = [
    "COSEMObject",
    "Level",
    "MeterClock",
    "clock",
    "data",
    "demand_register",
    "disconnect_control",
    "extended_register",
    "push_setup",
    "register",
    "sap_assignment",
    "security_setup",
]


class Level(IntEnum):
    """Who a client is to the meter; each may do what those before it may."""

    PUBLIC = 0
    READING = 1
    MANAGEMENT = 2


Present = Item | Callable[[], Item]
Setter = Callable[[Item], DataAccessResult]
Method = Callable[[Item], ActionResult | Item]
"""Does something with its argument; an item in answer means success with a return value."""
Select = Callable[[Selection], DataAccessResult | Item]

READ_ONLY: Final = 1
READ_AND_WRITE: Final = 3


@dataclass(slots=True)
class COSEMObject:
    """One object: its class, its logical name, and what it can do."""

    class_id: int
    version: int
    name: OBIS
    attributes: Mapping[int, Present]
    """By number, from 2 on; attribute 1 is the logical name."""
    setters: Mapping[int, Setter] = field(default_factory=dict)
    methods: Mapping[int, Method] = field(default_factory=dict)
    selectors: Mapping[int, tuple[tuple[int, ...], Select]] = field(default_factory=dict)
    """By attribute: the access selectors it knows, and what applies them."""
    read_level: Level = Level.READING
    write_level: Level = Level.MANAGEMENT

    def get(self, number: int, level: Level, selection: Selection | None) -> Item | DataAccessResult:
        """The value of an attribute, or why there is none."""
        if level < self.read_level:
            return DataAccessResult.READ_WRITE_DENIED
        if number == 1:
            return octet_string(bytes(self.name))
        if number not in self.attributes:
            return DataAccessResult.OBJECT_UNDEFINED
        if selection is not None:
            known, select = self.selectors.get(number, ((), None))
            if select is None or selection.selector not in known:
                return DataAccessResult.SCOPE_OF_ACCESS_VIOLATED
            return select(selection)
        present = self.attributes[number]
        return present() if callable(present) else present

    def set(self, number: int, level: Level, value: Item) -> DataAccessResult:
        """Write an attribute."""
        if level < self.read_level:
            return DataAccessResult.READ_WRITE_DENIED
        if number != 1 and number not in self.attributes:
            return DataAccessResult.OBJECT_UNDEFINED
        setter = self.setters.get(number)
        if setter is None or level < self.write_level:
            return DataAccessResult.READ_WRITE_DENIED
        return setter(value)

    def act(self, number: int, level: Level, argument: Item) -> ActionResult | Item:
        """Invoke a method."""
        if number not in self.methods:
            return ActionResult.OBJECT_UNDEFINED
        if level < self.write_level:
            return ActionResult.READ_WRITE_DENIED
        return self.methods[number](argument)

    def object_list_element(self, level: Level) -> Item:
        """How an association's object list shows this object to a client."""
        writes = level >= self.write_level
        attributes = []
        for number in (1, *sorted(self.attributes)):
            known, _ = self.selectors.get(number, ((), None))
            mode = READ_AND_WRITE if writes and number in self.setters else READ_ONLY
            selectors = array(*(Item(Tag.INTEGER, one) for one in known)) if known else Item(Tag.NULL_DATA)
            attributes.append(structure(Item(Tag.INTEGER, number), Item(Tag.ENUM, mode), selectors))
        methods = [
            structure(Item(Tag.INTEGER, number), Item(Tag.ENUM, int(writes)))
            for number in sorted(self.methods)
        ]
        return structure(
            Item(Tag.LONG_UNSIGNED, self.class_id),
            Item(Tag.UNSIGNED, self.version),
            octet_string(bytes(self.name)),
            structure(array(*attributes), array(*methods)),
        )


def scaler_unit(scaler: int, unit: int) -> Item:
    """A scaler_unit: power of ten and unit code."""
    return structure(Item(Tag.INTEGER, scaler), Item(Tag.ENUM, unit))


def date_time(moment: datetime, status: int | None = 0) -> Item:
    """A date-time as attributes carry it: an octet string of twelve octets."""
    return octet_string(bytes(DateTime.of(moment, status)))


def data(name: OBIS, value: Present, level: Level = Level.READING) -> COSEMObject:
    """Class 1."""
    return COSEMObject(1, 0, name, {2: value}, read_level=level)


def register(name: OBIS, value: Present, scaler: int, unit: int) -> COSEMObject:
    """Class 3."""
    return COSEMObject(3, 0, name, {2: value, 3: scaler_unit(scaler, unit)})


def extended_register(
    name: OBIS, value: Present, scaler: int, unit: int, captured: Callable[[], datetime]
) -> COSEMObject:
    """Class 4."""
    attributes: dict[int, Present] = {
        2: value,
        3: scaler_unit(scaler, unit),
        4: Item(Tag.UNSIGNED, 0),
        5: lambda: date_time(captured()),
    }
    return COSEMObject(4, 0, name, attributes)


def demand_register(
    name: OBIS,
    average: Callable[[datetime, timedelta], Item],
    scaler: int,
    unit: int,
    now: Callable[[], datetime],
    period: timedelta,
) -> COSEMObject:
    """Class 5: the average of a period so far, and that of the last whole one."""

    def start() -> datetime:
        moment = now()
        seconds = int(moment.timestamp())
        length = int(period.total_seconds())
        return moment.replace(microsecond=0) - timedelta(seconds=seconds % length)

    def current() -> Item:
        begun = start()
        return average(begun, max(now() - begun, timedelta(seconds=1)))

    attributes: dict[int, Present] = {
        2: current,
        3: lambda: average(start() - period, period),
        4: scaler_unit(scaler, unit),
        5: Item(Tag.UNSIGNED, 0),
        6: lambda: date_time(start()),
        7: lambda: date_time(start()),
        8: Item(Tag.DOUBLE_LONG_UNSIGNED, int(period.total_seconds())),
        9: Item(Tag.LONG_UNSIGNED, 1),
    }
    return COSEMObject(5, 0, name, attributes)


class MeterClock:
    """The meter's own idea of the time: that of its surroundings, and how far it was moved."""

    def __init__(self, source: Callable[[], datetime]) -> None:
        self._source = source
        self._moved = timedelta()

    def now(self) -> datetime:
        """The time by this clock; aware if its source is."""
        return self._source() + self._moved

    def set(self, moment: datetime) -> None:
        """Move the clock; a naive moment is taken in the zone of its source."""
        now = self._source()
        self._moved = (moment if moment.tzinfo is not None else moment.replace(tzinfo=now.tzinfo)) - now

    def shift(self, seconds: float) -> None:
        """Move the clock by seconds."""
        self._moved += timedelta(seconds=seconds)


def clock(
    meter_clock: MeterClock,
    changed: Callable[[], None] = lambda: None,
    name: OBIS = OBIS(0, 0, 1, 0, 0),
) -> COSEMObject:
    """Class 8; `changed` is told after each move."""

    def set_time(value: Item) -> DataAccessResult:
        octets = value.value
        if value.tag == Tag.DATE_TIME:
            octets = bytes(octets)
        elif value.tag != Tag.OCTET_STRING or len(octets) != 12:
            return DataAccessResult.TYPE_UNMATCHED
        moment = decode_date_time(octets).instant()
        if moment is None:
            return DataAccessResult.OTHER_REASON
        meter_clock.set(moment)
        changed()
        return DataAccessResult.SUCCESS

    def shift(value: Item) -> ActionResult:
        if value.tag != Tag.LONG or not -900 <= value.value <= 900:
            return ActionResult.TYPE_UNMATCHED
        meter_clock.shift(value.value)
        changed()
        return ActionResult.SUCCESS

    def adjust(to_s: int) -> Method:
        def method(_: Item) -> ActionResult:
            late = meter_clock.now().timestamp() % to_s
            meter_clock.shift(-late if late <= to_s / 2 else to_s - late)
            changed()
            return ActionResult.SUCCESS

        return method

    never = octet_string(b"\xff" * 9 + b"\x80\x00\xff")
    attributes: dict[int, Present] = {
        2: lambda: date_time(meter_clock.now()),
        3: lambda: Item(
            Tag.LONG, -round((meter_clock.now().utcoffset() or timedelta()).total_seconds() / 60)
        ),
        4: Item(Tag.UNSIGNED, 0),
        5: never,
        6: never,
        7: Item(Tag.INTEGER, 0),
        8: Item(Tag.BOOLEAN, False),
        9: Item(Tag.ENUM, 1),
    }
    methods = {1: adjust(900), 3: adjust(60), 6: shift}
    return COSEMObject(8, 0, name, attributes, {2: set_time}, methods, read_level=Level.PUBLIC)


def sap_assignment(devices: Iterable[tuple[int, bytes]]) -> COSEMObject:
    """Class 17: which logical device is where."""
    entries = [structure(Item(Tag.LONG_UNSIGNED, sap), octet_string(name)) for sap, name in devices]
    return COSEMObject(17, 0, OBIS(0, 0, 41, 0, 0), {2: array(*entries)}, read_level=Level.PUBLIC)


def disconnect_control(
    switched: Callable[[bool], None] = lambda _: None,
    name: OBIS = OBIS(0, 0, 96, 3, 10),
) -> COSEMObject:
    """Class 70 in control mode 2 (remote and manual disconnection, remote reconnection)."""
    connected = True

    def switch(on: bool) -> Method:
        def method(_: Item) -> ActionResult:
            nonlocal connected
            connected = on
            switched(on)
            return ActionResult.SUCCESS

        return method

    attributes: dict[int, Present] = {
        2: lambda: Item(Tag.BOOLEAN, connected),
        3: lambda: Item(Tag.ENUM, int(connected)),
        4: Item(Tag.ENUM, 2),
    }
    return COSEMObject(70, 0, name, attributes, methods={1: switch(False), 2: switch(True)})


def push_setup(
    objects: Iterable[CaptureObject],
    destination: str,
    push: Callable[[], None],
    transport: int = 0,
    name: OBIS = OBIS(0, 0, 25, 9, 0),
) -> COSEMObject:
    """Class 40: what is pushed, where to (transport 0 is TCP, 1 UDP), and the method that does it."""
    sent_to = structure(
        Item(Tag.ENUM, transport), octet_string(destination.encode("ascii")), Item(Tag.ENUM, 0)
    )

    def method(_: Item) -> ActionResult:
        push()
        return ActionResult.SUCCESS

    attributes: dict[int, Present] = {
        2: array(*(one.item() for one in objects)),
        3: sent_to,
        4: array(),
        5: Item(Tag.LONG_UNSIGNED, 0),
        6: Item(Tag.UNSIGNED, 0),
        7: Item(Tag.LONG_UNSIGNED, 0),
    }
    return COSEMObject(40, 0, name, attributes, methods={1: method})


def security_setup(policy: int, suite: int, server_title: bytes, client_title: bytes = b"") -> COSEMObject:
    """Class 64, to be read; keys are not given away and not changed here."""
    attributes: dict[int, Present] = {
        2: Item(Tag.ENUM, policy),
        3: Item(Tag.ENUM, suite),
        4: octet_string(client_title),
        5: octet_string(server_title),
    }
    return COSEMObject(64, 0, OBIS(0, 0, 43, 0, 0), attributes)


def describe(one: COSEMObject) -> str:
    """An object in words, for people who look at a meter."""
    return f"{interface_class(one.class_id, one.version).name} {one.name}"
