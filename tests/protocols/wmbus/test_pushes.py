"""Cutting telegrams out of a stream does not depend on how it is chunked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.wire import NeedData, RemoteProtocolError
from polymeter.protocols.wmbus import LinkHeader, PushedTelegrams, encode_format_a
from polymeter.protocols.wmbus.meter import Sender

PLAIN = Sender(LinkHeader(0x44, "PMX", "12345678", 1, 7)).telegram(bytes.fromhex("0413d2040000426cbf25"))
FORMS = (
    PLAIN,
    encode_format_a(PLAIN),
    f"T1;1;1;0;97;72;12345678;0x{PLAIN.hex()}\n".encode(),
    PLAIN.hex().encode() + b"\n",
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


def test_noise_is_told_and_stepped_over() -> None:
    splitter = PushedTelegrams()
    splitter.receive_data(b"\x01\x02\x03\x04" * 8 + PLAIN * 2)
    with pytest.raises(RemoteProtocolError):
        splitter.next_frame()
    assert splitter.next_frame() == PLAIN


@given(st.binary(max_size=400))
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
