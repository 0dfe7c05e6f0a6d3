"""Every registered decoder takes 5 000 hostile inputs and raises nothing foreign."""

import pytest

from tools.fuzz import run_campaign
from tools.fuzz_targets import targets

TARGETS = targets()


@pytest.mark.parametrize("name", TARGETS)
def test_hostile_inputs_raise_only_our_own_errors(name: str) -> None:
    report = run_campaign(TARGETS[name], 5_000, 20_260_101, name=name)
    assert report.cases == 5_000
    assert not report.findings, report.text()


@pytest.mark.parametrize("name", TARGETS)
def test_the_good_inputs_are_good(name: str) -> None:
    # Without them the campaign would be noise that no decoder looks at twice.
    if not (seeds := TARGETS[name].seeds()):
        pytest.xfail("no vectors of our own yet")
    assert len(seeds) >= 10
