"""APDUs of every service: both ways, exactly, bounded."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymeter.protocols.dlms.apdus import (
    ActionRequestNormal,
    ActionResponse,
    ActionResponseNormal,
    AttributeDescriptor,
    DataNotification,
    ExceptionResponse,
    GetRequestNormal,
    GetResponseNormal,
    MethodDescriptor,
    SetRequestWithDatablock,
    SetRequestWithFirstDatablock,
    decode_apdu,
    encode_apdu,
)
from polymeter.protocols.dlms.apdus.base import APDU
from polymeter.protocols.dlms.axdr import Data
from polymeter.protocols.dlms.data import Item, Tag
from polymeter.protocols.obis import OBIS
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError, Tree
from tests.protocols.dlms.strategies import CLASSES, any_apdu

CLOCK = OBIS(0, 0, 1, 0, 0, 255)


@settings(max_examples=600)
@given(any_apdu)
def test_every_apdu_encodes_to_the_octets_it_was_decoded_from(apdu: APDU) -> None:
    encoded = encode_apdu(apdu)
    decoded = decode_apdu(encoded)
    assert decoded == apdu
    assert type(decoded) is type(apdu)
    assert bytes(decoded) == encoded


@settings(max_examples=300)
@given(any_apdu)
def test_the_tree_covers_every_octet_once(apdu: APDU) -> None:
    encoded = encode_apdu(apdu)
    tree = Tree(encoded, "APDU")
    assert decode_apdu(encoded, tree) == apdu
    leaves = sorted(tree.finish().leaves(), key=lambda node: node.offset)
    assert b"".join(leaf.raw for leaf in leaves) == encoded
    assert all(leaf.name != "unexplained" for leaf in leaves)


@settings(max_examples=300)
@given(any_apdu, st.data())
def test_a_cut_or_lengthened_apdu_is_an_error_with_its_place(apdu: APDU, data: st.DataObject) -> None:
    encoded = encode_apdu(apdu)
    with pytest.raises(RemoteProtocolError):
        decode_apdu(encoded + b"\x00")
    cut = encoded[: data.draw(st.integers(0, len(encoded) - 1))]
    try:
        assert bytes(decode_apdu(cut)) == cut  # some forms are the beginning of others
    except RemoteProtocolError as error:
        assert 0 <= error.offset <= len(cut)


def test_mutations_raise_only_our_errors_and_what_passes_is_exact() -> None:
    chance = random.Random(4)
    seeds = [bytes.fromhex(text) for text in EXAMPLES]
    for _ in range(5000):
        octets = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 4)):
            octets[chance.randrange(len(octets))] = chance.randrange(256)
        mutated = bytes(octets[: chance.randint(1, len(octets))])
        try:
            decoded = decode_apdu(mutated)
        except RemoteProtocolError as error:
            assert 0 <= error.offset <= len(mutated)
        else:
            assert bytes(decoded) == mutated


EXAMPLES = [
    "c001c100080000010000ff0200",
    "c001c100010000800000ff0200",
    "c001c10007010063 0100ff02 01 01 0204 0204 120008 09060000010000ff 0f02 120000"
    " 090c07e60101ff000000ff800000 090c07e60102ff000000ff800000 0100".replace(" ", ""),
    "c401c1000906000000000001",
    "c401c10104",
    "c402c1000000000100060102030405 06".replace(" ", ""),
    "c403c102000600000001 0103".replace(" ", ""),
    "c101c100080000010000ff0200090c07e60101ff000000ff800000",
    "c103c1010000000203010203",
    "c301c1000f0000280000ff0101 0910000102030405060708090a0b0c0d0e0f".replace(" ", ""),
    "c701c100010009100102030405060708090a0b0c0d0e0f10",
    "c7010000 00".replace(" ", ""),
    "01000000065f1f0400001e1dffff",
    "0800065f1f0400001e1d04000007",
    "d80101",
    "d8010600000005",
    "0e060101",
    "0f00000001 00 02020600000001 1200ff".replace(" ", ""),
    "c20000010000600100ff020905 3132333435".replace(" ", ""),
    "e0c0000100000401020304",
    "0501020078",
    "0c0100060000000a",
    "db084d4d4d00000000018120" + "30000000010102030405060708090a0b0c0d0e0f101112131415161718191a1b",
]


def test_the_examples_decode_exactly() -> None:
    for text in EXAMPLES:
        octets = bytes.fromhex(text)
        assert bytes(decode_apdu(octets)) == octets, text


def test_well_known_requests() -> None:
    request = GetRequestNormal(0xC1, AttributeDescriptor(8, CLOCK, 2))
    assert bytes(request).hex() == "c001c100080000010000ff0200"
    call = ActionRequestNormal(
        0xC1, MethodDescriptor(70, OBIS(0, 0, 96, 3, 10, 255), 1), Data.of(Item(Tag.INTEGER, 0))
    )
    assert bytes(call).hex() == "c301c10046000060030aff01010f00"
    answer = decode_apdu(bytes.fromhex("c701c1000100 0600000001".replace(" ", "")))
    assert answer == ActionResponseNormal(0xC1, ActionResponse(0, Data(b"\x06\0\0\0\1", 1)))


def test_pitfall_1_a_truncated_selection_is_refused() -> None:
    """Pitfall 1, the whole request of 17 octets."""
    with pytest.raises(RemoteProtocolError):
        decode_apdu(bytes.fromhex("c001c100070100630100ff020101020402"))


def test_the_set_descriptor_goes_in_the_first_block_only() -> None:
    assert "attribute" in SetRequestWithFirstDatablock.FIELDS
    assert "attribute" not in SetRequestWithDatablock.FIELDS


def test_what_does_not_fit_is_our_error() -> None:
    for apdu in (
        GetRequestNormal(300, AttributeDescriptor(8, CLOCK, 2)),
        GetResponseNormal(1, "x"),  # type: ignore[arg-type]
        DataNotification(1, b"", b"\x11\x05"),  # type: ignore[arg-type]
        ExceptionResponse(1, 1, 5),
    ):
        with pytest.raises(LocalProtocolError):
            encode_apdu(apdu)


def test_all_services_are_there() -> None:
    assert len(CLASSES) > 60
