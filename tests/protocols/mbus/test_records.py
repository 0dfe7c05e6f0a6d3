"""Every entry of the tables: a record that is built from it decodes and encodes to itself."""

from datetime import date, datetime, time
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymeter.protocols.mbus import (
    Header,
    decode_records,
    describe_vib,
    encode_record,
    explain_records,
    layout,
    variable_size,
)
from polymeter.protocols.mbus import vif_tables as tables
from polymeter.protocols.wire import LocalProtocolError, Tree, Value


def _vibs() -> list[bytes]:
    """A value information block for each row of each table."""
    blocks = [bytes((code,)) for code in tables.PRIMARY]
    blocks += [bytes((0xFB, code)) for code in tables.EXTENSION_FB]
    blocks += [bytes((0xFD, code)) for code in tables.EXTENSION_FD]
    blocks += [bytes((0xFD, 0xFD, code)) for code in tables.EXTENSION_FD_FD]
    blocks += [bytes((0x93, code)) for code in tables.ORTHOGONAL]
    blocks += [bytes((0x86, code)) for code in tables.ORTHOGONAL]
    blocks += [bytes((0x93, 0xFC, code)) for code in tables.ORTHOGONAL_FC]
    return [*blocks, b"\x7f", b"\xff\x08", b"\x7e", b"\x6f", b"\xef\x01", b"\x93\xff\x74", b"\x93\x08"]


VIBS = _vibs()
INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 6: 6, 7: 8}
DECIMALS = {9: 1, 10: 2, 11: 3, 12: 4, 14: 6}


def _again(header: Header, data: bytes) -> tuple[Value, bytes]:
    """The value of a record, and the record that this value encodes to."""
    record = bytes(header) + data
    found = decode_records(record)
    assert not found.broken
    assert found.records[0].raw == record
    return found.records[0].value, encode_record(header, found.records[0].value)


@pytest.mark.parametrize("vib", VIBS, ids=bytes.hex)
@settings(max_examples=8, deadline=None)
@given(
    field=st.sampled_from([*INTEGERS, *DECIMALS]),
    number=st.integers(0, 2**63 - 1),
    storage=st.integers(0, 2**41 - 1),
    tariff=st.integers(0, 2**20 - 1),
    subunit=st.integers(0, 1023),
    function=st.sampled_from(["instantaneous", "maximum", "minimum", "error"]),
)
def test_every_table_entry_round_trips(
    vib: bytes, field: int, number: int, storage: int, tariff: int, subunit: int, function: str
) -> None:
    header = Header(field, vib, storage, tariff, subunit, function)
    if field in INTEGERS:
        size = INTEGERS[field]
        data = (number % 256**size).to_bytes(size, "little")
        if describe_vib(vib).kind == "date":
            return  # dates have a test of their own
    else:
        size = DECIMALS[field]
        data = bytes.fromhex(str(number % 100**size).zfill(2 * size))[::-1]
    record = decode_records(bytes(header) + data).records[0]
    assert (record.storage, record.tariff, record.subunit, record.function) == (
        storage,
        tariff,
        subunit,
        function,
    )
    if layout(bytes(header)).meaning.error in ("no data available", "data overflow"):
        return
    if record.value is not None:
        assert encode_record(header, record.value) == bytes(header) + data


@given(st.integers(1 - 10**11, 10**11 - 1))
def test_negative_decimals_round_trip(number: int) -> None:
    header = Header(14, b"\x13")
    data = encode_record(header, Decimal(number).scaleb(-3))[len(bytes(header)) :]
    assert _again(header, data) == (Decimal(number).scaleb(-3), bytes(header) + data)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_reals_round_trip_through_their_shortest_decimal(number: float) -> None:
    header = Header(5, b"\x13")
    record = encode_record(header, Decimal(repr(number)).scaleb(-3))
    value = decode_records(record).records[0].value
    if number:
        assert encode_record(header, value) == record


@given(st.datetimes(datetime(2000, 1, 1), datetime(2080, 12, 31)))
def test_times_round_trip(at: datetime) -> None:
    whole = at.replace(second=0, microsecond=0)
    for header, value in (
        (Header(4, b"\x6d"), whole),
        (Header(6, b"\x6d"), at.replace(microsecond=0)),
        (Header(2, b"\x6c"), at.date()),
        (Header(3, b"\x6d"), at.time().replace(microsecond=0)),
    ):
        record = encode_record(header, value)
        found = decode_records(record).records[0].value
        assert found == value
        assert type(found) is type(value)
        assert encode_record(header, found) == record


@given(st.binary(max_size=64), st.sampled_from([b"\x13", b"\xfd\x11", b"\xfd\x3b", b"\x78"]))
def test_variable_lengths_round_trip(body: bytes, vib: bytes) -> None:
    header = Header(13, vib)
    for kind in range(256):
        if variable_size(kind) != len(body):
            continue
        value, again = _value_and_record(header, kind, body)
        if value is not None:
            assert again == bytes(header) + bytes((kind,)) + body


def _value_and_record(header: Header, kind: int, body: bytes) -> tuple[Value, bytes]:
    found = decode_records(bytes(header) + bytes((kind,)) + body)
    assert not found.broken
    value = found.records[0].value
    try:
        return value, encode_record(header, value, variable=kind)
    except LocalProtocolError:
        # A number whose text has another width, as a negative BCD zero: the raw bytes are kept.
        assert kind >= 0xC0
        return None, b""


@pytest.mark.parametrize("text", ["kWh", "%RH", "l"])
def test_a_unit_in_plain_text_round_trips(text: str) -> None:
    header = Header(2, b"\xfc\x74", text=text)
    record = encode_record(header, Decimal("5.37"))
    (found,) = decode_records(record).records
    assert (found.value, found.unit, found.name) == (Decimal("5.37"), text, f"text.{text}")


@given(st.binary(max_size=120))
def test_any_bytes_give_records_whose_tree_is_whole(data: bytes) -> None:
    found = decode_records(data, spans=True)
    plain = decode_records(data)
    assert (found.records, found.problems, found.broken) == (plain.records, plain.problems, plain.broken)
    tree = Tree(data, "records")
    explain_records(tree, data, found, 4)
    assert b"".join(leaf.raw for leaf in tree.finish().leaves()) == data
    assert found.broken or not any(node.name == "unexplained" for node in tree.root.walk())


def test_a_value_that_does_not_fit_is_our_error() -> None:
    for header, value in (
        (Header(1, b"\x13"), 1000),
        (Header(1, b"\x13"), Decimal("0.0001")),
        (Header(9, b"\x78"), "123"),
        (Header(4, b"\x6d"), "tomorrow"),
        (Header(4, b"\x6d"), datetime(1, 1, 1)),
        (Header(2, b"\x6c"), date(1900, 1, 1)),
        (Header(0, b"\x13"), 1),
        (Header(15, b"\x13"), 1),
        (Header(13, b"\x13"), time(1)),
        (Header(4, b"\x93"), 1),
    ):
        with pytest.raises(LocalProtocolError):
            encode_record(header, value)


def test_names_tell_apart_what_differs() -> None:
    names = {
        describe_vib(vib).name for vib in VIBS if vib[0] == 0x93 and describe_vib(vib).quantity == "volume"
    }
    assert {"volume.positive", "volume.negative", "volume.l1", "volume.m74"} <= names
    assert describe_vib(b"\x13").name == "volume"
    assert describe_vib(b"\x58").name == "flow_temperature"


def test_what_stands_behind_a_manufacturers_data_is_its_own_to_the_end() -> None:
    found = decode_records(bytes.fromhex("0413d2040000" + "0fcafe2f2f0413"))
    assert [record.value for record in found.records] == [Decimal("1.234"), bytes.fromhex("cafe2f2f0413")]
