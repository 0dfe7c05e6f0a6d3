"""What names objects, parts of them, and outcomes."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.dlms.apdus import (
    CaptureObject,
    DataAccessResult,
    GetResponseNormal,
    GetResponseWithDatablock,
    decode_apdu,
    invoke_id_and_priority,
    select_by_entry,
    select_by_range,
)
from polymeter.protocols.dlms.data import plain
from polymeter.protocols.dlms.profiles import capture_objects
from polymeter.protocols.obis import OBIS


def test_selection_by_range_names_its_restricting_object() -> None:
    column = CaptureObject(3, OBIS(1, 0, 1, 8, 0, 255))
    chosen = select_by_range(datetime(2024, 1, 1), datetime(2024, 1, 2), column, [column])
    restricting, start, _, columns = chosen.parameters.value
    assert chosen.selector == 1
    assert restricting == [3, bytes.fromhex("0100010800ff"), 2, 0]
    assert start.hex() == "07e8010101000000008000ff"
    assert columns == [restricting]
    assert select_by_entry(1, 10).parameters.encoded.hex() == "02040600000001060000000a120001120000"


def test_data_access_results_keep_unknown_numbers() -> None:
    answer = decode_apdu(bytes.fromhex("c401c10163"))
    assert isinstance(answer, GetResponseNormal)
    assert answer.result == 0x63
    assert decode_apdu(bytes.fromhex("c401c10103")).result.name == "READ_WRITE_DENIED"


@given(st.integers(0, 1000), st.booleans(), st.booleans())
def test_an_invoke_id_has_four_bits_and_two_of_meaning(number: int, confirmed: bool, high: bool) -> None:
    octet = invoke_id_and_priority(number, confirmed=confirmed, high_priority=high)
    assert octet & 0x0F == number % 16
    assert (bool(octet & 0x40), bool(octet & 0x80), octet & 0x30) == (confirmed, high, 0)


@given(
    st.builds(
        CaptureObject,
        st.integers(0, 0xFFFF),
        st.binary(min_size=6, max_size=6).map(lambda octets: OBIS(*octets)),
        st.integers(-128, 127),
        st.integers(0, 0xFFFF),
    )
)
def test_a_capture_object_is_read_as_it_was_written(column: CaptureObject) -> None:
    assert capture_objects([plain(column.item())]) == (column,)


@pytest.mark.parametrize("result", [*DataAccessResult, 20, 255])
def test_a_block_may_bring_a_refusal_instead(result: int) -> None:
    block = GetResponseWithDatablock(0xC1, True, 7, result)
    assert decode_apdu(bytes(block)) == block
    assert bytes(block)[-2:] == bytes((1, result))


def test_outcomes_have_the_numbers_of_the_standard() -> None:
    assert {one.name: one.value for one in DataAccessResult} == {
        "SUCCESS": 0,
        "HARDWARE_FAULT": 1,
        "TEMPORARY_FAILURE": 2,
        "READ_WRITE_DENIED": 3,
        "OBJECT_UNDEFINED": 4,
        "OBJECT_CLASS_INCONSISTENT": 9,
        "OBJECT_UNAVAILABLE": 11,
        "TYPE_UNMATCHED": 12,
        "SCOPE_OF_ACCESS_VIOLATED": 13,
        "DATA_BLOCK_UNAVAILABLE": 14,
        "LONG_GET_ABORTED": 15,
        "NO_LONG_GET_IN_PROGRESS": 16,
        "LONG_SET_ABORTED": 17,
        "NO_LONG_SET_IN_PROGRESS": 18,
        "DATA_BLOCK_NUMBER_INVALID": 19,
        "OTHER_REASON": 250,
    }
