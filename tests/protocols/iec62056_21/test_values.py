"""What single sets say: numbers, units, texts, refusals."""

from decimal import Decimal

import pytest

from polymeter.protocols.iec62056_21 import DataSet, decode_data, records
from polymeter.protocols.iec62056_21.values import _code_of, is_refusal, refusal_text
from polymeter.protocols.wire import Value


def read(text: str) -> list[tuple[str, Value, str | None]]:
    return [(record.name, record.value, record.unit) for record in records(decode_data(text))]


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("1.8.0(000123.456*kWh)", Decimal("123.456"), "kWh"),
        ("1.8.0(000123.456)", Decimal("123.456"), None),
        ("1.8.0(013925.5*)", Decimal("13925.5"), None),
        ("1.8.0(0000000 kWh)", Decimal(0), "kWh"),
        ("1.6.0(000007,4*kW)", Decimal("7.4"), "kW"),
        ("1.8.0(00012345)", Decimal(12345), None),
        ("1.8.0(0)", Decimal(0), None),
        ("16.7.0(-01.5*kW)", Decimal("-1.5"), "kW"),
        ("16.7.0(+.5)", Decimal("0.5"), None),
        ("1.8.0(5.)", Decimal(5), None),
        ("1.8.0(5kWh)", Decimal(5), "kWh"),
        ("1.8.0(5 W*kWh)", Decimal(5), "kWh"),
        ("NAME(00012345)", "00012345", None),
        ("NAME(12345)", Decimal(12345), None),
        ("NAME(-0012)", Decimal(-12), None),
        ("0.0.0(00123456)", "00123456", None),
        ("C.1.0(12345)", "12345", None),
        ("96.8.0(0001234*h)", Decimal(1234), "h"),
        ("F.F(00)", "00", None),
        ("1.0.0(0260131101500)", "0260131101500", None),
        ("1.0.0(1260131101500)", "1260131101500", None),
        ("1.0.0(00.250*kW)", Decimal("0.250"), "kW"),
        ("0.9.4(090131101500)", "090131101500", None),
        ("1.8.0(abc)", "abc", None),
        ("1.8.0()", "", None),
        ("1.8.0(1-2)", "1-2", None),
        ("1.8.0(1e5)", "1e5", None),
        ("1.8.0(  123.4*kWh)", Decimal("123.4"), "kWh"),
        ("1.8.0(000123.4 * kWh)", Decimal("123.4"), "kWh"),
        ("1.8.0( 000123.4)", Decimal("123.4"), None),
        ("0.0.0(   20000)", "   20000", None),
        ("0.2.0(26B1)", "26B1", None),
        ("0.2.0(0x8104)", "0x8104", None),
        ("0.2.0(1A)", "1A", None),
        ("0.2.0(0C)", "0C", None),
        ("31.7.0(1.5A)", Decimal("1.5"), "A"),
        ("31.7.0(1 A)", Decimal(1), "A"),
        ("9.4(21.5C)", Decimal("21.5"), "°C"),
        ("0.2.1(12 May)", "12 May", None),
        ("1.0.0(07E50113020E0A2E00003C00)", "07E50113020E0A2E00003C00", None),
    ],
)
def test_a_value_is_what_it_reads_as(text: str, value: Value, unit: str | None) -> None:
    ((_, given, found),) = read(text)
    assert (given, type(given), found) == (value, type(value), unit)


def test_forty_digits_stay_forty_digits() -> None:
    digits = "1234567890" * 4
    assert read(f"1.8.0({digits}.5*Wh)")[0][1] == Decimal(digits + ".5")


@pytest.mark.parametrize("value", ["ERROR", "ERROR1", "ER12", "#0012", "error"])
def test_refusals_are_no_values(value: str) -> None:
    data_set = DataSet("1.8.0", value)
    assert is_refusal(data_set)
    assert refusal_text(data_set) == f"the meter answers 1.8.0({value})"
    assert read(f"1.8.0({value})2.8.0(1)") == [("2.8.0", 1, None)]


@pytest.mark.parametrize("value", ["ER", "12#", "ERRATUM 5", "#", "NO ERROR"])
def test_other_texts_are_no_refusals(value: str) -> None:
    assert not is_refusal(DataSet("a", value))
    assert not is_refusal(DataSet("a", "ERROR", "kWh"))


def test_a_name_however_long_is_a_name_and_not_remembered() -> None:
    remembered = _code_of.cache_info().currsize
    for number in range(50):
        name = f"{number}" * 5000
        (record,) = records([(DataSet(name, "1"),)])
        assert (record.name, record.obis, record.value) == (name, None, Decimal(1))
    assert _code_of.cache_info().currsize == remembered
