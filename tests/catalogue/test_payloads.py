"""Payloads of manufacturers' own: what their description finds, and what it refuses."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from polymeter.catalogue import decode_frames
from polymeter.catalogue.payloads import parse_payload, read_payload
from polymeter.catalogue.types import meter_types
from polymeter.protocols import wmbus
from polymeter.protocols.wire import LocalProtocolError
from polymeter.protocols.wmbus import LinkHeader
from polymeter.protocols.wmbus.prios import decipher, encipher
from tools.fuzz_targets import check_cover

LINK = LinkHeader(0x44, "PMX", "12345678", 1, 7)


def telegram(payload: str, ci: int = 0xA2) -> bytes:
    body = bytes(LINK) + bytes((ci,)) + bytes.fromhex(payload)
    return bytes((len(body),)) + body


def values(payload: str, *fields: dict[str, Any], **table: Any) -> list[Any]:
    (decoded,) = wmbus.decode(telegram(payload))
    described = parse_payload("made-up", {"field": list(fields), **table})
    read = read_payload(decoded, described)
    check_cover(read)
    return [record.value for record in read.records[1:]]


def test_numbers_are_cut_scaled_and_added() -> None:
    number = {"name": "volume", "at": 1, "size": 2}
    assert values("00d204", number) == [1234]
    assert values("00d204", number | {"scale": -3}) == [Decimal("1.234")]
    assert values("00ffff", number | {"type": "signed"}) == [-1]
    assert values("003412", number | {"type": "bcd"}) == [1234]
    assert values("00fa12", number | {"type": "bcd"}) == ["12FA"]
    assert values("00d204", number | {"shift": 4, "mask": 15}) == [13]
    assert values("00d2040100", number | {"at": [1, 3]}) == [1235]
    assert values("00d204", number | {"divisor": 16}) == [Decimal("77.125")]
    assert values("14d204", number | {"exponent_at": 0}) == [Decimal("12.34")]


def test_dates_without_year_are_the_next_such_day() -> None:
    first = {"name": "date", "type": "date", "at": 0, "size": 2, "year": [9, 6], "storage": 1}
    then = first | {"at": 2, "day": [4, 5], "month": [9, 4], "after": "date.s1", "storage": 0}
    del then["year"]
    assert values("9f333106", first, then) == [date(2025, 12, 31), date(2026, 3, 3)]
    assert values("000031060000", first, then) == [None, None]
    assert values("4131", {"name": "date", "type": "date_g", "at": 0, "size": 2}) == [date(2026, 1, 1)]


def test_what_does_not_fit_leaves_the_opaque_reading_alone() -> None:
    number = {"name": "volume", "at": 1, "size": 2}
    assert values("00", number) == []
    assert values("00d204", number, ci=["A3"]) == []
    assert values("00d204", number, length_min=9) == []
    assert values("00d20400000000", number, cipher="prios", keys=["0000000000000000"]) == []


@pytest.mark.parametrize(
    "table",
    [
        {"cipher": "rot13"},
        {"unknown": 1},
        {"field": [{"name": "x", "at": 0, "size": 9}]},
        {"field": [{"name": "x", "at": 0}]},
        {"field": [{"name": "x", "at": 0, "size": 1, "type": "float"}]},
        {"field": [{"name": "x", "at": 0, "size": 1, "divisor": 3}]},
        {"field": [{"name": "x", "at": 0, "size": 1, "colour": "red"}]},
        {"ci": ["ZZ"]},
        [],
    ],
)
def test_a_wrong_description_is_refused(table: Any) -> None:
    with pytest.raises(LocalProtocolError, match="payload"):
        parse_payload("made-up", table)


def test_prios_round_trips_and_knows_its_key() -> None:
    key, address = bytes.fromhex("39BC8A10E66D83F8"), bytes(LINK)[1:]
    sealed = encipher(key, address, 0xA2, b"\1\2\3\x13", b"\x4bwater")
    assert decipher(key, address, 0xA2, sealed) == b"\x4bwater"
    assert decipher(bytes(8), address, 0xA2, sealed) is None


@pytest.mark.parametrize("name", [name for name, known in meter_types().items() if known.payload is not None])
def test_a_types_own_telegrams_are_wholly_explained(name: str) -> None:
    known = meter_types()[name]
    for each in known.telegrams:
        for frame in decode_frames(each["input"], known.protocol):
            check_cover(frame.decoded)
        fast = decode_frames(each["input"], known.protocol, explain=False)
        assert [frame.readings for frame in fast] == [
            frame.readings for frame in decode_frames(each["input"], known.protocol)
        ]
