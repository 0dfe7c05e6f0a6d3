"""Payloads in disguise: both ways, and how a key is known to be right."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.catalogue import decode_frames
from polymeter.catalogue.payload_ciphers import prios
from polymeter.catalogue.types import meter_types
from polymeter.protocols import wmbus
from polymeter.protocols.wmbus import LinkHeader
from polymeter.protocols.wmbus.prios import disguised
from tools.fuzz_targets import check_cover

KEY = bytes.fromhex("39BC8A10E66D83F8")
LINK = LinkHeader(0x44, "PMX", "12345678", 1, 7)
ADDRESS = bytes(LINK)[1:]
RECORDS = bytes.fromhex("0c06512600000c1347031500")


def telegram(ci: int, behind: bytes) -> str:
    body = bytes(LINK) + bytes((ci,)) + behind
    return (bytes((len(body),)) + body).hex()


def real_data(records: bytes, mode: int = 21, key: bytes = KEY) -> str:
    header = bytes((0x37, 0, 0x45, mode))
    return telegram(0x7A, header + disguised(key, ADDRESS, b"\x7a" + header[:3], records))


@given(st.binary(max_size=64), st.binary(min_size=8, max_size=8), st.binary(min_size=4, max_size=4))
def test_a_disguise_is_its_own_inverse(data: bytes, key: bytes, header: bytes) -> None:
    once = disguised(key, ADDRESS, header, data)
    assert len(once) == len(data)
    assert disguised(key, ADDRESS, header, once) == data


def test_a_key_is_known_by_the_first_byte() -> None:
    clear = b"\1\2\3\x13"
    sealed = clear + disguised(KEY, ADDRESS, b"\xa2" + clear[:3], b"\x4bwater")
    (decoded,) = wmbus.decode(bytes.fromhex(telegram(0xA2, sealed)))
    assert prios(decoded.frame, sealed, (bytes(8), KEY)) == b"\x4bwater"
    assert prios(decoded.frame, sealed, (bytes(8),)) is None
    assert prios(decoded.frame, clear, (KEY,)) is None


def test_real_data_is_records_of_the_standard() -> None:
    known = meter_types()["hydrometer-real-data"]
    (frame,) = decode_frames(real_data(RECORDS), "wmbus", meter_type=known)
    assert [(each.series, str(each.value), each.unit) for each in frame.readings] == [
        ("energy", "2651", "kWh"),
        ("volume", "150.347", "m3"),
    ]
    assert not frame.decoded.encrypted
    assert frame.decoded.errors == ()


def test_disguised_bytes_are_opened_whatever_they_look_like() -> None:
    known = meter_types()["hydrometer-real-data"]
    taken_for_plain = 0
    for count in range(256):
        sent = real_data(bytes.fromhex("0413") + count.to_bytes(4, "little") + bytes.fromhex("426c9f33"))
        (frame,) = decode_frames(sent, "wmbus", meter_type=known)
        check_cover(frame.decoded)
        assert frame.readings[0].value == Decimal(count).scaleb(-3)
        taken_for_plain += wmbus.decode(bytes.fromhex(sent))[0].encrypted is False
    assert taken_for_plain == 0


def test_records_that_are_plain_stay_as_they_are() -> None:
    known = meter_types()["hydrometer-real-data"]
    sent = telegram(0x7A, bytes.fromhex("37004515") + RECORDS)
    (frame,) = decode_frames(sent, "wmbus", meter_type=known)
    assert [str(each.value) for each in frame.readings] == ["2651", "150.347"]


@pytest.mark.parametrize(
    "shut",
    [
        real_data(RECORDS, mode=5),
        real_data(RECORDS, key=bytes(8)),
        real_data(RECORDS + b"\x04"),
    ],
    ids=["another security mode", "another key", "records that do not end well"],
)
def test_what_is_no_real_data_stays_shut(shut: str) -> None:
    known = meter_types()["hydrometer-real-data"]
    (frame,) = decode_frames(shut, "wmbus", meter_type=known)
    check_cover(frame.decoded)
    assert frame.decoded.encrypted
    assert frame.readings == ()
    assert frame.decoded.errors
