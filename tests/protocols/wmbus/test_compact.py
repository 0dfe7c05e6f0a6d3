"""Compact frames: headers that are known beforehand, data that comes without them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols import wmbus
from polymeter.protocols.crc import crc16_en13757
from polymeter.protocols.mbus import SIZES, Header, decode_records, encode_record
from polymeter.protocols.wire import RemoteProtocolError
from polymeter.protocols.wmbus import KNOWN_FORMATS, LinkHeader, compact

FULL = bytes.fromhex("0413d2040000" + "426cbf25" + "0dfd0c03636261")
HEADERS = bytes.fromhex("0413" + "426c" + "0dfd0c")
DATA = bytes.fromhex("d2040000" + "bf25" + "03636261")


def test_a_format_is_the_headers_of_a_full_frame() -> None:
    found = decode_records(FULL, spans=True)
    assert found.spans is not None
    assert compact.format_of(FULL, found.spans) == HEADERS
    assert compact.signature(HEADERS) == crc16_en13757(HEADERS)


def test_fillers_are_no_part_of_a_format_and_a_makers_data_ends_it() -> None:
    data = b"\x2f\x2f" + FULL + b"\x0f\xca\xfe"
    found = decode_records(data, spans=True)
    assert found.spans is not None
    assert compact.format_of(data, found.spans) == HEADERS + b"\x0f"


def test_headers_and_data_are_put_together() -> None:
    assert compact.rebuild(HEADERS, DATA, 0, len(DATA)) == FULL
    assert compact.rebuild(HEADERS + b"\x0f", DATA + b"\xca\xfe", 0, len(DATA) + 2) == FULL + b"\x0f\xca\xfe"
    assert compact.rebuild(HEADERS, b"xx" + DATA + b"yy", 2, 2 + len(DATA)) == FULL


def test_a_unit_in_text_belongs_to_the_headers() -> None:
    record = encode_record(Header(2, b"\xfc\x74", text="%RH"), 0)
    headers, data = record[:-2], record[-2:]
    assert compact.rebuild(headers, data, 0, 2) == record


@pytest.mark.parametrize(
    ("headers", "data", "words"),
    [
        (HEADERS, DATA[:-1], "needs 4 bytes"),
        (HEADERS, DATA + b"\0", "1 bytes are left"),
        (HEADERS, DATA[:6], "does not fit the format"),
        (HEADERS, DATA[:6] + b"\xff", "does not fit the format"),
        (HEADERS[:-1], DATA, "breaks off"),
        (b"\x84", DATA, "breaks off"),
        (b"\x04\xfc", DATA, "breaks off"),
        (b"\x04\x7c\x09a", DATA, "breaks off"),
        (b"\x2f\x13", DATA, "does not fit the format"),
    ],
)
def test_what_does_not_fit_is_refused(headers: bytes, data: bytes, words: str) -> None:
    with pytest.raises(RemoteProtocolError, match=words):
        compact.rebuild(headers, data, 0, len(data))


def data_of(headers: bytes) -> bytes:
    """Different bytes for every record of a format, in the order in which it has them."""
    sizes, at = 0, 0
    while at < len(headers):
        sizes += SIZES[headers[at] & 0x0F]
        while headers[at] & 0x80:
            at += 1
        at += 1
        while headers[at] & 0x80:
            at += 1
        at += 1
    return bytes(index % 9 + 1 for index in range(sizes))


@pytest.mark.parametrize("number", KNOWN_FORMATS, ids=lambda number: f"{number:04X}")
def test_a_shipped_format_reads_a_compact_frame(number: int) -> None:
    headers = KNOWN_FORMATS[number]
    data = data_of(headers)
    full = compact.rebuild(headers, data, 0, len(data))
    crc = crc16_en13757(full).to_bytes(2, "little")
    body = (
        bytes(LinkHeader(0x44, "PMX", "12345678", 1, 7)) + b"\x79" + number.to_bytes(2, "little") + crc + data
    )
    (decoded,) = wmbus.decode(bytes((len(body),)) + body)
    assert decoded.valid
    assert decoded.errors == ()
    assert [record.value for record in decoded.records] == [
        record.value for record in decode_records(full).records
    ]
    assert all(len(record.raw) > 2 for record in decoded.records)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([1, 2, 3, 4, 6, 7, 9, 10, 11, 12, 14]),
            st.sampled_from([b"\x13", b"\x06", b"\xfd\x17", b"\x93\x3c", b"\x5b"]),
            st.integers(0, 99),
            st.integers(0, 2**40),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_any_full_frame_comes_back_from_its_format_and_its_data(
    rows: list[tuple[int, bytes, int, int]],
) -> None:
    full = b""
    for field, vib, number, storage in rows:
        header = bytes(Header(field, vib, storage))
        size = {1: 1, 2: 2, 3: 3, 4: 4, 6: 6, 7: 8, 9: 1, 10: 2, 11: 3, 12: 4, 14: 6}[field]
        full += header + bytes.fromhex(f"{number:02d}") + bytes(size - 1)
    found = decode_records(full, spans=True)
    assert found.spans is not None
    headers = compact.format_of(full, found.spans)
    data = b"".join(full[span.data : span.end] for span in found.spans)
    assert compact.rebuild(headers, data, 0, len(data)) == full


@given(st.binary(max_size=30), st.binary(max_size=30))
def test_any_format_and_any_data_fit_or_not(headers: bytes, data: bytes) -> None:
    try:
        full = compact.rebuild(headers, data, 0, len(data))
    except RemoteProtocolError:
        return
    assert len(full) >= len(data)
