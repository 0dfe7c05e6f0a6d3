"""What an association negotiates."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.dlms import apdus
from polymeter.protocols.dlms.apdus import (
    Conformance,
    InitiateRequest,
    InitiateResponse,
    NegotiatedConformance,
    decode_apdu,
)
from polymeter.protocols.wire import RemoteProtocolError, Tree


def test_conformance_names_its_bits_as_the_standard_numbers_them() -> None:
    request = decode_apdu(bytes.fromhex("01000000065f1f0400001e1dffff"))
    assert isinstance(request, InitiateRequest)
    expected = (
        Conformance.GET
        | Conformance.SET
        | Conformance.SELECTIVE_ACCESS
        | Conformance.ACTION
        | Conformance.BLOCK_TRANSFER_WITH_GET_OR_READ
        | Conformance.BLOCK_TRANSFER_WITH_SET_OR_WRITE
        | Conformance.BLOCK_TRANSFER_WITH_ACTION
        | Conformance.MULTIPLE_REFERENCES
    )
    assert request.conformance == expected
    response = decode_apdu(bytes.fromhex("0800065f1f0400001e1d04000007"))
    assert isinstance(response, InitiateResponse)
    assert (response.max_receive_pdu_size, response.vaa_name) == (1024, apdus.VAA_NAME_LN)


def test_a_dedicated_key_is_not_shown() -> None:
    assert "secret" not in repr(InitiateRequest(b"secret", None, None, 6, Conformance.GET, 1024))


STANDARD = [
    "reserved",
    "general-protection",
    "general-block-transfer",
    "read",
    "write",
    "unconfirmed-write",
    "delta-value-encoding",
    "reserved",
    "attribute-0-supported-with-set",
    "priority-mgmt-supported",
    "attribute-0-supported-with-get",
    "block-transfer-with-get-or-read",
    "block-transfer-with-set-or-write",
    "block-transfer-with-action",
    "multiple-references",
    "information-report",
    "data-notification",
    "access",
    "parameterized-access",
    "get",
    "set",
    "selective-access",
    "event-notification",
    "action",
]
"""The bits in their order, the first in the highest bit of the first octet."""


@pytest.mark.parametrize("bit", range(24))
def test_every_bit_has_its_place(bit: int) -> None:
    octets = bytes.fromhex("0800065f1f0400") + (1 << 23 - bit).to_bytes(3, "big") + bytes.fromhex("01f40007")
    tree = Tree(octets, "APDU")
    response = decode_apdu(octets, tree)
    assert isinstance(response, InitiateResponse)
    meaning = next(leaf.meaning for leaf in tree.finish().leaves() if leaf.name == "conformance")
    if STANDARD[bit] == "reserved":
        assert not meaning
    else:
        assert meaning == STANDARD[bit]
        assert Conformance[STANDARD[bit].upper().replace("-", "_")] == response.conformance
    assert bytes(response) == octets


@given(st.integers(0, (1 << 24) - 1), st.booleans(), st.booleans())
def test_old_meters_write_the_tag_in_one_octet(bits: int, request: bool, old: bool) -> None:
    found: Conformance | NegotiatedConformance = Conformance(bits)
    if old:
        found = NegotiatedConformance(Conformance(bits))
    apdu = (
        InitiateRequest(None, None, None, 6, found, 500)
        if request
        else InitiateResponse(None, 6, found, 500, apdus.VAA_NAME_LN)
    )
    encoded = bytes(apdu)
    assert (b"\x5f\x04\x00" in encoded) >= old
    decoded = decode_apdu(encoded)
    assert decoded == apdu
    assert type(decoded.conformance) is type(found)  # type: ignore[attr-defined]


@pytest.mark.parametrize("head", ["5f1f0500", "5f1f0408", "5f0500", "5e1f0400", "5f1f04ff"])
def test_another_tag_or_size_is_refused(head: str) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_apdu(bytes.fromhex("080006" + head + "00001e1d01f40007"))
