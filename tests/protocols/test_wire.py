"""Cursors stay inside their bytes, trees cover them once, buffers are bounded."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols import wire
from polymeter.protocols.wire import (
    NEED_DATA,
    AccessDenied,
    Buffer,
    Decoded,
    DecodeOptions,
    LocalProtocolError,
    ProtocolError,
    Reader,
    Record,
    RemoteProtocolError,
    TimedOut,
    TransportError,
    Tree,
    Writer,
)


def spans(tree: Tree) -> list[tuple[str, int, int]]:
    return [(leaf.name, leaf.offset, leaf.length) for leaf in tree.finish().leaves()]


# errors


@pytest.mark.parametrize("kind", [LocalProtocolError, RemoteProtocolError, AccessDenied, TransportError])
def test_every_error_has_one_root(kind: type[Exception]) -> None:
    assert kind.__mro__[1] is ProtocolError
    assert kind.__doc__


def test_silence_is_a_failure_of_the_line() -> None:
    assert issubclass(TimedOut, TransportError)


def test_the_tree_of_errors_in_the_docs_names_every_class() -> None:
    drawn = wire.__doc__ or ""
    classes = [value for value in vars(wire).values() if isinstance(value, type)]
    for kind in classes:
        if issubclass(kind, ProtocolError):
            assert kind.__name__ in drawn


def test_errors_of_the_other_end_say_where() -> None:
    error = RemoteProtocolError("bad", 7, 2)
    assert (str(error), error.offset, error.layer) == ("bad", 7, 2)
    denied = AccessDenied("no key", 3)
    assert (denied.offset, denied.layer) == (3, 0)


def test_keys_are_in_no_repr() -> None:
    options = DecodeOptions((bytes.fromhex("00112233"),), b"\xaa\xbb")
    assert "0011" not in repr(options)
    assert "xaa" not in repr(options)


def test_need_data_says_its_name() -> None:
    assert repr(NEED_DATA) == "NEED_DATA"


def test_a_record_is_a_tuple_with_defaults() -> None:
    record = Record("1.8.0", 5)
    assert isinstance(record, tuple)
    assert record.unit is None
    assert record._replace(time=datetime(2026, 1, 1)).time == datetime(2026, 1, 1)


# the reading cursor


def test_a_cursor_reads_numbers_in_both_orders() -> None:
    reader = Reader(bytes(range(1, 14)))
    assert reader.u8() == 1
    assert reader.u16be() == 0x0203
    assert reader.u16le() == 0x0504
    assert reader.u32be() == 0x06070809
    assert reader.u32le() == 0x0D0C0B0A
    assert reader.left == 0
    assert reader.peek() is None


@pytest.mark.parametrize("method", ["u8", "u16be", "u16le", "u32be", "u32le"])
def test_a_number_past_the_end_is_refused_where_it_began(method: str) -> None:
    reader = Reader(b"\x01\x02\x03\x04", start=4)
    with pytest.raises(RemoteProtocolError, match="needs") as caught:
        getattr(reader, method)("count")
    assert caught.value.offset == 4
    assert reader.pos == 4


@pytest.mark.parametrize("count", [-1, 4, 1 << 60])
def test_no_count_from_outside_is_believed(count: int) -> None:
    reader = Reader(b"\x00abc", start=1)
    with pytest.raises(RemoteProtocolError) as caught:
        reader.take(count, "text")
    assert caught.value.offset == 1
    assert reader.left == 3


def test_a_part_ends_before_the_whole() -> None:
    reader = Reader(b"abcdef", 1, 3)
    assert reader.take(2) == b"bc"
    with pytest.raises(RemoteProtocolError):
        reader.take(1)


def test_a_part_cannot_end_behind_the_whole() -> None:
    with pytest.raises(RemoteProtocolError, match="9 bytes are announced, 2 are left") as caught:
        Reader(b"abc", 1, 10)
    assert caught.value.offset == 1


def test_an_error_carries_the_layer_it_happened_in() -> None:
    tree = Tree(b"\x01", "outer")
    below = tree.layer("decrypted", b"\x02", "inner")
    assert Reader(b"\x02", tree=below).fail("x").layer == 1
    assert Reader(b"\x02", layer=4).fail("x", 9).layer == 4
    assert Reader(b"\x02").fail("x", 9).offset == 9


def test_peeking_takes_nothing() -> None:
    reader = Reader(b"\x07")
    assert reader.peek() == reader.peek() == reader.u8() == 7


@given(st.binary(max_size=40), st.lists(st.integers(-2, 12), max_size=20))
def test_a_cursor_never_passes_the_end(data: bytes, counts: list[int]) -> None:
    reader = Reader(data)
    taken = b""
    for count in counts:
        try:
            taken += reader.take(count)
        except RemoteProtocolError as error:
            assert error.offset == reader.pos == len(taken)
        assert 0 <= reader.left <= len(data)
    assert data.startswith(taken)


# the tree


def test_without_a_tree_names_cost_nothing_and_do_nothing() -> None:
    reader = Reader(b"\x01\x02\x03")
    reader.u8("a")
    reader.take(2, "b")
    reader.leaf("c", 0)
    assert reader.tree is None


def test_named_reads_become_leaves() -> None:
    data = b"\x05hello\x00\x07"
    tree = Tree(data, "frame")
    reader = Reader(data, tree=tree)
    size = reader.u8("length", "of the text")
    reader.take(size, "text")
    start = reader.pos
    reader.u16be()
    reader.leaf("number", start, 7, "seven")
    root = tree.finish("greeting", "polite")
    assert (root.name, root.meaning, root.length, root.raw) == ("greeting", "polite", 8, data)
    assert [(leaf.name, leaf.value, leaf.raw) for leaf in root.leaves()] == [
        ("length", 5, b"\x05"),
        ("text", None, b"hello"),
        ("number", 7, b"\x00\x07"),
    ]


def test_what_nobody_explains_is_shown() -> None:
    tree = Tree(b"0123456789", "frame")
    tree.leaf("b", 2, 4)
    tree.open("group", 5)
    tree.leaf("c", 6, 7)
    tree.close(8)
    assert spans(tree) == [
        ("unexplained", 0, 2),
        ("b", 2, 2),
        ("unexplained", 4, 1),
        ("unexplained", 5, 1),
        ("c", 6, 1),
        ("unexplained", 7, 1),
        ("unexplained", 8, 2),
    ]


def test_a_tree_without_any_leaf_is_one_leaf() -> None:
    assert spans(Tree(b"abc", "unknown")) == [("unknown", 0, 3)]


def test_overlapping_leaves_are_a_bug() -> None:
    tree = Tree(b"0123", "frame")
    tree.leaf("a", 0, 3)
    tree.leaf("b", 2, 4)
    with pytest.raises(AssertionError, match="overlaps"):
        tree.finish()


def test_a_group_that_ends_before_its_last_leaf_is_a_bug() -> None:
    tree = Tree(b"0123", "frame")
    tree.open("group", 0)
    tree.leaf("a", 0, 3)
    tree.close(2)
    with pytest.raises(AssertionError, match="ends before"):
        tree.finish()


def test_after_an_error_open_groups_end_where_they_reached() -> None:
    tree = Tree(b"0123456789", "frame")
    depth = tree.depth()
    tree.open("outer", 1)
    tree.open("inner", 2)
    tree.leaf("a", 2, 5)
    tree.unwind(depth, 4)
    assert tree.depth() == depth
    tree.leaf("rest", 5, 10)
    root = tree.finish()
    outer = root.children[1]
    assert (outer.name, outer.length, outer.meaning) == ("outer", 4, "incomplete")
    assert sum(leaf.length for leaf in root.leaves()) == 10


def test_layers_have_offsets_of_their_own() -> None:
    tree = Tree(b"secret", "frame", start=100)
    tree.leaf("ciphertext", 0, 6)
    below = tree.layer("decrypted", b"plain text", "content")
    below.leaf("word", 0, 5)
    deeper = below.layer("unpacked", b"!", "deepest")
    deeper.finish()
    below.finish()
    root = tree.finish()
    assert [(layer.name, layer.length, layer.start) for layer in tree.layers] == [
        ("input", 6, 100),
        ("decrypted", 10, 0),
        ("unpacked", 1, 0),
    ]
    cover = dict.fromkeys(range(3), 0)
    for leaf in root.leaves():
        assert leaf.offset == cover[leaf.layer]
        cover[leaf.layer] += leaf.length
    assert cover == {0: 6, 1: 10, 2: 1}


def test_a_layer_hangs_below_what_it_came_from() -> None:
    tree = Tree(b"ab", "frame")
    tree.leaf("a", 0, 1)
    cipher = tree.leaf("cipher", 1, 2)
    tree.layer("decrypted", b"x", "content").finish()
    tree.finish()
    assert [child.name for child in cipher.children] == ["content"]


@given(st.data(), st.integers(0, 30))
def test_leaves_cover_every_byte_once_whatever_is_explained(data: st.DataObject, size: int) -> None:
    raw = bytes(range(size))
    tree = Tree(raw, "frame")
    at, depth = 0, 0
    while at < size:
        stop = data.draw(st.integers(at + 1, size))
        match data.draw(st.sampled_from(["leaf", "skip", "open", "close"])):
            case "leaf":
                tree.leaf("x", at, stop)
                at = stop
            case "skip":
                at = stop
            case "open":
                tree.open("group", at)
                depth += 1
            case "close" if depth:
                tree.close(at)
                depth -= 1
    tree.unwind(1, size)
    assert b"".join(leaf.raw for leaf in tree.finish().leaves()) == raw


def test_walking_a_deep_tree_needs_no_stack_of_calls() -> None:
    tree = Tree(b"x", "frame")
    for _ in range(5000):
        tree.open("deeper", 0)
    tree.leaf("x", 0, 1)
    tree.unwind(1, 1)
    assert sum(1 for _ in tree.finish().walk()) == 5002


def test_a_decoded_frame_has_defaults() -> None:
    decoded = Decoded("p1", True, "because")
    assert decoded.records == () == decoded.errors
    assert decoded.meter.id is None


# the writing cursor


def test_a_writer_gives_what_a_reader_reads() -> None:
    writer = Writer(b"\x00").u8(1).u16be(2).u16le(3).u32be(4).u32le(5).raw(b"end").raw([6])
    assert len(writer) == 18
    reader = Reader(bytes(writer), 1)
    read = reader.u8(), reader.u16be(), reader.u16le(), reader.u32be(), reader.u32le()
    assert read == (1, 2, 3, 4, 5)
    assert reader.take(4) == b"end\x06"


@pytest.mark.parametrize(("method", "value"), [("u8", 256), ("u8", -1), ("u16le", 1 << 16), ("u32be", -5)])
def test_a_number_that_does_not_fit_is_our_mistake(method: str, value: int) -> None:
    writer = Writer()
    with pytest.raises(LocalProtocolError, match="does not fit"):
        getattr(writer, method)(value)
    assert bytes(writer) == b""


# the buffer


def test_a_buffer_gives_back_what_it_took() -> None:
    buffer = Buffer(10)
    buffer.append(b"abc")
    buffer.append(b"def")
    assert (len(buffer), bytes(buffer), buffer.find(b"d"), buffer.find(b"a", 1)) == (6, b"abcdef", 3, -1)
    assert buffer.take(2) == b"ab"
    assert buffer.dropped == 2
    assert buffer.data == b"cdef"
    assert buffer.clear() == b"cdef"
    assert (buffer.dropped, len(buffer)) == (6, 0)


def test_a_buffer_is_bounded() -> None:
    buffer = Buffer(4)
    buffer.append(b"1234")
    with pytest.raises(RemoteProtocolError, match="limit is 4") as caught:
        buffer.append(b"5")
    assert caught.value.offset == 0
    assert bytes(buffer) == b"1234"
    buffer.take(1)
    buffer.append(b"5")
    with pytest.raises(RemoteProtocolError) as caught:
        buffer.append(b"6")
    assert caught.value.offset == 1
