"""Refusals of whole APDUs, in words."""

from __future__ import annotations

import itertools

import pytest

from polymeter.protocols.dlms.apdus import (
    ConfirmedServiceError,
    ExceptionResponse,
    decode_apdu,
    encode_apdu,
)
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError


def test_refusals_read_as_words() -> None:
    assert str(decode_apdu(bytes.fromhex("d80101"))) == "service not allowed, operation not possible"
    assert (
        str(decode_apdu(bytes.fromhex("0e060102")))
        == "write refused: hardware resource, processor resource unavailable"
    )
    assert decode_apdu(bytes.fromhex("d8010600000005")) == ExceptionResponse(1, 6, 5)


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        ("d80102", "service not allowed, service not supported"),
        ("d80204", "service unknown, pdu too long"),
        ("d80105", "service not allowed, deciphering error"),
        ("d80907", "9, 7"),
        ("0e010006", "initiate refused: application reference, deciphering error"),
        ("0e010602", "initiate refused: initiate, incompatible conformance"),
        ("0e050504", "read refused: access, object unavailable"),
        ("0e0505ff", "read refused: access, code 255"),
        ("0e050800", "read refused: error class 8, code 0"),
        ("0e630a00", "service 99 refused: other, other"),
    ],
)
def test_numbers_read_as_words_and_unknown_ones_as_themselves(octets: str, words: str) -> None:
    assert str(decode_apdu(bytes.fromhex(octets))) == words


def test_every_number_has_words() -> None:
    for service, error, code in itertools.product((0, 5, 19, 255), range(12), (0, 3, 200)):
        text = str(ConfirmedServiceError(service, error, code))
        assert " refused: " in text
        assert "," in text


@pytest.mark.parametrize("counter", [None, 0, 5, (1 << 32) - 1])
def test_only_a_counter_error_carries_a_counter_and_may_leave_it_out(counter: int | None) -> None:
    refusal = ExceptionResponse(1, 6, counter)
    encoded = encode_apdu(refusal)
    assert len(encoded) == (3 if counter is None else 7)
    assert decode_apdu(encoded) == refusal
    with pytest.raises(RemoteProtocolError):
        decode_apdu(encoded[:3] + bytes(3))
    if counter is not None:
        with pytest.raises(LocalProtocolError, match="only an invocation counter error"):
            encode_apdu(ExceptionResponse(1, 5, counter))
        with pytest.raises(RemoteProtocolError, match="after the end"):
            decode_apdu(b"\xd8\x01\x05" + encoded[3:])
