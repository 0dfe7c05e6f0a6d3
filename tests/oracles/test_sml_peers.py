"""pysml and smllib read the same values from every frame of every capture."""

from decimal import Decimal
from typing import Any

from polymeter.catalogue import meter_types
from polymeter.catalogue.quirks import mended
from polymeter.protocols import sml
from polymeter.protocols.units import COSEM_UNITS
from polymeter.protocols.wire import NeedData, Record, RemoteProtocolError
from tests.peers import ask_json
from tests.vectors import Case, load_vectors, telegram

OURS = {
    "push", "time-without-choice", "timestamp", "long-lengths", "number-sizes", "scalers", "mbus-server-id",
    "edl40-server-id", "surplus-length-octets", "heard-from-the-middle-to-the-middle", "escapes-in-content",
}  # fmt: skip
"""Of our own cases those that they can read: they do not know every message, time or check sum."""
BEYOND_PYSML = {"time-without-choice"}
SIGN_MENDED = "DZG_DVS-7412.2_jmberg"
"""pysml mends this meter's sign unasked."""


def cases() -> list[Case]:
    return [case for case in load_vectors("sml") if case["origin"] == "further" or case["name"] in OURS]


def frames_of(data: bytes) -> list[bytes]:
    """The sound frames of a capture, as they came."""
    stream = sml.PushedFrames()
    stream.receive_data(data)
    found = []
    while True:
        try:
            frame = stream.next_frame()
        except RemoteProtocolError:
            continue
        if isinstance(frame, NeedData):
            return found
        found.append(frame)


def letters(value: object) -> str:
    return "".join(character for character in str(value).lower() if character.isalnum())


def same_octets(record: Record, theirs: object) -> bool:
    """Whether octets are the same, shown as hex, as text, or as the label that a server id stands for."""
    if not isinstance(record.value, bytes):
        return record.value is None and not theirs
    label = sml.server_identity(record.value).identification or ""
    shown = (record.value.hex(), record.value.decode("latin-1"), label)
    return letters(theirs) in [letters(one) for one in shown]


def test_smllib_reads_the_same_values() -> None:
    asked = cases()
    answers = ask_json("smllib", "smllib_oracle.py", [telegram(case).hex() for case in asked])
    compared = 0
    for case, theirs in zip(asked, answers, strict=True):
        ours = [decoded for decoded in sml.decode(telegram(case), explain=False) if decoded.valid]
        assert [len(one.records) for one in ours] == [len(entries) for entries in theirs], case["name"]
        for decoded, entries in zip(ours, theirs, strict=True):
            for record, (code, value, unit, scaler) in zip(decoded.records, entries, strict=True):
                compared += 1
                told = f"{case['name']}: {code} {value!r} {unit} {scaler}, ours {record}"
                assert record.obis == code, told
                assert record.unit == (COSEM_UNITS.get(unit) if unit is not None else None), told
                if isinstance(record.value, int | Decimal):
                    assert record.value == Decimal(value).scaleb(scaler or 0), told
                else:
                    assert same_octets(record, value), told
    assert compared >= 50
    print(f"\nsmllib: {compared} values of {len(asked)} inputs are the same")


def test_pysml_reads_the_same_values() -> None:
    asked = [(case, frame) for case in cases() for frame in frames_of(telegram(case))]
    answers = ask_json("pysml", "pysml_oracle.py", [frame.hex() for _, frame in asked])
    compared = 0
    for (case, frame), entries in zip(asked, answers, strict=True):
        if entries is None and case["name"] in BEYOND_PYSML:
            continue
        (decoded,) = sml.decode(frame, explain=False)
        for record, (code, value, unit) in zip(decoded.records, entries, strict=True):
            compared += 1
            ours = mended(record, QUIRKS) if case["name"].startswith(SIGN_MENDED) else record
            told = f"{case['name']}: {code} {value!r} {unit}, ours {ours}"
            assert ours.obis == code, told
            assert not unit or ours.unit is not None, told
            assert same_value(ours, value), told
    assert compared >= 50
    print(f"\npysml: {compared} values of {len(asked)} frames are the same")


QUIRKS = meter_types()["dzg-dvs74"].quirks


def same_value(record: Record, theirs: Any) -> bool:
    """Scaled numbers are floats there."""
    if isinstance(record.value, int | Decimal):
        return float(record.value) == float(theirs)
    return same_octets(record, theirs)
