"""Bytes to an explained tree and records, on top of IEC 62056-21.

The telegrams are taken apart there; here addresses get their meaning, and error numbers their
words. A telegram is LIS-200 where an address with an attribute or an error number says so; plain
IEC 62056-21 has neither.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from polymeter.protocols import iec62056_21
from polymeter.protocols.iec62056_21 import (
    Command,
    DataLine,
    DataMessage,
    DataSet,
    decode_data,
    parse_time,
)
from polymeter.protocols.iec62056_21.blocks import STRIP_PARITY
from polymeter.protocols.iec62056_21.values import raw_of
from polymeter.protocols.lis200.archives import label
from polymeter.protocols.lis200.frames import ATTRIBUTES, Address, parse_address, refusal
from polymeter.protocols.wire import Decoded, DecodeOptions, LocalProtocolError, Node, Problem, Record, Value

__all__ = ["PROTOCOL", "decode", "detect"]

PROTOCOL: Final = "lis200"

_SIGNS: Final = re.compile(
    rb"[\x02\n](?:"
    rb"(?P<address>(?:\d{1,3}-)?\d{1,5}:(?:V|[0-9A-F]{1,5}(?:_\d{1,3})?)\.[0-9A]\()"
    rb"|(?P<error>\(#\d{4}\))"
    rb"|(?P<columns>\(\d{1,5}:[0-9A-F]{1,5}(?:\.\d)?\)\()"
    rb"|(?P<row>(?:\(\d*\)){0,3}\(\d{4}-\d\d-\d\d,\d\d:\d\d:\d\d\))"
    rb")"
)
_REASONS: Final = {
    "address": "an address of instance, object and attribute",
    "error": "an error number",
    "columns": "the addresses of an archive's columns",
    "row": "a row of an archive, with its time",
}


def detect(data: bytes) -> str | None:
    """Why `data` looks like LIS-200 and not like plain IEC 62056-21, `None` if it does not."""
    if iec62056_21.detect(data) is None:
        return None
    found = _SIGNS.search(data.translate(STRIP_PARITY))
    return _REASONS[found.lastgroup or "address"] if found is not None else None


def decode(data: bytes, options: DecodeOptions = DecodeOptions(), *, explain: bool = True) -> list[Decoded]:
    """Decode every message of `data`. Never raises: what is wrong is told in the result."""
    return [_understood(decoded) for decoded in iec62056_21.decode(data, options, explain=explain)]


def _understood(decoded: Decoded) -> Decoded:
    if decoded.tree is not None:
        for node in decoded.tree.walk():
            _explain(node)
    records = _rows(decoded) or tuple(_record(record) for record in decoded.records)
    number = next((str(record.value) for record in records if record.name == "1:180"), None)
    return replace(
        decoded,
        protocol=PROTOCOL,
        records=records,
        errors=tuple(_problem(problem) for problem in decoded.errors),
        meter=decoded.meter if number is None else replace(decoded.meter, id=number),
        why=_why(decoded),
    )


def _rows(decoded: Decoded) -> tuple[Record, ...]:
    """The records of an archive's rows: values without names, each row with its own time."""
    if not (isinstance(decoded.frame, DataMessage) and decoded.records):
        return ()
    lines = tuple(filter(None, decode_data(decoded.frame.data, strict=False)))
    if any(data_set.address for line in lines for data_set in line) or _is_refused(lines):
        return ()
    first = decoded.records[0]
    start = first.offset - next(one.offset for line in lines for one in line if raw_of(one) == first.raw)
    found = []
    for row in label(lines, ()):
        for cell in row.cells:
            plain = DataSet("", cell.data_set.value, cell.data_set.unit, cell.data_set.offset)
            for record in iec62056_21.records(((plain,),), start, first.layer):
                time = row.time if parse_time(plain.value) != row.time else None
                found.append(_record(record)._replace(name=cell.column.name, time=time))
    return tuple(found)


def _is_refused(lines: tuple[DataLine, ...]) -> bool:
    return any(refusal(data_set.value) is not None for line in lines for data_set in line)


def _why(decoded: Decoded) -> str:
    match decoded.frame:
        case Command(_, data) if data and ":V." in data:
            return f"{decoded.why}, about an archive"
        case DataMessage(data) if data.startswith("(#"):
            return f"{decoded.why}, an error of the device"
        case _:
            return decoded.why


def _address(text: str) -> Address | None:
    try:
        return parse_address(text)
    except LocalProtocolError:
        return None


def _record(record: Record) -> Record:
    """A record under its object's name; LIS-200 has no OBIS codes, though some addresses look alike."""
    address = _address(record.name) if record.name else None
    value = _plain_value(record) if record.obis is not None else record.value
    if isinstance(value, str) and len(value) == 19 and (time := parse_time(value)) is not None:
        value = time
    if address is None:
        return record._replace(value=value, obis=None)
    name, attribute = address.name, address.attribute
    if record.unit is not None:
        attribute = "0"  # a measured value, whatever attribute the device names: 6:310_1.1(20.16*{C)
    if attribute not in ("0", "2"):
        name += f".{attribute}"
    return record._replace(
        name=name,
        value=value,
        obis=None,
        quantity=ATTRIBUTES.get(attribute, "unknown") if attribute != "0" else "unknown",
    )


def _plain_value(record: Record) -> Value:
    """The value as it reads where no OBIS code says what it is: leading zeros may belong to it."""
    line = decode_data(record.raw.decode("latin-1"), strict=False)[0]
    return next(iter(iec62056_21.records(((line[0]._replace(address=""),),)))).value


def _explain(node: Node) -> None:
    if not isinstance(node.value, str):
        return
    if node.name == "address" and (address := _address(node.value)) is not None:
        what = "archive" if address.object == "V" else f"object {address.object}"
        attribute = ATTRIBUTES.get(address.attribute, "unknown attribute")
        node.meaning = f"instance {address.instance}, {what}, {attribute}"
    elif node.name == "value" and (refused := refusal(node.value)) is not None:
        node.meaning = refused.text


_IN_WORDS: Final = re.compile(r"\((#\d{1,5})\)")


def _problem(problem: Problem) -> Problem:
    found = _IN_WORDS.search(problem.message)
    refused = refusal(found[1]) if found is not None else None
    return problem if refused is None else problem._replace(message=str(refused))
