"""The bench measures what it is told to: known costs give known ratios, and unlike work is refused."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tools import bench
from tools.bench import BenchError, Quartiles, Worker, measure
from tools.bench_worker import Contender, Work, serve

HERE = "tests.tools.test_bench"


def spin(times: int) -> None:
    total = 0
    for number in range(times):
        total += number


SUMMARY = "count"
CONTENDERS = [
    Contender("one", lambda: Work(lambda: spin(2_000), "counted")),
    Contender("four", lambda: Work(lambda: spin(8_000), "counted")),
]


@pytest.mark.serial
def test_more_work_takes_longer() -> None:
    result = measure(HERE, rounds=7, run_s=0.05)
    # A busy machine stretches one side more than the other: only the order is certain.
    assert result.ratios["four"].median > 1
    assert result.us["one"].low <= result.us["one"].median <= result.us["one"].high
    assert "four" in result.text()


def test_contenders_must_do_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = iter(['{"ready": "60 values", "version": ""}', '{"ready": "59 values", "version": ""}'])
    monkeypatch.setattr(Worker, "_answer", lambda self: next(lines))
    with pytest.raises(BenchError, match="59 values"):
        measure(HERE)


def test_a_worker_that_dies_is_named() -> None:
    with (
        pytest.raises(BenchError, match="nobody ended with status 1"),
        Worker(HERE, Contender("nobody", lambda: Work(int)), sys.executable),
    ):
        pass


def test_the_worker_answers_line_by_line() -> None:
    calls: list[int] = []
    said: list[str] = []
    contender = Contender("x", lambda: Work(lambda: calls.append(1), "done"))
    serve(contender, ["run 3\n", "run 2\n", "\n", "run 9\n"], said.append)
    assert json.loads(said[0]) == {"ready": "done", "version": ""}
    assert len(calls) == 5
    assert all(float(line) >= 0 for line in said[1:])
    assert len(said) == 3


def test_the_worker_needs_only_the_standard_library() -> None:
    code = "import tools.bench_worker, benchmarks.text; print(benchmarks.text.SUMMARY)"
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-c", code], cwd=bench.ROOT, capture_output=True, text=True, check=False
    )
    assert "60 lines" in done.stdout, done.stderr


def test_quartiles_are_of_the_middle() -> None:
    assert Quartiles.of([5, 1, 2, 4, 3]) == Quartiles(3, 2, 4)


def test_a_peers_environment_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed: list[list[str]] = []
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    monkeypatch.setattr(bench, "PEERS", tmp_path / ".venvs")
    monkeypatch.setattr(bench.environment, "make_venv", lambda venv: venv.mkdir(parents=True, exist_ok=True))
    monkeypatch.setattr(bench.environment, "pip", lambda venv, words: installed.append(words))
    peer = Contender("peer", lambda: Work(int), requirements=("peer==1",))
    assert bench._interpreter(peer) == bench._interpreter(peer) == str(tmp_path / ".venvs/peer/bin/python")
    newer = Contender("peer", lambda: Work(int), requirements=("peer==2",))
    bench._interpreter(newer)
    assert installed == [["peer==1"], ["peer==2"]]


def test_the_command_names_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["txet"]) == 2
    assert "no benchmark txet; there are: " in capsys.readouterr().err


def test_the_command_prints_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    some = Quartiles(1, 1, 1)
    result = bench.Result("text", "s", "60", 2, {"a": "1", "b": "2"}, {"a": some, "b": some}, {"b": some})
    monkeypatch.setattr(bench, "measure", lambda module, rounds: result)
    assert bench.main(["text", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["ratios"]["b"]["median"] == 1
    assert printed["machine"]["cores"] >= 1
