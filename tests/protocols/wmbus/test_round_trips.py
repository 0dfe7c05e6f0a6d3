"""What was built decodes to itself, whatever its length; what was damaged never passes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymeter.protocols import wmbus
from polymeter.protocols.wire import DecodeOptions, RemoteProtocolError
from polymeter.protocols.wmbus import (
    LinkHeader,
    decode_3of6,
    decode_format_a,
    decode_format_b,
    encode_3of6,
    encode_format_a,
    encode_format_b,
    headers,
)
from polymeter.protocols.wmbus.meter import SENDER_MODES, Sender

LINK = LinkHeader(0x44, "PMX", "12345678", 1, 7)


def stripped(body: bytes) -> bytes:
    return bytes((9 + len(body),)) + bytes(LINK) + body


@given(st.binary(max_size=240))
def test_format_a(body: bytes) -> None:
    data = stripped(body)
    on_air = encode_format_a(data)
    frame = decode_format_a(on_air)
    assert (frame.data, bytes(frame)) == (data, on_air)
    assert len(on_air) == wmbus.frames.format_a_length(data[0])


@given(st.binary(max_size=240))
def test_format_b(body: bytes) -> None:
    data = stripped(body)
    on_air = encode_format_b(data)
    frame = decode_format_b(on_air)
    assert (frame.data, bytes(frame)) == (data, on_air)
    assert on_air[0] == len(on_air) - 1


@given(st.binary(max_size=240), st.data())
def test_any_flipped_bit_of_format_a_is_found(body: bytes, data: st.DataObject) -> None:
    on_air = bytearray(encode_format_a(stripped(body)))
    bit = data.draw(st.integers(8, 8 * len(on_air) - 1))
    on_air[bit // 8] ^= 1 << bit % 8
    with pytest.raises(RemoteProtocolError):
        decode_format_a(bytes(on_air))


@given(st.binary(max_size=64))
def test_3_of_6(data: bytes) -> None:
    assert decode_3of6(encode_3of6(data), len(data)) == data


@given(st.binary(min_size=1, max_size=64), st.data())
def test_any_flipped_bit_of_3_of_6_is_found(data: bytes, draw: st.DataObject) -> None:
    coded = bytearray(encode_3of6(data))
    bit = draw.draw(st.integers(0, 12 * len(data) - 1))
    coded[bit // 8] ^= 0x80 >> bit % 8
    with pytest.raises(RemoteProtocolError) as caught:
        decode_3of6(bytes(coded), len(data))
    assert abs(caught.value.offset - bit // 8) <= 1


@settings(deadline=None)
@given(
    st.sampled_from(SENDER_MODES),
    st.booleans(),
    st.binary(min_size=16, max_size=16),
    st.integers(0, 255),
    st.integers(0, 2**32 - 1),
    st.integers(-(2**31), 2**31 - 1),
)
def test_every_mode_opens_what_it_sealed(
    mode: int, session: bool, key: bytes, access_number: int, counter: int, number: int
) -> None:
    records = b"\x04\x13" + number.to_bytes(4, "little", signed=True)
    sender = Sender(LINK, key, 0 if session else mode, session=session)
    data = sender.telegram(records, access_number=access_number, counter=counter)
    (decoded,) = wmbus.decode(data, DecodeOptions(keys=(key,)))
    assert decoded.errors == ()
    assert [record.raw for record in decoded.records] == [records]


@given(st.binary(min_size=2, max_size=4), st.booleans(), st.integers(0, 255))
def test_an_afl_is_its_bytes(counter: bytes, more: bool, fragment: int) -> None:
    afl = headers.AFL(fragment, more, 0x25, b"\1\2", counter.ljust(4, b"\0"), bytes(8), b"\3\4")
    encoded = bytes(afl)
    again = headers.decode_afl(encoded, 0)
    assert bytes(again) == encoded
    assert again.end == len(encoded)


@given(st.binary(max_size=300), st.booleans())
def test_anything_decodes_to_something(data: bytes, lenient: bool) -> None:
    for decoded in wmbus.decode(data, DecodeOptions(keys=(bytes(16),), lenient=lenient)):
        assert decoded.valid or decoded.errors


@pytest.mark.parametrize("length", [0xA5, 0xC0])
def test_a_length_that_is_a_sticks_first_byte_is_a_length(length: int) -> None:
    data = stripped(b"\x78\x2f\x2f".ljust(length - 9, b"\x2f"))
    assert data[0] == length
    for frame in (data, encode_format_a(data)):
        (decoded,) = wmbus.decode(frame)
        assert decoded.valid
        assert wmbus.detect(frame)


def test_work_grows_with_the_input() -> None:
    counted = [0, 0]
    for index, size in enumerate((2_000, 8_000)):
        counted[index] = len(wmbus.decode(b"\x44" * size, explain=False))
    assert counted[1] <= 5 * max(counted[0], 1)
