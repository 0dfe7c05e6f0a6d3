"""The tree of a telegram: what each of its bytes means, for people."""

from __future__ import annotations

import re
from collections.abc import Iterator

from polymeter.protocols.p1.frames import Ciphered, Telegram
from polymeter.protocols.p1.lines import DATA_SET, REST_OF_LINE
from polymeter.protocols.p1.sub_meters import DEVICE_TYPES
from polymeter.protocols.p1.values import address, parse_time, value_of
from polymeter.protocols.wire import Tree

__all__ = ["explain_ciphered", "explain_tag", "explain_telegram"]

_FLAGS = {"S": "summer time", "W": "winter time", "s": "summer time", "w": "winter time"}


def explain_telegram(frame: bytes, telegram: Telegram, offset: int, tree: Tree, *, sound: bool) -> None:
    """Explain a telegram that begins at `offset` of the tree's layer."""
    at = offset + 1 + len(telegram.identification)
    tree.open("identification line", offset)
    tree.leaf("/", offset, offset + 1)
    if len(telegram.identification) >= 4:
        tree.leaf("manufacturer", offset + 1, offset + 4, telegram.manufacturer)
        tree.leaf("baud rate", offset + 4, offset + 5, telegram.identification[3])
        if telegram.name:
            tree.leaf("identification", offset + 5, at, telegram.name)
    tree.close(at)
    for start, end in _line_ends(telegram.data):
        _line(telegram.data, start, end, at, tree)
    at += len(telegram.data)
    tree.leaf("!", at, at + 1, None, "end of data")
    at += 1
    digits = telegram.checksum or ""
    if digits:
        tree.leaf("checksum", at, at + len(digits), digits, "good" if sound else "does not fit")
        at += len(digits)
    if at < offset + len(frame):
        tree.leaf("end of line", at, offset + len(frame))


def _line_ends(text: str) -> Iterator[tuple[int, int]]:
    """Where each line begins and ends, its line end included."""
    at = 0
    while at < len(text):
        match = REST_OF_LINE.match(text, at)
        assert match is not None  # it matches nothing, too
        end = max(match.end(), at + 1)
        yield at, end
        at = end


def _line(data: str, start: int, end: int, base: int, tree: Tree) -> None:
    """One line: its data sets, or the line end alone."""
    first = DATA_SET.match(data, start, end)
    if first is None:
        blank = not data[start:end].strip()
        tree.leaf("end of line" if blank else "text", base + start, base + end)
        return
    tree.open("data line", base + start)
    at = start
    name = ""
    while (match := DATA_SET.match(data, at, end)) is not None:
        name = match[1] or name
        _data_set(match, name, base, tree)
        at = match.end()
        if match[4] is not None:
            if match[4]:
                tree.leaf("end of line", base + match.start(4), base + match.end(4))
            break
    if at < end:
        tree.leaf("text", base + at, base + end)
    tree.close(base + end, address(name).code)


def _data_set(match: re.Match[str], name: str, base: int, tree: Tree) -> None:
    value, unit = match[2], match[3]
    if match[1]:
        tree.leaf("address", base + match.start(1), base + match.end(1), match[1])
    tree.leaf("(", base + (match.end(1) if match[1] else match.start()), base + match.start(2))
    if value:
        time = parse_time(value) if unit is None else None
        known = address(name)
        if time is not None:
            tree.leaf("time", base + match.start(2), base + match.end(2), time, _FLAGS.get(value[-1:]))
        else:
            shown = value_of(known.kind, value, unit)
            tree.leaf("value", base + match.start(2), base + match.end(2), shown, _meaning(known.code, shown))
    if unit is not None:
        tree.leaf("*", base + match.end(2), base + match.start(3))
        if unit:
            tree.leaf("unit", base + match.start(3), base + match.end(3), unit)
    closing = base + (match.end(3) if unit is not None else match.end(2))
    tree.leaf(")", closing, closing + 1)


def _meaning(code: str | None, value: object) -> str | None:
    if code is not None and code.endswith(":24.1.0*255") and isinstance(value, int):
        return DEVICE_TYPES.get(value, "unknown device type")
    return None


def explain_ciphered(envelope: Ciphered, offset: int, content: int, tree: Tree) -> None:
    """Explain an envelope up to its ciphertext, below which hangs what it deciphers to."""
    tree.leaf("general-glo-ciphering", offset, offset + 1, None, "DLMS APDU")
    tree.leaf("length of the system title", offset + 1, offset + 2, 8)
    tree.leaf("system title", offset + 2, offset + 10, envelope.system_title)
    tree.leaf("length", offset + 10, content - 5)
    tree.leaf("security control", content - 5, content - 4, envelope.security, _security(envelope.security))
    tree.leaf("invocation counter", content - 4, content, envelope.counter)
    tree.leaf("ciphertext", content, content + len(envelope.ciphertext))


def explain_tag(envelope: Ciphered, content: int, tree: Tree) -> None:
    """Explain what follows the ciphertext."""
    if envelope.tag:
        end = content + len(envelope.ciphertext)
        tree.leaf("authentication tag", end, end + len(envelope.tag), envelope.tag)


def _security(control: int) -> str:
    words = [word for bit, word in ((0x10, "authenticated"), (0x20, "enciphered")) if control & bit]
    return f"suite {control & 0x0F}, {' and '.join(words)}"
