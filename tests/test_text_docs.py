"""The examples for people who come from elsewhere run as they stand, against simulated meters."""

import importlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from polymeter.drivers import connect
from polymeter.drivers.registry import driver_named
from polymeter.protocols import iec62056_21, lis200
from polymeter.testing import simulated_meter
from polymeter.transports.urls import LINE_PARAMETERS
from tests.peers import ask
from tools.environment import ROOT

NOW = datetime(2026, 1, 31, 12, 7, 30, tzinfo=UTC)
PAGES = ["coming-from-iec62056-21.md", "read-load-profiles.md"]
EXAMPLES = [
    (page, number, code)
    for page in PAGES
    for number, code in enumerate(
        re.findall(r"```python\n(.*?)```", (ROOT / "docs/howto" / page).read_text("utf-8"), re.DOTALL), 1
    )
]


@pytest.fixture(scope="module")
def places() -> Iterator[dict[str, Any]]:
    with (
        simulated_meter("iec62056-21", 1, lambda: NOW, {"password": "00000000"}) as meter,
        simulated_meter("lis200", 1, lambda: NOW) as corrector,
    ):
        host, _, port = meter.partition("?")[0].removeprefix("iec62056-21://").rpartition(":")
        yield {
            "address": meter + "&password=00000000",
            "corrector": corrector,
            "host": host,
            "port": int(port),
        }


@pytest.mark.parametrize(
    ("page", "number", "code"), EXAMPLES, ids=lambda value: str(value)[:40].split("\n")[0]
)
def test_an_example_runs_as_it_stands(page: str, number: int, code: str, places: dict[str, Any]) -> None:
    names = dict(places)
    exec(compile(code, f"{page} {number}", "exec"), names)
    for name in ("rows", "readings", "events", "frame", "energy", "last", "lines"):
        assert names.get(name) is None or names[name]


@pytest.mark.parametrize("page", [*PAGES, "read-over-a-modem.md"])
def test_every_parameter_that_is_named_exists(page: str) -> None:
    text = (ROOT / "docs/howto" / page).read_text("utf-8")
    known = {*LINE_PARAMETERS, *driver_named("iec62056-21").parameters, *driver_named("lis200").parameters}
    cells = re.findall(r"^\|[^|]*\| `([a-z_]+)=", text, re.MULTILINE)
    assert {name for name in cells if name not in {"battery_powered"}} <= known


@pytest.mark.parametrize(
    "address",
    re.findall(
        r"^\| [^|]* \| `(iec62056-21[^`]*)`",
        (ROOT / "docs/howto/read-over-a-modem.md").read_text("utf-8"),
        re.MULTILINE,
    ),
)
def test_every_address_is_one(address: str) -> None:
    assert connect(address).driver.url.scheme == "iec62056-21"


# coming from another library

COMING = (ROOT / "docs/howto/coming-from-iec62056-21.md").read_text("utf-8")
NAMES = """
import ast, importlib.util, json, pathlib

names = []
for path in sorted(pathlib.Path(importlib.util.find_spec("iec62056_21").origin).parent.glob("*.py")):
    for node in ast.parse(path.read_text()).body:
        if not isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            continue
        below = node.body if isinstance(node, ast.ClassDef) else []
        names += [each.name for each in (node, *below) if isinstance(each, (ast.ClassDef, ast.FunctionDef))]
print(json.dumps([name for name in names if not name.startswith("_")]))
"""


def test_no_public_call_of_the_other_library_is_missing() -> None:
    theirs = set(json.loads(ask("iec62056-21", NAMES)))
    assert len(theirs) > 90
    told = set(re.findall(r"[A-Za-z_0-9]+", " ".join(re.findall(r"`([^`]*)`", COMING))))
    assert theirs - told == set()


def test_its_error_numbers_are_ours() -> None:
    program = """
from iec62056_21.lis200 import Lis200ErrorParser
import json
print(json.dumps({error.__name__: number for number, error in Lis200ErrorParser.ERROR_MAP.items()}))
"""
    theirs = json.loads(ask("iec62056-21", program))
    told = {name: int(number) for name, number in re.findall(r"^\| `(\w+)` \| (\d+)", COMING, re.MULTILINE)}
    assert told == theirs
    assert set(theirs.values()) == set(lis200.ERRORS)
    silent = {int(number) for number in re.findall(r"\| (\d+): no rows", COMING)}
    assert silent == lis200.NO_ROWS


def test_what_stands_for_it_exists() -> None:
    table = "\n".join(line for line in COMING.splitlines() if line.startswith("|"))
    names = re.findall(r"\b(iec62056_21|lis200)\.(\w+)", re.sub(r"^\|[^|]*\|", "", table, flags=re.MULTILINE))
    assert len(names) > 30
    for package, name in names:
        assert hasattr({"iec62056_21": iec62056_21, "lis200": lis200}[package], name), name
    calls = re.findall(r'meter\.call\("(\w+)"', COMING)
    drivers = (driver_named("iec62056-21"), driver_named("lis200"))
    assert {name for name in calls if not any(name in driver.calls() for driver in drivers)} == set()
    for path in re.findall(r"`(polymeter(?:\.\w+)+)", table):
        module, _, name = path.rpartition(".")
        assert hasattr(importlib.import_module(module), name), path
