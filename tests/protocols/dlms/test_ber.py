"""The little of BER that ACSE needs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.dlms.ber import decode_element, decode_oid, encode_element, encode_oid
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError


@given(st.integers(0, 255), st.binary(max_size=300), st.binary(max_size=5), st.binary(max_size=5))
def test_an_element_is_found_where_it_stands(tag: int, content: bytes, before: bytes, after: bytes) -> None:
    encoded = encode_element(tag, content)
    found = decode_element(before + encoded + after, len(before))
    assert (found.tag, found.content) == (tag, content)
    assert (found.start, found.end) == (len(before), len(before) + len(encoded))
    assert found.content_start == found.end - len(content)


@given(st.binary(max_size=300), st.data())
def test_an_element_may_not_pass_the_end_of_what_holds_it(content: bytes, data: st.DataObject) -> None:
    encoded = encode_element(0xA1, content)
    end = data.draw(st.integers(0, len(encoded) - 1))
    with pytest.raises(RemoteProtocolError):
        decode_element(encoded, 0, end)
    with pytest.raises(RemoteProtocolError):
        decode_element(encoded[:end], 0)
    assert decode_element(encoded + b"more", 0, len(encoded)).content == content


def test_a_length_without_end_is_refused_with_its_place() -> None:
    with pytest.raises(RemoteProtocolError, match="needs 4294967295 octets, 0 are left") as caught:
        decode_element(b"\0\xa1\x84\xff\xff\xff\xff", 1)
    assert caught.value.offset == 2
    with pytest.raises(RemoteProtocolError, match="missing") as caught:
        decode_element(b"ab", 2)
    assert caught.value.offset == 2


@given(st.tuples(st.integers(0, 2), st.integers(0, 39)), st.lists(st.integers(0, 1 << 20), max_size=5))
def test_object_identifiers(first: tuple[int, int], rest: list[int]) -> None:
    numbers = (*first, *rest)
    assert decode_oid(encode_oid(numbers)) == numbers
    assert decode_oid(bytes.fromhex("60857405080101")) == (2, 16, 756, 5, 8, 1, 1)


def test_what_is_no_object_identifier_is_refused() -> None:
    for content in (b"", b"\x80"):
        with pytest.raises(RemoteProtocolError):
            decode_oid(content)
    for numbers in ((1,), (1, -1)):
        with pytest.raises(LocalProtocolError):
            encode_oid(numbers)


@given(st.binary(min_size=1, max_size=12).filter(lambda octets: octets[-1] < 0x80))
def test_whatever_is_read_as_an_object_identifier_means_the_same_again(octets: bytes) -> None:
    numbers = decode_oid(octets)
    assert decode_oid(encode_oid(numbers)) == numbers
    assert len(encode_oid(numbers)) <= len(octets)
