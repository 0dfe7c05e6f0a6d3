"""The device's end: objects with attributes, locks and archives, for simulators and tests.

`Meter.answer` is pure; `iec62056_21.serve` is the conversation around it.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from polymeter.protocols.iec62056_21 import (
    Acknowledge,
    Command,
    DataMessage,
    DataSet,
    Event,
    Identification,
    OptionSelect,
    Repeat,
    Request,
    encode_data,
)
from polymeter.protocols.lis200.frames import Address, parse_address
from polymeter.protocols.wire import LocalProtocolError

__all__ = ["Archive", "Meter", "Object"]

_ARCHIVE: Final = re.compile(r"(\d{1,3}):V\.([0-9A-Z])\((\d{0,2});([^;()]*);([^;()]*);(\d{0,3})\)", re.ASCII)
_STATUS: Final = "170"
_CODE: Final = "171"


@dataclass(frozen=True, slots=True)
class Object:
    """What one object is: its value at this moment and its other attributes."""

    value: Callable[[], str]
    unit: str = ""
    description: str = ""
    write: Callable[[str], bool] | None = None
    """Takes a new value; says whether it is in range. Without it the object is constant."""
    lock: int = 4
    """The lowest lock that must be open to write it."""


@dataclass(frozen=True, slots=True)
class Archive:
    """Rows of texts, oldest first, under columns of source address and unit."""

    columns: tuple[tuple[str, str], ...]
    rows: Callable[[], Sequence[tuple[str, ...]]]


@dataclass(slots=True)
class Meter:
    """What the device is and what it shows."""

    identification: Identification
    objects: Mapping[str, Object]
    """By ``instance:object``; the read-out has them in this order."""
    archives: Mapping[int, Archive] = field(default_factory=dict)
    codes: dict[int, str] = field(default_factory=dict, repr=False)
    """The codes of the software locks, by level; a lower number opens what a higher one may write.
    An open lock takes a new code, which all sessions then need."""
    address: str = ""
    operand: str = "1234567"
    reads_locked: bool = False
    """Whether reading, too, needs an open lock."""
    _open: set[int] = field(default_factory=set, repr=False)
    _last: tuple[Event, ...] = field(default=(), repr=False)
    _blocks: list[DataMessage] = field(default_factory=list, repr=False)

    def session(self) -> Meter:
        """The same device in a conversation of its own, with all locks closed."""
        return replace(self, _open=set(), _last=(), _blocks=[])

    def answer(self, event: Event) -> Sequence[Event]:
        """What the device says to `event`; nothing to what is not for it."""
        if event == Repeat():
            return self._last
        self._last = tuple(self._answer(event))
        return self._last

    def _answer(self, event: Event) -> Sequence[Event]:
        match event:
            case Request(address):
                self._open.clear()
                mine = address.lstrip("0") in ("", self.address.lstrip("0"))
                return (self.identification,) if mine else ()
            case OptionSelect(mode="0"):
                lines = tuple(
                    (DataSet(f"{name}.0", shown.value(), shown.unit or None),)
                    for name, shown in self.objects.items()
                )
                return (DataMessage(encode_data(lines)),)
            case OptionSelect(mode="1"):
                return (Command("P0", f"({self.operand})"),)
            case Command("P1"):
                return (Acknowledge(),)  # a password is accepted and opens nothing: locks do
            case Command("R1" | "R3", data) if data:
                return self._read(event.command, data)
            case Command("W1", data) if data:
                error = self._write(data)
                return (Acknowledge(),) if error is None else (_error(error),)
            case Command():
                return (_error(200),)
            case Acknowledge() if self._blocks:
                return (self._blocks.pop(0),)
            case _:
                return ()

    def _read(self, command: str, data: str) -> Sequence[Event]:
        if self.reads_locked and not self._open and not data.startswith(("3:170", "4:170")):
            return (_error(18),)
        if match := _ARCHIVE.fullmatch(data):
            number, attribute, position, start, end, count = match.groups()
            rows_per_block = int(count) if command == "R3" and count else None
            return self._read_archive(int(number), attribute, int(position or 1), start, end, rows_per_block)
        text, _, _ = data.partition("(")
        try:
            address = parse_address(text)
        except LocalProtocolError:
            return (_error(1),)
        shown = self._attribute(address)
        if isinstance(shown, int):
            return (_error(shown),)
        return (DataMessage(encode_data(((shown,),), end=False).removesuffix("\r\n")),)

    def _attribute(self, address: Address) -> DataSet | int:
        if address.object in (_STATUS, _CODE) and address.instance in self.codes:
            opened = address.instance in self._open
            return DataSet(str(address), "1" if opened and address.object == _STATUS else "0")
        shown = self.objects.get(address.name)
        if shown is None:
            same = any(name.partition(":")[2] == address.object for name in self.objects)
            return 3 if same else 2
        match address.attribute:
            case "0":
                return DataSet(str(address), shown.value(), shown.unit or None)
            case "1":
                return DataSet(str(address), str(shown.lock) if shown.write is not None else "0")
            case "2":
                return DataSet(str(address), shown.description)
            case "3":
                return DataSet(str(address), shown.unit)
            case "4" | "5" | "6" | "7" | "8" | "9":
                return 5
            case _:
                return 4

    def _read_archive(
        self, number: int, attribute: str, position: int, start: str, end: str, rows_per_block: int | None
    ) -> Sequence[Event]:
        archive = self.archives.get(number)
        if archive is None:
            return (_error(100),)
        if attribute in ("3", "4"):
            texts = [column[0 if attribute == "4" else 1] for column in archive.columns]
            line = tuple(DataSet("", text) for text in texts)
            return (DataMessage(encode_data((line,), end=False).removesuffix("\r\n")),)
        if attribute not in ("0", "A"):
            return (_error(5),)
        if not 1 <= position <= len(archive.columns):
            return (_error(101),)
        rows = archive.rows()
        if not rows:
            return (_error(103),)
        found = [row for row in rows if _between(row[position - 1], start, end)]
        if attribute == "A":
            return (DataMessage(f"({len(found)})"),)
        if not found:
            # Rows before the range are there, so it is its lower limit that is missing; or the upper.
            return (_error(104 if start and _key(rows[-1][position - 1]) < _key(start) else 105),)
        size = rows_per_block or len(found)
        self._blocks = [
            DataMessage(
                "\r\n".join("".join(f"({text})" for text in row) for row in found[at : at + size]),
                more=at + size < len(found),
            )
            for at in range(0, len(found), size)
        ]
        return (self._blocks.pop(0),)

    def _write(self, data: str) -> int | None:
        """Write, or the number of the error."""
        text, bracket, value = data.removesuffix(")").partition("(")
        try:
            address = parse_address(text)
        except LocalProtocolError:
            return 1
        if not bracket:
            return 200
        if address.instance in self.codes and address.object in (_STATUS, _CODE):
            return self._turn(address, value)
        shown = self.objects.get(address.name)
        if shown is None:
            return 2
        if shown.write is None or address.attribute != "0":
            return 9
        if not any(lock <= shown.lock for lock in self._open):
            return 19
        return None if shown.write(value) else 6

    def _turn(self, address: Address, value: str) -> int | None:
        """Open a lock with its code, or close it; an open one takes a new code."""
        if address.object == _STATUS:
            self._open.discard(address.instance)
            return None if value.strip("0") == "" else 13
        if address.instance in self._open:
            self.codes[address.instance] = value
            return None
        code = self.codes[address.instance].encode("latin-1", "replace")
        if not hmac.compare_digest(value.encode("latin-1", "replace"), code):
            return 17
        self._open.add(address.instance)
        return None


def _error(number: int) -> DataMessage:
    return DataMessage(f"(#{number:04d})")


def _key(text: str) -> tuple[int, int, str]:
    """Ordinal numbers compare as numbers, however long, times as the texts they are."""
    plain = text.lstrip("0") or "0"
    return (0, len(plain), plain) if plain.isdigit() and plain.isascii() else (1, 0, text)


def _between(text: str, start: str, end: str) -> bool:
    return (not start or _key(start) <= _key(text)) and (not end or _key(text) <= _key(end))
