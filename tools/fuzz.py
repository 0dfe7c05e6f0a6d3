"""``dev.py fuzz``: mutated inputs against the decoders; only our own errors may come out.

Input ``k`` of seed ``s`` depends on nothing but the two and the good inputs, so a long run can be cut into
pieces (``--start``) and one finding repeated alone (``--only``). Every input is timed, an alarm ends what
takes longer than `HANG_S`, and every so often the memory it takes is measured against its length. Times are
the processor's own: a busy machine makes no decoder slow.
"""

import argparse
import contextlib
import hashlib
import json
import random
import resource
import signal
import sys
import threading
import time
import traceback
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Self

from tools.fuzz_targets import Target, targets
from tools.mutations import mutate

__all__ = ["Finding", "Report", "input_of", "run_campaign"]

HANG_S = 2.0
MEMORY_EVERY = 25
MEMORY_BASE = 4 << 20
MEMORY_PER_BYTE = 4096
ADDRESS_SPACE = 6 << 30  # a bomb becomes a MemoryError, not a dead machine


class Hang(BaseException):
    """Raised by the alarm; no decoder catches it."""


@dataclass
class Finding:
    """The first input that showed something, and how many more did."""

    kind: str  # foreign | hang | memory
    what: str
    case: int
    data: str
    detail: str
    repeat: str
    times: int = 1


@dataclass
class Report:
    """What a campaign saw."""

    target: str
    seed: int
    corpus: str
    cases: int = 0
    accepted: int = 0
    own: int = 0
    slowest_s: float = 0.0
    slowest_case: int = 0
    memory_per_byte: float = 0.0
    took_s: float = 0.0
    findings: dict[str, Finding] = field(default_factory=dict)

    @property
    def foreign(self) -> int:
        """Inputs that raised anything but our own errors."""
        return sum(finding.times for finding in self.findings.values() if finding.kind == "foreign")

    @property
    def hangs(self) -> int:
        """Inputs that took longer than `HANG_S`."""
        return sum(finding.times for finding in self.findings.values() if finding.kind == "hang")

    def text(self) -> str:
        """The report as a person reads it."""
        lines = [
            f"{self.target}: {self.cases} inputs in {self.took_s:.1f} s, seed {self.seed}, {self.corpus}: "
            f"{self.accepted} accepted, {self.own} refused, {self.foreign} foreign exceptions, "
            f"{self.hangs} hangs; slowest {self.slowest_s * 1000:.1f} ms (input {self.slowest_case}), "
            f"memory up to {self.memory_per_byte:.0f} bytes per byte"
        ]
        for finding in self.findings.values():
            lines += ["", f"{finding.kind}: {finding.what} ({finding.times} times)", finding.detail.rstrip()]
            lines += [f"input: {finding.data}", f"repeat: {finding.repeat}"]
        return "\n".join(lines)


def input_of(seeds: list[bytes], seed: int, case: int) -> bytes:
    """The input of that number."""
    return mutate(random.Random(f"{seed}:{case}"), seeds)


def run_campaign(
    target: Target, n: int, seed: int, *, name: str = "target", cases: Iterable[int] | None = None
) -> Report:
    """Run ``n`` inputs, or those numbered ``cases``, and report; raises nothing of the decoder's."""
    from polymeter.protocols.wire import ProtocolError

    seeds = target.seeds()
    digest = hashlib.sha256(b"\0".join(seeds)).hexdigest()[:8]
    report = Report(name, seed, f"corpus {digest} ({len(seeds)} good inputs)")
    started = time.perf_counter()
    with _Alarm() as alarm:
        with contextlib.suppress(Exception, Hang), alarm.limit():
            target.run(seeds[0] if seeds else b"")  # what is imported and cached once is no input's fault
        for case in range(n) if cases is None else cases:
            data = input_of(seeds, seed, case)
            measure = case % MEMORY_EVERY == 0
            if measure:
                tracemalloc.start()
            begun = time.process_time()
            try:
                with alarm.limit():
                    target.run(data)
                report.accepted += 1
            except ProtocolError:
                report.own += 1
            except Hang:
                _note(
                    report, case, data, "hang", f"longer than {HANG_S:.0f} s", traceback.format_exc(limit=-8)
                )
            except Exception as error:
                where = traceback.extract_tb(error.__traceback__)[-1]
                what = f"{type(error).__name__} at {where.filename.rpartition('/')[2]}:{where.lineno}"
                _note(report, case, data, "foreign", what, traceback.format_exc(limit=-8))
            took = time.process_time() - begun
            report.cases += 1
            if measure:
                _judge_memory(report, case, data, tracemalloc.get_traced_memory()[1])
                tracemalloc.stop()
            elif took > report.slowest_s:
                report.slowest_s, report.slowest_case = took, case
    report.took_s = time.perf_counter() - started
    return report


def _note(report: Report, case: int, data: bytes, kind: str, what: str, detail: str) -> None:
    if known := report.findings.get(f"{kind} {what}"):
        known.times += 1
        return
    repeat = f"python3 dev.py fuzz {report.target} --seed {report.seed} --only {case}"
    report.findings[f"{kind} {what}"] = Finding(kind, what, case, data.hex(), detail, repeat)


def _judge_memory(report: Report, case: int, data: bytes, peak: int) -> None:
    report.memory_per_byte = max(report.memory_per_byte, peak / max(len(data), 64))
    if peak > MEMORY_BASE + MEMORY_PER_BYTE * len(data):
        detail = f"{peak} bytes for an input of {len(data)}"
        _note(report, case, data, "memory", "more than the input's length explains", detail)


class _Alarm:
    """Ends what takes too long. Only the main thread can be woken; elsewhere nothing is ended."""

    def __enter__(self) -> Self:
        self._works = threading.current_thread() is threading.main_thread()
        if self._works:
            self._before = signal.signal(signal.SIGPROF, self._ring)
        return self

    def __exit__(self, *_: object) -> None:
        if self._works:
            signal.signal(signal.SIGPROF, self._before)

    @contextlib.contextmanager
    def limit(self) -> Iterator[None]:
        """What runs inside is ended by `Hang` after `HANG_S`."""
        if not self._works:
            yield
            return
        signal.setitimer(signal.ITIMER_PROF, HANG_S)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)

    @staticmethod
    def _ring(_number: int, _frame: object) -> None:
        raise Hang


def main(argv: list[str], known: Callable[[], Mapping[str, Target]] = targets) -> int:
    """Fuzz the named decoders, or all; 1 where anything was found, 2 for an unknown name."""
    parser = argparse.ArgumentParser(
        prog="python3 dev.py fuzz", description="mutated inputs against the decoders"
    )
    parser.add_argument("decoder", nargs="*", help="default: all")
    parser.add_argument("--n", type=int, default=100_000, help="inputs per decoder (default 100 000)")
    parser.add_argument("--seed", type=int, help="repeats a run (default: a new one, printed)")
    parser.add_argument(
        "--start", type=int, default=0, help="number of the first input, to go on after a stop"
    )
    parser.add_argument("--only", type=int, help="this one input, with its traceback")
    parser.add_argument("--json", action="store_true", help="print a JSON object per decoder")
    options = parser.parse_args(argv)
    available = known()
    unknown = [name for name in options.decoder if name not in available]
    if unknown or not available:
        print(
            f"fuzz: no decoder {', '.join(unknown)}; there are: {', '.join(available) or 'none yet'}",
            file=sys.stderr,
        )
        return 2
    seed = random.SystemRandom().randrange(2**32) if options.seed is None else options.seed
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, resource.getrlimit(resource.RLIMIT_AS)[1]))
    found = False
    for name in options.decoder or available:
        if options.only is None:
            cases: Iterable[int] = range(options.start, options.n)
        else:
            cases = [options.only]
            print(f"input {options.only}: {input_of(available[name].seeds(), seed, options.only).hex()}")
        print(f"fuzz: {name}, seed {seed}", file=sys.stderr, flush=True)
        report = run_campaign(available[name], options.n, seed, name=name, cases=cases)
        print(json.dumps(asdict(report)) if options.json else report.text(), flush=True)
        found = found or bool(report.findings)
    return int(found)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("fuzz: interrupted; go on with the same --seed and --start", file=sys.stderr)
        sys.exit(130)
