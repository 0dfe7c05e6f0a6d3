"""Radio meters that anyone may listen to, and only who has a key may read."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from polymeter.protocols import wmbus
from polymeter.protocols.wire import DecodeOptions, LocalProtocolError, NeedData
from polymeter.protocols.wmbus import PushedTelegrams
from polymeter.simulators import Settings, simulate
from polymeter.simulators.registry import simulator_named
from polymeter.simulators.wmbus import RadioMeter
from polymeter.transports import tcp, udp
from polymeter.transports.mqtt import Broker, subscribed
from tests.patience import PATIENCE_S, until
from tests.platform import free_port

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def test_whoever_connects_hears_every_meter() -> None:
    async with simulate("wmbus", Settings(count=3, seed=5, config={"interval": 0})) as addresses:
        keys = {
            address.rpartition("/")[2][:8]: bytes.fromhex(address.rpartition("=")[2]) for address in addresses
        }
        port = int(addresses[0].split(":")[2].partition("/")[0])
        stream = await tcp.connect_async("127.0.0.1", port, 5.0)
        splitter, heard = PushedTelegrams(), {}
        while len(heard) < 3:
            splitter.receive_data(await stream.receive(5.0))
            while not isinstance(frame := splitter.next_frame(), NeedData):
                (decoded,) = wmbus.decode(frame, DecodeOptions(keys=tuple(keys.values())))
                heard[decoded.meter.id] = decoded
        await stream.close()
    assert set(heard) == set(keys)
    assert all(len(decoded.records) == 3 and not decoded.errors for decoded in heard.values())


@pytest.mark.parametrize("mode", [0, 5, 7, 8, 9, 10, "session"])
def test_counters_go_up_and_open_with_the_meters_key_alone(mode: int) -> None:
    settings = Settings()
    one, other = RadioMeter(1, mode, 1, settings.now), RadioMeter(2, mode, 1, settings.now)
    assert one.key != other.key
    (opened,) = wmbus.decode(one.telegram(), DecodeOptions(keys=(other.key, one.key)))
    assert len(opened.records) == 3
    if mode:
        (shut,) = wmbus.decode(one.telegram(), DecodeOptions(keys=(other.key,)))
        assert not shut.records


@pytest.mark.parametrize("mode", [7, 10, "session"])
def test_the_message_counter_goes_up_over_a_restart(mode: int | str) -> None:
    at = NOON
    seen = []
    for _ in range(3):
        meter = RadioMeter(1, mode, 1, lambda at=at: at)
        for _ in range(3):
            (decoded,) = wmbus.decode(meter.telegram(), DecodeOptions(keys=(meter.key,)))
            seen.append(decoded.seals[0].invocation_counter)
        at += timedelta(minutes=1)
    assert seen == sorted(set(seen))


@pytest.mark.parametrize("mode", [0, 5, 7, 10, "session"])
def test_compact_frames_stand_for_the_full_one_before_them(mode: int | str) -> None:
    settings = Settings(now=lambda: NOON)
    meter = RadioMeter(2, mode, 1, settings.now, frames="compact")
    full = RadioMeter(2, mode, 1, settings.now)
    options, memory = DecodeOptions(keys=(meter.key,)), wmbus.Memory()
    sent = [telegram for _ in range(10) for telegram in meter.telegrams()]
    decoded = [wmbus.decode(telegram, options, memory=memory)[0] for telegram in sent]
    assert [one.waits_for for one in decoded] == [None] * 10
    (wanted,) = wmbus.decode(full.telegram(), options)
    values = [(record.name, record.value, record.unit) for record in wanted.records]
    assert all([(r.name, r.value, r.unit) for r in one.records] == values for one in decoded)
    assert [one.frame.ci in (0x79, 0x7B) for one in decoded] == [False] + [True] * 7 + [False, True]
    assert len(sent[1]) <= len(sent[0])
    (alone,) = wmbus.decode(sent[1], options)
    assert alone.waits_for is not None


@pytest.mark.parametrize("mode", [0, 5, 7, 10])
def test_a_message_is_sent_in_fragments(mode: int) -> None:
    meter = RadioMeter(2, mode, 1, Settings().now, fragment=16)
    memory = wmbus.Memory()
    parts = meter.telegrams()
    assert len(parts) > 1
    last = [wmbus.decode(part, DecodeOptions(keys=(meter.key,)), memory=memory)[0] for part in parts][-1]
    assert (last.valid, len(last.records)) == (True, 3)


async def test_meters_are_dealt_out_among_the_receivers_that_are_named() -> None:
    heard: dict[str, set[str]] = {"tcp": set(), "udp": set()}

    def hear(line: str, data: bytes) -> None:
        heard[line] |= {str(one.meter.id) for one in wmbus.decode(data)}

    async def connection(stream: Any) -> None:
        while data := await stream.receive(5.0):
            hear("tcp", data)

    async def datagram(data: bytes, peer: str) -> None:
        hear("udp", data)

    streams, datagrams = tcp.TCPServer(connection), udp.UDPServer(datagram)
    ports = await streams.listen("127.0.0.1", 0), await datagrams.listen("127.0.0.1", 0)
    push = [f"wmbus://127.0.0.1:{ports[0]}", f"wmbus+udp://127.0.0.1:{ports[1]}"]
    config = {"push": push, "interval": 0.001, "format": "line"}
    try:
        async with simulate("wmbus", Settings(count=4, config=config)):
            await until(lambda: all(len(ids) == 2 for ids in heard.values()), "two meters on each line")
    finally:
        await streams.close()
        await datagrams.close()
    assert heard == {"tcp": {"00000001", "00000003"}, "udp": {"00000002", "00000004"}}


async def test_a_topic_is_pushed_to(mqtt_url: str) -> None:
    topic = f"simulated/{uuid4()}"
    broker = Broker.parse(mqtt_url)
    async with subscribed(broker, topic) as subscription:
        config = {"push": f"wmbus+{mqtt_url}/{topic}", "interval": 0.001, "format": "json"}
        async with simulate("wmbus", Settings(count=2, config=config)):
            found = []
            while len(found) < 4:
                found += await subscription.receive()
    assert {str(wmbus.decode(one.payload)[0].meter.id) for one in found} == {"00000001", "00000002"}


async def test_a_receiver_that_is_not_there_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polymeter.simulators.wmbus._PAUSE_S", 0.01)
    port = free_port()
    came = asyncio.Event()

    async def connection(stream: Any) -> None:
        if await stream.receive(5.0):
            came.set()

    config = {"push": f"wmbus://127.0.0.1:{port}", "interval": 0.001}
    async with simulate("wmbus", Settings(config=config)):
        await asyncio.sleep(0.05)
        server = tcp.TCPServer(connection)
        await server.listen("127.0.0.1", port)
        await asyncio.wait_for(came.wait(), PATIENCE_S)
        await server.close()


def test_settings_are_checked() -> None:
    for config in (
        {"mode": 13}, {"mode": "Session"}, {"format": "smoke"}, {"colour": "red"}, {"frames": "half"},
        {"fragment": 16, "frames": "compact"}, {"fragment": 16, "mode": "session"}, {"push": 5},
        {"push": "sml://127.0.0.1:1"}, {"push": ["wmbus+serial:///dev/x"]}, {"push": "wmbus+mqtt://h"},
        {"push": "wmbus+mqtt://h/a?password_file=/nowhere"}, {"push": "wmbus://h:1?colour=red"},
    ):  # fmt: skip
        with pytest.raises(LocalProtocolError):
            simulator_named("wmbus")(Settings(config=config))
