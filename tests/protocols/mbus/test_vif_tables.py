"""The tables as data: complete, without overlaps, and each decade ten times the one before."""

from itertools import pairwise

import pytest

from polymeter.protocols.mbus import vif_tables as tables
from polymeter.protocols.mbus.vif_tables import Quantity

TABLES = {
    "primary": tables.PRIMARY,
    "FB": tables.EXTENSION_FB,
    "FD": tables.EXTENSION_FD,
    "FD FD": tables.EXTENSION_FD_FD,
}
WORTH = {
    "Wh": 3600, "kWh": 3_600_000, "MWh": 3_600_000_000, "J": 1, "kJ": 10**3, "MJ": 10**6, "GJ": 10**9,
    "W": 3600, "kW": 3_600_000, "MW": 3_600_000_000, "J/h": 1, "kJ/h": 10**3, "MJ/h": 10**6, "GJ/h": 10**9,
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_codes_have_seven_bits(name: str) -> None:
    assert all(0 <= code <= 0x7F for code in TABLES[name])


def test_the_primary_table_is_complete_but_for_what_leads_elsewhere() -> None:
    assert set(range(128)) - set(tables.PRIMARY) == {0x6F, 0x7B, 0x7C, 0x7D, 0x7E, 0x7F}


@pytest.mark.parametrize("start", [0x00, 0x08, 0x10, 0x18, 0x28, 0x30, 0x38, 0x40, 0x48, 0x50])
def test_eight_rows_are_eight_decades(start: int) -> None:
    rows = [tables.PRIMARY[start + step] for step in range(8)]
    assert len({row.quantity for row in rows}) == 1
    worth = [WORTH.get(row.unit or "", 1) * 10 ** (row.exponent + 9) for row in rows]
    assert all(after == 10 * before for before, after in pairwise(worth))


@pytest.mark.parametrize("start", [0x58, 0x5C, 0x60, 0x64, 0x68])
def test_four_rows_are_four_decades(start: int) -> None:
    assert [tables.PRIMARY[start + step].exponent for step in range(4)] == [-3, -2, -1, 0]


def test_the_prefix_is_what_the_unit_has_over_the_standards() -> None:
    for table in TABLES.values():
        for row in table.values():
            if row.prefix:
                assert row.unit is not None
                assert {"k": 3, "M": 6}[row.unit[0]] == row.prefix


def test_voltage_and_current_have_sixteen_decades() -> None:
    assert [tables.EXTENSION_FD[0x40 + n].exponent for n in range(16)] == list(range(-9, 7))
    assert [tables.EXTENSION_FD[0x50 + n].exponent for n in range(16)] == list(range(-12, 4))


def test_extensions_and_errors_share_no_code() -> None:
    low = set(tables.ERRORS) | tables.RESERVED_ERRORS
    assert not low & set(tables.ORTHOGONAL)
    assert not set(tables.ERRORS) & tables.RESERVED_ERRORS
    # Behind 7C another table begins, behind 7F the maker's; of limits four codes are reserved.
    assert low | set(tables.ORTHOGONAL) == set(range(128)) - {0x7C, 0x7F, 0x44, 0x45, 0x4C, 0x4D}


def test_names_tell_extensions_apart() -> None:
    for table in (tables.ORTHOGONAL, tables.ORTHOGONAL_FC):
        names = [(row.name, row.unit) for row in table.values() if row.name]
        assert len(names) == len(set(names))


def test_limits_are_spelled_by_their_bits() -> None:
    assert tables.ORTHOGONAL[0x40].name == "lower_limit"
    assert tables.ORTHOGONAL[0x49].name == "upper_limit_exceeds"
    assert tables.ORTHOGONAL[0x4F].name == "end_last_upper_limit_exceed"
    assert tables.ORTHOGONAL[0x5F].unit == "d"
    assert tables.ORTHOGONAL[0x6C].name == "during_upper_limit_exceed"


def test_what_a_row_multiplies_is_exact() -> None:
    for table in TABLES.values():
        for row in table.values():
            assert isinstance(row, Quantity)
            assert row.factor in (1, 5**12)
