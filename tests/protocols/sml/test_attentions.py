"""Answers without data: what a server reports, in words."""

import pytest

from polymeter.protocols import sml
from polymeter.protocols.sml.attentions import WORDS, attention_words, refusal
from polymeter.protocols.sml.elements import ABSENT, Element

NAME = b"\x81\x81\xc7\x8c\x01\xff"


def attention(number: bytes | None, message: bytes | None = None, details: Element = ABSENT) -> sml.Message:
    fields = (sml.octets(b"server"), sml.octets(number), sml.octets(message), details)
    return sml.Message(b"1", 0, 0, sml.TAGS["Attention.Res"], sml.listing(*fields))


def coded(number: int) -> bytes:
    return bytes.fromhex("8181c7c7") + number.to_bytes(2, "big")


@pytest.mark.parametrize("number", WORDS)
def test_every_number_has_words_and_those_of_refusals_are_an_error(number: int) -> None:
    assert attention_words(coded(number)) == WORDS[number]
    reported = refusal(attention(coded(number)).body)
    assert reported == (None if number >> 8 == 0xFD else f"the server reports: {WORDS[number]}")


def test_a_makers_own_number_is_shown_and_refuses() -> None:
    assert attention_words(coded(0xFE77)) == "attention 8181c7c7fe77"
    assert attention_words(b"\x01\x02") == "attention 0102"
    assert refusal(attention(b"\x01\x02").body) == "the server reports: attention 0102"


def test_what_the_server_adds_is_told_too() -> None:
    assert (
        refusal(attention(coded(0xFE03), b"not now").body) == "the server reports: no such server (not now)"
    )


def test_a_refusal_is_an_error_of_a_valid_frame() -> None:
    for explain in (False, True):
        (decoded,) = sml.decode(sml.Connection().send([attention(coded(0xFE02))]), explain=explain)
        assert decoded.valid
        assert [error.message for error in decoded.errors] == [
            "the server reports: user or password does not suffice"
        ]
        assert decoded.records == ()
        assert decoded.meter.id == b"server".hex()


def test_a_good_attention_is_no_error() -> None:
    (decoded,) = sml.decode(sml.Connection().send([attention(coded(0xFD00))]))
    assert decoded.valid
    assert decoded.errors == ()


def test_the_parameters_of_an_attention_are_read() -> None:
    value = sml.listing(sml.unsigned(1, 1), sml.unsigned(99, 1))
    details = sml.listing(sml.octets(NAME), value, ABSENT)
    (decoded,) = sml.decode(sml.Connection().send([attention(coded(0xFE09), None, details)]))
    assert [(record.obis, record.value) for record in decoded.records] == [("129-129:199.140.1*255", 99)]


def test_an_attention_without_a_body_reports_nothing() -> None:
    assert refusal(ABSENT) is None
    (decoded,) = sml.decode(sml.Connection().send([attention(coded(0xFD00))._replace(body=ABSENT)]))
    assert decoded.valid
