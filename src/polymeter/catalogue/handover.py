"""Hands what one protocol carries to the protocol it belongs to: DLMS over wireless M-Bus.

Protocols may not call each other; the catalogue's decode function may. What comes back lies in
layers behind those that are there, and stands in place of the opaque reading.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from polymeter.catalogue.registry import PROTOCOLS
from polymeter.protocols.wire import Decoded, DecodeOptions, Node, Problem

__all__ = ["hand_over"]

_CARRIER: Final = "wmbus"
_CARRIED: Final = "dlms"
_SAP_CI: Final = range(0x20)
_SAPS: Final = 2
"""CI fields 00 to 1F are followed by the two service access points."""


def hand_over(decoded: Decoded, options: DecodeOptions, *, explain: bool) -> Decoded:
    """What was decoded, with what its carried protocol makes of the data it holds."""
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


def _leaf(root: Node, fits: Callable[[Node], bool]) -> Node:
    return next((node for node in root.walk() if not node.children and fits(node)), root)


def _shift(root: Node, by: int) -> None:
    for node in root.walk():
        node.layer += by
