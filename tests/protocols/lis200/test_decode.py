"""Telegrams explained; LIS-200 told apart from plain IEC 62056-21; damage survived."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.catalogue import PROTOCOLS, decode_frames
from polymeter.protocols.iec62056_21 import Command, DataMessage, Identification, encode
from polymeter.protocols.lis200 import decode, detect
from tests.effort import finishes, steps
from tests.vectors import check_case, load_vectors, telegram, vector_id
from tools.fuzz_targets import check_cover

VALUE = encode(DataMessage("2:300.0(0123.4567*m3)"))


@pytest.mark.parametrize("case", load_vectors("lis200"), ids=vector_id)
def test_a_vector_decodes_as_expected(case: Any) -> None:
    frames = decode_frames(telegram(case), "lis200", lenient=bool(case.get("lenient")))
    assert check_case(case, [frame.as_dict() for frame in frames]) == []
    for frame in frames:
        check_cover(frame.decoded)


def test_a_value_has_its_objects_name() -> None:
    (frame,) = decode(VALUE)
    (record,) = frame.records
    assert (record.name, record.value, record.unit, record.obis) == ("2:300", Decimal("123.4567"), "m3", None)
    assert frame.protocol == "lis200"


def test_addresses_are_explained() -> None:
    (frame,) = decode(encode(Command("R1", "3:V.4(1;;;)")))
    assert frame.tree is not None
    (address,) = [node for node in frame.tree.walk() if node.name == "address"]
    assert address.meaning == "instance 3, archive, source"
    assert "archive" in frame.why


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("1:180.0(00012345)", "1:180", "00012345"),
        ("1:400.0(2026-01-31,12:00:00)", "1:400", datetime(2026, 1, 31, 12)),
        ("2:300.3(m3)", "2:300.3", "m3"),
        ("007-2:302.2(7.5)", "2:302", Decimal("7.5")),
        ("6:310_1.0(15.2*C)", "6:310_1", Decimal("15.2")),
    ],
)
def test_values_keep_what_they_are(text: str, name: str, value: object) -> None:
    (record,) = decode(encode(DataMessage(text)))[0].records
    assert (record.name, record.value) == (name, value)


def test_a_name_that_is_no_address_stays_as_it_is() -> None:
    (record,) = decode(encode(DataMessage("REMARK(seen)")))[0].records
    assert (record.name, record.value, record.obis) == ("REMARK", "seen", None)


def test_the_serial_number_is_the_meters_id() -> None:
    (frame,) = decode(encode(DataMessage("1:180.0(00012345)")))
    assert frame.meter.id == "00012345"


def test_rows_of_an_archive_have_their_time() -> None:
    (frame,) = decode(encode(DataMessage("(1)(2026-01-31,06:00:00)(7.5)\r\n(2)(2026-01-31,07:00:00)(8.5)")))
    assert [(record.name, record.value, record.time) for record in frame.records] == [
        ("column 1", 1, datetime(2026, 1, 31, 6)),
        ("column 2", datetime(2026, 1, 31, 6), None),
        ("column 3", Decimal("7.5"), datetime(2026, 1, 31, 6)),
        ("column 1", 2, datetime(2026, 1, 31, 7)),
        ("column 2", datetime(2026, 1, 31, 7), None),
        ("column 3", Decimal("8.5"), datetime(2026, 1, 31, 7)),
    ]
    for record in frame.records:
        assert encode(DataMessage("(1)(2026-01-31,06:00:00)(7.5)\r\n(2)(2026-01-31,07:00:00)(8.5)"))[
            record.offset :
        ].startswith(record.raw)


@pytest.mark.parametrize(("number", "words"), [("0017", "wrong access code"), ("9999", "not in the list")])
def test_errors_are_told_in_words(number: str, words: str) -> None:
    (frame,) = decode(encode(DataMessage(f"(#{number})")))
    assert frame.valid
    assert frame.records == ()
    assert words in frame.errors[0].message
    assert "an error of the device" in frame.why


@pytest.mark.parametrize(
    ("data", "protocol"),
    [
        (VALUE, "lis200"),
        (encode(DataMessage("(#0017)")), "lis200"),
        (encode(Command("R3", "3:V.0(3;;;10)")), "lis200"),
        (encode(Command("W1", "4:171.0(0)")), "lis200"),
        (encode(Identification("Els", "6", "EK270")) + VALUE, "lis200"),
        (encode(DataMessage("1.8.0(1*kWh)\r\n!\r\n")), "iec62056-21"),
        (encode(DataMessage("1-0:1.8.0*255(1*kWh)")), "iec62056-21"),
        (encode(DataMessage("1:1.8.0(1*kWh)")), "iec62056-21"),
        (encode(DataMessage("3:14(314*kWh)4:15(415*kWh)\r\n!\r\n")), "iec62056-21"),
        (encode(DataMessage("(ERROR)")), "iec62056-21"),
        (encode(Command("R1", "1.8.0()")), "iec62056-21"),
        (encode(Identification("PMX", "5", "SIM100")), "iec62056-21"),
    ],
)
def test_the_bytes_tell_the_two_protocols_apart(data: bytes, protocol: str) -> None:
    (frame,) = decode_frames(data)
    assert frame.decoded.protocol == protocol
    parity = bytes(byte | (0x80 if byte.bit_count() % 2 else 0) for byte in data)
    assert decode_frames(parity)[0].decoded.protocol == protocol


def test_damage_is_no_lis200() -> None:
    assert detect(VALUE[:-1] + b"\x00") is None
    assert detect(b"") is None
    assert PROTOCOLS["lis200"].detect(VALUE) is not None


@pytest.mark.parametrize("size", range(len(VALUE)))
def test_a_telegram_cut_anywhere_gives_no_value(size: int) -> None:
    for frame in decode(VALUE[:size]):
        assert not frame.valid
        assert frame.records == ()
        check_cover(frame)


@pytest.mark.parametrize("place", range(len(VALUE)))
def test_a_flipped_byte_never_gives_a_wrong_value(place: int) -> None:
    right = decode(VALUE)[0].records
    for change in range(1, 256):
        data = bytearray(VALUE)
        data[place] ^= change
        for frame in decode(bytes(data)):
            check_cover(frame)
            assert not frame.valid or frame.records in ((), right)


@given(
    st.binary(max_size=80)
    | st.text(st.characters(max_codepoint=126, min_codepoint=32), max_size=60).map(
        lambda text: encode(DataMessage(text))
    )
)
def test_no_bytes_raise(data: bytes) -> None:
    assert [(f.valid, f.records) for f in decode(data)] == [
        (f.valid, f.records) for f in decode(data, explain=False)
    ]


HOSTILE = {
    "block starts": lambda size: b"\x02" * size,
    "acknowledgements": lambda size: b"\x06" * size,
    "values": lambda size: encode(DataMessage("2:300.0(1*m3)\r\n" * (size // 15))),
    "rows": lambda size: encode(DataMessage("(1)(2026-01-31,06:00:00)(7.5)\r\n" * (size // 31))),
    "one row": lambda size: encode(DataMessage("(2026-01-31,06:00:00)" * (size // 21))),
    "one row of numbers": lambda size: encode(DataMessage("(1)" * (size // 3))),
    "refusals": lambda size: encode(DataMessage("(#0017)\r\n" * (size // 9))),
    "one refusal at the end": lambda size: encode(
        DataMessage("2:300.0(1*m3)\r\n" * (size // 15) + "(#0017)")
    ),
    "empty brackets": lambda size: encode(DataMessage("()" * (size // 2))),
    "a long address": lambda size: encode(DataMessage("1" * size + ":300.0(1)")),
    "line ends": lambda size: encode(DataMessage("\n(" + "1" * size)),
}


@pytest.mark.parametrize("explain", [False, True])
@pytest.mark.parametrize("kind", HOSTILE)
def test_work_grows_at_most_linearly_with_the_input(kind: str, explain: bool) -> None:
    small, large = (HOSTILE[kind](size) for size in (1500, 6000))
    first, second = (steps(lambda data=data: decode(data, explain=explain)) for data in (small, large))
    assert first <= 200 * len(small)
    assert second <= 4.5 * first + 500


@pytest.mark.parametrize("kind", ["rows", "one row of numbers", "refusals", "a long address", "line ends"])
def test_expressions_do_not_look_at_everything_again_and_again(kind: str) -> None:
    with finishes():
        detect(HOSTILE[kind](100_000))
        decode(HOSTILE[kind](100_000), explain=False)
