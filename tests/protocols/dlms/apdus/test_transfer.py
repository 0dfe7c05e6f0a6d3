"""General block transfer: blocks in any order, again, contradicting, without end."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.dlms.apdus import Assembly, GeneralBlockTransfer, decode_apdu
from polymeter.protocols.wire import RemoteProtocolError


def test_blocks_are_assembled_in_any_order_and_once() -> None:
    assembly = Assembly()
    assembly.add(GeneralBlockTransfer(0xC0, 3, 0, b"c"))
    assembly.add(GeneralBlockTransfer(0x40, 1, 0, b"a"))
    assert (assembly.missing, assembly.contiguous, assembly.complete) == ((2,), 1, False)
    assembly.add(GeneralBlockTransfer(0x40, 1, 0, b"a"))
    assembly.add(GeneralBlockTransfer(0x40, 2, 0, b"b"))
    assert (assembly.missing, assembly.complete, assembly.data()) == ((), True, b"abc")
    for wrong in (GeneralBlockTransfer(0x40, 4, 0, b""), GeneralBlockTransfer(0x40, 1, 0, b"x")):
        with pytest.raises(RemoteProtocolError):
            assembly.add(wrong)


@given(st.lists(st.binary(min_size=1, max_size=8), min_size=1, max_size=12), st.data())
def test_whatever_the_order_the_whole_comes_out_and_gaps_are_named(parts: list[bytes], data: Any) -> None:
    count = len(parts)
    blocks = [
        GeneralBlockTransfer(0x80 if number == count else 0, number, 0, part)
        for number, part in enumerate(parts, 1)
    ]
    order = data.draw(st.permutations(blocks))
    order = [*order, *data.draw(st.lists(st.sampled_from(blocks), max_size=3))]
    assembly = Assembly()
    seen: set[int] = set()
    for block in order:
        assembly.add(block)
        seen.add(block.block_number)
        assert assembly.count == len(seen)
        assert assembly.is_ended == (count in seen)
        assert assembly.missing == tuple(number for number in range(1, max(seen)) if number not in seen)
        assert assembly.contiguous == next((n - 1 for n in range(1, count + 2) if n not in seen), count)
        assert assembly.complete == (len(seen) == count)
        assert assembly.has(block)
        assert not assembly.has(GeneralBlockTransfer(0, block.block_number, 0, block.block_data + b"x"))
    assert assembly.data() == b"".join(parts)


@pytest.mark.parametrize(
    ("before", "wrong", "words"),
    [
        ([(False, 1, b"a")], (False, 1, b"b"), "twice with different contents"),
        ([(True, 2, b"b")], (False, 3, b"c"), "no place"),
        ([], (False, 0, b"a"), "no place"),
        ([(False, 5, b"e")], (True, 3, b"c"), "says it is the last, later ones came"),
        ([], (False, 1, bytes(101)), "more than 100 octets"),
    ],
)
def test_blocks_that_contradict_each_other_are_refused(
    before: list[tuple[bool, int, bytes]], wrong: tuple[bool, int, bytes], words: str
) -> None:
    assembly = Assembly(limit=100)
    for last, number, part in before:
        assembly.add(GeneralBlockTransfer(0x80 if last else 0, number, 0, part))
    last, number, part = wrong
    with pytest.raises(RemoteProtocolError, match=words):
        assembly.add(GeneralBlockTransfer(0x80 if last else 0, number, 0, part))
    assert assembly.count == len(before)


def test_no_window_leaves_more_than_63_blocks_out() -> None:
    assembly = Assembly()
    assembly.add(GeneralBlockTransfer(0, 64, 0, b"x"))
    assert len(assembly.missing) == 63
    assembly.add(GeneralBlockTransfer(0, 66, 0, b"x"))
    with pytest.raises(RemoteProtocolError, match="than a window holds"):
        _ = assembly.missing


@pytest.mark.parametrize(
    ("control", "last", "streaming", "window"),
    [(0x00, False, False, 0), (0x81, True, False, 1), (0x7F, False, True, 63), (0xC3, True, True, 3)],
)
def test_the_control_octet(control: int, last: bool, streaming: bool, window: int) -> None:
    block = decode_apdu(bytes((0xE0, control, 0, 7, 0, 6, 2, 0xAB, 0xCD)))
    assert isinstance(block, GeneralBlockTransfer)
    assert (block.last_block, block.streaming, block.window) == (last, streaming, window)
    assert (block.block_number, block.acknowledged, block.block_data) == (7, 6, b"\xab\xcd")
