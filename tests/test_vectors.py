"""The judge is judged: what must match does, and what must not is caught."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests import vectors
from tests.vector_values import answers, full_obis, moment
from tests.vectors import check_case, context, count_line, load_vectors, telegram, vector_id


def case(**changes: Any) -> dict[str, Any]:
    expect: dict[str, Any] = {"valid": True, "meter": {}, "readings": [], "count": None}
    expect |= {key: changes.pop(key) for key in list(changes) if key in EXPECT}
    base = {"name": "n", "protocol": "mbus", "class": "variable", "input": "00", "keys": []}
    return base | {"expect": expect} | changes


EXPECT = {"valid", "meter", "readings", "count", "count_extra", "frames", "encrypted", "plaintext"}


def frame(*readings: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "valid": True,
        "encrypted": False,
        "meter": {},
        "readings": list(readings),
        "errors": [],
    } | changes


def reading(value: str, unit: str | None = None, **changes: Any) -> dict[str, Any]:
    indices = {"function": "instantaneous", "storage": 0, "tariff": 0, "subunit": 0}
    return {"value": value, "unit": unit, "obis": None, "timestamp": None, **indices, **changes}


def number(value: str, unit: str | None = None, **more: Any) -> dict[str, Any]:
    return {"value": value, "unit": unit, **more}


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        (number("1", "kWh"), reading("3600000", "J")),
        (number("1", "kWh"), reading("1000", "Wh")),
        (number("2.5", "m3"), reading("2500", "l")),
        (number("1", "m³"), reading("1", "m3")),
        (number("36", "m3/h"), reading("10", "l/s")),
        (number("1", "bar"), reading("100000", "Pa")),
        (number("20", "°C"), reading("293.15", "K")),
        (number("68", "°F"), reading("20", "°C")),
        (number("3", "K"), reading("3", "°C")),
        (number("2", "h"), reading("7200", "s")),
        (number("1", "a"), reading("365", "d")),
        (number("1", "month"), reading("2629746", "s")),
        (number("4", "kVArh"), reading("4000", "varh")),
        (number("4", "kVAr"), reading("4", "kvar")),
        (number("123.456000", "m3"), reading("123.456", "m3")),
        (number("261927"), reading("261927", "Wh")),
        (number("261927"), reading("261.927", "kWh")),
        (number("261927"), reading("261927")),
        (number("100"), reading("100", "%")),
        (number("5852", "W", scale_free=True), reading("5852")),
        (number("5852", "W", scale_free=True), reading("585.2", "W")),
        (number("67108864", scale_free=True), reading("67108864")),
        (number("0", scale_free=True), reading("0")),
        ({"value": "12000071", "kind": "number"}, reading("12000071")),
        ({"value": "TEST CYBLE", "kind": "text"}, reading("test cyble\0\0")),
        ({"value": "RVD235", "kind": "text"}, reading("525644323335")),
        ({"value": "445a47", "kind": "opaque"}, reading("445A47")),
        ({"value": "445a47", "kind": "opaque"}, reading("DZG")),
        ({"value": "2022-09-18", "kind": "date"}, reading("2022-09-18")),
        ({"value": "2021-10-12 08:07", "kind": "datetime"}, reading("2021-10-12T08:07:00")),
        (
            {"value": "2021-10-12 08:07:05", "kind": "datetime"},
            reading("7", timestamp="2021-10-12T08:07:05.5+01:00"),
        ),
        ({"value": "-19184", "kind": "unknown", "scale_free": True}, reading("10b5")),
        ({"value": "-19184", "kind": "unknown", "scale_free": True}, reading("-19184")),
        ({"value": None, "storage": 1}, reading("whatever", storage=1)),
        (number("5", "m3", obis="0-1:24.2.1"), reading("5", "m3", obis="0-1:24.2.1*255")),
        (
            number("5", "m3", timestamp="2016-11-29T20:00:00"),
            reading("5", "m3", timestamp="2016-11-29T20:00:00+01:00"),
        ),
    ],
)
def test_these_answer(wanted: dict[str, Any], given: dict[str, Any]) -> None:
    assert answers(wanted, given)


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        (number("1", "kWh"), reading("1", "Wh")),
        (number("1", "kWh"), reading("1", "kW")),
        (number("1", "kWh"), reading("1")),
        (number("1", "m3"), reading("1.00000001", "m3")),
        (number("20", "°C"), reading("294", "K")),
        (number("1", "a"), reading("360", "d")),
        (number("261927"), reading("261927", "kWh")),
        (number("3600"), reading("3600", "J")),
        (number("182"), reading("183", "W")),
        (number("5852", "W", scale_free=True), reading("5853")),
        (number("5852", "W", scale_free=True), reading("-5852")),
        (number("0", "W", scale_free=True), reading("1")),
        (number("1", "W", scale_free=True), reading("0")),
        (number("5", "HCA"), reading("5", "m3")),
        (number("5", "m3"), reading("five", "m3")),
        (number("5", "m3"), {"value": None, "unit": "m3"}),
        ({"value": "RVD235", "kind": "text"}, reading("RVD236")),
        ({"value": "445a47", "kind": "opaque"}, reading("475a44")),
        ({"value": "2022-09-18", "kind": "date"}, reading("2022-09-19")),
        ({"value": "2021-10-12 08:07", "kind": "datetime"}, reading("2021-10-12T08:07:01")),
        ({"value": "2021-10-12 08:07", "kind": "datetime"}, reading("no time")),
        ({"value": "-19184", "kind": "unknown", "scale_free": True}, reading("17")),
        ({"value": None, "storage": 1}, reading("1", storage=0)),
        (number("5", "m3", tariff=1), reading("5", "m3", tariff=2)),
        (number("5", "m3", function="maximum"), reading("5", "m3")),
        (number("5", "m3", obis="1-0:1.8.0"), reading("5", "m3", obis="1-0:1.8.0*1")),
        (number("5", "m3", obis="1-0:1.8.0"), reading("5", "m3")),
        (
            number("5", "m3", timestamp="2016-11-29T20:00:00"),
            reading("5", "m3", timestamp="2016-11-29T20:00:01"),
        ),
        (number("5", "m3", timestamp="2016-11-29T20:00:00"), reading("5", "m3")),
    ],
)
def test_these_do_not(wanted: dict[str, Any], given: dict[str, Any]) -> None:
    if wanted == {"value": "-19184", "kind": "unknown", "scale_free": True}:
        given = reading("1.7")  # "17" might be opaque bytes
    assert not answers(wanted, given)


def test_the_tolerance_of_a_case_counts() -> None:
    tolerance = {"abs": "0.01", "rel": "0.001"}
    assert answers(number("1", "m3"), reading("1.0099", "m3"), tolerance)
    assert answers(number("100", "m3"), reading("100.09", "m3"), tolerance)
    assert not answers(number("1", "m3"), reading("1.02", "m3"), tolerance)


def test_obis_codes_and_times_are_normalised() -> None:
    assert full_obis("1-0:1.8.0") == "1-0:1.8.0*255"
    assert full_obis("1-0:96.50.1*1") == "1-0:96.50.1*1"
    assert full_obis(None) is None
    assert moment("2022-01-02T03:04:05Z") == moment("2022-01-02 03:04:05")
    assert moment("yesterday") is None


def test_each_decoded_reading_answers_once() -> None:
    twice = case(readings=[number("5", "m3"), number("5", "m3")])
    assert check_case(twice, [frame(reading("5", "m3"), reading("5", "m3"))]) == []
    (problem,) = check_case(twice, [frame(reading("5", "m3"))])
    assert "not taken" in problem


def test_a_choosy_reading_gets_the_one_it_needs() -> None:
    wanted = case(readings=[number("5", "m3"), number("5", "m3", storage=1)])
    assert check_case(wanted, [frame(reading("5", "m3", storage=1), reading("5", "m3", storage=0))]) == []


def test_wmbus_fields_may_share_a_reading() -> None:
    fields = [number("5", "m3", field="total_m3"), number("5", "m3", field="target_m3")]
    shared = case(protocol="wmbus", readings=fields, **{"class": "generic-all"})
    assert check_case(shared, [frame(reading("5", "m3"))]) == []
    assert check_case(shared | {"protocol": "dlms"}, [frame(reading("5", "m3"))]) != []


def test_what_only_a_driver_knows_is_not_asked() -> None:
    wanted = [number("5", "m3", field="total_m3", driver_only=True), number("6", "m3", field="target_m3")]
    part = case(protocol="wmbus", readings=wanted, **{"class": "generic-part"})
    assert check_case(part, [frame(reading("6", "m3"))]) == []
    assert len(check_case(part, [frame(reading("5", "m3"))])) == 1


def test_manufacturer_classes_compare_the_header_alone() -> None:
    opaque = case(
        protocol="wmbus", readings=[number("6", "m3")], meter={"id": "12"}, **{"class": "manufacturer-ci"}
    )
    assert check_case(opaque, [frame(meter={"id": "0012"})]) == []
    assert check_case(opaque, [frame(meter={"id": "0013"})]) != []


def test_meter_fields_are_compared() -> None:
    wanted = case(meter={"id": "0012ab", "manufacturer": "ELS", "version": 7})
    assert check_case(wanted, [frame(meter={"id": "12 AB", "manufacturer": "ELS", "version": 7})]) == []
    for wrong in ({"id": "13AB"}, {"manufacturer": "ELZ"}, {"version": 8}, {"version": None}):
        meter = {"id": "12AB", "manufacturer": "ELS", "version": 7} | wrong
        assert len(check_case(wanted, [frame(meter=meter)])) == 1


def test_counts_are_compared() -> None:
    two = [frame(reading("1"), reading("2"))]
    assert check_case(case(count=2), two) == []
    assert check_case(case(count=1, count_extra=1), two) == []
    assert check_case(case(at_least=2), two) == []
    for wrong in (case(count=1), case(count=3), case(count=4, count_extra=2), case(at_least=3)):
        assert len(check_case(wrong, two)) == 1


def test_frames_are_counted() -> None:
    assert check_case(case(frames=2, valid=None), [frame(), frame()]) == []
    assert check_case(case(frames=2, valid=None), [frame()]) == ["2 frames expected, 1 decoded"]
    assert check_case(case(), []) != []


def test_a_refusal_needs_an_offset() -> None:
    refuse = case(valid=False)
    error = {"layer": 0, "offset": 3, "message": "block check"}
    assert check_case(refuse, [frame(valid=False, errors=[error])]) == []
    assert check_case(refuse, [frame(valid=False, errors=[error | {"offset": None}])]) != []
    assert check_case(refuse, [frame(valid=False)]) != []
    assert check_case(refuse, [frame()]) != []
    assert check_case(case(), [frame(valid=False, errors=[error])]) == ["valid expected, but: block check"]


def test_both_may_be_argued() -> None:
    either = case(valid=None)
    assert check_case(either, [frame(valid=False)]) == check_case(either, [frame()]) == []


def test_a_missing_key_is_said() -> None:
    locked = case(encrypted=True)
    said = [{"layer": 0, "offset": 0, "message": "no key for 12345678"}]
    assert check_case(locked, [frame(encrypted=True, errors=said)]) == []
    assert check_case(locked, [frame(encrypted=True)]) != []
    assert check_case(locked, [frame(errors=said)]) != []
    assert check_case(locked | {"keys": ["00"]}, [frame()]) == []
    assert check_case(case(encrypted=False), [frame(encrypted=True)]) != []


def test_decrypted_bytes_are_in_the_tree() -> None:
    leaf = {"raw": "0a0b0c0d", "children": []}
    tree = {"raw": "ffff", "children": [{"raw": None, "children": [leaf]}]}
    assert check_case(case(plaintext="0b0c"), [frame(tree=tree)]) == []
    assert check_case(case(plaintext="b0c0"), [frame(tree=tree)]) != []
    assert check_case(case(plaintext="0b0c"), [frame()]) != []


def test_ours_and_further_ones_are_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, further = tmp_path / "ours", tmp_path / "further"
    for place, names in ((ours, ["a"]), (further, ["b", "b"])):
        (place / "mbus").mkdir(parents=True)
        lines = [json.dumps(case(name=name)) for name in names]
        (place / "mbus" / "x.jsonl").write_text("\n".join(lines) + "\n\n")
    monkeypatch.setattr(vectors, "OURS", ours)
    monkeypatch.delenv("POLYMETER_VECTORS", raising=False)
    assert [vector_id(each) for each in load_vectors("mbus")] == ["ours-x-1-a"]
    monkeypatch.setenv("POLYMETER_VECTORS", str(further))
    assert [vector_id(each) for each in load_vectors("mbus")] == [
        "ours-x-1-a",
        "further-x-1-b",
        "further-x-2-b",
    ]
    assert load_vectors("no such protocol") == []


def test_a_telegram_is_bytes_however_it_is_written() -> None:
    assert telegram({"input": "0aff"}) == b"\x0a\xff"
    assert context({"context": ["0aff", "00"]}) == [b"\x0a\xff", b"\x00"]
    assert context({"context": None}) == context({}) == []
    assert telegram({"text": "/ISk5\r\n\xe9"}) == b"/ISk5\r\n\xe9"


def test_the_count_names_each_protocol_once() -> None:
    ran = ["mbus|ours|a", "mbus|ours|a", "mbus|further|b", "iec62056-21|ours|c"]
    assert count_line(ran) == "vectors: iec62056-21 1 (1 ours + 0 further), mbus 2 (1 ours + 1 further)"
