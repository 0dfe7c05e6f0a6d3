"""What was encoded decodes to itself, what was decoded encodes to the same bytes."""

import functools
import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.iec62056_21 import (
    Acknowledge,
    Break,
    Command,
    DataMessage,
    DataSet,
    Event,
    Identification,
    OptionSelect,
    Repeat,
    Request,
    block_check,
    decode_block,
    decode_data,
    decode_line,
    encode,
    encode_data,
)
from polymeter.protocols.iec62056_21.frames import block_end, decode_option
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError, Tree
from tests.protocols.iec62056_21.strategies import data_lines, frames


def decode(data: bytes, tree: Tree | None = None) -> Event:
    """The right decoder for a whole frame."""
    match data[0]:
        case 0x01 | 0x02:
            return decode_block(data, tree)
        case 0x2F:
            return decode_line(data, tree)
        case 0x15:
            return Repeat()
        case _:
            return Acknowledge() if len(data) == 1 else decode_option(data, tree)


@given(frames)
def test_every_frame_survives_the_wire(frame: Event) -> None:
    data = encode(frame)
    assert decode(data) == frame
    assert encode(decode(data)) == data


@given(frames)
def test_every_byte_of_a_frame_is_explained(frame: Event) -> None:
    data = encode(frame)
    tree = Tree(data, "frame")
    decode(data, tree)
    leaves = list(tree.finish().leaves())
    assert b"".join(leaf.raw for leaf in leaves) == data
    assert len(data) == 1 or "unexplained" not in {leaf.name for leaf in leaves}


@given(data_lines, st.booleans())
def test_data_lines_survive_the_wire(lines: tuple[tuple[DataSet, ...], ...], end: bool) -> None:
    text = encode_data(lines, end)
    decoded = decode_data(text)
    assert encode_data(decoded, end) == text
    for line in decoded:
        for data_set in line:
            assert text[data_set.offset :].startswith(data_set.address + "(")


@given(st.binary(max_size=70))
def test_the_block_check_is_the_exclusive_or(data: bytes) -> None:
    assert block_check(data) == functools.reduce(operator.xor, data, 0)


@pytest.mark.parametrize(
    ("block", "check"), [(b"B0\x03", 0x71), (b"P1\x02(00000000)\x03", 0x61), (b"P0\x02(00000000)\x03", 0x60)]
)
def test_block_checks_seen_in_the_field(block: bytes, check: int) -> None:
    assert block_check(block) == check


@given(frames.filter(lambda frame: isinstance(frame, DataMessage | Command | Break)), st.data())
def test_any_one_damaged_byte_of_a_block_is_noticed(frame: Event, data: st.DataObject) -> None:
    good = encode(frame)
    place = data.draw(st.integers(1, len(good) - 1))
    bad = bytearray(good)
    bad[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(RemoteProtocolError) as caught:
        decode_block(bytes(bad))
    assert 0 <= caught.value.offset <= len(good)


def test_break_is_a_command_of_its_own() -> None:
    assert decode_block(bytes.fromhex("0142300371")) == Break()
    assert encode(Break()) == bytes.fromhex("0142300371")


def test_an_identification_may_have_a_backslash_that_escapes_nothing() -> None:
    assert decode_line(b"/ISk5MT174-0001\r\n") == Identification("ISk", "5", "MT174-0001")
    assert decode_line(b"/ISk5\\2MT174\r\n") == Identification("ISk", "5", "MT174", "2")
    assert decode_line(b"/ISk5\\2\\@MT174\r\n") == Identification("ISk", "5", "MT174", "2@")
    assert decode_line(b"/ISk5\\\r\n") == Identification("ISk", "5", "\\")


@pytest.mark.parametrize(("manufacturer", "seconds"), [("ISK", 0.2), ("ISk", 0.02), ("IS1", 0.2)])
def test_the_manufacturer_tells_the_reaction_time(manufacturer: str, seconds: float) -> None:
    assert Identification(manufacturer, "5", "x").reaction_time_s == seconds


@pytest.mark.parametrize(
    "line",
    [
        b"/\r\n",
        b"/ab\r\n",
        b"/abc\r\n",
        b"/abc5x",
        b"/abc5x\n",
        b"/abc5x\r",
        b"/?12\r\n",
        b"/?1!2!\r\n",
        b"/abc/x\r\n",
    ],
)
def test_a_line_that_is_none_is_refused(line: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_line(line)


@pytest.mark.parametrize("line", [b"\x06\r\n", b"\x0605\r\n", b"\x060511\r\n", b"\x06051\n", b"\x06051"])
def test_an_option_that_is_none_is_refused(line: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        decode_option(line, offset=7)
    assert caught.value.offset == 8


@pytest.mark.parametrize(
    "body", [b"", b"P", b"P1(0)", b"P1x\x02(0)", b"P\x02(0)", b"P1\x02(\x01)", b"\x02\x02\x02"]
)
def test_a_command_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_block(b"\x01" + body + b"\x03" + bytes([block_check(body + b"\x03")]))


@pytest.mark.parametrize("block", [b"\x02", b"\x02\x03", b"\x02abc", b"\x01P1\x02(0)"])
def test_a_block_without_an_end_is_refused(block: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="ends with"):
        decode_block(block)


@pytest.mark.parametrize(
    "event",
    [
        Request("1/2"),
        Request("1!2"),
        Request("ä\r\n"),
        Request("€"),
        Identification("AB", "5", "x"),
        Identification("ABC", "55", "x"),
        Identification("ABC", "5", "x\r\n"),
        Identification("?BC", "5", "x"),
        Identification("ABC", "5", "\\2x"),
        OptionSelect("05", "5", "1"),
        OptionSelect("0", "\r", "1"),
        Command("R", "x"),
        Command("R\x02", "x"),
        Command("R1", "a\x03b"),
        DataMessage("a\x04b"),
    ],
)
def test_what_the_wire_cannot_hold_is_our_mistake(event: Event) -> None:
    with pytest.raises(LocalProtocolError):
        encode(event)


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


# data


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
    assert [line[0].address for line in lines] == ["a", "b", "c"]


@given(st.text(st.characters(max_codepoint=255), max_size=80))
def test_any_text_is_read_or_refused_and_explained(text: str) -> None:
    for strict in (True, False):
        tree = Tree(text.encode("latin-1"), "data")
        try:
            decode_data(text, tree, strict=strict)
        except RemoteProtocolError:
            assert strict
        assert "".join(leaf.raw.decode("latin-1") for leaf in tree.finish().leaves()) == text


# where blocks end


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
