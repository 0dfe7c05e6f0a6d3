"""A sender hears ACK when its frame is on disk, NAK when it came damaged, nothing when it cannot be kept."""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

import pytest

from polymeter.collection import Receiver, ReceiverAddress
from polymeter.domain import SimulatedClock
from polymeter.protocols import iec62056_21 as iec
from polymeter.protocols.wire import LocalProtocolError, TransportError
from polymeter.store import ANY, Frame, Store, StoreUnavailable, frames
from polymeter.transports import tcp
from polymeter.transports.inbox import AsyncStream
from tests.fleet import Fleet

pytestmark = pytest.mark.anyio


def read_out(*sets: iec.DataSet) -> bytes:
    data = iec.encode_data(tuple((one,) for one in sets))
    return b"/PMX5SIM\r\n" + iec.encode(iec.DataMessage(data))


ONE = read_out(iec.DataSet("0.0.0", "1"), iec.DataSet("1.8.0", "12.5", "kWh"))
TWO = read_out(iec.DataSet("0.0.0", "2"), iec.DataSet("1.8.0", "13.5", "kWh"))


@pytest.fixture
async def line(store: Store, clock: SimulatedClock, fleet: Fleet) -> AsyncIterator[AsyncStream]:
    """A connection to a listening receiver."""
    receiver = Receiver(ReceiverAddress("iec62056-21", "127.0.0.1", 0, None), fleet.id, store, clock)
    stream = await tcp.connect_async("127.0.0.1", await receiver.start(), 5.0)
    yield stream
    await stream.close()
    await receiver.close()


async def kept(store: Store) -> list[bytes]:
    return [frame.payload for frame in (await store.read(frames.page, ANY)).rows]


async def test_an_acknowledged_frame_is_on_disk_as_it_came(
    line: AsyncStream, store: Store, fleet: Fleet
) -> None:
    await line.send(ONE)
    assert await line.receive(5.0) == b"\x06"
    (frame,) = (await store.read(frames.page, ANY)).rows
    assert frame.payload == ONE
    assert (frame.protocol, frame.organization) == ("iec62056-21", fleet.id)
    assert frame.peer.startswith("127.0.0.1:")


async def test_frames_in_pieces_and_several_at_once_are_told_apart(line: AsyncStream, store: Store) -> None:
    await line.send(ONE[:20])
    await line.send(ONE[20:] + TWO + ONE[:3])
    answers = b""
    while len(answers) < 2:
        answers += await line.receive(5.0)
    assert answers == b"\x06\x06"
    assert await kept(store) == [ONE, TWO]


async def test_a_damaged_frame_is_asked_for_again_and_not_kept(line: AsyncStream, store: Store) -> None:
    await line.send(ONE[:-1] + bytes([ONE[-1] ^ 1]))
    assert await line.receive(5.0) == b"\x15"
    await line.send(ONE)
    assert await line.receive(5.0) == b"\x06"
    assert await kept(store) == [ONE]


async def test_a_flood_without_an_end_is_cut_off(line: AsyncStream, store: Store) -> None:
    # The receiver hangs up with bytes of ours unread, which we may see as a reset.
    with suppress(TransportError):
        await line.send(b"\x02")
        for _ in range(40):
            await line.send(b"x" * 8192)
        assert await line.receive(10.0) == b""
    assert await kept(store) == []


async def test_what_cannot_be_kept_is_not_acknowledged(clock: SimulatedClock) -> None:
    class Full:
        async def spool(self, batch: Sequence[Frame]) -> None:
            raise StoreUnavailable("the disk is full")

    address = ReceiverAddress("iec62056-21", "127.0.0.1", 0, None)
    receiver = Receiver(address, None, Full(), clock)  # type: ignore[arg-type]
    stream = await tcp.connect_async("127.0.0.1", await receiver.start(), 5.0)
    await stream.send(ONE)
    assert await stream.receive(5.0) == b""
    await stream.close()
    await receiver.close()


def test_an_address_says_what_is_wrong_with_it() -> None:
    address = ReceiverAddress.parse("iec62056-21://[::1]:5000?organization=Demo")
    assert (address.host, address.port, address.organization) == ("::1", 5000, "Demo")
    with pytest.raises(LocalProtocolError, match="cannot be received; there are iec62056-21"):
        ReceiverAddress.parse("nonsense://127.0.0.1:1")
    with pytest.raises(LocalProtocolError, match="no parameter 'organisation'"):
        ReceiverAddress.parse("iec62056-21://127.0.0.1:1?organisation=x")
