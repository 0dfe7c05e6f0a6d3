"""Registered protocols are targets by themselves, and their results must hold together."""

import pytest

from polymeter.protocols.wire import Decoded, Layer, Node
from tools.fuzz_targets import Violation, check_cover, targets


def frame(*leaves: tuple[int, int], length: int = 4) -> Decoded:
    children = [Node("leaf", 0, offset, size, b"") for offset, size in leaves]
    root = Node("frame", 0, 0, length, b"", children=children)
    return Decoded("p1", True, "", layers=(Layer("input", length, 0),), tree=root)


def test_every_registered_protocol_is_a_target() -> None:
    from polymeter.catalogue.registry import PROTOCOLS

    assert set(PROTOCOLS) <= set(targets())


def test_leaves_that_cover_are_fine() -> None:
    check_cover(frame((0, 1), (1, 3)))


@pytest.mark.parametrize("leaves", [[(0, 1), (2, 2)], [(0, 2), (1, 3)], [(0, 1), (1, 2)], [(0, 1), (1, 4)]])
def test_a_hole_an_overlap_or_a_wrong_end_is_found(leaves: list[tuple[int, int]]) -> None:
    with pytest.raises(Violation):
        check_cover(frame(*leaves))
