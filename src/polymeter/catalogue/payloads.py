"""Payloads of a manufacturer's own: where the values lie, as data in the meter type's file.

    [payload]
    ci = ["A2"]                   # CI fields that announce it; none: the block behind DIF 0F
    length_min = 9
    cipher = "prios"              # optional; the published keys that open it
    keys = ["39BC8A10E66D83F8"]

    [[payload.field]]
    name = "volume"               # as a record of the standard would be called
    quantity = "volume"
    unit = "m3"
    at = [7, 3]                   # where it begins; of several the sum is the value
    size = 2
    scale = -1
    storage = 0

`type` is ``unsigned`` (default), ``signed``, ``bcd``, ``date_g`` (as records of the standard have
it) or ``date``. A date is cut out of the number by `day`, `month` and `year`, each ``[lowest bit,
bits]``; one without year is the first such day after the field that `after` names. `mask` and `shift`
cut a number; `divisor` divides it, where the result is a finite decimal; `exponent_at` is the place
of a VIF whose low three bits less six are the scale.
The opaque reading stays beside what is read out of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final

from polymeter.protocols.mbus.data_types import decode_date
from polymeter.protocols.wire import Decoded, Layer, LocalProtocolError, Node, Record, Value

__all__ = ["Field", "Payload", "parse_payload", "read_payload"]

SOURCE: Final = "manufacturer_data"
_TYPES: Final = ("unsigned", "signed", "bcd", "date", "date_g")
_CIPHERS: Final = ("prios",)
_OFFSET_MAX: Final = 255


@dataclass(frozen=True, slots=True)
class Field:
    """One value of a payload."""

    name: str
    at: tuple[int, ...]
    size: int
    type: str = "unsigned"
    quantity: str = "unknown"
    unit: str | None = None
    scale: int = 0
    divisor: int = 1
    mask: int = 0
    shift: int = 0
    exponent_at: int | None = None
    storage: int = 0
    tariff: int = 0
    subunit: int = 0
    function: str = "instantaneous"
    day: tuple[int, int] = (0, 5)
    month: tuple[int, int] = (5, 4)
    year: tuple[int, int] | None = None
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Payload:
    """How a type's payload is read."""

    fields: tuple[Field, ...]
    ci: tuple[int, ...] = ()
    length_min: int = 0
    cipher: str | None = None
    keys: tuple[bytes, ...] = ()


def parse_payload(name: str, table: Any) -> Payload:
    """A payload from its TOML table.

    Raises:
        LocalProtocolError: a key is unknown or of the wrong kind; the message says which.
    """

    def refuse(what: str) -> LocalProtocolError:
        return LocalProtocolError(f"meter type {name}: payload: {what}")

    if not isinstance(table, dict):
        raise refuse("must be a table")
    if unknown := sorted(set(table) - {"ci", "length_min", "cipher", "keys", "field"}):
        raise refuse(f"unknown key {unknown[0]!r}")
    if table.get("cipher") not in (None, *_CIPHERS):
        raise refuse(f"there is no cipher {table['cipher']!r}")
    try:
        return Payload(
            tuple(_field(each) for each in table.get("field", ())),
            tuple(int(ci, 16) for ci in table.get("ci", ())),
            int(table.get("length_min", 0)),
            table.get("cipher"),
            tuple(bytes.fromhex(key) for key in table.get("keys", ())),
        )
    except (TypeError, ValueError, KeyError) as error:
        raise refuse(str(error)) from error


def _field(table: Mapping[str, Any]) -> Field:
    given = dict(table)
    at = given.pop("at")
    given["at"] = (at,) if isinstance(at, int) else tuple(at)
    for key in ("day", "month", "year"):
        if key in given:
            low, bits = given[key]
            given[key] = (int(low), int(bits))
    field = Field(**given)
    if field.type not in _TYPES:
        raise ValueError(f"there is no type {field.type!r} in {field.name}")
    if not 1 <= field.size <= 8 or not all(0 <= each <= _OFFSET_MAX for each in field.at):
        raise ValueError(f"place or size of {field.name} is out of range")
    if field.divisor < 1 or 10**20 % field.divisor:
        raise ValueError(f"the divisor of {field.name} gives no finite decimal")
    return field


def read_payload(decoded: Decoded, payload: Payload) -> Decoded:
    """What was decoded, and the values that the type's description finds in it."""
    telegram = decoded.frame
    ci = getattr(telegram, "ci", None)
    source = next((record for record in decoded.records if record.name == SOURCE), None)
    if source is None or not isinstance(source.value, bytes) or (payload.ci and ci not in payload.ci):
        return decoded
    data, layer = source.value, source.layer
    base = source.offset + len(source.raw) - len(data)
    if len(data) < payload.length_min:
        return decoded
    clear = data
    if payload.cipher is not None:
        opened = _opened(telegram, ci or 0, data, payload.keys)
        if opened is None:
            return decoded
        data, layer, base = opened, layer + 1, 0
    records, nodes = _read(payload, data, clear, layer, base)
    tree, layers = decoded.tree, decoded.layers
    if tree is not None:
        place = _find(tree, source)
        if payload.cipher is None:
            if place is not None:
                place.children = _filled(nodes, data, layer, base)
        else:
            below = Node(payload.cipher, layer, 0, len(data), data, children=_filled(nodes, data, layer, 0))
            (place or tree).children.append(below)
            layers = (*layers, Layer("deciphered", len(data)))
    return replace(decoded, records=(*decoded.records, *records), tree=tree, layers=layers)


def _opened(telegram: Any, ci: int, data: bytes, keys: tuple[bytes, ...]) -> bytes | None:
    from polymeter.protocols.wmbus.prios import decipher

    for key in keys:
        plain = decipher(key, telegram.link.address, ci, data)
        if plain is not None:
            return plain
    return None


def _read(
    payload: Payload, data: bytes, clear: bytes, layer: int, base: int
) -> tuple[list[Record], list[Node]]:
    records: list[Record] = []
    nodes: list[Node] = []
    dates: dict[str, date] = {}
    for field in payload.fields:
        if max(field.at) + field.size > len(data):
            continue
        parts = [data[at : at + field.size] for at in field.at]
        value = _value(field, parts, clear, dates)
        if isinstance(value, date):
            dates[f"{field.name}.s{field.storage}"] = value
        first = field.at[0]
        records.append(
            Record(
                field.name, value, field.unit, None, field.quantity, None, field.storage, field.tariff,
                field.subunit, field.function, layer, base + first, b"".join(parts),
            )
        )  # fmt: skip
        shown = value if len(parts) == 1 else int.from_bytes(parts[0], "little")
        nodes.append(Node(field.name, layer, base + first, field.size, parts[0], shown, field.unit))
    return [_stamped(record, dates) for record in records], nodes


def _stamped(record: Record, dates: Mapping[str, date]) -> Record:
    """A stored value has the time of its storage, where that is told."""
    day = dates.get(f"date.s{record.storage}")
    if day is None or not record.storage or isinstance(record.value, date):
        return record
    return record._replace(time=datetime.combine(day, time()))


def _value(field: Field, parts: list[bytes], clear: bytes, dates: Mapping[str, date]) -> Value:
    if field.type == "date_g":
        return decode_date(parts[0])
    if field.type == "date":
        return _date(field, int.from_bytes(parts[0], "little"), dates)
    total = 0
    for part in parts:
        if field.type == "bcd":
            digits = part[::-1].hex()
            if not digits.isdigit():
                return digits.upper()
            number = int(digits)
        else:
            number = int.from_bytes(part, "little", signed=field.type == "signed")
        number >>= field.shift
        total += number & field.mask if field.mask else number
    scale = field.scale
    if field.exponent_at is not None:
        if field.exponent_at >= len(clear):
            return total
        scale += (clear[field.exponent_at] & 7) - 6
    value = Decimal((int(total < 0), tuple(map(int, str(abs(total)))), scale)) if scale else Decimal(total)
    if field.divisor > 1:
        value /= field.divisor
    return int(value) if not scale and field.divisor == 1 else value


def _date(field: Field, number: int, dates: Mapping[str, date]) -> date | None:
    def cut(bits: tuple[int, int]) -> int:
        return number >> bits[0] & (1 << bits[1]) - 1

    day, month = cut(field.day), cut(field.month)
    try:
        if field.year is not None:
            return date(2000 + cut(field.year), month, day)
        earlier = dates.get(field.after or "")
        if earlier is None:
            return None
        found = date(earlier.year, month, day)
        return found if found > earlier else date(earlier.year + 1, month, day)
    except ValueError:
        return None


def _find(root: Node, source: Record) -> Node | None:
    """The leaf that holds the opaque bytes."""
    for node in root.walk():
        here = node.layer == source.layer and source.offset <= node.offset
        if here and not node.children and node.raw == source.value:
            return node
    return None


def _filled(nodes: list[Node], data: bytes, layer: int, base: int) -> list[Node]:
    """Leaves for the fields in order, and for what lies between them."""
    filled: list[Node] = []
    at = base
    for node in sorted(nodes, key=lambda each: each.offset):
        if node.offset < at:
            continue
        if node.offset > at:
            filled.append(_rest(data, layer, at, node.offset, base))
        filled.append(node)
        at = node.offset + node.length
    if at < base + len(data):
        filled.append(_rest(data, layer, at, base + len(data), base))
    return filled


def _rest(data: bytes, layer: int, start: int, end: int, base: int) -> Node:
    return Node("unknown to the type", layer, start, end - start, data[start - base : end - base])
