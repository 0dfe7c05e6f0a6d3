"""What receivers make of a telegram: lines of text and frames of their own around it.

A stick or a program gives a telegram in its own wrapping. Which one it is shows in its first bytes;
where a wrapping has a checksum of its own it must fit. `unwrap` finds the telegrams of an input and
says what is around each; an input in no known wrapping is left to the caller as bare frames.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from polymeter.protocols.crc import crc16_x25
from polymeter.protocols.wmbus.frames import FRAME_MIN, Format, format_a_length

__all__ = ["Wrapped", "is_wrapped", "object_end", "unwrap"]

_HEX: Final = re.compile(rb"(?:[0-9A-Fa-f]{2}){10,}")
_RTL_WMBUS: Final = re.compile(
    rb"([TCSR][12](?:/[TC]1)?);([01]);([01]);([^;]*);([^;]*);([^;]*);([^;]*);0x([0-9A-Fa-f]*)"
)
_CUL: Final = re.compile(rb"b(Y?)([0-9A-Fa-f]{24,})\s*\Z")
_WMBUSMETERS: Final = re.compile(rb"telegram=\|+([0-9A-Fa-f_|]+)\|")
_RSSI: Final = re.compile(rb"(-?\d{1,3})(?: ?dBm)?\s*\Z")

_OBJECT: Final = re.compile(rb"\s*\{\s*\"")
_OBJECT_BEGUN: Final = re.compile(rb"\s*\{\s*(?:\"|\Z)")
_FIELDS: Final = ("telegram", "data", "hex", "raw", "frame", "payload", "message")
"""Under which names gateways publish a telegram, the surest first: `data` is rtl_433's."""
_DEPTH_MAX: Final = 4
_LEVELS_DBM: Final = range(-150, -9)
"""What may be a level in dBm; rtl_433 tells one below full scale, which is nearer to zero."""
_JSON: Final = json.JSONDecoder()

AMB_START: Final = b"\xff\x03"
IMST_START: Final = 0xA5
SLIP_END: Final = 0xC0
_RADIO_LINK: Final = 0x02
_RADIO_MESSAGE: Final = 0x03


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A telegram and what was around it. Positions are those of the input."""

    start: int
    end: int
    telegram_start: int
    telegram_end: int
    telegram: bytes
    receiver: str
    format: Format | None = None
    """The format it must have, where the wrapping says so."""
    fault: str | None = None
    fault_at: int = 0
    rssi_dbm: int | None = None


def is_wrapped(data: bytes) -> str | None:
    """The receiver in whose wrapping `data` begins, `None` if in none."""
    found = next(iter(unwrap(data[:4096])), None)
    return found.receiver if found is not None and found.fault is None else None


def unwrap(data: bytes) -> Iterator[Wrapped]:
    """The telegrams of an input; nothing if it is no receiver's."""
    if data[:2] == AMB_START:
        yield from _amber(data)
    elif data[:1] == bytes((IMST_START,)):
        yield from _im871a(data)
    elif data[:1] == bytes((SLIP_END,)):
        yield from _iu891a(data)
    elif _OBJECT.match(data):
        yield from _objects(data)
    elif _is_text(data):
        yield from _lines(data, 0)


def _is_text(data: bytes) -> bool:
    return (
        len(data) >= 20
        and data[:256].isascii()
        and all(32 <= byte < 127 or byte in b"\r\n\t" for byte in data[:256])
    )


def object_end(data: bytes) -> int | None:
    """Where the JSON object that begins `data` ends; 0 if none begins, `None` if it is not whole."""
    if not _OBJECT_BEGUN.match(data):
        return 0
    try:
        return _json_at(data, data.index(b"{"))[1]
    except ValueError:
        return None


def _json_at(data: bytes, at: int) -> tuple[Any, int]:
    """The value that begins at `at`, and where it ends. Characters are bytes, so that places agree.

    Raises:
        ValueError: it is none, or nested without end.
    """
    try:
        return _JSON.raw_decode(data.decode("latin-1"), at)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def _objects(data: bytes) -> Iterator[Wrapped]:
    """What gateways publish: JSON objects, one after the other, each with a telegram."""
    at = 0
    while at < len(data):
        begin = len(data) - len(data[at:].lstrip())
        if begin == len(data):
            return
        try:
            value, end = _json_at(data, begin) if _OBJECT.match(data, begin) else (None, begin)
        except ValueError:
            value, end = None, begin
        if value is None:
            yield from _lines(data, begin)
            return
        found = _published(value, 0)
        if found is None:
            yield Wrapped(at, end, at, end, b"", "JSON", fault="no field holds a telegram", fault_at=begin)
        else:
            text, level = found
            place = data.find(text, begin, end)
            inner = _line(text, place)
            assert inner is not None
            yield replace(inner, start=at, end=end, rssi_dbm=level if level is not None else inner.rssi_dbm)
        at = end


def _published(value: Any, depth: int) -> tuple[bytes, int | None] | None:
    """The text of the telegram in an object, and its level."""
    if not isinstance(value, dict) or depth > _DEPTH_MAX:
        return None
    rest = [name for name in value if name.lower() not in _FIELDS]
    named = sorted(
        (name for name in value if name.lower() in _FIELDS), key=lambda name: _FIELDS.index(name.lower())
    )
    for name in (*named, *rest):
        inner = value[name]
        if isinstance(inner, dict):
            found = _published(inner, depth + 1)
            if found is not None:
                return found
        elif isinstance(inner, str) and inner.isascii() and _line(inner.encode("ascii"), 0) is not None:
            return inner.encode("ascii"), _level(value)
    return None


def _level(value: dict[str, Any]) -> int | None:
    for name, level in value.items():
        if name.lower() in ("rssi", "rssi_dbm") and isinstance(level, int | float) and abs(level) < 1000:
            return rounded if (rounded := round(level)) in _LEVELS_DBM else None
    return None


def _lines(data: bytes, at: int) -> Iterator[Wrapped]:
    while at < len(data):
        stop = data.find(b"\n", at)
        stop = len(data) if stop < 0 else stop + 1
        line = data[at:stop]
        found = _line(line, at) if line.strip() else None
        if found is not None:
            yield found
        elif line.strip():
            yield Wrapped(at, stop, at, stop, b"", "unknown line", fault="no receiver's line", fault_at=at)
        at = stop


def _line(line: bytes, at: int) -> Wrapped | None:
    end = at + len(line)
    if match := _RTL_WMBUS.search(line):
        digits = match[8][: len(match[8]) // 2 * 2]
        fault = (
            "its 3-of-6 code is damaged"
            if match[3] == b"0"
            else "its CRC does not fit"
            if match[2] == b"0"
            else None
        )
        place = at + match.start(3 if match[3] == b"0" else 2)
        return Wrapped(
            at, end, at + match.start(8), at + match.start(8) + len(digits), bytes.fromhex(digits.decode()),
            "rtl-wmbus", None, fault and f"the receiver says that {fault}", place, _number(match[5]),
        )  # fmt: skip
    if match := _CUL.match(line):
        digits = match[2][: len(match[2]) // 2 * 2]
        telegram = bytes.fromhex(digits.decode())
        kind = Format.B if match[1] else Format.A
        whole = telegram[0] + 1 if kind is Format.B else format_a_length(telegram[0])
        start = at + match.start(2)
        return Wrapped(at, end, start, start + 2 * min(whole, len(telegram)), telegram[:whole], "CUL", kind)
    if match := _WMBUSMETERS.search(line):
        digits = re.sub(rb"[_|]", b"", match[1])
        digits = digits[: len(digits) // 2 * 2]
        if digits:
            return Wrapped(
                at,
                end,
                at + match.start(1),
                at + match.end(1),
                bytes.fromhex(digits.decode()),
                "telegram= line",
            )
    if match := max(_HEX.finditer(line), key=lambda each: len(each[0]), default=None):
        rest = line[match.end() :].strip(b" \t\r\n;,|:")
        rssi = _RSSI.match(rest)
        return Wrapped(
            at, end, at + match.start(), at + match.end(), bytes.fromhex(match[0].decode()),
            "line of hex digits", rssi_dbm=int(rssi[1]) if rssi else None,
        )  # fmt: skip
    return None


def _number(text: bytes) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def _amber(data: bytes) -> Iterator[Wrapped]:
    """AMB8465 in command mode: FF 03, length, the telegram without its L, RSSI, checksum (XOR)."""
    at = 0
    while data[at : at + 2] == AMB_START and at + 3 < len(data):
        size = data[at + 2]
        end = at + 3 + size + 1
        if end > len(data):
            yield _cut(data, at, "AMB8465", end)
            return
        check = 0
        for byte in data[at : end - 1]:
            check ^= byte
        fault = (
            None
            if check == data[end - 1]
            else f"the checksum is {data[end - 1]:02X}, {check:02X} was calculated"
        )
        # The last byte is the reception level, in half decibels above a base of the module.
        rssi = data[end - 2] if size else 0
        level = (rssi - 256 if rssi >= 128 else rssi) // 2 - 74
        telegram = bytes((max(size - 1, 0),)) + data[at + 3 : end - 2]
        yield Wrapped(
            at, end, at + 3, max(at + 3, end - 2), telegram, "AMB8465", Format.STRIPPED, fault, end - 1, level
        )
        at = end


def _im871a(data: bytes) -> Iterator[Wrapped]:
    """iM871A: A5, flags and endpoint, message, length, telegram without L, time, RSSI, CRC."""
    at = 0
    while at + 4 <= len(data) and data[at] == IMST_START:
        flags, size = data[at + 1], data[at + 3]
        stop = at + 4 + size
        extras = 4 * bool(flags & 0x20) + bool(flags & 0x40) + 2 * bool(flags & 0x80)
        end = stop + extras
        if end > len(data):
            yield _cut(data, at, "IM871A", end)
            return
        fault, place = None, at + 1
        if flags & 0x80:
            wanted, given = crc16_x25(data[at + 1 : end - 2]), int.from_bytes(data[end - 2 : end], "little")
            if wanted != given:
                fault, place = f"the CRC is {given:04X}, {wanted:04X} was calculated", end - 2
        if fault is None and (flags & 0x0F != _RADIO_LINK or data[at + 2] != _RADIO_MESSAGE):
            fault = "a message of the stick that holds no telegram"
        rssi = data[stop + 4 * bool(flags & 0x20)] if flags & 0x40 else None
        level = None if rssi is None else -100 + (4000 * rssi - 150000) // 100000
        telegram = bytes((size,)) + data[at + 4 : stop]
        yield Wrapped(at, end, at + 4, stop, telegram, "IM871A", Format.STRIPPED, fault, place, level)
        at = end


def _iu891a(data: bytes) -> Iterator[Wrapped]:
    """iU891A: SLIP around service, message, data of the stick, the telegram, and a CRC."""
    at = 0
    while at < len(data) and data[at] == SLIP_END:
        stop = data.find(bytes((SLIP_END,)), at + 1)
        if stop == at + 1:
            at += 1
            continue
        if stop < 0:
            yield _cut(data, at, "iU891A", len(data) + 1)
            return
        body = data[at + 1 : stop].replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb")
        fault = None
        if len(body) < 4 or crc16_x25(body[:-2]) != int.from_bytes(body[-2:], "little"):
            fault = "the CRC of the stick's frame does not fit"
        # Status, time and level precede the telegram; its L tells where it begins.
        begin = next((i for i in range(2, min(len(body) - 2, 14)) if _announces(body, i)), None)
        if fault is None and begin is None:
            fault = "a message of the stick that holds no telegram"
        telegram = body[begin:-2] if begin is not None else b""
        yield Wrapped(
            at, stop + 1, at + 1, stop, telegram, "iU891A", Format.STRIPPED, fault, max(at, stop - 2)
        )
        at = stop + 1


def _announces(body: bytes, at: int) -> bool:
    return body[at] + 1 == len(body) - 2 - at and body[at] >= FRAME_MIN - 1


def _cut(data: bytes, at: int, receiver: str, end: int) -> Wrapped:
    words = f"{end - at} bytes are announced, {len(data) - at} are there"
    return Wrapped(at, len(data), at, len(data), b"", receiver, fault=words, fault_at=len(data))
