"""The names that OMS gives: they depend on what kind of meter says something."""

import pytest

from polymeter.protocols.mbus import decode_records, obis_name

HEAT, COLD, WATER, WARM, POWER, GAS, COST = 0x04, 0x0A, 0x07, 0x06, 0x02, 0x03, 0x08


@pytest.mark.parametrize(
    ("record", "device_type", "code"),
    [
        ("040600000000", HEAT, "6-0:1.0.0*255"),
        ("040600000000", COLD, "5-0:1.0.0*255"),
        ("041300000000", HEAT, "6-0:2.0.0*255"),
        ("042b00000000", HEAT, "6-0:8.0.0*255"),
        ("043b00000000", HEAT, "6-0:9.0.0*255"),
        ("025a0000", HEAT, "6-0:10.0.0*255"),
        ("025e0000", HEAT, "6-0:11.0.0*255"),
        ("02610000", HEAT, "6-0:12.0.0*255"),
        ("041300000000", WATER, "8-0:1.0.0*255"),
        ("041300000000", WARM, "9-0:1.0.0*255"),
        ("043b00000000", WATER, "8-0:2.0.0*255"),
        ("040300000000", POWER, "1-0:1.8.0*255"),
        ("04833c00000000", POWER, "1-0:2.8.0*255"),
        ("04833b00000000", POWER, "1-0:1.8.0*255"),
        ("84100300000000", POWER, "1-0:1.8.1*255"),
        ("84200300000000", POWER, "1-0:1.8.2*255"),
        ("042b00000000", POWER, "1-0:1.7.0*255"),
        ("142b00000000", POWER, "1-0:1.6.0*255"),
        ("02fdc8fc010000", POWER, "1-0:32.7.0*255"),
        ("02fdd9fc020000", POWER, "1-0:51.7.0*255"),
        ("02fb2c0000", POWER, "1-0:14.7.0*255"),
        ("041300000000", GAS, "7-0:3.0.0*255"),
        ("04933e00000000", GAS, "7-0:3.2.0*255"),
        ("026e0000", COST, "4-0:1.0.0*255"),
    ],
)
def test_a_present_value_has_a_name(record: str, device_type: int, code: str) -> None:
    (found,) = decode_records(bytes.fromhex(record)).records
    assert obis_name(found, device_type) == code


@pytest.mark.parametrize(
    ("record", "device_type"),
    [
        ("440600000000", HEAT),  # stored
        ("84400600000000", HEAT),  # of a subunit
        ("140600000000", HEAT),  # a maximum of what is no power
        ("240600000000", HEAT),  # a minimum
        ("041300000000", POWER),
        ("040600000000", 0x1B),  # a room sensor
        ("01fd1700", HEAT),
        ("0478785634" + "12", HEAT),
    ],
)
def test_what_oms_does_not_name_has_none(record: str, device_type: int) -> None:
    (found,) = decode_records(bytes.fromhex(record)).records
    assert obis_name(found, device_type) is None


def test_a_tariff_beyond_what_a_code_can_tell_has_none() -> None:
    (found,) = decode_records(bytes.fromhex("8480808010" + "0300000000")).records
    assert found.tariff > 63
    assert obis_name(found, POWER) is None
