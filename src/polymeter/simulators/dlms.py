"""COSEM electricity meters behind one port, told apart by their addresses.

Over the wrapper meter n is logical device n; over HDLC it is the management logical device 1 of the
physical device 16 + n. All they are and know follows from the seed and the time: registers move,
profiles have their history at once, keys and passwords are the same in every run.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from polymeter.protocols.dlms.acse import Mechanism
from polymeter.protocols.dlms.apdus import CaptureObject, DataNotification
from polymeter.protocols.dlms.axdr import Data
from polymeter.protocols.dlms.buffers import Log, Periodic, profile_generic
from polymeter.protocols.dlms.ciphering import Security
from polymeter.protocols.dlms.counters import MemoryCounters
from polymeter.protocols.dlms.data import Item, Tag, array, octet_string, structure
from polymeter.protocols.dlms.framing import Framing, Parties
from polymeter.protocols.dlms.meter import Client, Meter
from polymeter.protocols.dlms.objects import (
    COSEMObject,
    Level,
    MeterClock,
    clock,
    data,
    date_time,
    demand_register,
    disconnect_control,
    extended_register,
    push_setup,
    register,
)
from polymeter.protocols.dlms.security import Keys
from polymeter.protocols.dlms.serving import push, serve
from polymeter.protocols.obis import OBIS
from polymeter.protocols.procedure import Procedure
from polymeter.protocols.wire import LocalProtocolError, TransportError
from polymeter.simulators.consumption import Consumption
from polymeter.simulators.fleet import Fleet, Settings
from polymeter.transports import tcp, udp
from polymeter.transports.runners import run

__all__ = ["fleet"]

_MANUFACTURER: Final = b"PMX"
"""A made-up FLAG id: simulators pass for nobody's meters."""
_CLIENT_TITLE: Final = "504d520000000001"
_PHYSICAL: Final = 16
_PUSH_CLIENT: Final = 16
_WATT, _VOLT_AMPERE_REACTIVE, _WATT_HOUR, _AMPERE, _VOLT, _HERTZ = 27, 29, 30, 33, 35, 44
_CLOCK: Final = CaptureObject(8, OBIS(0, 0, 1, 0, 0), 2, 0)
_STATUS: Final = OBIS(0, 0, 96, 10, 1)
_LOAD_PROFILE: Final = OBIS(1, 0, 99, 1, 0)
_DAILY_PROFILE: Final = OBIS(1, 0, 99, 2, 0)
_EVENT_LOG: Final = OBIS(0, 0, 99, 98, 0)
_CLOCK_SET, _DISCONNECTED, _RECONNECTED = 5, 60, 61

_ASSOCIATIONS: Final = {
    "none": (16, Mechanism.NONE, False),
    "low": (1, Mechanism.LLS, False),
    "md5": (2, Mechanism.HLS_MD5, False),
    "sha1": (3, Mechanism.HLS_SHA1, False),
    "sha256": (4, Mechanism.HLS_SHA256, False),
    "gmac": (5, Mechanism.HLS_GMAC, True),
}
"""Authentication in the words of an address: client address, mechanism, whether ciphered."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """The settings of a fleet, read once."""

    seed: int
    now: Callable[[], datetime]
    framing: Framing
    auth: str
    password: str
    key: bytes | None
    auth_key: bytes | None
    history: timedelta
    interval: timedelta
    compressed: bool
    push_to: str | None
    push_udp: bool
    push_ciphered: bool

    def secret(self, number: int, what: str) -> bytes:
        """Sixteen octets that follow from seed, meter and purpose."""
        return hashlib.sha256(f"polymeter simulator {self.seed} {number} {what}".encode()).digest()[:16]

    def keys(self, number: int) -> Keys:
        """The keys of a meter."""
        return Keys(
            self.key or self.secret(number, "encryption"),
            self.auth_key or self.secret(number, "authentication"),
        )


def fleet(settings: Settings) -> Fleet:
    """Meters behind one port.

    Settings: ``framing`` of the addresses printed (wrapper; the port itself takes both), ``auth`` of
    the addresses (none), ``password`` and HLS secret (12345678), ``key`` and ``auth_key`` (from the
    seed), ``history`` in days (60), ``interval`` in seconds (900), ``compressed`` profiles (false),
    ``reaction`` seconds before each answer (0), ``push`` HOST:PORT to send to, every ``push_period``
    seconds (60), with ``push_udp`` and ``push_ciphered`` (false).
    """
    config = settings.only(
        "framing", "auth", "password", "key", "auth_key", "history", "interval", "compressed",
        "reaction", "push", "push_period", "push_udp", "push_ciphered",
    )  # fmt: skip
    framing, auth = config.get("framing", "wrapper"), config.get("auth", "none")
    if framing not in ("wrapper", "hdlc") or auth not in _ASSOCIATIONS:
        raise LocalProtocolError(
            f"framing is wrapper or hdlc, auth one of {', '.join(_ASSOCIATIONS)}; not {framing!r}, {auth!r}"
        )
    try:
        plan = _Plan(
            settings.seed,
            settings.now,
            framing,
            auth,
            str(config.get("password", "12345678")),
            bytes.fromhex(config["key"]) if "key" in config else None,
            bytes.fromhex(config["auth_key"]) if "auth_key" in config else None,
            timedelta(days=float(config.get("history", 60))),
            timedelta(seconds=int(config.get("interval", 900))),
            bool(config.get("compressed", False)),
            config.get("push"),
            bool(config.get("push_udp", False)),
            bool(config.get("push_ciphered", False)),
        )
    except (TypeError, ValueError) as error:
        raise LocalProtocolError(f"simulator settings: {error}") from error
    return _Fleet(
        plan, settings.count, float(config.get("reaction", 0.0)), float(config.get("push_period", 60.0))
    )


class _Fleet:
    """Meters that are made when somebody first asks for them."""

    def __init__(self, plan: _Plan, count: int, reaction_s: float, push_period_s: float) -> None:
        self._plan = plan
        self._count = count
        self._reaction_s = reaction_s
        self._push_period_s = push_period_s
        self._made: dict[int, _Simulated] = {}
        self._wanted: asyncio.Queue[int] = asyncio.Queue()

    def _meter(self, number: int) -> _Simulated | None:
        if not 1 <= number <= self._count:
            return None
        if number not in self._made:
            self._made[number] = _Simulated(self._plan, number, lambda: self._wanted.put_nowait(number))
        return self._made[number]

    def _find(self, parties: Parties) -> Meter | None:
        number = parties.server
        if parties.physical:
            number = parties.physical - _PHYSICAL if parties.server == 1 else 0
        found = self._meter(number)
        return found.meter if found is not None else None

    def serve(self) -> Procedure[None]:
        """One conversation, with any of the meters."""
        return serve(self._find, reaction_s=self._reaction_s)

    def addresses(self, host: str, port: int) -> list[str]:
        """An address for each meter."""
        shown = f"[{host}]" if ":" in host else host
        return [f"dlms://{shown}:{port}?{self._parameters(n)}" for n in range(1, self._count + 1)]

    def _parameters(self, number: int) -> str:
        plan = self._plan
        where = f"server={number}"
        if plan.framing == "hdlc":
            where = f"framing=hdlc&server=1&physical={_PHYSICAL + number}"
        client, mechanism, ciphered = _ASSOCIATIONS[plan.auth]
        parts = [where] if mechanism is Mechanism.NONE else [where, f"client={client}", f"auth={plan.auth}"]
        if mechanism not in (Mechanism.NONE, Mechanism.HLS_GMAC):
            parts.append(f"password={plan.password}")
        if ciphered:
            keys = plan.keys(number)
            assert keys.authentication is not None
            parts += [f"key={keys.encryption.hex()}", f"auth_key={keys.authentication.hex()}"]
            parts.append(f"system_title={_CLIENT_TITLE}")
        return "&".join(parts)

    async def push(self) -> None:
        """Send what the meters push, in turn and when one is told to; until cancelled."""
        if self._plan.push_to is None:
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + self._push_period_s
        while True:
            try:
                numbers = [await asyncio.wait_for(self._wanted.get(), max(due - loop.time(), 0))]
            except TimeoutError:
                due += self._push_period_s
                numbers = list(range(1, self._count + 1))
            for number in numbers:
                one = self._meter(number)
                if one is not None:
                    await self._push_one(one, self._plan.push_to)

    async def _push_one(self, one: _Simulated, destination: str) -> None:
        host, _, port = destination.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        parties = Parties(_PUSH_CLIENT, one.number, _PHYSICAL if self._plan.framing == "hdlc" else 0)
        procedure = push(
            one.notification(),
            parties,
            self._plan.framing,
            one.security if self._plan.push_ciphered else None,
        )
        line: Any = None
        try:
            if self._plan.push_udp:
                line = await udp.connect_async(host, int(port))
            else:
                line = await tcp.connect_async(host, int(port), 10.0)
            await run(procedure, line)
        except TransportError:
            return  # nobody listens; a meter tries again when the next push is due
        finally:
            procedure.close()
            if line is not None:
                await line.close()


class _Simulated:
    """One meter with its values."""

    def __init__(self, plan: _Plan, number: int, pushed: Callable[[], None]) -> None:
        self.number = number
        self._plan = plan
        self._used = Consumption(plan.seed * 1_000_003 + number)
        self._clock = MeterClock(plan.now)
        self._pushes = 0
        title = _MANUFACTURER + number.to_bytes(5, "big")
        self.security = Security(plan.keys(number), title, counters=MemoryCounters())
        dice = random.Random(plan.seed * 7_000_003 + number)
        self._pushed_objects = (
            CaptureObject(40, OBIS(0, 0, 25, 9, 0), 2, 0),
            _CLOCK,
            CaptureObject(1, OBIS(0, 0, 96, 1, 0), 2, 0),
            *(
                CaptureObject(3, OBIS(1, 0, group, tail, 0), attribute, 0)
                for group, tail in ((1, 8), (2, 8), (1, 7))
                for attribute in (2, 3)
            ),
        )
        self.meter = Meter(
            _MANUFACTURER + b"%013d" % number,
            self._objects(pushed),
            self._clients(),
            dice.randbytes,
            self.security,
            number if plan.framing == "wrapper" else 1,
        )

    def _clients(self) -> list[Client]:
        secret = self._plan.password.encode()
        clients = [
            Client(sap, Level.READING if sap == 16 else Level.MANAGEMENT, mechanism, secret, ciphered)
            for sap, mechanism, ciphered in _ASSOCIATIONS.values()
        ]
        return [*clients, Client(6, Level.READING, ciphered=True)]

    def _energy(self, at: datetime, export: bool = False) -> Item:
        energy = self._used.energy_wh(at)
        return Item(Tag.DOUBLE_LONG_UNSIGNED, energy // 9 if export else energy)

    def _objects(self, pushed: Callable[[], None]) -> list[COSEMObject]:
        plan, used, now = self._plan, self._used, self._clock.now
        events = Log(lambda at, code: (date_time(at), Item(Tag.LONG_UNSIGNED, code)), now)
        event_columns = (_CLOCK, CaptureObject(1, OBIS(0, 0, 96, 11, 0), 2, 0))

        def volts(phase: int) -> Item:
            return Item(Tag.LONG_UNSIGNED, 2300 + (used.power_w(now()) + self.number * phase) % 37 - 18)

        def tariff(night: bool) -> Item:
            energy = used.energy_wh(now())
            return Item(Tag.DOUBLE_LONG_UNSIGNED, energy * 3 // 10 if night else energy - energy * 3 // 10)

        def average(start: datetime, length: timedelta) -> Item:
            energy = used.energy_wh(start + length) - used.energy_wh(start)
            return Item(Tag.DOUBLE_LONG_UNSIGNED, round(energy * 3600 / length.total_seconds()))

        def midnight() -> datetime:
            return now().replace(hour=0, minute=0, second=0, microsecond=0)

        def power() -> Item:
            return Item(Tag.DOUBLE_LONG_UNSIGNED, used.power_w(now()))

        number = octet_string(b"%08d" % self.number)
        return [
            clock(self._clock, lambda: events.add(_CLOCK_SET)),
            data(OBIS(0, 0, 96, 1, 0), number),
            data(OBIS(1, 0, 0, 2, 0), octet_string(b"polymeter simulator 1")),
            data(_STATUS, Item(Tag.UNSIGNED, 0)),
            data(OBIS(0, 0, 43, 1, 0), lambda: Item(Tag.DOUBLE_LONG_UNSIGNED, self._seen()), Level.PUBLIC),
            register(OBIS(1, 0, 1, 8, 0), lambda: self._energy(now()), 0, _WATT_HOUR),
            register(OBIS(1, 0, 1, 8, 1), lambda: tariff(False), 0, _WATT_HOUR),
            register(OBIS(1, 0, 1, 8, 2), lambda: tariff(True), 0, _WATT_HOUR),
            register(OBIS(1, 0, 2, 8, 0), lambda: self._energy(now(), True), 0, _WATT_HOUR),
            register(OBIS(1, 0, 1, 7, 0), power, 0, _WATT),
            register(OBIS(1, 0, 32, 7, 0), lambda: volts(1), -1, _VOLT),
            register(OBIS(1, 0, 52, 7, 0), lambda: volts(2), -1, _VOLT),
            register(OBIS(1, 0, 72, 7, 0), lambda: volts(3), -1, _VOLT),
            register(
                OBIS(1, 0, 31, 7, 0),
                lambda: Item(Tag.LONG_UNSIGNED, min(used.power_w(now()) * 100 // 230, 0xFFFF)),
                -2,
                _AMPERE,
            ),
            register(OBIS(1, 0, 14, 7, 0), Item(Tag.LONG_UNSIGNED, 4998 + self.number % 5), -2, _HERTZ),
            extended_register(
                OBIS(1, 0, 1, 6, 0),
                lambda: Item(Tag.DOUBLE_LONG_UNSIGNED, used.power_w(midnight()) + 1500),
                0,
                _WATT,
                midnight,
            ),
            demand_register(OBIS(1, 0, 1, 4, 0), average, 0, _WATT, now, plan.interval),
            self._profile(_LOAD_PROFILE, int(plan.interval.total_seconds())),
            self._profile(_DAILY_PROFILE, 86400),
            profile_generic(_EVENT_LOG, event_columns, events),
            disconnect_control(lambda on: events.add(_RECONNECTED if on else _DISCONNECTED)),
            push_setup(self._pushed_objects, plan.push_to or "", pushed, int(plan.push_udp)),
        ]

    def _profile(self, name: OBIS, period_s: int) -> COSEMObject:
        def row(at: datetime) -> tuple[Item, ...]:
            return date_time(at), Item(Tag.UNSIGNED, 0), self._energy(at), self._energy(at, True)

        columns = (
            _CLOCK,
            CaptureObject(1, _STATUS, 2, 0),
            CaptureObject(3, OBIS(1, 0, 1, 8, 0), 2, 0),
            CaptureObject(3, OBIS(1, 0, 2, 8, 0), 2, 0),
        )
        begin = self._clock.now() - self._plan.history
        capacity = max(1, int(self._plan.history.total_seconds()) // period_s)
        buffer = Periodic(row, self._clock.now, period_s, begin, capacity)
        return profile_generic(name, columns, buffer, self._plan.compressed)

    def _seen(self) -> int:
        """The highest invocation counter that any client has used."""
        counters = self.security.counters
        assert isinstance(counters, MemoryCounters)
        return max((seen for seen, _ in counters.state.values() if seen is not None), default=0)

    def notification(self) -> DataNotification:
        """What is pushed: the object list, then the values in its order."""
        self._pushes += 1
        values = [array(*(one.item() for one in self._pushed_objects))]
        for one in self._pushed_objects[1:]:
            value = self.meter.objects[one.instance].get(one.attribute, Level.MANAGEMENT, None)
            assert isinstance(value, Item)
            values.append(value)
        moment = date_time(self._clock.now()).value
        return DataNotification(self._pushes & 0xFFFFFF, moment, Data.of(structure(*values)))
