"""What every conformance case of a protocol is put through."""

from types import ModuleType

import polymeter
from polymeter.protocols.wire import DecodeOptions
from tests.vectors import Case, check_case, telegram
from tools.fuzz_targets import check_cover

__all__ = ["check_as_command_line", "check_both_ways", "options_of"]


def options_of(case: Case) -> DecodeOptions:
    """What a decoder is told beside the bytes."""
    auth_key = case.get("auth_key")
    return DecodeOptions(
        tuple(bytes.fromhex(key) for key in case.get("keys") or ()),
        bytes.fromhex(auth_key) if auth_key else None,
        bool(case.get("lenient")),
    )


def check_as_command_line(case: Case) -> None:
    """The case is met by what ``polymeter decode --json`` prints."""
    frames = polymeter.decode_all(
        telegram(case),
        case["protocol"],
        keys=case.get("keys") or (),
        auth_key=case.get("auth_key"),
        lenient=bool(case.get("lenient")),
    )
    assert check_case(case, frames) == []


def check_both_ways(case: Case, protocol: ModuleType) -> None:
    """With and without the tree the result is the same, and the tree covers every byte."""
    options = options_of(case)
    explained = protocol.decode(telegram(case), options)
    plain = protocol.decode(telegram(case), options, explain=False)
    assert [(one.valid, one.why, one.records, one.errors, one.meter) for one in explained] == [
        (one.valid, one.why, one.records, one.errors, one.meter) for one in plain
    ]
    for one in explained:
        check_cover(one)
