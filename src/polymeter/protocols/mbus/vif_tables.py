"""The value information codes as the standard tabulates them (EN 13757-3 § 6.4): data, no logic.

A row says what is measured, in which unit and with which power of ten. `vif` reads value
information blocks by these tables. Codes are without their extension bit.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

__all__ = [
    "ACTIONS",
    "ERRORS",
    "EXTENSION_FB",
    "EXTENSION_FD",
    "EXTENSION_FD_FD",
    "ORTHOGONAL",
    "ORTHOGONAL_FC",
    "PRIMARY",
    "RESERVED_ERRORS",
    "Kind",
    "Modifier",
    "Quantity",
]

Kind = Literal["number", "unsigned", "date", "identification", "flags", "opaque"]
Effect = Literal["", "scale", "add", "unit", "count", "duration", "date", "opaque", "unsigned", "raw"]


class Quantity(NamedTuple):
    """One row: the value is the number in the telegram times ten to the `exponent`, in `unit`."""

    quantity: str
    unit: str | None = None
    exponent: int = 0
    kind: Kind = "number"
    prefix: int = 0
    """The power of ten that `unit` has over the unit that the standard writes in this row."""
    factor: int = 1
    """What the number is multiplied by besides."""


class Modifier(NamedTuple):
    """What a combinable extension does to the row before it (§ 6.4.8)."""

    name: str
    effect: Effect = ""
    unit: str = ""
    exponent: int = 0


def _type_c(rows: dict[int, Quantity]) -> dict[int, Quantity]:
    """Rows whose binary numbers have no sign (remarks d and k of the tables)."""
    return {code: row._replace(kind="unsigned") for code, row in rows.items()}


def _rating(name: str) -> Quantity:
    """A factor in steps of 2 to the -12, which is 5 to the 12 in steps of 10 to the -12."""
    return Quantity(name, None, -12, "unsigned", factor=5**12)


_TIME_UNITS: Final = ("s", "min", "h", "d")
_LONG_UNITS: Final = ("h", "d", "mo", "a")


def _decades(
    start: int, count: int, quantity: str, unit: str, exponent: int, prefix: int = 0
) -> dict[int, Quantity]:
    """`count` rows from `start` on, each ten times the one before."""
    return {start + n: Quantity(quantity, unit, exponent + n, "number", prefix) for n in range(count)}


def _durations(start: int, quantity: str, units: tuple[str, ...] = _TIME_UNITS) -> dict[int, Quantity]:
    return {start + n: Quantity(quantity, unit) for n, unit in enumerate(units)}


PRIMARY: Final[dict[int, Quantity]] = {
    **_decades(0x00, 4, "energy", "Wh", -3),
    **_decades(0x04, 4, "energy", "kWh", -2, 3),
    **_decades(0x08, 3, "energy", "J", 0),
    **_decades(0x0B, 3, "energy", "kJ", 0, 3),
    **_decades(0x0E, 2, "energy", "MJ", 0, 6),
    **_decades(0x10, 8, "volume", "m3", -6),
    **_decades(0x18, 8, "mass", "kg", -3),
    **_durations(0x20, "on time"),
    **_durations(0x24, "operating time"),
    **_decades(0x28, 4, "power", "W", -3),
    **_decades(0x2C, 4, "power", "kW", -2, 3),
    **_decades(0x30, 3, "power", "J/h", 0),
    **_decades(0x33, 3, "power", "kJ/h", 0, 3),
    **_decades(0x36, 2, "power", "MJ/h", 0, 6),
    **_decades(0x38, 8, "volume flow", "m3/h", -6),
    **_decades(0x40, 8, "volume flow", "m3/min", -7),
    **_decades(0x48, 8, "volume flow", "m3/s", -9),
    **_decades(0x50, 8, "mass flow", "kg/h", -3),
    **_decades(0x58, 4, "flow temperature", "°C", -3),
    **_decades(0x5C, 4, "return temperature", "°C", -3),
    **_decades(0x60, 4, "temperature difference", "K", -3),
    **_decades(0x64, 4, "external temperature", "°C", -3),
    **_decades(0x68, 4, "pressure", "bar", -3),
    0x6C: Quantity("date", kind="date"),
    0x6D: Quantity("time", kind="date"),
    0x6E: Quantity("heat cost allocation", "HCA"),
    **_durations(0x70, "averaging duration"),
    **_durations(0x74, "actuality duration"),
    0x78: Quantity("fabrication number", kind="identification"),
    0x79: Quantity("identification", kind="identification"),
    0x7A: Quantity("address", kind="unsigned"),
}
"""§ 6.4.2, primary codes. 7B, 7C, 7D, 7E, 7F and 6F lead elsewhere."""

EXTENSION_FB: Final[dict[int, Quantity]] = {
    **_decades(0x00, 2, "energy", "MWh", -1),
    **_decades(0x02, 2, "reactive energy", "kvarh", 0),
    **_decades(0x04, 2, "apparent energy", "kVAh", 0),
    0x06: Quantity("coefficient of performance", None, -1),
    **_decades(0x08, 2, "energy", "GJ", -1),
    **_decades(0x0C, 4, "energy", "Mcal", -1),
    **_decades(0x10, 2, "volume", "m3", 2),
    **_decades(0x14, 4, "reactive power", "kvar", -3),
    **_type_c(_decades(0x18, 2, "mass", "t", 2)),
    **_type_c(_decades(0x1A, 2, "relative humidity", "%", -1)),
    0x20: Quantity("volume", "ft3"),
    0x21: Quantity("volume", "ft3", -1),
    0x22: Quantity("volume", "US gal", -1),
    0x23: Quantity("phase angle current to voltage", "°", -1),
    0x24: Quantity("volume flow", "US gal/min", -3),
    0x25: Quantity("volume flow", "US gal/min"),
    0x26: Quantity("volume flow", "US gal/h"),
    **_decades(0x28, 2, "power", "MW", -1),
    0x2A: Quantity("phase angle voltage to voltage", "°", -1),
    0x2B: Quantity("phase angle voltage to current", "°", -1),
    **_decades(0x2C, 4, "frequency", "Hz", -3),
    **_decades(0x30, 2, "power", "GJ/h", -1),
    **_decades(0x34, 4, "apparent power", "kVA", -3),
    **_decades(0x58, 4, "flow temperature", "°F", -3),
    **_decades(0x5C, 4, "return temperature", "°F", -3),
    **_decades(0x60, 4, "temperature difference", "°F", -3),
    **_decades(0x64, 4, "external temperature", "°F", -3),
    0x68: _rating("resulting rating factor"),
    0x69: Quantity("thermal output rating factor", "W", kind="unsigned"),
    0x6A: _rating("thermal coupling rating factor"),
    0x6B: _rating("thermal coupling rating factor, room side"),
    0x6C: _rating("thermal coupling rating factor, heating side"),
    0x6D: _rating("low temperature rating factor"),
    0x6E: _rating("display output scaling factor"),
    **_decades(0x70, 4, "temperature limit", "°F", -3),
    **_decades(0x74, 4, "temperature limit", "°C", -3),
    **_decades(0x78, 4, "cumulated maximum power", "W", -3),
    **_decades(0x7C, 4, "cumulated maximum power", "kW", -2, 3),
}
"""§ 6.4.4, after FB. The US gallons of 22 and 24 to 26 are those of the editions before 2013."""

EXTENSION_FD: Final[dict[int, Quantity]] = {
    **_decades(0x00, 4, "credit", "currency", -3),
    **_decades(0x04, 4, "debit", "currency", -3),
    0x08: Quantity("access number", kind="flags"),
    0x09: Quantity("device type", kind="flags"),
    0x0A: Quantity("manufacturer", kind="unsigned"),
    0x0B: Quantity("parameter set identification", kind="unsigned"),
    0x0C: Quantity("model version", kind="unsigned"),
    0x0D: Quantity("hardware version", kind="unsigned"),
    0x0E: Quantity("firmware version", kind="unsigned"),
    0x0F: Quantity("software version", kind="unsigned"),
    0x10: Quantity("customer location", kind="unsigned"),
    0x11: Quantity("customer", kind="unsigned"),
    0x12: Quantity("user access code", kind="unsigned"),
    0x13: Quantity("operator access code", kind="unsigned"),
    0x14: Quantity("system operator access code", kind="unsigned"),
    0x15: Quantity("developer access code", kind="unsigned"),
    0x16: Quantity("password", kind="unsigned"),
    0x17: Quantity("error flags", kind="flags"),
    0x18: Quantity("error mask", kind="flags"),
    0x19: Quantity("security key", kind="opaque"),
    0x1A: Quantity("digital output", kind="flags"),
    0x1B: Quantity("digital input", kind="flags"),
    0x1C: Quantity("baud rate", "Bd", kind="unsigned"),
    0x1D: Quantity("response delay", "bit times", kind="unsigned"),
    0x1E: Quantity("retries"),
    0x1F: Quantity("remote control", kind="flags"),
    0x20: Quantity("first storage number", kind="unsigned"),
    0x21: Quantity("last storage number", kind="unsigned"),
    0x22: Quantity("storage block size", kind="unsigned"),
    0x23: Quantity("tariff and subunit descriptor", kind="unsigned"),
    **_durations(0x24, "storage interval"),
    0x28: Quantity("storage interval", "mo"),
    0x29: Quantity("storage interval", "a"),
    0x2A: Quantity("operator data"),
    0x2B: Quantity("second of time", "s", kind="unsigned"),
    **_type_c(_durations(0x2C, "duration since last readout")),
    0x30: Quantity("tariff start", kind="date"),
    **_type_c(_durations(0x31, "tariff duration", ("min", "h", "d"))),
    **_durations(0x34, "tariff period"),
    0x38: Quantity("tariff period", "mo"),
    0x39: Quantity("tariff period", "a"),
    0x3A: Quantity("dimensionless"),
    0x3B: Quantity("wireless data container", kind="opaque"),
    **_type_c(_durations(0x3C, "transmission period")),
    **_decades(0x40, 16, "voltage", "V", -9),
    **_decades(0x50, 16, "current", "A", -12),
    0x60: Quantity("reset counter"),
    0x61: Quantity("cumulation counter"),
    0x62: Quantity("control signal"),
    0x63: Quantity("day of week"),
    0x64: Quantity("week number"),
    0x65: Quantity("time of day change", kind="date"),
    0x66: Quantity("parameter activation state", kind="unsigned"),
    0x67: Quantity("supplier information"),
    **_durations(0x68, "duration since last cumulation", _LONG_UNITS),
    **_durations(0x6C, "battery operating time", _LONG_UNITS),
    0x70: Quantity("battery change", kind="date"),
    0x71: Quantity("signal strength", "dBm"),
    0x72: Quantity("daylight saving", kind="opaque"),
    0x73: Quantity("listening window", kind="opaque"),
    0x74: Quantity("remaining battery life", "d", kind="unsigned"),
    0x75: Quantity("stop counter", kind="unsigned"),
    0x76: Quantity("manufacturer data container", kind="opaque"),
}
"""§ 6.4.5, after FD."""

EXTENSION_FD_FD: Final[dict[int, Quantity]] = {
    0x00: Quantity("selected application", kind="unsigned"),
    0x02: Quantity("remaining battery life", "mo", kind="unsigned"),
    0x03: Quantity("remaining battery life", "a", kind="unsigned"),
    0x3E: Quantity("moisture", "%"),
}
"""§ 6.4.6, after FD FD."""


def _limits() -> dict[int, Modifier]:
    """The codes from 40 to 6F that speak of limits (§ 6.4.8): bits are limit, first or last, begin or end."""
    rows: dict[int, Modifier] = {}
    for upper, limit in enumerate(("lower", "upper")):
        rows[0x40 | upper << 3] = Modifier(f"{limit}_limit")
        rows[0x41 | upper << 3] = Modifier(f"{limit}_limit_exceeds", "count")
        rows[0x68 | upper << 2] = Modifier(f"during_{limit}_limit_exceed")
        for last, which in enumerate(("first", "last")):
            for end, edge in enumerate(("begin", "end")):
                code = 0x42 | upper << 3 | last << 2 | end
                rows[code] = Modifier(f"{edge}_{which}_{limit}_limit_exceed", "date")
            for n, unit in enumerate(_TIME_UNITS):
                code = 0x50 | upper << 3 | last << 2 | n
                rows[code] = Modifier(f"{which}_{limit}_limit_exceed", "duration", unit)
    for last, which in enumerate(("first", "last")):
        for n, unit in enumerate(_TIME_UNITS):
            rows[0x60 | last << 2 | n] = Modifier(which, "duration", unit)
        for end, edge in enumerate(("begin", "end")):
            rows[0x6A | last << 2 | end] = Modifier(f"{edge}_{which}", "date")
    return rows


ORTHOGONAL: Final[dict[int, Modifier]] = {
    0x12: Modifier("average"),
    0x13: Modifier("inverse_profile", "opaque"),
    0x14: Modifier("relative_deviation", "raw"),
    0x1D: Modifier("standard"),
    0x1E: Modifier("numbered_profile", "opaque"),
    0x1F: Modifier("profile", "opaque"),
    0x20: Modifier("per_second", "unit", "/s"),
    0x21: Modifier("per_minute", "unit", "/min"),
    0x22: Modifier("per_hour", "unit", "/h"),
    0x23: Modifier("per_day", "unit", "/d"),
    0x24: Modifier("per_week", "unit", "/wk"),
    0x25: Modifier("per_month", "unit", "/mo"),
    0x26: Modifier("per_year", "unit", "/a"),
    0x27: Modifier("per_measurement", "unit", "/measurement"),
    0x28: Modifier("per_input_0_pulse"),
    0x29: Modifier("per_input_1_pulse"),
    0x2A: Modifier("per_output_0_pulse"),
    0x2B: Modifier("per_output_1_pulse"),
    0x2C: Modifier("per_litre", "unit", "/l"),
    0x2D: Modifier("per_m3", "unit", "/m3"),
    0x2E: Modifier("per_kg", "unit", "/kg"),
    0x2F: Modifier("per_kelvin", "unit", "/K"),
    0x30: Modifier("per_kwh", "unit", "/kWh"),
    0x31: Modifier("per_gj", "unit", "/GJ"),
    0x32: Modifier("per_kw", "unit", "/kW"),
    0x33: Modifier("per_kelvin_litre", "unit", "/(K.l)"),
    0x34: Modifier("per_volt", "unit", "/V"),
    0x35: Modifier("per_ampere", "unit", "/A"),
    0x36: Modifier("times_second", "unit", ".s"),
    0x37: Modifier("times_second_per_volt", "unit", ".s/V"),
    0x38: Modifier("times_second_per_ampere", "unit", ".s/A"),
    0x39: Modifier("start", "date"),
    0x3A: Modifier("uncorrected"),
    0x3B: Modifier("positive"),
    0x3C: Modifier("negative"),
    0x3D: Modifier("non_metric", "raw"),
    0x3E: Modifier("base_conditions"),
    0x3F: Modifier("obis_declaration", "opaque"),
    **_limits(),
    0x69: Modifier("leakage"),
    0x6D: Modifier("overflow"),
    **{0x70 + n: Modifier("", "scale", "", n - 6) for n in range(8)},
    **{0x78 + n: Modifier("", "add", "", n - 3) for n in range(4)},
    0x7D: Modifier("", "scale", "", 3),
    0x7E: Modifier("future"),
}
"""§ 6.4.8, combinable codes. An increment per pulse keeps its unit: a pulse has none. 7C
leads to the next table, behind 7F all is the manufacturer's."""

ORTHOGONAL_FC: Final[dict[int, Modifier]] = {
    0x01: Modifier("l1"),
    0x02: Modifier("l2"),
    0x03: Modifier("l3"),
    0x04: Modifier("n"),
    0x05: Modifier("l1_l2"),
    0x06: Modifier("l2_l3"),
    0x07: Modifier("l3_l1"),
    0x08: Modifier("q1"),
    0x09: Modifier("q2"),
    0x0A: Modifier("q3"),
    0x0B: Modifier("q4"),
    0x0C: Modifier("import_minus_export"),
    0x0D: Modifier("non_metric", "raw"),
    0x0E: Modifier("secondary_sensor"),
    0x0F: Modifier("high_resolution"),
    0x10: Modifier("absolute"),
    0x11: Modifier("", "unsigned"),
    0x12: Modifier("", "unsigned"),
    0x13: Modifier("end", "date"),
    0x14: Modifier("to_meter"),
    0x15: Modifier("from_meter"),
}
"""§ 6.4.8, second table of combinable codes, after FC."""

ERRORS: Final[dict[int, str]] = {
    0x00: "no error",
    0x01: "too many DIFEs",
    0x02: "storage number not implemented",
    0x03: "unit number not implemented",
    0x04: "tariff number not implemented",
    0x05: "function not implemented",
    0x06: "data class not implemented",
    0x07: "data size not implemented",
    0x0B: "too many VIFEs",
    0x0C: "illegal VIF group",
    0x0D: "illegal VIF exponent",
    0x0E: "VIF and DIF do not fit each other",
    0x0F: "unimplemented action",
    0x15: "no data available",
    0x16: "data overflow",
    0x17: "data underflow",
    0x18: "data error",
    0x1C: "premature end of record",
}
"""What a meter says of a record in its answer (§ 6.4.9)."""

RESERVED_ERRORS: Final = frozenset((0x08, 0x09, 0x0A, 0x10, 0x11, 0x19, 0x1A, 0x1B))
"""Codes among those of errors that have no meaning yet; the value before them has."""

ACTIONS: Final[dict[int, str]] = {
    0x00: "write",
    0x01: "add",
    0x02: "subtract",
    0x03: "or",
    0x04: "and",
    0x05: "xor",
    0x06: "and not",
    0x07: "clear",
    0x08: "add entry",
    0x09: "delete entry",
    0x0A: "delayed action",
    0x0B: "freeze",
    0x0C: "add to readout list",
    0x0D: "delete from readout list",
}
"""What a master wants done with a record (§ 6.4.9)."""
