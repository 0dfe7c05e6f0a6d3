"""Requests for archives, and rows under their columns."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.iec62056_21 import Command, decode_data, encode
from polymeter.protocols.lis200.archives import Column, columns, format_time, label, request
from polymeter.protocols.wire import LocalProtocolError

START, END = datetime(2024, 1, 1, 6), datetime(2024, 1, 2, 6)


def test_requests_are_those_of_the_known_frames() -> None:
    data = request(3, "0", 3, START, END, 10)
    assert data == "3:V.0(3;2024-01-01,06:00:00;2024-01-02,06:00:00;10)"
    assert encode(Command("R3", data))[-1] == 0x2A
    assert encode(Command("R1", request(3, "4")))[-1] == 0x2C


def test_bounds_may_be_open_or_ordinal_numbers() -> None:
    assert request(1) == "1:V.0(1;;;)"
    assert request(1, "0", 2, 17, None) == "1:V.0(2;17;;)"


@pytest.mark.parametrize(
    ("position", "bound"), [(0, None), (100, None), (1, "a;b"), (1, "x" * 20), (1, "1)")]
)
def test_what_the_device_cannot_take_is_refused(position: int, bound: str | None) -> None:
    with pytest.raises(LocalProtocolError):
        request(1, "0", position, bound)


NAMES = decode_data("(00001:00160)(00001:00400)(2:300.0)(odd)()")
UNITS = decode_data("()()(m^3)(bar)")


def test_columns_have_an_address_and_a_unit() -> None:
    assert columns(NAMES, UNITS) == (
        Column("1:160"),
        Column("1:400"),
        Column("2:300", "m3"),
        Column("odd", "bar"),
        Column("column 5"),
    )
    assert columns(NAMES, ())[2] == Column("2:300")


def test_rows_read_under_their_columns_with_their_time() -> None:
    (row, other) = label(
        decode_data("(7)(2024-01-01,06:00:00)(12.5)(1)(x)\r\n(8)(2024-01-01,07:00:00)(13.5)(1)(x)(y)"),
        columns(NAMES, UNITS),
    )
    assert row.time == START
    assert [(cell.column.name, cell.data_set.value) for cell in row.cells][:3] == [
        ("1:160", "7"),
        ("1:400", "2024-01-01,06:00:00"),
        ("2:300", "12.5"),
    ]
    assert other.cells[-1].column == Column("column 6")


def test_a_row_without_a_time_has_none() -> None:
    (row,) = label(decode_data("(7)(8)"), ())
    assert row.time is None
    assert [cell.column.name for cell in row.cells] == ["column 1", "column 2"]


@given(st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)))
def test_times_read_back(at: datetime) -> None:
    (row,) = label(decode_data(f"({format_time(at)})"), ())
    assert row.time == at.replace(microsecond=0)
