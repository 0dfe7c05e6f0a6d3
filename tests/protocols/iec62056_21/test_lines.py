"""Data sets and lines, both ways; the fast way through a block gives what the careful one gives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.iec62056_21 import DataSet, decode_data, encode_data
from polymeter.protocols.iec62056_21.lines import _well_formed
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError, Tree
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


# both ways


@given(data_lines, st.booleans())
def test_data_lines_survive_the_wire(lines: tuple[tuple[DataSet, ...], ...], end: bool) -> None:
    text = encode_data(lines, end)
    decoded = decode_data(text)
    assert encode_data(decoded, end) == text
    for line in decoded:
        for data_set in line:
            assert text[data_set.offset :].startswith(data_set.address + "(")


@pytest.mark.parametrize(
    "data_set",
    [
        DataSet("a(", "1"),
        DataSet("a", "1*2"),
        DataSet("a", ")"),
        DataSet("a", "1", "k\n"),
        DataSet("\x03", ""),
    ],
)
def test_what_a_data_set_cannot_hold_is_our_mistake(data_set: DataSet) -> None:
    with pytest.raises(LocalProtocolError):
        encode_data(((data_set,),))


# what texts mean


def test_units_are_told_apart_from_no_units() -> None:
    ((one,), (two,), (three,)) = decode_data("a(1*kWh)\r\nb(2*)\r\nc(3)\r\n")
    assert (one.unit, two.unit, three.unit) == ("kWh", "", None)


def test_sets_before_an_exclamation_mark_on_their_line_are_kept() -> None:
    lines = decode_data("1.8.0(1)\r\n2.8.0(2)3.8.0(3)!\r\n")
    assert [data_set.address for line in lines for data_set in line] == ["1.8.0", "2.8.0", "3.8.0"]


@pytest.mark.parametrize(
    "text", ["1.8.0(1", "1.8.0", "1.8.0(1)x\r\n", "a(1)\r\n!x\r\n", "a((1))", "a(1*2*3)b"]
)
def test_what_is_no_data_set_is_refused_at_its_place(text: str) -> None:
    with pytest.raises(RemoteProtocolError, match="is no data set") as caught:
        decode_data(text, offset=100)
    assert 100 <= caught.value.offset <= 100 + len(text)


def test_without_strictness_the_rest_is_read() -> None:
    lines = decode_data("a(1)\r\nHELLO\r\nb(2)rest\r\nc(3)\r\n", strict=False)
    assert [line[0].address if line else None for line in lines] == ["a", None, "b", "c"]


@given(st.text(st.characters(max_codepoint=255), max_size=80))
def test_any_text_is_read_or_refused_and_explained(text: str) -> None:
    for strict in (True, False):
        tree = Tree(text.encode("latin-1"), "data")
        try:
            decode_data(text, tree, strict=strict)
        except RemoteProtocolError:
            assert strict
        assert "".join(leaf.raw.decode("latin-1") for leaf in tree.finish().leaves()) == text
