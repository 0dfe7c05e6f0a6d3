"""Meters that speak DLMS/COSEM, over the wrapper (TCP, UDP) or HDLC (TCP, serial, modem)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar, Final

from polymeter.catalogue import TelegramReading, telegram_reading
from polymeter.drivers.driver import Driver, Row, call, writing_call
from polymeter.protocols import obis
from polymeter.protocols.dlms import associating, reading
from polymeter.protocols.dlms.acse import Mechanism
from polymeter.protocols.dlms.apdus import AttributeDescriptor, MethodDescriptor
from polymeter.protocols.dlms.associating import Association, Proposal
from polymeter.protocols.dlms.ciphering import Security, SecurityContext
from polymeter.protocols.dlms.connection import Connection
from polymeter.protocols.dlms.cosem import interface_class
from polymeter.protocols.dlms.counters import CounterID, Counters, MemoryCounters
from polymeter.protocols.dlms.data import Item, Tag
from polymeter.protocols.dlms.framing import Carrier, HDLCCarrier, WrapperCarrier
from polymeter.protocols.dlms.hdlc import Address, Parameters
from polymeter.protocols.dlms.procedures import Timing, action, get, refusal_text
from polymeter.protocols.dlms.profiles import is_clock
from polymeter.protocols.dlms.reading import ListedObject, Profile, Refusal, Scales
from polymeter.protocols.dlms.security import AUTHENTICATED, ENCRYPTED, Keys
from polymeter.protocols.obis import OBIS
from polymeter.protocols.procedure import Parity, Procedure
from polymeter.protocols.wire import AccessDenied, LocalProtocolError, Record
from polymeter.transports.urls import URL

__all__ = ["DLMS", "ClockCounters"]

_MECHANISMS: Final = {
    "none": Mechanism.NONE,
    "low": Mechanism.LLS,
    "md5": Mechanism.HLS_MD5,
    "sha1": Mechanism.HLS_SHA1,
    "gmac": Mechanism.HLS_GMAC,
    "sha256": Mechanism.HLS_SHA256,
}
_CONTROLS: Final = {
    "both": AUTHENTICATED | ENCRYPTED,
    "authenticate": AUTHENTICATED,
    "encrypt": ENCRYPTED,
}
_SYSTEM_TITLE: Final = "504d520000000001"
"""A made-up client title, for meters that take any."""
_PUBLIC_CLIENT: Final = 16
_EPOCH_S: Final = 1_704_067_200
"""2024-01-01: what `ClockCounters` counts from."""
_STATUS: Final = (0, 96, 10)
"""Groups A, C and D of the status words that profiles carry."""


class ClockCounters(MemoryCounters):
    """Own counters that rise with the clock, for programs that keep nothing between two runs.

    Eight numbers for each second since 2024 last until 2041; a run that uses more of them than
    that must be followed by a pause. Whoever can store counters gives the driver better ones.
    """

    def __init__(self, start: int | None = None) -> None:
        super().__init__()
        self._start = int((time.time() - _EPOCH_S) * 8) if start is None else start

    def reserve(self, counter: CounterID, size: int) -> int:
        """See `Counters.reserve`."""
        first = max(super().reserve(counter, 0), self._start)
        self.state[counter] = (self.last_seen(counter), first + size)
        return first


class DLMS(Driver):
    """A COSEM meter, read by its own object list.

    Objects are named by their OBIS code, alone or as ``CODE/ATTRIBUTE`` or
    ``CLASS/CODE/ATTRIBUTE``; with the class the object list is not needed.
    """

    scheme = "dlms"
    description = "DLMS/COSEM: electricity, gas, water and heat meters with IEC 62056 stacks"
    default_port = 4059
    serial_line: ClassVar[tuple[int, int, Parity]] = (9600, 8, "N")
    parameters: ClassVar = {
        "framing": "wrapper or hdlc (wrapper over TCP and UDP, hdlc on serial lines and modems)",
        "client": "client address (16, the public client)",
        "server": "address of the logical device (1)",
        "physical": "hdlc: lower address of the meter (none)",
        "address_size": "hdlc: octets of the server address, 1, 2 or 4 (1, or 4 with a lower address)",
        "auth": "none, low, md5, sha1, gmac or sha256 (none, or low with a password)",
        "password": "password or shared secret, as text or as 0x and hexadecimal digits",
        "suite": "security suite; 0 is the only one so far (0)",
        "system_title": "our system title, 16 hexadecimal digits (a made-up one)",
        "server_title": "the meter's system title; another one is refused (any)",
        "key": "global unicast encryption key, 32 hexadecimal digits; ciphers the association",
        "auth_key": "authentication key, 32 hexadecimal digits",
        "security": "both, authenticate or encrypt: how messages are protected (both)",
        "general": "yes to use general-glo-ciphering in place of service-specific (no)",
        "dedicated": "yes to agree on a dedicated key for each association (no)",
        "counter": "first invocation counter to use (from the clock)",
        "counter_object": "object that holds the meter's idea of our counter, read as public client first",
        "pdu": "octets that we take in one APDU (65535)",
        "max_info": "hdlc: octets of a frame's information field, both ways (128)",
        "window": "hdlc: frames in flight, both ways (1)",
        "lenient": "hdlc: yes to forgive wrong check sequences (no)",
        "list": "attributes asked for in one request, 1 for one by one (32)",
        "release": "no to leave without RLRQ (yes)",
        "deviation": "normal, or inverted for meters that count it the other way round (normal)",
        "answer_timeout": "seconds to wait for an answer (10)",
        "repeats": "how often to ask again over HDLC and UDP (2)",
    }

    def __init__(self, url: URL) -> None:
        super().__init__(url)
        given = self.url.parameters
        own = "wrapper" if self.url.line in ("tcp", "udp") else "hdlc"
        self._framing = self.url.choice("framing", own, ("wrapper", "hdlc"))
        self._client = self._integer("client", _PUBLIC_CLIENT, 0xFFFF if self._framing == "wrapper" else 0x7F)
        auth = "low" if "password" in given else "none"
        auth = self.url.choice("auth", auth, (*_MECHANISMS, "ecdsa"))
        if auth == "ecdsa" or self._integer("suite", 0, 15):
            raise LocalProtocolError("only security suite 0 is supported so far, without ecdsa")
        self._mechanism = _MECHANISMS[auth]
        self._timing = Timing(self.url.number("answer_timeout", 10.0), self._integer("repeats", 2, 100))
        self._list_max = self._integer("list", 32, 255)
        self._inverted = self.url.choice("deviation", "normal", ("normal", "inverted")) == "inverted"
        self._proposal = Proposal(
            self._mechanism,
            _secret(given.get("password", "")),
            os.urandom(16) if self._mechanism > Mechanism.LLS else b"",
            apdu_max=self._integer("pdu", 0xFFFF, 0xFFFF),
            releases=self._yes("release", "yes"),
        )
        if self._mechanism not in (Mechanism.NONE, Mechanism.HLS_GMAC) and "password" not in given:
            raise LocalProtocolError(f"auth={auth} needs a password")
        self._keys = self._read_keys()
        if self._mechanism is Mechanism.HLS_GMAC and (
            self._keys is None or self._keys.authentication is None
        ):
            raise LocalProtocolError("auth=gmac needs key and auth_key")
        self.counters: Counters = ClockCounters(
            self._integer("counter", 0, 0xFFFFFFFF) if "counter" in given else None
        )
        """Where invocation counters are kept; replace it before `open` by one that lasts."""
        self._connection: Connection | None = None
        self._scales = Scales()
        self._listed: dict[OBIS, ListedObject] | None = None
        self.association: Association | None = None
        """What was agreed, once open."""

    def _integer(self, name: str, default: int, largest: int) -> int:
        number = self.url.number(name, default)
        if number != int(number) or not 0 <= number <= largest:
            raise LocalProtocolError(f"parameter {name} must be a whole number up to {largest}")
        return int(number)

    def _yes(self, name: str, default: str) -> bool:
        return self.url.choice(name, default, ("yes", "no", "1", "0")) in ("yes", "1")

    def _hex(self, name: str, size: int, default: str | None = None) -> bytes | None:
        text = self.url.parameters.get(name, default)
        if text is None:
            return None
        try:
            octets = bytes.fromhex(text)
        except ValueError as error:
            raise LocalProtocolError(f"parameter {name} must be hexadecimal digits") from error
        if len(octets) != size:
            raise LocalProtocolError(f"parameter {name} must have {2 * size} hexadecimal digits")
        return octets

    def _read_keys(self) -> Keys | None:
        key, auth_key = self._hex("key", 16), self._hex("auth_key", 16)
        if key is None and auth_key is not None:
            raise LocalProtocolError("auth_key without key")
        return Keys(key, auth_key) if key is not None else None

    def _security(self) -> SecurityContext | None:
        if self._keys is None:
            return None
        default = "both" if self._keys.authentication is not None else "encrypt"
        security = Security(
            self._keys,
            self._hex("system_title", 8, _SYSTEM_TITLE) or b"",
            self._hex("server_title", 8),
            _CONTROLS[self.url.choice("security", default, tuple(_CONTROLS))],
            self._yes("general", "no"),
            os.urandom(16) if self._yes("dedicated", "no") else None,
            self.counters,
        )
        return SecurityContext(security)

    def _carrier(self, client: int) -> Carrier:
        server, physical = self._integer("server", 1, 0xFFFF), self._integer("physical", 0, 0x3FFF)
        if self._framing == "wrapper":
            return WrapperCarrier("client", client, server, self.url.line == "udp")
        size = self._integer("address_size", 4 if physical else 1, 4)
        info, window = self._integer("max_info", 128, 2030), self._integer("window", 1, 7)
        return HDLCCarrier(
            "client",
            Address(client),
            Address(server, physical, size),
            Parameters(info, info, window, window),
            self._yes("lenient", "no"),
        )

    def open(self) -> Procedure[None]:
        """Associate; first ask for our counter, if the address says where."""
        if "counter_object" in self.url.parameters and self._keys is not None:
            self.counters = ClockCounters((yield from self._read_counter()))
        self._connection = Connection("client", self._carrier(self._client), self._security())
        self.association = yield from associating.associate(self._connection, self._proposal, self._timing)

    def _read_counter(self) -> Procedure[int]:
        """The counter that the meter expects of us, read by the public client (as in IDIS)."""
        name = _code(self.url.parameters["counter_object"])
        connection = Connection("client", self._carrier(_PUBLIC_CLIENT))
        yield from associating.associate(connection, Proposal(), self._timing)
        result = yield from get(connection, AttributeDescriptor(1, name, 2), None, self._timing)
        yield from associating.release(connection, Proposal(), self._timing)
        if isinstance(result, int) or not isinstance(result.value, int):
            raise AccessDenied(f"{name} holds no invocation counter")
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
    def notifications(self) -> list[Any]:
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
            self._line, objects, self._scales, self._timing, self._list_max
        )
        return self._readings(records)

    def _readings(self, records: Iterable[Record | Refusal]) -> list[TelegramReading]:
        readings = []
        for record in records:
            if isinstance(record, Refusal):
                name = str(record.attribute.instance)
                readings.append(self.refused(name, refusal_text(record.result)))
            else:
                readings.append(self._reading(record))
        return readings

    def _reading(self, record: Record) -> TelegramReading:
        """A reading; what is not an object's usual value has a series of its own."""
        named = telegram_reading(record, self.meter_type)
        return replace(named, series=record.name) if record.name != record.obis else named

    def read_profile(self, profile: str, start: datetime, end: datetime) -> Procedure[list[Row]]:
        """Read the rows of a profile from `start` up to and including `end`."""
        answer = yield from reading.read_profile(
            self._line, _code(profile), (start, end), self._scales, self._timing, self._inverted
        )
        if isinstance(answer, Refusal):
            raise AccessDenied(f"the meter refuses {profile}: {refusal_text(answer.result)}")
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
            readings.append(self._reading(Record(name, value, unit, str(code), time=moment)))
        return Row(moment, tuple(readings), status)

    def clock(self) -> Procedure[datetime]:
        """Read the meter's clock."""
        answer = yield from reading.read_clock(
            self._line, timing=self._timing, inverted_deviation=self._inverted
        )
        if isinstance(answer, Refusal):
            raise AccessDenied(f"the meter refuses its clock: {refusal_text(answer.result)}")
        return answer

    def set_clock(self, now: datetime) -> Procedure[None]:
        """Set the meter's clock."""
        result = yield from reading.set_clock(
            self._line, now, timing=self._timing, inverted_deviation=self._inverted
        )
        _done(result, "set its clock")

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
                raise AccessDenied(f"the meter refuses its object list: {refusal_text(answer.result)}")
            self._listed = {one.name: one for one in answer}
        return self._listed

    @writing_call
    def disconnect(self) -> Procedure[None]:
        """Disconnect the supply."""
        _done((yield from reading.switch(self._line, False, timing=self._timing)), "disconnect")

    @writing_call
    def reconnect(self) -> Procedure[None]:
        """Reconnect the supply, or make it ready for that."""
        _done((yield from reading.switch(self._line, True, timing=self._timing)), "reconnect")

    @writing_call
    def push(self, setup: str = "0-0:25.9.0*255") -> Procedure[None]:
        """Have the meter send what its push setup says, now."""
        method = MethodDescriptor(40, _code(setup), 1)
        response = yield from action(self._line, method, Item(Tag.INTEGER, 0), self._timing)
        _done(response.result, "push")


def _done(result: int, what: str) -> None:
    if result:
        raise AccessDenied(f"the meter does not {what}: {refusal_text(result)}")


def _secret(text: str) -> bytes:
    if text.startswith("0x"):
        try:
            return bytes.fromhex(text[2:])
        except ValueError as error:
            raise LocalProtocolError("a password that begins with 0x must be hexadecimal") from error
    return text.encode("utf-8")


def _code(text: str) -> OBIS:
    code = obis.parse(text)
    if code is None:
        raise LocalProtocolError(f"{text!r} is no OBIS code such as 1-0:1.8.0*255")
    return code


def _target(text: str) -> tuple[int | None, OBIS, int | None]:
    """``CODE``, ``CODE/ATTRIBUTE`` or ``CLASS/CODE/ATTRIBUTE``."""
    parts = text.split("/")
    try:
        match parts:
            case [code]:
                return None, _code(code), None
            case [code, attribute]:
                return None, _code(code), int(attribute)
            case [class_id, code, attribute]:
                return int(class_id), _code(code), int(attribute)
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
