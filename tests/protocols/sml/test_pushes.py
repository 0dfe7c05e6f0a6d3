"""What frames have of their own in a stream; the rest is in `tests/protocols/test_spans.py`."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymeter.protocols import sml
from polymeter.protocols.sml.transport import ESCAPE, START
from polymeter.protocols.wire import NEED_DATA, RemoteProtocolError
from tests.pushing import frames_of, pieces, sizes

FRAME = sml.Connection().send(sml.pushed(b"server", sml.sec_index(7), [], 1))
parts = st.sampled_from(
    [b"\x1b", ESCAPE, ESCAPE * 2, START, b"\x01", b"\x1a\x00", b"\x1a\x05ab", b"\x00" * 5, b"abc", FRAME]
)


@given(st.lists(parts, max_size=20).map(b"".join), sizes)
@settings(deadline=None, max_examples=200)
def test_whatever_is_heard_does_not_depend_on_its_pieces(data: bytes, cut: list[int]) -> None:
    whole = frames_of(sml.PushedFrames(), [data])
    assert frames_of(sml.PushedFrames(), pieces(data, [size % 9 + 1 for size in cut] * 5)) == whole
    for frame in whole:
        assert sml.decode_frame(frame).checksum is not None
        assert frame in data


def test_a_start_in_place_of_the_check_sum_begins_the_next_frame() -> None:
    for kept in range(1, 3):
        cut = FRAME[:-kept]
        assert frames_of(sml.PushedFrames(), [cut + FRAME]) == [FRAME]
        assert frames_of(sml.PushedFrames(), [cut, FRAME]) == [FRAME]


def test_a_frame_with_too_many_escapes_is_given_up() -> None:
    stream = sml.PushedFrames()
    stream.receive_data(START + (b"\x76" + ESCAPE * 2) * 65)
    with pytest.raises(RemoteProtocolError, match="is cut"):
        stream.next_frame()
    assert stream.next_frame() is NEED_DATA


def test_escapes_are_counted_over_all_pieces_of_a_frame() -> None:
    stream = sml.PushedFrames()
    stream.receive_data(START)
    given_up = 0
    for _ in range(65):
        stream.receive_data(b"\x76" + ESCAPE * 2)
        try:
            stream.next_frame()
        except RemoteProtocolError:
            given_up += 1
    assert given_up == 1
