"""Meters that speak DLMS/COSEM, over the wrapper (TCP, UDP) or HDLC (TCP, serial, modem)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, ClassVar, Final

from polymeter.catalogue import TelegramReading, telegram_reading
from polymeter.drivers.dlms_address import (
    PARAMETERS,
    PUBLIC_CLIENT,
    ClockCounters,
    CountersFrom,
    MeterAddress,
    code_of,
)
from polymeter.drivers.driver import Driver, Row, call, writing_call
from polymeter.drivers.mode_e import PARAMETERS as MODE_E_PARAMETERS
from polymeter.drivers.mode_e import ModeE
from polymeter.protocols.dlms import associating, reading
from polymeter.protocols.dlms.apdus import AttributeDescriptor, DataAccessResult, MethodDescriptor
from polymeter.protocols.dlms.associating import Association, Proposal
from polymeter.protocols.dlms.ciphering import SecurityContext
from polymeter.protocols.dlms.connection import Connection
from polymeter.protocols.dlms.cosem import interface_class
from polymeter.protocols.dlms.counters import Counters
from polymeter.protocols.dlms.data import Item, Tag
from polymeter.protocols.dlms.procedures import CounterBehind, action, get, refusal_text
from polymeter.protocols.dlms.profiles import is_clock
from polymeter.protocols.dlms.reading import ListedObject, Profile, Refusal, Scales
from polymeter.protocols.dlms.states import Notification
from polymeter.protocols.obis import OBIS
from polymeter.protocols.procedure import Parity, Procedure
from polymeter.protocols.wire import (
    AccessDenied,
    LocalProtocolError,
    ProtocolError,
    Record,
    RemoteProtocolError,
)
from polymeter.transports.urls import URL

__all__ = ["DLMS"]

_STATUS: Final = (0, 96, 10)
"""Groups A, C and D of the status words that profiles carry."""
_NO_RIGHT: Final = (DataAccessResult.READ_WRITE_DENIED, DataAccessResult.SCOPE_OF_ACCESS_VIOLATED)


class DLMS(Driver):
    """A COSEM meter, read by its own object list.

    Objects are named by their OBIS code, alone or as ``CODE/ATTRIBUTE`` or
    ``CLASS/CODE/ATTRIBUTE``; with the class the object list is not needed.
    """

    scheme = "dlms"
    description = "DLMS/COSEM: electricity, gas, water and heat meters with IEC 62056 stacks"
    default_port = 4059
    serial_line: ClassVar[tuple[int, int, Parity]] = (9600, 8, "N")
    parameters: ClassVar = {**PARAMETERS, **MODE_E_PARAMETERS}

    def __init__(self, url: URL) -> None:
        super().__init__(url)
        self._address = MeterAddress(self.url)
        self._address.carrier(self._address.client)
        self._mode_e = ModeE(self.url, self._address.framing)
        self._timing = self._address.timing
        self._inverted = self._address.inverted
        self._proposal = self._address.proposal()
        start = self._address.counter
        self.counters: Counters = ClockCounters() if start is None else CountersFrom(start)
        """Where invocation counters are kept; replace it before `open` by one that lasts."""
        self._connection: Connection | None = None
        self._scales = Scales()
        self._listed: dict[OBIS, ListedObject] | None = None
        self.association: Association | None = None
        """What was agreed, once open."""

    def open(self) -> Procedure[None]:
        """Associate; first sign on in mode E and ask for our counter, if the address says so."""
        yield from self._mode_e.start()
        if self._address.counter_object is not None:
            self.counters = CountersFrom((yield from self._read_counter(self._address.counter_object)))
        try:
            yield from self._associate()
        except CounterBehind as error:
            # Only forward: a number once used must never be used again, whoever asks for it.
            if not isinstance(self.counters, ClockCounters) or error.expected is None:
                raise
            self.counters = ClockCounters(error.expected)
            yield from self._associate()

    def _associate(self) -> Procedure[None]:
        security = self._address.security(self.counters)
        context = SecurityContext(security) if security is not None else None
        self._connection = Connection("client", self._address.carrier(self._address.client), context)
        self.association = yield from associating.associate(self._connection, self._proposal, self._timing)

    def _read_counter(self, name: OBIS) -> Procedure[int]:
        """The counter that the meter expects of us, read by the public client (as in IDIS)."""
        connection = Connection("client", self._address.carrier(PUBLIC_CLIENT))
        yield from associating.associate(connection, Proposal(), self._timing)
        result = yield from get(connection, AttributeDescriptor(1, name, 2), None, self._timing)
        yield from associating.release(connection, Proposal(), self._timing)
        if isinstance(result, int):
            raise _refused(f"its invocation counter {name}", result)
        if not isinstance(result.value, int):
            raise RemoteProtocolError(f"{name} holds no invocation counter")
        return result.value + 1

    def close(self) -> Procedure[None]:
        """Release the association and the link."""
        if self._connection is not None:
            yield from associating.release(self._connection, self._proposal, self._timing)

    @property
    def _line(self) -> Connection:
        if self._connection is None:
            raise LocalProtocolError("the meter is not open")
        return self._connection

    @property
    def notifications(self) -> list[Notification]:
        """What the meter said unasked."""
        return list(self._line.notifications)

    def read(self, *objects: str) -> Procedure[list[TelegramReading]]:
        """Read the named objects, or all that hold a value."""
        if not objects:
            listed = yield from self._object_list()
            chosen = [one for one in listed.values() if one.class_id in reading.VALUE_CLASSES]
            return (yield from self._values(chosen))
        found: list[TelegramReading] = []
        plain: list[tuple[str, ListedObject]] = []
        for name in objects:
            class_id, code, attribute = _target(name)
            if class_id is None:
                known = (yield from self._object_list()).get(code)
                if known is None:
                    found.append(self.refused(str(code), f"the meter has no object {code}"))
                    continue
                class_id = known.class_id
                if attribute is None and class_id != 7:
                    plain.append((name, known))
                    continue
            if attribute is None and class_id == 7:
                found.append(self.refused(str(code), "this is a profile: say from when on"))
                continue
            descriptor = AttributeDescriptor(class_id, code, attribute or 2)
            records = yield from reading.read_attribute(self._line, descriptor, self._scales, self._timing)
            found += self._readings(records)
        return (yield from self._values([one for _, one in plain])) + found

    def _values(self, objects: Sequence[ListedObject]) -> Procedure[list[TelegramReading]]:
        records = yield from reading.read_values(
            self._line, objects, self._scales, self._timing, self._address.list_max
        )
        return self._readings(records)

    def _readings(self, records: Iterable[Record | Refusal]) -> list[TelegramReading]:
        readings = []
        for record in records:
            if isinstance(record, Refusal):
                name = str(record.attribute.instance)
                readings.append(self.refused(name, refusal_text(record.result)))
            else:
                readings.append(telegram_reading(record, self.meter_type))
        return readings

    def read_profile(self, profile: str, start: datetime, end: datetime) -> Procedure[list[Row]]:
        """Read the rows of a profile from `start` up to and including `end`."""
        answer = yield from reading.read_profile(
            self._line, code_of(profile), (start, end), self._scales, self._timing, self._inverted
        )
        if isinstance(answer, Refusal):
            raise _refused(profile, answer.result)
        return [self._row(answer, values) for values in answer.rows]

    def _row(self, profile: Profile, values: Sequence[Any]) -> Row:
        moment: datetime | None = None
        status: str | None = None
        readings = []
        for column, unit, value in zip(profile.columns, profile.units, values, strict=True):
            code = column.instance
            if is_clock(column):
                moment = value if isinstance(value, datetime) else None
                continue
            if (code.a, code.c, code.d) == _STATUS:
                status = str(value)
            name = str(code)
            usual = reading.VALUE_CLASSES.get(column.class_id)
            if usual is not None and column.attribute != usual.attributes[0]:
                name += f"/{column.attribute}"
            if column.data_index:
                name += f"[{column.data_index}]"
            readings.append(
                telegram_reading(Record(name, value, unit, str(code), time=moment), self.meter_type)
            )
        return Row(moment, tuple(readings), status)

    def clock(self) -> Procedure[datetime]:
        """Read the meter's clock."""
        answer = yield from reading.read_clock(
            self._line, timing=self._timing, inverted_deviation=self._inverted
        )
        if isinstance(answer, Refusal):
            raise _refused("its clock", answer.result)
        return answer

    def set_clock(self, now: datetime) -> Procedure[None]:
        """Set the meter's clock."""
        result = yield from reading.set_clock(
            self._line, now, timing=self._timing, inverted_deviation=self._inverted
        )
        _done(result, "to set its clock")

    def objects(self) -> Procedure[list[str]]:
        """List the objects that this client may see."""
        return [str(name) for name in (yield from self._object_list())]

    @call
    def object_list(self) -> Procedure[list[dict[str, Any]]]:
        """List the objects with class, version, attributes and methods."""
        return [_described(one) for one in (yield from self._object_list()).values()]

    def _object_list(self) -> Procedure[dict[OBIS, ListedObject]]:
        if self._listed is None:
            answer = yield from reading.read_object_list(self._line, self._timing)
            if isinstance(answer, Refusal):
                raise _refused("its object list", answer.result)
            self._listed = {one.name: one for one in answer}
        return self._listed

    @writing_call
    def disconnect(self) -> Procedure[None]:
        """Disconnect the supply."""
        _done((yield from reading.switch(self._line, False, timing=self._timing)), "to disconnect")

    @writing_call
    def reconnect(self) -> Procedure[None]:
        """Reconnect the supply, or make it ready for that."""
        _done((yield from reading.switch(self._line, True, timing=self._timing)), "to reconnect")

    @writing_call
    def push(self, setup: str = "0-0:25.9.0*255") -> Procedure[None]:
        """Have the meter send what its push setup says, now."""
        method = MethodDescriptor(40, code_of(setup), 1)
        response = yield from action(self._line, method, Item(Tag.INTEGER, 0), self._timing)
        _done(response.result, "to push")


def _done(result: int, what: str) -> None:
    if result:
        raise _refused(what, result)


def _refused(what: str, result: int) -> ProtocolError:
    """What a refusal means to the caller: only rights can be had by other credentials."""
    kind = AccessDenied if result in _NO_RIGHT else RemoteProtocolError
    return kind(f"the meter refuses {what}: {refusal_text(result)}")


def _target(text: str) -> tuple[int | None, OBIS, int | None]:
    """``CODE``, ``CODE/ATTRIBUTE`` or ``CLASS/CODE/ATTRIBUTE``."""
    parts = text.split("/")
    try:
        match parts:
            case [code]:
                return None, code_of(code), None
            case [code, attribute]:
                return None, code_of(code), int(attribute)
            case [class_id, code, attribute]:
                return int(class_id), code_of(code), int(attribute)
    except ValueError as error:
        raise LocalProtocolError(f"{text!r} is no CLASS/CODE/ATTRIBUTE") from error
    raise LocalProtocolError(f"{text!r} is no object: CODE, CODE/ATTRIBUTE or CLASS/CODE/ATTRIBUTE")


def _described(one: ListedObject) -> dict[str, Any]:
    known = interface_class(one.class_id, one.version)
    described: dict[str, Any] = {
        "obis": str(one.name),
        "class": one.class_id,
        "version": one.version,
        "name": known.name,
    }
    if one.attributes is not None:
        described["attributes"] = {known.attribute(number).name: mode for number, mode in one.attributes}
    if one.methods is not None:
        described["methods"] = {known.method(number).name: mode for number, mode in one.methods}
    return described
