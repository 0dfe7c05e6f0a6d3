"""Every case of the corpora, ours and further ones, judged as users see them: by `decode --json`."""

from typing import Any

import pytest

from polymeter.catalogue import decode_frames
from tests.vectors import check_case, load_vectors, telegram, vector_id

CASES = load_vectors("mbus") + [case for case in load_vectors("wmbus") if case["protocol"] == "mbus"]


@pytest.mark.parametrize("case", CASES, ids=vector_id)
def test_a_case_is_met(case: dict[str, Any]) -> None:
    shown = [frame.as_dict() for frame in decode_frames(telegram(case), "mbus")]
    assert not check_case(case, shown)


@pytest.mark.parametrize("case", CASES, ids=vector_id)
def test_the_tree_explains_every_byte(case: dict[str, Any]) -> None:
    data = telegram(case)
    for frame in decode_frames(data, "mbus"):
        tree = frame.decoded.tree
        assert tree is not None
        assert b"".join(leaf.raw for leaf in tree.leaves()) == tree.raw
        if frame.decoded.valid:
            assert not [node for node in tree.walk() if node.name == "unexplained"]
