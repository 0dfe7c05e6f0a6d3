"""Waiting for what another task or process does: as long as a busy machine needs, and no longer."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

__all__ = ["PATIENCE_S", "until"]

T = TypeVar("T")

PATIENCE_S: Final = 60.0
"""How long something may take that takes a moment on an idle machine."""
_PAUSE_S: Final = 0.02


async def until(probe: Callable[[], T | Awaitable[T]], what: str) -> T:
    """The first thing that is true of those that `probe` gives, asked again and again.

    Args:
        probe: looks once, now or when awaited.
        what: what is waited for, for the message if it does not come.
    """
    end = asyncio.get_running_loop().time() + PATIENCE_S
    while True:
        found = probe()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return found
        assert asyncio.get_running_loop().time() < end, f"{what} did not come, last {found!r}"
        await asyncio.sleep(_PAUSE_S)
