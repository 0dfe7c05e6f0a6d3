"""A gas meter's ciphered push comes by UDP, is opened with its own keys, and becomes readings."""

import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from polymeter.bus import MemoryBus
from polymeter.collection import Processor, Receiver, ReceiverAddress
from polymeter.collection.quarantine import reconsider
from polymeter.domain import Meter, Quality, SimulatedClock
from polymeter.ingest import Ingest
from polymeter.protocols.dlms.apdus import DataNotification, GeneralGloCiphering
from polymeter.protocols.dlms.axdr import Data
from polymeter.protocols.dlms.data import Item, Tag, octet_string, structure
from polymeter.protocols.dlms.security import Keys, protect
from polymeter.protocols.dlms.wrapper import Wrapper, encode_wrapper
from polymeter.protocols.obis import parse
from polymeter.protocols.wire import LocalProtocolError
from polymeter.store import (
    ANY,
    FrameStatus,
    SecretKey,
    Store,
    channels,
    frames,
    meter_types,
    meters,
    readings,
    secrets,
    series,
)
from polymeter.transports import tcp
from tests.collection.spooled import kept
from tests.fleet import Fleet

pytestmark = pytest.mark.anyio

SEALING = SecretKey("a made up key of enough length")
KEY, AUTH = bytes(range(0x10, 0x20)), bytes(range(0x30, 0x40))
TITLE = b"XYZ\x07\x00\x00\x00\x2a"
TIME = bytes.fromhex("07ea0301070c0000ffffc400")  # 12:00 at one hour east of Greenwich
ENCRYPTION = "dlms_global_unicast_encryption_key"
AUTHENTICATION = "dlms_global_authentication_key"


def name(code: str) -> Item:
    found = parse(code)
    assert found is not None
    return octet_string(bytes(found))


def register(code: str, value: int, scaler: int, unit: int) -> list[Item]:
    pair = structure(Item(Tag.INTEGER, scaler), Item(Tag.ENUM, unit))
    return [name(code), Item(Tag.DOUBLE_LONG_UNSIGNED, value), pair]


def gas_push(volume: int = 1456789) -> bytes:
    """OBIS codes and values of a gas corrector side by side, as UNI/TS 11291 names them."""
    body = structure(
        *[name("0-0:1.1.0"), Item(Tag.DOUBLE_LONG_UNSIGNED, 1772362800)],
        *register("7-0:13.2.0", volume, -2, 14),
        *register("7-0:12.2.0", 321, -2, 14),
        *register("7-0:43.45.0", 512, -2, 16),
        *[name("7-0:96.5.1"), Item(Tag.LONG_UNSIGNED, 0)],
    )
    return bytes(DataNotification(0x40000001, TIME, Data.of(body)))


def sealed(counter: int = 1, key: bytes = KEY, auth: bytes = AUTH, control: int = 0x30, **push: int) -> bytes:
    content = protect(gas_push(**push), control, Keys(key, auth), TITLE, counter)
    return encode_wrapper(Wrapper(1, 1, bytes(GeneralGloCiphering(TITLE, content))))


def registered(tx: Any, fleet: Fleet) -> Meter:
    units = {"7-0:13.2.0": "m3", "7-0:12.2.0": "m3", "7-0:43.45.0": "m3/h"}
    made = [series.create(tx, fleet.id, code, unit).id for code, unit in units.items()]
    config = meter_types.create_config(tx, fleet.id, "gas", made)
    kind = meter_types.create(tx, fleet.id, "gas", config=config.id)
    return meters.create(tx, fleet.id, "G1", type=kind.id, dlms_system_title=TITLE.hex())


async def give_keys(store: Store, meter: Meter, key: bytes = KEY, auth: bytes | None = AUTH) -> None:
    """The keys as the programs' interface takes them: in hex digits."""
    kinds = {ENCRYPTION: key, AUTHENTICATION: auth}
    for kind, value in kinds.items():
        if value is not None:
            await store.write(
                secrets.put, SEALING, meter.organization, meter.id, kind, value.hex().encode("ascii")
            )


def all_readings(tx: Any) -> Any:
    return readings.page(tx, ANY, [channel.id for channel in channels.of_meter(tx, ANY)])


async def volumes(store: Store) -> list[Decimal]:
    found = await store.read(all_readings)
    return sorted(one.value for one in found if one.value > 10_000)


@pytest.fixture
async def port(store: Store, clock: SimulatedClock, fleet: Fleet) -> AsyncIterator[int]:
    receiver = Receiver(ReceiverAddress("dlms", "127.0.0.1", 0, None, "udp"), fleet.id, store, clock)
    yield await receiver.start()
    await receiver.close()


@pytest.fixture
async def processor(store: Store, bus: MemoryBus, ingest: Ingest) -> Processor:
    return Processor(store, bus, SEALING)


def send(port: int, *datagrams: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        for datagram in datagrams:
            line.sendto(datagram, ("127.0.0.1", port))


async def test_a_ciphered_gas_push_over_udp_becomes_readings_with_units(
    store: Store, processor: Processor, fleet: Fleet, port: int
) -> None:
    meter = await store.write(registered, fleet)
    await give_keys(store, meter)
    send(port, sealed())
    (frame,) = await kept(store, 1)
    assert (frame.payload, frame.protocol, frame.organization) == (sealed(), "dlms", fleet.id)
    assert frame.peer.startswith("127.0.0.1:")
    assert frame.entrance == "dlms+udp://127.0.0.1:0"
    assert await processor.drain() == 1
    (frame,) = await kept(store)
    assert (frame.status, frame.reason, frame.meter) == (FrameStatus.DONE, None, "G1")
    found = await store.read(all_readings)
    assert {one.instant for one in found} == {datetime(2026, 3, 1, 11, tzinfo=UTC)}
    assert {one.quality for one in found} == {Quality.GOOD}
    assert {one.frame for one in found} == {frame.id}
    values = {}
    for channel in await store.read(channels.of_meter, ANY):
        of = await store.read(series.get, ANY, channel.series)
        assert of is not None
        values[of.name, of.unit] = next(one.value for one in found if one.channel == channel.id)
    assert values == {
        ("7-0:13.2.0", "m3"): Decimal("14567.89"),
        ("7-0:12.2.0", "m3"): Decimal("3.21"),
        ("7-0:43.45.0", "m3/h"): Decimal("5.12"),
    }


async def test_an_unknown_meter_and_a_missing_key_wait_and_come_back_by_themselves(
    store: Store, processor: Processor, fleet: Fleet, port: int
) -> None:
    send(port, sealed())
    await kept(store, 1)
    await processor.drain()
    (frame,) = await kept(store)
    assert (frame.status, frame.reason) == (
        FrameStatus.QUARANTINED,
        f"meter {TITLE.hex()} is not known",
    )
    meter = await store.write(registered, fleet)
    assert await store.write(reconsider) == 1
    await processor.drain()
    (frame,) = await kept(store)
    assert "is encrypted and its encryption key is missing" in (frame.reason or "")
    assert await store.write(reconsider) == 0
    await give_keys(store, meter, auth=None)
    assert await store.write(reconsider) == 1
    await processor.drain()
    (frame,) = await kept(store)
    assert frame.reason == f"the message carries a tag and meter G1 has no {AUTHENTICATION} to prove it"
    await give_keys(store, meter)
    assert await store.write(reconsider) == 1
    await processor.drain()
    assert (await kept(store))[0].status is FrameStatus.DONE
    assert await volumes(store) == [Decimal("14567.89")]


@pytest.mark.parametrize("wrong", [ENCRYPTION, AUTHENTICATION])
async def test_a_wrong_key_is_told_and_the_right_one_opens_what_waits(
    wrong: str, store: Store, processor: Processor, fleet: Fleet, port: int
) -> None:
    meter = await store.write(registered, fleet)
    if wrong == ENCRYPTION:
        await give_keys(store, meter, key=bytes(16))
    else:
        await give_keys(store, meter, auth=bytes(16))
    send(port, sealed())
    await kept(store, 1)
    await processor.drain()
    (frame,) = await kept(store)
    which = "encryption" if wrong == ENCRYPTION else "authentication"
    assert f"the {which} key is wrong" in (frame.reason or "")
    await give_keys(store, meter)
    assert await store.write(reconsider) == 1
    await processor.drain()
    assert (await kept(store))[0].status is FrameStatus.DONE


async def test_a_replayed_or_lowered_counter_is_refused_after_a_restart_too(
    store: Store, bus: MemoryBus, processor: Processor, fleet: Fleet, port: int
) -> None:
    await give_keys(store, await store.write(registered, fleet))
    send(port, sealed(7))
    await kept(store, 1)
    await processor.drain()
    send(port, sealed(7))
    await kept(store, 2)
    send(port, sealed(6, volume=9999999))
    await kept(store, 3)
    send(port, sealed(8, volume=1456800))
    await kept(store, 4)
    await Processor(store, bus, SEALING).drain()
    assert [frame.reason for frame in await kept(store)] == [
        None,
        "invocation counter 7 was used already: the message is replayed (last seen 7)",
        "invocation counter 6 is lower than the last one (last seen 7)",
        None,
    ]
    assert Decimal("99999.99") not in await volumes(store)


async def test_reading_all_again_accepts_and_refuses_the_same(
    store: Store, processor: Processor, fleet: Fleet, port: int
) -> None:
    await give_keys(store, await store.write(registered, fleet))
    for number, counter in enumerate((7, 7, 9), 1):
        send(port, sealed(counter))
        await kept(store, number)
    await processor.drain()
    before = [(frame.status, frame.reason) for frame in await kept(store)]
    assert [status for status, _ in before] == [FrameStatus.DONE, FrameStatus.QUARANTINED, FrameStatus.DONE]
    assert await store.write(frames.requeue, ANY, done=True) == 3
    await processor.drain()
    assert [(frame.status, frame.reason) for frame in await kept(store)] == before


async def test_frames_that_waited_for_a_key_are_judged_by_when_they_came(
    store: Store, processor: Processor, fleet: Fleet, port: int
) -> None:
    meter = await store.write(registered, fleet)
    send(port, sealed(5))
    await kept(store, 1)
    await processor.drain()
    await give_keys(store, meter)
    send(port, sealed(6))
    await kept(store, 2)
    await processor.drain()
    assert [frame.status for frame in await kept(store)] == [FrameStatus.QUARANTINED, FrameStatus.DONE]
    assert await store.write(reconsider) == 1
    await processor.drain()
    assert {frame.status for frame in await kept(store)} == {FrameStatus.DONE}


async def test_a_tag_without_ciphering_is_proven_too(
    store: Store, processor: Processor, fleet: Fleet, port: int
) -> None:
    meter = await store.write(registered, fleet)
    send(port, sealed(5, control=0x10))
    await kept(store, 1)
    await processor.drain()
    assert (await kept(store))[0].status is FrameStatus.QUARANTINED
    await give_keys(store, meter)
    assert await store.write(reconsider) == 1
    await processor.drain()
    assert (await kept(store))[0].status is FrameStatus.DONE


async def test_a_datagram_may_hold_two_frames_and_noise_is_refused(store: Store, port: int) -> None:
    send(port, b"", b"noise", sealed()[:-1], b"\x00\x01\x00\x01\x00\x01\x00\x00", sealed(1) + sealed(2))
    await kept(store, 2)
    assert [frame.payload for frame in await kept(store)] == [sealed(1), sealed(2)]


async def test_a_stream_is_cut_by_the_lengths_in_its_headers(
    store: Store, clock: SimulatedClock, fleet: Fleet
) -> None:
    receiver = Receiver(ReceiverAddress.parse("dlms://127.0.0.1:0"), fleet.id, store, clock)
    stream = await tcp.connect_async("127.0.0.1", await receiver.start(), 5.0)
    data = sealed(1) + sealed(2)
    try:
        for at in range(0, len(data), 50):
            await stream.send(data[at : at + 50])
        assert [frame.payload for frame in await kept(store, 2)] == [sealed(1), sealed(2)]
    finally:
        await stream.close()
        await receiver.close()


def test_an_address_says_the_line() -> None:
    for text in ("dlms+udp://0.0.0.0:4059?organization=A", "dlms://0.0.0.0:4059?organization=A&udp"):
        address = ReceiverAddress.parse(text)
        assert (address.line, address.organization, str(address)) == ("udp", "A", "dlms+udp://0.0.0.0:4059")
    with pytest.raises(LocalProtocolError, match="sml cannot be received by udp, only by tcp"):
        ReceiverAddress.parse("sml+udp://0.0.0.0:1")
