"""The fast way through a well-formed block gives what the careful one gives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.iec62056_21 import DataSet, decode_data, encode_data
from polymeter.protocols.iec62056_21.lines import _well_formed
from polymeter.protocols.wire import RemoteProtocolError, Tree
from tests.protocols.iec62056_21.strategies import data_lines

PIECES = st.lists(
    st.sampled_from(
        ["1.8.0(1*kWh)", "(2)", "\r\n", "\n", "\r", "!", "!\r\n", "x", "(", ")", "*", "()", "F.F(0)"]
    ),
    max_size=10,
).map("".join)


def careful(text: str, strict: bool = True) -> object:
    """What decoding gives while it explains, which is never the fast way."""
    tree = Tree(text.encode("latin-1"), "data")
    try:
        return decode_data(text, tree, strict=strict)
    except RemoteProtocolError as error:
        return str(error), error.offset


def plain(text: str, strict: bool = True) -> object:
    try:
        return decode_data(text, strict=strict)
    except RemoteProtocolError as error:
        return str(error), error.offset


@given(PIECES | st.text(st.characters(max_codepoint=255), max_size=60), st.booleans())
def test_both_ways_give_the_same(text: str, strict: bool) -> None:
    assert plain(text, strict) == careful(text, strict)


@given(data_lines, st.booleans())
def test_a_block_of_lines_goes_the_fast_way(lines: tuple[tuple[DataSet, ...], ...], end: bool) -> None:
    text = encode_data(lines, end=end)
    found = _well_formed(text)
    assert found is not None
    assert [[part[:3] for part in line] for line in found] == [[part[:3] for part in line] for line in lines]


@pytest.mark.parametrize("text", ["x", "1.8.0(1", "\r\n1.8.0(1)", "1.8.0(1)\r\n!x", "1.8.0(1)!\r"])
def test_anything_else_goes_the_careful_way(text: str) -> None:
    assert _well_formed(text) is None
