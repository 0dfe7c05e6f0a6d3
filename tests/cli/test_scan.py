"""``polymeter scan`` as users see it."""

import json
import subprocess
import sys

from polymeter.testing import simulated_fleet


def polymeter(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "polymeter", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_each_meter_is_a_line_and_can_be_read() -> None:
    with simulated_fleet("mbus", 3) as addresses:
        url = addresses[0].rpartition("/")[0] + "?scan_timeout=0.05"
        shown = polymeter("scan", url, "--by", "secondary")
        told = polymeter("scan", url, "--by", "secondary", "--json")
        meters = [json.loads(line) for line in told.stdout.splitlines()]
        read = polymeter("read", meters[0]["url"], "fabrication_number", "--json")
    assert (shown.returncode, told.returncode, shown.stderr) == (0, 0, "")
    assert len(shown.stdout.splitlines()) == len(meters) == 3
    assert {meter["manufacturer"] for meter in meters} == {"PMX"}
    assert json.loads(read.stdout)["value"] == meters[0]["id"]


def test_an_empty_bus_is_said_to_be_one() -> None:
    with simulated_fleet("mbus", 1) as addresses:
        url = addresses[0].rpartition("/")[0] + "/99999999?scan_timeout=0.05"
        found = polymeter("scan", url, "--by", "secondary")
    assert (found.returncode, found.stdout) == (1, "")
    assert "no meter answers" in found.stderr


def test_a_family_without_a_bus_says_so() -> None:
    found = polymeter("scan", "iec62056-21://127.0.0.1:1", "--by", "primary")
    assert found.returncode == 2
    assert "--by" in found.stderr
