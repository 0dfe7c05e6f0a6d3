"""Proofs of a shared secret: each end gives one that only the other end's challenge asks for."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.dlms.acse import Mechanism
from polymeter.protocols.dlms.authentication import Exchange, answer, check, verify
from polymeter.protocols.dlms.security import Keys
from polymeter.protocols.wire import LocalProtocolError

KEYS = Keys(bytes(range(16)), bytes(range(0xD0, 0xE0)))
TITLE = bytes.fromhex("4d4d4d0000bc614e")
DIGESTS = [Mechanism.HLS_MD5, Mechanism.HLS_SHA1, Mechanism.HLS_SHA256]
SUPPORTED = [*DIGESTS, Mechanism.HLS_GMAC]
challenges = st.binary(min_size=8, max_size=64)
titles = st.binary(min_size=8, max_size=8)
exchanges = st.builds(Exchange, challenges, challenges, titles, titles)


CLIENT, SERVER = bytes.fromhex("4d4d4d0000000001"), TITLE
CTOS, STOC = b"K56iVagY", b"P6wRJ21F"


def test_the_worked_example_of_gmac() -> None:
    client = Exchange(STOC, CTOS, CLIENT, SERVER)
    proof = answer(Mechanism.HLS_GMAC, client, keys=KEYS, invocation_counter=1)
    assert proof.hex() == "10000000011a52fe7dd3e72748973c1e28"
    reply = answer(Mechanism.HLS_GMAC, client.reversed(), keys=KEYS, invocation_counter=0x01234567)
    assert reply.hex() == "1001234567fe1466afb3dbcd4f9389e2b7"
    assert verify(Mechanism.HLS_GMAC, client, reply, keys=KEYS)
    assert not verify(Mechanism.HLS_GMAC, client, proof, keys=KEYS)
    assert not verify(Mechanism.HLS_GMAC, client, b"", keys=KEYS)


@pytest.mark.parametrize("mechanism", [Mechanism.HLS_MD5, Mechanism.HLS_SHA1, Mechanism.HLS_SHA256])
def test_digests_prove_the_secret_to_the_other_end(mechanism: Mechanism) -> None:
    client = Exchange(STOC, CTOS, CLIENT, SERVER)
    server = client.reversed()
    assert verify(mechanism, server, answer(mechanism, client, b"secret"), b"secret")
    assert verify(mechanism, client, answer(mechanism, server, b"secret"), b"secret")
    assert not verify(mechanism, server, answer(mechanism, client, b"other"), b"secret")


def test_the_digests_are_those_of_the_standard() -> None:
    client = Exchange(STOC, CTOS, CLIENT, SERVER)
    assert answer(Mechanism.HLS_MD5, client, b"secret") == hashlib.md5(STOC + b"secret").digest()
    assert answer(Mechanism.HLS_SHA1, client, b"secret") == hashlib.sha1(STOC + b"secret").digest()
    both = b"secret" + CLIENT + SERVER + STOC + CTOS
    assert answer(Mechanism.HLS_SHA256, client, b"secret") == hashlib.sha256(both).digest()


@pytest.mark.parametrize("mechanism", SUPPORTED)
@given(exchange=exchanges, counter=st.integers(0, (1 << 32) - 1))
def test_a_proof_convinces_the_other_end(mechanism: Mechanism, exchange: Exchange, counter: int) -> None:
    proof = answer(mechanism, exchange, b"secret", KEYS, counter)
    assert verify(mechanism, exchange.reversed(), proof, b"secret", KEYS)
    assert exchange.reversed().reversed() == exchange


@pytest.mark.parametrize("mechanism", SUPPORTED)
@given(exchange=exchanges, other=exchanges, data=st.data())
def test_a_proof_that_was_altered_or_is_of_another_exchange_convinces_nobody(
    mechanism: Mechanism, exchange: Exchange, other: Exchange, data: st.DataObject
) -> None:
    proof = answer(mechanism, exchange, b"secret", KEYS, 7)
    altered = bytearray(proof)
    altered[data.draw(st.integers(0, len(proof) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    told = exchange.reversed()
    assert not verify(mechanism, told, bytes(altered), b"secret", KEYS)
    assert not verify(mechanism, told, proof[:-1], b"secret", KEYS)
    assert not verify(mechanism, told, proof + b"\0", b"secret", KEYS)
    assert verify(mechanism, told._replace(ours=other.ours), proof, b"secret", KEYS) == (
        told.ours == other.ours
    )
    if mechanism in (Mechanism.HLS_SHA256, Mechanism.HLS_GMAC):  # their titles take part
        foreign = told._replace(their_title=other.their_title)
        assert verify(mechanism, foreign, proof, b"secret", KEYS) == (told.their_title == other.their_title)


@pytest.mark.parametrize("keys", [Keys(bytes(16), KEYS.authentication), Keys(KEYS.encryption, bytes(16))])
def test_gmac_needs_both_keys(keys: Keys) -> None:
    exchange = Exchange(STOC, CTOS, CLIENT, SERVER)
    proof = answer(Mechanism.HLS_GMAC, exchange, keys=keys, invocation_counter=1)
    assert verify(Mechanism.HLS_GMAC, exchange.reversed(), proof, keys=keys)
    assert not verify(Mechanism.HLS_GMAC, exchange.reversed(), proof, keys=KEYS)


def test_what_cannot_be_proved_is_our_error() -> None:
    exchange = Exchange(STOC)
    for mechanism in set(Mechanism) - set(SUPPORTED):
        with pytest.raises(LocalProtocolError, match=f"{mechanism.name} is not supported"):
            check(mechanism, KEYS)
        with pytest.raises(LocalProtocolError, match="not supported"):
            answer(mechanism, exchange, b"secret", KEYS, 1)
    for keys in (None, Keys(KEYS.encryption)):
        with pytest.raises(LocalProtocolError, match="authentication key"):
            check(Mechanism.HLS_GMAC, keys)
    with pytest.raises(LocalProtocolError, match="invocation counter"):
        answer(Mechanism.HLS_GMAC, exchange, keys=KEYS)
    for mechanism in DIGESTS:
        check(mechanism, None)
