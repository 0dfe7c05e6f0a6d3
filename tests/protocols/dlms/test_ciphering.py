"""The security context: envelopes both ways, what is demanded, and counters that outlive it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from polymeter.protocols.dlms.apdus import (
    AgreedKey,
    GeneralCiphering,
    GeneralDedCiphering,
    GeneralGloCiphering,
    IdentifiedKey,
    ServiceCiphering,
    WrappedKey,
    decode_apdu,
)
from polymeter.protocols.dlms.ciphering import CounterRefused, ForeignTitle, Security, SecurityContext
from polymeter.protocols.dlms.counters import MemoryCounters
from polymeter.protocols.dlms.security import AUTHENTICATED, ENCRYPTED, Keys, protect
from polymeter.protocols.wire import AccessDenied, LocalProtocolError

KEYS = Keys(bytes(range(16)), bytes(range(16, 32)))
OURS, THEIRS = b"PMC\0\0\0\0\1", b"PMX\0\0\0\0\1"
GET = bytes.fromhex("c00141000300000108 00ff0200".replace(" ", ""))
PUSH = bytes.fromhex("0f000000010000")
DEDICATED = bytes(range(32, 48))


def ends(**security: object) -> tuple[SecurityContext, SecurityContext]:
    """Two contexts that know each other."""
    one = SecurityContext(Security(KEYS, OURS, THEIRS, **security))  # type: ignore[arg-type]
    other = SecurityContext(Security(KEYS, THEIRS, OURS), mirrors=True)
    return one, other


def carry(one: SecurityContext, other: SecurityContext, plain: bytes = GET) -> object:
    envelope = decode_apdu(one.seal(plain))
    assert isinstance(envelope, ServiceCiphering | GeneralGloCiphering | GeneralDedCiphering)
    assert other.open(envelope).plaintext == plain
    return envelope


def test_services_have_envelopes_of_their_own_and_others_the_general_one() -> None:
    one, other = ends()
    assert isinstance(carry(one, other), ServiceCiphering)
    assert isinstance(carry(one, other, PUSH), GeneralGloCiphering)
    general, other = ends(general=True)
    assert isinstance(carry(general, other), GeneralGloCiphering)


def test_an_answer_comes_in_the_kind_of_envelope_of_its_request() -> None:
    one, other = ends(general=True)
    carry(one, other)
    assert isinstance(carry(other, one), GeneralGloCiphering)
    one, other = ends()
    carry(one, other)
    assert isinstance(carry(other, one), ServiceCiphering)


def test_a_dedicated_key_has_counters_of_its_own() -> None:
    one, other = ends()
    carry(one, other)
    for context in (one, other):
        context.use_dedicated(DEDICATED)
    envelope = carry(one, other)
    assert isinstance(envelope, ServiceCiphering)
    assert envelope.dedicated
    assert envelope.content[1:5] == bytes(4)
    again, other = ends(general=True)
    for context in (again, other):
        context.use_dedicated(DEDICATED)
    assert isinstance(carry(again, other), GeneralDedCiphering)
    one.use_dedicated(None)
    assert isinstance(carry(one, ends()[1]), ServiceCiphering)


def test_a_dedicated_key_that_was_never_agreed_is_told() -> None:
    one, other = ends()
    one.use_dedicated(DEDICATED)
    envelope = decode_apdu(one.seal(GET))
    with pytest.raises(AccessDenied, match="none was agreed"):
        other.open(envelope)  # type: ignore[arg-type]


def test_pitfall_6_an_empty_system_title_stands_for_the_one_negotiated() -> None:
    """Pitfall 6: the IV takes the title of the association."""
    _, other = ends()
    content = protect(PUSH, AUTHENTICATED | ENCRYPTED, KEYS, OURS, 5)
    assert other.open(GeneralGloCiphering(b"", content)).plaintext == PUSH


def test_pitfall_6_a_tag_without_an_authentication_key_is_decrypted_and_counted_as_unverified() -> None:
    """Pitfall 6: better an unverified value than none, if the caller has not asked for more."""
    poor = SecurityContext(Security(Keys(KEYS.encryption), OURS, THEIRS, control=ENCRYPTED))
    content = protect(PUSH, AUTHENTICATED | ENCRYPTED, KEYS, THEIRS, 5)
    opened = poor.open(GeneralGloCiphering(THEIRS, content))
    assert opened.plaintext == PUSH
    assert not opened.verified
    assert poor.unverified == 1


@pytest.mark.parametrize(
    ("control", "lacking"), [(ENCRYPTED, "authenticated"), (AUTHENTICATED, "encrypted"), (0, "authenticated")]
)
def test_less_protection_than_agreed_is_refused(control: int, lacking: str) -> None:
    _, other = ends()
    content = protect(GET, control, KEYS, OURS, 5)
    with pytest.raises(AccessDenied, match=f"not {lacking}"):
        other.open(ServiceCiphering.of(0xC0, content))


def test_replayed_and_lowered_counters_are_told_apart_and_survive_a_restart() -> None:
    stored = MemoryCounters()
    high, low = (
        ServiceCiphering.of(0xC0, protect(GET, AUTHENTICATED | ENCRYPTED, KEYS, OURS, counter))
        for counter in (9, 8)
    )
    SecurityContext(Security(KEYS, THEIRS, OURS, counters=stored)).open(high)
    restarted = SecurityContext(Security(KEYS, THEIRS, OURS, counters=MemoryCounters(stored.state)))
    with pytest.raises(CounterRefused, match=r"replayed \(last seen 9\)"):
        restarted.open(high)
    with pytest.raises(CounterRefused, match="lower than the last one"):
        restarted.open(low)


def test_a_forged_message_teaches_no_title() -> None:
    """Who has not proved to know the key does not become the other end."""
    context = SecurityContext(Security(KEYS, OURS))
    stranger = b"PMZ\0\0\0\0\7"
    forged = protect(PUSH, AUTHENTICATED | ENCRYPTED, Keys(KEYS.encryption, bytes(16)), stranger, 5)
    with pytest.raises(AccessDenied):
        context.open(GeneralGloCiphering(stranger, forged))
    assert context.peer_title is None
    content = protect(PUSH, AUTHENTICATED | ENCRYPTED, KEYS, THEIRS, 5)
    assert context.open(GeneralGloCiphering(THEIRS, content)).plaintext == PUSH
    assert context.peer_title == THEIRS


@pytest.mark.parametrize("kind", [GeneralGloCiphering, GeneralCiphering])
def test_within_an_association_another_title_is_foreign_even_with_the_right_keys(kind: type) -> None:
    one, _ = ends()
    stranger = b"PMZ\0\0\0\0\7"
    general = GeneralCiphering(b"", stranger, b"", b"", b"", None, b"")
    about = general.about if kind is GeneralCiphering else b""
    content = protect(PUSH, AUTHENTICATED | ENCRYPTED, KEYS, stranger, 5, about)
    sealed = replace(general, content=content) if about else GeneralGloCiphering(stranger, content)
    with pytest.raises(ForeignTitle, match="is PMZ 0000000007, expected is PMX 0000000001"):
        one.open(sealed)
    # The next association may be with somebody else, if nobody says with whom.
    free = SecurityContext(Security(KEYS, OURS))
    free.learn_title(THEIRS)
    with pytest.raises(ForeignTitle):
        free.open(sealed)
    free.forget()
    assert free.open(sealed).plaintext == PUSH


@pytest.mark.parametrize("info", [None, IdentifiedKey(0)])
def test_general_ciphering_under_the_key_that_both_have_is_opened(info: IdentifiedKey | None) -> None:
    one, _ = ends()
    sealed = GeneralCiphering(b"\1\2", THEIRS, OURS, b"", b"about", info, b"")
    content = protect(PUSH, AUTHENTICATED | ENCRYPTED, KEYS, THEIRS, 5, sealed.about)
    assert one.open(replace(sealed, content=content)).plaintext == PUSH
    other = replace(sealed, content=content, other_information=b"forged")
    with pytest.raises(AccessDenied, match="authentication key"):
        ends()[0].open(other)


@pytest.mark.parametrize("info", [WrappedKey(0, bytes(24)), AgreedKey(b"\1", bytes(64))])
def test_a_key_that_comes_along_is_refused_in_an_association(info: WrappedKey | AgreedKey) -> None:
    content = protect(PUSH, AUTHENTICATED | ENCRYPTED, KEYS, THEIRS, 5)
    with pytest.raises(AccessDenied, match="brings its own key"):
        ends()[0].open(GeneralCiphering(b"", THEIRS, b"", b"", b"", info, content))


def test_what_was_agreed_is_forgotten_with_the_association() -> None:
    context = SecurityContext(Security(KEYS, OURS))
    context.learn_title(THEIRS)
    context.use_dedicated(DEDICATED)
    context.forget()
    assert context.peer_title is None
    sealed = decode_apdu(context.seal(GET))
    assert isinstance(sealed, ServiceCiphering)
    assert not sealed.dedicated


def test_with_blocks_of_one_several_contexts_take_turns() -> None:
    counters = MemoryCounters()
    first, second = (SecurityContext(Security(KEYS, OURS, counters=counters), block=1) for _ in range(2))
    assert [context.take_counter() for context in (first, second, first, first, second)] == [0, 1, 2, 3, 4]


def test_a_first_counter_of_zero_is_fine() -> None:
    _, other = ends()
    content = protect(GET, AUTHENTICATED | ENCRYPTED, KEYS, OURS, 0)
    assert other.open(ServiceCiphering.of(0xC0, content)).plaintext == GET


def test_a_forged_message_does_not_move_the_counter() -> None:
    _, other = ends()
    forged = protect(GET, AUTHENTICATED | ENCRYPTED, Keys(KEYS.encryption, bytes(16)), OURS, 4_000_000)
    with pytest.raises(AccessDenied, match="authentication key"):
        other.open(ServiceCiphering.of(0xC0, forged))
    content = protect(GET, AUTHENTICATED | ENCRYPTED, KEYS, OURS, 1)
    assert other.open(ServiceCiphering.of(0xC0, content)).plaintext == GET


def test_titles_of_the_wrong_length_are_refused() -> None:
    with pytest.raises(LocalProtocolError, match="8 octets"):
        Security(KEYS, b"short")
    with pytest.raises(LocalProtocolError, match="authentication key"):
        Security(Keys(KEYS.encryption), OURS)
    context = SecurityContext(Security(KEYS, OURS))
    with pytest.raises(AccessDenied, match="has not 8 octets"):
        context.learn_title(b"short")
    context.learn_title(None)
    context.learn_title(THEIRS)
    assert context.peer_title == THEIRS
