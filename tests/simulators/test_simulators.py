"""Simulated meters: the same from the same seed, never backwards, many at once, on bad lines."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.drivers import connect_async
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError, TransportError
from polymeter.simulators import Settings, simulate, simulators
from polymeter.simulators.consumption import EPOCH, Consumption
from polymeter.simulators.registry import simulator_named

NOW = datetime(2026, 1, 31, 10, 15, 2, tzinfo=UTC)
seconds = st.integers(0, 20 * 365 * 86_400)


@given(st.integers(0, 10_000), seconds, seconds)
def test_counters_never_run_backwards(seed: int, one: int, other: int) -> None:
    used = Consumption(seed)
    early, late = (EPOCH + timedelta(seconds=each) for each in sorted((one, other)))
    assert used.energy_wh(early) <= used.energy_wh(late)
    assert used.power_w(late) >= 0
    assert used.interval_wh(late, late - early) >= 0


@given(st.integers(0, 1000), seconds)
def test_energy_is_the_integral_of_power(seed: int, start: int) -> None:
    used = Consumption(seed)
    begin = EPOCH + timedelta(seconds=start)
    watts = [used.power_w(begin + timedelta(seconds=each)) for each in range(0, 3600, 10)]
    energy = used.interval_wh(begin + timedelta(hours=1), timedelta(hours=1))
    assert energy == pytest.approx(sum(watts) / len(watts), abs=2 + 0.02 * energy)


def test_the_same_seed_uses_the_same() -> None:
    assert Consumption(5).energy_wh(NOW) == Consumption(5).energy_wh(NOW)
    assert len({Consumption(seed).energy_wh(NOW) for seed in range(50)}) == 50


async def read_all(settings: Settings, *, protocol: str = "iec62056-21") -> list[list[tuple[str, object]]]:
    async with simulate(protocol, settings) as addresses:
        found = []
        for address in addresses:
            async with connect_async(address) as meter:
                found.append([(reading.series, reading.value) for reading in await meter.read()])
        return found


@pytest.mark.parametrize("protocol", [name for name in simulators() if name != "wmbus"])  # nobody asks those
def test_a_fleet_is_made_from_its_seed(protocol: str) -> None:
    settings = Settings(3, 7, lambda: NOW)
    first = asyncio.run(read_all(settings, protocol=protocol))
    assert first == asyncio.run(read_all(settings, protocol=protocol))
    assert first != asyncio.run(read_all(Settings(3, 8, lambda: NOW), protocol=protocol))
    assert len({tuple(map(str, meter)) for meter in first}) == 3


def test_what_a_meter_shows_goes_up_with_time() -> None:
    def energy(at: datetime) -> Decimal:
        ((*readings,),) = asyncio.run(read_all(Settings(1, 7, lambda: at)))
        value = dict(readings)["1-0:1.8.0*255"]
        assert isinstance(value, Decimal)
        return value

    assert energy(NOW) < energy(NOW + timedelta(days=1))


def test_a_thousand_connections_at_once() -> None:
    async def scenario() -> None:
        async with simulate("iec62056-21", Settings(1000, 7, lambda: NOW)) as addresses:
            gate = asyncio.Semaphore(400)  # files that one process may have open, both ends counted

            async def read(address: str) -> object:
                async with gate, connect_async(address + "&answer_timeout=60") as meter:
                    return (await meter.read("0.0.0"))[0].value

            values = await asyncio.gather(*map(read, addresses))
            assert values == [f"{number:08d}" for number in range(1, 1001)]

    asyncio.run(scenario())


def test_on_a_bad_line_values_are_right_or_missing() -> None:
    async def scenario() -> int:
        right = 0
        config = {"faults": {"flip": 0.1, "split": 0.5, "noise": 0.1}}
        async with simulate("iec62056-21", Settings(1, 7, lambda: NOW, config)) as (address,):
            for _ in range(20):
                try:
                    async with connect_async(address + "&answer_timeout=0.05") as meter:
                        (reading,) = await meter.read("0.0.0")
                except (RemoteProtocolError, TransportError):
                    continue
                assert reading.value == "00000001"
                right += 1
        return right

    assert asyncio.run(scenario()) > 5


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (Settings(0), "at least one meter"),
        (Settings(config={"colour": "red"}), "has no setting 'colour'; there are"),
        (Settings(config={"password": 5}), "password must be a text"),
        (Settings(config={"reaction": "slow"}), "reaction must be a number"),
        (Settings(config={"reaction": -1}), "reaction must be a number"),
        (Settings(config={"first": "one"}), "first must be a number"),
        (Settings(config={"baud": "9600"}), "baud of mode C must be one of"),
        (Settings(config={"mode": "F"}), "mode must be one of A, B, C, D"),
        (Settings(2, config={"mode": "D"}), "one meter of mode D"),
        (Settings(config={"silent": [{"number": 1}]}), "silent: number, after and for"),
        (
            Settings(config={"silent": [{"number": 1, "after": "x", "for": 1}]}),
            "silent: number, after and for",
        ),
        (Settings(config={"faults": {"colour": 1}}), "faults: .*colour"),
        (Settings(config={"faults": {"flip": 7}}), "flip must be a chance"),
        (Settings(config={"faults": 5}), "faults"),
    ],
)
def test_a_wrong_setting_is_told_at_the_start(settings: Settings, said: str) -> None:
    with pytest.raises(LocalProtocolError, match=said):
        asyncio.run(read_all(settings))


def test_an_unknown_simulator_is_refused_with_those_there_are() -> None:
    with pytest.raises(LocalProtocolError, match=r"no simulator for 'morse'; there are .*iec62056-21"):
        simulator_named("morse")


def test_a_port_that_is_taken_is_told() -> None:
    async def scenario() -> None:
        async with simulate("iec62056-21") as (address,):
            port = int(address.partition("?")[0].rpartition(":")[2])
            with pytest.raises(TransportError, match="cannot listen"):
                async with simulate("iec62056-21", port=port):
                    pass

    asyncio.run(scenario())


def test_meters_listen_on_ipv6_too() -> None:
    async def scenario() -> None:
        async with simulate("iec62056-21", host="::1") as (address,):
            assert address.startswith("iec62056-21://[::1]:")
            async with connect_async(address) as meter:
                assert await meter.read("1.8.0")

    asyncio.run(scenario())


def test_a_silent_meter_answers_again_later() -> None:
    clock = [NOW]

    async def scenario() -> list[bool]:
        config = {"silent": [{"number": 1, "after": 10, "for": 10}]}
        answers = []
        async with simulate("iec62056-21", Settings(1, 1, lambda: clock[0], config)) as (address,):
            for later in (0, 15, 30):
                clock[0] = NOW + timedelta(seconds=later)
                try:
                    async with connect_async(address + "&answer_timeout=0.01") as meter:
                        answers.append(bool(await meter.read("1.8.0")))
                except TransportError:
                    answers.append(False)
        return answers

    assert asyncio.run(scenario()) == [True, False, True]
