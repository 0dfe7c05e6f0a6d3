"""Hands what one protocol carries to the protocol it belongs to.

DLMS travels in wireless M-Bus; and on wire a message may have the layers above the link that radio has:
authentication (CI 90), derived keys, compact frames. Protocols may not call each other; the catalogue's
decode function may. What comes back lies in layers behind those that are there, and stands in place of
the opaque reading.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from polymeter.catalogue.registry import PROTOCOLS
from polymeter.protocols.mbus import LongFrame, LongHeader
from polymeter.protocols.wire import Decoded, DecodeOptions, Node, Problem

__all__ = ["hand_over"]

_WIRED: Final = "mbus"
_LAYERED_CI: Final = frozenset((0x69, 0x6B, 0x79, 0x7B, 0x90))
"""CI fields that radio's decoder reads and that of wire does not."""
_DERIVED_MODES: Final = (7, 10)
"""Security modes of radio that a long header of wire may announce; old meters have a signature there."""
_CARRIER: Final = "wmbus"
_CARRIED: Final = "dlms"
_SAP_CI: Final = range(0x20)
_SAPS: Final = 2
"""CI fields 00 to 1F are followed by the two service access points."""


def hand_over(decoded: Decoded, options: DecodeOptions, *, explain: bool) -> Decoded:
    """What was decoded, with what its carried protocol makes of the data it holds."""
    if decoded.protocol == _WIRED:
        return _layered(decoded, options, explain)
    if decoded.protocol != _CARRIER or not decoded.records or decoded.records[-1].name != _CARRIED:
        return decoded
    if _CARRIED not in PROTOCOLS:
        return decoded
    telegram: Any = decoded.frame
    skipped = _SAPS if telegram.ci in _SAP_CI else 0
    data = telegram.application[skipped:]
    protocol = PROTOCOLS[_CARRIED]
    if not data or not protocol.detect(data):
        return decoded
    inner = protocol.decode(data, options, explain=explain)
    if len(inner) != 1 or not inner[0].valid:
        return decoded
    (found,) = inner
    by = telegram.application_layer + 1
    records = tuple(record._replace(layer=record.layer + by) for record in found.records)
    problems = tuple(Problem(each.message, each.offset, each.layer + by) for each in found.errors)
    if decoded.tree is not None and found.tree is not None:
        _shift(found.tree, by)
        place = _leaf(decoded.tree, lambda node: node.layer == by - 1 and node.raw == telegram.application)
        place.children.append(found.tree)
        if skipped:
            begin = Node("service access points", by - 1, place.offset, skipped, place.raw[:skipped])
            rest = Node(
                "data", by - 1, place.offset + skipped, place.length - skipped, data, children=[found.tree]
            )
            place.children = [begin, rest]
    return replace(
        decoded,
        records=decoded.records[:-1] + (records or decoded.records[-1:]),
        errors=decoded.errors + problems,
        encrypted=decoded.encrypted or found.encrypted,
        layers=decoded.layers + found.layers,
        meter=replace(decoded.meter, system_title=found.meter.system_title),
        seals=decoded.seals + found.seals,
    )


def _layered(decoded: Decoded, options: DecodeOptions, explain: bool) -> Decoded:
    """A wired frame with what radio's decoder makes of the layers above its link."""
    frame = getattr(decoded.frame, "frame", None)
    if not isinstance(frame, LongFrame) or frame.from_master:
        return decoded
    header = decoded.frame.header
    derived = (
        isinstance(header, LongHeader)
        and header.configuration >> 8 & 0x1F in _DERIVED_MODES
        and (decoded.encrypted or bool(options.keys))
    )
    if frame.ci not in _LAYERED_CI and not derived:
        return decoded
    from polymeter.protocols.wmbus import decode_message

    found = decode_message(bytes((frame.ci,)) + frame.data, options, explain=explain)
    if derived and not (decoded.encrypted or found.seals):
        return decoded  # its header says so, and no key proves it
    if decoded.tree is not None and found.tree is not None:
        _shift(found.tree, 1)
        place = _leaf(
            decoded.tree, lambda node: not node.layer and frame.data.endswith(node.raw) and node.length > 2
        )
        place.children.append(found.tree)
    return replace(
        decoded,
        valid=found.valid and (decoded.valid or bool(found.seals)),
        meter=found.meter if found.meter.id is not None else decoded.meter,
        records=tuple(record._replace(layer=record.layer + 1) for record in found.records),
        errors=tuple(Problem(each.message, each.offset, each.layer + 1) for each in found.errors),
        encrypted=found.encrypted,
        layers=decoded.layers + found.layers,
        seals=found.seals,
        waits_for=found.waits_for,
    )


def _leaf(root: Node, fits: Callable[[Node], bool]) -> Node:
    return next((node for node in root.walk() if not node.children and fits(node)), root)


def _shift(root: Node, by: int) -> None:
    for node in root.walk():
        node.layer += by
