"""Topics of a broker: a message is acknowledged when its frames are on disk, and comes again if not."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog

from polymeter.catalogue import decode_frames
from polymeter.collection import Receiver, ReceiverAddress, lines
from polymeter.domain import SimulatedClock
from polymeter.protocols.wire import LocalProtocolError
from polymeter.protocols.wmbus import LinkHeader, encode_format_a
from polymeter.protocols.wmbus.meter import Sender
from polymeter.store import Frame, Store, StoreUnavailable, new_uid
from polymeter.transports import mqtt
from polymeter.transports.mqtt import Broker, publishing, subscribed
from tests.collection.spooled import kept
from tests.fleet import Fleet
from tests.patience import until
from tests.vectors import load_vectors, telegram
from tools.control import Client

pytestmark = pytest.mark.anyio

LINK = LinkHeader(0x44, "PMX", "12345678", 1, 7)


def radio(litres: int) -> bytes:
    return Sender(LINK).telegram(b"\x04\x13" + litres.to_bytes(4, "little"), access_number=litres & 255)


@pytest.fixture
def broker(mqtt_url: str) -> Broker:
    return Broker.parse(mqtt_url)


@pytest.fixture
def topic() -> str:
    return f"test/{new_uid()}"


def address(broker: Broker, topic: str, protocol: str = "wmbus", more: str = "") -> ReceiverAddress:
    return ReceiverAddress.parse(f"{protocol}+mqtt://{broker.host}:{broker.port}/{topic}{more}")


@asynccontextmanager
async def receiving(
    store: Store, clock: SimulatedClock, fleet: Fleet, where: ReceiverAddress, **more: Any
) -> AsyncIterator[Receiver]:
    receiver = Receiver(where, fleet.id, store, clock, **more)
    await receiver.start()
    try:
        yield receiver
    finally:
        await receiver.close()


async def publish(broker: Broker, topic: str, *payloads: bytes) -> None:
    async with publishing(broker) as publisher:
        for payload in payloads:
            await publisher.publish(topic, payload)


async def session(where: ReceiverAddress, broker: Broker) -> None:
    """Make the session that the broker keeps messages for."""
    async with subscribed(broker, where.topic, where.client_id):
        pass


TELEGRAM = radio(5)
PAYLOADS = {
    "raw": TELEGRAM,
    "with checksums": encode_format_a(TELEGRAM),
    "hex": TELEGRAM.hex().encode(),
    "a line of rtl-wmbus": b"C1;1;1;2026-03-01 12:00:00.000;97;72;12345678;0x" + TELEGRAM.hex().encode(),
    "rtl_433": json.dumps(
        {"time": "2026-03-01 12:00:00", "model": "Wireless-MBus", "mode": "C", "M": "PMX", "id": 12345678,
         "data_length": len(TELEGRAM), "data": TELEGRAM.hex(), "mic": "CRC", "rssi": -3.6, "codes": "00" * 99}
    ).encode(),
    "pretty": json.dumps({"gateway": "Zähler-Süd", "rssi": -71, "telegram": TELEGRAM.hex().upper()}, indent=2)
    .encode(),
    "nested": json.dumps({"meta": {"id": "x"}, "uplink": {"payload": TELEGRAM.hex(), "rssi_dbm": -80}})
    .encode(),
}  # fmt: skip


async def test_whatever_a_gateway_publishes_is_kept_as_it_came_and_read(
    store: Store, clock: SimulatedClock, fleet: Fleet, broker: Broker, topic: str
) -> None:
    where = address(broker, f"{topic}/%23")
    await session(where, broker)
    async with receiving(store, clock, fleet, where):
        async with publishing(broker) as publisher:
            for name, payload in PAYLOADS.items():
                await publisher.publish(f"{topic}/{name}", payload)
        found = await kept(store, len(PAYLOADS))
    assert {frame.peer.removeprefix(f"{topic}/"): frame.payload.rstrip() for frame in found} == PAYLOADS
    assert {frame.entrance for frame in found} == {f"wmbus+mqtt://{broker.host}:{broker.port}/{topic}/#"}
    assert {frame.organization for frame in found} == {fleet.id}
    for frame in found:
        (one,) = decode_frames(frame.payload, "wmbus")
        assert one.decoded.valid, (frame.peer, one.decoded.errors)
        assert (one.decoded.meter.id, str(one.readings[0].value)) == ("12345678", "0.005")


@pytest.mark.parametrize("protocol", ["p1", "sml"])
async def test_other_protocols_are_received_the_same_way(
    store: Store, clock: SimulatedClock, fleet: Fleet, broker: Broker, topic: str, protocol: str
) -> None:
    name = {"p1": "dsmr-4", "sml": "push"}[protocol]
    payload = next(telegram(case) for case in load_vectors(protocol) if case["name"] == name)
    where = address(broker, topic, protocol)
    await session(where, broker)
    async with receiving(store, clock, fleet, where):
        await publish(broker, topic, payload)
        (frame,) = await kept(store, 1)
    assert (frame.protocol, frame.payload) == (protocol, payload)


async def test_what_comes_while_nobody_listens_waits(
    store: Store, clock: SimulatedClock, fleet: Fleet, broker: Broker, topic: str
) -> None:
    where = address(broker, topic)
    await session(where, broker)
    sent = [radio(count) for count in range(300)]
    await publish(broker, topic, *sent)
    async with receiving(store, clock, fleet, where):
        found = await kept(store, len(sent))
    assert [frame.payload for frame in found] == sent


class Slow:
    """A store whose disk takes what it is given when it is let."""

    def __init__(self, store: Store) -> None:
        self._store, self.go = store, asyncio.Event()
        self.given: list[bytes] = []
        self.failures = 0

    async def spool(self, batch: list[Frame]) -> None:
        self.given += [frame.payload for frame in batch]
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("disk full")
        await self.go.wait()
        await self._store.spool(batch)


async def test_nothing_is_acknowledged_before_it_is_on_disk(
    store: Store, clock: SimulatedClock, fleet: Fleet, broker: Broker, topic: str
) -> None:
    where, slow = address(broker, topic), Slow(store)
    await session(where, broker)
    await publish(broker, topic, radio(1), radio(2))
    async with receiving(slow, clock, fleet, where):  # type: ignore[arg-type]
        await until(lambda: slow.given, "a frame")
    # The receiver died with the frames in hand: the broker has them still.
    async with receiving(store, clock, fleet, where):
        found = await kept(store, 2)
    assert sorted(frame.payload for frame in found) == [radio(1), radio(2)]
    # And what was acknowledged does not come again.
    async with receiving(store, clock, fleet, where):
        await publish(broker, topic, radio(3))
        assert len(await kept(store, 3)) == 3


async def test_a_disk_that_fails_is_waited_for(
    store: Store,
    clock: SimulatedClock,
    fleet: Fleet,
    broker: Broker,
    topic: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("polymeter.collection.intake._RETRY_S", 0.01)
    where, slow = address(broker, topic), Slow(store)
    slow.failures = 3
    slow.go.set()
    await session(where, broker)
    async with receiving(slow, clock, fleet, where):  # type: ignore[arg-type]
        await publish(broker, topic, radio(1))
        (frame,) = await kept(store, 1)
    assert (frame.payload, slow.given) == (radio(1), [radio(1)] * 4)


async def test_what_is_no_telegram_is_refused_once_and_holds_up_nothing(
    store: Store, clock: SimulatedClock, fleet: Fleet, broker: Broker, topic: str
) -> None:
    where = address(broker, topic)
    await session(where, broker)
    noise = [b"", b"online", b"\xff\x00", b'{"uptime": 5}', b'{"telegram": "44', b"{" * 5000, radio(1)[:-3]]
    async with receiving(store, clock, fleet, where):
        await publish(broker, topic, *noise, radio(1))
        await kept(store, 1)
    async with receiving(store, clock, fleet, where):
        await publish(broker, topic, radio(2))
        found = await kept(store, 2)
    assert {frame.payload for frame in found} == {radio(1), radio(2)}


async def test_a_retained_message_is_of_the_past(
    store: Store, clock: SimulatedClock, fleet: Fleet, broker: Broker, topic: str
) -> None:
    async with mqtt._connected(broker, None) as (client, _):
        await client.publish(topic, radio(1), qos=1, retain=True)
    where = address(broker, topic)
    await session(where, broker)
    async with receiving(store, clock, fleet, where):
        await publish(broker, topic, radio(2))
        assert [frame.payload for frame in await kept(store, 1)] == [radio(2)]
    async with mqtt._connected(broker, None) as (client, _):
        await client.publish(topic, b"", qos=1, retain=True)


async def test_a_broker_that_restarts_is_found_again_and_the_failure_is_said_once(
    store: Store,
    clock: SimulatedClock,
    fleet: Fleet,
    broker: Broker,
    topic: str,
    services: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lines, "_PAUSE_FIRST_S", 0.02)
    monkeypatch.setattr(lines, "_PAUSE_MAX_S", 0.1)
    where = address(broker, topic)
    with structlog.testing.capture_logs() as said:
        await session(where, broker)
        async with receiving(store, clock, fleet, where):
            await publish(broker, topic, radio(1))
            await kept(store, 1)
            services.kill("mosquitto")
            await until(lambda: [one for one in said if "trying again" in one["event"]], "the failure")
            await asyncio.sleep(0.3)  # several attempts are made and none of them is told
            services.start("mosquitto")
            services.wait("mosquitto")
            await until(lambda: [one for one in said if "open again" in one["event"]], "the line")
            await publish(broker, topic, radio(2))
            found = await kept(store, 2)
    assert {frame.payload for frame in found} == {radio(1), radio(2)}
    assert sum("trying again" in one["event"] for one in said) == 1


async def test_a_flood_without_limit_ends_the_connection_and_loses_nothing(
    store: Store,
    clock: SimulatedClock,
    fleet: Fleet,
    broker: Broker,
    topic: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mqtt, "_UNACKNOWLEDGED_MAX", 3)
    monkeypatch.setattr(lines, "_PAUSE_FIRST_S", 0.01)
    where = address(broker, topic)
    await session(where, broker)
    sent = [radio(count) for count in range(900)]
    await publish(broker, topic, *sent)
    async with receiving(store, clock, fleet, where):
        for more in range(500):
            # What was not acknowledged in time comes twice.
            found = await kept(store, len(sent) + more)
            if {frame.payload for frame in found} == set(sent):
                return
    raise AssertionError("some never came")


def test_an_address_names_topic_and_broker() -> None:
    parsed = ReceiverAddress.parse("wmbus+mqtt://broker/wmbus/+/raw?organization=Demo&user=anna")
    assert (parsed.line, parsed.topic, parsed.port, parsed.organization) == (
        "mqtt", "wmbus/+/raw", 1883, "Demo",
    )  # fmt: skip
    assert str(parsed) == "wmbus+mqtt://broker:1883/wmbus/+/raw"
    assert ReceiverAddress.parse("wmbus+mqtts://broker/a").port == 8883
    for text, said in {
        "wmbus+mqtt://broker": "needs a topic",
        "wmbus+mqtt://broker/a?password=x": "no parameter 'password'",
        "lis200+mqtt://broker/a": "lis200 cannot be received",
    }.items():
        with pytest.raises(LocalProtocolError, match=said):
            ReceiverAddress.parse(text)


def test_an_address_keeps_its_name_at_the_broker_and_shares_it_with_no_other() -> None:
    texts = [
        "wmbus+mqtt://broker/a?organization=A", "wmbus+mqtt://broker/b?organization=A",
        "wmbus+mqtt://broker/a?organization=B", "sml+mqtt://broker/a?organization=A",
        "wmbus+mqtt://broker/a?organization=A&client_id=mine",
    ]  # fmt: skip
    names = [ReceiverAddress.parse(text).client_id for text in texts]
    assert len(set(names)) == len(texts)
    assert names[-1] == "mine"
    assert names == [ReceiverAddress.parse(text).client_id for text in texts]
    assert all(len(name) <= 23 for name in names)  # what MQTT 3.1.1 promises that any broker takes


async def test_the_broker_of_the_settings_serves_addresses_without_one(
    store: Store, clock: SimulatedClock, fleet: Fleet, broker: Broker, topic: str
) -> None:
    where = ReceiverAddress.parse(f"wmbus+mqtt:///{topic}")
    with pytest.raises(LocalProtocolError, match="MQTT_URL is not set"):
        Receiver(where, fleet.id, store, clock)
    await session(where, broker)
    async with receiving(store, clock, fleet, where, broker=broker):
        await publish(broker, topic, radio(1))
        assert len(await kept(store, 1)) == 1
