"""Secondary addresses: sixteen digits, of which F and FF stand for any."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.mbus import ANY, LongHeader, SecondaryAddress
from polymeter.protocols.wire import LocalProtocolError

HEADER = LongHeader("12345678", "PMX", 0xA7, 0x0D)
DIGITS = "12345678B841A70D"
HEX = st.text("0123456789ABCDEF", min_size=16, max_size=16)


@given(HEX)
def test_an_address_is_its_bytes(digits: str) -> None:
    address = SecondaryAddress.parse(digits)
    assert SecondaryAddress.decode(bytes(address)) == address
    assert str(address) == digits
    assert len(bytes(address)) == 8


def test_the_number_travels_least_significant_byte_first() -> None:
    assert bytes(SecondaryAddress.parse(DIGITS)).hex() == "78563412b841a70d"
    assert SecondaryAddress.of(HEADER).digits == DIGITS


@pytest.mark.parametrize("text", ["12345678", "12345678b8", "12345678B841A7", "1234567f"])
def test_digits_left_out_are_wildcards_and_case_does_not_matter(text: str) -> None:
    address = SecondaryAddress.parse(text)
    assert address.digits == text.upper().ljust(16, "F")
    assert address.wild


@pytest.mark.parametrize("text", ["", "1234567", "1" * 17, "1234567G", "12345678 ", "12-45678"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(LocalProtocolError, match="no secondary address"):
        SecondaryAddress.parse(text)


@pytest.mark.parametrize(
    ("mask", "fits"),
    [
        (DIGITS, True),
        ("12345678", True),
        ("1234567F", True),
        ("FFFFFFFF", True),
        ("FFFFFFF9", False),
        ("FFFFFFFFB841", True),
        ("FFFFFFFFB842", False),
        ("FFFFFFFFFFFFA7FF", True),
        ("FFFFFFFFFFFFA8FF", False),
        ("FFFFFFFFFFFFFF0D", True),
        ("FFFFFFFFFFFFFF04", False),
        # Within bytes there are no wildcards of single digits.
        ("FFFFFFFFFFFFFFF0", False),
    ],
)
def test_whom_a_mask_means(mask: str, fits: bool) -> None:
    assert SecondaryAddress.parse(mask).matches(HEADER) is fits


def test_everybody_is_meant_by_any() -> None:
    assert ANY.matches(HEADER)
    assert ANY.wild
    assert ANY.manufacturer is None
    assert not SecondaryAddress.parse(DIGITS).wild


def test_parts_of_an_address() -> None:
    address = SecondaryAddress.parse(DIGITS)
    assert address.manufacturer == "PMX"
    assert (address.byte(12), address.byte(14)) == ("A7", "0D")
    assert address.replaced(14, "FF").digits == "12345678B841A7FF"
    assert SecondaryAddress.parse("12345678B8FF").manufacturer is None
