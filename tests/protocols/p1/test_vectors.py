"""Every P1 conformance case, ours and the further ones, as the command line decodes it."""

import pytest

import polymeter
from tests.vectors import Case, check_case, load_vectors, telegram, vector_id
from tools.fuzz_targets import check_cover

CASES = load_vectors("p1")


@pytest.mark.parametrize("case", CASES, ids=vector_id)
def test_a_case_is_met(case: Case) -> None:
    frames = polymeter.decode_all(
        telegram(case),
        "p1",
        keys=case.get("keys") or (),
        auth_key=case.get("auth_key"),
        lenient=bool(case.get("lenient")),
    )
    assert check_case(case, frames) == []


@pytest.mark.parametrize("case", CASES, ids=vector_id)
def test_the_tree_changes_nothing_and_covers_every_byte(case: Case) -> None:
    from polymeter.protocols import p1
    from polymeter.protocols.wire import DecodeOptions

    auth_key = case.get("auth_key")
    options = DecodeOptions(
        tuple(bytes.fromhex(key) for key in case.get("keys") or ()),
        bytes.fromhex(auth_key) if auth_key else None,
        bool(case.get("lenient")),
    )
    explained = p1.decode(telegram(case), options)
    plain = p1.decode(telegram(case), options, explain=False)
    assert [(one.valid, one.records, one.errors, one.meter) for one in explained] == [
        (one.valid, one.records, one.errors, one.meter) for one in plain
    ]
    for one in explained:
        check_cover(one)


@pytest.mark.parametrize("case", CASES, ids=vector_id)
def test_a_sound_telegram_is_recognised_by_itself(case: Case) -> None:
    keys, auth_key = case.get("keys") or (), case.get("auth_key")
    if case["expect"]["valid"] and (keys or "text" in case):  # without a key an envelope may be any DLMS
        frames = polymeter.decode_all(telegram(case), keys=keys, auth_key=auth_key)
        assert {frame["protocol"] for frame in frames} == {"p1"}
