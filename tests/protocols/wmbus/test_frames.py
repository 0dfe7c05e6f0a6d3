"""Frames with their checksums: found, checked, taken out, put back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError
from polymeter.protocols.wmbus import Format, Frame, LinkHeader, frames

LINK = LinkHeader(0x44, "PMX", "12345678", 1, 7)


def stripped(size: int) -> bytes:
    """A frame of so many bytes."""
    body = bytes(range(256))[: size - 10]
    return bytes((size - 1,)) + bytes(LINK) + body


@pytest.mark.parametrize(
    ("size", "sections"), [(10, 1), (11, 2), (26, 2), (27, 3), (42, 3), (43, 4), (256, 17)]
)
def test_format_a_has_a_checksum_behind_ten_bytes_and_each_sixteen(size: int, sections: int) -> None:
    on_air = frames.encode_format_a(stripped(size))
    assert len(on_air) == size + 2 * sections == frames.format_a_length(size - 1)
    spans = frames.spans_a(size - 1)
    assert len(spans) == sections
    assert spans[0] == (0, 10)
    assert all(0 < end - start <= 16 for start, end in spans)
    assert spans[-1][1] + 2 == len(on_air)


@pytest.mark.parametrize(("size", "sections"), [(10, 1), (126, 1), (127, 2), (252, 2)])
def test_format_b_has_one_checksum_or_two_inside_its_length(size: int, sections: int) -> None:
    on_air = frames.encode_format_b(stripped(size))
    assert on_air[0] == len(on_air) - 1 == size + 2 * sections - 1
    assert len(frames.spans_b(on_air[0])) == sections
    assert frames.decode_format_b(on_air).data == stripped(size)


def test_what_does_not_fit_format_b_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="do not fit"):
        frames.encode_format_b(stripped(253))


@pytest.mark.parametrize("data", [b"", b"\x09" + bytes(8), b"\x0a" + bytes(9), b"\x08" + bytes(9)])
def test_a_length_that_counts_something_else_is_not_sent(data: bytes) -> None:
    for encode in (frames.encode_format_a, frames.encode_format_b):
        with pytest.raises(LocalProtocolError):
            encode(data)


@given(st.integers(10, 250), st.sampled_from(list(Format)))
def test_a_frame_knows_the_bytes_it_came_in(size: int, form: Format) -> None:
    frame = Frame(stripped(size), form)
    assert frames.decode_frame(bytes(frame)) == frame


@given(st.integers(10, 250), st.sampled_from(list(Format)), st.data())
def test_a_frame_is_told_by_its_checksum(size: int, form: Format, draw: st.DataObject) -> None:
    on_air = bytes(Frame(stripped(size), form))
    prefix = draw.draw(st.binary(max_size=5))
    data = prefix + on_air + b"\x00" * 4
    assert frames.has_format_a(data, len(prefix)) is (form is Format.A)
    assert frames.has_format_b(data, len(prefix)) is (form is Format.B)
    # Without data both formats have their checksum in the same place, and what follows it tells.
    assert frames.first_block_fits(data, len(prefix)) is (
        form is Format.A or (form is Format.B and size == 10)
    )


@given(st.integers(12, 250), st.sampled_from([Format.A, Format.B]), st.data())
def test_a_changed_byte_is_told_with_its_checksum(size: int, form: Format, draw: st.DataObject) -> None:
    on_air = bytearray(bytes(Frame(stripped(size), form)))
    at = draw.draw(st.integers(1, len(on_air) - 1))
    on_air[at] ^= draw.draw(st.integers(1, 255))
    decode = frames.decode_format_a if form is Format.A else frames.decode_format_b
    with pytest.raises(RemoteProtocolError, match="CRC") as caught:
        decode(bytes(on_air))
    assert caught.value.offset >= at or caught.value.offset + 1 >= at


@pytest.mark.parametrize("form", [Format.A, Format.B])
@pytest.mark.parametrize("missing", [1, 2, 3, 18, 30])
def test_a_frame_that_is_cut_off_is_told_where_it_ends(form: Format, missing: int) -> None:
    on_air = bytes(Frame(stripped(60), form))[:-missing]
    decode = frames.decode_format_a if form is Format.A else frames.decode_format_b
    with pytest.raises(RemoteProtocolError, match="announced") as caught:
        decode(on_air)
    assert caught.value.offset == len(on_air)
    assert not frames.has_format_a(on_air)


@pytest.mark.parametrize("decode", [frames.decode_format_a, frames.decode_format_b])
@pytest.mark.parametrize("data", [b"", b"\x09", b"\x08" + bytes(20), bytes(11)])
def test_what_is_too_short_is_no_frame(decode: object, data: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="twelve bytes"):
        decode(data)  # type: ignore[operator]


@pytest.mark.parametrize("length", [128, 129])
def test_format_b_never_has_an_empty_second_section(length: int) -> None:
    with pytest.raises(RemoteProtocolError, match="no data"):
        frames.decode_format_b(bytes((length,)) + bytes(length))
    assert not frames.has_format_b(bytes((length,)) + bytes(length))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "there are 0"),
        (stripped(20)[:-1], "announces 20 bytes, there are 19"),
        (stripped(20) + b"\0", "announces 20 bytes, there are 21"),
        (b"\x05" + bytes(5), "announces 6"),
    ],
)
def test_a_stripped_frame_is_as_long_as_it_says(data: bytes, words: str) -> None:
    for decode in (frames.decode_stripped, frames.decode_frame):
        with pytest.raises(RemoteProtocolError, match=words):
            decode(data)


@pytest.mark.parametrize("size", [40, 126, 127, 180])
@pytest.mark.parametrize("ci", [0x8D, 0x8F])
def test_an_l_field_that_still_counts_the_checksums_is_put_right(size: int, ci: int) -> None:
    good = bytearray(stripped(size))
    good[10] = ci
    on_air = frames.encode_format_b(bytes(good))
    given = on_air[:1] + bytes(good[1:])
    assert frames.counts_removed(given)
    assert frames.decode_stripped(given).data == good
    assert frames.decode_frame(given).data == good


def test_a_frame_that_was_cut_off_is_not_taken_for_one_without_its_checksums() -> None:
    for ci in (0x72, 0x7A, 0x78, 0x8C, 0xA2):
        good = bytearray(stripped(40))
        good[10] = ci
        assert not frames.counts_removed(bytes(good[:-2]))
    proven = bytearray(stripped(40))
    proven[10] = 0x8D
    assert not any(frames.counts_removed(bytes(proven[:-cut])) for cut in (1, 3, 4, 30))
    assert not frames.counts_removed(bytes(proven))


def test_a_frame_as_long_as_format_a_whose_first_checksum_fails_is_a_damaged_one() -> None:
    damaged = bytearray(frames.encode_format_a(stripped(40)))
    damaged[3] ^= 1
    with pytest.raises(RemoteProtocolError, match="format A: the CRC of the block at 0"):
        frames.decode_frame(bytes(damaged))


@pytest.mark.parametrize(
    ("sync", "form"), [(frames.SYNC_A, Format.A), (frames.SYNC_B, Format.B)], ids=["A", "B"]
)
def test_sync_bytes_tell_the_format(sync: bytes, form: Format) -> None:
    frame = Frame(stripped(40), form)
    assert frames.decode_frame(sync + bytes(frame)) == frame
    damaged = sync + bytes(frame)[:-1] + b"\0"
    with pytest.raises(RemoteProtocolError) as caught:
        frames.decode_frame(damaged)
    assert caught.value.offset >= 2
