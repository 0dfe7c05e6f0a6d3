"""Escapes, padding and check sums of a frame."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.sml.transport import (
    CHECKSUMS,
    ESCAPE,
    KERMIT,
    START,
    X25,
    Checksum,
    decode_frame,
    encode_frame,
    find_span,
)
from polymeter.protocols.wire import RemoteProtocolError

contents = st.lists(
    st.sampled_from((b"\x1b", b"\x1b\x1b\x1b\x1b", b"\x01", b"\x1a", b"\x00", b"abc")), max_size=30
).map(b"".join)


@given(contents, st.sampled_from(CHECKSUMS))
def test_any_content_comes_back(content: bytes, checksum: Checksum) -> None:
    content += b"\x00"  # as every message ends
    written = encode_frame(content, checksum)
    frame = decode_frame(written)
    assert frame.content == content + bytes(frame.padding)
    assert frame.checksum == checksum
    assert len(frame.content) % 4 == 0


@given(contents, contents)
def test_a_frame_is_found_between_others(first: bytes, second: bytes) -> None:
    one, two = encode_frame(first + b"\x00"), encode_frame(second + b"\x00")
    data = b"\x00noise" + one + two
    span = find_span(data)
    assert span is not None
    assert span.end is not None
    assert data[span.start : span.end] == one
    assert find_span(data, span.end) == (span.end, len(data), True)


def test_every_flipped_bit_is_noticed() -> None:
    written = encode_frame(b"\x76\x01\x02\x03\x00")
    for index in range(len(written)):
        for bit in range(8):
            flipped = bytearray(written)
            flipped[index] ^= 1 << bit
            span = find_span(bytes(flipped))
            if span is not None and span.end == len(written) and span.sound:
                assert decode_frame(bytes(flipped)).checksum is None


def test_a_frame_grows_until_its_check_sum_is_there() -> None:
    written = encode_frame(b"\x1b\x1b\x1b\x1b\x1b\x00")
    for count in range(len(START), len(written)):
        span = find_span(written[:count])
        assert span is not None
        assert span.end is None


def test_a_frame_that_another_one_cuts_off_is_not_sound() -> None:
    whole = encode_frame(b"\x76\x00")
    assert find_span(whole[:11] + whole) == (0, 11, False)


def test_an_escape_that_means_nothing_ends_a_frame() -> None:
    span = find_span(START + b"\x76" + ESCAPE + b"\x55\x55\x55\x55" + b"more")
    assert span is not None
    assert not span.sound


def test_what_is_no_frame_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="begins with"):
        decode_frame(b"\x1b\x1b\x1b\x1b\x02\x02\x02\x02" + bytes(12))


def test_the_check_sums_are_the_published_ones() -> None:
    assert X25.compute(b"123456789") == 0x906E
    assert KERMIT.compute(b"123456789") == 0x2189
