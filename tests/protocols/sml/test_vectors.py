"""Every SML conformance case, ours and the further ones, as the command line decodes it."""

import pytest

import polymeter
from tests.vectors import Case, check_case, load_vectors, telegram, vector_id
from tools.fuzz_targets import check_cover

CASES = load_vectors("sml")


@pytest.mark.parametrize("case", CASES, ids=vector_id)
def test_a_case_is_met(case: Case) -> None:
    frames = polymeter.decode_all(
        telegram(case),
        "sml",
        keys=case.get("keys") or (),
        auth_key=case.get("auth_key"),
        lenient=bool(case.get("lenient")),
    )
    assert check_case(case, frames) == []


@pytest.mark.parametrize("case", CASES, ids=vector_id)
def test_the_tree_changes_nothing_and_covers_every_byte(case: Case) -> None:
    from polymeter.protocols import sml
    from polymeter.protocols.wire import DecodeOptions

    auth_key = case.get("auth_key")
    options = DecodeOptions(
        tuple(bytes.fromhex(key) for key in case.get("keys") or ()),
        bytes.fromhex(auth_key) if auth_key else None,
        bool(case.get("lenient")),
    )
    explained = sml.decode(telegram(case), options)
    plain = sml.decode(telegram(case), options, explain=False)
    assert [(one.valid, one.records, one.errors, one.meter) for one in explained] == [
        (one.valid, one.records, one.errors, one.meter) for one in plain
    ]
    for one in explained:
        check_cover(one)


@pytest.mark.parametrize("case", CASES, ids=vector_id)
def test_a_frame_is_recognised_by_itself(case: Case) -> None:
    assert {frame["protocol"] for frame in polymeter.decode_all(telegram(case))} == {"sml"}


@pytest.mark.parametrize("case", CASES, ids=vector_id)
def test_messages_encode_to_the_bytes_they_came_from(case: Case) -> None:
    from polymeter.protocols import sml

    for one in sml.decode(telegram(case), explain=False):
        for message in sml.decode_messages(one.frame.content) if one.valid else ():
            assert sml.encode_message(message) in telegram(case).replace(b"\x1b" * 8, b"\x1b" * 4)
