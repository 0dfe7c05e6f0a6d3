"""What was encoded decodes to itself, what was decoded encodes to the same bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.iec62056_21 import (
    Acknowledge,
    Break,
    Command,
    DataMessage,
    Event,
    Identification,
    OptionSelect,
    Repeat,
    Request,
    block_check,
    decode_block,
    decode_line,
    encode,
)
from polymeter.protocols.iec62056_21.frames import decode_option
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError, Tree
from tests.protocols.iec62056_21.strategies import frames


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


@pytest.mark.parametrize("block", [b"abc\x03", b"\x00\x03", b"/\x03"])
def test_a_block_without_a_start_is_refused(block: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="begins with"):
        decode_block(block + bytes([block_check(block[1:])]), offset=3)


@pytest.mark.parametrize("inner", [b"\x01", b"\x02", b"\x03", b"\x04", b"\x81", b"\x84"])
@pytest.mark.parametrize("start", [b"\x02", b"\x01R1\x02"])
def test_a_control_character_inside_a_block_is_refused_at_its_place(start: bytes, inner: bytes) -> None:
    block = start + b"1.8.0(" + inner + b")\x03"
    with pytest.raises(RemoteProtocolError, match="control character") as caught:
        decode_block(block + bytes([block_check(block[1:])]), offset=10)
    assert caught.value.offset == 10 + len(start) + 6


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
