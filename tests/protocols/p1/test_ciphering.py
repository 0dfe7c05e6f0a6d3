"""Ciphered telegrams: the reason why one does not open says what to change."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from polymeter.protocols import p1
from polymeter.protocols.p1.ciphering import Damaged
from polymeter.protocols.wire import AccessDenied, DecodeOptions, LocalProtocolError

KEY = bytes(range(16))
OTHER = bytes(16)
OWN = bytes(range(16, 32))
TITLE = b"PMX\x00\x00\x00\x00\x01"


def sealed(auth_key: bytes = p1.PUBLIC_AUTHENTICATION_KEY) -> p1.Ciphered:
    return p1.encipher(telegram(), KEY, TITLE, 7, auth_key)


def telegram() -> bytes:
    data = b"/PMX5SIM\r\n\r\n1-3:0.2.8(50)\r\n1-0:1.8.0(000001.500*kWh)\r\n!"
    return data + p1.checksum_text(data).encode() + b"\r\n"


def test_the_public_authentication_key_need_not_be_given() -> None:
    assert p1.decipher(sealed(), (KEY,)) == telegram()


def test_any_of_several_keys_may_fit() -> None:
    assert p1.decipher(sealed(OWN), (OTHER, KEY), OWN) == telegram()


@pytest.mark.parametrize(
    ("keys", "auth_key", "words"),
    [
        ((), None, "no key is given"),
        ((OTHER,), None, "the key is wrong"),
        ((KEY,), OTHER, "authentication key is wrong"),
        ((KEY,), None, "authentication key is missing"),
    ],
)
def test_what_is_wrong_with_the_keys_is_told(
    keys: tuple[bytes, ...], auth_key: bytes | None, words: str
) -> None:
    with pytest.raises(AccessDenied, match=words):
        p1.decipher(sealed(OWN), keys, auth_key)


def test_damage_is_told_from_a_wrong_key() -> None:
    frame = sealed()
    damaged = p1.Ciphered(
        frame.system_title, frame.counter, frame.ciphertext[:-9] + b"x" + frame.ciphertext[-8:], frame.tag
    )
    with pytest.raises(Damaged, match="the bytes are damaged"):
        p1.decipher(damaged, (KEY,))


def test_keys_of_another_size_are_our_mistake() -> None:
    with pytest.raises(LocalProtocolError, match="needs 16"):
        p1.decipher(sealed(), (KEY[:8],))
    with pytest.raises(LocalProtocolError, match="needs 16"):
        p1.decipher(sealed(), (KEY,), KEY[:8])
    with pytest.raises(LocalProtocolError, match="eight bytes"):
        p1.encipher(b"", KEY, b"short", 1)


def test_a_missing_key_leaves_the_telegram_valid_and_says_so() -> None:
    (decoded,) = p1.decode(p1.encode(sealed()))
    assert decoded.valid
    assert decoded.encrypted
    assert decoded.records == ()
    assert "no key is given" in decoded.errors[0].message


def test_a_wrong_key_never_gives_a_value() -> None:
    (decoded,) = p1.decode(p1.encode(sealed()), DecodeOptions((OTHER,)))
    assert not decoded.valid
    assert decoded.encrypted
    assert decoded.records == ()
    assert "key" in decoded.errors[0].message


def test_what_is_inside_hangs_below_the_ciphertext() -> None:
    (decoded,) = p1.decode(p1.encode(sealed()), DecodeOptions((KEY,)))
    assert decoded.valid
    assert not decoded.encrypted
    assert [layer.name for layer in decoded.layers] == ["input", "deciphered"]
    assert decoded.meter.system_title == TITLE.hex()
    assert all(record.layer == 1 for record in decoded.records)
    for record in decoded.records:
        assert telegram()[record.offset : record.offset + len(record.raw)] == record.raw


def test_every_flipped_byte_of_an_envelope_is_noticed() -> None:
    written = p1.encode(sealed())
    good = p1.decode(written, DecodeOptions((KEY,)), explain=False)[0].records
    for index in range(len(written)):
        flipped = bytearray(written)
        flipped[index] ^= 0x55
        for decoded in p1.decode(bytes(flipped), DecodeOptions((KEY,)), explain=False):
            assert not decoded.valid or decoded.records == good


def test_without_a_checksum_a_wrong_authentication_key_and_damage_look_alike_and_that_is_said() -> None:
    old = b"/PMX5SIM\r\n\r\n1-0:1.8.0(000001.500*kWh)\r\n!\r\n"
    frame = p1.encipher(old, KEY, TITLE, 7, OWN)
    with pytest.raises(AccessDenied, match="authentication key is wrong, or the bytes are damaged"):
        p1.decipher(frame, (KEY,), OTHER)
    with pytest.raises(AccessDenied, match="missing: it is not the public one, or the bytes are damaged"):
        p1.decipher(frame, (KEY,))
    with pytest.raises(Damaged):
        p1.decipher(replace(frame, ciphertext=frame.ciphertext[:-5]), (KEY,), OWN)


@pytest.mark.parametrize("security", [0x10, 0x20])
def test_an_envelope_that_only_enciphers_or_only_authenticates(security: int) -> None:
    if security == 0x20:
        bare = replace(sealed(), tag=b"", security=0x20)
        assert p1.decipher(bare, (OTHER, KEY)) == telegram()
        with pytest.raises(AccessDenied, match="the key is wrong"):
            p1.decipher(bare, (OTHER,))
        return
    nonce = TITLE + (7).to_bytes(4, "big")
    tag = AESGCM(KEY).encrypt(nonce, b"", b"\x10" + OWN + telegram())[:12]
    open_one = p1.Ciphered(TITLE, 7, telegram(), tag, 0x10)
    assert p1.decipher(open_one, (KEY,), OWN) == telegram()
    with pytest.raises(AccessDenied, match="authentication key is wrong"):
        p1.decipher(open_one, (KEY,), OTHER)


def test_keys_do_not_show_in_what_is_said() -> None:
    for keys, auth_key in (((OTHER,), None), ((KEY,), OTHER), ((KEY[:8],), None)):
        with pytest.raises((AccessDenied, LocalProtocolError)) as raised:
            p1.decipher(sealed(OWN), keys, auth_key)
        for secret in (KEY, OWN, OTHER):
            assert secret.hex() not in str(raised.value)
