"""A record built from any entry of any table, in any data field, encodes and decodes to itself."""

import random
from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.mbus import Header, decode_records, describe_vib, encode_record, variable_size
from polymeter.protocols.mbus import vif_tables as tables
from polymeter.protocols.mbus.headers import FUNCTIONS, SIZES
from polymeter.protocols.mbus.records import NO_VALUE
from polymeter.protocols.wire import LocalProtocolError, Record, Value

ENTRIES = [
    *(bytes((code,)) for code in tables.PRIMARY),
    *(bytes((0xFB, code)) for code in tables.EXTENSION_FB),
    *(bytes((0xFD, code)) for code in tables.EXTENSION_FD),
    *(bytes((0xFD, 0xFD, code)) for code in tables.EXTENSION_FD_FD),
    b"\x7c",
    b"\x7e",
    b"\x7f",
    b"\xff\x21",
]
MODIFIERS = [
    b"",
    *(bytes((code,)) for code in tables.ORTHOGONAL),
    *(bytes((0xFC, code)) for code in tables.ORTHOGONAL_FC),
    *(bytes((code,)) for code in tables.ERRORS),
    b"\xff\x81\x02",
]
FIELDS = [field for field in range(15) if field != 13]


def extended(entry: bytes, modifier: bytes) -> bytes:
    """An entry with an extension behind it."""
    if not modifier:
        return entry
    return entry[:-1] + bytes((entry[-1] | 0x80,)) + modifier


def values(header: Header, dice: random.Random) -> Value:
    """A value that fits the header, as decoding gives it."""
    meaning = describe_vib(header.vib, header.text)
    size = SIZES[header.field]
    if size == 0 or meaning.error in NO_VALUE:
        return None
    if header.field == 5:
        return decoded(_real(header, dice))
    if header.field > 8:
        digits = f"{dice.randrange(10 ** (2 * size)):0{2 * size}d}"
        return decoded(bytes(header) + bytes.fromhex(digits)[::-1])
    if meaning.kind == "date" and size in (2, 3, 4, 6) and not meaning.extended:
        at = datetime(1981 + dice.randrange(100), 1 + dice.randrange(12), 1 + dice.randrange(28), 4, 5, 6)
        return {2: at.date(), 3: at.time(), 4: at.replace(second=0, fold=1), 6: at.replace(fold=1)}[size]
    if meaning.kind == "date" and meaning.extended and size in (2, 3, 4, 6):
        return {2: date(2025, 4, 21), 3: time(1, 2, 3), 4: datetime(2025, 4, 21, 1, 2, fold=1)}.get(
            size, datetime(2025, 4, 21, 1, 2, 3, fold=1)
        )
    return decoded(bytes(header) + dice.randbytes(size))


def _real(header: Header, dice: random.Random) -> bytes:
    return bytes(header) + encode_record(b"\x05\x7e", Decimal(dice.randrange(-(10**6), 10**6)))[2:]


def decoded(record: bytes) -> Value:
    return one(record).value


def one(data: bytes) -> Record:
    found = decode_records(data)
    assert not found.broken
    assert len(found.records) == 1
    return found.records[0]


def headers(dice: random.Random, field: int, vib: bytes) -> Header:
    return Header(
        field,
        vib,
        dice.choice((0, 1, 2, 31, dice.randrange(2**41))),
        dice.choice((0, 1, 3, dice.randrange(2**20))),
        dice.choice((0, 1, dice.randrange(2**10))),
        dice.choice(FUNCTIONS),
        "my unit" if vib[0] & 0x7F == 0x7C else "",
    )


def combinations() -> Iterator[tuple[int, bytes]]:
    """Every entry in every field, and every entry with every extension in some fields."""
    for entry in ENTRIES:
        for field in FIELDS:
            yield field, entry
    for number, entry in enumerate(ENTRIES):
        for shift, modifier in enumerate(MODIFIERS):
            for field in {FIELDS[(number + shift) % 14], FIELDS[(3 * number + 5 * shift) % 14]}:
                yield field, extended(entry, modifier)


def test_every_entry_in_every_field_with_every_extension_is_itself() -> None:
    dice = random.Random(11)
    count = 0
    for field, vib in combinations():
        header = headers(dice, field, vib)
        value = values(header, dice)
        record = encode_record(header, value)
        again = one(record)
        assert again.raw == record
        indices = (again.storage, again.tariff, again.subunit, again.function)
        assert indices == (header.storage, header.tariff, header.subunit, header.function), record.hex()
        assert again.value == value, (record.hex(), value)
        assert type(again.value) is type(value)
        assert encode_record(header, again.value) == record
        count += 1
    assert count > 50_000


@pytest.mark.parametrize("entry", ENTRIES, ids=bytes.hex)
def test_every_entry_takes_data_of_variable_length(entry: bytes) -> None:
    header = Header(13, entry, 3, 1, 0, "instantaneous", "u" if entry == b"\x7c" else "")
    for kind, body in (
        (3, b"cba"),
        (0, b""),
        (0xC3, b"\x56\x34\x12"),
        (0xD2, b"\x34\x12"),
        (0xE2, b"\x39\x3c"),
        (0xF0, bytes(16)),
        (0xF5, bytes(48)),
    ):
        record = bytes(header) + bytes((kind,)) + body
        value = one(record).value
        if kind == 0xD2 and isinstance(value, int | Decimal):
            assert value <= 0
        assert encode_record(header, value, variable=kind) == record


@given(st.binary(max_size=70))
def test_any_bytes_that_a_length_can_tell_are_told(body: bytes) -> None:
    header = Header(13, b"\xfd\x3b")
    lengths = {variable_size(kind) for kind in range(0xE0, 0x100)}
    if len(body) not in lengths:
        with pytest.raises(LocalProtocolError, match="no length byte"):
            encode_record(header, body)
        return
    assert one(encode_record(header, body)).value == body


@given(st.integers(-(10**17), 10**17))
def test_a_number_of_variable_length_is_decimal(number: int) -> None:
    header = Header(13, b"\x13")
    value = Decimal(number).scaleb(-3)
    record = encode_record(header, value)
    assert one(record).value == value
    assert record[2] >> 4 == (0xC if number >= 0 else 0xD)


@pytest.mark.parametrize(
    ("header", "value", "words"),
    [
        (Header(1, b"\x13"), 1, "does not fit into 1 bytes"),
        (Header(9, b"\x13"), Decimal("0.1"), "does not fit into 2 digits"),
        (Header(4, b"\x13"), Decimal("0.0001"), "more decimals"),
        (Header(4, b"\x13"), "text", "does not fit volume"),
        (Header(4, b"\x6d"), date(2025, 1, 1), "no date or time of 4 bytes"),
        (Header(2, b"\x6c"), datetime(2025, 1, 1), "no date or time of 2 bytes"),
        (Header(0, b"\x13"), 1, "without data"),
        (Header(2, b"\x6c"), date(1980, 1, 1), "1981 to 2080"),
        (Header(4, b"\x6d"), datetime(1980, 1, 1), "1981 to 2299"),
        (Header(4, b"\x6d"), datetime(2300, 1, 1), "1981 to 2299"),
        (Header(2, b"\x6c"), "31 December", "recurs"),
        (Header(13, b"\x13"), "x" * 192, "191 characters"),
        (Header(13, b"\x13"), None, "no form of variable length"),
        (Header(13, b"\xfd\x10"), "€", "ISO 8859-1"),
        (Header(4, b"\x93"), 1, "extension bit"),
        (Header(4, b"\x13", storage=2**41), 1, "ten DIFEs"),
        (Header(4, b"\x13", function="average"), 1, "no function"),
        (b"\x0f", b"x", "special function"),
        (b"\x84", 1, "no record header"),
        (Header(5, b"\x13"), Decimal("1e40"), "too large"),
        (Header(12, b"\x78"), "123456789", "does not fit"),
        (Header(12, b"\x78"), "1234567x", "no BCD number"),
    ],
)
def test_what_does_not_fit_is_refused(header: Header | bytes, value: Value, words: str) -> None:
    with pytest.raises(LocalProtocolError, match=words):
        encode_record(header, value)


def test_a_length_byte_must_fit_what_it_counts() -> None:
    with pytest.raises(LocalProtocolError, match="length byte C1"):
        encode_record(Header(13, b"\xfd\x3b"), b"ab", variable=0xC1)


@pytest.mark.parametrize(
    ("vib", "field", "value", "record"),
    [
        (b"\x6c", 2, "*-12-31", "026cfffc"),
        (b"\x6d", 4, "*-*-01 00:00", "046d0000e1ff"),
        (b"\x6d", 6, "*-*-* 06:00:00", "066d000006e0ff00"),
        (b"\x6d", 3, "*:30:00", "036d001e1f"),
        (b"\x6d", 4, None, "046d80000000"),
        (b"\x6c", 2, None, "026cffff"),
    ],
)
def test_what_recurs_and_what_is_no_time(vib: bytes, field: int, value: Value, record: str) -> None:
    assert encode_record(Header(field, vib), value).hex() == record
    assert decoded(bytes.fromhex(record)) == value


def test_dates_of_variable_length() -> None:
    for value in (date(2025, 4, 21), time(1, 2, 3), datetime(2025, 4, 21, 1, 2, 3, fold=1)):
        assert decoded(encode_record(Header(13, b"\x6d"), value)) == value
    for text, kind in (("*-12-31", 0xE2), ("*-12-31 00:00", 0xE4)):
        assert decoded(encode_record(Header(13, b"\x6d"), text, variable=kind)) == text


@given(
    st.sampled_from([*FIELDS, 13]), st.sampled_from(ENTRIES), st.one_of(st.none(), st.integers(), st.text())
)
def test_any_value_is_encoded_or_refused(field: int, vib: bytes, value: Value) -> None:
    header = Header(field, vib, text="u" if vib == b"\x7c" else "")
    try:
        record = encode_record(header, value)
    except LocalProtocolError:
        return
    assert one(record).raw == record
