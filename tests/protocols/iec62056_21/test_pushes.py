"""Whole read-outs are cut out of a stream as they came."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.iec62056_21 import DataMessage, Identification, encode
from polymeter.protocols.iec62056_21.blocks import LINE_MAX
from polymeter.protocols.iec62056_21.pushes import PushedReadOuts
from polymeter.protocols.wire import NEED_DATA, NeedData, RemoteProtocolError
from tests.effort import finishes
from tests.protocols.iec62056_21.strategies import cuts

LINE = encode(Identification("PMX", "5", "SIM100"))
BLOCK = encode(DataMessage("1.8.0(1*kWh)\r\n!\r\n"))
PARITY = bytes(byte | (0x80 if byte.bit_count() % 2 else 0) for byte in LINE + BLOCK)


def frames(receiver: PushedReadOuts) -> list[bytes]:
    found = []
    while not isinstance(frame := receiver.next_frame(), NeedData):
        found.append(frame)
    return found


@pytest.mark.parametrize("whole", [LINE + BLOCK, BLOCK, PARITY], ids=["line", "bare", "parity"])
@given(data=st.data())
def test_chunking_is_irrelevant(whole: bytes, data: st.DataObject) -> None:
    receiver = PushedReadOuts()
    found = []
    for piece in data.draw(cuts(whole + b"\r\n" + whole)):
        receiver.receive_data(piece)
        found += frames(receiver)
    assert found == [whole] * 2


def test_noise_before_a_read_out_is_dropped() -> None:
    receiver = PushedReadOuts()
    receiver.receive_data(b"\x00noise" + LINE + BLOCK)
    assert frames(receiver) == [LINE + BLOCK]


def test_a_damaged_read_out_is_dropped_with_its_place() -> None:
    receiver = PushedReadOuts()
    receiver.receive_data(LINE + BLOCK[:-1] + b"\x00" + LINE + BLOCK)
    with pytest.raises(RemoteProtocolError) as caught:
        receiver.next_frame()
    assert caught.value.offset == len(LINE + BLOCK) - 1
    assert frames(receiver) == [LINE + BLOCK]


def test_a_read_out_that_breaks_off_costs_no_other() -> None:
    receiver = PushedReadOuts()
    receiver.receive_data(LINE + BLOCK[:9] + BLOCK)
    with pytest.raises(RemoteProtocolError):
        receiver.next_frame()
    assert frames(receiver) == [BLOCK]


@pytest.mark.parametrize("following", [LINE + BLOCK, BLOCK, PARITY], ids=["line", "bare", "parity"])
@given(data=st.data())
def test_a_read_out_without_its_check_costs_no_other(following: bytes, data: st.DataObject) -> None:
    receiver = PushedReadOuts()
    found: list[bytes | None] = []
    for piece in data.draw(cuts((PARITY if following == PARITY else LINE + BLOCK)[:-1] + following)):
        receiver.receive_data(piece)
        try:
            found += frames(receiver)
        except RemoteProtocolError:
            found += [None, *frames(receiver)]
    assert found == [None, following]


@pytest.mark.parametrize("whole", [LINE + BLOCK, PARITY], ids=["plain", "parity"])
@pytest.mark.parametrize("cut", range(len(LINE) + 1, len(LINE + BLOCK) - 2))
def test_the_next_one_keeps_its_identification(whole: bytes, cut: int) -> None:
    receiver = PushedReadOuts()
    receiver.receive_data(whole[:cut] + whole)
    with pytest.raises(RemoteProtocolError):
        receiver.next_frame()
    assert frames(receiver) == [whole]


def test_what_waits_is_bounded() -> None:
    receiver = PushedReadOuts(limit=1000)
    receiver.receive_data(b"\x02" + b"a" * 900)
    with pytest.raises(RemoteProtocolError):
        receiver.receive_data(b"b" * 200)
    receiver.receive_data(LINE + BLOCK)
    assert frames(receiver) == [LINE + BLOCK]


def test_chatter_without_a_block_does_not_pile_up() -> None:
    receiver = PushedReadOuts(limit=1000)
    for _ in range(100):
        receiver.receive_data(b"chatter " * 50)
        assert receiver.next_frame() is NEED_DATA
    assert len(receiver._buffer) <= LINE_MAX


@pytest.mark.parametrize("noise", [b"x", b"/", b"\xaf", b"/PMX5\r\n", b"\x01"])
def test_noise_is_looked_at_once(noise: bytes) -> None:
    """A block that comes byte by byte behind much noise: the noise is not searched for each byte."""
    receiver = PushedReadOuts()
    receiver.receive_data(noise * (200_000 // len(noise)))
    with finishes():
        for byte in LINE + BLOCK * 1000 + LINE + BLOCK:
            receiver.receive_data(bytes([byte]))
            frame = receiver.next_frame()
    assert frame == LINE + BLOCK
