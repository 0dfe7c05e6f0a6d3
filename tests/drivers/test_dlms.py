"""The DLMS driver: addresses, calls, and what it says when something is wrong."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from polymeter import connect, connect_async
from polymeter.drivers.dlms_address import ClockCounters, CountersFrom
from polymeter.drivers.faces import driver_for
from polymeter.protocols.dlms.counters import counter_id
from polymeter.protocols.dlms.serving import serve as serve_meters
from polymeter.protocols.wire import AccessDenied, LocalProtocolError, RemoteProtocolError, TransportError
from polymeter.simulators import Settings
from polymeter.simulators.dlms import fleet
from polymeter.testing import simulated_fleet, simulated_meter
from polymeter.transports import udp
from polymeter.transports.runners import run_blocking

NOW = datetime(2026, 3, 1, 12, 7, 30, tzinfo=UTC)
KEY, OTHER = "00112233445566778899aabbccddeeff", "ff" * 16


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with simulated_meter("dlms", seed=3, now=lambda: NOW, config={"key": KEY, "auth_key": KEY}) as found:
        yield found


def test_without_names_everything_that_holds_a_value_is_read(address: str) -> None:
    with connect(address) as meter:
        readings = {reading.series: reading for reading in meter.read()}
    energy = readings["1-0:1.8.0*255"]
    assert (energy.unit, energy.quantity, energy.error) == ("Wh", "active energy import", None)
    assert readings["1-0:32.7.0*255"].unit == "V"
    assert readings["1-0:1.6.0*255"].timestamp == NOW.replace(hour=0, minute=0, second=0)
    assert readings["1-0:1.4.0*255"].series != readings["1-0:1.4.0*255/3"].series
    assert readings["0-0:96.1.0*255"].value == "00000001"


@pytest.mark.parametrize("name", ["1-0:1.8.0*255", "1.8.0", "1-0-1-8-0-255", "OBIS_1.8.0", "3/1.8.0/2"])
def test_objects_have_many_names(address: str, name: str) -> None:
    with connect(address) as meter:
        (reading,) = meter.read(name)
    assert (reading.series, reading.unit) == ("1-0:1.8.0*255", "Wh")


def test_single_attributes_are_read(address: str) -> None:
    with connect(address) as meter:
        scaler, unit = meter.read("1-0:1.8.0*255/3")
        (mode,) = meter.read("0-0:96.3.10*255/4")
    assert [(one.series, one.value) for one in (scaler, unit)] == [
        ("1-0:1.8.0*255/3[1]", 0),
        ("1-0:1.8.0*255/3[2]", 30),
    ]
    assert mode.value == 2


def test_what_is_not_there_is_refused_and_the_rest_is_read(address: str) -> None:
    with connect(address) as meter:
        readings = {one.series: one for one in meter.read("1-0:99.99.99*255", "1.8.0", "1-0:99.1.0*255")}
    assert readings["1-0:1.8.0*255"].error is None
    assert readings["1-0:99.99.99*255"].error == "the meter has no object 1-0:99.99.99*255"
    assert "profile" in (readings["1-0:99.1.0*255"].error or "")


@pytest.mark.parametrize("line", ["", "&framing=hdlc", "&framing=hdlc&max_info=1024&window=3", "&list=1"])
def test_a_profile_is_read_row_by_row(address: str, line: str) -> None:
    start = datetime(2026, 2, 20, tzinfo=UTC)
    with connect(address + line) as meter:
        rows = meter.read_profile("1-0:99.1.0*255", start, start + timedelta(hours=10))
    assert [row.timestamp for row in rows] == [start + timedelta(minutes=15 * i) for i in range(41)]
    assert {row.status for row in rows} == {"0"}
    assert {one.series for one in rows[0].readings} == {"0-0:96.10.1*255", "1-0:1.8.0*255", "1-0:2.8.0*255"}
    energies = [row.readings[1].value for row in rows]
    assert energies == sorted(energies)  # type: ignore[type-var]
    assert rows[0].readings[1].unit == "Wh"


@pytest.mark.parametrize(
    "how",
    [
        "client=1&auth=low&password=12345678",
        "client=1&password=0x3132333435363738",
        "client=2&auth=md5&password=12345678",
        "client=3&auth=sha1&password=12345678",
        "client=4&auth=sha256&password=12345678",
        f"client=5&auth=gmac&key={KEY}&auth_key={KEY}",
        f"client=5&auth=gmac&key={KEY}&auth_key={KEY}&general=yes&dedicated=yes&suite=0",
        f"client=6&key={KEY}&auth_key={KEY}&system_title=504d520000000077",
        f"client=6&key={KEY}&auth_key={KEY}&system_title=504d520000000078&counter_object=0-0:43.1.0*255",
    ],
)
def test_every_way_in(address: str, how: str) -> None:
    for line in ("", "&framing=hdlc"):
        with connect(f"{address}&{how}{line}") as meter:
            assert meter.read("1.8.0")[0].unit == "Wh"


def test_the_clock_and_the_switch() -> None:
    moved = datetime(2026, 3, 1, 15, tzinfo=UTC)
    with simulated_meter("dlms", now=lambda: NOW) as found:
        with connect(f"{found}&client=1&password=12345678") as meter:
            assert meter.clock() == NOW
            meter.set_clock(moved)
            assert meter.clock() == moved
            meter.call("disconnect")
            assert meter.read("0-0:96.3.10*255")[0].value == 0
            meter.call("reconnect")
            events = meter.read_profile("0-0:99.98.0*255", moved, moved + timedelta(hours=1))
        assert [row.readings[0].value for row in events] == [5, 60, 61]
        with connect(found) as meter, pytest.raises(AccessDenied, match="to disconnect: read write denied"):
            meter.call("disconnect")


def test_only_a_refusal_for_want_of_rights_blames_the_credentials(address: str) -> None:
    with connect(f"{address}&client=1&password=12345678") as meter:
        with pytest.raises(RemoteProtocolError, match=r"refuses 1-0:9\.9\.9: object undefined"):
            meter.read_profile("1-0:9.9.9", NOW, NOW)
        with pytest.raises(RemoteProtocolError, match="refuses to push: object undefined"):
            meter.call("push", setup="0-9:25.9.0*255")
    with connect(address) as meter, pytest.raises(AccessDenied, match="to set its clock: read write denied"):
        meter.set_clock(NOW)
    undefined = f"client=6&key={KEY}&auth_key={KEY}&counter_object=0-0:43.1.99*255"
    refused = pytest.raises(RemoteProtocolError, match=r"invocation counter .*: object undefined")
    with refused, connect(f"{address}&{undefined}"):
        pass


def test_the_object_list_tells_names_of_attributes(address: str) -> None:
    with connect(address) as meter:
        listed = {one["obis"]: one for one in meter.call("object_list")}
        assert list(listed) == meter.objects()
    assert listed["1-0:1.8.0*255"]["name"] == "Register"
    assert listed["1-0:1.8.0*255"]["attributes"] == {"logical_name": 1, "value": 1, "scaler_unit": 1}
    assert listed["0-0:96.3.10*255"]["methods"] == {"remote_disconnect": 0, "remote_reconnect": 0}


def test_the_asyncio_face_reads_the_same(address: str) -> None:
    async def read() -> Any:
        async with connect_async(address) as meter:
            return await meter.read("1.8.0"), await meter.clock()

    readings, clock = asyncio.run(read())
    assert (readings[0].unit, clock) == ("Wh", NOW)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("framing=token", "framing must be one of wrapper, hdlc"),
        ("auth=low", "auth=low needs a password"),
        ("auth=gmac", "auth=gmac needs key and auth_key"),
        ("auth=ecdsa", "only security suite 0"),
        ("suite=1", "only security suite 0"),
        ("key=12", "key must have 32 hexadecimal digits"),
        ("key=zz", "key must be hexadecimal digits"),
        (f"auth_key={KEY}", "auth_key without key"),
        ("client=70000", "client must be a whole number up to 65535"),
        ("framing=hdlc&client=200", "client must be a whole number up to 127"),
        ("client=1.5", "client must be a whole number"),
        ("password=0xzz", "must be hexadecimal"),
        ("colour=red", "dlms has no parameter 'colour'"),
        ("lenient=perhaps", "lenient must be one of yes, no"),
    ],
)
def test_a_wrong_address_says_what_is_wrong(wrong: str, said: str) -> None:
    with pytest.raises(LocalProtocolError, match=said):
        driver_for(f"dlms://127.0.0.1:1?{wrong}")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("client=1&password=wrong", "the password is wrong"),
        ("client=2&auth=md5&password=wrong", "does not accept our proof"),
        (f"client=6&key={OTHER}&auth_key={KEY}", "cannot open what we send"),
        (f"client=6&key={KEY}&auth_key={OTHER}", "cannot open what we send"),
        ("client=6", "ciphering where we do not"),
        (f"client=6&key={KEY}&auth_key={KEY}&server_title=504d580000000009", "expected is PMX 0000000009"),
        ("client=99", "does it know this client address"),
        (f"client=6&key={KEY}&auth_key={KEY}&counter=0", "seen our invocation counter"),
    ],
)
def test_wrong_credentials_each_have_their_own_error(address: str, wrong: str, said: str) -> None:
    with connect(f"{address}&client=6&key={KEY}&auth_key={KEY}") as meter:
        meter.clock()  # so that the meter has seen a counter
    with pytest.raises(AccessDenied, match=said), connect(f"{address}&{wrong}"):
        pass


def test_secrets_are_not_in_messages(address: str) -> None:
    driver = driver_for(f"{address}&client=1&password=topsecret&key={KEY}&auth_key={KEY}")
    assert "topsecret" not in str(driver.url)
    assert KEY not in str(driver.url)
    assert "topsecret" not in repr(driver)


def test_counters_of_the_clock_rise_from_run_to_run() -> None:
    name = counter_id(b"PMR\0\0\0\0\1", bytes(16))
    first, second = ClockCounters(), ClockCounters()
    one = first.reserve(name, 128)
    assert first.reserve(name, 128) == one + 128
    assert second.reserve(name, 1) == one + 256
    assert ClockCounters(one + 9999).reserve(name, 5) == one + 9999
    mine = CountersFrom(7)
    assert [mine.reserve(name, 5) for _ in range(2)] == [7, 12]
    first.see(name, one)
    assert first.last_seen(name) == one


def test_a_counter_behind_the_meters_goes_forward_once() -> None:
    with simulated_meter("dlms", config={"key": KEY, "auth_key": KEY}) as found:
        secure = f"{found}&client=6&key={KEY}&auth_key={KEY}&system_title=504d520000000099"
        with connect(f"{secure}&counter=4000000000") as meter:
            meter.clock()
        with connect(secure) as meter:
            assert meter.read("1.8.0")[0].unit == "Wh"


def test_objects_that_are_no_obis_codes_are_refused(address: str) -> None:
    with connect(address) as meter:
        for wrong in ("energy", "1/2/3/4", "x/1.8.0/2", "1.8.0/two"):
            with pytest.raises(LocalProtocolError):
                meter.read(wrong)


def test_a_driver_that_is_not_open_says_so() -> None:
    driver = driver_for("dlms://127.0.0.1")
    assert driver.url.port == 4059
    with pytest.raises(LocalProtocolError, match="not open"):
        next(driver.read())


def test_nobody_there_is_a_transport_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(TransportError), connect(f"dlms://127.0.0.1:{port}"):
        pass


def test_over_udp() -> None:
    """The simulator listens on TCP only, so the meter's end is served here."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    the_fleet: Any = fleet(Settings(now=lambda: NOW))

    def serve() -> None:
        _, peer = listener.recvfrom(65536, socket.MSG_PEEK)
        listener.connect(peer)
        line = udp.UDP(listener)
        try:
            run_blocking(serve_meters(the_fleet._find, datagrams=True, inactivity_s=2), line)
        except TransportError:
            return

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with connect(f"dlms://127.0.0.1:{port}?udp=1") as meter:
        assert meter.read("1.8.0")[0].unit == "Wh"
    listener.close()


def test_a_thousand_meters_are_read_at_once_by_one_process() -> None:
    with simulated_fleet("dlms", 1000, now=lambda: NOW) as addresses:

        async def read(address: str) -> Any:
            async with connect_async(f"{address}&timeout=300&answer_timeout=300") as meter:
                return await meter.read("0-0:96.1.0*255", "1-0:1.8.0*255")

        async def everything() -> list[Any]:
            return await asyncio.gather(*(read(address) for address in addresses))

        answers = asyncio.run(everything())
    assert [number.value for number, _ in answers] == [f"{n:08d}" for n in range(1, 1001)]
    assert all(energy.error is None and energy.unit == "Wh" for _, energy in answers)
