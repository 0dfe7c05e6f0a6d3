"""The pytest plug-in, and the same without pytest."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from polymeter.drivers import connect
from polymeter.protocols.wire import LocalProtocolError
from polymeter.testing import simulated_fleet, simulated_meter

pytest_plugins = ["pytester"]
NOW = datetime(2026, 1, 31, 10, 15, tzinfo=UTC)


def test_a_meter_answers_while_the_block_runs() -> None:
    with simulated_meter("iec62056-21", seed=7, now=lambda: NOW) as address, connect(address) as meter:
        assert meter.read("0.9.1")[0].value == "101500"
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("simulated")]


def test_a_fleet_has_addresses() -> None:
    with simulated_fleet("iec62056-21", 3) as addresses:
        assert len(set(addresses)) == 3


@pytest.mark.parametrize("arguments", [("morse",), ("iec62056-21", 0)])
def test_what_is_wrong_is_raised_where_it_was_asked(arguments: tuple[object, ...]) -> None:
    with pytest.raises(LocalProtocolError), simulated_fleet(*arguments):  # type: ignore[arg-type]
        pass


def test_an_error_in_the_block_ends_the_meters() -> None:
    with pytest.raises(ZeroDivisionError), simulated_meter("iec62056-21"):
        raise ZeroDivisionError
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("simulated")]


def test_the_fixture_starts_fleets(simulated_meters: Callable[..., list[str]]) -> None:
    one = simulated_meters("iec62056-21")
    two = simulated_meters("iec62056-21", 2, seed=3)
    assert (len(one), len(two)) == (1, 2)


def test_the_fixture_is_there_for_other_peoples_tests(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import polymeter

        def test_mine(simulated_meters):
            with polymeter.connect(simulated_meters("iec62056-21")[0]) as meter:
                assert meter.read("1.8.0")[0].unit == "kWh"
        """
    )
    pytester.runpytest_subprocess("-q").assert_outcomes(passed=1)


def test_meters_are_simulated_without_pytest() -> None:
    program = """
import sys
sys.modules["pytest"] = None
from polymeter.testing import simulated_meter
import polymeter
with simulated_meter("iec62056-21") as address, polymeter.connect(address) as meter:
    print(meter.read("1.8.0")[0].unit)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("kWh\n", "")
