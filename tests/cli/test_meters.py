"""What `read` and `call` print of every kind of result, by a driver of somebody else's."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from polymeter.cli import main
from polymeter.drivers import driver_named

SOURCE = '''
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from polymeter.catalogue import TelegramReading
from polymeter.drivers import Driver, Row, call, writing_call

@dataclass
class Event:
    at: datetime
    code: int

class Oracle(Driver):
    scheme = "oracle"
    description = "knows all kinds of answers"
    default_port = 9

    def read(self, *objects):
        """Read what is asked for."""
        yield from ()
        return [TelegramReading(name, Decimal("1E+2"), "kWh") for name in objects]

    def read_profile(self, profile: str, start: datetime, end: datetime):
        """Read a profile."""
        yield from ()
        reading = TelegramReading(profile, Decimal("1.50"), "kW", start)
        return [Row(start, (reading,), "00"), Row(end, (), "08")]

    def clock(self):
        """Read the clock."""
        yield from ()
        return datetime(2026, 1, 31, 10, 15)

    def set_clock(self, now: datetime):
        """Set the clock."""
        yield from ()

    @call
    def events(self, since: datetime | None = None):
        """Read the events."""
        yield from ()
        return [Event(datetime(2026, 1, 31), 7), {"more": [b"\\xff", "text"], 5: None}, True]

    @call
    def sum(self, one: int, other: Decimal = Decimal(1), exact: bool = False, raw: bytes = b""):
        """Add."""
        yield from ()
        return one + other
'''


@pytest.fixture(autouse=True)
def oracle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    info = tmp_path / "oracles-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: oracles\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[polymeter.drivers]\noracle = oracles:Oracle\n")
    (tmp_path / "oracles.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    driver_named.cache_clear()
    yield
    driver_named.cache_clear()
    sys.modules.pop("oracles", None)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    def command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["polymeter", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        return (int(left.value.code or 0), *capsys.readouterr())

    return command


URL = "oracle://127.0.0.1?udp=yes"


def test_numbers_are_written_out(run) -> None:  # type: ignore[no-untyped-def]
    status, out, _ = run("read", URL, "a", "b")
    assert (status, out.split()[:3]) == (0, ["a", "100", "kWh"])
    assert json.loads(run("read", "--json", URL, "a")[1])["value"] == "100"


def test_a_profile_is_a_table_or_a_line_for_each_reading(run) -> None:  # type: ignore[no-untyped-def]
    times = ("--from", "2026-01-31T00:00", "--to", "2026-01-31T01:00")
    status, out, _ = run("read", URL, "load", *times)
    assert (status, out.split()) == (0, ["load", "1.50", "kW", "2026-01-31", "00:00:00"])
    status, out, _ = run("read", "--json", URL, "load", *times)
    assert json.loads(out)["timestamp"] == "2026-01-31T00:00:00"


def test_rows_of_a_call_keep_their_status(run) -> None:  # type: ignore[no-untyped-def]
    arguments = ("profile=load", "start=2026-01-31T00:00", "end=2026-01-31T01:00")
    _, out, _ = run("call", "--json", URL, "read_profile", *arguments)
    assert [json.loads(line)["status"] for line in out.splitlines()] == ["00", "08"]
    assert run("call", URL, "read_profile", *arguments)[1].startswith("load  1.50  kW")


@pytest.mark.parametrize(
    ("arguments", "out"),
    [
        (["clock"], "2026-01-31T10:15:00\n"),
        (["clock", "--json"], '"2026-01-31T10:15:00"\n'),
        (["set_clock", "now=2026-01-31T10:15"], "done\n"),
        (["set_clock", "now=2026-01-31T10:15", "--json"], "null\n"),
        (["sum", "one=0x10"], "17\n"),
        (["sum", "one=1", "other=0.50", "exact=yes", "raw=ff"], "1.50\n"),
        (["events", "since=2026-01-31"], None),
    ],
)
def test_every_kind_of_result_is_printed(run, arguments: list[str], out: str | None) -> None:  # type: ignore[no-untyped-def]
    status, printed, err = run("call", URL, *arguments)
    assert (status, err) == (0, "")
    assert out is None or printed == out


def test_values_inside_results_are_exact_and_plain(run) -> None:  # type: ignore[no-untyped-def]
    lines = run("call", "--json", URL, "events")[1].splitlines()
    assert json.loads(lines[0]) == {"at": "2026-01-31T00:00:00", "code": "7"}
    assert json.loads(lines[1]) == {"more": ["ff", "text"], "5": None}
    assert json.loads(lines[2]) is True
    assert run("call", URL, "events")[1].splitlines()[0] == lines[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sum"], "sum: missing a required argument: 'one'"),
        (["sum", "one=x"], "'x' is no int"),
        (["sum", "one=1", "other=x"], "'x' is no Decimal"),
        (["sum", "one=1", "exact=maybe"], "'maybe' is no bool"),
        (["sum", "one=1", "raw=f"], "'f' is no bytes"),
        (["set_clock", "now=noon"], "'noon' is no datetime"),
    ],
)
def test_a_wrong_argument_is_one_line(run, arguments: list[str], said: str) -> None:  # type: ignore[no-untyped-def]
    status, out, err = run("call", URL, *arguments)
    assert (status, out, err) == (2, "", f"polymeter: {said}\n")


def test_the_help_of_calls_names_the_kinds(run) -> None:  # type: ignore[no-untyped-def]
    out = run("call", URL, "help")[1]
    assert "sum one=int other=Decimal exact=bool raw=bytes\n    Add." in out
    assert "events since=datetime" in out
