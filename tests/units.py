"""Units as conformance cases and decoders write them, as factors to the base unit of their dimension.

Only for comparing: the product's own units live in the package. Exact fractions throughout.
"""

from dataclasses import dataclass
from fractions import Fraction

__all__ = ["Unit", "unit_of"]

DAY_S = 86_400
YEAR_S = Fraction("365.2425") * DAY_S
PREFIXES = {
    "": Fraction(1),
    "m": Fraction(1, 1000),
    "k": Fraction(10**3),
    "M": Fraction(10**6),
    "G": Fraction(10**9),
}


@dataclass(frozen=True)
class Unit:
    """``base = number * factor + offset``; ``near`` where the factor is itself a mean (months, years)."""

    dimension: str
    factor: Fraction
    offset: Fraction = Fraction(0)
    near: bool = False
    bare: bool = True  # a number without unit may be meant in it


def unit_of(text: str | None) -> Unit | None:
    """The unit, or None where there is none; an unknown one is a dimension of its own."""
    if text is None or not text.strip():
        return None
    name = (
        text.strip()
        .replace("³", "3")
        .replace("^3", "3")
        .replace("·", ".")
        .replace(" ", "")
        .replace("m^3", "m3")
    )
    return _TABLE.get(name) or _TABLE.get(name.lower()) or Unit(name.lower(), Fraction(1))


def _table() -> dict[str, Unit]:
    table: dict[str, Unit] = {}
    # "base" is what a bare number is meant in: Wh, not J.
    prefixed = {
        "Wh": ("energy", Fraction(3600)),
        "J": ("energy", Fraction(1)),
        "W": ("power", Fraction(1)),
        "varh": ("reactive energy", Fraction(1)),
        "var": ("reactive power", Fraction(1)),
        "VAh": ("apparent energy", Fraction(1)),
        "VA": ("apparent power", Fraction(1)),
        "V": ("voltage", Fraction(1)),
        "A": ("current", Fraction(1)),
        "Hz": ("frequency", Fraction(1)),
        "Pa": ("pressure", Fraction(1)),
        "bar": ("pressure", Fraction(100_000)),
    }
    for name, (dimension, factor) in prefixed.items():
        for prefix, scale in PREFIXES.items():
            unit = Unit(dimension, factor * scale, bare=not prefix and name not in ("J", "bar"))
            table[prefix + name] = unit
            if prefix not in ("m", "M"):  # "MW" in small letters would be milliwatt
                table.setdefault((prefix + name).lower(), unit)
    for prefix, scale in PREFIXES.items():
        table[f"{prefix}VAr"] = table[f"{prefix}Var"] = table[f"{prefix}var"]
        table[f"{prefix}VArh"] = table[f"{prefix}Varh"] = table[f"{prefix}varh"]
        table[f"{prefix}J/h"] = Unit("power", scale / 3600, bare=False)
        table[f"{prefix}cal"] = Unit("energy", scale * Fraction("4.1868"), bare=False)
    table["hPa"] = Unit("pressure", Fraction(100), bare=False)

    volumes = {"m3": Fraction(1), "l": Fraction(1, 1000), "dm3": Fraction(1, 1000), "ml": Fraction(1, 10**6)}
    masses = {"kg": Fraction(1), "g": Fraction(1, 1000), "t": Fraction(1000)}
    times = {
        "s": 1,
        "sec": 1,
        "min": 60,
        "h": 3600,
        "d": DAY_S,
        "day": DAY_S,
        "days": DAY_S,
        "week": 7 * DAY_S,
    }
    for volume, cubic in volumes.items():
        table[volume] = Unit("volume", cubic, bare=volume == "m3")
        table[f"{volume}.°c"] = table[f"{volume}.°C"] = table[f"{volume}*°C"] = Unit(
            "volume temperature", cubic
        )
        for time in ("s", "min", "h", "d"):
            # m3/h is the base here, since that is what a bare flow is meant in.
            table[f"{volume}/{time}"] = Unit(
                "flow", cubic * 3600 / times[time], bare=volume == "m3" and time == "h"
            )
    for mass, kilograms in masses.items():
        table[mass] = Unit("mass", kilograms)
        table[f"{mass}/h"] = Unit("mass flow", kilograms)
    for time, seconds in times.items():
        table[time] = Unit("time", Fraction(seconds))
    for year in ("a", "y", "year", "years"):
        table[year] = Unit("time", YEAR_S, near=True)
    for month in ("month", "months", "mo"):
        table[month] = Unit("time", YEAR_S / 12, near=True)

    table["k"] = table["K"] = Unit("temperature", Fraction(1))
    for celsius in ("°c", "°C", "c", "C", "degc", "degC"):
        table[celsius] = Unit("temperature", Fraction(1), Fraction("273.15"))
    for fahrenheit in ("°f", "°F", "f", "F"):
        table[fahrenheit] = Unit("temperature", Fraction(5, 9), Fraction("273.15") - Fraction(160, 9))
    table["%"] = table["%rh"] = Unit("ratio", Fraction(1))
    table["hca"] = Unit("hca", Fraction(1))
    return table


_TABLE = _table()
