"""How much work something is, in measures that no machine's mood changes.

`steps` counts lines of our code; what regular expressions and C code do between two lines it does not
see. `finishes` is for those: it lets something run that takes seconds where work is linear in the input
and hours where it is not, and ends it in between, by the processor's time and not by the clock's.
"""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

__all__ = ["check_linear", "finishes", "steps"]


def steps(work: Callable[[], Any]) -> int:
    """Lines of our code that ran."""
    count = 0

    def trace(frame: Any, event: str, argument: Any) -> Any:
        nonlocal count
        if "polymeter" not in frame.f_code.co_filename:
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def check_linear(make: Callable[[int], bytes], run: Callable[[bytes], Any], per_byte: int) -> None:
    """Four times the input is four times the work at the most, and no byte costs more than so many lines."""
    small, large = make(3000), make(12000)
    first, second = steps(lambda: run(small)), steps(lambda: run(large))
    assert first <= per_byte * len(small)
    assert second <= per_byte * len(large)
    assert second <= 4.5 * first + 2000


PATIENCE_S = 20.0
"""Processor time: ten times what is needed, and less than looking at everything again and again takes."""


@contextmanager
def finishes() -> Iterator[None]:
    """Fail if what is inside goes on and on."""

    def ring(number: int, frame: object) -> None:
        pytest.fail(f"still at it after {PATIENCE_S:.0f} s of processor time")

    before = signal.signal(signal.SIGVTALRM, ring)
    signal.setitimer(signal.ITIMER_VIRTUAL, PATIENCE_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
