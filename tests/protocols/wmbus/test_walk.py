"""The place in a telegram where a decoder stands, and the layers below it."""

from polymeter.protocols.mbus import LongHeader, ShortHeader
from polymeter.protocols.wire import DecodeOptions, Tree
from polymeter.protocols.wmbus import ELL, LinkHeader, Memory, Telegram
from polymeter.protocols.wmbus.headers import decode_link
from polymeter.protocols.wmbus.walk import Walk

LINK = decode_link(b"\x09" + bytes(LinkHeader(0x44, "PMX", "12345678", 1, 7)))
METER = LongHeader("00112233", "PMY", 5, 4)


def walk(data: bytes, *, explained: bool = True) -> Walk:
    return Walk(data, DecodeOptions(), Memory(), Tree(data, "frame") if explained else None)


def test_the_meter_is_the_long_headers_else_the_links() -> None:
    for header, address, number in (
        (None, "b841785634120107", "12345678"),
        (ShortHeader(), "b841785634120107", "12345678"),
        (METER, "b941332211000504", "00112233"),
    ):
        telegram = Telegram(link=LINK, header=header)
        assert telegram.address.hex() == address
        assert telegram.meter_id == number
        assert telegram.sender.hex() == "b841785634120107"


def test_nobody_is_known_of_nothing() -> None:
    telegram = Telegram()
    assert (telegram.address, telegram.sender, telegram.session, telegram.meter_id) == (b"", b"", b"", "?")


def test_a_session_is_the_other_ends_address_and_number() -> None:
    ell = ELL(0x8F, 0x20, 7, bytes(range(8)), b"\1\2\3\4", 0)
    assert Telegram(link=LINK, ell=ell).session == bytes(range(8)) + b"\1\2\3\4"
    assert Telegram(link=LINK, ell=ELL(0x8C, 0x20, 7)).session == b""


def test_layers_have_offsets_of_their_own() -> None:
    here = walk(b"outer")
    here.leaf("begin", 0, 2)
    here.leaf("sealed", 2, 5)
    here.push("decrypted", b"inner bytes", "plain")
    here.open("group", 0)
    here.leaf("word", 0, 5)
    here.close(6)
    here.problem("something", 7)
    here.opaque("rest", 6, 11)
    root = here.finish("frame", None)
    assert root is not None
    assert (here.layer, here.data) == (1, b"inner bytes")
    assert (here.problems[0].layer, here.problems[0].offset) == (1, 7)
    assert (here.records[0].layer, here.records[0].offset, here.records[0].value) == (1, 6, b"bytes")
    sealed = root.children[1]
    assert [child.name for child in sealed.children] == ["plain"]
    assert [(leaf.name, leaf.raw) for leaf in root.leaves() if leaf.layer] == [
        ("word", b"inner"),
        ("unexplained", b" "),
        ("data", b"bytes"),
    ]


def test_without_a_listener_everything_else_is_the_same() -> None:
    for explained in (True, False):
        here = walk(b"outer", explained=explained)
        here.leaf("all", 0, 5)
        here.push("below", b"inner", "inner")
        here.opaque("kept", 1, 3)
        here.opaque("nothing", 3, 3)
        here.problem("wrong", 2, invalid=True)
        assert (here.layer, here.valid, len(here.records), here.problems[0].layer) == (1, False, 1, 1)
        assert (here.finish("frame", "meaning") is not None) is explained


def test_an_empty_leaf_is_none() -> None:
    here = walk(b"")
    here.leaf("nothing", 0, 0)
    root = here.finish("frame", None)
    assert root is not None
    assert root.children == []
