"""What messages say: list entries, profile rows and parameters as records; who the meter is.

A value is its number times ten to the scaler, exactly. A time is a record's time only where it is
one: a seconds index counts from nowhere, so it is shown in the tree and no more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import Context, Decimal
from functools import lru_cache
from typing import Any, Final, NamedTuple

from polymeter.protocols import obis
from polymeter.protocols.sml.elements import BOOLEAN, INTEGER, LIST, OCTETS, UNSIGNED, Element
from polymeter.protocols.sml.grammar import TUPLE_PLACES
from polymeter.protocols.sml.messages import Message
from polymeter.protocols.units import COSEM_UNITS
from polymeter.protocols.wire import MeterIdentity, Record, Value

__all__ = [
    "ProfileRow",
    "identity",
    "instant",
    "message_records",
    "object_name",
    "profile_rows",
    "scaled",
    "seconds_index",
    "server_identity",
    "unit_text",
]

_EXACT: Final = Context(prec=60)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND_MAX: Final = 1 << 32
_NOTHING: Final = Element(OCTETS, None)


class ProfileRow(NamedTuple):
    """One row of a profile: the end of its period by the meter's clock or count, status word, values."""

    time: datetime | None
    sec_index: int | None
    """The seconds that the meter had counted, if it has no clock."""
    status: int | None
    records: tuple[Record, ...]


@lru_cache(maxsize=4096)
def object_name(octets: bytes) -> tuple[str, str | None]:
    """The name of an object and its OBIS code, which it has if it is six octets."""
    code = str(obis.from_bytes(octets)) if len(octets) == 6 else None
    return code or octets.hex(), code


def unit_text(code: int | None) -> str | None:
    """The unit with this code, `None` for an absent one and for one that nobody knows."""
    return None if code is None else COSEM_UNITS.get(code)


def instant(time: Element) -> datetime | None:
    """The instant of a time, `None` for an absent one and for a seconds index."""
    if time.kind != LIST or len(time.value) != 2:
        return None
    tag, value = time.value
    if tag.value == 2 and isinstance(value.value, int):
        return _at(value.value, 0)
    if tag.value == 3 and value.kind == LIST:
        numbers = [part.value for part in value.value]
        if len(numbers) == 3 and all(isinstance(number, int) for number in numbers):
            return _at(numbers[0], numbers[1] + numbers[2])
    return None


def seconds_index(time: Element) -> int | None:
    """The seconds of a time that is an index, or a bare number; `None` for an absent one and an instant."""
    index = time
    if time.kind == LIST:
        index = time.value[1] if len(time.value) == 2 and time.value[0].value == 1 else _NOTHING
    return index.value if index.kind in (UNSIGNED, INTEGER) else None


def _at(second: int, offset_min: int) -> datetime | None:
    if not 0 <= second < _SECOND_MAX or abs(offset_min) >= 24 * 60:
        return None
    zone = timezone(timedelta(minutes=offset_min)) if offset_min else UTC
    return (_EPOCH + timedelta(seconds=second)).astimezone(zone)


def scaled(value: int, scaler: int | None) -> int | Decimal:
    """The number times ten to the scaler, exactly."""
    if not scaler:
        return value
    return Decimal(value).scaleb(scaler, _EXACT)


def _value(element: Element, scaler: Any, data: bytes) -> Value:
    """What an element that stands for a value says; a structure that is no time is kept as it is."""
    kind, value = element.kind, element.value
    if kind in (UNSIGNED, INTEGER):
        return scaled(value, scaler)
    if kind == OCTETS:
        return bytes(value) if value is not None else None
    if kind == BOOLEAN:
        return int(value != 0)
    if kind == LIST:
        return _time_value(element) or data[element.start : element.end]
    return None


def _time_value(choice: Element) -> Value:
    """A time in place of a value: an instant, or the seconds of an index."""
    parts = choice.value
    time = parts[1] if len(parts) == 2 and parts[0].value == 1 and parts[1].kind == LIST else choice
    return instant(time) or (seconds_index(time) if time.kind == LIST else None)


def _entry(
    name: Element,
    unit: Element,
    scaler: Element,
    value: Element,
    time: datetime | None,
    data: bytes,
    offset: int,
    layer: int,
) -> Record:
    shown, code = object_name(name.value or b"")
    return Record(
        shown,
        _value(value, scaler.value, data),
        unit_text(unit.value),
        code,
        time=time,
        layer=layer,
        offset=offset + value.start,
        raw=data[value.start : value.end],
    )


def message_records(message: Message, data: bytes, offset: int = 0, layer: int = 0) -> Iterable[Record]:
    """The records of a message whose body has been checked; `data` is what it was decoded from.

    `offset` is where `data` begins in its layer.
    """
    body = message.body
    if body.kind != LIST:
        return ()
    match message.tag:
        case 0x701:
            return _list_records(body.value, data, offset, layer)
        case 0x301 | 0x401:
            rows = profile_rows(message, data, offset, layer)
            return (record for row in rows for record in row.records)
        case 0x501:
            return _parameters(body.value[2], data, offset, layer)
        case 0xFF01:
            return _parameters(body.value[3], data, offset, layer)
    return ()


def _list_records(fields: Sequence[Element], data: bytes, offset: int, layer: int) -> list[Record]:
    """The entries of a list, each at its own time or at the list's."""
    listed = instant(fields[3])
    found = []
    for entry in fields[4].value or ():
        if entry.value is None:
            continue
        name, _, time, unit, scaler, value, _ = entry.value
        own = listed if time.kind != LIST else instant(time) or listed
        found.append(_entry(name, unit, scaler, value, own, data, offset, layer))
    return found


def profile_rows(message: Message, data: bytes, offset: int = 0, layer: int = 0) -> Iterator[ProfileRow]:
    """The rows of a message of a profile: GetProfileList.Res is one, GetProfilePack.Res holds many."""
    fields: Sequence[Element] = message.body.value
    if message.tag == 0x401:
        entries = [entry.value[:4] for entry in fields[6].value or () if entry.value is not None]
        yield _row(fields[4], fields[5], entries, data, offset, layer)
        return
    headings = [heading.value or (_NOTHING,) * 3 for heading in fields[4].value or ()]
    for row in fields[5].value or ():
        if row.value is None:
            continue
        time, status, values, _ = row.value
        # A surplus value has no name.
        entries = [
            (*(headings[index] if index < len(headings) else (_NOTHING,) * 3), entry.value[0])
            for index, entry in enumerate(values.value or ())
            if entry.value is not None
        ]
        yield _row(time, status, entries, data, offset, layer)


def _row(
    time: Element, status: Element, entries: Iterable[Sequence[Element]], data: bytes, offset: int, layer: int
) -> ProfileRow:
    at = instant(time)
    records = tuple(
        _entry(name, unit, scaler, value, at, data, offset, layer) for name, unit, scaler, value in entries
    )
    return ProfileRow(at, seconds_index(time), status.value, records)


def _parameters(root: Element, data: bytes, offset: int, layer: int) -> Iterator[Record]:
    """The parameters of a tree that have a value, each under the path that leads to it."""
    waiting = [(root, "")]
    while waiting:
        tree, path = waiting.pop()
        if tree.kind != LIST:
            continue
        name, value, children = tree.value
        shown, code = object_name(name.value or b"")
        path = f"{path}/{shown}" if path else shown
        if value.kind == LIST:
            yield from _parameter(path, code, value, data, offset, layer)
        waiting.extend((child, path) for child in reversed(children.value or ()))


def _parameter(
    path: str, code: str | None, choice: Element, data: bytes, offset: int, layer: int
) -> Iterator[Record]:
    """A parameter's value: a plain one, a time, an entry of a list, or the entries of a tuple."""
    tag, value = choice.value
    entries: list[tuple[str, tuple[Element, Element, Element], Element]] = []
    if tag.value == 3 and value.kind == LIST:
        entries = [
            (f"{path}/{name}", tuple(value.value[place : place + 3]), value.value[1])
            for name, place in TUPLE_PLACES.items()
        ]
    elif tag.value in (2, 5) and value.kind == LIST:
        place = 1 if tag.value == 2 else 3
        entries = [(path, tuple(value.value[place : place + 3]), value.value[2] if place == 3 else _NOTHING)]
    for name, (unit, scaler, number), time in entries:
        yield Record(
            name,
            _value(number, scaler.value, data),
            unit_text(unit.value),
            code if len(entries) == 1 else None,
            time=instant(time),
            layer=layer,
            offset=offset + number.start,
            raw=data[number.start : number.end],
        )
    if not entries:
        raw, plain = data[value.start : value.end], _value(value, None, data)
        yield Record(path, plain, None, code, layer=layer, offset=offset + value.start, raw=raw)


_MEDIA: Final = {
    0: "abstract", 1: "electricity", 4: "heat cost allocator", 5: "cooling", 6: "heat", 7: "gas",
    8: "water", 9: "hot water", 14: "communication",
}  # fmt: skip
"""The division of DIN 43863-5, which is value group A of OBIS."""
_MBUS_MEDIA: Final = {
    2: "electricity", 3: "gas", 4: "heat", 6: "hot water", 7: "water", 8: "heat cost allocator",
    10: "cooling", 12: "heat", 13: "heat",
}  # fmt: skip


@lru_cache(maxsize=4096)
def server_identity(server: bytes) -> MeterIdentity:
    """Who has this server id. Four forms are known; of any other the hex digits must do.

    * ``09|0A division FLAG block number``: DIN 43863-5; `identification` is what the label says.
    * ``06 FLAG …``: the first meters with EDL40.
    * ``01`` and an M-Bus address.
    * digits as text.
    """
    name = server.hex()
    if len(server) == 10 and server[0] in (9, 10) and server[2:5].isalpha():
        number = int.from_bytes(server[6:], "big")
        flag = server[2:5].decode("ascii")
        label = f"{server[1]:X}{flag}{server[5]:02X}{number:08d}"
        return MeterIdentity(name, flag, _MEDIA.get(server[1]), identification=label)
    if len(server) == 10 and server[0] == 6 and server[1:4].isalpha():
        return MeterIdentity(name, server[1:4].decode("ascii"), "electricity")
    if len(server) == 9 and server[0] == 1:
        packed = int.from_bytes(server[1:3], "little")
        flag = "".join(chr(64 + (packed >> shift & 31)) for shift in (10, 5, 0))
        label = server[6:2:-1].hex()
        return MeterIdentity(name, flag, _MBUS_MEDIA.get(server[8]), server[7], identification=label)
    return MeterIdentity(name)


_MANUFACTURER: Final = frozenset(("129-129:199.130.3*255", "1-0:96.50.1*1"))


def identity(server: bytes | None, records: Sequence[Record]) -> MeterIdentity:
    """Who sent a frame: the server that it names, and the manufacturer by that or by a value."""
    found = server_identity(server) if server else MeterIdentity()
    if found.manufacturer is None:
        for record in records:
            if record.obis in _MANUFACTURER and isinstance(record.value, bytes) and record.value.isalpha():
                return MeterIdentity(found.id, record.value.decode("ascii"), "electricity")
    return found
