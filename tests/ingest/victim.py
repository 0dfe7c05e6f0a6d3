"""A process that ingests and says after each batch what was acknowledged, until it is killed."""

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from uuid import UUID

from polymeter.bus import MemoryBus
from polymeter.domain import SystemClock
from polymeter.ingest import Entrance, Ingest, Status
from polymeter.messages import NewMeterReading
from polymeter.store import Store

START = datetime(2026, 1, 1, tzinfo=UTC)


async def main(url: str, organization: str) -> None:
    store = await Store.open(url)
    ingest = Ingest(store, MemoryBus(), SystemClock())
    entrance = Entrance("victim", UUID(organization))

    async def send(first: int) -> None:
        for base in range(first, 1_000_000, 40):
            numbers = range(base, base + 10)
            batch = [NewMeterReading("M1", "1.8.0", START + timedelta(seconds=n), str(n)) for n in numbers]
            outcomes = await ingest.commit(batch, entrance)
            assert all(outcome.status in (Status.STORED, Status.UNCHANGED) for outcome in outcomes)
            sys.stdout.write("".join(f"{n}\n" for n in numbers))
            sys.stdout.flush()

    await asyncio.gather(*(send(worker * 10) for worker in range(4)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
