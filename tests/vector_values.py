"""Does one decoded reading answer one expected reading? The rules of comparison for conformance cases.

An expected reading says little: a value, perhaps a unit, an OBIS code, indices. Only what it says is
compared. Numbers are compared in one unit as exact fractions within a tolerance.
"""

import re
from fractions import Fraction
from typing import Any

from tests.units import Unit, unit_of

__all__ = ["answers", "full_obis", "moment", "same_number"]

INDICES = ("function", "storage", "tariff", "subunit")
REL = Fraction(1, 10**9)
NEAR = Fraction(3, 1000)  # months and years are means
MOMENT = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d))?)?")
HEX = re.compile(r"(?:[0-9a-fA-F]{2})+")


def answers(
    expected: dict[str, Any], reading: dict[str, Any], tolerance: dict[str, Any] | None = None
) -> bool:
    """Whether ``reading`` (of ``decode --json``) is what ``expected`` asks for."""
    for key in INDICES:
        if expected.get(key) is not None and expected[key] != reading.get(key):
            return False
    if expected.get("obis") is not None and full_obis(expected["obis"]) != full_obis(reading.get("obis")):
        return False
    if expected.get("timestamp") is not None:
        wanted = moment(expected["timestamp"])
        if wanted is None or wanted != moment(reading.get("timestamp")):
            return False
    return expected.get("value") is None or _same_value(expected, reading, tolerance or {})


def full_obis(code: str | None) -> str | None:
    """The code with its last group: a missing ``*F`` is ``*255``."""
    return code if code is None or "*" in code else f"{code}*255"


def moment(text: str | None) -> tuple[str, ...] | None:
    """Date and time up to the seconds, without zone; what is missing is zero."""
    found = MOMENT.match(text.strip()) if text else None
    return tuple(group or "00" for group in found.groups()) if found else None


def _same_value(expected: dict[str, Any], reading: dict[str, Any], tolerance: dict[str, Any]) -> bool:
    wanted, value = str(expected["value"]), reading.get("value")
    kind = expected.get("kind")
    if kind in ("date", "datetime"):
        target = moment(wanted)
        return target is not None and target in (moment(value), moment(reading.get("timestamp")))
    if value is None:
        return False
    if kind == "text":
        return _letters(wanted) in (_letters(value), _letters(_from_hex(value)))
    if kind == "opaque":
        return wanted.lower() in (value.lower(), value.encode("latin-1", "replace").hex())
    if kind == "unknown" and HEX.fullmatch(value):
        return True
    if (number := _number(wanted)) is None:
        return _letters(wanted) == _letters(value)
    scale_free = bool(expected.get("scale_free"))
    given = _number(value)
    return given is not None and any(
        same_number(number, candidate, tolerance, near=near, scale_free=scale_free)
        for candidate, near in _candidates(given, unit_of(reading.get("unit")), expected, scale_free)
    )


def _candidates(
    given: Fraction, unit: Unit | None, expected: dict[str, Any], scale_free: bool
) -> list[tuple[Fraction, bool]]:
    """The decoded number in the expected reading's unit; several where several are meant to do."""
    wanted = unit_of(expected.get("unit"))
    if wanted is None:
        if unit is None:
            return [(given, False)]
        base = Fraction(3600) if unit.dimension == "energy" else Fraction(1)
        in_base = (given * unit.factor / base, unit.near)
        return [in_base, (given, False)] if unit.bare or scale_free else [in_base]
    if unit is None:
        # Without a scale in the telegram the bare integer is the right answer.
        return [(given, False)] if scale_free else []
    if unit.dimension != wanted.dimension:
        return []
    near = unit.near or wanted.near
    converted = [((given * unit.factor + unit.offset - wanted.offset) / wanted.factor, near)]
    if unit.dimension == "temperature":  # a difference: 1 K is 1 °C
        converted.append((given * unit.factor / wanted.factor, near))
    return converted


def same_number(
    wanted: Fraction,
    given: Fraction,
    tolerance: dict[str, Any],
    *,
    near: bool = False,
    scale_free: bool = False,
) -> bool:
    """Equal within the larger tolerance, absolute or relative; ``scale_free`` up to a power of ten."""
    rel = Fraction(str(tolerance.get("rel") or 0)) or REL
    rel = max(rel, NEAR) if near else rel
    if scale_free and wanted and given:
        if (wanted < 0) != (given < 0):
            return False
        ratio = given / wanted
        while ratio >= 5:
            ratio /= 10
        while ratio < Fraction(1, 2):
            ratio *= 10
        if abs(ratio - 1) <= rel:
            return True
    allowed = max(Fraction(str(tolerance.get("abs") or 0)), rel * abs(wanted))
    return abs(given - wanted) <= allowed


def _number(text: str) -> Fraction | None:
    try:
        return Fraction(text.strip())
    except (ValueError, ZeroDivisionError):
        return None


def _letters(text: str) -> str:
    return re.sub(r"[\s\0]+", "", text).casefold()


def _from_hex(text: str) -> str:
    return bytes.fromhex(text).decode("latin-1") if HEX.fullmatch(text) else text
