"""Draws the tree of data records from the walk that decoded them."""

from __future__ import annotations

from typing import Final

from polymeter.protocols.mbus.headers import FUNCTIONS
from polymeter.protocols.mbus.obis_names import obis_name
from polymeter.protocols.mbus.records import Records, Span
from polymeter.protocols.wire import Record, Tree

__all__ = ["explain_records"]

_FIELDS: Final = (
    "no data",
    "8 bit integer",
    "16 bit integer",
    "24 bit integer",
    "32 bit integer",
    "32 bit real",
    "48 bit integer",
    "64 bit integer",
    "selection for readout",
    "2 digit BCD",
    "4 digit BCD",
    "6 digit BCD",
    "8 digit BCD",
    "variable length",
    "12 digit BCD",
    "special function",
)


def explain_records(tree: Tree, data: bytes, found: Records, device_type: int | None = None) -> None:
    """Add a node for every span of `found`, which was decoded from `data` with ``spans=True``.

    With the device type of the meter the OBIS names that OMS gives to records are shown.
    """
    for span in found.spans or ():
        if span.layout is not None:
            record = found.records[span.record]
            tree.open("record", span.start)
            _header(tree, data, span)
            if span.end > span.data:
                _data(tree, data, span, record)
            tree.close(span.end, record.value, _meaning(span, record, device_type))
        elif span.kind == "manufacturer data":
            meaning = "more records follow in the next telegram" if found.more else "manufacturer's own"
            tree.open("manufacturer data", span.start)
            tree.leaf("DIF", span.start, span.data, data[span.start], meaning)
            if span.end > span.data:
                tree.leaf("data", span.data, span.end)
            tree.close(span.end)
        elif span.end > span.start:
            tree.leaf(span.kind, span.start, span.end)


def _meaning(span: Span, record: Record, device_type: int | None) -> str:
    words = [record.name]
    if record.unit:
        words.append(record.unit)
    code = obis_name(record, device_type) if device_type is not None else None
    if code is not None:
        words.append(f"OBIS {code}")
    assert span.layout is not None
    if span.layout.meaning.action is not None:
        words.append(span.layout.meaning.action)
    if span.layout.meaning.error is not None:
        words.append(span.layout.meaning.error)
    return ", ".join(words)


def _header(tree: Tree, data: bytes, span: Span) -> None:
    """Leaves for DIF, DIFEs, VIF, VIFEs and a unit in plain text."""
    assert span.layout is not None
    at = span.start
    dif = data[at]
    tree.leaf("DIF", at, at + 1, dif, f"{_FIELDS[dif & 15]}, {FUNCTIONS[dif >> 4 & 3]}")
    while data[at] & 0x80:
        at += 1
        tree.leaf("DIFE", at, at + 1, data[at])
    at += 1
    tree.leaf("VIF", at, at + 1, data[at], span.layout.meaning.quantity)
    text = span.layout.meaning.text
    behind = span.data - len(text) - 1 if text else span.data
    more = bool(data[at] & 0x80)
    at += 1
    if text and data[behind : span.data] != bytes((len(text),)) + text.encode("latin-1")[::-1]:
        # Old meters have the text right behind the code.
        tree.leaf("unit text", at, at + 1 + len(text), text)
        at, behind = at + 1 + len(text), span.data
    while more:
        tree.leaf("VIFE", at, at + 1, data[at])
        more = bool(data[at] & 0x80)
        at += 1
    if at < span.data:
        tree.leaf("unit text", at, span.data, text)


def _data(tree: Tree, data: bytes, span: Span, record: Record) -> None:
    assert span.layout is not None
    at = span.data
    if span.layout.size < 0:
        tree.leaf("length", at, at + 1, data[at])
        at += 1
    if span.end > at:
        tree.leaf("data", at, span.end, record.value, record.unit)
