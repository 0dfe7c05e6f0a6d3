"""Meters that push SML: frames that hold together, one after the other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from polymeter.protocols import sml
from polymeter.protocols.procedure import Send, advance
from polymeter.protocols.sml.requests import request_file
from polymeter.protocols.wire import Decoded, LocalProtocolError
from polymeter.simulators import Settings
from polymeter.simulators.registry import simulator_named
from tests.pushing import check_pushing

NOON = datetime(2026, 7, 1, 12, 3, 20, tzinfo=UTC)


def said(config: dict[str, Any], *, count: int = 1, seed: int = 1, at: datetime = NOON) -> list[Decoded]:
    """What a line says in one round, decoded."""
    head = simulator_named("sml")(Settings(count, seed, lambda: at, config))
    procedure, heard = head.serve(), []
    step = advance(procedure, None)
    while isinstance(step, Send):
        heard += sml.decode(step.data)
        step = advance(procedure, b"")
    assert all(one.valid for one in heard)
    return heard


def test_a_frame_is_a_push_of_three_messages() -> None:
    (decoded,) = said({})
    messages = sml.decode_messages(decoded.frame.content)
    assert [message.name for message in messages] == ["PublicOpen.Res", "GetList.Res", "PublicClose.Res"]
    numbers = [int.from_bytes(message.transaction_id or b"", "big") for message in messages]
    assert numbers == [numbers[0], numbers[0] + 1, numbers[0] + 2]


def test_tariffs_add_up_and_energy_goes_up() -> None:
    def energies(at: datetime) -> list[Decimal]:
        (decoded,) = said({}, at=at)
        found = {record.obis: record.value for record in decoded.records}
        return [Decimal(str(found[f"1-0:1.8.{tariff}*255"])) for tariff in range(3)]

    total, day, night = energies(NOON)
    assert total == day + night
    assert energies(NOON + timedelta(days=1))[0] > total
    assert energies(NOON) == [total, day, night]


def test_values_have_the_units_of_their_codes() -> None:
    (decoded,) = said({})
    units = {record.obis: record.unit for record in decoded.records}
    assert units["1-0:1.8.0*255"] == "Wh"
    assert units["1-0:16.7.0*255"] == "W"
    assert units["1-0:32.7.0*255"] == "V"
    assert units["1-0:31.7.0*255"] == "A"
    assert units["1-0:14.7.0*255"] == "Hz"


@pytest.mark.parametrize(("clock", "time"), [(True, NOON), (False, None)])
def test_a_meter_with_a_clock_dates_its_values(clock: bool, time: datetime | None) -> None:
    (decoded,) = said({"clock": clock})
    assert {record.time for record in decoded.records} == {time}


@pytest.mark.parametrize(("name", "why"), [("x25", "CRC-16/X-25"), ("kermit", "CRC-16/KERMIT")])
def test_the_check_sum_is_the_one_chosen(name: str, why: str) -> None:
    (decoded,) = said({"checksum": name})
    assert decoded.why.endswith(f"a good {why}")


def test_all_meters_of_a_line_take_turns() -> None:
    heard = said({"first": 7}, count=3)
    assert [one.meter.id for one in heard] == [f"0a01504d58000000000{number}" for number in (7, 8, 9)]
    assert {one.meter.manufacturer for one in heard} == {"PMX"}
    assert [one.records for one in said({"first": 7}, count=3)] == [one.records for one in heard]
    assert [one.records for one in said({"first": 7}, count=3, seed=2)] != [one.records for one in heard]


def test_it_pushes_until_nobody_listens() -> None:
    check_pushing(simulator_named("sml")(Settings(1, 1, lambda: NOON, {"period": 2})).serve(), 2)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"clock": "yes"}, "clock must be true or false"),
        ({"checksum": "md5"}, "checksum must be x25 or kermit"),
        ({"colour": "red"}, "has no setting 'colour'"),
        ({"period": "often"}, "period must be a number"),
        ({"username": 5}, "username must be a text"),
    ],
)
def test_a_setting_that_is_wrong_is_told(config: dict[str, Any], words: str) -> None:
    with pytest.raises(LocalProtocolError, match=words):
        simulator_named("sml")(Settings(config=config))


def test_an_address_names_its_meter() -> None:
    head = simulator_named("sml")(Settings(2))
    assert head.addresses("127.0.0.1", 5) == [
        f"sml://127.0.0.1:5?meter=0a01504d58000000000{number}" for number in (1, 2)
    ]
    assert head.addresses("::1", 5)[0].startswith("sml://[::1]:5?")


def test_a_meter_that_does_not_push_has_an_address_that_asks() -> None:
    make = simulator_named("sml")
    (address,) = make(Settings(config={"period": 0})).addresses("h", 1)
    assert address.endswith("&access=request")
    (address,) = make(Settings(config={"username": "a b", "password": "ä&"})).addresses("h", 1)
    assert address.endswith("?meter=0a01504d580000000001&username=a%20b&password=%C3%A4%26")


def asked(
    request: sml.Message, *, count: int = 1, server: bytes | None = None, clock: bool = True
) -> list[str]:
    """The names of what a line says to one request."""
    line = simulator_named("sml")(Settings(count, 1, lambda: NOON, {"period": 0, "clock": clock})).serve()
    advance(line, None)
    file = request_file([request], sml.Options(server))
    step = advance(line, sml.Connection().send(file))
    if not isinstance(step, Send):
        return []
    assert all(decoded.valid for decoded in sml.decode(step.data))
    return [message.name for message in sml.decode_messages(sml.decode_frame(step.data).content)]


def test_of_many_meters_the_one_that_is_named_answers() -> None:
    options = {number: sml.Options(bytes.fromhex(f"0a01504d58000000000{number}")) for number in (1, 2, 3)}
    for number in (1, 2):
        told = asked(sml.request("GetList.Req", options[number]), count=2, server=options[number].server)
        assert told == ["PublicOpen.Res", "GetList.Res", "PublicClose.Res"]
    assert asked(sml.request("GetList.Req"), count=2) == []
    told = asked(sml.request("GetList.Req", options[3]), count=2, server=options[3].server)
    assert told == ["Attention.Res", "PublicClose.Res"]
    assert asked(sml.request("GetList.Req"))[1] == "GetList.Res"


@pytest.mark.parametrize("clock", [True, False])
@pytest.mark.parametrize("path", ["8181c78612ff", "8181c78613ff"])
def test_every_profile_is_kept_with_or_without_a_clock(path: str, clock: bool) -> None:
    places = sml.listing(sml.octets(bytes.fromhex(path)))
    told = asked(sml.request("GetProfilePack.Req", parameterTreePath=places), clock=clock)
    assert told[1] == "GetProfilePack.Res"
