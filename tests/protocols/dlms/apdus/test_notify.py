"""What meters say unasked, and the forms that their times come in."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.dlms.apdus import (
    AttributeDescriptor,
    DataNotification,
    EventNotificationRequest,
    InformationReportRequest,
    VariableName,
    decode_apdu,
    encode_apdu,
)
from polymeter.protocols.dlms.axdr import Data
from polymeter.protocols.dlms.data import Item, Tag
from polymeter.protocols.obis import OBIS
from polymeter.protocols.wire import Tree
from tests.protocols.dlms.apdus.quick import check_quick_way

TIME = bytes.fromhex("07ea0301070c071e00000000")
FIVE = Data.of(Item(Tag.UNSIGNED, 5))


@pytest.mark.parametrize("head", ["00", "0c07e60101ff000000ff800000"])
def test_pitfall_4_the_length_octet_of_the_notification_time_survives(head: str) -> None:
    """Pitfall 4."""
    octets = bytes.fromhex("0f00000001" + head + "1105")
    assert bytes(decode_apdu(octets)) == octets
    long_form = bytes.fromhex("0f000000018100" + "1105")
    assert bytes(decode_apdu(long_form)) == long_form


@pytest.mark.parametrize(
    "head", [b"\x00", b"\x0c" + TIME, b"\x09\x0c" + TIME, b"\x81\x0c" + TIME, b"\x01\x00"]
)
def test_a_time_may_be_missing_tagged_or_no_time(head: bytes) -> None:
    """Kaifa's meters write a tag before the length."""
    octets = b"\x0f\x00\x00\x00\x07" + head + FIVE.encoded
    found = decode_apdu(octets)
    assert isinstance(found, DataNotification)
    assert (found.long_invoke, found.body) == (7, FIVE)
    known = TIME in head
    assert found.moment() == (datetime(2026, 3, 1, 12, 7, 30, tzinfo=UTC) if known else None)
    assert encode_apdu(found) == octets
    tree = Tree(octets, "APDU")
    assert decode_apdu(octets, tree) == found
    assert tree.finish().length == len(octets)


def test_a_length_of_nine_is_a_length_unless_a_time_follows() -> None:
    octets = b"\x0f\x00\x00\x00\x07" + b"\x09" + b"\x0c" + bytes(8) + FIVE.encoded
    found = decode_apdu(octets)
    assert isinstance(found, DataNotification)
    assert found.date_time == b"\x0c" + bytes(8)
    assert encode_apdu(found) == octets


@given(st.binary(max_size=30), st.binary(max_size=30))
def test_the_quick_way_to_a_notification_is_the_same_way(time: bytes, rest: bytes) -> None:
    for octets in (b"\x0f" + rest, b"\x0f\0\0\0\1" + bytes((len(time),)) + time + FIVE.encoded + rest[:3]):
        check_quick_way(octets)


def test_an_event_names_what_it_is_about() -> None:
    attribute = AttributeDescriptor(3, OBIS(1, 0, 1, 8, 0), 2)
    for time in (None, TIME, b""):
        event = EventNotificationRequest(time, attribute, FIVE)
        assert decode_apdu(encode_apdu(event)) == event
    assert encode_apdu(EventNotificationRequest(None, attribute, FIVE)).hex() == "c20000030100010800ff021105"


def test_a_report_may_name_fewer_variables_than_it_has_values() -> None:
    report = InformationReportRequest(None, (VariableName(0x1234),), (FIVE, FIVE))
    assert decode_apdu(encode_apdu(report)) == report
