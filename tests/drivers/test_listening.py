"""Drivers that listen, against simulated ports over loopback TCP."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

import polymeter
from polymeter.catalogue import TelegramReading
from polymeter.drivers.faces import driver_for
from polymeter.protocols.wire import AccessDenied, LocalProtocolError, RemoteProtocolError, TimedOut
from polymeter.simulators.p1 import VERSIONS
from polymeter.testing import simulated_fleet
from polymeter.transports.urls import URL

NOON = datetime(2026, 7, 1, 12, 3, 20, tzinfo=UTC)


def read(protocol: str, *objects: str, config: dict[str, Any] | None = None) -> list[TelegramReading]:
    with (
        simulated_fleet(protocol, 2, now=lambda: NOON, config=config) as urls,
        polymeter.connect(urls[1]) as meter,
    ):
        return meter.read(*objects)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("encrypted", [False, True])
def test_every_version_of_p1_is_read(version: str, encrypted: bool) -> None:
    readings = {one.series: one for one in read("p1", config={"version": version, "encrypted": encrypted})}
    assert readings["0-0:96.1.1*255"].value == "PMX000000000002"
    assert readings["1-0:1.7.0*255"].unit == ("kW" if VERSIONS[version].kilo else "W")
    if not VERSIONS[version].sub_meter:
        return
    gas = readings["0-1:24.2.3*255" if version == "belgium" else "0-1:24.2.1*255"]
    assert (gas.unit, gas.quantity, gas.subunit) == ("m3", "volume", 1)
    assert gas.timestamp is not None
    assert gas.timestamp.isoformat() == ("2026-07-01T14:00:00")


@pytest.mark.parametrize("checksum", ["x25", "kermit"])
def test_sml_is_read(checksum: str) -> None:
    config = {"clock": True, "checksum": checksum}
    energy, power = read("sml", "1.8.0", "16.7.0", config=config)
    assert (energy.series, energy.unit, energy.timestamp) == ("1-0:1.8.0*255", "Wh", NOON)
    assert isinstance(power.value, int)


def test_an_object_that_is_not_there_is_told() -> None:
    found, absent = read("p1", "1.7.0", "99.99.9")
    assert found.error is None
    assert absent.error == "the telegram has no 99.99.9"


def test_the_objects_of_a_telegram_are_listed() -> None:
    with simulated_fleet("sml") as urls, polymeter.connect(urls[0]) as meter:
        assert "1-0:1.8.0*255" in meter.objects()


def test_asyncio_reads_the_same() -> None:
    async def both(url: str) -> list[TelegramReading]:
        async with polymeter.connect_async(url) as meter:
            return await meter.read("1.8.0")

    with simulated_fleet("sml", now=lambda: NOON) as urls:
        (energy,) = asyncio.run(both(urls[0]))
        assert isinstance(energy.value, Decimal)


def test_one_telegram_after_the_other_is_read() -> None:
    with simulated_fleet("p1", config={"period": 0.01}) as urls, polymeter.connect(urls[0]) as meter:
        assert [meter.read("1.7.0")[0].error for _ in range(3)] == [None] * 3


def test_a_meter_that_is_not_on_the_line_is_not_taken_for_another() -> None:
    with simulated_fleet("sml", config={"period": 0.001}) as urls:
        url = urls[0].replace("0a01504d580000000001", "0a01504d580000009999")
        with polymeter.connect(url) as meter, pytest.raises(RemoteProtocolError, match="none of the meter"):
            meter.read()


@pytest.mark.parametrize(
    ("change", "words"), [("key=" + "00" * 16, "the key is wrong"), ("", "no key is given")]
)
def test_a_wrong_or_missing_key_is_told(change: str, words: str) -> None:
    with simulated_fleet("p1", config={"encrypted": True}) as urls:
        address, _, parameters = urls[0].partition("?")
        assert "key=" in parameters
        with polymeter.connect(f"{address}?{change}") as meter, pytest.raises(AccessDenied, match=words):
            meter.read()


def test_a_silent_line_times_out() -> None:
    with (
        simulated_fleet("p1", config={"period": 60}) as urls,
        polymeter.connect(urls[0] + "&timeout=0.2") as meter,
    ):
        meter.read()
        with pytest.raises(TimedOut):
            meter.read()


def test_a_chosen_type_mends_what_its_meters_get_wrong() -> None:
    from polymeter.catalogue import meter_types

    telegram = bytes.fromhex(meter_types()["dzg-dvs74"].telegrams[0]["input"])
    with polymeter.connect("sml://127.0.0.1:1?type=dzg-dvs74", line=_Line(telegram)) as meter:
        assert meter.read("16.7.0")[0].value == Decimal("356.24")


class _Line:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def send(self, data: bytes) -> None:
        raise AssertionError("a listener says nothing")

    def receive(self, timeout_s: float) -> bytes:
        return self.data

    def set_line(self, baud: int, bits: int, parity: str) -> None:
        pass

    def close(self) -> None:
        pass


def test_serial_lines_begin_as_the_standards_say() -> None:
    assert driver_for("p1+serial:///dev/ttyUSB0").serial_line == (115200, 8, "N")
    assert driver_for("sml+serial:///dev/ttyUSB0").serial_line == (9600, 8, "N")
    assert driver_for("p1+serial:///dev/ttyUSB0?type=easymeter-q3d").url.parameters["bits"] == "7"


def test_secrets_are_not_shown() -> None:
    url = URL.parse("p1://host:1?key=" + "ab" * 16 + "&auth_key=" + "cd" * 16)
    assert "abab" not in str(url)
    assert "cdcd" not in str(url)


def test_a_key_that_is_no_hex_is_refused_at_once() -> None:
    with pytest.raises(LocalProtocolError, match="hex digits"):
        driver_for("p1://host:1?key=secret")
