"""The fuzzer finds what is planted, names it once, and repeats it alone."""

import json
import random
import threading

import pytest

from polymeter.protocols.wire import RemoteProtocolError
from tools import fuzz
from tools.fuzz import input_of, run_campaign
from tools.fuzz_targets import Target
from tools.mutations import INPUT_MAX, MUTATIONS, mutate

SEEDS = [b"/ISk5MT174\r\n\x021.8.0(123*kWh)\r\n!\r\n\x03x", bytes(range(64)), b"\x68\x05\x05\x68abcde\x16"]


def target(run: object) -> Target:
    return Target(lambda: list(SEEDS), run)  # type: ignore[arg-type]


def accept(data: bytes) -> None:
    pass


def refuse(data: bytes) -> None:
    raise RemoteProtocolError("no", 0)


def test_our_own_errors_are_no_findings() -> None:
    report = run_campaign(target(refuse), 200, 1)
    assert (report.cases, report.own, report.accepted, report.findings) == (200, 200, 0, {})
    assert run_campaign(target(accept), 200, 1).accepted == 200


def test_a_foreign_exception_is_noted_once_with_what_repeats_it() -> None:
    def careless(data: bytes) -> None:
        {0: "zero"}[data[5]]  # IndexError, KeyError

    report = run_campaign(target(careless), 500, 7, name="careless")
    kinds = {finding.what.split(" at ")[0]: finding for finding in report.findings.values()}
    assert set(kinds) == {"IndexError", "KeyError"}
    assert report.foreign == sum(finding.times for finding in kinds.values()) > 100
    first = kinds["IndexError"]
    assert "careless" in first.detail
    assert first.repeat == f"python3 dev.py fuzz careless --seed 7 --only {first.case}"
    again = run_campaign(target(careless), 0, 7, name="careless", cases=[first.case])
    (same,) = again.findings.values()
    assert same.data == first.data == input_of(SEEDS, 7, first.case).hex()


def test_a_hang_is_ended_and_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "HANG_S", 0.05)

    def stuck(data: bytes) -> None:
        while len(data) > 5:
            pass

    report = run_campaign(target(stuck), 3, 1)
    assert report.hangs == 3


def test_too_much_memory_is_noted() -> None:
    def bomb(data: bytes) -> None:
        bytearray(8 << 20)

    (finding,) = run_campaign(target(bomb), 1, 1).findings.values()
    assert finding.kind == "memory"


def test_a_campaign_runs_in_any_thread() -> None:
    reports = []
    thread = threading.Thread(target=lambda: reports.append(run_campaign(target(accept), 10, 1)))
    thread.start()
    thread.join()
    assert reports[0].accepted == 10


def test_the_same_seed_gives_the_same_inputs_and_another_gives_others() -> None:
    first = [input_of(SEEDS, 3, case) for case in range(200)]
    assert first == [input_of(SEEDS, 3, case) for case in range(200)]
    assert first != [input_of(SEEDS, 4, case) for case in range(200)]
    assert len(set(first)) > 150


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_every_mutation_takes_any_input(mutation: object) -> None:
    for case in range(300):
        rng = random.Random(case)
        for seed in (b"", b"1", SEEDS[case % 3]):
            mutation(rng, bytearray(seed), SEEDS)  # type: ignore[operator]


def test_inputs_are_bounded() -> None:
    assert max(len(mutate(random.Random(case), [b"7" * INPUT_MAX])) for case in range(100)) <= INPUT_MAX


def test_no_good_inputs_still_gives_noise() -> None:
    assert any(mutate(random.Random(case), []) for case in range(5))


def test_the_command_names_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert fuzz.main(["mbsu"], lambda: {"mbus": target(accept)}) == 2
    assert "no decoder mbsu; there are: mbus" in capsys.readouterr().err


def test_the_command_runs_goes_on_and_repeats(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fuzz.resource, "setrlimit", lambda *_: None)
    known = {"good": target(refuse), "bad": target(lambda data: 1 // 0)}
    assert fuzz.main(["good", "--n", "20", "--start", "5", "--seed", "1", "--json"], lambda: known) == 0
    assert json.loads(capsys.readouterr().out)["own"] == 15
    assert fuzz.main(["--n", "3", "--seed", "1"], lambda: known) == 1
    assert "ZeroDivisionError" in capsys.readouterr().out
    assert fuzz.main(["bad", "--seed", "1", "--only", "2"], lambda: known) == 1
    assert capsys.readouterr().out.startswith(f"input 2: {input_of(SEEDS, 1, 2).hex()}")
