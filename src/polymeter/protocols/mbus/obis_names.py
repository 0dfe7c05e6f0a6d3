"""The OBIS codes by which the Open Metering System names records of M-Bus telegrams.

A telegram holds no OBIS codes: a record's name depends on the device type of the meter that sent it
(OMS specification volume 2, list of M-Bus data points). Records therefore carry none; whoever wants
the code asks here.
"""

from __future__ import annotations

from typing import Final

from polymeter.protocols.wire import Record

__all__ = ["obis_name"]

_THERMAL: Final = {
    "energy": "1.0",
    "volume": "2.0",
    "power": "8.0",
    "volume_flow": "9.0",
    "flow_temperature": "10.0",
    "return_temperature": "11.0",
    "temperature_difference": "12.0",
}
_WATER: Final = {"volume": "1.0", "volume_flow": "2.0"}
_ELECTRICITY: Final = {
    "energy": "1.8",
    "energy.positive": "1.8",
    "energy.negative": "2.8",
    "power": "1.7",
    "power.positive": "1.7",
    "power.negative": "2.7",
    "reactive_energy": "3.8",
    "reactive_energy.positive": "3.8",
    "reactive_energy.negative": "4.8",
    "reactive_power": "3.7",
    "reactive_power.positive": "3.7",
    "reactive_power.negative": "4.7",
    "current.l1": "31.7",
    "current.l2": "51.7",
    "current.l3": "71.7",
    "current.n": "91.7",
    "voltage.l1": "32.7",
    "voltage.l2": "52.7",
    "voltage.l3": "72.7",
    "frequency": "14.7",
}
_GAS: Final = {
    "volume": "3.0",
    "volume.uncorrected": "3.0",
    "volume.base_conditions": "3.2",
    "volume_flow": "43.0",
}
_BY_DEVICE_TYPE: Final[dict[int, tuple[int, dict[str, str]]]] = {
    0x02: (1, _ELECTRICITY),
    0x03: (7, _GAS),
    0x04: (6, _THERMAL),
    0x06: (9, _WATER),
    0x07: (8, _WATER),
    0x08: (4, {"heat_cost_allocation": "1.0"}),
    0x0A: (5, _THERMAL),
    0x0B: (5, _THERMAL),
    0x0C: (6, _THERMAL),
    0x0D: (6, _THERMAL),
    0x15: (9, _WATER),
    0x16: (8, _WATER),
}


def obis_name(record: Record, device_type: int) -> str | None:
    """The OBIS code of a present value, `None` where OMS defines none."""
    medium, codes = _BY_DEVICE_TYPE.get(device_type, (0, {}))
    code = codes.get(record.name)
    if code is None or record.storage or record.subunit or record.tariff > 63:
        return None
    if record.function == "maximum" and medium == 1 and code.endswith(".7"):
        code = code.removesuffix(".7") + ".6"
    elif record.function != "instantaneous":
        return None
    return f"{medium}-0:{code}.{record.tariff}*255"
