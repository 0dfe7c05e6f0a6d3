"""The type-length coding: what is written is read, and what is read is written again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.sml.elements import (
    ABSENT,
    DEPTH_MAX,
    END,
    INTEGER,
    LIST,
    OCTETS,
    UNSIGNED,
    Element,
    boolean,
    encode_element,
    integer,
    listing,
    octets,
    read_element,
    unsigned,
    walk,
)
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError


def numbers(size: int) -> st.SearchStrategy[Element]:
    whole = 1 << 8 * size
    return st.one_of(
        st.integers(0, whole - 1).map(lambda value: unsigned(value, size)),
        st.integers(-(whole >> 1), (whole >> 1) - 1).map(lambda value: integer(value, size)),
    )


scalars = st.one_of(
    st.binary(min_size=1, max_size=300).map(octets),
    st.booleans().map(boolean),
    st.just(ABSENT),
    st.integers(1, 8).flatmap(numbers),
)
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=20).map(lambda parts: listing(*parts)), max_leaves=60
)


def plain(element: Element) -> object:
    if element.kind == LIST:
        return [plain(part) for part in element.value]
    return element.kind, element.value


@given(trees)
def test_any_element_comes_back_with_the_same_bytes(element: Element) -> None:
    written = encode_element(element)
    found = read_element(written, 0, len(written))
    assert plain(found) == plain(element)
    assert (found.start, found.end) == (0, len(written))
    assert encode_element(found) == written


@given(trees, st.data())
def test_a_cut_element_is_an_error(element: Element, data: st.DataObject) -> None:
    written = encode_element(element)
    count = data.draw(st.integers(0, len(written) - 1))
    with pytest.raises(RemoteProtocolError):
        read_element(written, 0, count)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_element_or_an_error_of_ours(data: bytes) -> None:
    try:
        found = read_element(data, 0, len(data))
    except RemoteProtocolError:
        return
    assert encode_element(found) == data[: found.end]


@given(st.integers(0, 255))
def test_any_octet_but_zero_is_true_and_is_written_again(octet: int) -> None:
    written = bytes((0x42, octet))
    found = read_element(written, 0, 2)
    assert bool(found.value) == (octet != 0)
    assert encode_element(found) == written


def test_an_element_is_read_where_it_stands() -> None:
    data = b"\xff\xff" + encode_element(listing(unsigned(5, 2), ABSENT)) + b"\xff"
    found = read_element(data, 2, len(data))
    assert (found.start, found.end) == (2, len(data) - 1)
    assert [(part.start, part.end) for part in found.value] == [(3, 6), (6, 7)]


def test_an_empty_list_and_the_end_of_a_message_are_elements() -> None:
    assert read_element(b"\x70", 0, 1)[:2] == (LIST, [])
    assert read_element(b"\x00", 0, 1).kind == END
    assert [part.kind for part in read_element(b"\x73\x00\x70\x01", 0, 4).value] == [END, LIST, OCTETS]


@given(trees)
def test_a_walk_meets_every_element_once_and_in_order(element: Element) -> None:
    written = encode_element(element)
    met = list(walk(read_element(written, 0, len(written))))
    assert [one.start for one in met] == sorted(one.start for one in met)
    scalars_met = [written[one.start : one.end] for one in met if one.kind != LIST]
    heads = [one for one in met if one.kind == LIST]
    assert sum(map(len, scalars_met)) + sum(_head_size(one) for one in heads) == len(written)


def _head_size(element: Element) -> int:
    parts = element.value
    return (parts[0].start if parts else element.end) - element.start


def test_surplus_length_octets_are_written_again() -> None:
    written = bytes.fromhex("8008414243444546") + bytes.fromhex("f00201620a")
    first = read_element(written, 0, 8)
    second = read_element(written, 8, len(written))
    assert (first.kind, first.value) == (OCTETS, b"ABCDEF")
    assert [part.value for part in second.value] == [None, 10]
    assert encode_element(first) + encode_element(second) == written


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("", "ends inside"),
        ("05", "are left"),
        ("79", "a list of 9 elements"),
        ("7201", "a list of 2 elements"),
        ("6a00000000000000000000", "a number of 9 octets"),
        ("61", "a number of 0 octets"),
        ("430000", "no type-length octet"),
        ("1200", "no type-length octet"),
        ("e000", "one type-length octet"),
        ("8f8f8f8f8f8f", "does not end"),
        ("8740", "another type"),
        ("8001", "no room for itself"),
    ],
)
def test_what_breaks_the_coding_is_told(data: str, words: str) -> None:
    given_bytes = bytes.fromhex(data)
    with pytest.raises(RemoteProtocolError, match=words):
        read_element(given_bytes, 0, len(given_bytes))


def test_lists_inside_lists_are_bounded() -> None:
    deep = b"\x71" * DEPTH_MAX + b"\x01"
    assert read_element(deep, 0, len(deep)).kind == LIST
    with pytest.raises(RemoteProtocolError, match="inside each other"):
        read_element(b"\x71" + deep, 0, len(deep) + 1)


def test_a_number_that_does_not_fit_is_our_mistake() -> None:
    for element in (Element(UNSIGNED, 256, 0, 2), Element(INTEGER, -129, 0, 2), Element(UNSIGNED, -1, 0, 2)):
        with pytest.raises(LocalProtocolError, match="does not fit"):
            encode_element(element)
