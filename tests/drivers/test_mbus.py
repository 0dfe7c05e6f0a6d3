"""The M-Bus driver: its calls are procedures, run here against slaves in simulated time."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from polymeter.drivers import Discovered
from polymeter.drivers.faces import driver_for
from polymeter.protocols import mbus
from polymeter.protocols.mbus import Bus, LongHeader, Slave
from polymeter.protocols.wire import AccessDenied, LocalProtocolError, RemoteProtocolError, TimedOut
from polymeter.transports.simulated import run_simulated
from tests.protocols.mbus.test_body import KEY, sealed_body

HEAT = LongHeader("12345678", "PMX", 1, 4)
PRESENT = bytes.fromhex("04060a000000" + "84100605000000" + "046d1d0a3534")


def slave(header: LongHeader = HEAT, address: int = 5, data: bytes = PRESENT, **more: Any) -> Slave:
    def telegrams() -> Sequence[tuple[int, bytes]]:
        return [(0x72, bytes(header) + data)]

    return Slave(header, address, telegrams, **more)


def sealed() -> Slave:
    return Slave(HEAT, 5, lambda: [(0x72, sealed_body(PRESENT))])


def ask(address: str, call: str, *slaves: Slave, **arguments: Any) -> Any:
    """The result of a call of the driver at this address."""
    driver = driver_for(address)
    function = getattr(driver, call)
    positional = arguments.pop("objects", ())
    return run_simulated(function(*positional, **arguments), mbus.serve(Bus(slaves))).result


def test_a_meter_is_read_by_either_address() -> None:
    for address in ("mbus://h/5", "mbus://h/12345678", "mbus://h/1234567FB841FF04", "mbus://h?address=5"):
        readings = ask(address, "read", slave())
        assert [reading.series for reading in readings] == ["energy", "energy.t1", "time"]
        assert readings[0].value == 10


def test_one_value_is_named_by_series_or_code() -> None:
    energy, same, absent = ask("mbus://h/5", "read", slave(), objects=("energy", "6-0:1.0.0*255", "voltage"))
    assert energy.value == same.value == 10
    assert "shows no voltage" in (absent.error or "")


def test_what_there_is_and_the_clock() -> None:
    assert ask("mbus://h/5", "objects", slave()) == ["energy", "energy.t1", "time"]
    assert ask("mbus://h/5", "clock", slave()) == datetime(2025, 4, 21, 10, 29)
    with pytest.raises(RemoteProtocolError, match="no time"):
        ask("mbus://h/5", "clock", slave(data=PRESENT[:6]))


def test_a_sealed_meter_is_opened_with_its_key() -> None:
    readings = ask(f"mbus://h/5?key={KEY.hex()}", "read", sealed())
    assert readings[0].value == 10
    for address, words in (("mbus://h/5", "missing"), (f"mbus://h/5?key={'00' * 16}", "wrong key")):
        with pytest.raises(AccessDenied, match=words):
            ask(address, "read", sealed())


def test_a_meter_that_seals_several_telegrams_is_read_to_the_last() -> None:
    stored = bytes.fromhex("4413e8030000")
    both = Slave(HEAT, 5, lambda: [(0x72, sealed_body(PRESENT + b"\x1f")), (0x72, sealed_body(stored))])
    readings = ask(f"mbus://h/5?key={KEY.hex()}", "read", both)
    assert readings[-1].series == "volume.s1"


def test_a_key_is_never_shown() -> None:
    assert KEY.hex() not in str(driver_for(f"mbus://h/5?key={KEY.hex()}").url)
    with pytest.raises(LocalProtocolError, match="hex"):
        driver_for("mbus://h/5?key=nonsense")


def test_an_error_answer_is_told() -> None:
    busy = Slave(HEAT, 5, lambda: [(0x70, b"\x08")])
    with pytest.raises(RemoteProtocolError, match="application too busy"):
        ask("mbus://h/5", "read", busy)


def test_nobody_and_several() -> None:
    with pytest.raises(TimedOut, match=r"no meter has the address 9{8}F{8}: silence for 0\.5 s"):
        ask("mbus://h/99999999?answer_timeout=0.5", "read", slave())
    twins = [slave(), slave(address=6)]
    with pytest.raises(RemoteProtocolError, match="several meters"):
        ask("mbus://h/12345678", "read", *twins)


def test_the_clock_is_moved_by_a_command_that_names_the_meter() -> None:
    meter = slave()
    ask("mbus://h/5", "adjust_clock", meter, seconds=-30)
    (record,) = meter.written
    assert isinstance(record.value, bytes)
    assert int.from_bytes(record.value[1:7], "little", signed=True) == -30


def test_the_clock_is_set_in_the_meters_own_time() -> None:
    meter = slave()
    ask("mbus://h/5", "set_clock", meter, now=datetime(2026, 1, 2, 3, 4, 59))
    assert meter.written[0].value == datetime(2026, 1, 2, 3, 4)


def test_addresses_are_given() -> None:
    meter = slave()
    ask("mbus://h/5", "set_address", meter, primary=17)
    assert meter.address == 17
    ask("mbus://h/17", "set_id", meter, id="87654321")
    assert meter.header.id == "87654321"


def test_alarms_in_words() -> None:
    assert ask("mbus://h/5", "read_alarm", slave()) == "no alarm"
    assert ask("mbus://h/5", "read_alarm", slave(alarm=8)) == "permanent error"


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("mbus://h:10001", "mbus://h:10001/12345678B8410104"),
        ("mbus://[::1]:10001", "mbus://[::1]:10001/12345678B8410104"),
        ("mbus+serial:///dev/ttyS9?baud=2400", "mbus+serial:///dev/ttyS9?address=12345678B8410104"),
        ("mbus+rfc2217://h:10001", "mbus+rfc2217://h:10001/12345678B8410104"),
    ],
)
def test_who_is_found_is_named_as_read_takes_it(address: str, url: str) -> None:
    separator = "&" if "?" in address else "?"
    (found,) = ask(f"{address}{separator}scan_timeout=0.5", "scan", slave(), by="secondary")
    assert found == Discovered(url, "12345678", "PMX", "heat", 1, 5, False)


def test_a_meter_found_by_both_ways_is_told_once() -> None:
    found = ask("mbus://h?scan_timeout=0.5", "scan", slave(), first=4, last=6)
    assert len(found) == 1


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("mbus://h/255", "a primary address is 0 to 250"),
        ("mbus://h/5?address=6", "two addresses are given: 5 and 6"),
        ("mbus://h/5?repeats=21", "repeats must be 0 to 20"),
        ("mbus://h/12G45678", "12G45678"),
    ],
)
def test_what_is_wrong_with_an_address_is_told_before_anything_is_sent(address: str, words: str) -> None:
    with pytest.raises(LocalProtocolError, match=words):
        driver_for(address)


def test_without_an_address_it_is_asked_which_meter() -> None:
    with pytest.raises(LocalProtocolError, match="which meter"):
        ask("mbus://h:10001", "read", slave())


def test_an_application_is_reset_and_a_rate_is_set() -> None:
    meter = slave()
    ask("mbus://h/5", "reset", meter, subcode=0x10)
    with pytest.raises(TimedOut):
        ask("mbus://h/6", "reset", meter, subcode=0x10)
    assert ask("mbus+serial:///dev/ttyS9?baud=300&address=5", "set_baud", meter, baud=2400) is True
    assert [(record.name, record.value) for record in meter.written] == [("baud rate", 2400)]


@pytest.mark.parametrize("arguments", [{"by": "smell"}, {"first": 9, "last": 3}, {"last": 251}])
def test_a_scan_of_nonsense_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(LocalProtocolError):
        ask("mbus://h", "scan", slave(), **arguments)


def test_a_value_keeps_its_exact_digits() -> None:
    (volume,) = ask("mbus://h/5", "read", slave(data=bytes.fromhex("0e11" + "123456789012")))
    assert volume.value == Decimal("1290785634.12").scaleb(-3)
