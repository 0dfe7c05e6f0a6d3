"""Kinds of fields: what they take, what they refuse, and that both ways are one table."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.dlms.apdus.errors import StateError
from polymeter.protocols.dlms.apdus.fields import (
    BOOLEAN,
    DATA,
    I8,
    OCTETS,
    U8,
    U16,
    U32,
    Choice,
    Cursor,
    Enumerated,
    Fixed,
    Kind,
    ListOf,
    Optional,
    Sink,
    Tupled,
)
from polymeter.protocols.dlms.axdr import Data
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError, Tree


def written(kind: Kind, value: Any, *heads: int) -> bytes:
    sink = Sink(iter(heads))
    kind.write(sink, value)
    return bytes(sink.out)


def taken(kind: Kind, octets: bytes) -> tuple[Any, int, list[int]]:
    cursor = Cursor(octets)
    return kind.read(cursor, "field"), cursor.pos, cursor.heads


PAIR = Tupled(lambda *found: found, (("one", U8), ("two", OCTETS)))
NAMED = Choice({1: U8, 7: OCTETS}, ((int, 1), (bytes, 7)))


@pytest.mark.parametrize(
    ("kind", "value", "octets"),
    [
        (U8, 255, "ff"),
        (U16, 258, "0102"),
        (U32, 1, "00000001"),
        (I8, -1, "ff"),
        (BOOLEAN, 0, "00"),
        (BOOLEAN, 1, "01"),
        (BOOLEAN, 255, "ff"),
        (OCTETS, b"abc", "03616263"),
        (OCTETS, b"", "00"),
        (Fixed(3, bytes), b"abc", "616263"),
        (Enumerated(StateError), 1, "01"),
        (Enumerated(StateError), 77, "4d"),
        (Optional(U16), None, "00"),
        (Optional(U16), 5, "010005"),
        (ListOf(U16), (), "00"),
        (ListOf(U16), (1, 2), "0200010002"),
        (PAIR, (1, b"x"), "010178"),
        (NAMED, 5, "0105"),
        (NAMED, b"x", "070178"),
        (DATA, Data(b"\x11\x05", 5), "1105"),
    ],
)
def test_a_field_is_written_and_read_alike(kind: Kind, value: Any, octets: str) -> None:
    encoded = bytes.fromhex(octets)
    assert written(kind, value) == encoded
    assert taken(kind, encoded + b"rest")[:2] == (value, len(encoded))
    for cut in range(len(encoded)):
        with pytest.raises(RemoteProtocolError):
            taken(kind, encoded[:cut])
    tree = Tree(encoded, "field")
    assert kind.read(Cursor(encoded, 0, tree), "field") == value
    assert sum(leaf.length for leaf in tree.finish().leaves()) == len(encoded)
    assert all(leaf.name != "unexplained" for leaf in tree.root.leaves())


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (U8, 256),
        (U8, -1),
        (I8, 128),
        (U16, 1 << 16),
        (NAMED, "text"),
        (DATA, b"\x11\x05"),
        (DATA, 5),
    ],
)
def test_what_does_not_fit_is_our_error(kind: Kind, value: Any) -> None:
    with pytest.raises(LocalProtocolError):
        written(kind, value)


def test_a_choice_that_is_none_is_refused_where_it_stands() -> None:
    with pytest.raises(RemoteProtocolError, match="field has no choice 2") as caught:
        NAMED.read(Cursor(b"ab\x02x", 2), "field")
    assert caught.value.offset == 2


@given(st.integers(0, 0xFFFF_FFFF))
def test_counts_and_lengths_are_believed_only_as_far_as_there_are_octets(count: int) -> None:
    """Work is bounded by what came, whatever it promises."""
    head = b"\x84" + count.to_bytes(4, "big")
    for kind in (OCTETS, ListOf(U8), ListOf(DATA)):
        if count > 3:
            with pytest.raises(RemoteProtocolError, match="announced, 3 octets are left"):
                taken(kind, head + bytes(3))
        else:
            _, end, heads = taken(kind, head + bytes(3))
            assert (end, heads) == (5 + count, [5])


@given(st.binary(max_size=300), st.integers(0, 4))
def test_a_length_that_was_longer_than_needed_is_written_so_again(octets: bytes, extra: int) -> None:
    shortest = written(OCTETS, octets)
    size = len(shortest) - len(octets)
    head = 0 if extra == 0 else max(size, 1 + extra)
    if head and 256 ** (head - 1) <= len(octets):
        return
    encoded = written(OCTETS, octets, head)
    value, end, heads = taken(OCTETS, encoded)
    assert (value, end) == (octets, len(encoded))
    assert written(OCTETS, value, *heads) == encoded
