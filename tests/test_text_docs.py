"""The examples for people who come from elsewhere run as they stand, against simulated meters."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from polymeter.drivers import connect
from polymeter.drivers.registry import driver_named
from polymeter.testing import simulated_meter
from polymeter.transports.urls import LINE_PARAMETERS
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
        yield {"address": meter + "&password=00000000", "corrector": corrector}


@pytest.mark.parametrize(
    ("page", "number", "code"), EXAMPLES, ids=lambda value: str(value)[:40].split("\n")[0]
)
def test_an_example_runs_as_it_stands(page: str, number: int, code: str, places: dict[str, Any]) -> None:
    names = dict(places)
    exec(compile(code, f"{page} {number}", "exec"), names)
    for name in ("rows", "readings", "events", "frame", "energy"):
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
