"""Block transfers from message to message: in order, again, cut, too long."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.dlms.apdus import GeneralBlockTransfer, GetResponseWithDatablock
from polymeter.protocols.dlms.conversation import Conversation, Unfinished
from polymeter.protocols.wire import DecodeOptions, RemoteProtocolError

PARTS = st.lists(st.binary(min_size=1, max_size=9), min_size=1, max_size=9)


def conversation() -> Conversation:
    return Conversation(DecodeOptions())


def answered(told: Conversation, number: int, part: bytes, last: bool = False) -> bytes | None:
    """One message that brings one block of a long answer."""
    told.begin_message()
    return told.answered(GetResponseWithDatablock(0xC1, last, number, part), part)


def transferred(told: Conversation, number: int, part: bytes, last: bool = False) -> bytes | None:
    told.begin_message()
    return told.transferred(GeneralBlockTransfer(0x80 if last else 0, number, 0, part))


@pytest.mark.parametrize("bring", [answered, transferred])
@given(PARTS, st.data())
def test_blocks_in_order_make_the_whole_and_may_come_again(bring: Any, parts: list[bytes], data: Any) -> None:
    told = conversation()
    for number, part in enumerate(parts, 1):
        last = number == len(parts)
        whole = bring(told, number, part, last)
        if not last:
            assert whole is None
            for _ in range(data.draw(st.integers(0, 2))):
                assert bring(told, number, part) is None
        else:
            assert whole == b"".join(parts)
    told.end()
    assert told.unfinished == []


@given(st.lists(st.binary(min_size=1, max_size=9), min_size=2, max_size=9), st.randoms(use_true_random=False))
def test_general_blocks_between_the_first_and_the_last_may_overtake_each_other(
    parts: list[bytes], dice: Any
) -> None:
    between = list(enumerate(parts[1:-1], 2))
    dice.shuffle(between)
    told = conversation()
    assert all(transferred(told, number, part) is None for number, part in [(1, parts[0]), *between])
    assert transferred(told, len(parts), parts[-1], True) == b"".join(parts)


@pytest.mark.parametrize("bring", [answered, transferred])
def test_a_transfer_that_ends_within_is_blamed_on_the_last_message_of_it(bring: Any) -> None:
    told = conversation()
    told.begin_message()
    bring(told, 1, b"a")
    bring(told, 2, b"b")
    told.begin_message()
    bring(told, 1, b"c")  # another begins
    assert told.unfinished == [Unfinished(2, 2)]
    told.end()
    assert told.unfinished == [Unfinished(2, 2), Unfinished(4, 1)]
    told.end()
    assert len(told.unfinished) == 2


@pytest.mark.parametrize(
    ("numbers", "words"),
    [([2], "block 2 comes first"), ([1, 3], "block 3 comes after block 1"), ([0], "block 0 comes")],
)
def test_a_block_of_an_answer_without_the_one_before_is_an_error(numbers: list[int], words: str) -> None:
    told = conversation()
    *before, wrong = numbers
    for number in before:
        answered(told, number, b"x")
    with pytest.raises(RemoteProtocolError, match=words) as caught:
        answered(told, wrong, b"y")
    assert caught.value.offset == 4  # where the block's number stands
    assert answered(told, 1, b"z", True) == b"z"
    assert told.unfinished == []  # the error was told already


def test_a_last_general_block_without_those_before_names_them() -> None:
    told = conversation()
    transferred(told, 1, b"a")
    with pytest.raises(RemoteProtocolError, match="missing: 2, 3") as caught:
        transferred(told, 4, b"d", True)
    assert caught.value.offset == 2
    with pytest.raises(RemoteProtocolError, match="missing"):
        transferred(told, 9, b"d", True)
    assert transferred(told, 1, b"a", True) == b"a"


def test_an_answer_has_a_limit() -> None:
    told = conversation()
    part = bytes(1 << 20)
    for number in range(1, 5):
        answered(told, number, part)
    with pytest.raises(RemoteProtocolError, match="octets in blocks"):
        answered(told, 5, b"x")


def test_an_answer_that_the_meter_gave_up_is_not_blamed() -> None:
    told = conversation()
    answered(told, 1, b"a")
    told.forget_answer()
    told.end()
    assert told.unfinished == []
