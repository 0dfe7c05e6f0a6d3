"""Counters of protected messages: each is taken once, and an echo is told from a replay."""

import asyncio

import pytest

from polymeter.store import Store, counters

pytestmark = pytest.mark.anyio


async def accept(store: Store, value: int, frame: int, content: bytes = b"", sender: str = "s") -> str | None:
    refusal = await store.write(counters.accept, sender, value, frame, content)
    return None if refusal is None else refusal.reason


async def test_counters_rise_from_frame_to_frame(store: Store) -> None:
    assert await accept(store, 5, 1) is None
    assert "is lower than the last one (last seen 5)" in (await accept(store, 4, 2) or "")
    assert "was used already: the message is replayed (last seen 5)" in (await accept(store, 5, 3) or "")
    assert await accept(store, 6, 4) is None
    assert await accept(store, 4, 5, sender="another") is None


async def test_a_frame_that_is_read_again_is_no_replay(store: Store) -> None:
    for _ in range(2):
        assert await accept(store, 5, 1, b"x") is None
        assert await accept(store, 6, 2, b"y") is None


async def test_a_frame_read_late_is_judged_by_its_place(store: Store) -> None:
    assert await accept(store, 7, 10) is None
    assert await accept(store, 6, 5) is None
    assert "a message that came later has 6" in (await accept(store, 8, 4) or "")
    assert await accept(store, 5, 4) is None


async def test_the_same_content_under_the_same_counter_is_an_echo_wherever_it_comes(store: Store) -> None:
    assert await accept(store, 5, 10, b"same") is None
    assert await accept(store, 6, 11, b"next") is None
    for frame in (9, 12):
        refusal = await store.write(counters.accept, "s", 5, frame, b"same")
        assert refusal is not None
        assert (refusal.echo_of, refusal.reason) == (10, "the same message as frame 10")
    other = await store.write(counters.accept, "s", 5, 13, b"other", "message counter")
    assert other is not None
    assert other.echo_of is None
    assert other.reason.startswith("message counter 5 is lower than the last one")


async def test_without_a_digest_nothing_is_an_echo(store: Store) -> None:
    assert await accept(store, 5, 1) is None
    assert "replayed" in (await accept(store, 5, 2) or "")


async def test_two_that_take_a_counter_at_once_agree_whose_it_is(store: Store) -> None:
    for value in range(1, 20):
        first, second = await asyncio.gather(
            *(store.write(counters.accept, "s", value, 2 * value + side, b"same") for side in (0, 1))
        )
        refused = [one for one in (first, second) if one is not None]
        assert len(refused) == 1
        assert refused[0].echo_of in (2 * value, 2 * value + 1)
