"""pysml reads the same values from every frame; smllib finds the same frames and as many values."""

from decimal import Decimal

from polymeter.catalogue import meter_types
from polymeter.catalogue.quirks import mended
from polymeter.protocols import sml
from polymeter.protocols.wire import Record
from tests.peers import ask_json
from tests.vectors import load_vectors, telegram


def test_pysml_reads_the_same_values() -> None:
    cases = [case for case in load_vectors("sml") if case["class"] == "frame" and case["origin"] == "further"]
    cases += [case for case in load_vectors("sml") if case["name"] in ("push", "timestamp", "number-sizes")]
    answers = ask_json("pysml", "pysml_oracle.py", [telegram(case).hex() for case in cases])
    compared, problems = 0, []
    for case, entries in zip(cases, answers, strict=True):
        (decoded,) = sml.decode(telegram(case), explain=False)
        if len(entries) != len(decoded.records):
            problems.append(f"{case['name']}: {len(entries)} entries, ours {len(decoded.records)}")
        for (name, value, unit), record in zip(entries, decoded.records, strict=False):
            compared += 1
            if case["name"] == "DZG_DVS-7412.2_jmberg":  # pysml mends this meter's sign unasked
                record = mended(record, meter_types()["dzg-dvs74"].quirks)
            if name != record.obis or not same(record, value) or (bool(unit) and record.unit is None):
                problems.append(f"{case['name']}: {name} {value!r} {unit}, ours {record}")
    assert problems == []
    assert compared >= 20, compared
    print(f"\npysml: {compared} values of {len(cases)} frames are the same")


def same(record: Record, value: object) -> bool:
    """Whether a value of theirs is what we have. Scaled numbers are floats there."""
    if isinstance(record.value, int | Decimal):
        return float(record.value) == float(str(value))
    letters = "".join(character for character in str(value).lower() if character.isalnum())
    assert isinstance(record.value, bytes)
    return letters in (record.value.hex(), record.value.decode("latin-1").lower()) or bool(
        sml.server_identity(record.value).manufacturer
    )


def test_smllib_finds_the_same_frames() -> None:
    cases = [
        case for case in load_vectors("sml") if case["class"] == "capture" and case["origin"] == "further"
    ]
    cases += [case for case in load_vectors("sml") if case["name"] in ("push", "long-lengths")]
    answers = ask_json("smllib", "smllib_oracle.py", [telegram(case).hex() for case in cases])
    for case, (frames, entries) in zip(cases, answers, strict=True):
        decoded = sml.decode(telegram(case), explain=False)
        assert [len(decoded), sum(len(one.records) for one in decoded)] == [frames, entries], case["name"]
    print(f"\nsmllib: {sum(frames for frames, _ in answers)} frames of {len(cases)} inputs are the same")
