"""Simulated DLMS meters: the same from a seed, moving with time, and pushing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from queue import Queue
from threading import Event, Thread
from typing import Any

import pytest

from polymeter import connect, decode
from polymeter.protocols.wire import LocalProtocolError
from polymeter.simulators import Settings, simulate, simulators
from polymeter.testing import simulated_fleet, simulated_meter

NOW = datetime(2026, 3, 1, 12, 7, 30, tzinfo=UTC)


def read(address: str) -> dict[str, Any]:
    with connect(address) as meter:
        return {one.series: one.value for one in meter.read()}


def test_it_is_announced() -> None:
    assert "dlms" in simulators()


def test_the_same_seed_gives_the_same_meters_and_another_gives_others() -> None:
    with simulated_fleet("dlms", 2, seed=4, now=lambda: NOW) as addresses:
        first, second = (read(address) for address in addresses)
    with simulated_fleet("dlms", 2, seed=4, now=lambda: NOW) as addresses:
        assert [read(address) for address in addresses] == [first, second]
    with simulated_meter("dlms", seed=5, now=lambda: NOW) as address:
        assert read(address)["1-0:1.8.0*255"] != first["1-0:1.8.0*255"]
    assert first["0-0:96.1.0*255"] == "00000001"
    assert second["0-0:96.1.0*255"] == "00000002"


def test_values_move_with_time_and_the_profile_agrees_with_the_register() -> None:
    time = [NOW]
    with simulated_meter("dlms", now=lambda: time[0]) as address, connect(address) as meter:
        before = meter.read("1.8.0")[0].value
        time[0] = NOW.replace(minute=15, second=0)
        after = meter.read("1.8.0")[0].value
        (row,) = meter.read_profile("1-0:99.1.0*255", time[0], time[0])
        days = meter.read_profile("1-0:99.2.0*255", NOW - timedelta(days=10), NOW)
    assert isinstance(before, int)
    assert isinstance(after, int)
    assert after > before
    assert row.readings[1].value == after
    assert len(days) == 10


@pytest.mark.parametrize("framing", ["wrapper", "hdlc"])
@pytest.mark.parametrize("auth", ["none", "low", "md5", "sha1", "sha256", "gmac"])
def test_the_addresses_that_are_printed_open_the_meters(framing: str, auth: str) -> None:
    config = {"framing": framing, "auth": auth, "compressed": True, "interval": 3600, "history": 3}
    with simulated_fleet("dlms", 3, now=lambda: NOW, config=config) as addresses:
        for number, address in enumerate(addresses, 1):
            with connect(address) as meter:
                (name,) = meter.read("0-0:42.0.0*255")
                rows = meter.read_profile("1-0:99.1.0*255", NOW - timedelta(days=9), NOW)
            assert name.value == f"PMX{number:013d}"
            assert len(rows) == 72


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"colour": "red"}, "no setting 'colour'"),
        ({"framing": "token"}, "framing is wrapper or hdlc"),
        ({"auth": "ecdsa"}, "auth one of"),
        ({"key": "xyz"}, "simulator settings"),
        ({"history": "long"}, "simulator settings"),
    ],
)
def test_wrong_settings_are_told(config: dict[str, Any], said: str) -> None:
    with pytest.raises(LocalProtocolError, match=said), simulated_meter("dlms", config=config):
        pass


@contextmanager
def receiver(datagrams: bool) -> Iterator[tuple[int, Queue[bytes]]]:
    """A head-end that takes whatever comes, in a thread of its own."""
    came: Queue[bytes] = Queue()
    ready, port, loop = Event(), [0], asyncio.new_event_loop()
    stop = asyncio.Event()

    class Datagrams(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: Any) -> None:
            came.put(data)

    async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.put(await reader.read())
        writer.close()

    async def listen() -> None:
        if datagrams:
            transport, _ = await loop.create_datagram_endpoint(Datagrams, local_addr=("127.0.0.1", 0))
            port[0] = transport.get_extra_info("sockname")[1]
        else:
            server = await asyncio.start_server(stream, "127.0.0.1", 0)
            port[0] = server.sockets[0].getsockname()[1]
        ready.set()
        await stop.wait()
        if datagrams:
            transport.close()
        else:
            server.close()

    thread = Thread(target=lambda: loop.run_until_complete(listen()))
    thread.start()
    ready.wait()
    yield port[0], came
    loop.call_soon_threadsafe(stop.set)
    thread.join()


@pytest.mark.parametrize("framing", ["wrapper", "hdlc"])
@pytest.mark.parametrize("datagrams", [False, True])
@pytest.mark.parametrize("ciphered", [False, True])
def test_a_push_becomes_named_readings(framing: str, datagrams: bool, ciphered: bool) -> None:
    key = "00112233445566778899aabbccddeeff"
    with receiver(datagrams) as (port, came):
        config = {
            "push": f"127.0.0.1:{port}", "push_period": 3600, "push_udp": datagrams,
            "push_ciphered": ciphered, "framing": framing, "key": key, "auth_key": key, "auth": "low",
        }  # fmt: skip
        with simulated_meter("dlms", now=lambda: NOW, config=config) as address:
            with connect(address) as meter:
                expected = {
                    one.series: (one.value, one.unit) for one in meter.read("1.8.0", "2.8.0", "1.7.0")
                }
                meter.call("push")
            telegram = came.get(timeout=10)
    decoded = decode(telegram, protocol="dlms", keys=[bytes.fromhex(key)], auth_key=bytes.fromhex(key))
    assert decoded["valid"], decoded["errors"]
    readings = {one["series"]: one for one in decoded["readings"]}
    for series, (value, unit) in expected.items():
        assert (readings[series]["value"], readings[series]["unit"]) == (str(value), unit)
    assert readings["0-0:96.1.0*255"]["value"] == "00000001"


def test_pushes_come_by_themselves_and_survive_a_deaf_receiver() -> None:
    with receiver(True) as (port, came):
        config = {"push": f"127.0.0.1:{port}", "push_period": 0.05, "push_udp": True}
        with simulated_fleet("dlms", 2, now=lambda: NOW, config=config):
            telegrams = {came.get(timeout=10)[2:4] for _ in range(4)}
    assert telegrams == {b"\x00\x01", b"\x00\x02"}
    with simulated_meter("dlms", config={"push": f"127.0.0.1:{port}", "push_period": 0.01}) as address:
        assert read(address)


def test_the_fleet_closes_with_its_pushes() -> None:
    async def run() -> int:
        config = {"push": "127.0.0.1:9", "push_period": 3600}
        async with simulate("dlms", Settings(config=config)) as addresses:
            return len(addresses)

    assert asyncio.run(run()) == 1
