"""A made-up meter and a client for it, for the tests of conversations."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from polymeter.protocols.dlms.acse import Mechanism
from polymeter.protocols.dlms.apdus import CaptureObject
from polymeter.protocols.dlms.associating import Association, Proposal, associate, release
from polymeter.protocols.dlms.buffers import Log, Periodic, profile_generic
from polymeter.protocols.dlms.ciphering import Security, SecurityContext
from polymeter.protocols.dlms.connection import Connection
from polymeter.protocols.dlms.counters import MemoryCounters
from polymeter.protocols.dlms.data import Item, Tag, octet_string
from polymeter.protocols.dlms.framing import Carrier, Framing, HDLCCarrier, Parties, WrapperCarrier
from polymeter.protocols.dlms.hdlc import Address, Parameters
from polymeter.protocols.dlms.meter import Client, Meter
from polymeter.protocols.dlms.objects import (
    COSEMObject,
    Level,
    MeterClock,
    clock,
    data,
    demand_register,
    disconnect_control,
    extended_register,
    register,
)
from polymeter.protocols.dlms.objects import date_time as date_time_item
from polymeter.protocols.dlms.security import Keys
from polymeter.protocols.dlms.serving import serve
from polymeter.protocols.obis import OBIS
from polymeter.protocols.procedure import Procedure
from polymeter.transports.simulated import run_simulated

T = TypeVar("T")

NOW = datetime(2026, 3, 1, 12, 7, 30, tzinfo=UTC)
KEYS = Keys(bytes(range(16)), bytes(range(16, 32)))
METER_TITLE = b"PMX\x00\x00\x00\x00\x01"
CLIENT_TITLE = b"PMC\x00\x00\x00\x00\x09"
PASSWORD = b"12345678"
SECRET = b"a secret that both know"
ENERGY = OBIS(1, 0, 1, 8, 0)
PROFILE = OBIS(1, 0, 99, 1, 0)
EVENTS = OBIS(0, 0, 99, 98, 0)
WRITABLE = OBIS(0, 0, 96, 1, 9)
CLOCK = CaptureObject(8, OBIS(0, 0, 1, 0, 0), 2, 0)

CLIENTS = (
    Client(16, Level.PUBLIC),
    Client(1, Level.MANAGEMENT, Mechanism.LLS, PASSWORD),
    Client(2, Level.READING, Mechanism.HLS_MD5, SECRET),
    Client(3, Level.READING, Mechanism.HLS_SHA1, SECRET),
    Client(4, Level.READING, Mechanism.HLS_SHA256, SECRET, ciphered=True),
    Client(5, Level.MANAGEMENT, Mechanism.HLS_GMAC, ciphered=True),
    Client(6, Level.READING, Mechanism.NONE, ciphered=True),
    Client(7, Level.MANAGEMENT),
    Client(8, Level.READING, Mechanism.LLS, PASSWORD, ciphered=True, system_title=CLIENT_TITLE),
)
BY_SAP = {client.sap: client for client in CLIENTS}


def energy_at(moment: datetime) -> int:
    return int((moment - datetime(2026, 1, 1, tzinfo=UTC)).total_seconds()) // 60


def objects(now: Callable[[], datetime] = lambda: NOW, compressed: bool = False) -> list[COSEMObject]:
    meter_clock = MeterClock(now)
    events = Log(lambda at, code: (date_time_item(at), Item(Tag.LONG_UNSIGNED, code)), meter_clock.now)
    written = [octet_string(b"nothing yet")]

    def write(item: Item) -> Any:
        written[0] = item
        return 0

    def row(at: datetime) -> tuple[Item, ...]:
        value = energy_at(at)
        return (
            date_time_item(at),
            Item(Tag.UNSIGNED, 0),
            Item(Tag.DOUBLE_LONG_UNSIGNED, value),
            Item(Tag.DOUBLE_LONG_UNSIGNED, value // 10),
        )

    columns = (
        CLOCK,
        CaptureObject(1, OBIS(0, 0, 96, 10, 1), 2, 0),
        CaptureObject(3, ENERGY, 2, 0),
        CaptureObject(3, OBIS(1, 0, 2, 8, 0), 2, 0),
    )
    periodic = Periodic(row, meter_clock.now, 900, datetime(2026, 1, 1, tzinfo=UTC), 5000)

    def average(start: datetime, length: timedelta) -> Item:
        return Item(Tag.DOUBLE_LONG_UNSIGNED, energy_at(start) % 977)

    return [
        clock(meter_clock, lambda: events.add(5)),
        data(OBIS(0, 0, 96, 1, 0), octet_string(b"00000001")),
        COSEMObject(1, 0, WRITABLE, {2: lambda: written[0]}, {2: write}),
        data(OBIS(0, 0, 96, 10, 1), Item(Tag.UNSIGNED, 0)),
        register(ENERGY, lambda: Item(Tag.DOUBLE_LONG_UNSIGNED, energy_at(meter_clock.now())), 1, 30),
        register(OBIS(1, 0, 2, 8, 0), Item(Tag.DOUBLE_LONG_UNSIGNED, 77), -3, 30),
        extended_register(
            OBIS(1, 0, 1, 6, 0), Item(Tag.LONG_UNSIGNED, 4321), 0, 27, lambda: NOW - timedelta(hours=3)
        ),
        demand_register(OBIS(1, 0, 1, 4, 0), average, 0, 27, meter_clock.now, timedelta(minutes=15)),
        profile_generic(PROFILE, columns, periodic, compressed),
        profile_generic(EVENTS, (CLOCK, CaptureObject(1, OBIS(0, 0, 96, 11, 0), 2, 0)), events),
        disconnect_control(lambda on: events.add(61 if on else 60)),
    ]


def meter(
    clients: Iterable[Client] = CLIENTS,
    keys: Keys | None = KEYS,
    counters: MemoryCounters | None = None,
    apdu_max: int = 1024,
    compressed: bool = False,
    now: Callable[[], datetime] = lambda: NOW,
    **security: Any,
) -> Meter:
    dice = random.Random(7)
    protection = None
    if keys is not None:
        protection = Security(keys, METER_TITLE, counters=counters or MemoryCounters(), **security)
    return Meter(
        b"PMX0000000000001",
        objects(now, compressed),
        clients,
        dice.randbytes,
        protection,
        apdu_max=apdu_max,
    )


def carrier(
    framing: Framing, sap: int, datagrams: bool = False, parameters: Parameters | None = None
) -> Carrier:
    if framing == "hdlc":
        return HDLCCarrier(
            "client", Address(sap), Address(1, 17, 4), parameters or Parameters(400, 400, 1, 1)
        )
    return WrapperCarrier("client", sap, 1, datagrams)


def proposal_for(client: Client, **changes: Any) -> Proposal:
    fields: dict[str, Any] = {"mechanism": client.mechanism, "secret": client.secret, "challenge": b"C" * 16}
    return Proposal(**{**fields, **changes})


def client_connection(
    framing: Framing,
    sap: int,
    keys: Keys = KEYS,
    datagrams: bool = False,
    parameters: Parameters | None = None,
    **security: Any,
) -> Connection:
    client = BY_SAP[sap]
    context = None
    if client.ciphered:
        context = SecurityContext(Security(keys, security.pop("title", CLIENT_TITLE), **security))
    return Connection("client", carrier(framing, sap, datagrams, parameters), context)


def within(
    connection: Connection,
    proposal: Proposal,
    conversation: Callable[[Connection], Procedure[T]],
    met: list[Association] | None = None,
) -> Procedure[T]:
    """Associate, hold the conversation, release."""
    association = yield from associate(connection, proposal)
    if met is not None:
        met.append(association)
    result = yield from conversation(connection)
    yield from release(connection, proposal)
    return result


def converse(
    framing: Framing,
    sap: int,
    conversation: Callable[[Connection], Procedure[T]],
    served: Meter | None = None,
    **options: Any,
) -> T:
    """Run a conversation against a meter in simulated time."""
    the_meter = served or meter()
    connection = client_connection(framing, sap, **options)
    reader = within(connection, proposal_for(BY_SAP[sap]), conversation)
    return run_simulated(reader, serving(the_meter, options.get("datagrams", False))).result


def serving(the_meter: Meter, datagrams: bool = False, **options: Any) -> Procedure[None]:
    def find(parties: Parties) -> Meter | None:
        return the_meter if parties.server == the_meter.server else None

    return serve(find, datagrams=datagrams, **options)
