"""Payloads of manufacturers' own: what their description finds, and what it refuses."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.catalogue import decode_frames
from polymeter.catalogue.payloads import parse_payload, read_payload
from polymeter.catalogue.types import meter_types
from polymeter.protocols import mbus, wmbus
from polymeter.protocols.wire import Decoded, LocalProtocolError
from polymeter.protocols.wmbus import LinkHeader
from tools.fuzz_targets import check_cover

LINK = LinkHeader(0x44, "PMX", "12345678", 1, 7)
VOLUME = {"name": "volume", "at": 0, "size": 2}


def telegram(payload: bytes | str, ci: int = 0xA2) -> bytes:
    data = bytes.fromhex(payload) if isinstance(payload, str) else payload
    body = bytes(LINK) + bytes((ci,)) + data
    return bytes((len(body),)) + body


def read(sent: bytes, *layouts: dict[str, Any]) -> Decoded:
    (decoded,) = wmbus.decode(sent)
    found = read_payload(decoded, [parse_payload("made-up", layout) for layout in layouts])
    check_cover(found)
    return found


def values(payload: str, *fields: dict[str, Any], **table: Any) -> list[Any]:
    found = read(telegram(payload), {"field": list(fields), **table})
    return [record.value for record in found.records[1:]]


def test_the_opaque_reading_stays_beside_what_is_read_out_of_it() -> None:
    found = read(telegram("d204ff"), {"field": [VOLUME]})
    assert [(record.name, record.value) for record in found.records] == [
        ("manufacturer_data", bytes.fromhex("d204ff")),
        ("volume", 1234),
    ]
    volume = found.records[1]
    assert telegram("d204ff")[volume.offset : volume.offset + 2] == volume.raw == b"\xd2\x04"


def test_a_stored_value_has_the_time_of_its_storage() -> None:
    due = {"name": "date", "type": "date_g", "at": 2, "size": 2, "storage": 1}
    found = read(telegram("d2045f31"), {"field": [due, VOLUME, VOLUME | {"storage": 1}]})
    assert [record.time and record.time.date() for record in found.records[1:]] == [
        None,
        None,
        date(2026, 1, 31),
    ]


def test_what_does_not_fit_leaves_the_opaque_reading_alone() -> None:
    at_one = VOLUME | {"at": 1}
    assert values("00", at_one) == []
    assert values("00d204", at_one, ci=["A3"]) == []
    assert values("00d204", at_one, length_min=9) == []
    assert values("00d204", at_one, begins="01") == []
    assert values("00d204", at_one, record="volume") == []
    assert values("00d20400000000", at_one, cipher="prios", keys=["0000000000000000"]) == []
    assert values("00d204", at_one, begins="0? D2") == [1234]


def test_of_several_layouts_the_first_that_fits_is_read() -> None:
    layouts = [{"begins": ["01", "02"], "field": [VOLUME | {"at": 1}]}, {"field": [VOLUME]}]
    assert [record.value for record in read(telegram("02d204"), *layouts).records[1:]] == [1234]
    assert [record.value for record in read(telegram("d204"), *layouts).records[1:]] == [1234]


def test_registers_are_walked_until_one_whose_length_nobody_told() -> None:
    table = {"registers": {"at": 1, "lengths": {"10": 2, "43": 1, "44": 1}}}
    total, days, behind = (
        {"name": name, "at": 0, "size": size, "register": register}
        for name, size, register in (("volume", 2, "10"), ("days", 1, "43"), ("behind", 1, "44"))
    )
    assert values("ff4307 10d204 990000 4408", total, days, behind, **table) == [1234, 7]
    assert values("ff10d2", total, **table) == []
    assert values("ff1001001002 00", total, **table) == [1]


def test_a_field_does_not_reach_beyond_its_register() -> None:
    table = {"registers": {"at": 0, "lengths": {"10": 2, "11": 2}}}
    assert values("10d204110102", VOLUME | {"size": 4, "register": "10"}, **table) == []


def test_a_record_of_the_makers_own_may_hold_the_block() -> None:
    block = bytes.fromhex("0dff5f04") + bytes.fromhex("000102d2") + bytes.fromhex("041307000000")
    sent = telegram(block, 0x78)
    found = read(sent, {"record": "manufacturer.m5f", "field": [{"name": "x", "at": 3, "size": 1}]})
    assert [record.value for record in found.records[1:]] == [Decimal("0.007"), 0xD2]
    assert sent[found.records[2].offset] == 0xD2


def test_what_only_looks_like_records_is_read_whole() -> None:
    sent = telegram("010000002f2f6f1fd204", 0x7A)
    (broken,) = wmbus.decode(sent)
    assert not broken.valid
    found = read(sent, {"whole": True, "begins": "2f2f", "field": [VOLUME | {"at": 4}]})
    assert found.valid
    assert found.errors == ()
    assert [record.name for record in found.records] == ["manufacturer_data", "volume"]
    assert found.records[1].value == 1234


def test_what_is_shut_is_not_read_whole() -> None:
    shut = telegram("01001005" + "11" * 16, 0x7A)
    found = read(shut, {"whole": True, "field": [VOLUME]})
    assert found.encrypted
    assert found.records == ()


@pytest.mark.parametrize("table", [{"whole": True}, {"cipher": "prios", "keys": ["00" * 8]}])
def test_what_only_radio_has_leaves_other_protocols_alone(table: dict[str, Any]) -> None:
    sent = bytes.fromhex("68121268 0801 72 78563412 a740 01 07 01 00 0000 0f 0102")
    (decoded,) = mbus.decode(sent + bytes((sum(sent[4:]) & 0xFF, 0x16)))
    assert decoded.valid
    assert read_payload(decoded, [parse_payload("made-up", table | {"field": [VOLUME]})]) is decoded


@pytest.mark.parametrize(
    "table",
    [
        {"cipher": "rot13"},
        {"unknown": 1},
        {"begins": "0"},
        {"begins": "0g"},
        {"begins": 7},
        {"ci": ["ZZ"]},
        {"keys": ["1"]},
        {"registers": {"at": 0}},
        {"registers": {"at": -1, "lengths": {}}},
        {"registers": {"at": 0, "lengths": {"10": -1}}},
        {"registers": []},
        {"field": [VOLUME | {"register": "10"}]},
        {"field": [VOLUME | {"register": "ZZ"}]},
        {"field": [{"at": 0}]},
        {"field": ["volume"]},
        [],
    ],
)
def test_a_wrong_description_is_refused(table: Any) -> None:
    with pytest.raises(LocalProtocolError, match="meter type made-up: payload"):
        parse_payload("made-up", table)


WITH_PAYLOAD = [name for name, known in meter_types().items() if known.payloads]


@pytest.mark.parametrize("name", WITH_PAYLOAD)
def test_a_types_own_telegrams_are_wholly_explained(name: str) -> None:
    known = meter_types()[name]
    for each in known.telegrams:
        for frame in decode_frames(each["input"], known.protocol):
            check_cover(frame.decoded)
        fast = decode_frames(each["input"], known.protocol, explain=False)
        assert [frame.readings for frame in fast] == [
            frame.readings for frame in decode_frames(each["input"], known.protocol)
        ]


@pytest.mark.parametrize("name", WITH_PAYLOAD)
def test_a_type_says_where_its_facts_come_from(name: str) -> None:
    assert len(meter_types()[name].source) > 20


@given(st.sampled_from(WITH_PAYLOAD), st.data())
def test_hostile_bytes_are_explained_too(name: str, data: st.DataObject) -> None:
    known = meter_types()[name]
    sent = bytearray.fromhex(data.draw(st.sampled_from(known.telegrams))["input"])
    for _ in range(data.draw(st.integers(0, 4))):
        sent[data.draw(st.integers(10, len(sent) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(12, len(sent)))
    sent = sent[:cut]
    sent[0] = len(sent) - 1
    for frame in decode_frames(bytes(sent).hex(), "wmbus", meter_type=known):
        check_cover(frame.decoded)
