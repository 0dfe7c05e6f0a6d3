"""Frames out of whatever was recorded: each a result, with all that is between them."""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols import mbus
from polymeter.protocols.mbus import LongFrame, LongHeader, ShortFrame, encode
from polymeter.protocols.wire import DecodeOptions
from tests.protocols.mbus.test_body import KEY, VOLUME, sealed_body
from tools.fuzz_targets import check_cover

HEADER = LongHeader("12345678", "PMX", 1, 4)
RESPONSE = encode(LongFrame(0x08, 5, 0x72, bytes(HEADER) + bytes.fromhex("041301000000")))
REQUEST = encode(ShortFrame(0x7B, 5))


def damaged(frame: bytes, at: int = -2) -> bytes:
    changed = bytearray(frame)
    changed[at] ^= 1
    return bytes(changed)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (RESPONSE, "68 … 16 with a good checksum"),
        (REQUEST, "10 … 16 with a good checksum"),
        (b"\xe5", "E5, the single character"),
        (b"\xff\xff" + RESPONSE, "68 … 16 with a good checksum"),
        (RESPONSE + b"behind", "68 … 16 with a good checksum"),
        (damaged(RESPONSE), None),
        (RESPONSE[:-1], None),
        (b"\xe5\xe5", None),
        (b"\xff\xff", None),
        (b"", None),
        (encode(ShortFrame(0x41, 5)), None),
        (encode(LongFrame(0x53, 0xFF, 0x00, b"\x01\x67\xdb")), None),
    ],
)
def test_what_looks_like_the_wire(data: bytes, reason: str | None) -> None:
    assert mbus.detect(data) == reason


def test_a_response_is_a_meter_and_its_records() -> None:
    (frame,) = mbus.decode(RESPONSE)
    assert frame.valid
    assert (frame.meter.id, frame.meter.manufacturer, frame.meter.medium) == ("12345678", "PMX", "heat")
    assert [record.offset for record in frame.records] == [19]
    assert frame.frame.frame.address == 5
    assert frame.frame.header == HEADER


@pytest.mark.parametrize(
    "data", [REQUEST, b"\xe5", encode(ShortFrame(0x40, 253)), encode(LongFrame(0x53, 254, 0xBB))]
)
def test_what_masters_say_is_sound_and_has_no_readings(data: bytes) -> None:
    (frame,) = mbus.decode(data)
    assert frame.valid
    assert frame.records == ()
    check_cover(frame)


def test_frames_and_noise_are_results_in_order() -> None:
    parts = [b"\x00\x01", REQUEST, RESPONSE, damaged(RESPONSE), b"noise", RESPONSE]
    stream = b"".join(parts)
    frames = mbus.decode(stream)
    assert [frame.valid for frame in frames] == [False, True, True, False, False, True]
    assert [frame.layers[0].start for frame in frames] == [0, *accumulate(map(len, parts[:-1]))]
    assert sum(frame.layers[0].length for frame in frames) == len(stream)
    for frame in frames:
        check_cover(frame)


@pytest.mark.parametrize("at", range(len(RESPONSE)))
def test_any_changed_byte_is_found(at: int) -> None:
    for frame in mbus.decode(damaged(RESPONSE, at)):
        assert not frame.valid or frame.records == ()


@pytest.mark.parametrize("size", range(1, len(RESPONSE)))
def test_a_frame_that_is_cut_off_is_told(size: int) -> None:
    frames = mbus.decode(RESPONSE[:size])
    assert not any(frame.records for frame in frames)
    assert not frames[0].valid
    assert frames[0].errors[0].offset <= size


def test_a_damaged_frame_shows_its_records_if_leniency_is_asked_for() -> None:
    strict = mbus.decode(damaged(RESPONSE))
    (lenient,) = mbus.decode(damaged(RESPONSE), DecodeOptions(lenient=True))
    assert strict[0].records == ()
    assert len(lenient.records) == 1
    assert not lenient.valid
    assert "checksum" in lenient.errors[0].message


def test_a_header_that_is_not_whole_makes_the_frame_invalid() -> None:
    (frame,) = mbus.decode(encode(LongFrame(0x08, 5, 0x72, bytes(5))))
    assert not frame.valid
    assert frame.errors[0].offset == 7
    check_cover(frame)


def test_a_record_that_is_not_whole_makes_the_frame_invalid_and_keeps_the_others() -> None:
    data = bytes(HEADER) + bytes.fromhex("0413010000000413")
    (frame,) = mbus.decode(encode(LongFrame(0x08, 5, 0x72, data)))
    assert not frame.valid
    assert len(frame.records) == 1
    assert frame.errors[0].offset == 25


def test_a_sealed_frame_is_opened_and_explained() -> None:
    (frame,) = mbus.decode(
        encode(LongFrame(0x08, 5, 0x72, sealed_body(VOLUME, VOLUME))), DecodeOptions((KEY,))
    )
    assert (frame.valid, frame.encrypted) == (True, False)
    assert [layer.name for layer in frame.layers] == ["input", "decrypted"]
    assert len(frame.records) == 2
    check_cover(frame)
    for keys, words in (((), "missing"), ((bytes(16),), "wrong key")):
        (shut,) = mbus.decode(
            encode(LongFrame(0x08, 5, 0x72, sealed_body(VOLUME, VOLUME))), DecodeOptions(keys)
        )
        assert (shut.valid, shut.encrypted, shut.records) == (True, True, ())
        assert words in shut.errors[0].message
        check_cover(shut)


def test_an_error_answer_is_valid() -> None:
    (frame,) = mbus.decode(encode(LongFrame(0x08, 5, 0x70, b"\x09")))
    assert frame.valid
    assert "too many readouts" in frame.errors[0].message


def test_who_is_meant_is_spelled() -> None:
    meanings = {}
    for address in (0, 5, 253, 254, 255):
        (frame,) = mbus.decode(encode(ShortFrame(0x7B, address)))
        assert frame.tree is not None
        meanings[address] = next(node.meaning for node in frame.tree.walk() if node.name == "address")
    assert meanings == {
        0: "not configured",
        5: None,
        253: "the selected slave",
        254: "any slave, for tests",
        255: "all slaves",
    }


@given(
    st.lists(st.sampled_from([RESPONSE, REQUEST, b"\xe5", b"\x00", b"\x68", damaged(RESPONSE)]), max_size=8)
)
def test_nothing_of_a_stream_is_lost(parts: list[bytes]) -> None:
    stream = b"".join(parts)
    frames = mbus.decode(stream)
    assert sum(frame.layers[0].length for frame in frames) == len(stream)
    whole = sum(part == RESPONSE for part in parts)
    assert sum(bool(frame.records) for frame in frames) <= whole
    if b"\x68" not in parts:
        assert sum(bool(frame.records) for frame in frames) == whole


@given(st.binary(max_size=200), st.booleans())
def test_anything_decodes_to_something(data: bytes, lenient: bool) -> None:
    options = DecodeOptions(lenient=lenient)
    for frame in mbus.decode(data, options):
        assert frame.valid or frame.errors
        check_cover(frame)
    plain = mbus.decode(data, options, explain=False)
    assert [frame.records for frame in plain] == [frame.records for frame in mbus.decode(data, options)]
