"""Simulated meters for other people's tests, as functions and as a pytest plug-in.

    def test_my_reader(simulated_meters):
        address = simulated_meters("iec62056-21")[0]
        ...

or without pytest::

    with simulated_meter("iec62056-21", seed=7) as address:
        ...

The meters run in a thread of their own and answer over loopback TCP.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Any

try:
    import pytest
except ImportError:  # the functions work without it
    pytest = None  # type: ignore[assignment]

__all__ = ["simulated_fleet", "simulated_meter"]


@contextmanager
def simulated_fleet(
    protocol: str,
    count: int = 1,
    seed: int = 1,
    now: Callable[[], datetime] | None = None,
    config: Mapping[str, Any] | None = None,
) -> Iterator[list[str]]:
    """Run `count` simulated meters while the block runs; gives their addresses."""
    # Imported here: pytest loads this module in every project that has polymeter installed.
    from polymeter.simulators import Settings, simulate

    settings = Settings(count, seed, config=config or {}, **({"now": now} if now is not None else {}))
    ready: Any = None
    started, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        nonlocal ready
        async with simulate(protocol, settings) as addresses:
            ready = addresses
            started.set()
            await stop.wait()

    def run() -> None:
        nonlocal ready
        try:
            loop.run_until_complete(serve())
        except Exception as error:
            ready = error
        finally:
            started.set()
            loop.close()

    thread = threading.Thread(target=run, name=f"simulated {protocol}", daemon=True)
    thread.start()
    started.wait()
    if isinstance(ready, Exception):
        thread.join()
        raise ready
    try:
        yield ready
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


@contextmanager
def simulated_meter(
    protocol: str,
    seed: int = 1,
    now: Callable[[], datetime] | None = None,
    config: Mapping[str, Any] | None = None,
) -> Iterator[str]:
    """Run one simulated meter while the block runs; gives its address."""
    with simulated_fleet(protocol, 1, seed, now, config) as addresses:
        yield addresses[0]


if pytest is not None:

    @pytest.fixture
    def simulated_meters() -> Iterator[Callable[..., list[str]]]:
        """A function that starts a fleet, as `simulated_fleet` does, and ends it with the test."""
        with ExitStack() as fleets:

            def start(protocol: str, *arguments: Any, **named: Any) -> list[str]:
                return fleets.enter_context(simulated_fleet(protocol, *arguments, **named))

            yield start
