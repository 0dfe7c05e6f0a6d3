"""What a driver of its own would give, our meter types give: counted over the cases that name such values.

Of the further cases (``POLYMETER_VECTORS``), values marked ``driver_only`` are no test of the decoder.
They are counted by class, and must not become fewer than `docs/reference/protocols/wmbus.md` says.
"""

import os
import re
from collections import Counter

import pytest

from polymeter.catalogue import decode_frames
from tests.vector_values import answers
from tests.vectors import load_vectors, telegram
from tools.environment import ROOT

PAGE = (ROOT / "docs/reference/protocols/wmbus.md").read_text("utf-8")
TABLE = PAGE.partition("### Values that only a type gives")[2].partition("\n#")[0]
DOCUMENTED = {
    kind: (int(met), int(wanted))
    for kind, met, wanted in re.findall(r"^\| `([a-z-]+)` \| (\d+) \| (\d+) \|", TABLE, re.MULTILINE)
}


def counted() -> tuple[Counter[str], Counter[str]]:
    met: Counter[str] = Counter()
    wanted: Counter[str] = Counter()
    for case in load_vectors("wmbus"):
        own = [each for each in case["expect"].get("readings") or [] if each.get("driver_only")]
        if case["origin"] == "ours" or not own:
            continue
        frames = decode_frames(telegram(case), case["protocol"], keys=case.get("keys", ()), explain=False)
        given = [reading.as_dict() for frame in frames for reading in frame.readings]
        tolerance = case.get("tolerance") or {}
        wanted[case["class"]] += len(own)
        met[case["class"]] += sum(any(answers(each, one, tolerance) for one in given) for each in own)
    return met, wanted


def test_the_table_is_there() -> None:
    assert len(DOCUMENTED) == 6


@pytest.mark.skipif(not os.environ.get("POLYMETER_VECTORS"), reason="the cases are not shipped")
def test_no_value_is_lost() -> None:
    met, wanted = counted()
    for kind, count in sorted(wanted.items()):
        print(f"{kind}: {met[kind]} of {count}")
    fewer = {
        kind: (met[kind], least)
        for kind, (least, of) in DOCUMENTED.items()
        if wanted[kind] == of and met[kind] < least
    }
    assert not fewer, "fewer values than documented: class, then those met and those documented"
