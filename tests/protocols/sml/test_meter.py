"""The meter's end: what is pushed is read."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols import sml
from polymeter.protocols.wire import Decoded, LocalProtocolError

SERVER = b"\x0a\x01PMX\x00\x00\x00\x00\x01"
CODE = b"\x01\x00\x01\x08\x00\xff"
entries = st.builds(
    sml.Entry,
    st.binary(min_size=6, max_size=6),
    st.integers(-(2**63), 2**63 - 1) | st.binary(min_size=1, max_size=70),
    st.none() | st.just(30),
    st.none() | st.integers(-10, 10),
    st.none() | st.integers(0, 2**32 - 1),
)


def read(messages: tuple[sml.Message, ...]) -> Decoded:
    (decoded,) = sml.decode(sml.Connection().send(messages))
    assert decoded.valid, decoded.errors
    return decoded


@given(st.lists(entries, max_size=20), st.integers(0, 2**32 - 1))
def test_what_is_pushed_is_read(pushed: list[sml.Entry], file_id: int) -> None:
    found = read(sml.pushed(SERVER, sml.sec_index(5), pushed, file_id))
    assert found.meter.id == SERVER.hex()
    assert len(found.records) == len(pushed)
    for record, entry in zip(found.records, pushed, strict=True):
        if isinstance(entry.value, bytes):
            assert record.value == entry.value
        else:
            assert record.value == Decimal(entry.value).scaleb(entry.scaler or 0)
        assert record.unit == ("Wh" if entry.unit else None)


@pytest.mark.parametrize(
    ("value", "octets"),
    [
        (0, "5200"),
        (127, "527f"),
        (128, "530080"),
        (-129, "53ff7f"),
        (2**31, "590000000080000000"),
        (b"PMX", "04504d58"),
    ],
)
def test_a_number_takes_as_many_octets_as_it_needs(value: int | bytes, octets: str) -> None:
    assert sml.encode_element(sml.Entry(CODE, value).element()).endswith(bytes.fromhex(octets) + b"\x01")


def test_a_number_of_more_than_eight_octets_is_our_mistake() -> None:
    with pytest.raises(LocalProtocolError, match="eight octets"):
        sml.Entry(CODE, 2**63).element()
    with pytest.raises(LocalProtocolError, match="does not fit"):
        sml.encode_element(sml.Entry(CODE, 1, unit=256).element())


def test_transactions_are_numbered_on_and_begin_again() -> None:
    messages = sml.pushed(SERVER, sml.sec_index(5), [], 0xFFFFFFFE)
    assert [message.transaction_id for message in messages] == [
        b"\xff\xff\xff\xfe",
        b"\xff\xff\xff\xff",
        bytes(4),
    ]


def test_a_timestamp_is_the_time_of_its_values() -> None:
    found = read(sml.pushed(SERVER, sml.timestamp(1769882400), [sml.Entry(CODE, 1, 30, 0)], 1))
    assert found.records[0].time == datetime(2026, 1, 31, 18, tzinfo=UTC)
    assert (
        read(sml.pushed(SERVER, sml.sec_index(1769882400), [sml.Entry(CODE, 1)], 1)).records[0].time is None
    )
