"""Envelopes: one for each service under either key, and the general ones."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.dlms.apdus import (
    DEDICATED_TAGS,
    GLOBAL_TAGS,
    AgreedKey,
    GeneralCiphering,
    GeneralDedCiphering,
    GeneralGloCiphering,
    IdentifiedKey,
    ServiceCiphering,
    WrappedKey,
    decode_apdu,
    encode_apdu,
)
from polymeter.protocols.dlms.apdus.base import APDU_TAGS
from tests.protocols.dlms.apdus.quick import check_quick_way


def test_every_service_has_its_ciphered_forms() -> None:
    glo = ServiceCiphering.of(0xC0, b"x")
    assert bytes(glo) == b"\xc8\x01x"
    assert not glo.dedicated
    ded = ServiceCiphering.of(0xC4, b"x", dedicated=True)
    assert bytes(ded) == b"\xd4\x01x"
    assert decode_apdu(bytes(ded)).dedicated


@pytest.mark.parametrize("size", [0, 1, 127, 128, 255, 256, 70000])
def test_pitfall_4_the_length_of_general_glo_is_a_ber_length(size: int) -> None:
    """Pitfall 4: wrong from 128 octets on elsewhere."""
    envelope = GeneralGloCiphering(b"MMM\0\0\0\0\1", bytes(size))
    encoded = bytes(envelope)
    assert decode_apdu(encoded) == envelope
    assert len(encoded) == 10 + size + (1 if size < 128 else 2 if size < 256 else 3 if size < 65536 else 4)


def test_tags_of_either_key_are_their_own() -> None:
    tags = [*GLOBAL_TAGS, *GLOBAL_TAGS.values(), *DEDICATED_TAGS.values(), 0xDB, 0xDC, 0xDD, 0xDF, 0xE0]
    assert len(set(tags)) == len(tags)
    assert GLOBAL_TAGS.keys() == DEDICATED_TAGS.keys()
    assert set(tags) <= APDU_TAGS
    for service in GLOBAL_TAGS:
        offset = 0x20 if service < 0x80 else 0x08
        assert GLOBAL_TAGS[service] == service + offset
        assert DEDICATED_TAGS[service] == service + (0x40 if service < 0x80 else 0x10)
        for dedicated in (False, True):
            envelope = ServiceCiphering.of(service, b"x", dedicated=dedicated)
            decoded = decode_apdu(bytes(envelope))
            assert isinstance(decoded, ServiceCiphering)
            assert (decoded.service, decoded.dedicated) == (service, dedicated)
            assert decoded.TITLE.startswith("ded-" if dedicated else "glo-")


@given(st.binary(max_size=20), st.integers(0, 400), st.data())
def test_the_quick_way_to_an_envelope_is_the_same_way(title: bytes, size: int, data: st.DataObject) -> None:
    encoded = bytearray(encode_apdu(GeneralGloCiphering(title, bytes(size))))
    for _ in range(data.draw(st.integers(0, 2))):
        encoded[data.draw(st.integers(1, min(len(encoded), 24) - 1))] = data.draw(st.integers(0, 255))
    octets = bytes(encoded)
    found = check_quick_way(octets)
    assert found is None or bytes(found) == octets


octets = st.binary(max_size=200)
infos = st.one_of(
    st.none(),
    st.builds(IdentifiedKey, st.integers(0, 255)),
    st.builds(WrappedKey, st.integers(0, 255), octets),
    st.builds(AgreedKey, octets, octets),
)


@given(st.tuples(octets, octets, octets, octets, octets), infos, octets)
def test_what_general_ciphering_says_about_itself_is_what_stands_before_the_key(
    fields: tuple[bytes, ...], info: Any, content: bytes
) -> None:
    envelope = GeneralCiphering(*fields, info, content)
    encoded = bytes(envelope)
    assert encoded.startswith(b"\xdd" + envelope.about + (b"\0" if info is None else b"\1"))
    assert decode_apdu(encoded) == envelope


def test_a_dedicated_envelope_is_no_global_one() -> None:
    same = b"TITLE\0\0\1", b"content"
    assert bytes(GeneralDedCiphering(*same))[1:] == bytes(GeneralGloCiphering(*same))[1:]
    assert isinstance(decode_apdu(bytes(GeneralDedCiphering(*same))), GeneralDedCiphering)
