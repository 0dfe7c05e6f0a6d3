"""HDLC frames found in what a line brings: in pieces, in noise, damaged, too many."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.dlms.frame_buffer import BUFFER_MAX, FrameBuffer
from polymeter.protocols.dlms.hdlc import Address, Frame, encode_frame
from polymeter.protocols.wire import NEED_DATA, NeedData, RemoteProtocolError

HEADS = [bytes((octet,)) for octet in range(0xA0, 0xB0)]
METER = Address(1, 17, 2)
frames = st.builds(
    lambda information, segmented: Frame(
        "UI", Address(16), Address(1, 17, 2), information, segmented=segmented
    ),
    st.binary(max_size=60),
    st.booleans(),
)
noises = st.binary(max_size=12).filter(lambda octets: 0x7E not in octets and octets[:1] not in HEADS)
"""Whatever is no flag, and does not look like the head of a frame behind the last flag."""
ONE = Frame("UI", Address(16), Address(1), b"one")
TWO = Frame("UI", Address(16), Address(1), b"two")


def drained(buffer: FrameBuffer) -> list[Frame | str]:
    """All frames that are there now, errors in words."""
    found: list[Frame | str] = []
    while True:
        try:
            frame = buffer.next_frame()
        except RemoteProtocolError as error:
            found.append(str(error))
            continue
        if isinstance(frame, NeedData):
            return found
        found.append(frame)


def damaged(frame: Frame) -> bytes:
    """The frame with a wrong check sequence at its end."""
    octets = bytearray(encode_frame(frame))
    octets[-2] ^= 0x55
    return bytes(octets)


@given(st.lists(st.tuples(noises, frames), max_size=5), st.data())
def test_frames_are_found_whatever_the_pieces_and_what_stands_between(
    line: list[tuple[bytes, Frame]], data: st.DataObject
) -> None:
    stream = b"".join(noise + encode_frame(frame) for noise, frame in line)
    buffer, found, at = FrameBuffer(), [], 0
    while at < len(stream):
        size = data.draw(st.integers(1, len(stream) - at))
        buffer.append(stream[at : at + size])
        found += drained(buffer)
        at += size
    assert [frame for frame in found if isinstance(frame, Frame)] == [frame for _, frame in line]


@given(st.lists(frames, min_size=1, max_size=5))
def test_frames_may_share_their_flags(several: list[Frame]) -> None:
    stream = b"\x7e" + b"".join(encode_frame(frame)[1:] for frame in several)
    buffer = FrameBuffer()
    buffer.append(stream)
    assert drained(buffer) == several


def test_noise_is_counted_and_flags_are_none() -> None:
    buffer = FrameBuffer()
    buffer.append(b"abc" + encode_frame(ONE) + b"\x7e\x7e" + b"de" + encode_frame(TWO))
    assert drained(buffer) == [ONE, TWO]
    assert buffer.noise == 5


def test_a_damaged_frame_takes_nothing_along_and_names_its_place() -> None:
    buffer = FrameBuffer()
    first = encode_frame(ONE)
    buffer.append(first)
    assert buffer.next_frame() == ONE
    buffer.append(damaged(ONE) + encode_frame(TWO))
    with pytest.raises(RemoteProtocolError, match="check sequence") as caught:
        buffer.next_frame()
    assert caught.value.offset == len(first) + len(damaged(ONE)) - 3
    assert drained(buffer) == [TWO]
    assert not buffer.problems


def test_a_lenient_buffer_believes_a_damaged_frame_and_remembers_it() -> None:
    buffer = FrameBuffer(lenient=True)
    for _ in range(20):
        buffer.append(damaged(ONE))
        assert drained(buffer) == [ONE]
    assert len(buffer.problems) == 16
    assert "check sequence" in buffer.problems[0].message


def test_a_buffer_holds_as_much_as_it_says() -> None:
    buffer = FrameBuffer()
    buffer.append(bytes(BUFFER_MAX - 40) + encode_frame(ONE) + bytes(40 - len(encode_frame(ONE))))
    assert drained(buffer) == [ONE]


def test_an_endless_frame_is_dropped_and_what_follows_is_found() -> None:
    buffer = FrameBuffer()
    buffer.append(b"\x7e\xa7\xff" + bytes(100))
    with pytest.raises(RemoteProtocolError, match="the limit is"):
        buffer.append(bytes(BUFFER_MAX))
    assert buffer.next_frame() is NEED_DATA
    buffer.append(encode_frame(TWO))
    assert drained(buffer) == [TWO]
