"""Opening and closing associations."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.dlms.acse import (
    AARE,
    AARQ,
    RLRE,
    RLRQ,
    Context,
    Mechanism,
    Result,
    decode_acse,
    encode_acse,
)
from polymeter.protocols.wire import RemoteProtocolError, Tree

LLS = bytes.fromhex(
    "6036a1090607608574050801018a0207808b0760857405080201ac0a80083132333435363738"
    "be10040e01000000065f1f0400007e1f04b0"
)
ACCEPTED = bytes.fromhex(
    "6129a109060760857405080101a203020100a305a103020100be10040e0800065f1f040000501f01f40007"
)
EXAMPLES = [
    LLS,
    ACCEPTED,
    bytes.fromhex("6203800100"),
    bytes.fromhex("6303800100"),
    bytes.fromhex("6200"),
    bytes(AARQ.of(Context.LN_CIPHERED, Mechanism.HLS_GMAC, b"challenge", b"MMM\0\0\0\0\1", b"\x21\x01x")),
]


def test_the_request_of_a_client_with_a_password() -> None:
    request = decode_acse(LLS)
    assert isinstance(request, AARQ)
    assert (request.context, request.mechanism) == (Context.LN, Mechanism.LLS)
    assert request.authentication_value == b"12345678"
    assert request.user_information == bytes.fromhex("01000000065f1f0400007e1f04b0")
    assert "12345678" not in repr(request)
    assert bytes(AARQ.of(Context.LN, Mechanism.LLS, b"12345678", None, request.user_information)) == LLS


def test_the_answer_of_a_meter() -> None:
    answer = decode_acse(ACCEPTED)
    assert isinstance(answer, AARE)
    assert (answer.result, answer.refusal, answer.notes) == (Result.ACCEPTED, None, ())
    assert bytes(AARE.of(Context.LN, user_information=answer.user_information)) == ACCEPTED


def test_a_refusal_reads_as_words() -> None:
    refused = AARE.of(Context.LN, result=Result.REJECTED_PERMANENT, diagnostic=13)
    again = decode_acse(bytes(refused))
    assert again == refused
    assert again.refusal == "refused permanently: authentication failure"


optional = st.none() | st.binary(max_size=140)
numbers = st.none() | st.integers(0, 1 << 40)
shared = {
    "context_name": st.binary(min_size=1, max_size=8),
    "protocol_version": optional,
    "ap_title": optional,
    "ae_qualifier": optional,
    "ap_invocation_id": numbers,
    "ae_invocation_id": numbers,
    "requirements": optional,
    "mechanism_name": st.none() | st.binary(min_size=1, max_size=8),
    "authentication_value": optional,
    "implementation_information": optional,
    "user_information": optional,
}
called = {
    "called_ap_title": optional,
    "called_ae_qualifier": optional,
    "called_ap_invocation_id": numbers,
    "called_ae_invocation_id": numbers,
}
apdus = st.one_of(
    st.builds(AARQ, **shared, **called),
    st.builds(
        AARE,
        **shared,
        result=st.integers(0, 255),
        diagnostic_source=st.integers(1, 2),
        diagnostic=st.integers(0, 255),
    ),
    st.builds(RLRQ, reason=st.none() | st.integers(0, 127), user_information=optional),
    st.builds(RLRE, reason=st.none() | st.integers(0, 127), user_information=optional),
)


@given(apdus)
def test_all_fields_survive_both_ways(apdu) -> None:
    encoded = encode_acse(apdu)
    tree = Tree(encoded, "APDU")
    decoded = decode_acse(encoded, tree)
    assert decoded == apdu
    assert bytes(decoded) == encoded
    assert decoded.received is None
    leaves = sorted(tree.finish().leaves(), key=lambda node: node.offset)
    assert b"".join(leaf.raw for leaf in leaves) == encoded


@pytest.mark.parametrize("octets", ["6305800100", "6301800100", "6200800100", "63058001"])
def test_pitfall_7_a_release_with_a_wrong_length_is_taken_with_a_note(octets: str) -> None:
    """Pitfall 7."""
    encoded = bytes.fromhex(octets)
    try:
        released = decode_acse(encoded)
    except RemoteProtocolError:
        assert octets == "63058001"  # here the reason itself is cut
        return
    assert released.reason == 0
    assert "length" in released.notes[0]
    assert bytes(released) == encoded


def test_unusual_forms_are_restored() -> None:
    longer = b"\x60\x81\x36" + LLS[2:]
    assert bytes(decode_acse(longer)) == longer
    unknown = bytes.fromhex("610fa10906076085740508010199020102")
    decoded = decode_acse(unknown)
    assert decoded.notes == ("unknown field 99 at 13",)
    assert bytes(decoded) == unknown


def test_a_context_that_is_not_of_cosem_is_none() -> None:
    assert AARQ(context_name=b"\x60\x01").context is None
    assert AARQ(mechanism_name=b"\x60\x01").mechanism is None
    assert AARQ().mechanism is Mechanism.NONE


@pytest.mark.parametrize("octets", ["", "64", "6000", "60", "6136", "61ff", "6105a203020100"])
def test_what_is_no_acse_is_refused(octets: str) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_acse(bytes.fromhex(octets))


def test_mutations_raise_only_our_errors_and_what_passes_is_exact() -> None:
    chance = random.Random(7)
    for _ in range(5000):
        octets = bytearray(chance.choice(EXAMPLES))
        for _ in range(chance.randint(1, 4)):
            octets[chance.randrange(len(octets))] = chance.randrange(256)
        mutated = bytes(octets[: chance.randint(1, len(octets))])
        try:
            assert bytes(decode_acse(mutated)) == mutated
        except RemoteProtocolError:
            continue
