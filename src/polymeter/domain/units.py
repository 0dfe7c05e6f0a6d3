"""Units of one dimension differ by a power of ten, or they are not converted at all.

Conversion is a shift of the decimal exponent and thereby exact for every value. Where the factor is not a
power of ten (J to Wh, degree Fahrenheit) the conversion is refused by name: whoever
wants it decides the rounding.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

__all__ = ["UNITS", "UnitMismatch", "convert", "shift"]

_PREFIXES: Final = {"": 0, "k": 3, "M": 6, "G": 9, "T": 12}
_SMALL: Final = {"m": -3, "": 0, "k": 3, "M": 6}


class UnitMismatch(ValueError):
    """One unit does not become the other by a shift of the decimal point; the message names both."""


def _table() -> dict[str, tuple[str, int]]:
    table: dict[str, tuple[str, int]] = {}
    for base in ("Wh", "varh", "VAh", "W", "var", "VA", "J"):
        table |= {prefix + base: (base, exponent) for prefix, exponent in _PREFIXES.items()}
    for base in ("V", "A", "Hz", "Ah", "W", "Pa", "g", "Ω"):
        table |= {prefix + base: (base, exponent) for prefix, exponent in _SMALL.items()}
    table |= {"t": ("g", 6), "hPa": ("Pa", 2), "mbar": ("Pa", 2), "bar": ("Pa", 5)}
    for per in ("", "/h", "/min", "/s"):
        table |= {f"m3{per}": (f"l{per}", 3), f"l{per}": (f"l{per}", 0), f"ml{per}": (f"l{per}", -3)}
        table |= {f"hl{per}": (f"l{per}", 2), f"dm3{per}": (f"l{per}", 0), f"cm3{per}": (f"l{per}", -3)}
    for base in ("Wh", "J"):
        for prefix, exponent in _PREFIXES.items():
            table |= {
                f"{prefix}{base}/h": (f"{base}/h", exponent),
                f"{prefix}{base}/m3": (f"{base}/m3", exponent),
            }
    table |= {"m": ("m", 0), "mm": ("m", -3), "cm": ("m", -2), "km": ("m", 3)}
    table |= {
        unit: (unit, 0)
        for unit in ("min", "h", "d", "°C", "K", "°F", "%", "1", "°", "mol", "rh", "dB", "dBm")
    }
    table |= {"s": ("s", 0), "ms": ("s", -3)}
    return table


UNITS: Final[dict[str, tuple[str, int]]] = _table()
"""Unit -> (its dimension's base, power of ten over that base)."""

_SPELLINGS: Final = {
    "m³": "m3",
    "L": "l",
    "dm³": "dm3",
    "cm³": "cm3",
    "ohm": "Ω",
    "Ohm": "Ω",
    "C": "°C",
    "degC": "°C",
}


def _known(unit: str) -> tuple[str, int] | None:
    spelled = unit.replace("³", "3")
    if spelled not in UNITS:
        head, slash, tail = spelled.partition("/")
        spelled = _SPELLINGS.get(head, head) + slash + tail
    return UNITS.get(spelled)


def shift(unit: str, target: str) -> int:
    """The power of ten that turns a value in `unit` into one in `target`.

    Raises:
        UnitMismatch: there is no such power of ten.
    """
    if unit == target:
        return 0
    have, want = _known(unit), _known(target)
    if have is None or want is None or have[0] != want[0]:
        raise UnitMismatch(
            f"{unit!r} is not converted to {target!r}: no exact decimal factor between them is known"
        )
    return have[1] - want[1]


def convert(value: Decimal, unit: str, target: str) -> Decimal:
    """`value` in `target`, exactly.

    Raises:
        UnitMismatch: not by a shift of the decimal point.
    """
    power = shift(unit, target)
    if power == 0:
        return value
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise UnitMismatch(f"{value} is not a finite number")
    # Built from its parts: scaleb and multiplication round to the caller's decimal context.
    return Decimal((sign, digits, exponent + power))
