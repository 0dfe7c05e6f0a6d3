"""A telegram's reading becomes a message: time, zone, value, what the configuration asks for."""

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from polymeter.catalogue import TelegramReading
from polymeter.collection.publishing import Origin, batch_message, messages_of
from polymeter.domain import Source
from polymeter.messages import NewMeterReading, NewMeterReadings, decode
from polymeter.protocols.wire import Value

RECEIVED = datetime(2026, 3, 1, 12, 0, 7, 250_000, tzinfo=UTC)


def origin(zone: str = "Europe/Stockholm", allowed: set[str] | None = None) -> Origin:
    return Origin("M1", None, ZoneInfo(zone), Source.PUSH, RECEIVED, "f1", allowed)


def message(reading: TelegramReading, zone: str = "Europe/Stockholm") -> NewMeterReading:
    (one,) = messages_of([reading], origin(zone))
    return one


def test_a_value_without_a_time_takes_the_reception_time_and_says_so() -> None:
    made = message(TelegramReading("1.8.0", Decimal("12.340"), "kWh"))
    assert made.timestamp == datetime(2026, 3, 1, 12, 0, 7, tzinfo=UTC)
    assert made.quality == ("time_of_reception",)
    assert (made.value, made.unit, made.frame, made.source) == ("12.340", "kWh", "f1", "push")


def test_a_naive_time_is_the_meters_local_time() -> None:
    made = message(TelegramReading("1.6.0", 7, "kW", datetime(2026, 7, 1, 10, 15)))
    assert made.timestamp == datetime(2026, 7, 1, 8, 15, tzinfo=UTC)
    assert made.quality == ()


def test_the_hour_that_occurs_twice_is_marked() -> None:
    made = message(TelegramReading("1.8.0", 7, "kWh", datetime(2026, 10, 25, 2, 30)))
    assert made.quality == ("time_ambiguous",)


def test_a_time_with_an_offset_stays_what_it_is() -> None:
    instant = datetime.fromisoformat("2026-07-01T10:15:00+05:00")
    assert message(TelegramReading("1.8.0", 7, "kWh", instant)).timestamp == instant


@pytest.mark.parametrize(
    ("value", "text"),
    [("00123", "00123"), (b"\x01\x02", "0102"), (b"ABC", "ABC"), (date(2026, 1, 2), "2026-01-02")],
)
def test_what_is_no_number_travels_as_text_without_a_unit(value: Value, text: str) -> None:
    made = message(TelegramReading("0.0.0", value, "x"))
    assert (made.value, made.text, made.unit) == (None, text, None)


def test_forty_digits_survive() -> None:
    digits = "1234567890123456789012345678901234567890"
    assert message(TelegramReading("1.8.0", int(digits))).value == digits


def test_what_the_configuration_does_not_ask_for_is_left_in_the_frame() -> None:
    readings = [TelegramReading("1.8.0", 1), TelegramReading("2.8.0", 2), TelegramReading("x", 3)]
    kept = messages_of(readings, origin(allowed={"1-0:1.8.0*255"}))
    assert [one.series for one in kept] == ["1.8.0"]


def test_a_refused_object_and_an_absent_value_make_no_message() -> None:
    assert (
        messages_of([TelegramReading("9.9", None, error="no"), TelegramReading("9.8", None)], origin()) == []
    )


def test_the_readings_of_a_meter_travel_in_one_message() -> None:
    key, body = batch_message("M 1.x", messages_of([TelegramReading("1.8.0", 1)], origin()))
    assert key == "new_meter_readings.M%201%2Ex.v1"
    assert [one.value for one in decode(body, NewMeterReadings).readings] == ["1"]
