"""From the first CI field to records: which layer follows which, and what each CI field announces."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.catalogue import decode_frames
from polymeter.protocols import wmbus
from polymeter.protocols.mbus import LongHeader, ShortHeader
from polymeter.protocols.wire import Decoded, DecodeOptions
from polymeter.protocols.wmbus import AFL, CI_NAMES, DLMS_CI, ELL, LinkHeader, Memory, radio_ci_name
from polymeter.protocols.wmbus.application import known_ci
from polymeter.protocols.wmbus.meter import compact_frame
from tools.fuzz_targets import check_cover

LINK = LinkHeader(0x44, "PMX", "12345678", 1, 7)
METER = LongHeader("00112233", "PMY", 5, 4, 9, 4)
SHORT = ShortHeader(9, 4)
RECORDS = bytes.fromhex("0413d2040000426cbf25")
HEADERS = bytes.fromhex("0413426c")
DATA = bytes.fromhex("d2040000bf25")


def framed(body: bytes, control: int = 0x44) -> bytes:
    return bytes((9 + len(body), control)) + bytes(LINK)[1:] + body


def read(body: bytes, memory: Memory | None = None, *, lenient: bool = False) -> Decoded:
    (decoded,) = wmbus.decode(framed(body), DecodeOptions(lenient=lenient), memory=memory)
    check_cover(decoded)
    return decoded


def said(decoded: Decoded) -> str:
    return "; ".join(problem.message for problem in decoded.errors)


def values(decoded: Decoded) -> list[object]:
    return [record.value for record in decoded.records]


def nodes(decoded: Decoded) -> list[str]:
    assert decoded.tree is not None
    return [node.name for node in decoded.tree.walk()]


@pytest.mark.parametrize("ci", CI_NAMES)
def test_every_ci_field_is_read_with_its_header(ci: int) -> None:
    _, header, _ = CI_NAMES[ci]
    prefix = {"none": b"", "short": bytes(SHORT), "long": bytes(METER)}[header]
    decoded = read(bytes((ci,)) + prefix)
    assert decoded.frame.ci == ci
    assert decoded.meter.id == ("00112233" if header == "long" else "12345678")
    if header != "none":
        assert decoded.frame.header == (METER if header == "long" else SHORT)
    assert known_ci(ci)
    cut = read(bytes((ci,)) + prefix[:-1])
    assert header == "none" or not cut.valid


@pytest.mark.parametrize(
    ("ci", "words"),
    [
        (0x72, "response, long header"),
        (0x73, "compact frame, long header"),
        (0x8C, "extended link layer"),
        (0x90, "authentication and fragmentation layer"),
        (0xA2, "manufacturer's own"),
        (0xC2, "image transfer from the meter, long header"),
        (0x3F, "unknown"),
    ],
)
def test_a_ci_field_in_words(ci: int, words: str) -> None:
    assert radio_ci_name(ci) == words
    assert known_ci(ci) == (words != "unknown")


@pytest.mark.parametrize(
    "below",
    [
        b"",
        bytes(ELL(0x8C, 0x20, 7)),
        bytes(ELL(0x8E, 0x20, 7, bytes(8))),
        b"\x81\x00",
        bytes(AFL(0, False, 0x00)),
        bytes(ELL(0x8C, 0x20, 7)) + bytes(AFL(0, False, 0x00)),
        bytes(ELL(0x8C, 0x20, 7)) + b"\x81\x1f" + bytes(AFL(0, False)),
    ],
    ids=bytes.hex,
)
@pytest.mark.parametrize(
    "above", [b"\x78", b"\x7a" + bytes(SHORT), b"\x72" + bytes(METER)], ids=["no", "short", "long"]
)
def test_layers_stand_on_each_other(below: bytes, above: bytes) -> None:
    decoded = read(below + above + RECORDS)
    assert decoded.valid
    assert decoded.errors == ()
    assert values(decoded)[0] == Decimal("1.234")
    assert "unexplained" not in nodes(decoded)


@pytest.mark.parametrize(
    "layers",
    [
        bytes(ELL(0x8C, 0x20, 7)) + bytes(ELL(0x8E, 0x20, 7, bytes(8))),
        bytes(AFL(0, False)) + bytes(AFL(0, False)),
    ],
    ids=["ELL", "AFL"],
)
def test_a_layer_comes_once(layers: bytes) -> None:
    decoded = read(layers + b"\x78" + RECORDS)
    assert not any(record.name == "volume" for record in decoded.records)
    assert len(decoded.records) == 1


def test_a_message_length_that_does_not_fit_is_told_and_the_rest_read() -> None:
    good = read(bytes(AFL(0, False, 0x40, message_length=b"\x0b\0")) + b"\x78" + RECORDS)
    assert good.errors == ()
    wrong = read(bytes(AFL(0, False, 0x40, message_length=b"\x0c\0")) + b"\x78" + RECORDS)
    assert not wrong.valid
    assert "a message of 12 bytes, there are 11" in said(wrong)
    assert len(wrong.records) == 2


@pytest.mark.parametrize(("ci", "prefix"), [(0x70, b""), (0x6E, bytes(SHORT)), (0x6F, bytes(METER))])
def test_errors_of_a_meter(ci: int, prefix: bytes) -> None:
    decoded = read(bytes((ci,)) + prefix + b"\x14")
    assert decoded.valid
    assert said(decoded) == "the meter reports: decryption failed"


@pytest.mark.parametrize(("ci", "prefix"), [(0x71, b""), (0x74, bytes(SHORT)), (0x75, bytes(METER))])
def test_alarms_of_a_meter(ci: int, prefix: bytes) -> None:
    decoded = read(bytes((ci,)) + prefix + b"\x04")
    assert decoded.valid
    assert "alarm status" in nodes(decoded)


def test_commands_on_the_air() -> None:
    reset = read(b"\x53" + bytes(METER) + b"\x10")
    assert "subcode" in nodes(reset)
    clock = read(b"\x6c" + bytes(METER) + bytes.fromhex("001e1d4a353411000000"))
    assert "time" in nodes(clock)
    write = read(b"\x5b" + bytes(METER) + bytes.fromhex("0493" + "01" + "01000000"))
    assert write.errors == (), "low extensions of a command are actions"


def test_a_makers_own_data_is_kept() -> None:
    decoded = read(b"\xa2\xca\xfe")
    assert [(record.name, record.value) for record in decoded.records] == [("manufacturer_data", b"\xca\xfe")]
    assert decoded.frame.application == b"\xca\xfe"


def test_what_nobody_knows_is_kept_under_its_number() -> None:
    decoded = read(b"\x3f\xca\xfe")
    assert [(record.name, record.value) for record in decoded.records] == [("ci.3f", b"\xca\xfe")]


@pytest.mark.parametrize("ci", [0x00, 0x60, 0x61, 0x7C, 0x7D])
def test_dlms_is_handed_on(ci: int) -> None:
    assert ci in DLMS_CI
    prefix = {"none": b"\x01\x67", "short": bytes(SHORT), "long": bytes(METER)}[CI_NAMES[ci][1]]
    notification = bytes.fromhex("0f00000000000203" + "090c07e9041501101d1e00800000" + "0600001234" + "110a")
    frame = framed(bytes((ci,)) + prefix + notification)
    (alone,) = wmbus.decode(frame)
    assert alone.records[-1].name == "dlms"
    (handed,) = decode_frames(frame, "wmbus")
    assert [record.value for record in handed.decoded.records][-2:] == [0x1234, 10]
    check_cover(handed.decoded)


@pytest.mark.parametrize(("ci", "prefix"), [(0x79, b""), (0x7B, bytes(SHORT)), (0x73, bytes(METER))])
@pytest.mark.parametrize("filler", [b"", b"\x2f\x2f"], ids=["", "2F"])
def test_compact_frames_with_every_header(ci: int, prefix: bytes, filler: bytes) -> None:
    memory = Memory()
    read(b"\x78" + RECORDS, memory)
    body = compact_frame(HEADERS, RECORDS, DATA)[1:]
    decoded = read(bytes((ci,)) + prefix + filler + body + filler, memory)
    assert decoded.valid
    assert values(decoded)[0] == Decimal("1.234")
    assert decoded.waits_for is None


def test_a_compact_frame_waits_for_its_format() -> None:
    decoded = read(compact_frame(HEADERS, RECORDS, DATA))
    number = wmbus.compact.signature(HEADERS)
    assert decoded.valid
    assert decoded.waits_for == f"format {number:04X}"
    assert [(record.name, record.value) for record in decoded.records] == [("compact_data", DATA)]


def test_a_compact_frame_that_does_not_fit_its_format_is_kept() -> None:
    memory = Memory()
    read(b"\x78" + RECORDS, memory)
    short = read(compact_frame(HEADERS, RECORDS, DATA[:-1]), memory)
    assert not short.valid
    assert [record.name for record in short.records] == ["compact_data"]
    other = compact_frame(HEADERS, RECORDS + b"x", DATA)
    wrong = read(other, memory)
    assert not wrong.valid
    assert "does not have the CRC" in said(wrong)
    assert len(read(other, memory, lenient=True).records) == 2
    # Where the extended link layer proves the same bytes, they stand.
    ell = ELL(0x8D, 0x20, 7, session=bytes(4), crc=wmbus.compact.signature(other))
    assert len(read(bytes(ell) + other, memory).records) == 2


@pytest.mark.parametrize("size", range(4))
def test_a_compact_frame_that_is_too_short_is_refused(size: int) -> None:
    assert not read(b"\x79" + bytes(size)).valid


@pytest.mark.parametrize(("ci", "prefix"), [(0x69, b""), (0x6A, bytes(SHORT)), (0x6B, bytes(METER))])
def test_a_format_frame_teaches(ci: int, prefix: bytes) -> None:
    memory = Memory({})
    number = wmbus.compact.signature(HEADERS).to_bytes(2, "little")
    taught = read(bytes((ci,)) + prefix + bytes((2 + len(HEADERS),)) + number + HEADERS + b"\x2f", memory)
    assert taught.valid
    assert len(read(compact_frame(HEADERS, RECORDS, DATA), memory).records) == 2


def test_a_format_frame_with_another_signature_teaches_nothing() -> None:
    memory = Memory({})
    wrong = read(b"\x69\x06\x12\x34" + HEADERS, memory)
    assert not wrong.valid
    assert "signature 3412" in said(wrong)
    assert memory.senders == 0
    assert not read(b"\x69\x06", memory).valid


def test_only_whole_full_frames_teach() -> None:
    memory = Memory({})
    read(b"\x78" + RECORDS[:-1], memory)
    assert memory.senders == 0
    read(b"\x78" + RECORDS, memory)
    assert memory.senders == 1
    assert wmbus.decode(framed(b"\x78" + RECORDS))[0].valid, "and without a memory nobody learns"


def test_formats_of_another_sender_are_not_used() -> None:
    memory = Memory({})
    read(b"\x78" + RECORDS, memory)
    other = framed(compact_frame(HEADERS, RECORDS, DATA))
    other = other[:4] + b"\x99" + other[5:]
    (decoded,) = wmbus.decode(other, memory=memory)
    assert decoded.waits_for is not None


def test_names_of_oms_are_those_of_the_meter_behind_an_adapter() -> None:
    decoded = read(b"\x72" + bytes(METER) + bytes.fromhex("040601000000"))
    assert decoded.tree is not None
    assert any("OBIS 6-0:1.0.0*255" in (node.meaning or "") for node in decoded.tree.walk())


@given(st.integers(0, 255), st.binary(max_size=60))
def test_anything_behind_the_link_layer_is_read_or_refused(ci: int, data: bytes) -> None:
    (decoded,) = wmbus.decode(framed(bytes((ci,)) + data), DecodeOptions((bytes(16),)), memory=Memory())
    assert decoded.valid or decoded.errors
    check_cover(decoded)
