"""Recognising DLMS/COSEM, whole, cut, damaged or behind noise; and leaving alone what is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.dlms import detect
from polymeter.protocols.dlms.acse import AARQ, Context
from polymeter.protocols.dlms.hdlc import LLC_RESPONSE, Address, Frame, encode_frame
from polymeter.protocols.dlms.mbus_frames import Segment, encode_segment
from polymeter.protocols.dlms.wrapper import Wrapper, encode_wrapper
from tests.protocols.dlms.make_vectors import LIST, push, sealed, ui
from tests.vectors import load_vectors, telegram

PLAIN = push(LIST)
WRAPPED = encode_wrapper(Wrapper(1, 16, PLAIN))
FRAME = ui(LLC_RESPONSE + PLAIN)
SEGMENTS = encode_segment(Segment(PLAIN[:60], 0, False)) + encode_segment(Segment(PLAIN[60:], 1))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (FRAME, "7E … 7E with good check sequences"),
        (b"\x7e\x7e" + FRAME, "7E … 7E with good check sequences"),
        (FRAME[:-2] + b"\0\x7e", "7E A… 7E with a length that fits"),
        (FRAME[:60], "7E A… with a good header check sequence"),
        (WRAPPED, "a wrapper header"),
        (WRAPPED[:60], "a wrapper header"),
        (SEGMENTS, "68 … 16 with a DLMS segment"),
        (SEGMENTS[:30], "68 … 68 with a DLMS segment"),
        (PLAIN, "an APDU with the tag 0f"),
        (LLC_RESPONSE + PLAIN, "an APDU with the tag 0f"),
        (PLAIN + PLAIN, "an APDU with the tag 0f"),
        (sealed(PLAIN), "an APDU with the tag db"),
        (bytes(AARQ.of(Context.LN)), "an APDU with the tag 60"),
        (b"\x0f\0\0\0\1" + PLAIN[18:], "an APDU with the tag 0f"),  # its time is left out
        (b"\x02" + PLAIN[19:], "an APDU with the tag 02"),  # no APDU, but a value that is as long as it says
    ],
)  # fmt: skip
def test_what_it_begins_with_shows_it(data: bytes, why: str) -> None:
    assert detect(data) == why


@pytest.mark.parametrize("good", [FRAME, WRAPPED, SEGMENTS])
def test_a_sound_frame_behind_noise_is_found(good: bytes) -> None:
    assert detect(b"\xff\x13\x37" + good) == detect(good)
    damaged = bytearray(good)
    damaged[12] ^= 1
    assert detect(b"\xff\x13\x37" + bytes(damaged[: len(good) // 2])) is None


@pytest.mark.parametrize("address", [Address(1), Address(1, 17, 2), Address(1, 17, 4)])
def test_a_cut_frame_is_known_by_its_header_whatever_its_addresses(address: Address) -> None:
    frame = encode_frame(Frame("UI", Address(103), address, bytes(40)))
    assert detect(frame[:20]) == "7E A… with a good header check sequence"
    assert detect(bytes((frame[0], frame[1], frame[2] ^ 1)) + frame[3:20]) is None


@pytest.mark.parametrize("folder", ["sml", "p1", "mbus", "wmbus", "iec62056-21", "lis200"])
def test_telegrams_of_other_protocols_are_not_claimed(folder: str) -> None:
    claimed = {case["name"] for case in load_vectors(folder) if detect(telegram(case))}
    # Wired M-Bus and ciphered P1 may carry DLMS, and then they are it.
    carries_dlms = {case["name"] for case in load_vectors(folder) if telegram(case).startswith(b"\xdb\x08")}
    assert claimed <= carries_dlms


@given(st.binary(max_size=200))
def test_any_octets_are_judged_without_an_error(data: bytes) -> None:
    assert detect(data) is None or data


@pytest.mark.parametrize(
    "data", [b"", b"\0", b"\x7e", b"\x7e\x7e", b"\0\1", b"\x68", bytes(300), b"\x02\x00"]
)
def test_too_little_is_nothing(data: bytes) -> None:
    assert detect(data) is None
