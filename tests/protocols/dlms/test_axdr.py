"""A-XDR: every type, every octet restored, every bound kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.dlms import axdr
from polymeter.protocols.dlms.compact_arrays import CompactArray
from polymeter.protocols.dlms.data import (
    MAX_DEPTH,
    Item,
    Tag,
    array,
    plain,
    structure,
)
from polymeter.protocols.wire import RemoteProtocolError, Tree

from .strategies import compact_arrays, scalars

items = st.recursive(
    scalars | compact_arrays,
    lambda inner: st.lists(inner, max_size=6).flatmap(
        lambda children: st.sampled_from([array(*children), structure(*children)])
    ),
    max_leaves=30,
)


def bare(item: Item) -> Item:
    """Without places, to compare with what was built."""
    if item.tag in (Tag.ARRAY, Tag.STRUCTURE):
        return Item(item.tag, tuple(bare(child) for child in item.value), 0, 0, item.head)
    if item.tag == Tag.COMPACT_ARRAY:
        compact = item.value
        kept = tuple(bare(child) for child in compact.items)
        return Item(item.tag, CompactArray(compact.description, kept, compact.head))
    return Item(item.tag, item.value, 0, 0, item.head)


@given(items)
def test_what_is_encoded_is_parsed_again(item: Item) -> None:
    encoded = axdr.encode(item)
    parsed = axdr.parse(encoded)
    assert bare(parsed) == item
    assert parsed.end == len(encoded)


@given(items, st.binary(max_size=3))
def test_both_readers_agree(item: Item, rest: bytes) -> None:
    encoded = axdr.encode(item) + rest
    assert axdr.decode(encoded) == (plain(item), len(encoded) - len(rest))


@given(st.binary(max_size=80))
def test_whatever_is_parsed_encodes_to_the_same_octets(noise: bytes) -> None:
    try:
        item = axdr.parse(noise)
    except RemoteProtocolError:
        with pytest.raises(RemoteProtocolError):
            axdr.decode(noise)
        return
    assert axdr.encode(item) == noise[: item.end]
    value, end = axdr.decode(noise)
    assert (repr(value), end) == (repr(plain(item)), item.end)


@given(items, st.data())
def test_a_cut_value_is_an_error_with_its_place(item: Item, data: st.DataObject) -> None:
    encoded = axdr.encode(item)
    cut = encoded[: data.draw(st.integers(0, len(encoded) - 1))]
    for read in (axdr.decode, axdr.parse):
        with pytest.raises(RemoteProtocolError) as caught:
            read(cut)
        assert 0 <= caught.value.offset <= len(cut)


@given(items)
def test_the_tree_covers_every_octet_once(item: Item) -> None:
    encoded = axdr.encode(item)
    tree = Tree(encoded, "value")
    axdr.parse(encoded, 0, tree)
    leaves = sorted(tree.finish().leaves(), key=lambda node: node.offset)
    assert b"".join(leaf.raw for leaf in leaves) == encoded
    assert all(leaf.name != "unexplained" for leaf in leaves)


@pytest.mark.parametrize(
    "octets",
    [
        "098103616263",
        "0182000103ff",
        "028103 0983000001aa 0a8100 0c820001c3",
        "0481 07 80",
        "03ff",
        "13 11 8102 0102",
        "13 028101 11 820002 0102",
    ],
)
def test_unusual_lengths_and_truths_are_restored(octets: str) -> None:
    encoded = bytes.fromhex(octets)
    assert axdr.encode(axdr.parse(encoded)) == encoded
    assert axdr.decode(encoded)[1] == len(encoded)


def test_pitfall_1_a_truncated_array_ends_with_an_error_and_no_loop() -> None:
    """Pitfall 1: 17 octets are enough for an endless loop elsewhere."""
    encoded = bytes.fromhex("c001c100070100630100ff020101020402")[13:]
    with pytest.raises(RemoteProtocolError):
        axdr.decode(encoded)
    with pytest.raises(RemoteProtocolError):
        axdr.parse(encoded)


@pytest.mark.parametrize("pair", [b"\x02\x01", b"\x01\x01"])
def test_pitfall_2_nesting_2000_deep_is_refused_with_its_place(pair: bytes) -> None:
    """Pitfall 2: RecursionError elsewhere."""
    for read in (axdr.decode, axdr.parse):
        with pytest.raises(RemoteProtocolError, match="within each other") as caught:
            read(pair * 2000 + b"\x00")
        assert caught.value.offset == 2 * MAX_DEPTH


def test_nesting_up_to_the_cap_is_read() -> None:
    encoded = b"\x02\x01" * MAX_DEPTH + b"\x11\x05"
    assert axdr.encode(axdr.parse(encoded)) == encoded
    assert axdr.decode(encoded)[1] == len(encoded)
