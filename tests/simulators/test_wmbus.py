"""Radio meters that anyone may listen to, and only who has a key may read."""

from __future__ import annotations

import pytest

from polymeter.protocols import wmbus
from polymeter.protocols.wire import DecodeOptions, LocalProtocolError, NeedData
from polymeter.protocols.wmbus import PushedTelegrams
from polymeter.simulators import Settings, simulate
from polymeter.simulators.registry import simulator_named
from polymeter.simulators.wmbus import RadioMeter
from polymeter.transports import tcp

pytestmark = pytest.mark.anyio


async def test_whoever_connects_hears_every_meter() -> None:
    async with simulate("wmbus", Settings(count=3, seed=5, config={"interval": 0})) as addresses:
        keys = {
            address.rpartition("/")[2][:8]: bytes.fromhex(address.rpartition("=")[2]) for address in addresses
        }
        port = int(addresses[0].split(":")[2].partition("/")[0])
        stream = await tcp.connect_async("127.0.0.1", port, 5.0)
        splitter, heard = PushedTelegrams(), {}
        while len(heard) < 3:
            splitter.receive_data(await stream.receive(5.0))
            while not isinstance(frame := splitter.next_frame(), NeedData):
                (decoded,) = wmbus.decode(frame, DecodeOptions(keys=tuple(keys.values())))
                heard[decoded.meter.id] = decoded
        await stream.close()
    assert set(heard) == set(keys)
    assert all(len(decoded.records) == 3 and not decoded.errors for decoded in heard.values())


@pytest.mark.parametrize("mode", [0, 5, 7, 10])
def test_counters_go_up_and_open_with_the_meters_key_alone(mode: int) -> None:
    settings = Settings()
    one, other = RadioMeter(1, mode, 1, settings.now), RadioMeter(2, mode, 1, settings.now)
    assert one.key != other.key
    (opened,) = wmbus.decode(one.telegram(), DecodeOptions(keys=(other.key, one.key)))
    assert len(opened.records) == 3
    if mode:
        (shut,) = wmbus.decode(one.telegram(), DecodeOptions(keys=(other.key,)))
        assert not shut.records


def test_settings_are_checked() -> None:
    for config in ({"mode": 13}, {"format": "smoke"}, {"colour": "red"}):
        with pytest.raises(LocalProtocolError):
            simulator_named("wmbus")(Settings(config=config))
