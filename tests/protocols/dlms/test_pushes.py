"""Wrapper frames as they are pushed, cut out of a stream."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.dlms.pushes import PushedWrappers
from polymeter.protocols.dlms.wrapper import Wrapper, encode_wrapper
from polymeter.protocols.wire import NeedData, RemoteProtocolError


def drained(pushed: PushedWrappers) -> list[bytes]:
    """All frames that are there now."""
    found = []
    while not isinstance(frame := pushed.next_frame(), NeedData):
        found.append(frame)
    return found


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=5), st.data())
def test_frames_come_out_as_they_came_in_whatever_the_pieces(
    bodies: list[bytes], data: st.DataObject
) -> None:
    frames = [encode_wrapper(Wrapper(1, 16, body)) for body in bodies]
    stream = b"".join(frames)
    pushed, found, at = PushedWrappers(), [], 0
    while at < len(stream):
        size = data.draw(st.integers(1, len(stream) - at))
        pushed.receive_data(stream[at : at + size])
        found += drained(pushed)
        at += size
    assert found == frames


def test_pushed_frames_are_cut_out_of_any_pieces() -> None:
    frames = [encode_wrapper(Wrapper(1, 16, bytes((15,)) * size)) for size in (1, 300, 2)]
    for step in (1, 7, 1000):
        pushed, found = PushedWrappers(), []
        stream = b"".join(frames)
        for at in range(0, len(stream), step):
            pushed.receive_data(stream[at : at + step])
            while not isinstance(frame := pushed.next_frame(), NeedData):
                found.append(frame)
        assert found == frames


def test_pushed_noise_is_dropped_with_its_place_and_an_empty_wrapper_alone() -> None:
    frame = encode_wrapper(Wrapper(1, 16, b"\x0f"))
    pushed = PushedWrappers()
    pushed.receive_data(encode_wrapper(Wrapper(1, 16, b"")) + frame + b"noise" + frame)
    with pytest.raises(RemoteProtocolError, match="without an APDU"):
        pushed.next_frame()
    assert pushed.next_frame() == frame
    with pytest.raises(RemoteProtocolError, match="wrapper version") as caught:
        pushed.next_frame()
    assert caught.value.offset == 8 + len(frame)
    assert isinstance(pushed.next_frame(), NeedData)
    pushed.receive_data(frame)
    assert pushed.next_frame() == frame
