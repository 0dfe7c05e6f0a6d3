"""Decoding of whole inputs: conformance cases, trees, several telegrams, hostile shapes."""

from collections.abc import Callable

import pytest

import polymeter
from polymeter.protocols import p1
from polymeter.protocols.wire import DecodeOptions
from tests.effort import check_linear
from tests.protocols.cases import check_as_command_line, check_both_ways
from tests.vectors import Case, load_vectors, telegram, vector_id

CASES = load_vectors("p1")
OURS = {case["name"]: telegram(case) for case in CASES if case["origin"] == "ours"}
each = pytest.mark.parametrize("case", CASES, ids=vector_id)


@each
def test_a_case_is_met(case: Case) -> None:
    check_as_command_line(case)


@each
def test_the_tree_changes_nothing_and_covers_every_byte(case: Case) -> None:
    check_both_ways(case, p1)


@each
def test_a_sound_telegram_is_recognised_by_itself(case: Case) -> None:
    keys, auth_key = case.get("keys") or (), case.get("auth_key")
    if case["expect"]["valid"] and (keys or "text" in case):  # without a key an envelope may be any DLMS
        frames = polymeter.decode_all(telegram(case), keys=keys, auth_key=auth_key)
        assert {frame["protocol"] for frame in frames} == {"p1"}


@pytest.mark.parametrize("name", ["dsmr-5-three-sub-meters", "luxembourg-ciphered", "dsmr-2.2"])
def test_a_telegram_cut_at_every_byte_gives_an_error_and_no_value(name: str) -> None:
    data = OURS[name]
    for count in range(1, len(data)):
        if data[count:] in (b"\r\n", b"\n"):
            continue  # all that is missing is the end of the last line
        for one in p1.decode(data[:count]):
            assert not one.valid
            assert one.records == ()


def test_every_flipped_byte_of_a_checked_telegram_is_noticed() -> None:
    data = OURS["dsmr-4"]
    good = p1.decode(data, explain=False)[0].records
    for index in range(len(data)):
        for mask in (0x01, 0x80, 0xFF):
            flipped = bytearray(data)
            flipped[index] ^= mask
            for one in p1.decode(bytes(flipped), explain=False):
                same = [(record.obis, record.value) for record in one.records]
                assert not one.valid or same == [(record.obis, record.value) for record in good]


def test_telegrams_of_all_kinds_in_one_input_come_out_in_order() -> None:
    names = ["dsmr-4", "luxembourg-ciphered", "damaged", "dsmr-2.2", "cut", "sweden"]
    found = p1.decode(b"\x00noise\r\n" + b"".join(OURS[name] for name in names))
    assert [one.valid for one in found] == [True, True, False, True, False, True]
    assert [one.encrypted for one in found] == [False, True, False, False, False, False]
    starts = [one.layers[0].start for one in found]
    assert starts == sorted(starts)


def test_bytes_that_begin_no_telegram_are_told() -> None:
    (found,) = p1.decode(b"\x00\x01nothing of ours")
    assert not found.valid
    assert found.errors[0].message == "17 bytes that begin no telegram"


def test_an_envelope_that_holds_no_telegram_is_told() -> None:
    sealed = p1.encipher(b"/but no telegram", bytes(16), b"PMX00001", 1)
    (found,) = p1.decode(p1.encode(sealed), DecodeOptions((bytes(16),)))
    assert not found.valid
    assert "no P1 telegram" in found.errors[0].message
    assert [layer.name for layer in found.layers] == ["input", "deciphered"]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (OURS["dsmr-5-three-sub-meters"], "/ … ! behind an empty line"),
        (OURS["no-empty-line"], "/ … ! with a good checksum"),
        (OURS["luxembourg-ciphered"], "a general-glo-ciphering envelope"),
        (OURS["even-parity"], "/ … ! behind an empty line"),
        (OURS["cut"], "/ … with data lines behind an empty one"),
        (OURS["no-empty-line"].replace(b"123.456", b"123.457"), None),
        (b"\x00" + OURS["luxembourg-ciphered"], None),
        (b"/PMX5\r\n", None),
        (b"", None),
    ],
)
def test_why_an_input_looks_like_p1(data: bytes, why: str | None) -> None:
    assert p1.detect(data) == why


def checked(body: bytes) -> bytes:
    covered = b"/PMX5SIM\r\n\r\n" + body + b"\r\n!"
    return covered + p1.checksum_text(covered).encode("ascii") + b"\r\n"


ENVELOPE = bytes.fromhex("db08 0011223344556677 11 30 00000000") + bytes(12)
HEADERS = bytes.fromhex("db08 0011223344556677 827fff 30")
OLD = b"0-1:24.3.0(260701110000)(00)(60)(500)" + b"(0-1:24.2.1)(m3)" * 500
HOSTILE: dict[str, Callable[[int], bytes]] = {
    "first lines": lambda size: b"/PMX5SIM\r\n\r\n" * (size // 12),
    "slashes": lambda size: b"\n/" * (size // 2),
    "a long first line": lambda size: b"/PMX5" + b"x" * size,
    "ends": lambda size: b"/PMX5SIM\r\n\r\n" + b"\n!" * (size // 2),
    "envelopes": lambda size: ENVELOPE * (size // len(ENVELOPE)),
    "long envelopes": lambda size: HEADERS * (size // len(HEADERS)),
    "parity bits": lambda size: b"\xaf" * size,
    "brackets": lambda size: checked(b"(" * size),
    "empty sets": lambda size: checked(b"()" * (size // 2)),
    "lines that go on": lambda size: checked(b"()\r\n" * (size // 4)),
    "sets in a line": lambda size: checked(b"1-0:1.8.0" + b"(1)" * (size // 3)),
    "a log": lambda size: checked(b"1-0:99.97.0(1)(0-0:96.7.19)" + b"(260701120000S)(1*s)" * (size // 20)),
    "times in a log": lambda size: checked(
        b"1-0:99.97.0(1)(0-0:96.7.19)" + b"(260701120000S)" * (size // 15)
    ),
    "a history": lambda size: checked(
        b"0-0:98.1.0(1)(1-0:1.6.0)" + b"(260701120000S)()(1*kW)" * (size // 23)
    ),
    "codes in a history": lambda size: checked(b"0-0:98.1.0(1)" + b"(1-0:1.6.0)" * (size // 11)),
    "columns": lambda size: checked(OLD + b"\r\n(1)" * (size // 5)),
    "short lines": lambda size: checked(b"1(1)\r\n" * (size // 6)),
    "odd lines": lambda size: checked(b"x\r\n" * (size // 3)),
    "line ends": lambda size: checked(b"\r" * size),
    "digits": lambda size: checked(b"1-0:1.8.0(" + b"9" * size + b")"),
    "stars": lambda size: checked(b"1-0:1.8.0(" + b"*" * size + b")"),
    "a long name": lambda size: checked(b"a" * size + b"(1)"),
    "hex digits": lambda size: checked(b"0-0:96.13.0(" + b"41" * (size // 2) + b")"),
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("explain", [False, True])
def test_work_grows_at_most_linearly_with_the_input(kind: str, explain: bool) -> None:
    check_linear(HOSTILE[kind], lambda data: p1.decode(data, explain=explain), per_byte=120)
