"""Payloads in disguise: what opens them, and what proves that it was the right key.

``prios`` disguises a payload of its own, whose first byte proves the key. ``real-data``, as Diehl
calls it, disguises records of the standard behind a short header with a security mode that the
standard reserves; they have no proof but themselves.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final, NamedTuple

from polymeter.protocols.mbus import Records, decode_records, explain_records
from polymeter.protocols.wire import Decoded, Layer, Node, Problem, Tree

__all__ = ["CIPHERS", "Block", "layer_root", "leaf_of", "prios", "real_data"]

CIPHERS: Final = ("prios", "real-data")
RESERVED_MODES: Final = range(16, 32)


class Block(NamedTuple):
    """Bytes of one layer, and where they lie in it."""

    data: bytes
    layer: int
    offset: int


def layer_root(root: Node, layer: int) -> Node:
    """The node that stands for a whole layer."""
    return next((node for node in root.walk() if node.layer == layer), root)


def leaf_of(root: Node, block: Block) -> Node | None:
    """The leaf that shows a block of bytes."""
    for node in root.walk():
        here = node.layer == block.layer and node.offset == block.offset
        if here and not node.children and node.raw == block.data:
            return node
    return None


def prios(telegram: Any, data: bytes, keys: tuple[bytes, ...]) -> bytes | None:
    """What is behind the clear bytes of a PRIOS payload, `None` if no key opens it."""
    from polymeter.protocols.wmbus.prios import CLEAR_SIZE, PROOF, disguised

    header = bytes((telegram.ci,)) + data[: CLEAR_SIZE - 1]
    for key in keys:
        plain = disguised(key, telegram.link.address, header, data[CLEAR_SIZE:])
        if plain and plain[0] == PROOF:
            return plain
    return None


def real_data(decoded: Decoded, keys: tuple[bytes, ...], block: Block) -> Decoded | None:
    """What was decoded, with the records of the standard that `block` holds in disguise.

    `None` where nothing has to be changed: it is records as it is, or shut and no key opens it.
    """
    from polymeter.protocols.wmbus.plausibility import are_records
    from polymeter.protocols.wmbus.prios import disguised

    telegram, layer = decoded.frame, block.layer + 1
    if telegram.configuration is None or telegram.configuration.mode not in RESERVED_MODES:
        return None
    if are_records(decode_records(block.data)):
        return None
    header = bytes((telegram.ci, *bytes(telegram.header)[-4:-1]))
    for key in keys:
        plain = disguised(key, telegram.link.address, header, block.data)
        found = decode_records(plain, layer=layer, spans=decoded.tree is not None)
        if are_records(found):
            break
    else:
        return None if decoded.encrypted else _shut(decoded, block)
    layers = decoded.layers
    if decoded.tree is not None:
        leaf = leaf_of(decoded.tree, block) or _cut(decoded.tree, block)
        # Their address has the device type second (see `MeterType.address`).
        leaf.children.append(_explained(plain, found, telegram.link.address[3], layer))
        layers = (*layers, Layer("deciphered", len(plain)))
    return replace(
        decoded,
        valid=True,
        encrypted=False,
        errors=tuple(found.problems),
        records=tuple(found.records),
        layers=layers,
    )


def _shut(decoded: Decoded, block: Block) -> Decoded:
    """Bytes that only looked like records, and that no key opens."""
    if decoded.tree is not None:
        _cut(decoded.tree, block)
    mode = decoded.frame.configuration.mode
    problem = Problem(f"encrypted, mode {mode}: the published keys do not open it", block.offset, block.layer)
    return replace(decoded, encrypted=True, errors=(problem,), records=())


def _cut(root: Node, block: Block) -> Node:
    """A leaf for a block that was taken for something else."""
    layer = layer_root(root, block.layer)
    leaf = Node("disguised data", block.layer, block.offset, len(block.data), block.data)
    layer.children = [*(child for child in layer.children if child.offset < block.offset), leaf]
    return leaf


def _explained(plain: bytes, found: Records, device_type: int, layer: int) -> Node:
    tree = Tree(plain, "deciphered")
    explain_records(tree, plain, found, device_type)
    root = tree.finish()
    for node in root.walk():
        node.layer += layer
    return root
