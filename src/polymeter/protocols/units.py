"""Units as the standards number and spell them; `Record.unit` uses these spellings.

COSEM and SML number units with one shared list (IEC 62056-6-2, physical unit enumeration); the
text protocols spell them out, each meter a little differently. One spelling leaves this module:
ASCII except where the unit's own sign is not (``°C``, ``Ω``), powers without a caret (``m3``).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

__all__ = ["COSEM_UNITS", "is_unit", "normal_unit"]

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
    "m^3": "m3", "m³": "m3", "cbm": "m3", "m^3/h": "m3/h", "m³/h": "m3/h", "m3ph": "m3/h",
    "C": "°C", "degC": "°C", "ºC": "°C", "\xf8C": "°C", "{C": "°C", "Grad": "°", "deg": "°", "HZ": "Hz",
}  # fmt: skip
"""How meters spell units out. Behind a number a C is a temperature: none measures charge. The degree
sign has many places in the character sets of old displays: F8 on a PC's, ``{`` on a corrector's."""

_ELECTRICAL: Final = re.compile(r"([kKMG]?)((?:[Ww]|[Vv][Aa][Rr]?)[Hh]?)", re.ASCII)
_BASES: Final = {"w": "W", "wh": "Wh", "va": "VA", "vah": "VAh", "var": "var", "varh": "varh"}
"""By any letter size: meters write kvarh in nine ways. A small m stays, for it may mean milli or mega."""
_LONGEST: Final = 16
"""Characters of a unit (IEC 62056-21 § 6.5.2). What is longer is kept, and not remembered."""
_KNOWN: Final = frozenset((
    "W", "V", "kV", "mV", "A", "mA", "kA", "J", "kJ", "MJ", "GJ", "Hz", "K", "°C", "°", "%", "bar", "mbar",
    "Pa", "hPa", "kPa", "MPa", "m3", "m3/h", "l", "l/h", "s", "min", "h", "Ah", "kg", "t",
))  # fmt: skip
"""Units that meters show, beside those of energy and power."""


def normal_unit(text: str) -> str | None:
    """The one spelling of a unit written out by a meter; `None` for an empty one.

    An unknown unit stays as the meter wrote it: what is well-formed is kept.
    """
    text = text.strip()
    if not text:
        return None
    return _spelled(text) if len(text) <= _LONGEST else text


@lru_cache(maxsize=1024)
def _spelled(text: str) -> str:
    if (match := _ELECTRICAL.fullmatch(text)) is not None:
        return match[1].replace("K", "k") + _BASES[match[2].lower()]
    return _SPELLINGS.get(text, text)


def is_unit(text: str) -> bool:
    """Whether a text is a unit that meters show: what stands behind a number may be something else."""
    unit = normal_unit(text)
    return unit in _KNOWN or (unit is not None and _ELECTRICAL.fullmatch(unit) is not None)
