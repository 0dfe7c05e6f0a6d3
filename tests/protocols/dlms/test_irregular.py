"""Notifications that break the rules: what is read all the same, and what is not."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.dlms import axdr
from polymeter.protocols.dlms.data import Item, plain, structure
from polymeter.protocols.dlms.irregular import parse_untagged, read_irregular
from polymeter.protocols.dlms.notifications import records
from polymeter.protocols.obis import OBIS
from polymeter.protocols.wire import RemoteProtocolError, Tree
from tests.protocols.dlms.make_vectors import TIME, name, push, u16, u32
from tests.protocols.dlms.test_axdr import items

HEAD = bytes.fromhex("0f00000001")
PAIR = structure(name("1-0:1.8.0"), u32(9))
BODY = axdr.encode(PAIR)
NOON = datetime(2026, 3, 1, 12, 30)
CODE = bytes(OBIS(1, 0, 1, 8, 0))
UNTAGGED = bytes.fromhex("0202 0202 0003 0100010800ff 02 0600000005 0202 0001 0000600101ff 02 09024131")


@pytest.mark.parametrize(
    ("head", "moment"),
    [
        (b"\0", None),
        (b"", None),
        (b"\x0c" + TIME, NOON),
        (b"\x09\x0c" + TIME, NOON),
        (b"\x19" + TIME, NOON),
        (b"\x0c" + b"\xff" * 12, None),
        (b"\x09\x00", None),
        (b"\x05", None),  # a length of what is not there
    ],
)
def test_the_body_is_found_behind_a_time_of_any_form(head: bytes, moment: datetime | None) -> None:
    data = HEAD + head + BODY
    found = read_irregular(data)
    assert found is not None
    assert (plain(found.body), found.moment, found.is_notification) == (plain(PAIR), moment, True)
    assert data[found.body.start :] == BODY


@pytest.mark.parametrize("head", [b"", b"\x0c" + TIME, b"\x19" + TIME, b"\x09\x00"])
def test_the_tree_covers_every_octet_once(head: bytes) -> None:
    data = HEAD + head + BODY
    tree = Tree(data, "APDU")
    assert read_irregular(data, tree) is not None
    assert b"".join(leaf.raw for leaf in tree.finish().leaves()) == data


@given(items)
def test_what_obeys_the_rules_is_read_as_by_the_rules(item: Item) -> None:
    data = push(item)
    found = read_irregular(data)
    assert found is not None
    assert axdr.encode(found.body) == axdr.encode(item)


def test_descriptors_without_tags_come_out_as_if_they_had_them() -> None:
    item = parse_untagged(UNTAGGED, 0)
    assert plain(item) == [[3, CODE, 2, 5], [1, bytes(OBIS(0, 0, 96, 1, 1)), 2, b"A1"]]
    assert item.end == len(UNTAGGED)


def test_a_descriptor_may_count_as_three_elements() -> None:
    data = bytes.fromhex("0204 0003 0100010800ff 02 0600000005")
    item = parse_untagged(data, 0)
    assert plain(item) == [3, CODE, 2, 5]
    assert records(item, data)[0].value == 5


def test_tag_and_length_of_a_code_may_be_swapped() -> None:
    data = bytes.fromhex("0202 06 09 0100010800ff 120017")
    assert plain(parse_untagged(data, 0)) == [CODE, 23]
    number = bytes.fromhex("0202 06 09ff0100 120017")  # a number that begins with 09
    assert plain(parse_untagged(number, 0)) == [0x09FF0100, 23]


def test_values_that_follow_the_last_one_announced_belong_to_the_body() -> None:
    more = BODY + axdr.encode(u16(7))
    for data in (more, HEAD + b"\0" + more):
        found = read_irregular(data)
        assert found is not None
        assert plain(found.body) == [CODE, 9, 7]
        assert found.body.end == len(data)


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\x0f",
        HEAD + b"\0",
        HEAD + b"\0" + BODY[:-1],
        HEAD + b"\0" + BODY + b"\xee",
        HEAD + b"\0" + BODY + b"\x02",
        axdr.encode(u32(5)) + axdr.encode(u32(6)),  # no container that could hold both
        BODY[:-1],
        b"\xc4\x01\xc1\x00\x06\0\0\0\5",
        b"\x02\x02" + b"\x00\x03" + CODE + b"\x02",
    ],
)
def test_what_is_damaged_stays_so(octets: bytes) -> None:
    assert read_irregular(octets) is None
    tree = Tree(octets, "APDU")
    assert read_irregular(octets, tree) is None
    assert not tree.root.children


@pytest.mark.parametrize("octets", ["", "0205", "02010209", "01" * 80])
def test_reading_is_bounded_as_by_the_rules(octets: str) -> None:
    with pytest.raises(RemoteProtocolError):
        parse_untagged(bytes.fromhex(octets), 0)


@given(st.binary(max_size=80).map(lambda tail: HEAD + tail))
def test_hostile_octets_give_a_body_to_the_last_octet_or_nothing(data: bytes) -> None:
    found = read_irregular(data)
    assert found is None or found.body.end == len(data)
