"""Escapes, padding and check sums of a frame."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.sml.transport import (
    CHECKSUMS,
    ESCAPE,
    FRAME_MAX,
    KERMIT,
    START,
    X25,
    Checksum,
    decode_frame,
    encode_frame,
    find_span,
)
from polymeter.protocols.spans import Span
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
    assert find_span(data, span.end) == Span(span.end, len(data))


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
    assert find_span(whole[:11] + whole) == Span(0, 11, sound=False)


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


@given(contents, st.lists(st.integers(1, 40), max_size=12))
def test_a_search_goes_on_where_it_stopped(content: bytes, cut: list[int]) -> None:
    whole = encode_frame(content + b"\x00") + START
    known, count = None, 0
    for size in (*cut, len(whole)):
        count = min(count + size, len(whole))
        span = find_span(whole[:count], 0, known)
        known = span if span is not None and span.end is None else None
        if span is not None and span.end is not None:
            break
    assert span == find_span(whole)
    assert span is not None
    assert span.end == len(whole) - len(START)


def test_a_frame_of_any_length_up_to_the_longest_is_one() -> None:
    content = bytes(FRAME_MAX - 20)
    assert find_span(encode_frame(content)) == Span(0, FRAME_MAX - 4)
    longer = find_span(encode_frame(content + bytes(24)))
    assert longer is not None
    assert not longer.sound


@pytest.mark.parametrize("padding", [4, 9, 255])
def test_more_padding_than_there_can_be_is_no_end(padding: int) -> None:
    span = find_span(START + bytes(8) + ESCAPE + bytes((0x1A, padding, 1, 2)))
    assert span is not None
    assert not span.sound


def test_the_check_sum_that_fits_is_named() -> None:
    for checksum in CHECKSUMS:
        assert decode_frame(encode_frame(b"\x76\x00", checksum)).checksum is checksum
    assert decode_frame(encode_frame(b"\x76\x00")[:-2] + b"xx").checksum is None


def test_surplus_escapes_are_taken_out_and_their_places_told() -> None:
    frame = decode_frame(encode_frame(b"ab" + ESCAPE + b"cd" + ESCAPE + b"\x00\x00\x00\x00"))
    assert frame.content == b"ab" + ESCAPE + b"cd" + ESCAPE + b"\x00\x00\x00\x00"
    assert frame.escapes == (10, 20)
