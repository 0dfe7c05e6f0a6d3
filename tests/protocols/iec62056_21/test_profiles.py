"""Load profiles and logs as rows: headers, intervals, status, stamps, doubles."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.iec62056_21 import decode_data, profile_request, rows
from polymeter.protocols.iec62056_21.profiles import ProfileRow, header
from polymeter.protocols.wire import RemoteProtocolError

HEADER = "P.01(0260131000000)(00)(15)(2)(1.5.0)(kW)(2.5.0)(kW)\r\n"
MIDNIGHT = datetime(2026, 1, 31)
QUARTER = timedelta(minutes=15)


def found(text: str, **options: object) -> list[ProfileRow]:
    return list(rows(decode_data(text), **options))  # type: ignore[arg-type]


def values(row: ProfileRow) -> list[str]:
    return [cell.data_set.value for cell in row.cells]


def test_rows_follow_their_header_an_interval_apart() -> None:
    first, second = found(HEADER + "(1)(2)\r\n(3)(4)\r\n")
    assert (first.time, second.time) == (MIDNIGHT, MIDNIGHT + QUARTER)
    assert values(second) == ["3", "4"]
    assert [(cell.name, cell.unit) for cell in first.cells] == [("1.5.0", "kW"), ("2.5.0", "kW")]
    assert (first.profile, first.interval) == ("P.01", QUARTER)


def test_a_new_header_brings_its_own_time_and_status() -> None:
    second = HEADER.replace("000000)(00)", "010000)(80)")
    one, other = found(HEADER + "(1)(2)\r\n" + second + "(3)(4)\r\n")
    assert (one.status, other.status) == ("00", "80")
    assert other.time == MIDNIGHT + timedelta(hours=1)


def test_rows_stamped_at_the_start_are_moved_to_the_end() -> None:
    first, second = found(HEADER + "(1)(2)\r\n(3)(4)\r\n", stamp="start")
    assert (first.time, second.time) == (MIDNIGHT + QUARTER, MIDNIGHT + 2 * QUARTER)


def test_a_row_that_comes_twice_is_given_once() -> None:
    twice = HEADER + "(1)(2)\r\n" + HEADER + "(1)(2)\r\n(3)(4)\r\n"
    assert [values(row) for row in found(twice)] == [["1", "2"], ["3", "4"]]
    assert len(found(twice, deduplicate=False)) == 3


def test_another_value_at_the_same_time_is_another_fact() -> None:
    assert len(found(HEADER + "(1)(2)\r\n" + HEADER + "(1)(7)\r\n")) == 2


def test_the_doubled_hour_of_autumn_is_two_rows() -> None:
    winter = HEADER.replace("0260131000000", "0251025020000")
    summer = HEADER.replace("0260131000000", "1251025020000")
    assert len(found(summer + "(1)(2)\r\n" + winter + "(1)(2)\r\n")) == 2


def test_the_season_stays_with_later_rows() -> None:
    assert [row.time.fold for row in found(HEADER + "(1)(2)\r\n(3)(4)\r\n") if row.time] == [1, 1]
    utc = found(HEADER.replace("(0260131", "(2260131") + "(1)(2)\r\n(3)(4)\r\n")
    assert utc[1].time == (MIDNIGHT + QUARTER).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "profile", ["P.01", "P.02", "P.98", "P.99", "P.200", "P.210", "P.211", "1-0:99.1.0*255", "1-0:P.01.0"]
)
def test_headers_have_many_names(profile: str) -> None:
    (line,) = decode_data(HEADER.replace("P.01", profile))
    head = header(line)
    assert head is not None
    assert head.profile == profile


def test_an_event_has_no_interval_and_often_no_values() -> None:
    entries = found("P.98(0260131063000)(0080)()(0)\r\nP.98(0260131070000)(0040)()(1)(0.9.1)()(070001)\r\n")
    assert [(row.status, row.interval, values(row)) for row in entries] == [
        ("0080", None, []),
        ("0040", None, ["070001"]),
    ]
    assert entries[0].time == datetime(2026, 1, 31, 6, 30)


def test_values_may_stand_in_the_headers_own_line() -> None:
    first, second = found(HEADER.removesuffix("\r\n") + "(1)(2)\r\n(3)(4)\r\n")
    assert (values(first), values(second)) == (["1", "2"], ["3", "4"])
    assert second.time == MIDNIGHT + QUARTER


def test_names_without_units_are_columns_too() -> None:
    (row,) = found("P.01(121015061841)(########)(5)(2)(C.1.9)()(1.29.0)(kWh)\r\n(7)(0.25)\r\n")
    assert [(cell.name, cell.unit) for cell in row.cells] == [("C.1.9", None), ("1.29.0", "kWh")]
    assert row.status == "########"


def test_lines_of_other_kinds_are_no_rows() -> None:
    assert found("1.8.0(1*kWh)\r\n(7)\r\n") == []
    assert found("(ERROR)") == []
    assert found(HEADER) == []


def test_requests_name_their_bounds() -> None:
    assert profile_request("P.01", MIDNIGHT, MIDNIGHT + QUARTER) == "P.01(02601310000;02601310015)"
    assert profile_request("P.01", MIDNIGHT, None) == "P.01(02601310000;)"
    assert profile_request("P.98", None, None, season=False) == "P.98(;)"


def test_past_the_end_of_the_calendar_only_the_time_is_lost() -> None:
    text = "P.01(9999-12-31 23:59)(00)(9999)(1)(1.5.0)(kW)\r\n(1)\r\n(2)\r\n"
    assert [(row.time is None, values(row)) for row in found(text)] == [(False, ["1"]), (True, ["2"])]
    assert [row.time for row in found(text, stamp="start")] == [None, None]


@given(
    st.lists(
        st.sampled_from([HEADER, "(1)(2)\r\n", "(3)\r\n", "P.98(2601310630)(80)()(0)\r\n", "1.8.0(1)\r\n"]),
        max_size=12,
    )
)
def test_as_many_values_as_lines_have(pieces: list[str]) -> None:
    read = found("".join(pieces), deduplicate=False)
    below = 0
    inside = False
    for piece in pieces:
        if piece.startswith("P."):
            inside = True
            below += piece.startswith("P.98")
        elif piece.startswith("(") and inside:
            below += 1
        elif not piece.startswith("("):
            inside = False  # as it is for `records`: what has a name of its own is no part of a profile
    assert len(read) == below


@given(st.text(st.characters(max_codepoint=255, exclude_characters="\x01\x02\x03\x04"), max_size=120))
def test_no_text_raises_anything_foreign(text: str) -> None:
    for data in (text, f"P.01({text})(00)(15)(1)(1.5.0)(kW)\r\n({text})", HEADER + text):
        try:
            lines = decode_data(data)
        except RemoteProtocolError:
            lines = decode_data(data, strict=False)
        list(rows(lines))
