import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.domain import Quality, Source
from polymeter.messages import (
    MESSAGES,
    DlmsPushMessage,
    InvalidMessage,
    NewMeterReading,
    NewMeterReadings,
    decode,
    encode,
    json_schema,
)

EXAMPLE = {
    "meter": "FIOR78464920374",
    "series": "7-0-13-26-0-101",
    "timestamp": "2019-02-24T06:00:00+01:00",
    "value": "14567.000",
}


def test_the_example_is_read_and_written_byte_for_byte() -> None:
    text = json.dumps(EXAMPLE, separators=(",", ":"))
    message = decode(text, NewMeterReading)
    assert str(message.number) == "14567.000"
    assert encode(message).decode() == text


def test_all_optional_fields_round_trip() -> None:
    message = NewMeterReading.of(
        "M1",
        "1.8.0",
        datetime(2026, 1, 1, tzinfo=UTC),
        Decimal("1E-9"),
        organization=UUID(int=5),
        unit="kWh",
        quality=Quality.ESTIMATED,
        source=Source.PROFILE,
        frame="ab",
    )
    written = json.loads(encode(message))
    assert written["value"] == "0.000000001"
    assert (written["quality"], written["source"], written["frame"]) == (["estimated"], "profile", "ab")
    assert decode(encode(message), NewMeterReading) == message


@given(st.decimals(allow_nan=False, allow_infinity=False, places=20))
def test_a_value_travels_exactly(value: Decimal) -> None:
    message = NewMeterReading.of("m", "s", datetime(2026, 1, 1, tzinfo=UTC), value)
    assert decode(encode(message), NewMeterReading).number == value


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"timestamp": "2019-02-24T06:00:00"}, "timestamp: has no UTC offset; write"),
        ({"value": 14567.0}, "value: an exact decimal string"),
        ({"value": 14567}, "value: an exact decimal string"),
        ({"value": None}, "value: give either value"),
        ({"text": "x"}, "value: give either value"),
        ({"meter": ""}, "meter: "),
        ({"meter": 5}, "meter: "),
        ({"timestamp": "yesterday"}, "timestamp: "),
        ({"organization": "ours"}, "organization: "),
    ],
)
def test_what_is_wrong_is_said_with_the_name_of_the_field(change: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidMessage) as raised:
        decode(json.dumps(EXAMPLE | change), NewMeterReading)
    assert str(raised.value).startswith(why)


def test_a_missing_field_and_what_is_no_json_are_refused() -> None:
    with pytest.raises(InvalidMessage, match="missing required field `series`"):
        decode('{"meter": "M1"}', NewMeterReading)
    with pytest.raises(InvalidMessage, match="not JSON"):
        decode(b"\xff\xfe", NewMeterReading)
    with pytest.raises(InvalidMessage, match="Expected `object`"):
        decode("[" * 100_000, NewMeterReading)


def test_a_batch_names_the_reading_that_is_wrong() -> None:
    bad = {"readings": [EXAMPLE, EXAMPLE | {"timestamp": "2019-02-24T06:00:00"}]}
    with pytest.raises(InvalidMessage, match=r"readings\[1\].timestamp: has no UTC offset"):
        decode(json.dumps(bad), NewMeterReadings)


@pytest.mark.parametrize("spelling", ["destination_wport", "destiniation_wport"])
def test_a_push_is_read_in_both_spellings_and_written_in_the_right_one(spelling: str) -> None:
    push = {
        "payload": "AAE=",
        "transport": "udp",
        "source_address": "10.0.0.9",
        "source_port": 4059,
        "application_context": "units11291",
        "dlms_wrapper": {"source_wport": 1, spelling: 16, "version": 1},
    }
    message = decode(json.dumps(push), DlmsPushMessage)
    assert message.payload == b"\x00\x01"
    assert message.dlms_wrapper is not None
    assert message.dlms_wrapper.destination_wport == 16
    written = json.loads(encode(message))
    assert written["dlms_wrapper"] == {"source_wport": 1, "destination_wport": 16, "version": 1}
    with pytest.raises(InvalidMessage, match="destination_wport"):
        decode(json.dumps(push | {"dlms_wrapper": {"source_wport": 1}}), DlmsPushMessage)


def test_the_json_schema_has_every_message() -> None:
    schema = json_schema()
    assert {form.__name__ for form in MESSAGES.values()} <= set(schema["$defs"])
    reading = schema["$defs"]["NewMeterReading"]
    assert reading["required"] == ["meter", "series", "timestamp"]
    assert "pattern" in json.dumps(reading["properties"]["value"])
    json.dumps(schema)
