"""Segments of APDUs in frames of M-Bus."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.dlms.mbus_frames import Segment, decode_segment, encode_segment, segment_size
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError, Tree

octet = st.integers(0, 255)
segments = st.builds(
    Segment, st.binary(max_size=250), st.integers(0, 15), st.booleans(), octet, octet, octet, octet
)


@given(segments)
def test_what_is_encoded_is_decoded_again(segment: Segment) -> None:
    encoded = encode_segment(segment)
    assert segment_size(b"noise" + encoded, 5) == len(encoded)
    tree = Tree(encoded, "M-Bus frame")
    assert decode_segment(encoded, tree) == segment
    assert b"".join(leaf.raw for leaf in tree.finish().leaves()) == encoded


FRAME = encode_segment(Segment(b"\x0f\0\0\0\0\0\x02\x01\x06\0\0\0\5", 3, False))


@pytest.mark.parametrize("place", range(len(FRAME)))
def test_any_changed_octet_is_noticed(place: int) -> None:
    changed = bytearray(FRAME)
    changed[place] ^= 0x01
    with pytest.raises(RemoteProtocolError):
        decode_segment(bytes(changed))


@pytest.mark.parametrize("size", range(len(FRAME)))
def test_a_cut_frame_is_refused(size: int) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_segment(FRAME[:size])


def test_a_wrong_checksum_may_be_forgiven_and_is_told() -> None:
    changed = bytearray(FRAME)
    changed[-2] ^= 0xFF
    problems: list[object] = []
    assert decode_segment(bytes(changed), offset=100, problems=problems).data == decode_segment(FRAME).data  # type: ignore[arg-type]
    assert [problem.offset for problem in problems] == [100 + len(FRAME) - 2]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "octets", ["", "68", "6805056853ff", "6805066853ff00", "680505ff5300", "6805056853ff20"]
)
def test_other_frames_are_none_of_these(octets: str) -> None:
    """The last is a frame of M-Bus with another CI field."""
    assert segment_size(bytes.fromhex(octets)) is None


@pytest.mark.parametrize("length", [0x100, 0x101, 0x104])
def test_a_length_that_has_overflowed_is_told_by_being_too_short(length: int) -> None:
    body = b"\x53\xff\x00\x01\x67" + bytes(length - 5)
    frame = bytes((0x68, length & 0xFF, length & 0xFF, 0x68)) + body + bytes((sum(body) & 0xFF, 0x16))
    assert segment_size(frame) == len(frame)
    assert segment_size(frame[:-1]) == len(frame)  # not whole yet
    assert segment_size(frame[:-1] + b"\x17") is None
    assert len(decode_segment(frame).data) == length - 5


def test_what_does_not_fit_is_our_error() -> None:
    for segment in (Segment(bytes(251)), Segment(b"", 16), Segment(b"", -1)):
        with pytest.raises(LocalProtocolError):
            encode_segment(segment)
