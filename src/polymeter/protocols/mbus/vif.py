"""Value information blocks: from the bytes after the DIFs to what is measured, in which unit.

A block is a code, the extensions that qualify it and, where the code asks for it, a text. What no
table knows gives a meaning of its own, whose name spells the bytes: a record is never lost because
its maker was ahead of us.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, NamedTuple

from polymeter.protocols.mbus.vif_tables import (
    ACTIONS,
    ERRORS,
    EXTENSION_FB,
    EXTENSION_FD,
    EXTENSION_FD_FD,
    ORTHOGONAL,
    ORTHOGONAL_FC,
    PRIMARY,
    RESERVED_ERRORS,
    Kind,
    Modifier,
    Quantity,
)
from polymeter.protocols.units import normal_unit

__all__ = ["Meaning", "describe_vib"]

_MANUFACTURER: Final = 0x7F
_PLAIN_TEXT: Final = 0x7C
_ANY: Final = 0x7E
_NON_METRIC: Final = 0x3D
_PER_TIME: Final = frozenset(("/s", "/min", "/h", "/d", "/wk", "/mo", "/a"))
_RATES: Final = frozenset(("power", "reactive power", "apparent power", "volume flow", "mass flow"))


class Meaning(NamedTuple):
    """What a value information block says about the value."""

    name: str
    """The quantity's words joined by underscores, then what qualifies it, joined by dots."""
    quantity: str
    unit: str | None = None
    exponent: int = 0
    """The value is the number in the telegram times ten to this power, and times `factor`."""
    kind: Kind = "number"
    addend: Decimal | None = None
    """To be added after scaling, in `unit`."""
    error: str | None = None
    """What the meter says is wrong with this record."""
    action: str | None = None
    """What a master wants done with this record."""
    unsigned: bool = False
    point: bool = False
    """Whether the value is the time of the other values of its storage number."""
    text: str = ""
    """The unit as the meter spells it, where the code asks for one in plain text."""
    factor: int = 1
    extended: bool = False
    """Whether the manufacturer's own extensions qualify it."""


def _name(quantity: str) -> str:
    return quantity.replace(",", "").replace(" ", "_")


def describe_vib(vib: bytes, text: str = "", *, command: bool = False) -> Meaning:
    """The meaning of a value information block, given without its plain text, which is `text`.

    In a `command` the low combinable codes are actions, in an answer they are errors.
    """
    code, used = vib[0] & 0x7F, 1
    row: Quantity | None
    if code in (0x7B, 0x7D) and len(vib) > 1 and vib[0] & 0x80:
        code, used = vib[1] & 0x7F, 2
        if vib[0] == 0xFD and code == 0x7D and len(vib) > 2:
            row, used = EXTENSION_FD_FD.get(vib[2] & 0x7F), 3
        else:
            row = (EXTENSION_FB if vib[0] == 0xFB else EXTENSION_FD).get(code)
    elif code == _MANUFACTURER:
        return Meaning(_manufacturer_name("manufacturer", vib[1:]), "unknown")
    elif code == _PLAIN_TEXT:
        row = Quantity("unknown", normal_unit(text))
    elif code == _ANY:
        row = Quantity("any")
    elif code == 0x6F and len(vib) > 1:
        row, used = None, 2
    else:
        row = PRIMARY.get(code)
    if row is None:
        return Meaning(_unknown_name(vib), "unknown")
    name = f"text.{text}" if code == _PLAIN_TEXT and used == 1 else _name(row.quantity)
    start = Meaning(
        name,
        row.quantity,
        row.unit,
        row.exponent,
        row.kind,
        unsigned=row.kind in ("flags", "unsigned"),
        factor=row.factor,
        point=used == 1 and code in (0x6C, 0x6D),
        text=text,
    )
    return _qualified(start, vib, used, row.prefix, command) if used < len(vib) else start


def _qualified(meaning: Meaning, vib: bytes, at: int, prefix: int, command: bool) -> Meaning:
    """The meaning with everything that the extensions from `at` on say."""
    while at < len(vib):
        code = vib[at] & 0x7F
        at += 1
        if code == _MANUFACTURER:
            name = _manufacturer_name(meaning.name, vib[at:])
            return meaning._replace(name=name, point=False, extended=True)
        modifier: Modifier | None
        if code == 0x7C:
            if at == len(vib):
                return Meaning(_unknown_name(vib), "unknown")
            modifier = ORTHOGONAL_FC.get(vib[at] & 0x7F)
            at += 1
        elif command and code in ACTIONS:
            meaning = meaning._replace(action=ACTIONS[code])
            continue
        elif code in ERRORS:
            meaning = meaning._replace(error=ERRORS[code] if code else None)
            continue
        elif not command and code in RESERVED_ERRORS:
            meaning = meaning._replace(error=f"code {code:02X}, which is reserved")
            continue
        else:
            modifier = ORTHOGONAL.get(code)
        if modifier is None:
            return Meaning(_unknown_name(vib), "unknown")
        if code == _NON_METRIC and vib[0] & 0x78 == 0x10:
            # A primary code of volume: it counts US gallons where it counted litres.
            meaning = meaning._replace(unit="US gal", exponent=meaning.exponent + 3)
            modifier = modifier._replace(effect="")
        meaning = _modified(meaning, modifier, prefix)
    return meaning


def _modified(meaning: Meaning, modifier: Modifier, prefix: int) -> Meaning:
    name = f"{meaning.name}.{modifier.name}" if modifier.name else meaning.name
    match modifier.effect:
        case "scale":
            return meaning._replace(exponent=meaning.exponent + modifier.exponent)
        case "add":
            addend = Decimal((0, (1,), modifier.exponent - prefix))
            return meaning._replace(addend=addend)
        case "unit" if modifier.unit in _PER_TIME and meaning.quantity in _RATES:
            # A power or a flow is per time already: "per month" says over which time it was taken.
            return meaning._replace(name=name)
        case "unit":
            return meaning._replace(name=name, unit=(meaning.unit or "1") + modifier.unit)
        case "count":
            return Meaning(f"limit_exceeds.{name}", "limit exceeds")
        case "duration":
            return Meaning(f"duration.{name}", "duration", modifier.unit)
        case "date":
            return Meaning(f"time.{name}" if meaning.name != "time" else name, "time", kind="date")
        case "opaque":
            return meaning._replace(name=name, kind="opaque", point=False)
        case "unsigned":
            return meaning._replace(unsigned=True)
        case "raw":
            return meaning._replace(name=name, unit=None, exponent=0, factor=1, addend=None, point=False)
        case _:
            # A qualified time point is not the time of the telegram's other values.
            return meaning._replace(name=name, point=False)


def _unknown_name(vib: bytes) -> str:
    return f"vif.{vib.hex()}"


def _manufacturer_name(name: str, extensions: bytes) -> str:
    """What the manufacturer's own codes, told apart by their digits, qualify."""
    digits = "".join(f"{byte & 0x7F:02x}" for byte in extensions)
    return f"{name}.m{digits}" if digits else f"{name}.m"
