"""The simulated bus over TCP: read, scanned, written to, slow, noisy and full of collisions."""

from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from polymeter.drivers import Discovered, connect
from polymeter.protocols import mbus
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError, TimedOut
from polymeter.testing import simulated_fleet, simulated_meter
from polymeter.transports.simulated import run_simulated

NOW = datetime(2026, 5, 17, 12, 30, tzinfo=UTC)
FAST = "scan_timeout=0.05&gap=0.02"


def now() -> datetime:
    return NOW


def bus(addresses: list[str], parameters: str = "") -> str:
    return addresses[0].rpartition("/")[0] + (f"?{parameters}" if parameters else "")


def _only_header(header: mbus.LongHeader) -> list[tuple[int, bytes]]:
    return [(0x72, bytes(header))]


def scan(url: str, **arguments: Any) -> list[Discovered]:
    with connect(url) as meter:
        found: list[Discovered] = meter.call("scan", **arguments)
        return found


def test_every_medium_is_read() -> None:
    with simulated_fleet("mbus", 4, now=now) as addresses:
        media = []
        for address in addresses:
            with connect(address) as meter:
                readings = {reading.series: reading for reading in meter.read()}
                assert readings["time"].value == datetime(2026, 5, 17, 12, 30)
                assert meter.clock() == datetime(2026, 5, 17, 12, 30)
                media.append(readings)
    heat, _, electricity, gas = media
    assert heat["energy"].unit == "kWh"
    assert heat["energy"].timestamp == datetime(2026, 5, 17, 12, 30)
    assert heat["energy.s1"].timestamp == datetime(2026, 5, 1)
    assert heat["power.max"].function == "maximum"
    assert isinstance(heat["flow_temperature"].value, Decimal)
    assert {"energy", "energy.t1", "energy.t2", "voltage.l1"} <= electricity.keys()
    assert gas["volume"].unit == "m3"


def test_objects_are_named_by_series_or_obis_code() -> None:
    with simulated_meter("mbus", now=now) as address, connect(address) as meter:
        energy, same, absent = meter.read("energy", "6-0:1.0.0*255", "nothing")
        assert energy.series == same.series == "energy"
        assert energy.value == same.value
        assert absent.error
        assert "energy" in meter.objects()


def test_several_telegrams_are_one_reading() -> None:
    with simulated_meter("mbus", now=now, config={"telegrams": 4}) as address, connect(address) as meter:
        series = [reading.series for reading in meter.read()]
        assert series == [reading.series for reading in meter.read()]
    assert [name for name in series if name.startswith("energy.")] == [f"energy.s{n}" for n in range(1, 20)]


def test_a_secondary_address_may_have_wildcards() -> None:
    with simulated_fleet("mbus", 12) as addresses:
        host = bus(addresses)
        for address in ("30000000", "3FFFFFFF", "30000000B8410102", "FFFFFFFFFFFFFF02"):
            if address.startswith("F"):
                with (
                    connect(f"{host}/{address}") as meter,
                    pytest.raises(RemoteProtocolError, match="several"),
                ):
                    meter.read()
                continue
            with connect(f"{host}/{address}") as meter:
                assert meter.read("fabrication_number")[0].value == "30000000"
        with (
            connect(f"{host}/99999999?answer_timeout=0.1") as meter,
            pytest.raises(TimedOut, match="99999999"),
        ):
            meter.read()


@pytest.mark.parametrize("exact", [False, True])
def test_a_scan_finds_every_meter_once(exact: bool) -> None:
    with simulated_fleet("mbus", 12, config={"exact_overlap": exact, "fixed": 1}) as addresses:
        found = scan(bus(addresses, FAST), by="secondary")
        both = scan(bus(addresses, FAST), by="both", first=1, last=14)
    assert sorted(one.id or "" for one in found) == sorted(f"{n:08d}"[::-1] for n in range(1, 13))
    assert {one.manufacturer for one in found} == {"PMX", None}
    assert [one.primary for one in found if one.id == "20000000"] == [2]
    assert not any(one.collision for one in found)
    assert len(both) == len(found)


def test_a_scan_by_primary_address_sees_collisions() -> None:
    with simulated_fleet("mbus", 3, config={"same_primary": True}) as addresses:
        assert all(len(address.rpartition("/")[2]) == 16 for address in addresses)
        (found,) = scan(bus(addresses, FAST), by="primary", first=0, last=3)
        assert found.primary == 1
        assert found.collision


def test_a_scan_tells_what_it_finds_and_how_far_it_is() -> None:
    with simulated_fleet("mbus", 2) as addresses, connect(bus(addresses, FAST)) as meter:
        found: list[Discovered] = []
        progress: list[float] = []
        meter.driver.on_found = found.append
        meter.driver.on_progress = lambda _, done: progress.append(done)
        result = meter.call("scan", by="secondary")
    assert found == result
    assert progress == sorted(progress)
    assert progress[-1] == 1.0
    for one in found:
        assert one.url.startswith("mbus://127.0.0.1:")


def test_meters_of_one_number_are_told_apart_by_their_bytes() -> None:
    headers = [
        mbus.LongHeader("11111111", "PMX", version, medium) for version, medium in ((1, 4), (2, 4), (1, 7))
    ]
    slaves = [mbus.Slave(header, 0, lambda header=header: [(0x72, bytes(header))]) for header in headers]  # type: ignore[misc]
    options = mbus.Options(0.1, 0.05, repeats_silence=False)
    search = mbus.scan_secondary(mbus.Connection("master"), options=options)
    found = run_simulated(search, mbus.serve(mbus.Bus(slaves))).result
    assert {(one.secondary, one.version, one.medium) for one in found} == {
        ("11111111B8410104", 1, "heat"),
        ("11111111B8410204", 2, "heat"),
        ("11111111B8410107", 1, "water"),
    }


def test_twins_are_reported_as_a_collision() -> None:
    header = mbus.LongHeader("11111111", "PMX", 1, 4)
    slaves = [mbus.Slave(header, number, partial(_only_header, header)) for number in (1, 2)]
    mask = mbus.SecondaryAddress.parse("11111111B8410104")
    options = mbus.Options(0.1, 0.05)
    search = mbus.scan_secondary(mbus.Connection("master"), mask, options)
    (found,) = run_simulated(search, mbus.serve(mbus.Bus(slaves))).result
    assert found.collision


def test_slow_and_noisy_meters_are_read() -> None:
    config = {"reaction": 0.2, "noise": 2, "telegrams": 2}
    with simulated_meter("mbus", config=config) as address, connect(address) as meter:
        assert len(meter.read()) > 10
        assert len(meter.read()) > 10


def test_writing() -> None:
    with simulated_meter("mbus", now=now) as address:
        with connect(address) as meter:
            meter.set_clock(datetime(2026, 5, 17, 13, 0))
            assert meter.clock() == datetime(2026, 5, 17, 13, 0)
            meter.call("adjust_clock", seconds=-5)
            meter.call("reset", subcode=0x10)
            meter.call("set_id", id="87654321")
            assert meter.call("read_alarm") == "no alarm"
            assert meter.call("set_baud", baud=9600) is True
            meter.call("set_address", primary=9)
        with connect(f"{bus([address])}/9") as meter:
            assert meter.read("energy")
        with connect(f"{bus([address])}/87654321") as meter:
            assert meter.read("energy")


def test_an_alarm_is_told_in_words() -> None:
    with simulated_meter("mbus", config={"alarm": 4}) as address, connect(address) as meter:
        assert meter.call("read_alarm") == "power low"


def test_the_fixed_structure_is_read() -> None:
    with simulated_meter("mbus", now=now, config={"fixed": 1}) as address, connect(address) as meter:
        energy, stored = meter.read()
    assert (energy.series, energy.unit, stored.series) == ("energy", "kWh", "energy.s1")


@pytest.mark.parametrize(
    "address",
    [
        "mbus://h/255",
        "mbus://h/12G45678",
        "mbus://h/12345678123456781",
        "mbus://h/1?address=2",
        "mbus://h/1?repeats=-1",
        "mbus://h/1?echo=maybe",
        "mbus://h/1?nonsense=1",
    ],
)
def test_a_wrong_address_is_refused(address: str) -> None:
    with pytest.raises(LocalProtocolError):
        connect(address)


def test_a_meter_must_be_named() -> None:
    with (
        simulated_meter("mbus") as address,
        connect(bus([address])) as meter,
        pytest.raises(LocalProtocolError, match="which meter"),
    ):
        meter.read()


def test_a_wrong_setting_is_refused() -> None:
    for config in ({"telegrams": 0}, {"first": 251}, {"nonsense": 1}, {"noise": "often"}):
        with pytest.raises(LocalProtocolError), simulated_meter("mbus", config=config):
            pass
