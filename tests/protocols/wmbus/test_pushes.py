"""Cutting telegrams out of a stream does not depend on how it is chunked."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import reduce
from operator import xor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from polymeter.protocols.crc import crc16_x25
from polymeter.protocols.wire import NeedData, RemoteProtocolError
from polymeter.protocols.wmbus import LinkHeader, PushedTelegrams, decode, encode_format_a
from polymeter.protocols.wmbus.meter import Sender

PLAIN = Sender(LinkHeader(0x44, "PMX", "12345678", 1, 7)).telegram(bytes.fromhex("0413d2040000426cbf25"))


def amber(telegram: bytes, level: int = 0x9C) -> bytes:
    """As AMB8465 gives it in command mode."""
    frame = bytes((0xFF, 0x03, len(telegram))) + telegram[1:] + bytes((level,))
    return frame + bytes((reduce(xor, frame),))


def imst(telegram: bytes) -> bytes:
    """As iM871A gives it with time, level and CRC."""
    body = bytes((0xE2, 0x03, len(telegram) - 1)) + telegram[1:] + b"\x01\x02\x03\x04\x2a"
    return b"\xa5" + body + crc16_x25(body).to_bytes(2, "little")


def slip(telegram: bytes) -> bytes:
    """As iU891A gives it: status, time and level before the telegram, a CRC behind, SLIP around."""
    body = b"\x09\x20\x00\x01\x02\x03\x04\xd8" + telegram
    body += crc16_x25(body).to_bytes(2, "little")
    return b"\xc0" + body.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc") + b"\xc0"


FORMS = (
    PLAIN,
    encode_format_a(PLAIN),
    f"T1;1;1;0;97;72;12345678;0x{PLAIN.hex()}\n".encode(),
    PLAIN.hex().encode() + b"\n",
    b"b" + encode_format_a(PLAIN).hex().encode() + b"2F\r\n",
    b"telegram=|" + PLAIN.hex().encode() + b"|+12\n",
    amber(PLAIN),
    imst(PLAIN),
    slip(PLAIN),
)


def cut(chunks: list[bytes]) -> list[bytes]:
    splitter, found = PushedTelegrams(), []
    for chunk in chunks:
        splitter.receive_data(chunk)
        while not isinstance(frame := splitter.next_frame(), NeedData):
            found.append(frame)
    return found


@given(st.lists(st.sampled_from(FORMS), min_size=1, max_size=6), st.lists(st.integers(1, 40), min_size=1))
def test_chunking_is_irrelevant(telegrams: list[bytes], sizes: list[int]) -> None:
    stream, chunks, at, turn = b"".join(telegrams), [], 0, 0
    while at < len(stream):
        chunks.append(stream[at : at + sizes[turn % len(sizes)]])
        at, turn = at + sizes[turn % len(sizes)], turn + 1
    assert cut(chunks) == telegrams


@pytest.mark.parametrize("length", [0xA5, 0xC0])
@pytest.mark.parametrize("checked", [False, True])
def test_a_frame_as_long_as_a_sticks_first_byte_says_is_none_of_a_stick(length: int, checked: bool) -> None:
    fillers = b"\x2f" * (length + 1 - len(PLAIN))
    frame = bytes((length,)) + PLAIN[1:] + fillers
    assert len(frame) == length + 1
    sent = encode_format_a(frame) if checked else frame
    assert cut([sent + PLAIN]) == [sent, PLAIN]
    assert cut([bytes((byte,)) for byte in sent + PLAIN]) == [sent, PLAIN]


@pytest.mark.parametrize(
    ("stick", "damaged", "words"),
    [
        (amber, amber(PLAIN)[:-1] + b"\x00", "AMB8465: the checksum is 00"),
        (imst, imst(PLAIN)[:-1] + b"\x00", "IM871A: the CRC is"),
        (imst, b"\xa5\x01\x02\x00", "IM871A: a message of the stick that holds no telegram"),
        (slip, slip(PLAIN)[:9] + b"\x00" + slip(PLAIN)[10:], "iU891A: the CRC of the stick's frame"),
        (slip, b"\xc0\x01\xc0", "iU891A: the CRC of the stick's frame"),
    ],
)
def test_what_a_stick_sends_damaged_is_told_and_the_next_is_taken(
    stick: Callable[[bytes], bytes], damaged: bytes, words: str
) -> None:
    splitter = PushedTelegrams()
    splitter.receive_data(damaged + stick(PLAIN))
    with pytest.raises(RemoteProtocolError, match=words):
        splitter.next_frame()
    assert splitter.next_frame() == stick(PLAIN)


@pytest.mark.parametrize(("stick", "level"), [(amber, -124), (imst, -100), (slip, None)])
def test_what_a_stick_gives_is_read_with_its_level(
    stick: Callable[[bytes], bytes], level: int | None
) -> None:
    (decoded,) = decode(stick(PLAIN))
    assert decoded.valid
    assert [record.value for record in decoded.records] == [Decimal("1.234"), date(2021, 5, 31)]
    assert decoded.frame.rssi_dbm == level
    (cut_off,) = decode(stick(PLAIN)[:-3])
    assert not cut_off.valid
    assert cut_off.errors


def test_what_waits_without_end_is_dropped_and_the_next_is_taken() -> None:
    splitter = PushedTelegrams(limit=1000)
    with pytest.raises(RemoteProtocolError):
        splitter.receive_data(b"A" * 1001)
    splitter.receive_data(PLAIN * 2)
    assert splitter.next_frame() == PLAIN


def test_noise_is_told_and_stepped_over() -> None:
    splitter = PushedTelegrams()
    splitter.receive_data(b"\x01\x02\x03\x04" * 8 + PLAIN * 2)
    with pytest.raises(RemoteProtocolError):
        splitter.next_frame()
    assert splitter.next_frame() == PLAIN


@given(st.binary(max_size=400))
@example(b"\xc0\xc0")
@example(b"\xc0\xc0\xc0" + slip(PLAIN))
@example(b"\xff\x03")
@example(b"\xa5\x82\x03")
def test_anything_ends(data: bytes) -> None:
    splitter = PushedTelegrams()
    splitter.receive_data(data)
    for _ in range(500):
        try:
            if isinstance(splitter.next_frame(), NeedData):
                return
        except RemoteProtocolError:
            continue
    raise AssertionError("it goes on for ever")
