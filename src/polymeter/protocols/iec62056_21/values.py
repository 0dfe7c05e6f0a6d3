"""What single data sets mean: numbers, units, OBIS codes, refusals.

The standard leaves most of this to manufacturers, so the rules here are those that hold across
meters in the field; where they differ by meter the catalogue decides, not this module.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import Final

from polymeter.protocols import obis
from polymeter.protocols.iec62056_21.lines import DataSet
from polymeter.protocols.units import is_unit, normal_unit
from polymeter.protocols.wire import Value

__all__ = [
    "code_of",
    "is_lone_unit",
    "is_refusal",
    "number_and_unit",
    "obis_code",
    "raw_of",
    "refusal_text",
    "value_of",
]

_NUMBER = re.compile(r"([+-]?\d++(?:[.,]\d*+)?+|[+-]?[.,]\d++)(\s*+)(\S*+)", re.ASCII)
_PLAIN_NUMBER = re.compile(r"\d+(?:\.\d*)?", re.ASCII)
_REFUSAL = re.compile(r"ERROR\w*|ER\d+|#\d+", re.ASCII | re.IGNORECASE)
_REFUSAL_STARTS: Final = frozenset("Ee#")
_TEXT_GROUPS: Final = frozenset((0, 96, 97))
"""Values of OBIS group C that hold identifications and states: leading zeros belong to them."""
_CLOCK: Final = (1, 0, 0)
"""Groups C to E of the clock, which is written in digits: no number, neither in summer nor in winter."""


def is_refusal(data_set: DataSet) -> bool:
    """Whether a set is the meter's way to say no, such as ``(ERROR)`` or ``(ER12)``."""
    value = data_set.value
    return value[:1] in _REFUSAL_STARTS and data_set.unit is None and _REFUSAL.fullmatch(value) is not None


def refusal_text(data_set: DataSet) -> str:
    """A refusal in words."""
    return f"the meter answers {data_set.address}({data_set.value})"


def obis_code(address: str) -> str | None:
    """The OBIS code of an address in its one form, `None` if it is none."""
    return code_of(address)[0]


def code_of(address: str) -> tuple[str | None, bool | None]:
    """The OBIS code of an address in its one form, and whether its values are texts, if it tells."""
    # What is longer is no code, and would be remembered at the sender's will.
    return _code_of(address) if len(address) <= _CODE_MAX else (None, None)


_CODE_MAX: Final = 32


@lru_cache(maxsize=4096)
def _code_of(address: str) -> tuple[str | None, bool | None]:
    code = obis.parse(address.strip())
    if code is None:
        return None, None
    return str(code), code.c in _TEXT_GROUPS or code[2:5] == _CLOCK


def value_of(data_set: DataSet, as_text: bool | None) -> tuple[Value, str | None]:
    """The value and its unit; a number if it reads as one and no leading zero could be lost.

    `as_text` is what the address says, `None` if it says nothing: then leading zeros decide.
    """
    text = data_set.value
    if data_set.unit and _PLAIN_NUMBER.fullmatch(text):
        return Decimal(text), normal_unit(data_set.unit)
    match = _NUMBER.fullmatch(text.strip())
    if match is None:
        return text, normal_unit(data_set.unit or "")
    number, gap, inner = match.groups()
    if inner and not _unit_of(number, inner, close=not gap):
        return text, normal_unit(data_set.unit or "")
    unit = normal_unit(data_set.unit or inner)
    if as_text is None:
        as_text = unit is None and number.isdigit() and len(number) > 1 and number[0] == "0"
    if as_text and not data_set.unit:
        return text, None
    return Decimal(number.replace(",", ".")), unit


def number_and_unit(text: str) -> tuple[str, str | None] | None:
    """A number and the unit behind it in one text, ``000671.578kWh``; `None` for any other text."""
    match = _NUMBER.fullmatch(text.strip())
    if match is None or not match[3] or not _unit_of(match[1], match[3], close=not match[2]):
        return None
    return match[1], normal_unit(match[3])


def _unit_of(number: str, text: str, *, close: bool) -> bool:
    """Whether a text behind a number is its unit. One that could be a digit wants a number with a
    point before it: ``1A`` is a state in hexadecimal, and so is ``0C``."""
    hexadecimal = close and text in ("A", "C") and number.isdigit()
    return is_unit(text) and not hexadecimal


def is_lone_unit(data_set: DataSet, number: Decimal) -> bool:
    """Whether a set is nothing but a unit, which then belongs to the number before it."""
    return data_set.unit is None and _unit_of(str(number), data_set.value.strip(), close=True)


def raw_of(data_set: DataSet) -> bytes:
    """The set as it is written."""
    unit = "" if data_set.unit is None else f"*{data_set.unit}"
    return f"{data_set.address}({data_set.value}{unit})".encode("latin-1")
