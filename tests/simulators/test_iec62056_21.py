"""Lines of simulated meters: who answers, what each mode shows, that profile, counter and clock agree."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from polymeter.drivers.faces import driver_for
from polymeter.protocols.procedure import Procedure
from polymeter.protocols.wire import AccessDenied, RemoteProtocolError, TimedOut
from polymeter.simulators import Settings
from polymeter.simulators.iec62056_21 import fleet
from polymeter.simulators.profiles import HISTORY
from polymeter.transports.simulated import run_simulated
from tests.conversations import without_line

NOW = datetime(2026, 1, 31, 10, 22, 30, tzinfo=UTC)
MIDNIGHT = NOW.replace(hour=0, minute=0, second=0)


def asked(name: str, *arguments: Any, parameters: str = "", settings: Settings | None = None) -> Any:
    """What a call of the driver gives on the fleet's line."""
    given = settings if settings is not None else Settings(now=lambda: NOW)
    driver = driver_for(f"iec62056-21://h:1?zone=UTC&repeats=0&answer_timeout=5&{parameters}")

    def session() -> Procedure[Any]:
        found = yield from getattr(driver, name)(*arguments)
        yield from driver.close()
        return found

    return run_simulated(session(), without_line(fleet(given).serve())).result


def values(readings: Any) -> dict[str, str]:
    return {reading.series: str(reading.value) for reading in readings}


# who answers


def test_an_address_is_given_for_each_meter() -> None:
    line = fleet(Settings(3, config={"first": 7}))
    assert line.addresses("127.0.0.1", 5000) == [
        f"iec62056-21://127.0.0.1:5000?address=0000000{number}" for number in (7, 8, 9)
    ]
    assert line.addresses("::1", 5000)[0].startswith("iec62056-21://[::1]:5000?")
    assert fleet(Settings(config={"mode": "D"})).addresses("h", 1) == ["iec62056-21://h:1?mode=D"]


@pytest.mark.parametrize("address", ["7", "00000008", "0009"])
def test_of_many_meters_the_one_that_is_asked_for_answers(address: str) -> None:
    many = Settings(3, now=lambda: NOW, config={"first": 7})
    (number,) = asked("read", "0.0.0", parameters=f"address={address}", settings=many)
    assert number.value == address.rjust(8, "0")


@pytest.mark.parametrize("address", ["", "6", "10"])
def test_a_line_of_many_is_silent_for_nobody_and_for_strangers(address: str) -> None:
    many = Settings(3, now=lambda: NOW, config={"first": 7})
    with pytest.raises(TimedOut):
        asked("read", parameters=f"address={address}", settings=many)


def test_a_meter_alone_answers_whoever_asks() -> None:
    assert values(asked("read"))["1-0:0.0.0*255"] == "00000001"


def test_one_conversation_may_go_on_with_another_meter() -> None:
    line = fleet(Settings(2, now=lambda: NOW)).serve()
    found = []

    def both() -> Procedure[None]:
        for number in (1, 2, 1):
            driver = driver_for(f"iec62056-21://h:1?address={number}&access=programming")
            found.append((yield from driver.read("0.0.0"))[0].value)
            yield from driver.close()

    run_simulated(both(), line)
    assert found == ["00000001", "00000002", "00000001"]


# what is asked for


@pytest.mark.parametrize("mode", ["A", "B", "C", "D"])
def test_every_mode_shows_the_same(mode: str) -> None:
    shown = asked("read", settings=Settings(now=lambda: NOW, config={"mode": mode, "push": 1}),
                  parameters=f"mode={mode}")  # fmt: skip
    assert values(shown) == values(asked("read"))


@pytest.mark.parametrize(("baud", "slower"), [("0", "5"), ("3", "6")])
def test_a_baud_rate_that_is_offered_is_spoken(baud: str, slower: str) -> None:
    def seconds(character: str) -> float:
        driver = driver_for("iec62056-21+serial:///dev/x")
        line = fleet(Settings(now=lambda: NOW, config={"baud": character, "reaction": 0.2}))
        return run_simulated(driver.read(), line.serve()).seconds

    assert seconds(baud) > seconds(slower)


def test_a_password_is_asked_for_by_a_meter_that_has_one() -> None:
    locked = Settings(now=lambda: NOW, config={"password": "open"})
    assert asked("read", "1.8.0", parameters="password=open", settings=locked)[0].error is None
    with pytest.raises(AccessDenied):
        asked("read", "1.8.0", parameters="password=shut", settings=locked)
    assert asked("read", "1.8.0", parameters="access=programming", settings=locked)[0].error is not None
    assert asked("read", "1.8.0", settings=locked)[0].error is None  # a read-out is for everybody


def test_a_silent_meter_is_silent_for_a_while() -> None:
    clock = [NOW]
    broken = Settings(now=lambda: clock[0], config={"silent": [{"number": 1, "after": 5, "for": 5}]})
    line = fleet(broken)
    answers = []
    for later in (0, 5, 9, 10):
        clock[0] = NOW + timedelta(seconds=later)
        driver = driver_for("iec62056-21://h:1?repeats=0&answer_timeout=1")
        try:
            run_simulated(driver.read(), line.serve())
        except TimedOut:
            answers.append(False)
        else:
            answers.append(True)
    assert answers == [True, False, False, True]


# that it all agrees


@pytest.mark.parametrize("seed", range(5))
def test_tariffs_add_up_and_the_clock_is_right(seed: int) -> None:
    shown = values(asked("read", settings=Settings(seed=seed, now=lambda: NOW)))
    total, day, night = (Decimal(shown[f"1-0:1.8.{tariff}*255"]) for tariff in (0, 1, 2))
    assert day + night == total
    assert (shown["1-0:0.9.2*255"], shown["1-0:0.9.1*255"]) == ("260131", "102230")
    assert 226 < Decimal(shown["1-0:32.7.0*255"]) < 234


def test_the_load_profile_is_what_the_counter_counts() -> None:
    def energy(at: datetime) -> Decimal:
        return Decimal(values(asked("read", settings=Settings(now=lambda: at)))["1-0:1.8.0*255"])

    rows = asked("read_profile", "P.01", MIDNIGHT, NOW)
    assert [row.timestamp for row in rows] == [MIDNIGHT + n * timedelta(minutes=15) for n in range(42)]
    used = sum((row.readings[0].value / 4 for row in rows[1:]), Decimal(0))
    assert abs(used - (energy(rows[-1].timestamp) - energy(MIDNIGHT))) <= Decimal("0.001") * 42


@pytest.mark.parametrize(
    ("start", "end", "count"),
    [
        (MIDNIGHT, MIDNIGHT, 1),
        (MIDNIGHT + timedelta(minutes=1), MIDNIGHT + timedelta(minutes=14), 0),
        (NOW, NOW + timedelta(days=1), 0),
        (NOW - HISTORY - timedelta(days=9), NOW, HISTORY // timedelta(minutes=15)),
    ],
)
def test_a_profile_has_the_rows_of_its_range_and_memory(start: datetime, end: datetime, count: int) -> None:
    if not count:
        with pytest.raises(RemoteProtocolError, match="ERROR"):
            asked("read_profile", "P.01", start, end)
        return
    assert len(asked("read_profile", "P.01", start, end)) == count


def test_the_log_notes_each_midnight() -> None:
    rows = asked("read_events", NOW - timedelta(days=2), NOW)
    assert [(row.timestamp, row.status) for row in rows] == [
        (MIDNIGHT - timedelta(days=1), "0010"),
        (MIDNIGHT, "0010"),
    ]


def test_a_clock_that_is_set_stays_set_and_moves_the_read_out() -> None:
    line = fleet(Settings(now=lambda: NOW))
    other = datetime(2027, 5, 6, 7, 8, 9, tzinfo=UTC)

    def session(name: str, *arguments: object) -> Any:
        driver = driver_for("iec62056-21://h:1?zone=UTC")
        return run_simulated(getattr(driver, name)(*arguments), line.serve()).result

    before = values(session("read"))["1-0:1.8.0*255"]
    session("set_clock", other)
    assert session("clock") == other
    assert Decimal(values(session("read"))["1-0:1.8.0*255"]) > Decimal(before)


@pytest.mark.parametrize(
    ("address", "value"), [("0.9.1", "256000"), ("0.9.2", "261399"), ("0.9.4", "now"), ("1.8.0", "0")]
)
def test_what_is_no_time_and_no_clock_is_not_taken(address: str, value: str) -> None:
    with pytest.raises(AccessDenied, match="ERROR"):
        asked("write", address, value, parameters="access=programming")
