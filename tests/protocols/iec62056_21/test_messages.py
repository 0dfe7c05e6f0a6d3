"""Messages are found in captures: side by side, between noise, cut, and never twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.iec62056_21 import (
    Break,
    Command,
    DataMessage,
    Event,
    Identification,
    OptionSelect,
    PlainData,
    Repeat,
    Request,
    encode,
)
from polymeter.protocols.iec62056_21.messages import PADDING, Pushes, past_padding, split

LINE = encode(Identification("PMX", "5", "SIM100"))
BLOCK = encode(DataMessage("1.8.0(1*kWh)\r\n!\r\n"))
PUSH = encode(Identification("PMX", "3", "PUSH")) + encode(PlainData("1.8.0(1*m3/h)\r\n!\r\n"))
REQUEST = encode(Request("0012"))
OPTION = encode(OptionSelect("0", "5", "1"))
COMMAND = encode(Command("R1", "1.8.0()"))


def pieces(data: bytes) -> list[bytes]:
    return [data[start:end] for start, end in split(data)]


@pytest.mark.parametrize(
    "expected",
    [
        [],
        [LINE],
        [LINE + BLOCK],
        [LINE + b"\x00\r\n" + BLOCK],
        [BLOCK, BLOCK],
        [REQUEST, LINE + BLOCK, LINE + BLOCK],
        [REQUEST, LINE, OPTION, COMMAND, b"\x06", BLOCK, encode(Break())],
        [REQUEST, BLOCK],
        [PUSH, PUSH],
        [PUSH[:-2] + b"\n", LINE],
        [LINE, LINE + BLOCK],
        [b"\x15", b"\x06", b"\x06", encode(Repeat())],
        [b"\x06", b"0", b"\x06"],
        [b"\xff\x00" + BLOCK, b"\r\n " + LINE],
        [b"zz", LINE + BLOCK],
        [LINE + BLOCK, b"zz/z/", LINE + BLOCK],
        [LINE + BLOCK[:9], LINE + BLOCK],
        [BLOCK[:9], LINE + BLOCK],
        [BLOCK[:9] + BLOCK[:5] + b"/x", LINE + BLOCK],
        [b"/" + b"x" * 200 + b"\r\n"],
        [PUSH[:11], PUSH[11:-4]],  # without its end it is a line, and data that begins no message
        [b"\x00" * 9],
    ],
)
def test_a_capture_is_cut_into_its_messages(expected: list[bytes]) -> None:
    assert pieces(b"".join(expected)) == expected


@given(
    st.lists(
        st.sampled_from([LINE + BLOCK, BLOCK, REQUEST, OPTION, COMMAND, PUSH, b"\x15", b"\x06"]), max_size=8
    )
)
def test_whole_messages_are_never_taken_apart_or_together(messages: list[bytes]) -> None:
    assert pieces(b"".join(messages)) == messages


@given(
    st.binary(max_size=120)
    | st.lists(st.sampled_from([LINE, BLOCK, PUSH, b"/", b"\x02", b"x"]), max_size=9).map(b"".join)
)
def test_pieces_follow_each_other_and_only_padding_is_left_over(data: bytes) -> None:
    at = 0
    for start, end in split(data):
        assert start == at < end
        at = end
    assert not data[at:].strip(PADDING)


@pytest.mark.parametrize("cut", range(1, len(LINE + BLOCK)))
def test_what_follows_a_message_that_was_cut_is_whole(cut: int) -> None:
    """Also where only the check character is missing, whose place the next character then takes."""
    whole = LINE + BLOCK
    assert pieces(whole[:cut] + whole)[-1] == whole


@pytest.mark.parametrize("event", [Request("7"), Break(), Command("P1", "(0)"), DataMessage("(1)")])
def test_parity_bits_change_nothing(event: Event) -> None:
    data = encode(event) * 2
    coded = bytes(byte | (0x80 if byte.bit_count() % 2 else 0) for byte in data)
    assert list(split(coded)) == list(split(data))


# pushes of mode D


@pytest.mark.parametrize(
    ("data", "end"),
    [
        (b"\r\n1.8.0(1)\r\n!\r\n", 15),
        (b"\n1.8.0(1)\n!\n", 12),
        (b"\r\n1.8.0(1)\r\n!", 13),
        (b"\r\n1.8.0(1)\r\n!7A31\r\n", None),
        (b"\r\n1.8.0(1)\r\n", None),
        (b"\r\n1.8.0\r\n!\r\n", None),
        (b"\r\n1.8.0\r\n!\r\n(1)", None),
        (b"1.8.0(1)\r\n!\r\n", None),
        (b"\r\n1.8.0(1\x02)\r\n!\r\n", None),
        (b"", None),
    ],
)
def test_a_push_ends_at_its_exclamation_mark(data: bytes, end: int | None) -> None:
    assert Pushes(data).end(0) == end
    assert Pushes(b"xx" + data).end(2) == (None if end is None else end + 2)


def test_asked_at_one_place_after_another_it_answers_as_if_asked_first() -> None:
    data = PUSH * 3 + LINE * 2 + b"\r\n" + PUSH
    remembering = Pushes(data)
    for at in range(len(data)):
        assert remembering.end(at) == Pushes(data).end(at)


@given(st.binary(max_size=30) | st.binary(max_size=9).map(lambda data: PADDING + data), st.integers(0, 9))
def test_padding_is_skipped_and_nothing_else(data: bytes, at: int) -> None:
    found = past_padding(data, min(at, len(data)))
    assert data[found:] == data[at:].lstrip(PADDING)
