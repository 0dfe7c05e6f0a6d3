"""Profiles that a meter keeps: which rows and columns an answer holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols import sml
from polymeter.protocols.sml.elements import ABSENT, Element, listing, octets, unsigned
from polymeter.protocols.sml.grammar import check_body
from tests.protocols.sml.playing import ENERGY, EXPORT, NAME

COLUMNS = (sml.Column(ENERGY, 30, -1), sml.Column(EXPORT, 30, 0))
both = pytest.mark.parametrize("kind", ["GetProfileList", "GetProfilePack"])
bounds = st.none() | st.integers(0, 40)


def local(second: int) -> Element:
    return listing(unsigned(3, 1), listing(unsigned(second, 4), sml.integer(60, 2), sml.integer(60, 2)))


def rows(kind: str, seconds: list[int], **fields: Element) -> list[int] | int:
    """The instants of the rows that a request is answered with."""
    kept = [sml.RecordingRow(second, 0, (second, -second)) for second in seconds]
    asked = sml.request(f"{kind}.Req", **fields)
    found = sml.Recording(COLUMNS, lambda: kept).answer(asked, sml.timestamp)
    if isinstance(found, int):
        return found
    for answer in found:
        check_body(sml.structure(f"{kind}.Res", **answer), f"{kind}.Res")
    periods = (
        found
        if kind == "GetProfileList"
        else [{"valTime": period.value[0]} for period in found[0]["period_List"].value]
    )
    return [period["valTime"].value[1].value for period in periods]


@both
@given(st.lists(st.integers(0, 40), min_size=1, unique=True).map(sorted), bounds, bounds)
def test_rows_lie_between_the_bounds_and_on_them(
    kind: str, seconds: list[int], first: int | None, last: int | None
) -> None:
    begin = ABSENT if first is None else sml.timestamp(first)
    end = ABSENT if last is None else local(last)
    wanted = [
        second
        for second in seconds
        if (first is None or second >= first) and (last is None or second <= last)
    ]
    found = rows(kind, seconds, beginTime=begin, endTime=end)
    backwards = first is not None and last is not None and last < first
    assert found == (0xFE12 if backwards else wanted or 0xFE13)


@both
@pytest.mark.parametrize(
    ("fields", "number"),
    [
        ({"beginTime": sml.sec_index(1)}, 0xFE0F),
        ({"endTime": unsigned(1, 4)}, 0xFE0F),
        ({"beginTime": listing(unsigned(9, 1), unsigned(1, 4))}, 0xFE0F),
        ({"dasDetails": sml.Parameter(NAME).element()}, 0xFE10),
        ({"object_List": listing(octets(ENERGY), octets(NAME))}, 0xFE0E),
    ],
)
def test_what_it_does_not_know_it_refuses(kind: str, fields: dict[str, Element], number: int) -> None:
    assert rows(kind, [1, 2], **fields) == number


@both
def test_a_profile_without_rows_says_so(kind: str) -> None:
    assert rows(kind, []) == 0xFE11


def test_columns_come_in_the_order_asked_for() -> None:
    asked = sml.request("GetProfilePack.Req", object_List=listing(octets(EXPORT), octets(ENERGY)))
    found = sml.Recording(COLUMNS, lambda: [sml.RecordingRow(5, 0, (1, 2))]).answer(asked, sml.timestamp)
    assert isinstance(found, list)
    (pack,) = found
    assert [heading.value[0].value for heading in pack["header_List"].value] == [EXPORT, ENERGY]
    (row,) = pack["period_List"].value
    assert [entry.value[0].value for entry in row.value[2].value] == [2, 1]
