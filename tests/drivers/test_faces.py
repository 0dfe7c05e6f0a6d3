"""One driver, two faces: open, call, refuse, close, over simulated meters on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

import polymeter
from polymeter.drivers import AsyncMeter, Meter, Row, connect, connect_async
from polymeter.drivers.faces import driver_for
from polymeter.protocols.wire import AccessDenied, LocalProtocolError, TimedOut, TransportError
from polymeter.testing import simulated_fleet
from polymeter.transports import loopback
from polymeter.transports.wrappers import replay

NOW = datetime(2026, 1, 31, 10, 15, 2, tzinfo=UTC)
Call = Callable[..., Any]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with simulated_fleet("iec62056-21", 2, 7, lambda: NOW, {"password": "open sesame"}) as addresses:
        yield addresses[1]


def blocking(address: str, name: str, *arguments: Any, **given: Any) -> Any:
    with connect(address, **given) as meter:
        return getattr(meter, name)(*arguments)


def awaited(address: str, name: str, *arguments: Any, **given: Any) -> Any:
    async def scenario() -> Any:
        async with connect_async(address, **given) as meter:
            return await getattr(meter, name)(*arguments)

    return asyncio.run(scenario())


each_face = pytest.mark.parametrize("ask", [blocking, awaited])


@each_face
def test_a_meter_shows_everything(ask: Call, address: str) -> None:
    readings = ask(address, "read")
    by_series = {reading.series: reading for reading in readings}
    assert by_series["1-0:0.0.0*255"].value == "00000002"
    energy = by_series["1-0:1.8.0*255"]
    assert (energy.unit, energy.quantity, type(energy.value)) == ("kWh", "active energy import", Decimal)
    assert energy.value == by_series["1-0:1.8.1*255"].value + by_series["1-0:1.8.2*255"].value


@each_face
@pytest.mark.parametrize("name", ["1.8.0", "1-0:1.8.0", "1-0:1.8.0*255", "1-0-1-8-0-255", "OBIS_1.8.0"])
def test_a_series_is_found_under_all_its_names(ask: Call, address: str, name: str) -> None:
    (reading,) = ask(address, "read", name)
    assert (reading.series, reading.error) == ("1-0:1.8.0*255", None)


@each_face
@pytest.mark.parametrize("access", ["", "&password=open%20sesame"])
def test_a_refused_object_keeps_its_place(ask: Call, address: str, access: str) -> None:
    one, refused, other = ask(address + access, "read", "1.8.0", "9.9.9", "1.7.0")
    assert (one.error, other.error) == (None, None)
    assert (refused.series, refused.obis, refused.value) == ("1-0:9.9.9*255", "1-0:9.9.9*255", None)
    assert "9.9.9" in refused.error or "ERROR" in refused.error


@each_face
def test_the_two_ways_to_read_agree(ask: Call, address: str) -> None:
    (shown,) = ask(address, "read", "1.8.0")
    (asked,) = ask(address + "&password=open%20sesame", "read", "1.8.0")
    assert (shown.value, shown.unit, shown.series) == (asked.value, asked.unit, asked.series)


@each_face
def test_a_wrong_password_is_access_denied_and_not_repeated(ask: Call, address: str) -> None:
    with pytest.raises(AccessDenied) as caught:
        ask(address + "&password=hunter2", "read", "1.8.0")
    assert "hunter2" not in str(caught.value)


@each_face
def test_the_objects_are_listed(ask: Call, address: str) -> None:
    assert "1-0:1.8.0*255" in ask(address, "objects")


@each_face
def test_the_clock_is_read(ask: Call, address: str) -> None:
    assert ask(address + "&zone=UTC", "clock") == NOW


@each_face
def test_a_call_that_the_family_lacks_is_refused_with_those_there_are(ask: Call, address: str) -> None:
    with pytest.raises(
        LocalProtocolError, match="has no call 'disconnect'; there are clock, execute, objects"
    ):
        ask(address, "call", "disconnect")


@each_face
def test_any_call_may_be_made_by_name(ask: Call, address: str) -> None:
    assert ask(address, "call", "read", "1.8.0")[0].series == "1-0:1.8.0*255"
    with pytest.raises(LocalProtocolError, match="no call 'dance'"):
        ask(address, "call", "dance")
    with pytest.raises(LocalProtocolError, match="read: got an unexpected"):
        driver_for(address).call("read", colour="red")


@each_face
def test_a_meter_that_is_not_there_times_out(ask: Call, address: str) -> None:
    with pytest.raises(TimedOut, match="no answer from meter '99'"):
        ask(address.replace("00000002", "99") + "&answer_timeout=0.01", "read")


@each_face
def test_a_port_where_nobody_listens_is_a_failure_of_the_line(ask: Call) -> None:
    with pytest.raises(TransportError, match="cannot connect"):
        ask("iec62056-21://127.0.0.1:9", "read")


@each_face
def test_the_conversation_is_traced_and_recorded(ask: Call, address: str) -> None:
    told: list[str] = []
    written: list[str] = []
    readings = ask(address, "read", trace=told.append, record=written.append)
    assert any(line.startswith("> 2f 3f") for line in told)
    assert replay(driver_for(address).read(), written) == readings


def test_a_meter_may_be_opened_again_and_only_used_open(address: str) -> None:
    meter = connect(address)
    for _ in range(2):
        with meter:
            assert meter.read("1.8.0")
        with pytest.raises(LocalProtocolError, match="is not open"):
            meter.read("1.8.0")

    async def scenario() -> None:
        meter = connect_async(address)
        for _ in range(2):
            async with meter:
                assert await meter.read("1.8.0")
            with pytest.raises(LocalProtocolError, match="is not open"):
                await meter.read("1.8.0")

    asyncio.run(scenario())


def test_several_reads_share_a_session(address: str) -> None:
    told: list[str] = []
    with connect(address + "&password=open%20sesame", trace=told.append) as meter:
        assert meter.read("1.8.0")[0].value == meter.read("1.8.0")[0].value
        assert meter.read()
        assert meter.read("1.8.0")[0].error is None
    assert sum("(open sesame)" in line for line in told) == 2  # the read-out between ended the session


def test_a_session_that_the_meter_ended_is_begun_again(address: str) -> None:
    with connect(address + "&password=open%20sesame") as meter:
        meter.read("1.8.0")
        meter.driver._connection.reset()  # type: ignore[attr-defined]
        assert meter.read("1.8.0")[0].error is None


def test_an_open_line_may_be_given() -> None:
    near, _ = loopback.blocking_pair()
    with pytest.raises(TimedOut), connect("iec62056-21://nowhere:1?answer_timeout=0.001", line=near) as meter:
        meter.read()
    with pytest.raises(TransportError):
        near.send(b"x")


def test_the_package_has_the_faces() -> None:
    assert isinstance(polymeter.connect("iec62056-21://h:1"), Meter)
    assert isinstance(polymeter.connect_async("iec62056-21://h:1"), AsyncMeter)


def test_rows_are_values() -> None:
    assert Row(NOW, ()) == Row(NOW, ())
