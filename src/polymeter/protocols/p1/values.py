"""What single data sets mean: addresses, numbers, octet strings that spell texts, times.

All of it is looked up again and again, telegram after telegram, so it is remembered.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final, NamedTuple

from polymeter.protocols import obis
from polymeter.protocols.iec62056_21.times import CENTURY_ENDS
from polymeter.protocols.iec62056_21.values import number_and_unit
from polymeter.protocols.units import normal_unit
from polymeter.protocols.wire import Value

__all__ = [
    "TIME",
    "Address",
    "address",
    "meaning",
    "number",
    "octets_text",
    "parse_time",
    "register",
    "unit_of",
    "value_of",
    "with_unit",
]

TIME: Final = re.compile(r"(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)([SWsw]?)", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?(?:\d+[.,]?\d*|[.,]\d+)", re.ASCII)
DIGITS_MAX: Final = 39
"""The longest number believed in. What is longer stays a text."""
_MISSPELT: Final = re.compile(r"(\d{1,3}-\d{1,3}:\d{1,3})[.:](\d{1,3}\.\d{1,3})(?:\.(\d{1,3}))?", re.ASCII)
"""``1-0:99:97.0`` and ``1-0:31.7.0.255``, as the companion standard of DSMR 4.0 has them and some meters."""
_HEX: Final = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_ENERGY: Final = frozenset({"Wh", "kWh", "MWh", "J", "kJ", "MJ", "GJ"})


class Address(NamedTuple):
    """What the code of a data set says about its value."""

    code: str | None
    kind: str
    """``number``, ``text``, ``octets`` or ``clock``, or the shape of line that it begins."""
    channel: int = 0
    """The M-Bus channel of a sub-meter, 0 for the meter itself."""


@lru_cache(maxsize=4096)
def address(text: str) -> Address:
    """Look an address up."""
    code = obis.parse(text)
    if code is None and (misspelt := _MISSPELT.fullmatch(text)) is not None:
        code = obis.parse(f"{misspelt[1]}.{misspelt[2]}*{misspelt[3] or 255}")
    if code is None:
        return Address(None, "text")
    a, b, c, d, e, _ = code
    kind = "number"
    if a == 0 and (c, d) == (1, 0):
        kind = "clock"
    elif (c, d) == (99, 97):
        kind = "log"
    elif c == 99:
        kind = "profile"
    elif (c, d) == (98, 1):
        kind = "history"
    elif (a, c, d, e) == (0, 24, 3, 0):
        kind = "old sub-meter"
    elif (c, d) == (42, 0) or (c == 96 and d in (1, 13)):
        kind = "octets"
    elif c == 0 or (c == 96 and d not in (3, 7)):
        kind = "text"
    return Address(str(code), kind, b if a == 0 else 0)


@lru_cache(maxsize=8192)
def parse_time(text: str) -> datetime | None:
    """``YYMMDDhhmmss`` with or without flag, `None` if it is no time, such as that of a lost sub-meter."""
    match = TIME.fullmatch(text)
    if match is None:
        return None
    year, *rest = (int(group) for group in match.groups()[:6])
    year += 2000 if year < CENTURY_ENDS else 1900
    try:
        return datetime(year, *rest, fold=int(match[7] in ("W", "w")))  # type: ignore[arg-type]  # noqa: DTZ001 - the zone is the meter's
    except ValueError:
        return None


unit_of = lru_cache(maxsize=1024)(normal_unit)


@lru_cache(maxsize=4096)
def octets_text(text: str) -> str:
    """An octet string that spells a text in hex, as that text; anything else as it is written."""
    if _HEX.fullmatch(text):
        spelt = bytes.fromhex(text)
        if all(32 <= byte < 127 for byte in spelt):
            return spelt.decode("ascii")
    return text


def number(text: str) -> int | Decimal | None:
    """A number as written, `None` if it is none."""
    if len(text) > DIGITS_MAX:
        return None
    if text.isdecimal():  # of Latin-1 only 0 to 9 are
        return int(text)
    if text.replace(".", "", 1).isdecimal():
        return Decimal(text)
    if _NUMBER.fullmatch(text):
        return Decimal(text.replace(",", ".")) if "." in text or "," in text else int(text)
    return None


def value_of(kind: str, text: str, unit: str | None) -> Value:
    """The value of a data set by the kind of its address; `None` for an empty one.

    A time with its flag is a time wherever it stands.
    """
    if not text:
        return None
    if kind == "octets":
        return octets_text(text)
    found: Value = None
    if kind == "clock" or text[-1] in "SW":
        found = parse_time(text)
    if found is None and (kind not in ("text", "clock") or unit):
        found = number(text)
    return text if found is None else found


def with_unit(value: Value, unit: str | None) -> tuple[Value, str | None]:
    """A value and its unit; some meters write the unit behind the number and leave the star out."""
    if unit is None and isinstance(value, str) and (split := number_and_unit(value)) is not None:
        return number(split[0]), split[1]
    return value, unit


@lru_cache(maxsize=8192)
def meaning(name: str, unit: str) -> tuple[str | None, str, int, str | None, str]:
    """What address and unit of a data set say together: code, kind, channel, unit, quantity."""
    code, kind, channel = address(name)
    given = unit_of(unit)
    return code, kind, channel, given, register(given) if channel else "unknown"


def register(unit: str | None) -> str:
    """What a sub-meter's register measures, by its unit; the catalogue knows the other codes."""
    return "volume" if unit in ("m3", "l") else "energy" if unit in _ENERGY else "unknown"
