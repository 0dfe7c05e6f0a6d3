"""The stages of a test run, what their results add up to, and what the summary says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools import testing
from tools.environment import ROOT
from tools.services import Mosquitto, PostgreSQL, RabbitMQ


def test_pure_tests_run_first_service_tests_follow_and_both_run_in_parallel() -> None:
    *parallel, last = testing.stages([])
    assert [words[words.index("-m") + 1] for words in parallel] == [
        "not services and not serial",
        "services and not serial",
    ]
    assert all("-n" in words for words in parallel)
    assert last == ["-m", "serial"]


def test_a_test_that_may_kill_a_service_runs_alone() -> None:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "-q",
        "-m",
        "serial",
        "tests/tools/test_smoke.py",
    ]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    names = {line.split("::")[1] for line in found.splitlines() if "::" in line}
    assert names == {
        "test_postgres_keeps_a_committed_row_over_a_kill",
        "test_rabbitmq_keeps_confirmed_messages_over_a_kill",
        "test_mosquitto_keeps_a_session_over_a_kill",
    }


def test_without_services_the_stage_that_surely_finds_tests_is_last() -> None:
    assert "-n" in testing.stages([], services_too=False)[-1]


def test_arguments_of_the_user_make_one_stage() -> None:
    assert testing.stages(["tests/tools", "-k", "debian"]) == [["tests/tools", "-k", "debian"]]


@pytest.mark.parametrize(
    ("codes", "result"),
    [([0, 0], 0), ([5, 0], 0), ([0, 5], 0), ([5, 5], 5), ([1, 0], 1), ([0, 1], 1), ([2], 2)],
)
def test_finding_no_test_fails_only_where_no_stage_found_any(
    codes: list[int], result: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = iter(codes)
    monkeypatch.setattr(testing, "_pytest", lambda command, env, watch: next(left))
    assert testing._run([["-n", "2"], ["-m", "services"]][: len(codes)], {}) == result


def test_an_interrupt_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    left = iter([2])
    monkeypatch.setattr(testing, "_pytest", lambda command, env, watch: next(left))
    assert testing._run([["one"], ["two"]], {}) == 2


def test_missing_services_fail_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(testing, "missing_packages", lambda: ["rabbitmq-server"])
    monkeypatch.setattr(testing.debian.os, "geteuid", lambda: 1000)
    assert testing.main(["-k", "nothing"]) == 2
    said = capsys.readouterr().err
    assert "apt-get install -y --no-install-recommends rabbitmq-server" in said
    assert "--no-services" in said


def test_what_is_not_installed_is_named_by_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RabbitMQ, "program", classmethod(lambda cls: None))
    monkeypatch.setattr(PostgreSQL, "program", classmethod(lambda cls: "/usr/bin/postgres"))
    monkeypatch.setattr(Mosquitto, "program", classmethod(lambda cls: "/usr/sbin/mosquitto"))
    monkeypatch.setattr(testing, "chromium", lambda: None)
    monkeypatch.setattr(testing.ctypes, "CDLL", lambda name: None)
    assert testing.missing_packages() == ["rabbitmq-server", "chromium"]

    def absent(name: str) -> None:
        raise OSError(name)

    monkeypatch.setattr(testing.ctypes, "CDLL", absent)
    assert testing.missing_packages() == ["rabbitmq-server", "chromium", "libatomic1"]


INNER = """
import pytest
def test_pure(): pass
def test_with_a_service(postgres_url): raise AssertionError("must not run")
@pytest.mark.parametrize("case", [
    {"protocol": "mbus", "folder": "mbus", "origin": "ours", "id": "a"},
    {"protocol": "mbus", "folder": "mbus", "origin": "further", "id": "b"},
])
@pytest.mark.parametrize("way", ["whole", "byte by byte"])
def test_vector(case, way): pass
"""


def run_inner(tmp_path: Path, *arguments: str, no_services: bool) -> subprocess.CompletedProcess[str]:
    (tmp_path / "test_inner.py").write_text(INNER)
    command = [sys.executable, "-m", "pytest", *testing._without_missing_plugin(), "-c", "pyproject.toml"]
    env = {
        name: value for name, value in os.environ.items() if not name.startswith(("POLYMETER_", "PYTEST_"))
    }
    env |= {"POLYMETER_TEST_NO_SERVICES": "1"} if no_services else {}
    command += ["-p", "tests.conftest", *arguments, str(tmp_path)]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("arguments", [(), ("-n", "2")])
def test_the_summary_counts_vectors_and_says_what_was_left_out(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    done = run_inner(tmp_path, *arguments, no_services=True)
    assert done.returncode == 0, done.stdout
    assert "vectors: mbus 2 (1 ours + 1 further)" in done.stdout
    assert "--no-services left out" in done.stdout
    assert "5 passed" in done.stdout


def test_without_dev_a_service_test_fails_instead_of_skipping(tmp_path: Path) -> None:
    done = run_inner(tmp_path, "-m", "services", no_services=False)
    assert done.returncode == 1
    assert "run the tests with `python3 dev.py test`" in done.stdout
