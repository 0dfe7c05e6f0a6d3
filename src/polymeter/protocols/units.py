"""Units as the standards number and spell them; `Record.unit` uses these spellings.

COSEM and SML number units with one shared list (IEC 62056-6-2, physical unit enumeration); the
text protocols spell them out, each meter a little differently. One spelling leaves this module:
ASCII except where the unit's own sign is not (``°C``, ``Ω``), powers without a caret (``m3``).
"""

from __future__ import annotations

from typing import Final

__all__ = ["COSEM_UNITS", "normal_unit"]

COSEM_UNITS: Final[dict[int, str]] = {
    1: "a", 2: "mo", 3: "wk", 4: "d", 5: "h", 6: "min", 7: "s", 8: "°", 9: "°C", 10: "currency",
    11: "m", 12: "m/s", 13: "m3", 14: "m3", 15: "m3/h", 16: "m3/h", 17: "m3/d", 18: "m3/d", 19: "l",
    20: "kg", 21: "N", 22: "Nm", 23: "Pa", 24: "bar", 25: "J", 26: "J/h", 27: "W", 28: "VA",
    29: "var", 30: "Wh", 31: "VAh", 32: "varh", 33: "A", 34: "C", 35: "V", 36: "V/m", 37: "F",
    38: "Ω", 39: "Ωm2/m", 40: "Wb", 41: "T", 42: "A/m", 43: "H", 44: "Hz", 45: "1/Wh", 46: "1/varh",
    47: "1/VAh", 48: "V2h", 49: "A2h", 50: "kg/s", 51: "S", 52: "K", 53: "1/V2h", 54: "1/A2h",
    55: "1/m3", 56: "%", 57: "Ah", 60: "Wh/m3", 61: "J/m3", 62: "mol%", 63: "g/m3", 64: "Pa.s",
    65: "J/kg", 66: "g/cm2", 67: "atm", 70: "dBm", 71: "dBµV", 72: "dB",
}  # fmt: skip
"""COSEM unit code to unit. 14, 16 and 18 are 13, 15 and 17 for volumes converted to base
conditions. 254 (other), 255 (a bare count) and the unassigned codes have no unit."""

_SPELLINGS: Final[dict[str, str]] = {
    "m^3": "m3", "m³": "m3", "m^3/h": "m3/h", "m³/h": "m3/h", "qm": "m3", "cbm": "m3", "l/h": "l/h",
    "KWH": "kWh", "KWh": "kWh", "kwh": "kWh", "WH": "Wh", "MWH": "MWh", "mWh": "mWh",
    "KW": "kW", "kw": "kW", "KVARH": "kvarh", "kVArh": "kvarh", "kVarh": "kvarh", "kvarh": "kvarh",
    "kVAr": "kvar", "kVar": "kvar", "KVAR": "kvar", "VAr": "var", "Var": "var", "VAR": "var",
    "VArh": "varh", "Varh": "varh", "KVA": "kVA", "kVa": "kVA", "KVAH": "kVAh",
    "C": "°C", "degC": "°C", "\xb0C": "°C", "Grad": "°", "deg": "°", "Hz": "Hz", "HZ": "Hz",
}  # fmt: skip


def normal_unit(text: str) -> str | None:
    """The one spelling of a unit written out by a meter; `None` for an empty one.

    An unknown unit stays as the meter wrote it: what is well-formed is kept.
    """
    text = text.strip()
    if not text:
        return None
    return _SPELLINGS.get(text, text)
