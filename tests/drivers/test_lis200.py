"""Correctors by their driver: units, archives by date, by number and back from now, locks, zones."""

from __future__ import annotations

import contextlib
import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest

from polymeter.drivers import connect
from polymeter.drivers.faces import driver_for
from polymeter.protocols.iec62056_21 import Identification, serve
from polymeter.protocols.lis200 import CUSTOMER, Archive, Meter, Object
from polymeter.protocols.procedure import Procedure, Receive, Send, relay
from polymeter.protocols.wire import AccessDenied, LocalProtocolError, RemoteProtocolError
from polymeter.testing import simulated_meter
from polymeter.transports.runners import run_blocking
from polymeter.transports.simulated import run_simulated
from tests.conversations import without_line
from tests.transports.test_serial import Far

NOW = datetime(2026, 1, 31, 12, 7, 30, tzinfo=UTC)
TEN, ELEVEN = NOW.replace(hour=10, minute=0, second=0), NOW.replace(hour=11, minute=0, second=0)


def simulated(protocol: str = "lis200", **config: object) -> contextlib.AbstractContextManager[str]:
    return simulated_meter(protocol, 3, lambda: NOW, config)


class Device:
    """A corrector whose objects a test may change; what it was told is kept."""

    def __init__(self, **objects: str) -> None:
        self.values = {"1:400": "2026-01-31,12:00:00", "2:300": "7", **objects}
        self.units = {"2:300": "m3"}
        rows = [(str(n), f"2026-01-31,{n:02d}:00:00", f"{n}.5") for n in range(12)]
        columns = (("1:160", ""), ("1:400", ""), ("2:300", "m3"))
        self.meter = Meter(
            Identification("PMx", "5", "GVC"),
            {name: self._object(name) for name in self.values},
            {3: Archive(columns, lambda: rows)},
            {CUSTOMER: "0"},
        )
        self.heard: list[bytes] = []

    def _object(self, name: str) -> Object:
        def write(value: str) -> bool:
            self.values[name] = value
            return True

        return Object(lambda: self.values[name], self.units.get(name, ""), write=write)

    def ask(self, parameters: str, *calls: tuple[str, dict[str, object]]) -> list[object]:
        """What the calls give, one after another in one session, in simulated time."""
        driver = driver_for(f"lis200://h:1?time_position=2&{parameters}")

        def session() -> Procedure[list[object]]:
            given = []
            for name, arguments in calls:
                given.append((yield from getattr(driver, name)(**arguments)))
            yield from driver.close()
            return given

        def note(step: object) -> Procedure[object]:
            if isinstance(step, Send):
                self.heard.append(step.data)
            return (yield step)  # type: ignore[misc]

        return run_simulated(relay(session(), note), serve(self.meter)).result  # type: ignore[arg-type]


def test_objects_of_a_corrector_are_read_with_their_units() -> None:
    with simulated("lis200") as address, connect(address) as meter:
        volume, factor, refused = meter.read("2:300", "5:310.0", "9:999")
        assert (volume.series, volume.unit) == ("2:300", "m3")
        assert (str(factor.value), factor.unit) == ("0.98120", None)
        assert refused.error == "the device answers: the object is not available (#0002)"
        assert "7:310" in meter.objects()


def test_an_archive_is_a_profile_and_may_be_read_by_number() -> None:
    with simulated("lis200") as address, connect(address + "&zone=UTC") as meter:
        rows = meter.read_profile("3", TEN, ELEVEN)
        assert [row.timestamp for row in rows] == [TEN, ELEVEN]
        names = {reading.series: reading.unit for reading in rows[0].readings}
        assert (names["2:300"], names["7:310"], names["6:310"]) == ("m3", "bar", "°C")
        first = rows[0].readings[0].value
        assert isinstance(first, int) or first is not None
        by_number = meter.call("read_archive", archive=3, start=int(str(first)), end=int(str(first)) + 1)
        assert by_number == rows
        assert meter.read_profile("1", NOW + timedelta(days=1), NOW + timedelta(days=2)) == []
        with pytest.raises(RemoteProtocolError, match="archive is not available"):
            meter.read_profile("9", TEN, ELEVEN)
        with pytest.raises(LocalProtocolError, match="a number"):
            meter.read_profile("P.01", TEN, ELEVEN)


def test_locks_are_opened_asked_and_closed_by_name() -> None:
    with simulated("lis200") as address, connect(address) as meter:
        assert meter.call("lock_status", lock=4) == "open"
        meter.call("lock", lock=4)
        assert meter.call("lock_status", lock=4) == "closed"
        with pytest.raises(AccessDenied, match="wrong access code"):
            meter.call("unlock", lock=3, code="guess")
        meter.call("unlock", lock=3, code="11111111")
        meter.call("write", address="1:1C1", value="seen")
        assert meter.read("1:1C1")[0].value == "seen"


def test_a_correctors_clock_needs_the_suppliers_lock() -> None:
    later = datetime(2027, 2, 3, 4, 5, 6, tzinfo=UTC)
    with (
        simulated("lis200") as address,
        connect(address + "&zone=UTC") as meter,
    ):
        assert meter.clock() == NOW
        with pytest.raises(AccessDenied, match="no right to write"):
            meter.set_clock(later)
        supplier = address.replace("code=00000000", "code=11111111&lock=3&zone=UTC")
        with connect(supplier) as meter:
            meter.set_clock(later)
            assert meter.clock() == later


def test_a_wrong_code_is_denied_before_anything_is_read() -> None:
    with simulated("lis200", code="secret") as address:
        wrong = address.replace("code=secret", "code=guess")
        with connect(wrong) as meter, pytest.raises(AccessDenied, match="wrong access code"):
            meter.read("2:300")
        assert "guess" not in str(connect(wrong).driver.url)


# archives


def hours(rows: object) -> list[int]:
    return [row.timestamp.hour for row in rows]  # type: ignore[attr-defined]


@pytest.mark.parametrize("rows_per_block", [0, 1, 5])
def test_the_last_rows_are_counted_back_from_the_devices_own_clock(rows_per_block: int) -> None:
    device = Device(**{"1:400": "2026-01-31,09:30:00"})  # two hours behind the newest row
    parameters = f"rows={rows_per_block}"
    (rows,) = device.ask(parameters, ("read_last", {"archive": 3, "seconds": 2 * 3600}))
    assert hours(rows) == [8, 9, 10, 11]
    assert (b"R3" in b"".join(device.heard)) is (rows_per_block > 0)


def test_a_while_without_rows_gives_none() -> None:
    (rows,) = Device().ask("", ("read_last", {"archive": 3, "seconds": 1}))
    assert rows == []


@pytest.mark.parametrize(
    ("archive", "seconds", "error"), [(9, 60, RemoteProtocolError), (3, 10**12, LocalProtocolError)]
)
def test_last_rows_that_cannot_be_are_told(archive: int, seconds: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        Device().ask("", ("read_last", {"archive": archive, "seconds": seconds}))


def test_without_its_clock_a_device_has_no_last_rows() -> None:
    device = Device()
    device.meter.objects = {}
    with pytest.raises(RemoteProtocolError, match="not available"):
        device.ask("", ("read_last", {"archive": 3, "seconds": 60}))


def test_a_clock_that_is_refused_is_an_error() -> None:
    device = Device()
    device.meter.objects = {}
    with pytest.raises(RemoteProtocolError, match="not available"):
        device.ask("", ("clock", {}))


def test_rows_are_counted_without_reading_them() -> None:
    assert Device().ask("", ("count_rows", {"archive": 3, "start": 2, "end": 4})) == [3]
    with pytest.raises(RemoteProtocolError, match="archive is not available"):
        Device().ask("", ("count_rows", {"archive": 9}))


# locks


def test_a_lock_that_is_open_gets_no_code_for_it_would_be_a_new_one() -> None:
    device = Device()
    unlock = ("unlock", {"lock": CUSTOMER, "code": "guess"})
    device.ask("code=0", unlock, ("lock_status", {"lock": CUSTOMER}))
    assert device.meter.codes == {CUSTOMER: "0"}
    assert b"guess" not in b"".join(device.heard)
    with pytest.raises(AccessDenied, match="wrong access code"):
        device.ask("", unlock)


# units and zones


def test_a_unit_is_asked_for_once_and_only_where_it_is_missing() -> None:
    device = Device(**{"5:310": "0.98"})
    device.ask("", ("read", {}), ("read", {}))
    driver = driver_for("lis200://h:1")

    def twice() -> Procedure[None]:
        for _ in range(2):
            yield from driver.read("5:310", "2:300")

    def note(step: object) -> Procedure[object]:
        if isinstance(step, Send):
            device.heard.append(step.data)
        return (yield step)  # type: ignore[misc]

    run_simulated(relay(twice(), note), serve(device.meter))  # type: ignore[arg-type]
    assert [b"5:310.3" in data for data in device.heard].count(True) == 1
    assert not any(b"2:300.3" in data for data in device.heard)


@pytest.mark.parametrize(("minutes", "offset"), [("60", 60), ("-210", -210), ("0", 0), (" +120 ", 120)])
def test_a_device_may_say_its_zone_itself(minutes: str, offset: int) -> None:
    device = Device(**{"1:40F": minutes})
    clock, rows = device.ask("zone=device", ("clock", {}), ("read_last", {"archive": 3, "seconds": 3600}))
    zone = timezone(timedelta(minutes=offset))
    assert clock == datetime(2026, 1, 31, 12, tzinfo=zone)
    assert [row.timestamp for row in rows] == [datetime(2026, 1, 31, 11, tzinfo=zone)]  # type: ignore[attr-defined]
    assert [b"1:40F" in data for data in device.heard].count(True) == 1


def test_a_range_is_asked_in_the_zone_of_the_device() -> None:
    device = Device(**{"1:40F": "120"})
    (rows,) = device.ask("zone=device", ("read_profile", {"profile": "3", "start": TEN, "end": TEN}))
    assert rows == []
    device.ask(
        "zone=device", ("read_profile", {"profile": "3", "start": TEN - timedelta(hours=1), "end": TEN})
    )
    assert b"3:V.0(2;2026-01-31,11:00:00;2026-01-31,12:00:00;10)" in b"".join(device.heard)


@pytest.mark.parametrize("minutes", ["", "noon", "1440", "-99999", "²"])
def test_a_zone_that_is_none_is_the_devices_fault(minutes: str) -> None:
    with pytest.raises(RemoteProtocolError, match="ahead of UTC"):
        Device(**{"1:40F": minutes}).ask("zone=device", ("clock", {}))


def test_a_device_without_a_zone_says_so() -> None:
    with pytest.raises(RemoteProtocolError, match=r"zone=device: .*not available"):
        Device().ask("zone=device", ("clock", {}))


# the line


@pytest.mark.parametrize("echo", [False, True])
def test_a_corrector_on_a_serial_line_is_read_with_a_baud_switch(echo: bool) -> None:
    """A real pseudo-terminal, whose rate is switched, and a head that says again what it hears."""
    far = Far()

    def head(meter: Procedure[None]) -> Procedure[None]:
        def perform(step: object) -> Procedure[object]:
            outcome = yield step  # type: ignore[misc]
            if echo and isinstance(step, Receive) and outcome:
                yield Send(outcome)
            return outcome

        return relay(meter, perform)  # type: ignore[arg-type]

    device = Device()
    corrector = threading.Thread(
        target=run_blocking, args=(head(serve(device.meter, reaction_s=0.03)), far), daemon=True
    )
    corrector.start()
    parameters = "bits=8&parity=N&code=0&time_position=2&quiet=0" + ("&echo=yes" if echo else "")
    try:
        with connect(f"lis200+serial://{far.path}?{parameters}") as meter:
            (volume,) = meter.read("2:300")
            rows = meter.call("read_last", archive=3, seconds=3600)
    finally:
        far.stop()
        corrector.join()
        far.close()
    assert (str(volume.value), volume.unit, hours(rows)) == ("7", "m3", [11])
    assert far.rates[:2] == [300, 9600]


def test_over_tcp_nothing_is_waited_for() -> None:
    """A session with six calls takes no time at all: every wait is for an answer."""
    driver = driver_for("lis200://h:1?time_position=2&code=0&password=x")

    def session() -> Procedure[None]:
        yield from driver.read()
        yield from driver.read("2:300", "1:400", "9:999")
        yield from driver.read_profile("3", NOW.replace(hour=1), NOW)
        yield from driver.set_clock(NOW)
        yield from driver.clock()
        yield from driver.close()

    assert run_simulated(session(), without_line(serve(Device().meter))).seconds == 0


def test_a_meter_that_is_no_corrector_gives_no_value() -> None:
    with simulated("iec62056-21") as meter:
        address = meter.replace("iec62056-21:", "lis200:")
        with connect(address) as corrector, pytest.raises(RemoteProtocolError, match=r"\(ERROR\): LIS-200"):
            corrector.read("2:300")
