from collections.abc import AsyncIterator

import pytest

from polymeter.bus import MemoryBus
from polymeter.domain import SimulatedClock
from polymeter.ingest import Ingest
from polymeter.store import Store
from tests.engines import anyio_backend, clock, database, databases, engine, store
from tests.fleet import Fleet, make

__all__ = ["anyio_backend", "clock", "database", "databases", "engine", "store"]


@pytest.fixture
async def bus() -> AsyncIterator[MemoryBus]:
    made = MemoryBus()
    yield made
    await made.close()


@pytest.fixture
async def ingest(store: Store, bus: MemoryBus, clock: SimulatedClock) -> AsyncIterator[Ingest]:
    """Ingest that is listening, so that publishing means committing."""
    made = Ingest(store, bus, clock)
    subscription = await made.start()
    yield made
    await subscription.cancel()


@pytest.fixture
async def fleet(store: Store) -> Fleet:
    return await make(store)
