"""Every case of the corpora, ours and further ones, judged as users see them: by `decode --json`."""

from collections import Counter
from typing import Any

import pytest

from polymeter.catalogue import decode_frames
from tests.vectors import check_case, context, load_vectors, telegram, vector_id
from tools.fuzz_targets import check_cover

CASES = [case for case in load_vectors("wmbus") if case["protocol"] == "wmbus"]

NOT_MET = {
    # The source leaves out the seconds that the telegram has.
    "amiplus-4": "device_datetime",
    "amiplus-7": "device_datetime",
    "rfmamb-1": "device_datetime",
    "rfmamb-2": "device_datetime",
    # The source takes VIFE 56 for the flow itself; it is the duration for which a limit was exceeded.
    **dict.fromkeys((f"qwaterv2-{number}" for number in (5, 6, 7, 10, 14, 15, 16)), "volume_flow_m3h"),
    # Year 127 of a date of type G is "every year", not 2127.
    "kaden-2": "target_date",
    "supercal-1": "target_date",
    # Day 0 of month 0 is no date.
    "emerlin868-2": "target_date",
}
"""Cases with one value that the standard's own rules give otherwise than their source."""


def shown(case: dict[str, Any]) -> list[dict[str, Any]]:
    frames = decode_frames(telegram(case), "wmbus", keys=case["keys"], context=context(case))
    return [frame.as_dict() for frame in frames]


@pytest.mark.parametrize("case", CASES, ids=vector_id)
def test_a_case_is_met(case: dict[str, Any]) -> None:
    wanted = case["expect"]["readings"]
    if case["origin"] == "further" and case["name"] in NOT_MET:
        kept = [reading for reading in wanted if reading["field"] != NOT_MET[case["name"]]]
        assert len(kept) == len(wanted) - 1
        case = case | {"expect": case["expect"] | {"readings": kept}}
    assert not check_case(case, shown(case))


@pytest.mark.parametrize("case", CASES, ids=vector_id)
def test_a_case_is_recognised_and_explained(case: dict[str, Any]) -> None:
    frames = decode_frames(telegram(case), "wmbus", keys=case["keys"], context=context(case))
    for frame in frames:
        check_cover(frame.decoded)
    fast = decode_frames(telegram(case), "wmbus", keys=case["keys"], explain=False, context=context(case))
    assert [frame.decoded.records for frame in fast] == [frame.decoded.records for frame in frames]
    if all(frame.decoded.valid for frame in frames):
        assert decode_frames(telegram(case), keys=case["keys"])[0].decoded.protocol == "wmbus"


@pytest.mark.parametrize("case", [case for case in CASES if context(case)], ids=vector_id)
def test_what_a_case_waits_for_is_in_its_context(case: dict[str, Any]) -> None:
    (alone,) = decode_frames(telegram(case), "wmbus", keys=case["keys"])
    (taught,) = decode_frames(telegram(case), "wmbus", keys=case["keys"], context=context(case))
    assert taught.decoded.waits_for is None
    assert len(taught.readings) >= len(alone.readings)
    if alone.decoded.waits_for is not None:
        assert len(taught.readings) > len(alone.readings)


def test_there_are_enough_of_our_own() -> None:
    ours = [case for case in CASES if case["origin"] == "ours"]
    assert len(ours) >= 20
    assert max(Counter(case["name"] for case in ours).values()) == 1
