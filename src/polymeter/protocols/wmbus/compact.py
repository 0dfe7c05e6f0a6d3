"""Compact frames: data without record headers, put together again with headers that are known.

EN 13757-3 Annex G. A full frame teaches its format: the DIF, DIFE, VIF and VIFE bytes of its records
in order. Their CRC is the signature that a compact frame names, and a second CRC covers the full
data, so a format that does not fit shows. What a sender's full and format frames teach is kept in
`memory`; the formats that many meters share are shipped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from polymeter.protocols.crc import crc16_en13757
from polymeter.protocols.mbus import SIZES, variable_size
from polymeter.protocols.mbus.records import Span
from polymeter.protocols.wire import RemoteProtocolError

__all__ = ["KNOWN_FORMATS", "format_of", "rebuild", "signature"]

_MANUFACTURER_DATA: Final = (0x0F, 0x1F)


def signature(headers: bytes) -> int:
    """The signature of a format: the CRC of its bytes."""
    return crc16_en13757(headers)


_SHARED: Final = (
    # Kamstrup water, heat, pressure and electricity meters, as their full frames spell them.
    "02FF2004134413615B6167",
    "02FF20041392013BA1015B8101E7FF0F",
    "02FF2004134413A1015B8101E7FF0F",
    "02FF2004134413615B5167",
    "02FF2004134413",
    "02FF200413523B",
    "02FF2004134413426C523B615B616751678101E7FF0F06FF1B",
    "04FF234413523B06FF1B426C61675167023B04138101E7FF0F",
    "04FF2304134413426C023B92013BA2013B06FF1BA1015B91015BA10167",
    "030F430F0314426C022D01FF21",
    "02F9FF15040604EEFF0704EEFF0804148440148480401402FD17026C426C44064414C44014C4804014043B0259025D",
    "040604FF0704FF080414043B0259025D04FF22026C44064414426C",
    "22691269026905FF0905FF0A02FD17",
    "040404843C042B04AB3C",
    # Kamstrup too: full frames that owners published.
    "02FF2004134413426C",
    "02FF200413623B615B515B61675167",
    "041402FD17043B0259",
    "030E430E0313426C022D01FF21",
    "03054305431343FF0743FF08426C01FF21",
    "0406041404FF0704FF080259025D023B02FF22026C44064414426C",
    "040F04FF0704FF080414043B0259025D04FF22",
    "040F04FF0704FF08041484401484804014043B0259025D142D84100F84200F04FF22026C440F4414C44014C4804014426C",
    "02F9FF15040704EEFF0704EEFF08041502FD17026C426C44074415043B0259025D",
    # And found from their signature: of such as are like the others it is the only one that has it, and
    # the values of a compact frame make sense in it.
    "030643060314426C022D01FF21",
    "040604FF0704FF08041402FD17043B0259025D",
    "02FF2004134413426C523B615B51678101E7FF0F06FF1B",
    # Engelmann water meters: month ends behind the due date. Nobody published it; its signature and
    # the CRC of the full data prove it.
    "426C441301FD17"
    "840113C40113840213C40213840313C40313840413C40413"
    "840513C40513840613C40613840713C40713840813"
    "046D0413",
)
KNOWN_FORMATS: Final[Mapping[int, bytes]] = {
    signature(headers): headers for headers in map(bytes.fromhex, _SHARED)
}
"""Formats that many meters share. The signature is computed, so a wrong entry is never found."""


def format_of(data: bytes, spans: list[Span]) -> bytes:
    """The format of records decoded from `data` with their spans."""
    parts = []
    for span in spans:
        if span.kind == "record" and span.layout is not None:
            parts.append(data[span.start : span.data])
        elif span.kind == "manufacturer data":
            parts.append(data[span.start : span.start + 1])
    return b"".join(parts)


def _header_end(headers: bytes, at: int) -> int:
    """Where the header that begins at `at` ends."""
    try:
        while headers[at] & 0x80:
            at += 1
        at += 1
        text = headers[at] & 0x7F == 0x7C
        while headers[at] & 0x80:
            at += 1
        at += 1
        if text:
            at += 1 + headers[at]
    except IndexError:
        raise RemoteProtocolError("the format breaks off within a header") from None
    if at > len(headers):
        raise RemoteProtocolError("the format breaks off within a header")
    return at


def rebuild(headers: bytes, data: bytes, at: int, end: int, layer: int = 0) -> bytes:
    """The full data: the headers of a format, each followed by its data out of a compact frame.

    Raises:
        RemoteProtocolError: the data ends before the format does, or goes on behind it.
    """
    full = bytearray()
    place = 0
    while place < len(headers):
        if headers[place] in _MANUFACTURER_DATA:
            full.append(headers[place])
            full += data[at:end]
            at, place = end, len(headers)
            break
        behind = _header_end(headers, place)
        size = SIZES[headers[place] & 0x0F]
        if size < 0:
            length = variable_size(data[at]) if at < end else None
            if size == -2 or length is None:
                raise RemoteProtocolError("the data does not fit the format", at, layer)
            size = 1 + length
        if at + size > end:
            raise RemoteProtocolError(f"the format needs {size} bytes, {end - at} are left", at, layer)
        full += headers[place:behind]
        full += data[at : at + size]
        at, place = at + size, behind
    if at < end:
        raise RemoteProtocolError(
            f"{end - at} bytes are left behind the last record of the format", at, layer
        )
    return bytes(full)
