"""Compact frames of the formats that are shipped: read without a full frame before them."""

import pytest

from polymeter.protocols import wmbus
from polymeter.protocols.crc import crc16_en13757
from polymeter.protocols.mbus import SIZES, decode_records
from polymeter.protocols.wmbus import KNOWN_FORMATS, LinkHeader
from polymeter.protocols.wmbus.compact import rebuild


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
    full = rebuild(headers, data, 0, len(data))
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
