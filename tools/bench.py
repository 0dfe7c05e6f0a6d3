"""``dev.py bench``: ours and the peers, side by side.

A shared machine is never quiet, so figures of different minutes do not compare. Each contender is a process
that stays up; runs are interleaved (A B A B …), CPU time is what counts, and a ratio is taken within each
round. What is printed is the median and the quartiles of the rounds.
"""

import argparse
import importlib
import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tools import environment
from tools.bench_worker import Contender
from tools.environment import ROOT, say

__all__ = ["Quartiles", "Result", "main", "measure", "names"]

ROUNDS = 15
RUN_S = 0.2  # CPU time of one run: long against the clock, short against the machine's moods
PEERS = ROOT / ".venvs"


class BenchError(Exception):
    """A contender cannot be measured; the message says why."""


@dataclass(frozen=True)
class Quartiles:
    """The middle of the rounds, and where the middle half of them lies."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """From at least two values."""
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, low, high)


@dataclass(frozen=True)
class Result:
    """CPU microseconds per iteration of each contender, and the ratio of each peer to the first."""

    benchmark: str
    summary: str
    check: str
    rounds: int
    versions: dict[str, str]
    us: dict[str, Quartiles]
    ratios: dict[str, Quartiles]

    def text(self) -> str:
        """The result as a person reads it."""
        lines = [f"{self.benchmark}: {self.summary} ({self.check}; {self.rounds} rounds)"]
        for name, us in self.us.items():
            title = f"{name} {self.versions[name]}"
            line = f"  {title:<28} {us.median:>12,.2f} us  [{us.low:,.2f} .. {us.high:,.2f}]"
            if ratio := self.ratios.get(name):
                line += f"   {ratio.median:.2f}x  [{ratio.low:.2f} .. {ratio.high:.2f}]"
            lines.append(line)
        return "\n".join(lines)


class Worker:
    """A contender's process. Use as a context manager."""

    def __init__(self, module: str, contender: Contender, python: str) -> None:
        self.name = contender.name
        self._process = subprocess.Popen(
            [python, "-m", "tools.bench_worker", module, contender.name],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": "0"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.version = self.check = ""

    def __enter__(self) -> Self:
        try:
            ready = json.loads(self._answer())
        except BaseException:
            self._end()
            raise
        self.check, self.version = ready["ready"], ready["version"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def run(self, iterations: int) -> float:
        """CPU seconds of so many iterations."""
        assert self._process.stdin
        self._process.stdin.write(f"run {iterations}\n")
        self._process.stdin.flush()
        return float(self._answer())

    def _answer(self) -> str:
        assert self._process.stdout
        if line := self._process.stdout.readline():
            return line
        raise BenchError(f"{self.name} ended with status {self._process.wait()}; its words are above")

    def _end(self) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()


def names(folder: Path = ROOT / "benchmarks") -> list[str]:
    """The benchmarks there are."""
    return sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))


def measure(module: str, *, rounds: int = ROUNDS, run_s: float = RUN_S) -> Result:
    """Measure every contender of a benchmark's module.

    Raises:
        BenchError: a contender does not work, or they do not do the same.
    """
    benchmark: Any = importlib.import_module(module)
    contenders: list[Contender] = benchmark.CONTENDERS
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(module, each, _interpreter(each))) for each in contenders]
        checks = {worker.name: worker.check for worker in workers}
        if len(set(checks.values())) > 1:
            raise BenchError(f"the contenders do not do the same: {checks}")
        iterations = {worker.name: _calibrate(worker, run_s) for worker in workers}
        us: dict[str, list[float]] = {worker.name: [] for worker in workers}
        for _ in range(rounds):
            for worker in workers:
                count = iterations[worker.name]
                us[worker.name].append(worker.run(count) / count * 1e6)
    ours, *peers = us
    ratios = {peer: Quartiles.of([b / a for a, b in zip(us[ours], us[peer], strict=True)]) for peer in peers}
    return Result(
        module.rpartition(".")[2],
        benchmark.SUMMARY,
        workers[0].check,
        rounds,
        {worker.name: worker.version for worker in workers},
        {name: Quartiles.of(values) for name, values in us.items()},
        ratios,
    )


def _calibrate(worker: Worker, run_s: float) -> int:
    """How many iterations take about ``run_s``; warms up on the way."""
    iterations = 1
    while (took := worker.run(iterations)) < run_s / 4:
        iterations *= 2 if took > run_s / 20 else 5
    return max(1, round(iterations * run_s / took))


def _interpreter(contender: Contender) -> str:
    """Ours, or that of the peer's own environment, which is made and filled when it is not yet."""
    if not contender.requirements:
        return sys.executable
    venv = PEERS / contender.name
    stamp = venv / "requirements"
    wanted = "\n".join(contender.requirements)
    if not stamp.exists() or stamp.read_text() != wanted:
        say(f"installing {', '.join(contender.requirements)} into {venv.relative_to(ROOT)}")
        try:
            environment.make_venv(venv)
            environment.pip(venv, list(contender.requirements))
        except environment.SetupError as error:
            raise BenchError(str(error)) from error
        stamp.write_text(wanted)
    return str(venv / "bin" / "python")


def main(argv: list[str]) -> int:
    """Run the named benchmarks, or all; 1 where one could not be measured, 2 for an unknown name."""
    parser = argparse.ArgumentParser(
        prog="python3 dev.py bench", description="ours and the peers, side by side"
    )
    parser.add_argument("name", nargs="*", help=f"default: all ({', '.join(names())})")
    parser.add_argument("--json", action="store_true", help="print a JSON object per benchmark")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"default {ROUNDS}")
    options = parser.parse_args(argv)
    if unknown := sorted(set(options.name) - set(names())):
        print(f"bench: no benchmark {', '.join(unknown)}; there are: {', '.join(names())}", file=sys.stderr)
        return 2
    code = 0
    for name in options.name or names():
        say(f"bench {name}")
        try:
            result = measure(f"benchmarks.{name}", rounds=max(2, options.rounds))
        except BenchError as error:
            print(f"bench {name}: {error}", file=sys.stderr)
            code = 1
            continue
        machine = {"python": platform.python_version(), "cores": len(os.sched_getaffinity(0))}
        print(
            json.dumps(asdict(result) | {"machine": machine}) if options.json else result.text(), flush=True
        )
    return code


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        say("bench: interrupted")
        sys.exit(130)
