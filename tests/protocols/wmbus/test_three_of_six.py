"""3-of-6: sixteen codes with three ones each, so that noise shows."""

import pytest

from polymeter.protocols.wire import RemoteProtocolError
from polymeter.protocols.wmbus import decode_3of6, encode_3of6
from polymeter.protocols.wmbus.three_of_six import CODES


def test_codes_have_three_ones_and_never_four_equal_bits_in_a_row_at_their_end() -> None:
    assert len(set(CODES)) == 16
    assert all(code.bit_count() == 3 for code in CODES)


@pytest.mark.parametrize(
    ("plain", "coded"),
    [("00", "59 65"), ("0f", "5a 95"), ("0f44", "5a 97 1c"), ("", "")],
)
def test_by_hand(plain: str, coded: str) -> None:
    assert encode_3of6(bytes.fromhex(plain)).hex(" ") == coded
    assert decode_3of6(bytes.fromhex(coded), len(plain) // 2).hex() == plain


def test_an_odd_count_is_filled_up_and_the_filling_is_left_out() -> None:
    coded = encode_3of6(b"\x12\x34\x56")
    assert len(coded) == 5
    assert decode_3of6(coded) == b"\x12\x34\x56"
    assert decode_3of6(coded, 2) == b"\x12\x34"


@pytest.mark.parametrize("count", range(1, 6))
def test_too_few_codes_are_refused(count: int) -> None:
    with pytest.raises(RemoteProtocolError, match="need"):
        decode_3of6(encode_3of6(bytes(count)), count + 1)


@pytest.mark.parametrize("noise", [0x00, 0xFF, 0xF0])
def test_noise_is_no_code(noise: int) -> None:
    coded = encode_3of6(bytes(8))
    with pytest.raises(RemoteProtocolError, match="no pair of 3-of-6 codes") as caught:
        decode_3of6(coded[:6] + bytes((noise,)) + coded[7:])
    assert abs(caught.value.offset - 6) <= 1
