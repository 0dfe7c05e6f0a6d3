"""Data records (EN 13757-3 § 6): a run of bytes to Records.

One loop walks over headers and data. Structure that does not hold ends it, or is stepped over where
its length is known: what was read before stays. The loop notes where each part lies when somebody
wants to see the tree, which is then drawn from the very same walk (`explain_records`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Final, NamedTuple

from polymeter.protocols.mbus.data_types import decode_date_time, decode_local_time, is_doubted
from polymeter.protocols.mbus.headers import Layout, layout, remembered
from polymeter.protocols.wire import Problem, Record, RemoteProtocolError, Value

__all__ = ["Records", "Span", "decode_records", "variable_size"]

MANUFACTURER_DATA: Final = 0x0F
MORE_FOLLOWS: Final = 0x1F
FILLER: Final = 0x2F
GLOBAL_READOUT: Final = 0x7F
TEXT_MAX: Final = 0xBF
NO_VALUE: Final = frozenset(
    ("no data available", "data overflow", "data underflow", "premature end of record")
)
"""Errors with which the data of a record means nothing."""


class Span(NamedTuple):
    """Where one part of a record run lies, for whoever draws the tree."""

    kind: str
    """``record``, ``filler``, ``manufacturer data``, ``readout request`` or ``unreadable``."""
    start: int
    data: int
    """Where the data begins, behind DIB and VIB."""
    end: int
    layout: Layout | None = None
    record: int = -1
    """Index into the records, -1 where there is none."""


@dataclass(slots=True)
class Records:
    """What a run of records held."""

    records: list[Record] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    broken: bool = False
    """Whether the structure does not hold: bytes are missing, or of unknown length."""
    more: bool = False
    """Whether the meter has more records for the next telegram (DIF 1F)."""
    spans: list[Span] | None = None


def variable_size(kind: int) -> int | None:
    """The bytes that follow a length byte of variable-length data, `None` if it is reserved.

    C0 to DF are BCD numbers of two digits a byte, so their low four bits count bytes: see
    decision 0030.
    """
    if kind < 0xC0:
        return kind
    if kind < 0xF0:
        return kind & 0x0F
    if kind < 0xF5:
        return 4 * (kind - 0xEC)
    return {0xF5: 48, 0xF6: 64}.get(kind)


def decode_records(
    data: bytes,
    start: int = 0,
    end: int | None = None,
    *,
    layer: int = 0,
    command: bool = False,
    spans: bool = False,
    msb_first: bool = False,
) -> Records:
    """Read the records between `start` and `end`. Never raises: `problems` say what is wrong.

    Args:
        data: bytes of one layer; offsets of records and problems are offsets in it.
        layer: the index of that layer.
        command: whether a master sent them: low combinable codes are then actions, not errors.
        spans: whether to note where everything lies.
        msb_first: whether data travels most significant byte first (CI 55 and 76).
    """
    if end is not None and end < len(data):
        data = data[:end]
    found = Records(spans=[] if spans else None)
    points = _walk(data, start, layer, command, found, msb_first)
    if points:
        _stamp(found.records, points)
    return found


def _walk(data: bytes, at: int, layer: int, command: bool, found: Records, msb_first: bool) -> list[int]:
    """Walk over the records from `at` on; gives the indices of those that are times of others."""
    known = remembered(command)
    records, spans = found.records, found.spans
    points: list[int] = []
    append, new = records.append, tuple.__new__
    end = len(data)
    start = at
    try:
        while at < end:
            start = at
            dif = data[at]
            if dif & 0x0F == 0x0F:
                at = _special(data, at, layer, found)
                continue
            while data[at] & 0x80:
                at += 1
            at += 1
            if data[at] & 0x7F == 0x7C:
                at, plan = _with_text(data, start, at, command)
            else:
                while data[at] & 0x80:
                    at += 1
                at += 1
                header = data[start:at]
                plan = known.get(header) or _learn(header, start, layer, command, found)
            size, convert, name, quantity, unit, storage, tariff, subunit, function, notable, _, _ = plan
            if size < 0:
                size = 1 + _variable_size(data, at)
            stop = at + size
            if stop > end:
                _break(found, f"{name} needs {size} bytes, {end - at} are left", start, end, layer)
                break
            content = data[at:stop] if not msb_first else _turned(data[at:stop], plan)
            value = convert(content)
            if notable:
                value = _note(plan, value, content, len(records), start, layer, found, points)
            raw = data[start:stop]
            # fmt: off
            append(new(Record, (
                name, value, unit, None, quantity, None, storage, tariff, subunit, function,
                layer, start, raw,
            )))
            # fmt: on
            if spans is not None:
                spans.append(Span("record", start, at, stop, plan, len(records) - 1))
            at = stop
    except IndexError:
        _break(found, f"the record at {start} has no end", start, end, layer)
    except RemoteProtocolError as error:
        _break(found, str(error), start, end, layer, error.offset)
    return points


def _turned(data: bytes, plan: Layout) -> bytes:
    """Data least significant byte first, which came the other way round; a length byte stays."""
    return data[:1] + data[:0:-1] if plan.size < 0 else data[::-1]


def _variable_size(data: bytes, at: int) -> int:
    size = variable_size(data[at])
    if size is None:
        raise RemoteProtocolError(f"variable length {data[at]:02X} is reserved", at)
    return size


def _break(found: Records, message: str, start: int, end: int, layer: int, offset: int | None = None) -> None:
    found.broken = True
    found.problems.append(Problem(message, start if offset is None else offset, layer))
    if found.spans is not None:
        found.spans.append(Span("unreadable", start, end, end))


def _special(data: bytes, at: int, layer: int, found: Records) -> int:
    """Deal with a special function in the place of a DIF (§ 6.3.2) and give where to go on."""
    dif, start, end = data[at], at, len(data)
    if dif == FILLER:
        while at < end and data[at] == FILLER:
            at += 1
        kind = "filler"
    elif dif in (MANUFACTURER_DATA, MORE_FOLLOWS):
        found.more = dif == MORE_FOLLOWS
        kind, at = "manufacturer data", end
        if end > start + 1:
            rest = data[start + 1 :]
            found.records.append(
                Record("manufacturer_data", rest, layer=layer, offset=start, raw=data[start:])
            )
    elif dif == GLOBAL_READOUT:
        kind, at = "readout request", at + 1
    else:
        raise RemoteProtocolError(f"DIF {dif:02X} is reserved: nobody knows how long its data is", at)
    if found.spans is not None:
        has_record = kind == "manufacturer data" and end > start + 1
        index = len(found.records) - 1 if has_record else -1
        found.spans.append(Span(kind, start, start + 1, at, None, index))
    return at


def _learn(header: bytes, start: int, layer: int, command: bool, found: Records) -> Layout:
    """The layout of a new header. One with too many extensions is flagged, and read without them."""
    try:
        return layout(header, command=command)
    except RemoteProtocolError as error:
        found.broken = True
        found.problems.append(Problem(str(error), start + error.offset, layer))
        # Its data field still tells its length, so that the records behind it are not lost.
        return layout(bytes((header[0] & 0x7F, 0x7F)), command=command)


def _with_text(data: bytes, start: int, at: int, command: bool) -> tuple[int, Layout]:
    """The layout of a record whose unit is text, and where its data begins.

    The text stands behind the whole value information block (§ 6.4.7). Old meters (ELV CMa10)
    put it right behind the code; they are told by their text, which is printable only there.
    """
    vib_end = at
    while data[vib_end] & 0x80:
        vib_end += 1
    vib_end += 1
    text = _text_at(data, vib_end)
    if text is not None:
        header = data[start:vib_end]
        return vib_end + 1 + len(text), layout(header, text, command=command)
    text = _text_at(data, at + 1)
    if text is None:
        raise RemoteProtocolError("the unit in plain text is none", at)
    behind = at + 2 + len(text)
    if not data[at] & 0x80:
        return behind, layout(data[start : at + 1], text, command=command)
    vib_end = behind
    while data[vib_end] & 0x80:
        vib_end += 1
    vib_end += 1
    header = data[start : at + 1] + data[behind:vib_end]
    return vib_end, layout(header, text, command=command)


def _text_at(data: bytes, at: int) -> str | None:
    """The plain text whose length stands at `at`, `None` if there is none."""
    length = data[at] if at < len(data) else 0
    text = data[at + 1 : at + 1 + length]
    if not 0 < length <= TEXT_MAX or len(text) != length:
        return None
    decoded = text[::-1].decode("latin-1")
    return decoded if decoded.isprintable() else None


def _note(
    plan: Layout,
    value: Value,
    data: bytes,
    index: int,
    start: int,
    layer: int,
    found: Records,
    points: list[int],
) -> Value:
    """Remember a time of other records; tell what the meter says is wrong with this one."""
    meaning = plan.meaning
    if value is not None and plan.convert in (decode_date_time, decode_local_time) and is_doubted(data):
        found.problems.append(Problem(f"the meter says of {meaning.name}: not valid", start, layer))
        return value
    if meaning.error is not None:
        found.problems.append(Problem(f"the meter says of {meaning.name}: {meaning.error}", start, layer))
        return None if meaning.error in NO_VALUE else value
    if meaning.point:
        points.append(index)
    return value


def _stamp(records: list[Record], points: list[int]) -> None:
    """Give records the time that the telegram tells for their storage number and function.

    A date alone stamps stored values, never present ones: those are not of midnight.
    """
    times: dict[tuple[int, int, int, str], datetime] = {}
    for index in points:
        point = records[index]
        key = (point.storage, point.tariff, point.subunit, point.function)
        if isinstance(point.value, datetime):
            times[key] = point.value
        elif isinstance(point.value, date) and point.storage:
            midnight = datetime.combine(point.value, time())
            times.setdefault(key, midnight)
    if not times:
        return
    get, new = times.get, tuple.__new__
    for index, record in enumerate(records):
        storage, tariff, subunit, function = record[6:10]
        at = (
            get((storage, tariff, subunit, function))
            or get((storage, 0, 0, function))
            or get((storage, 0, 0, "instantaneous"))
        )
        if at is not None:
            records[index] = new(Record, record[:5] + (at,) + record[6:])  # noqa: RUF005 - twice as fast
