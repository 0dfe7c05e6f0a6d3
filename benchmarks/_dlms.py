"""The messages of the DLMS benchmarks, made without any of the contenders.

The push has the shape of a Kamstrup HAN list: 25 elements, OBIS codes and numbers side by side. Its
texts are octet strings, because the peer's last MIT release reads no visible strings.
"""

from datetime import UTC, datetime, timedelta

__all__ = ["AUTH", "CAPTURE", "KEY", "ROWS", "TITLE", "profile", "push", "sealed"]

KEY, AUTH = bytes(range(16)), bytes(range(16, 32))
TITLE = b"XYZ\x10\x00\x00\x00\x01"
ROWS = 1000
CAPTURE = (
    (8, "0000010000ff"),
    (1, "0000600a01ff"),
    (3, "0100010800ff"),
    (3, "0100020800ff"),
    (3, "0100030800ff"),
)
"""Class and logical name of each column."""


def _text(text: str) -> bytes:
    return bytes((9, len(text))) + text.encode()


def _code(text: str) -> bytes:
    return b"\x09\x06" + bytes.fromhex(text)


def push() -> bytes:
    """A data-notification of 25 elements."""
    parts = [_text("Kamstrup_V0001"), _code("0101000005ff"), _text("5706567000000000")]
    parts += [_code("0101600101ff"), _text("000000000000000000")]
    for number, group in enumerate(("01", "02", "03", "04", "1f", "33", "47")):
        parts += [_code(f"0101{group}0700ff"), b"\x06" + (number * 1234567).to_bytes(4, "big")]
    for number, group in enumerate(("20", "34", "48")):
        parts += [_code(f"0101{group}0700ff"), b"\x12" + (2290 + number).to_bytes(2, "big")]
    assert len(parts) == 25
    head = b"\x0f\x00\x00\x00\x00\x0c" + bytes.fromhex("07d0010106162100ff800001")
    return head + b"\x02\x19" + b"".join(parts)


def sealed() -> bytes:
    """The same in a general-glo-ciphering, authenticated and encrypted."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    counter = (7).to_bytes(4, "big")
    content = b"\x30" + counter + AESGCM(KEY).encrypt(TITLE + counter, push(), b"\x30" + AUTH)[:-4]
    return b"\xdb\x08" + TITLE + b"\x81" + bytes((len(content),)) + content


def _clock(moment: datetime) -> bytes:
    date = moment.year.to_bytes(2, "big") + bytes((moment.month, moment.day, moment.isoweekday()))
    return date + bytes((moment.hour, moment.minute, moment.second, 0, 0, 0, 0))


def profile() -> bytes:
    """A get-response with a buffer of 1000 rows and 5 columns."""
    start = datetime(2024, 1, 1, tzinfo=UTC)
    rows = [
        b"\x02\x05\x09\x0c"
        + _clock(start + timedelta(minutes=15 * number))
        + b"\x11\x08"
        + b"".join(b"\x06" + (number * step).to_bytes(4, "big") for step in (17, 5, 3))
        for number in range(ROWS)
    ]
    return b"\xc4\x01\xc1\x00" + b"\x01\x82" + ROWS.to_bytes(2, "big") + b"".join(rows)
