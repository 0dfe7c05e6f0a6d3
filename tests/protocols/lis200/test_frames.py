"""Addresses and error numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.lis200 import ATTRIBUTES, ERRORS, NO_ROWS, Address, parse_address, refusal
from polymeter.protocols.wire import LocalProtocolError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2:300", Address(2, "300", "0")),
        ("2:300.0", Address(2, "300", "0")),
        ("00002:00300.3", Address(2, "300", "3")),
        ("3:V.A", Address(3, "V", "A")),
        ("1:1C1.0", Address(1, "1C1", "0")),
        ("6:310_1.0", Address(6, "310_1", "0")),
        ("7-2:302.2", Address(2, "302", "2", archive=7)),
        ("1:000.0", Address(1, "0", "0")),
    ],
)
def test_addresses_are_read(text: str, expected: Address) -> None:
    assert parse_address(text) == expected


@pytest.mark.parametrize(
    "text", ["", "300", "2:", ":300", "2:300.", "2:300.00", "2:x.0", "2:300.0(1)", "²:1"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(LocalProtocolError, match="no address"):
        parse_address(text)


@given(st.integers(0, 99), st.sampled_from(["V", "300", "1C1", "310_1"]), st.sampled_from([*ATTRIBUTES]))
def test_a_written_address_reads_back(instance: int, object_: str, attribute: str) -> None:
    address = Address(instance, object_, attribute)
    assert parse_address(str(address)) == address
    assert address.name == f"{instance}:{object_}"
    assert address.of("3").attribute == "3"


def test_one_object_has_many_addresses() -> None:
    assert Address(2, "302").same_object(Address(2, "302", "2", archive=7))
    assert not Address(2, "302").same_object(Address(3, "302"))


@pytest.mark.parametrize(("number", "words"), ERRORS.items())
def test_every_error_number_has_its_words(number: int, words: str) -> None:
    found = refusal(f"#{number:04d}")
    assert found is not None
    assert found.number == number
    assert found.text == f"{words} (#{number:04d})"


@given(st.integers(0, 99999).filter(lambda number: number not in ERRORS))
def test_an_unknown_number_is_an_error_too(number: int) -> None:
    found = refusal(f"#{number:04d}")
    assert found is not None
    assert "not in the list" in str(found)


@pytest.mark.parametrize("value", ["", "17", "#", "#x", "#123456", "# 17", "#１７"])
def test_other_values_are_no_refusals(value: str) -> None:
    assert refusal(value) is None


def test_an_empty_range_is_no_failure() -> None:
    assert {103, 104, 105} == NO_ROWS
