"""Names of series, exact texts of values, and what a meter type adds."""

from datetime import date, datetime, time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.catalogue import series_name, telegram_reading
from polymeter.catalogue.names import quantity_of
from polymeter.catalogue.readings import telegram_readings, value_text
from polymeter.catalogue.types import KnownSeries, MeterType
from polymeter.protocols.wire import Record, Value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        (5, "5"),
        (-5, "-5"),
        (1 << 80, str(1 << 80)),
        (True, "1"),
        (False, "0"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1E-9"), "0.000000001"),
        (Decimal("123.450"), "123.450"),
        (Decimal("1234567890" * 4), "1234567890" * 4),
        (Decimal("0." + "1234567890" * 4), "0." + "1234567890" * 4),
        (Decimal("NaN"), "NaN"),
        (Decimal("-Infinity"), "-Infinity"),
        (b"ABC 123", "ABC 123"),
        (b"\x00\x01", "0001"),
        (b"", ""),
        (b"ABC\n", "4142430a"),
        ("text", "text"),
        (datetime(2026, 1, 31, 23, 59), "2026-01-31T23:59:00"),
        (date(2026, 1, 31), "2026-01-31"),
        (time(23, 59), "23:59:00"),
    ],
)
def test_the_text_of_a_value_is_exact(value: Value, text: str | None) -> None:
    assert value_text(value) == text


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**40), max_value=10**40))
def test_a_decimal_reads_back_from_its_text(value: Decimal) -> None:
    text = value_text(value)
    assert text is not None
    assert Decimal(text) == value
    assert "E" not in text


@pytest.mark.parametrize(
    ("record", "name"),
    [
        (Record("1.8.0", 1, obis="1-0:1.8.0*255", tariff=3), "1-0:1.8.0*255"),
        (Record("x", 1, quantity="energy"), "energy"),
        (Record("x", 1, quantity="energy", tariff=1), "energy.t1"),
        (Record("x", 1, quantity="volume", storage=2), "volume.s2"),
        (Record("x", 1, quantity="power", function="maximum"), "power.max"),
        (Record("x", 1, quantity="power", function="minimum"), "power.min"),
        (Record("x", 1, quantity="power", function="error"), "power.err"),
        (Record("x", 1, quantity="volume", subunit=1), "volume.u1"),
        (
            Record("x", 1, quantity="energy", tariff=1, storage=2, function="maximum", subunit=3),
            "energy.t1.s2.max.u3",
        ),
        (Record("FABRIC", 1), "FABRIC"),
        (Record("", 1), "unknown"),
    ],
)
def test_a_series_is_named_by_what_tells_it_apart(record: Record, name: str) -> None:
    assert series_name(record, record.quantity) == name


@pytest.mark.parametrize(
    ("code", "quantity"),
    [
        ("1-0:1.8.0*255", "active energy import"),
        ("1-0:1.8.0*5", "active energy import"),
        ("1-0:0.9.1*255", "time"),
        ("0-0:97.97.0*255", "error"),
        ("9-0:250.250.250*255", "unknown"),
        ("no code", "unknown"),
    ],
)
def test_codes_have_quantities_in_words(code: str, quantity: str) -> None:
    assert quantity_of(code) == quantity


def known(**given: object) -> MeterType:
    return MeterType("t", "p", "m", series={"X": KnownSeries(**given)})  # type: ignore[arg-type]


def test_a_type_adds_what_the_telegram_leaves_out() -> None:
    reading = telegram_reading(Record("X", 12345), known(name="load", quantity="power", unit="kW", scale=-3))
    assert (reading.series, reading.quantity, reading.unit, reading.value) == (
        "load",
        "power",
        "kW",
        Decimal("12.345"),
    )


def test_the_telegrams_own_unit_wins() -> None:
    assert telegram_reading(Record("X", 1, "W"), known(unit="kW")).unit == "W"


def test_a_unit_that_is_known_to_be_wrong_is_replaced() -> None:
    kind = known(unit="varh", instead_of="Wh")
    assert telegram_reading(Record("X", 1, "Wh"), kind).unit == "varh"
    assert telegram_reading(Record("X", 1, "kWh"), kind).unit == "kWh"
    assert telegram_reading(Record("X", 1), kind).unit == "varh"


@pytest.mark.parametrize(
    ("record", "name"),
    [
        (Record("X", 1, tariff=2, storage=1), "load.t2.s1"),
        (Record("X", 1, function="maximum", subunit=1), "load.max.u1"),
        (Record("X", 1, quantity="energy", storage=3), "load.s3"),
        (Record("Y", 1), "Y"),
    ],
)
def test_a_records_new_name_keeps_what_tells_it_apart(record: Record, name: str) -> None:
    assert telegram_reading(record, known(name="load")).series == name


def test_a_whole_series_may_be_renamed() -> None:
    series = {"energy.u1": KnownSeries("reactive"), "energy": KnownSeries("active")}
    kind = MeterType("t", "p", "m", series=series)
    names = [
        telegram_reading(Record("energy", 1, quantity="energy", subunit=unit), kind).series
        for unit in (0, 1, 2)
    ]
    assert names == ["active", "reactive", "active.u2"]


def test_a_code_takes_no_suffix() -> None:
    code = known(name="1-0:1.8.0*255")
    assert telegram_reading(Record("X", 1, storage=1), code).series == "1-0:1.8.0*255"


def test_scaling_rounds_nothing() -> None:
    digits = "1234567890" * 4
    reading = telegram_reading(Record("X", Decimal(digits)), known(scale=-3))
    assert value_text(reading.value) == f"{digits[:-3]}.{digits[-3:]}"
    assert telegram_reading(Record("X", Decimal("NaN")), known(scale=-3)).value.is_nan()  # type: ignore[union-attr]


def test_texts_are_not_scaled() -> None:
    assert telegram_reading(Record("X", "ABC"), known(scale=-3)).value == "ABC"


def test_a_reading_as_json_has_every_field() -> None:
    record = Record(
        "1.8.0", Decimal("1.50"), "kWh", "1-0:1.8.0*255", time=datetime(2026, 1, 1), offset=7, raw=b"\x01"
    )
    assert telegram_reading(record).as_dict() == {
        "series": "1-0:1.8.0*255",
        "obis": "1-0:1.8.0*255",
        "quantity": "active energy import",
        "value": "1.50",
        "unit": "kWh",
        "timestamp": "2026-01-01T00:00:00",
        "function": "instantaneous",
        "storage": 0,
        "tariff": 0,
        "subunit": 0,
        "layer": 0,
        "offset": 7,
        "raw": "01",
    }


def test_records_that_nothing_tells_apart_are_counted() -> None:
    at = datetime(2026, 1, 1)
    volume = Record("volume", 1, "m3", quantity="volume", time=at)
    records = [
        volume,
        Record("energy", 5, quantity="energy"),
        volume._replace(value=2),
        volume._replace(value=3),
    ]
    readings = telegram_readings(records, None)
    assert [(reading.series, reading.value) for reading in readings] == [
        ("volume", 1),
        ("energy", 5),
        ("volume.n2", 2),
        ("volume.n3", 3),
    ]


def test_records_of_other_instants_or_with_a_code_are_not_counted() -> None:
    hours = [Record("volume", hour, quantity="volume", time=datetime(2026, 1, 1, hour)) for hour in (1, 2)]
    coded = [Record("1.8.0", value, obis="1-0:1.8.0*255") for value in (1, 2)]
    readings = telegram_readings([*hours, *coded], None)
    assert [reading.series for reading in readings] == ["volume", "volume", "1-0:1.8.0*255", "1-0:1.8.0*255"]


def test_a_type_names_what_only_its_place_tells_apart() -> None:
    series = {"energy.n2": KnownSeries(name="energy.cooling"), "volume": KnownSeries(name="water")}
    meter_type = MeterType("made-up", "mbus", "Made up", series=series)
    energy = Record("energy", 1, quantity="energy")
    stored = Record("volume", 1, quantity="volume", storage=1)
    readings = telegram_readings([energy, energy, energy, stored, stored], meter_type)
    assert [reading.series for reading in readings] == [
        "energy",
        "energy.cooling",
        "energy.n3",
        "water.s1",
        "water.s1.n2",
    ]
