"""What data sets mean: numbers, units, OBIS codes, times and the rows of load profiles.

The standard leaves most of this to manufacturers, so the rules here are those that hold across
meters in the field; where they differ by meter the catalogue decides, not this module.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final

from polymeter.protocols import obis
from polymeter.protocols.iec62056_21.frames import DataLine, DataSet
from polymeter.protocols.iec62056_21.profiles import Cell, Header, cells, header, row_time
from polymeter.protocols.iec62056_21.times import parse_time
from polymeter.protocols.units import normal_unit
from polymeter.protocols.wire import Record, Value

__all__ = ["cell_record", "is_refusal", "obis_code", "parse_time", "records", "refusal_text"]

_NUMBER = re.compile(r"([+-]?\d+(?:[.,]\d*)?|[+-]?[.,]\d+)(?:\s*([A-Za-z%\xb0\xb5][^\s:;]*))?", re.ASCII)
_PLAIN_NUMBER = re.compile(r"\d+(?:\.\d*)?", re.ASCII)
_REFUSAL = re.compile(r"ERROR\w*|ER\d+|#\d+", re.ASCII | re.IGNORECASE)
_REFUSAL_STARTS: Final = frozenset("Ee#")
_TEXT_GROUPS: Final = frozenset((0, 96, 97))
"""Values of OBIS group C that hold identifications and states: leading zeros belong to them."""
_CLOCK: Final = (1, 0, 0)
"""Groups C to E of the clock: a leading zero may be its season flag, so that it must not be lost."""


def is_refusal(data_set: DataSet) -> bool:
    """Whether a set is the meter's way to say no, such as ``(ERROR)`` or ``(ER12)``."""
    value = data_set.value
    return value[:1] in _REFUSAL_STARTS and data_set.unit is None and _REFUSAL.fullmatch(value) is not None


def refusal_text(data_set: DataSet) -> str:
    """A refusal in words."""
    return f"the meter answers {data_set.address}({data_set.value})"


def obis_code(address: str) -> str | None:
    """The OBIS code of an address in its one form, `None` if it is none."""
    return _address(address)[0]


def _address(address: str) -> tuple[str | None, bool | None]:
    """The OBIS code of an address in its one form, and whether its values are texts, if it tells."""
    # What is longer is no code, and would be remembered at the sender's will.
    return _short_address(address) if len(address) <= _CODE_MAX else (None, None)


_CODE_MAX: Final = 32


@lru_cache(maxsize=4096)
def _short_address(address: str) -> tuple[str | None, bool | None]:
    code = obis.parse(address)
    if code is None:
        return None, None
    return str(code), code.c in _TEXT_GROUPS if code[2:5] != _CLOCK else None


def _value(data_set: DataSet, as_text: bool | None) -> tuple[Value, str | None]:
    """The value and its unit; a number if it reads as one and no leading zero could be lost.

    `as_text` is what the address says, `None` if it says nothing: then leading zeros decide.
    """
    text = data_set.value
    if data_set.unit and _PLAIN_NUMBER.fullmatch(text):
        return Decimal(text), normal_unit(data_set.unit)
    match = _NUMBER.fullmatch(text)
    if match is None:
        return text, normal_unit(data_set.unit or "")
    number, inner = match.groups()
    unit = normal_unit(data_set.unit or inner or "")
    if as_text is None:
        as_text = unit is None and number.isdigit() and len(number) > 1 and number[0] == "0"
    if as_text and not data_set.unit:
        return text, None
    return Decimal(number.replace(",", ".")), unit


def records(lines: Iterable[DataLine], offset: int = 0, layer: int = 0) -> Iterator[Record]:
    """The records of data lines; `offset` is where the data begins in its layer.

    A set without an address belongs to the one before it: a time says when a maximum occurred, a
    unit alone is the number's, anything else is a further value of the same name.
    """
    head: Header | None = None
    number = 0
    for line in lines:
        if not line:
            continue
        name = line[0].address
        found = (
            header(line) if len(line) > 3 and (name[:1] == "P" or ":99." in name or ":P." in name) else None
        )
        if found is not None:
            head, number = found, 0
            if found.interval is None or found.status.strip("0"):
                yield _status_record(found, offset, layer)
            line = found.first
        if head is not None and (found is not None or not line[0].address):
            if line:
                yield from _row_records(head, line, number, offset, layer)
                number += 1
            continue
        head = None
        if len(line) == 1 and not is_refusal(line[0]):
            yield _set_record(line[0], line[0].address, offset, layer)
        else:
            yield from _line_records(line, offset, layer)


def _status_record(head: Header, offset: int, layer: int) -> Record:
    """The status word of a header, which holds from its time on; of an event it is what happened.

    In a load profile a word of zeros says that nothing happened, and stands in every header.
    """
    data_set = head.line[1]
    return Record(
        f"{head.profile} status",
        head.status,
        quantity="status",
        time=head.time,
        layer=layer,
        offset=offset + data_set.offset,
        raw=_raw(data_set),
    )


def _row_records(head: Header, line: DataLine, number: int, offset: int, layer: int) -> Iterator[Record]:
    time = row_time(head, number)
    for cell in cells(head, line):
        yield cell_record(cell, time, offset, layer)


def cell_record(cell: Cell, time: datetime | None, offset: int = 0, layer: int = 0) -> Record:
    """The record of one value of a profile's row."""
    code, as_text = _address(cell.name)
    value, own_unit = _value(cell.data_set, as_text)
    return Record(
        cell.name,
        value,
        own_unit or cell.unit,
        code,
        time=time,
        layer=layer,
        offset=offset + cell.data_set.offset,
        raw=_raw(cell.data_set),
    )


def _line_records(line: DataLine, offset: int, layer: int) -> Iterator[Record]:
    name = ""
    pending: Record | None = None
    for data_set in line:
        if is_refusal(data_set):
            continue
        if not data_set.address and pending is not None and pending.time is None:
            time = parse_time(data_set.value) if data_set.unit is None else None
            if time is not None:
                pending = pending._replace(time=time)
                continue
            if pending.unit is None and isinstance(pending.value, Decimal) and _is_unit(data_set):
                pending = pending._replace(unit=normal_unit(data_set.value))
                continue
        if pending is not None:
            yield pending
        name = data_set.address or name
        pending = _set_record(data_set, name, offset, layer)
    if pending is not None:
        yield pending


_UNIT = re.compile(r"[kMG]?(?:Wh|varh|VAh|W|var|VA|V|A|J)|m3(?:/h)?|l(?:/h)?|Hz|°C|K|bar|%", re.ASCII)


def _is_unit(data_set: DataSet) -> bool:
    """Whether a set is nothing but a unit, which then belongs to the number before it."""
    return data_set.unit is None and _UNIT.fullmatch(normal_unit(data_set.value) or "") is not None


def _set_record(data_set: DataSet, name: str, offset: int, layer: int) -> Record:
    """The record of one set; without names, which for a tuple of thirteen is three times as fast."""
    code, as_text = _address(name)
    value, unit = _value(data_set, as_text)
    at = offset + data_set.offset
    raw = _raw(data_set)
    fields = (name, value, unit, code, "unknown", None, 0, 0, 0, "instantaneous", layer, at, raw)
    return tuple.__new__(Record, fields)


def _raw(data_set: DataSet) -> bytes:
    unit = "" if data_set.unit is None else f"*{data_set.unit}"
    return f"{data_set.address}({data_set.value}{unit})".encode("latin-1")
