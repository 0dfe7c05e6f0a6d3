"""PRIOS: a disguise that both ends know."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.wmbus.prios import PROOF, disguised

KEY, ADDRESS, HEADER = bytes(range(8)), bytes(range(8, 16)), bytes.fromhex("a2210230")
PLAIN = bytes((PROOF, 1, 2, 3))


@given(
    st.binary(min_size=8, max_size=8),
    st.binary(min_size=8, max_size=8),
    st.binary(min_size=4, max_size=4),
    st.binary(max_size=40),
)
def test_done_twice_it_is_undone(key: bytes, address: bytes, header: bytes, data: bytes) -> None:
    once = disguised(key, address, header, data)
    assert len(once) == len(data)
    assert disguised(key, address, header, once) == data


@pytest.mark.parametrize("change", ["key", "address", "header"])
@pytest.mark.parametrize("at", range(4))
def test_everything_that_the_disguise_depends_on_matters(change: str, at: int) -> None:
    given_ = {"key": bytearray(KEY), "address": bytearray(ADDRESS), "header": bytearray(HEADER)}
    given_[change][at] ^= 0x40
    sealed = disguised(KEY, ADDRESS, HEADER, PLAIN)
    assert disguised(*(bytes(part) for part in given_.values()), sealed) != PLAIN


def test_a_longer_payload_begins_as_a_shorter_one() -> None:
    assert disguised(KEY, ADDRESS, HEADER, PLAIN + b"more")[:4] == disguised(KEY, ADDRESS, HEADER, PLAIN)
