"""Invocation counters: no message twice, no number twice, whatever happens in between."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.dlms.counters import (
    CounterID,
    MemoryCounters,
    OwnCounter,
    accept,
    counter_id,
)
from polymeter.protocols.dlms.security import Keys
from polymeter.protocols.wire import AccessDenied, LocalProtocolError

KEYS = Keys(bytes(range(16)), bytes(range(0xD0, 0xE0)))
TITLE, CLIENT = bytes.fromhex("4d4d4d0000bc614e"), bytes.fromhex("4d4d4d0000000001")
ONE = counter_id(TITLE, KEYS.encryption)
LIMIT = 1 << 32


def test_the_first_counter_may_be_zero() -> None:
    counters = MemoryCounters()
    one = counter_id(TITLE, KEYS.encryption)
    accept(counters, one, 0)
    with pytest.raises(AccessDenied, match="replayed"):
        accept(counters, one, 0)
    accept(counters, one, 5)
    with pytest.raises(AccessDenied, match="lower than the last"):
        accept(counters, one, 4)
    accept(counters, counter_id(TITLE, bytes(16)), 0)
    accept(counters, counter_id(CLIENT, KEYS.encryption), 0)


def test_the_counter_rule_survives_a_restart() -> None:
    counters = MemoryCounters()
    one = counter_id(TITLE, KEYS.encryption)
    accept(counters, one, 9)
    own = OwnCounter(counters, one, block=4)
    used = [own.take() for _ in range(6)]
    after_crash = MemoryCounters(counters.state)
    with pytest.raises(AccessDenied):
        accept(after_crash, one, 9)
    restarted = OwnCounter(after_crash, one, block=4)
    assert used == list(range(6))
    assert restarted.take() == 8
    assert after_crash.last_seen(one) == 9


def test_a_counter_that_is_used_up_is_refused() -> None:
    one = counter_id(TITLE, KEYS.encryption)
    own = OwnCounter(MemoryCounters({one: (None, (1 << 32) - 1)}), one)
    assert own.take() == (1 << 32) - 1
    with pytest.raises(LocalProtocolError, match="renew the key"):
        own.take()


def test_the_key_is_not_in_the_counters_name() -> None:
    assert KEYS.encryption[:4] not in counter_id(TITLE, KEYS.encryption).key_fingerprint


@given(st.lists(st.integers(0, LIMIT - 1), max_size=30))
def test_only_what_exceeds_everything_before_is_accepted(values: list[int]) -> None:
    counters = MemoryCounters()
    highest = -1
    for value in values:
        if value > highest:
            accept(counters, ONE, value)
            highest = value
        else:
            with pytest.raises(AccessDenied, match=r"replayed" if value == highest else "lower"):
                accept(counters, ONE, value)
        assert counters.last_seen(ONE) == (highest if highest >= 0 else None)


@given(
    st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=60),
    st.lists(st.integers(1, 7), min_size=3, max_size=3),
    st.integers(0, 1000),
)
def test_no_number_of_ours_is_used_twice_whoever_takes_it_and_whenever_the_program_dies(
    steps: list[tuple[int, bool]], blocks: list[int], first: int
) -> None:
    """Three programs share one key; now and then one dies and begins anew with what was stored."""
    stored = MemoryCounters({ONE: (5, first)})
    takers: list[Any] = [OwnCounter(stored, ONE, block) for block in blocks]
    used: list[int] = []
    for who, dies in steps:
        if dies:
            stored.state = dict(stored.state)
            takers[who] = OwnCounter(stored, ONE, blocks[who])
        used.append(takers[who].take())
    assert len(set(used)) == len(used)
    assert all(first <= number for number in used)
    assert stored.last_seen(ONE) == 5


def test_blocks_end_with_the_last_number_there_is() -> None:
    own = OwnCounter(MemoryCounters({ONE: (None, LIMIT - 3)}), ONE, block=128)
    assert [own.take() for _ in range(3)] == [LIMIT - 3, LIMIT - 2, LIMIT - 1]
    for _ in range(200):
        with pytest.raises(LocalProtocolError):
            own.take()


def test_senders_and_keys_are_counted_each_by_itself() -> None:
    counters = MemoryCounters()
    names = [counter_id(title, key) for title in (TITLE, CLIENT) for key in (bytes(16), bytes(32), b"k" * 16)]
    assert len(set(names)) == 6
    for number, name in enumerate(names):
        accept(counters, name, number)
        assert counters.reserve(name, 10) == 0
    assert [counters.last_seen(name) for name in names] == list(range(6))
    assert counters.last_seen(CounterID(b"", b"")) is None
