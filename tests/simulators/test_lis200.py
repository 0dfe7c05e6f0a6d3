"""Simulated correctors: who answers, what locks allow, that archives, counters and clock agree."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from polymeter.drivers.faces import driver_for
from polymeter.protocols.procedure import Procedure
from polymeter.protocols.wire import AccessDenied, LocalProtocolError, RemoteProtocolError, TimedOut
from polymeter.simulators import Settings
from polymeter.simulators.lis200 import fleet
from polymeter.simulators.profiles import HISTORY
from polymeter.transports.simulated import run_simulated

NOW = datetime(2026, 1, 31, 10, 22, 30, tzinfo=UTC)
TEN = NOW.replace(minute=0, second=0)


def asked(
    name: str, *arguments: Any, parameters: str = "code=00000000", settings: Settings | None = None
) -> Any:
    """What a call of the driver gives on the fleet's line."""
    given = settings if settings is not None else Settings(now=lambda: NOW)
    driver = driver_for(f"lis200://h:1?zone=UTC&repeats=0&answer_timeout=5&{parameters}")

    def session() -> Procedure[Any]:
        found = yield from getattr(driver, name)(*arguments)
        yield from driver.close()
        return found

    return run_simulated(session(), fleet(given).serve()).result


def values(readings: Any) -> dict[str, Any]:
    return {reading.series: reading.value for reading in readings}


def test_an_address_with_its_code_is_given_for_each_corrector() -> None:
    line = fleet(Settings(2, config={"first": 7, "code": "123"}))
    assert line.addresses("127.0.0.1", 5000) == [
        f"lis200://127.0.0.1:5000?address=0000000{number}&code=123" for number in (7, 8)
    ]
    assert line.addresses("::1", 1)[0].startswith("lis200://[::1]:1?")


def test_of_many_correctors_the_one_that_is_asked_for_answers() -> None:
    many = Settings(3, now=lambda: NOW)
    (number,) = asked("read", "1:180", parameters="code=00000000&address=2", settings=many)
    assert number.value == "00000002"
    for address in ("", "4"):
        with pytest.raises(TimedOut):
            asked("read", parameters=f"address={address}", settings=many)


@pytest.mark.parametrize("config", [{"colour": 1}, {"code": 5}, {"first": "x"}, {"reaction": -1}])
def test_a_wrong_setting_is_told_at_the_start(config: dict[str, Any]) -> None:
    with pytest.raises(LocalProtocolError):
        fleet(Settings(config=config))


# locks


def test_without_an_open_lock_nothing_is_read_one_by_one() -> None:
    (refused,) = asked("read", "2:300", parameters="")
    assert refused.error == "the device answers: no right to read (#0018)"
    free = Settings(now=lambda: NOW, config={"reads_locked": False})
    assert asked("read", "2:300", parameters="", settings=free)[0].error is None
    assert "2:300" in values(asked("read", parameters=""))  # the read-out is for everybody


def test_each_corrector_keeps_its_own_codes() -> None:
    line = fleet(Settings(2, now=lambda: NOW))

    def write(number: int, code: str, value: str) -> None:
        driver = driver_for(f"lis200://h:1?address={number}&code={code}")
        run_simulated(driver.write("4:171", value), line.serve())

    write(1, "00000000", "new")
    write(2, "00000000", "00000000")
    with pytest.raises(AccessDenied, match="wrong access code"):
        write(1, "00000000", "x")
    write(1, "new", "00000000")


def test_a_remark_is_the_customers_and_the_clock_the_suppliers() -> None:
    line = fleet(Settings(now=lambda: NOW))
    later = datetime(2027, 2, 3, 4, 5, 6, tzinfo=UTC)

    def session(parameters: str, name: str, *arguments: Any) -> Any:
        driver = driver_for(f"lis200://h:1?zone=UTC&{parameters}")
        return run_simulated(getattr(driver, name)(*arguments), line.serve()).result

    customer, supplier = "code=00000000", "code=11111111&lock=3"
    session(customer, "write", "1:1C1", "seen")
    assert session(customer, "read", "1:1C1")[0].value == "seen"
    with pytest.raises(AccessDenied, match="out of range"):
        session(customer, "write", "1:1C1", "far too long a remark")
    with pytest.raises(AccessDenied, match="no right to write"):
        session(customer, "set_clock", later)
    session(supplier, "set_clock", later)
    assert session(customer, "clock") == later
    with pytest.raises(AccessDenied, match="out of range"):
        session(supplier, "write", "1:400", "soon")
    with pytest.raises(AccessDenied, match="constant"):
        session(supplier, "write", "2:300", "0")


# that it all agrees


@pytest.mark.parametrize("seed", range(3))
def test_the_newest_row_is_what_the_counters_showed_then(seed: int) -> None:
    rows = asked("read_profile", "3", TEN, NOW, settings=Settings(seed=seed, now=lambda: NOW))
    shown = values(asked("read", settings=Settings(seed=seed, now=lambda: TEN)))
    (row,) = rows
    assert row.timestamp == TEN
    stored = values(row.readings)
    for name in ("2:300", "4:300", "7:310", "6:310"):
        assert (stored[name], name) == (shown[name], name)


def test_base_volume_is_measured_volume_by_the_factor() -> None:
    shown = values(asked("read"))
    assert abs(shown["4:300"] * Decimal("0.9812") - shown["2:300"]) <= Decimal("0.0001")


@pytest.mark.parametrize(("archive", "length"), [("1", timedelta(days=1)), ("3", timedelta(hours=1))])
def test_archives_count_on_without_gaps(archive: str, length: timedelta) -> None:
    rows = asked("read_profile", archive, NOW - timedelta(days=3), NOW)
    assert {later.timestamp - earlier.timestamp for earlier, later in pairwise(rows)} == {length}
    numbers = [row.readings[0].value for row in rows]
    assert numbers == list(range(int(numbers[0]), int(numbers[0]) + len(rows)))
    volumes = [values(row.readings)["2:300"] for row in rows]
    assert volumes == sorted(volumes)


def test_blocks_of_any_size_give_the_same_rows() -> None:
    found = [
        asked("read_profile", "3", NOW - timedelta(days=1), NOW, parameters=f"code=00000000&rows={rows}")
        for rows in (0, 1, 7, 999)
    ]
    assert all(rows == found[0] for rows in found)
    assert len(found[0]) == 24


def test_what_is_older_than_its_memory_is_forgotten() -> None:
    rows = asked("read_profile", "1", NOW - HISTORY - timedelta(days=9), NOW)
    assert len(rows) == HISTORY.days
    before = NOW - HISTORY - timedelta(days=1)
    assert asked("read_profile", "1", before - timedelta(days=9), before) == []


def test_the_last_rows_and_their_number() -> None:
    rows = asked("read_last", 3, 3 * 3600)
    assert [row.timestamp for row in rows] == [TEN - timedelta(hours=2), TEN - timedelta(hours=1), TEN]
    first = rows[0].readings[0].value
    assert asked("count_rows", 3, first, first + 1) == 2
    assert asked("count_rows", 3, first + 99, None) == 0


def test_it_says_how_far_its_clock_is_from_utc() -> None:
    assert asked("read", "1:40F")[0].value == 0
    driver = driver_for("lis200://h:1?zone=device&code=00000000")
    assert run_simulated(driver.clock(), fleet(Settings(now=lambda: NOW)).serve()).result == NOW


def test_an_archive_that_it_does_not_have_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="archive is not available"):
        asked("read_profile", "2", TEN, NOW)
