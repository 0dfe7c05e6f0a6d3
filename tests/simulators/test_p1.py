"""P1 ports that push: telegrams of every version, as their standards write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from polymeter.protocols import p1
from polymeter.protocols.procedure import Receive, Send, advance
from polymeter.protocols.wire import Decoded, DecodeOptions, LocalProtocolError
from polymeter.simulators import Settings
from polymeter.simulators.p1 import VERSIONS
from polymeter.simulators.registry import simulator_named
from tests.pushing import check_pushing

NOON = datetime(2026, 7, 1, 12, 3, 20, tzinfo=UTC)
each = pytest.mark.parametrize("version", VERSIONS)


def said(config: dict[str, Any], *, count: int = 1, seed: int = 1, at: datetime = NOON) -> list[bytes]:
    """What a line says in one round."""
    port = simulator_named("p1")(Settings(count, seed, lambda: at, config))
    procedure, heard = port.serve(), []
    step = advance(procedure, None)
    while isinstance(step, Send):
        heard.append(step.data)
        step = advance(procedure, b"")
    assert isinstance(step, Receive)
    return heard


def telegram(version: str, at: datetime = NOON, seed: int = 1) -> Decoded:
    (decoded,) = p1.decode(*said({"version": version}, at=at, seed=seed))
    assert decoded.valid, decoded.errors
    return decoded


def values(decoded: Decoded) -> dict[str | None, object]:
    return {record.obis: record.value for record in decoded.records}


@each
def test_a_telegram_is_sound_and_says_who_sent_it(version: str) -> None:
    decoded = telegram(version)
    assert decoded.meter.manufacturer == "PMX"
    assert decoded.meter.id == "PMX000000000001"
    assert all(record.obis is not None for record in decoded.records)
    assert isinstance(decoded.frame, p1.Telegram)
    assert (decoded.frame.checksum is not None) == VERSIONS[version].checksum


@each
def test_energy_goes_up_and_power_is_what_raises_it(version: str) -> None:
    def energy(at: datetime) -> Decimal:
        found = values(telegram(version, at))
        codes = ["1-0:1.8.1*255", "1-0:1.8.2*255"] if VERSIONS[version].tariffs else ["1-0:1.8.0*255"]
        return sum((Decimal(str(found[code])) for code in codes), Decimal(0))

    before, after = energy(NOON), energy(NOON + timedelta(days=1))
    assert before < after
    assert energy(NOON) == before


@each
def test_units_are_those_of_the_version(version: str) -> None:
    units = {record.unit for record in telegram(version).records}
    assert ("kWh" in units) == VERSIONS[version].kilo
    assert ("Wh" in units) != VERSIONS[version].kilo
    reactive = {"kvarh", "varh"} & units
    assert bool(reactive) == VERSIONS[version].reactive


@each
def test_the_clock_shows_the_meters_own_time(version: str) -> None:
    found = values(telegram(version))
    if VERSIONS[version].clock:
        assert found["0-0:1.0.0*255"] == datetime(2026, 7, 1, 14, 3, 20)
    else:
        assert "0-0:1.0.0*255" not in found


@each
def test_a_sub_meter_is_passed_on_with_its_own_time(version: str) -> None:
    found = p1.sub_meters(telegram(version).records)
    if not VERSIONS[version].sub_meter:
        assert found == ()
        return
    (gas,) = found
    assert (gas.channel, gas.medium, gas.id) == (1, "gas", "PMXG00000000001")
    assert gas.records[0].unit == "m3"
    assert gas.records[0].time == datetime(2026, 7, 1, 14)  # the hour, or the last five minutes that ended


def test_the_hour_that_occurs_twice_is_told_apart_by_its_flag() -> None:
    summer, winter = (datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1))
    first, second = (values(telegram("5", at))["0-0:1.0.0*255"] for at in (summer, winter))
    assert isinstance(first, datetime)
    assert isinstance(second, datetime)
    assert first == second == datetime(2026, 10, 25, 2, 30)
    assert (first.fold, second.fold) == (0, 1)


def test_belgian_peaks_are_those_of_the_months_before() -> None:
    peaks = [record for record in telegram("belgium").records if record.function == "maximum"]
    assert [record.storage for record in peaks] == list(range(1, len(peaks) + 1))
    assert len(peaks) == 13
    times = [record.time for record in peaks if record.time is not None]
    assert times == sorted(times, reverse=True)
    assert all(time < datetime(2026, 7, 1) for time in times)


def test_all_meters_of_a_gateway_take_turns() -> None:
    heard = said({}, count=3)
    assert [p1.decode(one)[0].meter.id for one in heard] == [
        f"PMX00000000000{number}" for number in (1, 2, 3)
    ]
    assert said({}, count=3) == heard
    assert said({}, count=3, seed=2) != heard


@pytest.mark.parametrize("auth_key", [None, "ab" * 16])
def test_an_enciphered_port_opens_with_the_key_of_its_address(auth_key: str | None) -> None:
    config = {"encrypted": True} | ({} if auth_key is None else {"auth_key": auth_key})
    port = simulator_named("p1")(Settings(2, 1, lambda: NOON, config))
    first, second = said(config, count=2)
    address = port.addresses("127.0.0.1", 1)[0]
    key = bytes.fromhex(address.partition("&key=")[2][:32])
    own = None if auth_key is None else bytes.fromhex(auth_key)
    for data in (first, second):
        (decoded,) = p1.decode(data, DecodeOptions((key,), own))
        assert decoded.valid
        assert not decoded.encrypted
    counters = [p1.decode_ciphered(data).counter for data in (first, second)]
    assert counters[0] < counters[1]
    assert ("auth_key=" in address) == (auth_key is not None)


def test_it_pushes_until_nobody_listens() -> None:
    port = simulator_named("p1")(Settings(1, 1, lambda: NOON, {"period": 10}))
    check_pushing(port.serve(), 10)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"version": "6"}, "there is no version '6', but 2.2, 4, 5"),
        ({"encrypted": "yes"}, "must be true or false"),
        ({"auth_key": "secret"}, "must be hex digits"),
        ({"colour": "red"}, "has no setting 'colour'"),
        ({"period": -1}, "period must be a number"),
    ],
)
def test_a_setting_that_is_wrong_is_told(config: dict[str, Any], words: str) -> None:
    with pytest.raises(LocalProtocolError, match=words):
        simulator_named("p1")(Settings(config=config))


def test_numbers_begin_where_they_are_told() -> None:
    assert [p1.decode(one)[0].meter.id for one in said({"first": 40}, count=2)] == [
        "PMX000000000040",
        "PMX000000000041",
    ]
    assert simulator_named("p1")(Settings()).addresses("::1", 2001) == [
        "p1://[::1]:2001?meter=PMX000000000001"
    ]
