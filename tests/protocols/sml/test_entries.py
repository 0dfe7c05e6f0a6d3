"""What goes into messages: numbers, times, entries."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols import sml
from polymeter.protocols.sml.entries import number, time_element
from polymeter.protocols.sml.readings import instant, seconds_index
from polymeter.protocols.wire import LocalProtocolError

CODE = b"\x01\x00\x01\x08\x00\xff"


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_number_is_read_as_it_was_given(value: int) -> None:
    written = sml.encode_element(number(value))
    assert sml.read_element(written, 0, len(written)).value == value


@given(st.datetimes(datetime(1970, 1, 2), datetime(2106, 2, 7), timezones=st.timezones()))
def test_an_instant_is_read_to_the_second(at: datetime) -> None:
    written = sml.encode_element(time_element(at))
    assert instant(sml.read_element(written, 0, len(written))) == at.astimezone(UTC).replace(microsecond=0)


def test_a_time_is_an_instant_or_an_index() -> None:
    at = datetime(2026, 1, 31, 19, tzinfo=timezone(timedelta(hours=1)))
    assert sml.encode_element(time_element(at)) == bytes.fromhex("72 62 02 65 697e4320")
    assert seconds_index(time_element(at)) is None
    assert sml.encode_element(sml.sec_index(5)) == bytes.fromhex("72 62 01 65 00000005")
    assert (instant(sml.sec_index(5)), seconds_index(sml.sec_index(5))) == (None, 5)


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (datetime(2026, 1, 31), "no time zone"),
        (datetime(1969, 12, 31, tzinfo=UTC), "between 1970 and 2106"),
        (datetime(2107, 1, 1, tzinfo=UTC), "between 1970 and 2106"),
    ],
)
def test_a_time_that_cannot_be_said_is_our_mistake(at: datetime, words: str) -> None:
    with pytest.raises(LocalProtocolError, match=words):
        time_element(at)


def test_an_entry_of_a_period_has_no_status() -> None:
    entry = sml.Entry(CODE, 5, 30, -1, 7)
    assert sml.encode_element(entry.element()) == bytes.fromhex(
        "77 07 0100010800ff 65 00000007 01 62 1e 52 ff 52 05 01"
    )
    assert sml.encode_element(entry.element("PeriodEntry")) == bytes.fromhex(
        "75 07 0100010800ff 62 1e 52 ff 52 05 01"
    )
