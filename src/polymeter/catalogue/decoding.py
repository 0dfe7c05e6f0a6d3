"""The one way from bytes to named readings: command line, API and collection all come here.

It chooses the protocol, lets it decode, finds the meter's type and names the records. Hand-overs
from one protocol to another, which protocols may not make themselves, are made here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from polymeter.catalogue.handover import hand_over
from polymeter.catalogue.history import dated
from polymeter.catalogue.payloads import read_payload
from polymeter.catalogue.readings import TelegramReading, telegram_reading, telegram_readings, value_text
from polymeter.catalogue.registry import PROTOCOLS, Protocol, protocol_named
from polymeter.catalogue.types import ADDRESS_FIELDS, MeterType, find_type
from polymeter.protocols.mbus import medium_name
from polymeter.protocols.wire import (
    Decoded,
    DecodeOptions,
    LocalProtocolError,
    MeterIdentity,
    Node,
    Problem,
    Tree,
)

__all__ = [
    "INPUT_MAX",
    "Frame",
    "decode_frames",
    "input_bytes",
    "key_bytes",
    "named_frame",
    "prove",
    "telegram_bytes",
    "tree_text",
]

INPUT_MAX: Final = 64 << 20
_OUR_NAMES: Final = ("mbus", "wmbus")
"""Protocols whose telegrams name no series: the names are ours, and must tell records apart."""
_HEX_NOISE: Final = re.compile(r"0x|[\s:,;_-]", re.IGNORECASE)
_SHORT: Final = 4
"""Bytes of a short header, which leaves the address to the link layer."""
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})+")


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded frame: the protocol's view, the type that was recognised, the named readings."""

    decoded: Decoded
    meter_type: MeterType | None
    readings: tuple[TelegramReading, ...]

    def as_dict(self) -> dict[str, Any]:
        """The frame as `polymeter decode --json` prints it."""
        decoded = self.decoded
        return {
            "protocol": decoded.protocol,
            "valid": decoded.valid,
            "encrypted": decoded.encrypted,
            "why": decoded.why,
            "meter": _meter_dict(decoded.meter, self.meter_type),
            "readings": [reading.as_dict() for reading in self.readings],
            "errors": [
                {"layer": problem.layer, "offset": problem.offset, "message": problem.message}
                for problem in decoded.errors
            ],
            "layers": [
                {"name": layer.name, "length": layer.length, "start": layer.start} for layer in decoded.layers
            ],
            "tree": _tree_dict(decoded.tree) if decoded.tree is not None else None,
        }


def _meter_dict(meter: MeterIdentity, meter_type: MeterType | None) -> dict[str, Any]:
    fields = {
        "id": meter.id,
        "manufacturer": meter.manufacturer,
        "medium": meter.medium,
        "version": meter.version,
        "system_title": meter.system_title,
        "identification": meter.identification,
        "type": meter_type.name if meter_type is not None else None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _tree_dict(root: Node) -> dict[str, Any]:
    """The tree as nested dictionaries, without recursion: trees may be deep."""

    def shallow(node: Node) -> dict[str, Any]:
        return {
            "name": node.name,
            "layer": node.layer,
            "offset": node.offset,
            "length": node.length,
            "raw": node.raw.hex(),
            "value": value_text(node.value),
            "meaning": node.meaning,
            "children": [],
        }

    top = shallow(root)
    stack = [(root, top)]
    while stack:
        node, shown = stack.pop()
        for child in node.children:
            below = shallow(child)
            shown["children"].append(below)
            stack.append((child, below))
    return top


def tree_text(root: Node) -> str:
    """The tree as indented lines for people: offset, bytes, name, value, meaning."""
    lines: list[str] = []
    stack = [(root, 0)]
    while stack:
        node, depth = stack.pop()
        raw = node.raw[:16].hex(" ") + (" …" if len(node.raw) > 16 else "")
        place = f"{node.layer}:{node.offset:04x}"
        value = value_text(node.value)
        parts = (
            [node.name]
            + ([value] if value is not None else [])
            + ([f"({node.meaning})"] if node.meaning else [])
        )
        hex_shown = raw if not node.children else f"{node.length} bytes"
        lines.append(f"{place}  {'  ' * depth}{'  '.join(parts)}  [{hex_shown}]")
        stack.extend((child, depth + 1) for child in reversed(node.children))
    return "\n".join(lines)


def input_bytes(given: bytes | str) -> bytes:
    """The frame that was meant: hex digits are read as such, anything else is taken as it is.

    Raises:
        LocalProtocolError: nothing was given, or more than `INPUT_MAX`.
    """
    if isinstance(given, str):
        given = telegram_bytes(given)
    if not given.strip():
        raise LocalProtocolError("the input is empty")
    if len(given) > INPUT_MAX:
        raise LocalProtocolError(f"the input has {len(given)} bytes, the limit is {INPUT_MAX}")
    if given.isascii():
        digits = _HEX_NOISE.sub("", given.decode("ascii"))
        if _HEX.fullmatch(digits):
            return bytes.fromhex(digits)
        if digits[:1] == "b" and _HEX.fullmatch(digits[1:]):
            return given  # what CUL sticks put before a telegram is no digit
        if _HEX.fullmatch(digits[1:]) and _HEX.fullmatch(digits[:-1]):
            raise LocalProtocolError(f"{len(digits)} hex digits are no whole number of bytes")
    return given


def telegram_bytes(text: str) -> bytes:
    """A telegram given as text: its characters are the bytes they stood for on the wire."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape")


def key_bytes(text: str, what: str = "key") -> bytes:
    """A key given in hex.

    Raises:
        LocalProtocolError: it is not hex; the message does not repeat it.
    """
    try:
        return bytes.fromhex(text.strip())
    except ValueError as error:
        raise LocalProtocolError(f"the {what} must be given in hex digits, two a byte") from error


def _facts(decoded: Decoded) -> Mapping[str, str | None]:
    meter = decoded.meter
    ci = getattr(decoded.frame, "ci", None)
    return {
        "manufacturer": meter.manufacturer,
        "identification": meter.identification,
        "medium": meter.medium,
        "version": str(meter.version) if meter.version is not None else None,
        "id": meter.id,
        "system_title": meter.system_title,
        "ci": f"{ci:02X}" if isinstance(ci, int) else None,
    }


def decode_frames(
    given: bytes | str,
    protocol: str = "auto",
    *,
    keys: Sequence[bytes | str] = (),
    auth_key: bytes | str | None = None,
    lenient: bool = False,
    explain: bool = True,
    meter_type: MeterType | None = None,
    context: Sequence[bytes | str] = (),
) -> list[Frame]:
    """Decode every frame of an input. What is wrong with a frame is told in its result.

    The meter's type is recognised by what a frame says, unless `meter_type` is given. `context` are
    telegrams of the same meter that came before, oldest first: what they teach is used, and only the
    frames of the input itself are given. A frame whose `waits_for` is set is worth another try with them.

    Raises:
        LocalProtocolError: the call is wrong: an unknown protocol, a key that is no hex, no input.
    """
    data = input_bytes(given)
    options = DecodeOptions(
        tuple(key if isinstance(key, bytes) else key_bytes(key) for key in keys),
        key_bytes(auth_key, "authentication key") if isinstance(auth_key, str) else auth_key,
        lenient,
    )
    if protocol != "auto":
        chosen: Protocol | None = protocol_named(protocol)
    else:
        detected = (candidate for candidate in PROTOCOLS.values() if candidate.detect(data))
        chosen = _telegram_inside(data, options) or next(detected, None)
    if chosen is None:
        return [named_frame(_unknown(data), options, explain=explain)]
    taught: dict[str, Any] = {}
    if context and chosen.memory is not None:
        taught = {"memory": chosen.memory()}
        for earlier in context:
            chosen.decode(input_bytes(earlier), options, explain=False, **taught)
    return [
        named_frame(decoded, options, explain=explain, meter_type=meter_type)
        for decoded in chosen.decode(data, options, explain=explain, **taught)
    ]


def _telegram_inside(data: bytes, options: DecodeOptions) -> Protocol | None:
    """P1, if the keys open a telegram: its envelope is that of any ciphered DLMS message."""
    if not options.keys or not data.startswith(b"\xdb\x08"):
        return None
    p1 = PROTOCOLS["p1"]
    opened = p1.decode(data, options, explain=False)
    return p1 if all(one.valid and not one.encrypted for one in opened) else None


def named_frame(
    decoded: Decoded,
    options: DecodeOptions = DecodeOptions(),
    *,
    explain: bool = False,
    meter_type: MeterType | None = None,
) -> Frame:
    """What a protocol decoded under the names of the catalogue; the meter's type is found unless given."""
    decoded = hand_over(decoded, options, explain=explain)
    meter_type = meter_type or find_type(decoded.protocol, _facts(decoded))
    if meter_type is not None and meter_type.payloads:
        decoded = read_payload(decoded, meter_type.payloads)
    records = decoded.records
    if meter_type is not None and meter_type.history:
        records = dated(records, meter_type.history)
    if meter_type is not None and meter_type.address is not None:
        decoded = replace(decoded, meter=_reordered(decoded, meter_type.address))
    if decoded.protocol in _OUR_NAMES:
        return Frame(decoded, meter_type, telegram_readings(records, meter_type))
    return Frame(decoded, meter_type, tuple(telegram_reading(record, meter_type) for record in records))


def _reordered(decoded: Decoded, order: str) -> MeterIdentity:
    """Who sent a telegram, by a link address in its maker's own order. A long header has the standard's."""
    telegram = decoded.frame
    if decoded.protocol != "wmbus" or telegram.link is None or len(bytes(telegram.header or b"")) > _SHORT:
        return decoded.meter
    address, at, parts = telegram.link.address[2:], 0, {}
    for name in order.split():
        parts[name] = address[at : at + ADDRESS_FIELDS[name]]
        at += ADDRESS_FIELDS[name]
    return replace(
        decoded.meter,
        id=parts["id"][::-1].hex().upper(),
        version=parts["version"][0],
        medium=medium_name(parts["medium"][0]),
    )


def _unknown(data: bytes) -> Decoded:
    tree = Tree(data, "unknown")
    names = ", ".join(PROTOCOLS)
    return Decoded(
        "unknown",
        valid=False,
        why="no protocol recognises these bytes",
        errors=(Problem(f"no protocol recognises these bytes; tried {names}", 0),),
        layers=tree.layers,
        tree=tree.finish(),
    )


def prove(meter_type: MeterType) -> list[str]:
    """Decode the telegrams that a type carries; says what is not as the type says, if anything."""
    problems = [] if meter_type.telegrams else [f"{meter_type.name} carries no telegram"]
    for number, telegram in enumerate(meter_type.telegrams, 1):
        where = f"{meter_type.name}, telegram {number}"
        frames = decode_frames(
            telegram["input"],
            meter_type.protocol,
            keys=telegram.get("keys", ()),
            explain=False,
            meter_type=None if meter_type.match else meter_type,
        )
        problems += [
            f"{where}: {problem.message}"
            for frame in frames
            if not frame.decoded.valid
            for problem in frame.decoded.errors
        ]
        recognised = {frame.meter_type.name for frame in frames if frame.meter_type is not None}
        if recognised != {meter_type.name}:
            problems.append(f"{where} is recognised as {', '.join(sorted(recognised)) or 'nothing'}")
        given = [reading.as_dict() for frame in frames for reading in frame.readings]
        for wanted in telegram.get("readings", ()):
            if not any(all(reading.get(key) == value for key, value in wanted.items()) for reading in given):
                problems.append(f"{where}: no reading is {wanted}")
    return problems
