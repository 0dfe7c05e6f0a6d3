"""Telegrams of the air are kept as they came, whatever form the receiver gave them; nobody is answered."""

from collections.abc import Iterator

import pytest

from polymeter.catalogue import decode_frames
from polymeter.collection import Receiver, ReceiverAddress
from polymeter.domain import SimulatedClock
from polymeter.simulators import Settings
from polymeter.simulators.wmbus import push
from polymeter.store import Store
from tests.collection.spooled import kept
from tests.fleet import Fleet

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("line", ["tcp", "udp"])
@pytest.mark.parametrize("form", ["raw", "crc", "line", "hex", "json"])
async def test_pushed_telegrams_are_kept_and_open_with_their_keys(
    store: Store, clock: SimulatedClock, fleet: Fleet, line: str, form: str
) -> None:
    receiver = Receiver(ReceiverAddress("wmbus", "127.0.0.1", 0, None, line), fleet.id, store, clock)
    port = await receiver.start()
    try:
        settings = Settings(count=4, seed=3, config={"format": form})
        meters = await push(settings, f"wmbus+{line}://127.0.0.1:{port}", rounds=2)
        payloads = [frame.payload for frame in await kept(store, 8)]
    finally:
        await receiver.close()
    assert sorted(_ids(payloads)) == sorted(2 * [meter.id for meter in meters])
    for payload in payloads:
        (shut,) = decode_frames(payload, "wmbus")
        assert shut.decoded.encrypted
        (frame,) = decode_frames(payload, "wmbus", keys=[meter.key for meter in meters])
        assert len(frame.readings) == 3


def _ids(payloads: list[bytes]) -> Iterator[str]:
    for payload in payloads:
        yield str(decode_frames(payload, "wmbus")[0].decoded.meter.id)


def test_addresses_name_the_line() -> None:
    assert str(ReceiverAddress.parse("wmbus+udp://127.0.0.1:9000")) == "wmbus+udp://127.0.0.1:9000"
    assert str(ReceiverAddress.parse("wmbus://127.0.0.1:9000")) == "wmbus://127.0.0.1:9000"
