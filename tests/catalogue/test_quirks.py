"""What a type's quirks mend, and what they leave alone."""

from decimal import Decimal

import pytest

from polymeter.catalogue import decode_frames, meter_types
from polymeter.catalogue.decoding import prove
from polymeter.catalogue.quirks import QUIRKS, mended
from polymeter.catalogue.readings import telegram_reading
from polymeter.catalogue.types import parse_type
from polymeter.protocols.wire import LocalProtocolError, Record


def power(raw: str, value: str, unit: str = "W") -> Record:
    return Record("1-0:16.7.0*255", Decimal(value), unit, raw=bytes.fromhex(raw))


@pytest.mark.parametrize(
    ("record", "value"),
    [
        (power("538b28", "-299.12"), "356.24"),
        (power("5280", "-1.28"), "1.28"),
        (power("55fffe1393", "-1260.61"), "-1260.61"),
        (power("535460", "216.00"), "216.00"),
        (power("538b28", "-299.12", "var"), "-299.12"),
    ],
)
def test_a_number_that_was_meant_unsigned_is_mended(record: Record, value: str) -> None:
    assert mended(record, ["unsigned-numbers"]).value == Decimal(value)


def test_a_quirk_of_a_meter_that_nobody_named_is_left_alone() -> None:
    known = meter_types()["dzg-dvs74"]
    telegram = known.telegrams[0]["input"]
    (plain,) = decode_frames(telegram, "sml")
    (chosen,) = decode_frames(telegram, "sml", meter_type=known)
    assert [reading.value for reading in plain.readings][-1] == Decimal("-299.12")
    assert [reading.value for reading in chosen.readings][-1] == Decimal("356.24")
    assert chosen.as_dict()["meter"]["type"] == "dzg-dvs74"


@pytest.mark.parametrize(
    "name", [name for name, known in meter_types().items() if known.protocol in ("p1", "sml")]
)
def test_a_type_proves_itself(name: str) -> None:
    assert prove(meter_types()[name]) == []


def test_a_type_cannot_name_a_quirk_that_is_none() -> None:
    text = 'protocol = "sml"\nmanufacturer = "X"\nquirks = ["typo"]\n'
    with pytest.raises(LocalProtocolError, match="there is no quirk 'typo', but unsigned-numbers"):
        parse_type("x", text)
    assert all(quirk.__doc__ for quirk in QUIRKS.values())


def test_codes_that_are_no_obis_codes_are_names() -> None:
    known = meter_types()["landisgyr-uh50"]
    heat = Record("6.8", Decimal("29.055"), "MWh", "1-0:6.8.0*255")
    named = telegram_reading(heat, known)
    assert (named.series, named.obis, named.quantity, named.value) == ("energy", None, "energy", heat.value)
    other = telegram_reading(heat._replace(name="6.99", obis="1-0:6.99.0*255"), known)
    assert (other.series, other.obis, other.quantity) == ("6.99", None, "unknown")
    assert telegram_reading(heat).obis == "1-0:6.8.0*255"
