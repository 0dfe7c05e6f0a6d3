"""Opening envelopes with keys of which nobody says which is whose."""

import pytest
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

from polymeter.protocols.dlms.apdus import AgreedKey, GeneralCiphering, IdentifiedKey, WrappedKey
from polymeter.protocols.dlms.opening import open_envelope
from polymeter.protocols.dlms.security import Keys, protect, read_header
from polymeter.protocols.wire import AccessDenied, DecodeOptions
from tests.protocols.dlms.make_vectors import AUTH, KEY, KEYS, LIST, TITLE, push

PLAIN = push(LIST)
OTHER, MASTER = bytes(16), bytes(range(0x70, 0x80))


def opened(
    content: bytes, *keys: bytes, auth: bytes | None = AUTH, envelope: GeneralCiphering | None = None
) -> bytes:
    options = DecodeOptions(keys, auth)
    return open_envelope(options, TITLE, content, read_header(content), envelope).plaintext


def general(info: IdentifiedKey | WrappedKey | AgreedKey | None) -> tuple[bytes, GeneralCiphering]:
    fields = (b"\1\2", TITLE, b"", b"", b"x")
    content = protect(PLAIN, 0x30, KEYS, TITLE, 9, GeneralCiphering(*fields, info, b"").about)
    return content, GeneralCiphering(*fields, info, content)


@pytest.mark.parametrize("control", [0x20, 0x30, 0x60, 0x70])
@pytest.mark.parametrize("auth", [None, AUTH])
def test_the_key_that_fits_is_found_among_others(control: int, auth: bytes | None) -> None:
    content = protect(PLAIN, control, KEYS, TITLE, 9)
    for keys in ((KEY,), (OTHER, KEY), (OTHER, MASTER, KEY, bytes(32))):
        assert opened(content, *keys, auth=auth) == PLAIN
    found = open_envelope(DecodeOptions((OTHER, KEY), auth), TITLE, content, read_header(content))
    assert found.key == KEY
    assert found.verified == (auth is not None and bool(control & 0x10))
    assert KEY.hex() not in repr(found)


def test_what_is_not_encrypted_needs_no_key_but_a_known_one_checks_it() -> None:
    content = protect(PLAIN, 0x10, KEYS, TITLE, 9)
    assert opened(content) == PLAIN
    assert opened(content, KEY) == PLAIN
    with pytest.raises(AccessDenied, match="authentication key is wrong"):
        opened(content, KEY, auth=bytes(16))


def test_each_trouble_has_its_own_words() -> None:
    content = protect(PLAIN, 0x30, KEYS, TITLE, 9)
    with pytest.raises(AccessDenied, match="XYZ 1000000001 is encrypted and its encryption key is missing"):
        opened(content)
    with pytest.raises(AccessDenied, match="encryption key is wrong"):
        opened(content, OTHER, MASTER)
    with pytest.raises(AccessDenied, match="authentication key is wrong"):
        opened(content, OTHER, KEY, MASTER, auth=bytes(16))
    with pytest.raises(AccessDenied, match="global broadcast key is missing"):
        opened(protect(PLAIN, 0x70, KEYS, TITLE, 9))
    with pytest.raises(AccessDenied, match="an unknown sender"):
        open_envelope(DecodeOptions(), b"", content, read_header(content))
    with pytest.raises(AccessDenied, match="no system title"):
        open_envelope(DecodeOptions((KEY,)), b"", content, read_header(content))


def test_the_fields_of_general_ciphering_are_under_its_tag() -> None:
    for info in (None, IdentifiedKey(0)):
        content, envelope = general(info)
        assert opened(content, OTHER, KEY, envelope=envelope) == PLAIN
        changed = GeneralCiphering(b"\1\3", TITLE, b"", b"", b"x", info, content)
        with pytest.raises(AccessDenied, match="authentication key is wrong, or the message was changed"):
            opened(content, KEY, envelope=changed)


def test_a_wrapped_key_is_unwrapped_with_the_key_that_can() -> None:
    content, envelope = general(WrappedKey(0, aes_key_wrap(MASTER, KEY)))
    assert opened(content, OTHER, MASTER, envelope=envelope) == PLAIN
    with pytest.raises(AccessDenied, match="encryption key is wrong"):
        opened(content, KEY, envelope=envelope)
    with pytest.raises(AccessDenied, match="master key is missing"):
        opened(content, envelope=envelope)


@pytest.mark.parametrize("wrap", [b"", b"\1", bytes(8), bytes(24), bytes(40)])
def test_a_wrap_that_is_none_is_no_crash(wrap: bytes) -> None:
    content, envelope = general(WrappedKey(0, wrap))
    with pytest.raises(AccessDenied):
        opened(content, MASTER, envelope=envelope)


def test_an_agreed_key_is_named() -> None:
    content, envelope = general(AgreedKey(b"\1", bytes(64)))
    with pytest.raises(AccessDenied, match="Diffie-Hellman"):
        opened(content, KEY, envelope=envelope)


def test_a_right_key_over_an_unknown_body_is_believed() -> None:
    strange = b"\x0f\0\0\0\0\0\xee\xee"  # a notification whose body nobody can read
    assert opened(protect(strange, 0x20, Keys(KEY), TITLE, 1), KEY, auth=None) == strange
    untimed = b"\x0f\0\0\0\1" + b"\x02\x01\x06\0\0\0\5"
    assert opened(protect(untimed, 0x20, Keys(KEY), TITLE, 1), KEY, auth=None) == untimed
