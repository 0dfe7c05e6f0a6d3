"""How much work something is: a measure that no machine's mood changes."""

import sys
from collections.abc import Callable
from typing import Any

__all__ = ["check_linear", "steps"]


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
