"""kill -9 in the middle of ingest: what was acknowledged is there, once, and told to others."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from polymeter.domain import SimulatedClock
from polymeter.messages import NewMeterReading
from polymeter.store import ANY, Store, Tx, channels, outbox, readings
from tests.fleet import make

pytestmark = pytest.mark.anyio

VICTIM = Path(__file__).parent / "victim.py"


def rows(tx: Tx) -> list[int]:
    ids = [channel.id for channel in channels.of_meter(tx, ANY)]
    return [int(r.value) for r in readings.page(tx, ANY, ids, limit=1_000_000)]


@pytest.mark.parametrize("lines", [1, 200, 777])
async def test_what_was_acknowledged_before_a_kill_is_there_once(
    store: Store, database: str, clock: SimulatedClock, lines: int
) -> None:
    fleet = await make(store)
    for kill in (1, 2):
        process = subprocess.Popen(  # noqa: ASYNC220 -- nothing else runs meanwhile
            [sys.executable, str(VICTIM), database, str(fleet.id)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        acknowledged = [process.stdout.readline() for _ in range(lines * kill)]
        process.kill()
        acknowledged += process.stdout.read().splitlines(keepends=True)
        process.wait()
        # A kill can cut the last line; only whole lines are acknowledgements.
        said = {int(line) for line in acknowledged if line.endswith("\n")}
        present = await store.read(rows)
        assert len(present) == len(set(present))
        assert said <= set(present)
        told = [
            int(reading.value or -1)
            for _, body in await store.read(outbox.waiting, 1_000_000)
            for reading in msgspec.json.decode(body, type=list[NewMeterReading])
        ]
        assert sorted(told) == sorted(present)
