"""The values of a payload: where each lies and how its bytes are read, as a type's file says.

    [[payload.field]]
    name = "volume"               # as a record of the standard would be called
    quantity = "volume"
    unit = "m3"
    at = [7, 3]                   # where it begins; of several the sum is the value
    size = 2
    scale = -1
    storage = 0

`type` is ``unsigned`` (default), ``signed``, ``bcd``, ``date`` (see below), ``date_g`` (as records
of the standard have it) or ``date_bcd`` (day, month, year). `order` is ``little`` (default) or
``big``. `bits` cuts a number: pieces of ``[lowest bit, bits]``, the lowest piece first. `none` lists
numbers that say that there is no value. `scale` is a power of ten; `exponent_at` is the place of a
VIF whose low three bits less six are the scale. `divisor` divides; where that gives no finite
decimal, `places` says how many decimals are kept, enough that the count can be told from them.
`values` lists what the numbers 0, 1, … stand for; `flags` names bits, lowest first.

A ``date`` is cut out of the number by `day`, `month` and `year`, each ``[lowest bit, bits]``; one
without year is the first such day after the field that `after` names.

`count` values lie one behind the other, each `step` bytes on (default: its size; less than zero:
before the first) and `storage_step` storage numbers further (default: one). `register` says that
the places are those of a register's data; `clear`, that they are those of the payload before it
was deciphered.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any, Final

from polymeter.protocols.mbus.data_types import decode_date
from polymeter.protocols.wire import Value

__all__ = ["Field", "parse_field", "value_of"]

_TYPES: Final = ("unsigned", "signed", "bcd", "date", "date_g", "date_bcd")
_OFFSET_MAX: Final = 255
_COUNT_MAX: Final = 64
_SCALE_MAX: Final = 18
_PLACES_MAX: Final = 12
_PIECES: Final = frozenset(("day", "month", "year"))
_TEXTS: Final = frozenset(("name", "type", "order", "quantity", "unit", "function", "after", "register"))
_exact: Final = Context(prec=64, rounding=ROUND_HALF_EVEN)

Piece = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Field:
    """One value of a payload, or several alike."""

    name: str
    at: tuple[int, ...]
    size: int
    type: str = "unsigned"
    order: str = "little"
    bits: tuple[Piece, ...] = ()
    none: tuple[int, ...] = ()
    quantity: str = "unknown"
    unit: str | None = None
    scale: int = 0
    exponent_at: int | None = None
    divisor: int = 1
    places: int | None = None
    values: tuple[str | int, ...] = ()
    flags: tuple[str, ...] = ()
    storage: int = 0
    tariff: int = 0
    subunit: int = 0
    function: str = "instantaneous"
    day: Piece = (0, 5)
    month: Piece = (5, 4)
    year: Piece | None = None
    after: str | None = None
    count: int = 1
    step: int = 0
    storage_step: int = 1
    register: str | None = None
    clear: bool = False

    def places_in(self, start: int, end: int) -> Iterator[tuple[int, tuple[int, ...]]]:
        """The values that there are between `start` and `end`: storage number, and where the parts begin."""
        for index in range(self.count):
            at = tuple(start + each + index * (self.step or self.size) for each in self.at)
            if max(at) + self.size <= end:
                yield self.storage + index * self.storage_step, at


_KEYS: Final = frozenset(field.name for field in fields(Field))


def parse_field(table: Mapping[str, Any]) -> Field:
    """A field from its TOML table.

    Raises:
        ValueError, TypeError, KeyError: a key is missing, unknown or out of range; the message says which.
    """
    given = dict(table)
    name = given["name"]
    if unknown := sorted(set(given) - _KEYS):
        raise ValueError(f"{name} has no {unknown[0]!r}")
    if any(not isinstance(given[key], str) for key in _TEXTS & given.keys()):
        raise ValueError(f"{name} has something that must be a text")
    at = given["at"]
    given["at"] = (at,) if isinstance(at, int) else tuple(at)
    for key in _PIECES & given.keys():
        given[key] = _piece(given[key])
    given["bits"] = tuple(_piece(piece) for piece in given.get("bits", ()))
    for key in ("none", "values", "flags"):
        given[key] = tuple(given.get(key, ()))
    field = Field(**given)
    if field.type not in _TYPES or field.order not in ("little", "big"):
        raise ValueError(f"there is no type {field.type!r} or no order {field.order!r} in {name}")
    if not (1 <= field.size <= 8 and 1 <= field.count <= _COUNT_MAX and field.storage_step > 0):
        raise ValueError(f"size, count or storage_step of {name} is out of range")
    way = (field.count - 1) * (field.step or field.size)
    ends = [each + far for each in field.at for far in (0, way)]
    if not ends or min(*ends, field.exponent_at or 0) < 0 or max(ends) > _OFFSET_MAX:
        raise ValueError(f"the place of {name} is out of range")
    _check_divisor(field)
    return field


def _piece(given: Sequence[int]) -> Piece:
    low, bits = given
    if not (0 <= low < 64 and 1 <= bits <= 64):
        raise ValueError(f"there is no piece of {bits} bits at {low}")
    return low, bits


def _check_divisor(field: Field) -> None:
    if field.divisor < 1 or not -_SCALE_MAX <= field.scale <= _SCALE_MAX:
        raise ValueError(f"the divisor or the scale of {field.name} is out of range")
    if field.places is None:
        if 10**20 % field.divisor:
            raise ValueError(f"the divisor of {field.name} gives no finite decimal: say its places")
    elif field.places > _PLACES_MAX or field.exponent_at is not None:
        raise ValueError(f"the places of {field.name} are too many, or its scale is told by a VIF")
    elif field.divisor >= 10 ** max(0, field.places + field.scale):
        raise ValueError(f"the places of {field.name} are too few to tell its count")


def value_of(field: Field, parts: list[bytes], exponent: int, dates: Mapping[str, date]) -> Value:
    """The value in the bytes of a field; `None` where they say that there is none.

    Args:
        field: how they are read.
        parts: the bytes at each of its places.
        exponent: what the telegram adds to the scale.
        dates: the fields that `after` may name, by name and storage number.
    """
    if field.type == "date_g":
        return decode_date(parts[0])
    if field.type == "date_bcd":
        return _date_bcd(parts[0])
    if field.type == "date":
        return _date(field, _integer(field, parts[0]), dates)
    total = 0
    for part in parts:
        if field.type == "bcd":
            digits = (part[::-1] if field.order == "little" else part).hex()
            if not digits.isdigit():
                return digits.upper()
            number = int(digits)
        else:
            number = _integer(field, part)
        if field.bits:
            number = _cut(number, field.bits)
        if number in field.none:
            return None
        total += number
    if field.values:
        return field.values[total] if 0 <= total < len(field.values) else total
    if field.flags:
        return ", ".join(_flags(field.flags, total)) or "none"
    return _scaled(field, total, field.scale + exponent)


def _integer(field: Field, part: bytes) -> int:
    big = field.order == "big"
    return int.from_bytes(part, "big" if big else "little", signed=field.type == "signed")


def _cut(number: int, pieces: Sequence[Piece]) -> int:
    value, at = 0, 0
    for low, bits in pieces:
        value |= (number >> low & (1 << bits) - 1) << at
        at += bits
    return value


def _flags(names: Sequence[str], number: int) -> Iterator[str]:
    """The names of the bits that are set; a bit without a name has its number."""
    for bit in range(number.bit_length()):
        if number >> bit & 1:
            yield (names[bit] if bit < len(names) else "") or f"bit {bit}"


def _scaled(field: Field, total: int, scale: int) -> Value:
    if not scale and field.divisor == 1:
        return total
    value = Decimal((int(total < 0), tuple(map(int, str(abs(total)))), scale))
    if field.divisor > 1:
        value = _exact.divide(value, Decimal(field.divisor))
    if field.places is not None:
        value = value.quantize(Decimal((0, (1,), -field.places)), context=_exact)
    return value


def _date_bcd(part: bytes) -> date | None:
    digits = part.hex()
    try:
        return date(2000 + int(digits[4:6]), int(digits[2:4]), int(digits[:2]))
    except ValueError:
        return None


def _date(field: Field, number: int, dates: Mapping[str, date]) -> date | None:
    day, month = _cut(number, (field.day,)), _cut(number, (field.month,))
    try:
        if field.year is not None:
            return date(2000 + _cut(number, (field.year,)), month, day)
        earlier = dates.get(field.after or "")
        if earlier is None:
            return None
        found = date(earlier.year, month, day)
        return found if found > earlier else date(earlier.year + 1, month, day)
    except ValueError:
        return None
