"""P1 and SML are received: kept as they come, and answered with nothing."""

import pytest

from polymeter.collection import Receiver, ReceiverAddress
from polymeter.domain import SimulatedClock
from polymeter.protocols.wire import TimedOut
from polymeter.store import ANY, Store, frames
from polymeter.transports import tcp
from tests.fleet import Fleet
from tests.vectors import load_vectors, telegram

pytestmark = pytest.mark.anyio

SENT = {
    "p1": ("dsmr-5-three-sub-meters", "damaged", "dsmr-4"),
    "sml": ("push", "damaged-frame", "timestamp"),
}


@pytest.mark.parametrize("protocol", SENT)
async def test_pushed_frames_are_kept_and_nothing_is_answered(
    protocol: str, store: Store, clock: SimulatedClock, fleet: Fleet
) -> None:
    cases = {case["name"]: telegram(case) for case in load_vectors(protocol) if case["origin"] == "ours"}
    first, damaged, last = (cases[name] for name in SENT[protocol])
    receiver = Receiver(ReceiverAddress(protocol, "127.0.0.1", 0, None), fleet.id, store, clock)
    stream = await tcp.connect_async("127.0.0.1", await receiver.start(), 5.0)
    try:
        data = first + damaged + last
        for at in range(0, len(data), 100):
            await stream.send(data[at : at + 100])
        for _ in range(50):
            with pytest.raises(TimedOut):
                await stream.receive(0.05)
            found = [frame.payload for frame in (await store.read(frames.page, ANY)).rows]
            if len(found) == 2:
                break
        assert found == [first, last]
    finally:
        await stream.close()
        await receiver.close()
