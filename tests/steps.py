"""How much work something is, in lines of our code that run: a measure that no machine's mood changes."""

import sys
from collections.abc import Callable
from typing import Any

__all__ = ["steps"]


def steps(work: Callable[[], object]) -> int:
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
