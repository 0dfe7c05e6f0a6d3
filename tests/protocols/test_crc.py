"""Every checksum gives its published check value, and notices any one damaged byte."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols import crc

CHECKS = {
    crc.crc16_x25: 0x906E,
    crc.crc16_arc: 0xBB3D,
    crc.crc16_en13757: 0xC2B7,
    crc.crc16_8005: 0xFEE8,
    crc.crc16_kermit: 0x2189,
}
each = pytest.mark.parametrize("function", CHECKS, ids=lambda function: function.__name__)


def test_every_checksum_is_checked() -> None:
    assert {function.__name__ for function in CHECKS} == set(crc.__all__)


@each
def test_the_check_value_is_right(function: Callable[[bytes], int]) -> None:
    assert function(b"123456789") == CHECKS[function]


@each
def test_nothing_has_a_checksum_too(function: Callable[[bytes], int]) -> None:
    assert 0 <= function(b"") <= 0xFFFF


@each
@given(data=st.binary(min_size=1, max_size=64), place=st.integers(0, 63), change=st.integers(1, 255))
def test_one_damaged_byte_never_goes_unseen(
    function: Callable[[bytes], int], data: bytes, place: int, change: int
) -> None:
    damaged = bytearray(data)
    damaged[place % len(data)] ^= change
    assert function(bytes(damaged)) != function(data)


def bit_by_bit(data: bytes, polynomial: int, register: int) -> int:
    """The register of a reflected checksum behind `data`, as its definition has it."""
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ polynomial if register & 1 else register >> 1
    return register


def mirrored(data: bytes) -> bytes:
    return bytes(int(f"{byte:08b}"[::-1], 2) for byte in data)


@given(st.binary(max_size=300))
def test_the_short_ways_are_the_definitions(data: bytes) -> None:
    assert crc.crc16_x25(data) == bit_by_bit(data, 0x8408, 0xFFFF) ^ 0xFFFF
    assert crc.crc16_kermit(data) == bit_by_bit(data, 0x8408, 0)
    assert crc.crc16_arc(data) == bit_by_bit(data, 0xA001, 0)
    assert crc.crc16_8005(data).to_bytes(2, "little") == mirrored(
        bit_by_bit(mirrored(data), 0xA001, 0).to_bytes(2, "big")
    )


@pytest.mark.parametrize("count", [2**exponent + more for exponent in (11, 13, 16) for more in (-1, 0, 1)])
def test_long_data_has_its_checksum_too(count: int) -> None:
    data = bytes(index * index >> 3 & 0xFF for index in range(count))
    assert crc.crc16_arc(data) == bit_by_bit(data, 0xA001, 0)
