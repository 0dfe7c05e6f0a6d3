"""Where blocks end, whether their check fits, and parity; each looked for once."""

import functools
import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.iec62056_21 import DataMessage, block_check, encode
from polymeter.protocols.iec62056_21.blocks import (
    LINE_MAX,
    block_end,
    control_within,
    line_before,
    without_parity,
)
from tests.effort import steps

CONTROLS = frozenset((1, 2, 3, 4, 0x81, 0x82, 0x83, 0x84))


def parity(data: bytes) -> bytes:
    return bytes(byte | (0x80 if byte.bit_count() % 2 else 0) for byte in data)


@given(st.binary(max_size=70))
def test_the_block_check_is_the_exclusive_or(data: bytes) -> None:
    assert block_check(data) == functools.reduce(operator.xor, data, 0)


@pytest.mark.parametrize(
    ("block", "check"), [(b"B0\x03", 0x71), (b"P1\x02(00000000)\x03", 0x61), (b"P0\x02(00000000)\x03", 0x60)]
)
def test_block_checks_seen_in_the_field(block: bytes, check: int) -> None:
    assert block_check(block) == check


@pytest.mark.parametrize(
    ("data", "end"),
    [
        (b"\x02abc\x03q", 6),
        (b"\x02abc\x04q", 6),
        (b"\x02abc\x03", None),
        (b"\x02abc", None),
        (b"\x02abc\x02def\x03q", 4),
        (b"\x02abc\x01P1\x03q", 4),
        (b"\x01P1\x02(0)\x03q", 9),
        (b"\x01P1\x02(0)\x02abc\x03q", 7),
        (b"\x01\x03q", 3),
        (b"\x02\x03\x03", 3),
    ],
)
def test_a_block_ends_at_its_check_or_where_another_begins(data: bytes, end: int | None) -> None:
    assert block_end(data, 0) == end
    assert block_end(b"xx" + data, 2) == (None if end is None else end + 2)


@given(st.binary(max_size=1500), st.integers(0, 1500))
def test_a_block_ends_at_the_first_control_character(data: bytes, searched: int) -> None:
    """However long it is: the search looks at more each time, and may go on where it left off."""
    block = b"\x02" + data
    first = next((at for at in range(1, len(block)) if block[at] in CONTROLS), None)
    expected = None
    if first is not None:
        closes = block[first] & 0x7F in (3, 4)
        expected = (first + 2 if first + 2 <= len(block) else None) if closes else first
    assert block_end(block, 0) == block_end(bytearray(block), 0) == expected
    if first is None or searched <= first:
        assert block_end(block, 0, searched) == expected


def test_many_short_blocks_cost_no_more_than_their_length() -> None:
    block = encode(DataMessage("(1)"))

    def ends(count: int) -> None:
        data, at = block * count, 0
        while at < len(data):
            at = block_end(data, at) or len(data)

    few, many = steps(lambda: ends(100)), steps(lambda: ends(400))
    assert many <= 4 * few + 10


@pytest.mark.parametrize(
    ("block", "place"), [(b"\x02ab\x03q", -1), (b"\x02a\x04b\x03q", 2), (b"\x02\x01\x03q", 1)]
)
def test_a_control_character_within_is_found(block: bytes, place: int) -> None:
    assert control_within(block, 1) == place


# the line before a block


LINE = b"/PMX5SIM100\r\n"


@pytest.mark.parametrize("before", [b"", b"1.8.0(0012", b"m3/h)\r\n2.8.0(", b"/PMX5OLD\r\n(1)\r\n"])
@pytest.mark.parametrize("between", [b"", b"\x00", b"\r\n"])
@pytest.mark.parametrize("coded", [False, True])
def test_the_line_right_before_a_block_is_found(before: bytes, between: bytes, coded: bool) -> None:
    data = b"\x02" + before + LINE + between
    assert line_before(parity(data) if coded else data, 1, len(data)) == 1 + len(before)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"1.8.0(1)\r\n",
        b"1.8.0(1*m3/hour)\r\n",
        b"/PMX\r\n",
        LINE + b"1.8.0(1)",
        LINE[:-1],
        b"/" + b"x" * LINE_MAX + b"\r\n",
    ],
)
def test_where_no_line_ends_there_is_none(data: bytes) -> None:
    assert line_before(b"\x02" + data, 1, len(data) + 1) == len(data) + 1


# parity


@given(st.binary(max_size=60).map(lambda data: bytes(byte & 0x7F for byte in data)), st.integers(0, 255))
def test_parity_is_removed_whatever_the_check_character_has(data: bytes, check: int) -> None:
    coded = parity(data) + bytes([check])
    if coded[:-1].isascii():
        assert without_parity(coded) is coded
    else:
        assert without_parity(coded) == data + bytes([check & 0x7F])


@given(st.binary(min_size=2, max_size=60))
def test_bytes_of_which_one_has_odd_parity_stay(data: bytes) -> None:
    odd = any(byte.bit_count() % 2 for byte in data[:-1])
    assert (without_parity(data) == data) or not odd
