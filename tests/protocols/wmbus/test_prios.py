"""PRIOS: a disguise that both ends know."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.wmbus import prios

KEY = bytes(range(8))
ADDRESS = bytes(range(8, 16))
CLEAR = bytes.fromhex("21023013")


@given(
    st.binary(min_size=8, max_size=8),
    st.binary(min_size=8, max_size=8),
    st.integers(0xA0, 0xA3),
    st.binary(max_size=20),
)
def test_what_was_disguised_is_seen_with_the_key(key: bytes, address: bytes, ci: int, plain: bytes) -> None:
    plain = bytes((prios.PROOF,)) + plain
    sealed = prios.encipher(key, address, ci, CLEAR, plain)
    assert sealed[: prios.CLEAR_SIZE] == CLEAR
    assert prios.decipher(key, address, ci, sealed) == plain


@pytest.mark.parametrize("change", ["key", "address", "ci", "clear"])
def test_everything_that_the_disguise_depends_on_matters(change: str) -> None:
    sealed = bytearray(prios.encipher(KEY, ADDRESS, 0xA2, CLEAR, bytes((prios.PROOF, 1, 2, 3))))
    key, address, ci = bytearray(KEY), bytearray(ADDRESS), 0xA2
    match change:
        case "key":
            key[0] ^= 0x40
        case "address":
            address[0] ^= 0x40
        case "ci":
            ci = 0xA1
        case _:
            sealed[0] ^= 0x40
    assert prios.decipher(bytes(key), bytes(address), ci, bytes(sealed)) != bytes((prios.PROOF, 1, 2, 3))


@pytest.mark.parametrize("size", range(5))
def test_too_little_is_nothing(size: int) -> None:
    assert prios.decipher(KEY, ADDRESS, 0xA2, bytes(size)) is None


@given(st.binary(max_size=40))
def test_any_payload_is_seen_or_not(payload: bytes) -> None:
    plain = prios.decipher(KEY, ADDRESS, 0xA2, payload)
    assert plain is None or plain[0] == prios.PROOF
