"""One spelling for each unit; what is unknown stays."""

import pytest

from polymeter.protocols.units import COSEM_UNITS, normal_unit


@pytest.mark.parametrize(
    ("written", "unit"),
    [
        ("kWh", "kWh"),
        ("KWH", "kWh"),
        (" kWh ", "kWh"),
        ("m³", "m3"),
        ("m^3", "m3"),
        ("qm", "qm"),
        ("kVArh", "kvarh"),
        ("VAr", "var"),
        ("\xb0C", "°C"),
        ("C", "°C"),
        ("HZ", "Hz"),
        ("imp/kWh", "imp/kWh"),
        ("furlong", "furlong"),
    ],
)
def test_spellings_become_one(written: str, unit: str) -> None:
    assert normal_unit(written) == unit


@pytest.mark.parametrize("nothing", ["", "  "])
def test_no_unit_is_none(nothing: str) -> None:
    assert normal_unit(nothing) is None


def test_every_spelling_is_its_own_normal_form() -> None:
    for unit in COSEM_UNITS.values():
        if unit != "C":  # a text "C" is a temperature, code 34 is the coulomb
            assert normal_unit(unit) == unit


@pytest.mark.parametrize(
    ("code", "unit"), [(9, "°C"), (13, "m3"), (14, "m3"), (27, "W"), (30, "Wh"), (32, "varh")]
)
def test_the_codes_of_the_shared_list(code: int, unit: str) -> None:
    assert COSEM_UNITS[code] == unit


def test_codes_without_a_unit_are_not_in_the_list() -> None:
    assert not {0, 58, 59, 254, 255} & COSEM_UNITS.keys()
