"""Payloads of a manufacturer's own: bytes that are no records, described by the meter type's file.

    [payload]
    ci = ["A2"]                   # CI fields that announce it; none: whatever carries it
    record = "manufacturer_data"  # the record that holds the bytes; this is the default
    whole = true                  # or: all that follows the headers, which only looks like records
    length_min = 9
    begins = "00 82 ?? ?? 00"     # hex digits it begins with, ? is any; a list if there are several
    cipher = "prios"              # optional: "prios" or "real-data", see `payload_ciphers`
    keys = ["39BC8A10E66D83F8"]   # the published keys that open it

    [payload.registers]           # optional: registers one behind the other, their number before each
    at = 7                        # where the first number is
    lengths = { 10 = 4, 7B = 49 } # bytes behind a number; one that is not here ends the walk

    [[payload.field]]             # the values: see `payload_fields`

Where a meter has several layouts, each is a ``[[payload]]`` of its own; the first that fits is read.
A payload that fits none stays as it is. The opaque reading stays beside what is read out of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from typing import Any, Final

from polymeter.catalogue.payload_ciphers import CIPHERS, Block, layer_root, leaf_of, prios, real_data
from polymeter.catalogue.payload_fields import Field, parse_field, value_of
from polymeter.protocols.wire import Decoded, Layer, LocalProtocolError, Node, Record

__all__ = ["Payload", "parse_payload", "read_payload"]

MANUFACTURER_DATA: Final = "manufacturer_data"
_KEYS: Final = frozenset(
    ("ci", "record", "whole", "length_min", "begins", "cipher", "keys", "registers", "field")
)


@dataclass(frozen=True, slots=True)
class Payload:
    """How a type's payload is found and read."""

    fields: tuple[Field, ...]
    ci: tuple[int, ...] = ()
    record: str = MANUFACTURER_DATA
    whole: bool = False
    length_min: int = 0
    begins: re.Pattern[str] | None = None
    cipher: str | None = None
    keys: tuple[bytes, ...] = ()
    registers_at: int = 0
    registers: Mapping[int, int] = field(default_factory=dict)


def parse_payload(name: str, table: Any) -> Payload:
    """A payload from its TOML table.

    Raises:
        LocalProtocolError: a key is unknown or of the wrong kind; the message says which.
    """

    def refuse(what: str) -> LocalProtocolError:
        return LocalProtocolError(f"meter type {name}: payload: {what}")

    if not isinstance(table, dict):
        raise refuse("must be a table")
    if unknown := sorted(set(table) - _KEYS):
        raise refuse(f"unknown key {unknown[0]!r}")
    if table.get("cipher") not in (None, *CIPHERS):
        raise refuse(f"there is no cipher {table['cipher']!r}")
    try:
        registers = table.get("registers", {"at": 0, "lengths": {}})
        payload = Payload(
            tuple(parse_field(each) for each in table.get("field", ())),
            tuple(int(ci, 16) for ci in table.get("ci", ())),
            str(table.get("record", MANUFACTURER_DATA)),
            bool(table.get("whole", False)),
            int(table.get("length_min", 0)),
            _begins(table["begins"]) if "begins" in table else None,
            table.get("cipher"),
            tuple(bytes.fromhex(key) for key in table.get("keys", ())),
            int(registers["at"]),
            {int(number, 16): int(length) for number, length in registers["lengths"].items()},
        )
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise refuse(str(error)) from error
    if min(payload.registers_at, *payload.registers.values(), 0) < 0:
        raise refuse("a register lies or is shorter than nothing")
    known = {f"{number:02X}" for number in payload.registers}
    for each in payload.fields:
        if each.register is not None and each.register not in known:
            raise refuse(f"{each.name} lies in register {each.register}, whose length is not told")
    return payload


def _begins(given: str | list[str]) -> re.Pattern[str]:
    patterns = []
    for text in [given] if isinstance(given, str) else given:
        digits = text.replace(" ", "").lower()
        if not re.fullmatch("(?:[0-9a-f?]{2})+", digits):
            raise ValueError(f"begins {text!r} is no hex digits")
        patterns.append(digits.replace("?", "."))
    return re.compile("|".join(patterns))


def read_payload(decoded: Decoded, layouts: Iterable[Payload]) -> Decoded:
    """What was decoded, and the values that the first layout that fits finds in it."""
    for payload in layouts:
        block = _block(decoded, payload)
        if block is None:
            continue
        if payload.cipher == "real-data":
            found = real_data(decoded, payload.keys, block)
        elif payload.cipher is not None:
            plain = prios(decoded.frame, block.data, payload.keys)
            opened = Block(plain, block.layer + 1, 0) if plain is not None else None
            found = _values(decoded, payload, block, opened) if opened is not None else None
        else:
            found = _values(decoded, payload, block, block)
        if found is not None:
            return found
    return decoded


def _values(decoded: Decoded, payload: Payload, block: Block, opened: Block) -> Decoded:
    """What was decoded, with the values out of a payload, which was ciphered if it is not `opened`."""
    records, nodes = _read(payload, block, opened)
    if payload.whole:
        opaque = Record(MANUFACTURER_DATA, block.data, layer=block.layer, offset=block.offset, raw=block.data)
        decoded = replace(decoded, records=(opaque,), errors=(), valid=True)
    decoded = replace(decoded, records=(*decoded.records, *records))
    if decoded.tree is None:
        return decoded
    inner = _filled([node for node in nodes if node.layer == block.layer], block)
    if payload.whole:
        root = layer_root(decoded.tree, block.layer)
        root.children = [*(child for child in root.children if child.offset < block.offset), *inner]
    elif (leaf := leaf_of(decoded.tree, block)) is not None:
        leaf.children = inner
    if opened is block:
        return decoded
    below = Node("deciphered", opened.layer, 0, len(opened.data), opened.data)
    below.children = _filled([node for node in nodes if node.layer == opened.layer], opened)
    inner[-1].children.append(below)
    return replace(decoded, layers=(*decoded.layers, Layer("deciphered", len(opened.data))))


def _block(decoded: Decoded, payload: Payload) -> Block | None:
    """The bytes that a payload describes, `None` where this telegram has none that fit."""
    if payload.ci and getattr(decoded.frame, "ci", None) not in payload.ci:
        return None
    if (payload.whole or payload.cipher is not None) and decoded.protocol != "wmbus":
        return None
    block = _application(decoded, payload) if payload.whole or payload.cipher == "real-data" else None
    if block is None and not payload.whole:
        block = _record(decoded, payload.record)
    if block is None or len(block.data) < payload.length_min:
        return None
    return block if payload.begins is None or payload.begins.match(block.data.hex()) else None


def _application(decoded: Decoded, payload: Payload) -> Block | None:
    """All behind the headers. What is shut is for keys, unless the type's cipher is what shuts it."""
    telegram = decoded.frame
    if not telegram.application or (decoded.encrypted and payload.cipher is None):
        return None
    return Block(telegram.application, telegram.application_layer, telegram.application_offset)


def _record(decoded: Decoded, name: str) -> Block | None:
    for record in decoded.records:
        if record.name == name and isinstance(record.value, bytes):
            before = len(record.raw) - len(record.value)
            return Block(record.value, record.layer, record.offset + before)
    return None


def _read(payload: Payload, block: Block, opened: Block) -> tuple[list[Record], list[Node]]:
    """The values of a payload and the leaves of the tree for them."""
    registers = _registers(payload, opened.data)
    records: list[Record] = []
    nodes: list[Node] = []
    dates: dict[str, date] = {}
    for each in payload.fields:
        within = block if each.clear else opened
        start, end = 0, len(within.data)
        if each.register is not None:
            start, end = registers.get(int(each.register, 16), (0, 0))
        exponent = 0
        if each.exponent_at is not None:
            if each.exponent_at >= len(block.data):
                continue
            exponent = (block.data[each.exponent_at] & 7) - 6
        for storage, places in each.places_in(start, end):
            parts = [within.data[at : at + each.size] for at in places]
            value = value_of(each, parts, exponent, dates)
            if isinstance(value, date):
                dates[f"{each.name}.s{storage}"] = value
            at = within.offset + places[0]
            shown = value if len(parts) == 1 else int.from_bytes(parts[0], "little")
            nodes.append(Node(each.name, within.layer, at, each.size, parts[0], shown, each.unit))
            if value is None and each.none:
                continue
            records.append(
                Record(
                    each.name, value, each.unit, None, each.quantity, None, storage, each.tariff,
                    each.subunit, each.function, within.layer, at, b"".join(parts),
                )
            )  # fmt: skip
    return [_stamped(record, dates) for record in records], nodes


def _registers(payload: Payload, data: bytes) -> dict[int, tuple[int, int]]:
    """Where the data of each register lies, up to the first whose length nobody told."""
    found: dict[int, tuple[int, int]] = {}
    at = payload.registers_at
    while at < len(data) and (length := payload.registers.get(data[at])) is not None:
        end = at + 1 + length
        if end > len(data):
            break
        found.setdefault(data[at], (at + 1, end))
        at = end
    return found


def _stamped(record: Record, dates: Mapping[str, date]) -> Record:
    """A stored value has the time of its storage, where that is told."""
    day = dates.get(f"date.s{record.storage}")
    if day is None or not record.storage or isinstance(record.value, date):
        return record
    return record._replace(time=datetime.combine(day, time()))


def _filled(nodes: list[Node], block: Block) -> list[Node]:
    """Leaves for the fields in order, and for what lies between them."""
    filled: list[Node] = []
    at, end = block.offset, block.offset + len(block.data)
    for node in sorted(nodes, key=lambda each: each.offset):
        if node.offset < at:
            continue
        if node.offset > at:
            filled.append(_rest(block, at, node.offset))
        filled.append(node)
        at = node.offset + node.length
    if at < end:
        filled.append(_rest(block, at, end))
    return filled


def _rest(block: Block, start: int, end: int) -> Node:
    raw = block.data[start - block.offset : end - block.offset]
    return Node("unknown to the type", block.layer, start, end - start, raw)
