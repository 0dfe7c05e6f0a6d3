"""Every kind of message: there and back, described by its schema, and hostile JSON refused by name."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.messages import (
    MESSAGES,
    AmrTask,
    AmrTaskResult,
    DlmsPushMessage,
    DlmsWrapper,
    InvalidMessage,
    MeterEvent,
    NewFrame,
    NewMeterReading,
    NewMeterReadings,
    decode,
    encode,
    json_schema,
)

AT = datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=UTC)
OURS = UUID(int=7)
READING = NewMeterReading("M1", "1.8.0", AT, "14567.000", OURS, "kWh", ("estimated",), "push", "f")
FULL: dict[str, Any] = {
    "new_meter_reading": READING,
    "new_meter_readings": NewMeterReadings((READING, NewMeterReading("M2", "note", AT, text="ä\0"))),
    "new_dlms_push_message": DlmsPushMessage(
        b"\0\xff", "udp", "10.0.0.9", 4059, "units11291", DlmsWrapper(1, 16), "id", AT, OURS
    ),
    "new_frame": NewFrame("id", "mbus", bytes(range(256)), AT, "tcp", "10.0.0.9:1", OURS, "M1", {"a": [1]}),
    "meter_event": MeterEvent("M1", AT, "cover opened", "by hand", "12", OURS, "f"),
    "amr_task": AmrTask(5, OURS, "M1", "read", AT, UUID(int=9), {"days": [1, {"x": None}]}),
    "amr_task_result": AmrTaskResult(5, OURS, "M1", "read", AT, "failed", AT, OURS, 3, "silent", {"n": 0}),
}
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def test_every_kind_has_an_example_here() -> None:
    assert {kind: type(message) for kind, message in FULL.items()} == MESSAGES


@pytest.mark.parametrize("kind", MESSAGES)
def test_a_message_with_every_field_is_the_same_after_the_journey(kind: str) -> None:
    data = encode(FULL[kind])
    assert decode(data, MESSAGES[kind]) == FULL[kind]
    assert encode(decode(data, MESSAGES[kind])) == data
    assert decode(data.decode(), MESSAGES[kind]) == FULL[kind]


@pytest.mark.parametrize("kind", MESSAGES)
def test_the_schema_names_every_field_that_is_written(kind: str) -> None:
    schema = json_schema()["$defs"][MESSAGES[kind].__name__]
    written = json.loads(encode(FULL[kind]))
    without = {"text"} if kind == "new_meter_reading" else set()  # it has a value instead
    assert set(written) == set(schema["properties"]) - without
    assert set(schema["required"]) <= set(written)


@pytest.mark.parametrize("kind", MESSAGES)
def test_what_the_schema_requires_cannot_be_left_out(kind: str) -> None:
    written = json.loads(encode(FULL[kind]))
    for name in json_schema()["$defs"][MESSAGES[kind].__name__]["required"]:
        with pytest.raises(InvalidMessage, match=name):
            decode(json.dumps({k: v for k, v in written.items() if k != name}), MESSAGES[kind])


@pytest.mark.parametrize("kind", MESSAGES)
def test_a_field_of_a_later_version_is_passed_over(kind: str) -> None:
    written = json.loads(encode(FULL[kind])) | {"of_a_later_version": [1]}
    assert decode(json.dumps(written), MESSAGES[kind]) == FULL[kind]


@given(st.sampled_from(sorted(MESSAGES)), st.data())
def test_a_field_of_any_json_is_read_or_refused_and_what_was_read_can_be_written(
    kind: str, data: st.DataObject
) -> None:
    written = json.loads(encode(FULL[kind]))
    name = data.draw(st.sampled_from(sorted(written)))
    written[name] = data.draw(json_values)
    try:
        message = decode(json.dumps(written), MESSAGES[kind])
    except InvalidMessage as error:
        assert str(error)
        return
    assert decode(encode(message), MESSAGES[kind]) == message


@given(st.sampled_from(sorted(MESSAGES)), st.binary(max_size=60) | st.text(max_size=60))
def test_what_is_no_message_is_only_ever_invalid(kind: str, data: bytes | str) -> None:
    with pytest.raises(InvalidMessage):
        decode(data, MESSAGES[kind])


@given(st.sampled_from(sorted(MESSAGES)), st.data())
def test_a_message_cut_off_or_altered_is_only_ever_invalid(kind: str, data: st.DataObject) -> None:
    whole = bytearray(encode(FULL[kind]))
    position = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(InvalidMessage):
        decode(bytes(whole[:position]), MESSAGES[kind])
    whole[position] = data.draw(st.integers(0, 255))
    try:
        decode(bytes(whole), MESSAGES[kind])
    except InvalidMessage as error:
        assert str(error)


@pytest.mark.parametrize("hostile", ["\ud800", '{"meter": "\ud800"}', "[" * 100_000, '{"a":' * 100_000])
@pytest.mark.parametrize("kind", ["new_frame", "amr_task"])
def test_lone_surrogates_and_deep_nesting_are_invalid(hostile: str, kind: str) -> None:
    with pytest.raises(InvalidMessage):
        decode(hostile, MESSAGES[kind])


@pytest.mark.parametrize(("kind", "field"), [("new_frame", "meta"), ("amr_task", "kwargs")])
def test_a_free_field_nested_deeply_is_invalid(kind: str, field: str) -> None:
    written = encode(FULL[kind]).decode()
    start = written.index(f'"{field}":') + len(field) + 3
    with pytest.raises(InvalidMessage):
        decode(written[:start] + '{"a":' * 100_000, MESSAGES[kind])
