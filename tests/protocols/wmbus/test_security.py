"""Ciphers as the standard uses them: both ways, and never believing a wrong key."""

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.wire import LocalProtocolError
from polymeter.protocols.wmbus import security

KEYS = st.binary(min_size=16, max_size=16)
BLOCKS = st.integers(0, 6).flatmap(lambda count: st.binary(min_size=16 * count, max_size=16 * count))


@given(KEYS, KEYS, BLOCKS)
def test_cbc_is_that_of_the_library(key: bytes, iv: bytes, data: bytes) -> None:
    decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    assert security.decrypt_cbc(key, iv, data) == decryptor.update(data) + decryptor.finalize()
    assert security.decrypt_cbc(key, iv, security.encrypt_cbc(key, iv, data)) == data


@given(st.binary(min_size=8, max_size=8), BLOCKS)
def test_des_both_ways(key: bytes, data: bytes) -> None:
    assert security.decrypt_des(key, bytes(8), security.encrypt_des(key, bytes(8), data)) == data


def test_what_fills_no_block_is_not_encrypted() -> None:
    for encrypt, key in ((security.encrypt_cbc, bytes(16)), (security.encrypt_des, bytes(8))):
        with pytest.raises(LocalProtocolError, match="whole blocks"):
            encrypt(key, bytes(len(key)), b"x")


def test_cmac_by_the_examples_of_rfc_4493() -> None:
    key = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")
    message = bytes.fromhex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51")
    assert security.cmac(key, b"").hex() == "bb1d6929e95937287fa37d129b756746"
    assert security.cmac(key, message[:16]).hex() == "070a16b46b4d4144f79bdd9dd04a287c"
    assert security.authentication_code(key, message[:16], 8).hex() == "070a16b46b4d4144"


def test_keys_are_derived_for_each_purpose_and_direction() -> None:
    """The two keys of CEN/TR 17167, example F.3."""
    master, counter, number = bytes(range(16)), bytes.fromhex("b30a0000"), bytes.fromhex("78563412")
    assert security.derive_key(master, "encryption", counter, number).hex().upper() == (
        "ECCF39D475D730B8284FDFDC1995D52F"
    )
    assert security.derive_key(master, "authentication", counter, number).hex().upper() == (
        "C9CD19FF5A9AAD5A6BBDA13BD2C4C7AD"
    )
    there = {
        security.derive_key(master, purpose, counter, number, from_meter=way)
        for purpose in ("encryption", "authentication")
        for way in (True, False)
    }
    assert len(there) == 4


@given(KEYS, st.binary(max_size=60), st.binary(max_size=20), st.sampled_from((4, 8, 12, 16)))
def test_ccm_refuses_what_was_changed(key: bytes, data: bytes, header: bytes, tag: int) -> None:
    nonce = security.nonce_ccm(bytes(8), b"\1\0\0\0")
    assert nonce == bytes(9) + b"\0\0\0\1"
    sealed = security.ccm(key, nonce, header, data, tag)
    assert len(sealed) == len(data) + tag
    assert security.decrypt_ccm(key, nonce, header, sealed, tag) == data
    assert security.decrypt_ccm(key, nonce, header + b"x", sealed, tag) is None
    assert security.decrypt_ccm(key, nonce, header, sealed[:-1] + bytes((sealed[-1] ^ 1,)), tag) is None


@given(KEYS, st.binary(max_size=60), st.binary(max_size=20))
def test_gcm_refuses_what_was_changed(key: bytes, data: bytes, header: bytes) -> None:
    nonce = bytes(12)
    sealed = security.gcm(key, nonce, header, data)
    assert security.decrypt_gcm(key, nonce, header, sealed) == data
    assert security.decrypt_gcm(key, nonce, header + b"x", sealed) is None
    assert security.decrypt_gcm(key, nonce, header, sealed[:11]) is None


@given(KEYS, st.binary(min_size=1, max_size=60))
def test_a_session_shows_a_wrong_key_by_its_crc(key: bytes, payload: bytes) -> None:
    block = bytes(16)
    sealed = security.encrypt_ell(key, block, payload)
    plain = security.decrypt_ell(key, block, sealed)
    assert plain is not None
    assert plain[2:] == payload
    assert security.ell_crc_fits(plain)
    assert not security.ell_crc_fits(plain[:2])
    assert security.ctr(key, block, sealed) == plain


def test_the_vector_of_mode_5_repeats_the_access_number() -> None:
    assert security.iv_mode5(bytes(range(8)), 0x2A) == bytes(range(8)) + b"\x2a" * 8
