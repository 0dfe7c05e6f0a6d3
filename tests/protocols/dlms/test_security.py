"""Protected contents, suite by suite. The worked example is the one printed all over the field."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.dlms.acse import Mechanism
from polymeter.protocols.dlms.authentication import Exchange, answer
from polymeter.protocols.dlms.security import (
    AUTHENTICATED,
    BROADCAST,
    COMPRESSED,
    ENCRYPTED,
    Keys,
    protect,
    read_header,
    sender_title,
    system_title_text,
    unprotect,
)
from polymeter.protocols.wire import AccessDenied, LocalProtocolError, RemoteProtocolError

KEYS = Keys(bytes(range(16)), bytes(range(0xD0, 0xE0)))
TITLE = bytes.fromhex("4d4d4d0000bc614e")
REQUEST = bytes.fromhex("c0010000080000010000ff0200")
BOTH = AUTHENTICATED | ENCRYPTED


@pytest.mark.parametrize(
    ("control", "expected"),
    [
        (BOTH, "3001234567411312ff935a47566827c467bc7d825c3be4a77c3fcc056b6b"),
        (AUTHENTICATED, "1001234567c0010000080000010000ff020006725d910f9221d263877516"),
        (ENCRYPTED, "2001234567411312ff935a47566827c467bc"),
    ],
)
def test_the_worked_example(control: int, expected: str) -> None:
    content = protect(REQUEST, control, KEYS, TITLE, 0x01234567)
    assert content.hex() == expected
    opened = unprotect(content, KEYS, TITLE)
    assert opened.plaintext == REQUEST
    assert opened.header.invocation_counter == 0x01234567
    assert opened.verified == bool(control & AUTHENTICATED)


keys = st.binary(min_size=16, max_size=16)
titles = st.binary(min_size=8, max_size=8)


@given(st.binary(max_size=200), keys, keys, titles, st.integers(0, (1 << 32) - 1), st.data())
def test_pitfall_9_a_tag_of_twelve_octets_covers_everything(
    text: bytes, key: bytes, auth: bytes, title: bytes, counter: int, data: st.DataObject
) -> None:
    """Pitfall 9."""
    both = Keys(key, auth)
    content = protect(b"\x0f" + text, BOTH, both, title, counter)
    assert len(content) == 5 + 1 + len(text) + 12
    assert unprotect(content, both, title).plaintext == b"\x0f" + text
    changed = bytearray(content)
    changed[data.draw(st.integers(1, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(AccessDenied):
        unprotect(bytes(changed), both, title)


def test_pitfall_6_without_an_authentication_key_it_is_decrypted_and_unverified() -> None:
    """Pitfall 6."""
    content = protect(REQUEST, BOTH, KEYS, TITLE, 0)
    opened = unprotect(content, Keys(KEYS.encryption), TITLE)
    assert opened.plaintext == REQUEST
    assert not opened.verified


def test_pitfall_6_an_empty_system_title_stands_for_the_negotiated_one() -> None:
    """Pitfall 6."""
    assert sender_title(b"", TITLE) == TITLE
    assert sender_title(TITLE, b"") == TITLE


def test_each_cause_has_its_own_words() -> None:
    content = protect(REQUEST, BOTH, KEYS, TITLE, 5)
    with pytest.raises(AccessDenied, match="encryption key is wrong"):
        unprotect(content, Keys(bytes(16), KEYS.authentication), TITLE)
    with pytest.raises(AccessDenied, match="encryption key is wrong"):
        unprotect(content, Keys(bytes(16)), TITLE)
    with pytest.raises(AccessDenied, match="authentication key is wrong"):
        unprotect(content, Keys(KEYS.encryption, bytes(16)), TITLE)
    with pytest.raises(AccessDenied, match="wrong system title"):
        sender_title(TITLE, b"MMM\0\0\0\0\1")
    with pytest.raises(AccessDenied, match="no system title"):
        unprotect(content, KEYS, b"")
    with pytest.raises(AccessDenied, match="broadcast key, which is missing"):
        unprotect(bytes((BOTH | BROADCAST,)) + content[1:], KEYS, TITLE)
    with pytest.raises(AccessDenied, match="suite 5"):
        unprotect(b"\x35" + content[1:], KEYS, TITLE)
    with pytest.raises(AccessDenied, match="suite 2 has keys of 32 octets, this one has 16"):
        unprotect(b"\x32" + content[1:], KEYS, TITLE)
    with pytest.raises(AccessDenied, match="compressed"):
        unprotect(bytes((COMPRESSED,)) + content[1:], KEYS, TITLE)
    for cut in range(17):
        with pytest.raises(RemoteProtocolError):
            unprotect(content[:cut], KEYS, TITLE)


@pytest.mark.parametrize(("suite", "size"), [(0, 16), (1, 16), (2, 32)])
def test_every_suite_protects_alike_with_keys_of_its_size(suite: int, size: int) -> None:
    keys = Keys(bytes(range(size)), bytes(range(size)))
    for control in (AUTHENTICATED, ENCRYPTED, BOTH):
        content = protect(REQUEST, control | suite, keys, TITLE, 5)
        opened = unprotect(content, keys, TITLE)
        assert opened.plaintext == REQUEST
        assert opened.verified == bool(control & AUTHENTICATED)
        assert opened.header.suite == suite
        for other in {16, 32} - {size}:
            with pytest.raises(AccessDenied, match=f"suite {suite} has keys of {size} octets"):
                unprotect(content, Keys(bytes(other), bytes(other)), TITLE)


def test_what_the_envelope_says_is_under_the_tag_too() -> None:
    for control in (AUTHENTICATED, BOTH):
        content = protect(REQUEST, control, KEYS, TITLE, 5, b"\x08said")
        assert unprotect(content, KEYS, TITLE, b"\x08said").verified
        for other in (b"", b"\x08Said"):
            with pytest.raises(AccessDenied, match="the authentication key is wrong"):
                unprotect(content, KEYS, TITLE, other)


def test_the_broadcast_bit_chooses_the_broadcast_key() -> None:
    keys = Keys(bytes(16), KEYS.authentication, broadcast=bytes(range(1, 17)))
    content = protect(REQUEST, BOTH | BROADCAST, keys, TITLE, 7)
    assert unprotect(content, keys, TITLE).plaintext == REQUEST
    assert content != protect(REQUEST, BOTH, keys, TITLE, 7)
    assert "broadcast key" in str(read_header(content))


def test_keys_and_counters_that_do_not_fit_are_our_error() -> None:
    for wrong in (
        lambda: Keys(b"short"),
        lambda: Keys(bytes(16), b"short"),
        lambda: protect(REQUEST, 0x32, KEYS, TITLE, 1),
        lambda: protect(REQUEST, 0x33, KEYS, TITLE, 1),
        lambda: protect(REQUEST, BOTH | COMPRESSED, KEYS, TITLE, 1),
        lambda: protect(REQUEST, BOTH, KEYS, b"short", 1),
        lambda: protect(REQUEST, BOTH, KEYS, TITLE, 1 << 32),
        lambda: protect(REQUEST, BOTH, Keys(bytes(16)), TITLE, 1),
        lambda: answer(Mechanism.HLS_ECDSA, Exchange(b"x")),
        lambda: answer(Mechanism.HLS_GMAC, Exchange(b"x")),
    ):
        with pytest.raises(LocalProtocolError):
            wrong()
    assert "00010203" not in repr(KEYS)


def test_system_titles_read_as_words() -> None:
    assert system_title_text(b"KFM\x50\x00\x00\x09\x01") == "KFM 5000000901"
    assert system_title_text(b"\1") == "01"
