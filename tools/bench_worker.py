"""One contender of a benchmark, in a process and an interpreter of its own.

Runs in the contender's virtual environment, so it needs nothing but the standard library and the benchmark's
module. Speaks lines: it says ``ready`` with what it checked, then answers each ``run N`` with the CPU seconds
that N iterations took. An empty line or the end of the input ends it.
"""

import gc
import importlib
import importlib.metadata
import json
import signal
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

__all__ = ["Contender", "Work", "main", "serve"]


@dataclass(frozen=True)
class Work:
    """``run`` is one iteration; ``check`` says what it yields, which must be the same for all contenders."""

    run: Callable[[], object]
    check: str = ""


@dataclass(frozen=True)
class Contender:
    """``setup`` imports and makes the work; ``requirements`` go into a venv of the peer's own."""

    name: str
    setup: Callable[[], Work]
    distribution: str = ""
    requirements: tuple[str, ...] = ()


def serve(contender: Contender, lines: Iterable[str], say: Callable[[str], None]) -> None:
    """Answer requests until there are no more."""
    work = contender.setup()
    version = importlib.metadata.version(contender.distribution) if contender.distribution else ""
    say(json.dumps({"ready": work.check, "version": version}))
    for line in lines:
        words = line.split()
        if not words:
            return
        say(repr(_cpu_seconds(work.run, int(words[1]))))


def _cpu_seconds(run: Callable[[], object], iterations: int) -> float:
    gc.collect()
    started = time.process_time()
    for _ in range(iterations):
        run()
    return time.process_time() - started


def main(module: str, name: str) -> None:
    """Serve the contender ``name`` of the benchmark ``module`` over standard input and output."""
    contenders: list[Contender] = importlib.import_module(module).CONTENDERS
    (contender,) = (each for each in contenders if each.name == name)
    serve(contender, sys.stdin, lambda line: print(line, flush=True))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the bench, whose end ends this
    from tools.bench_worker import main as _main  # the benchmark must meet these very classes

    _main(*sys.argv[1:])
