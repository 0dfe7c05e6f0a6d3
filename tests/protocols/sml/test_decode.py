"""Decoding of whole inputs: conformance cases, trees, captures, hostile shapes."""

from collections.abc import Callable

import pytest

import polymeter
from polymeter.protocols import sml
from polymeter.protocols.sml.elements import LIST, type_length
from polymeter.protocols.sml.transport import ESCAPE, START
from polymeter.protocols.wire import DecodeOptions
from tests.effort import check_linear
from tests.protocols.cases import check_as_command_line, check_both_ways
from tests.vectors import Case, load_vectors, telegram, vector_id

CASES = load_vectors("sml")
OURS = {case["name"]: telegram(case) for case in CASES if case["origin"] == "ours"}
each = pytest.mark.parametrize("case", CASES, ids=vector_id)


@each
def test_a_case_is_met(case: Case) -> None:
    check_as_command_line(case)


@each
def test_the_tree_changes_nothing_and_covers_every_byte(case: Case) -> None:
    check_both_ways(case, sml)


@each
def test_a_frame_is_recognised_by_itself(case: Case) -> None:
    assert {frame["protocol"] for frame in polymeter.decode_all(telegram(case))} == {"sml"}


@each
def test_messages_encode_to_the_bytes_they_came_from(case: Case) -> None:
    for one in sml.decode(telegram(case), explain=False):
        for message in sml.decode_messages(one.frame.content) if one.valid else ():
            assert sml.encode_message(message) in telegram(case).replace(ESCAPE * 2, ESCAPE)


@pytest.mark.parametrize("name", ["push", "escapes-in-content"])
def test_a_frame_cut_at_every_byte_gives_an_error_and_no_value(name: str) -> None:
    for count in range(1, len(OURS[name])):
        for decoded in sml.decode(OURS[name][:count]):
            assert not decoded.valid
            assert decoded.records == ()


def test_every_flipped_byte_is_noticed() -> None:
    data = OURS["push"]
    for index in range(len(data)):
        for mask in (0x01, 0x80, 0xFF):
            flipped = bytearray(data)
            flipped[index] ^= mask
            for decoded in sml.decode(bytes(flipped), explain=False):
                assert not decoded.valid
                assert decoded.records == ()


def test_a_frame_cut_at_every_byte_does_not_spoil_the_next() -> None:
    for count in range(len(OURS["push"])):
        assert sml.decode(OURS["push"][:count] + OURS["timestamp"])[-1].valid, count


def test_a_damaged_message_costs_only_its_own_values() -> None:
    sound, damaged = sml.decode(OURS["push"] + OURS["damaged-message"])
    assert sound.valid
    assert not damaged.valid
    assert [error.message for error in damaged.errors] == ["the check sum of GetList.Res does not fit"]
    lenient = sml.decode(OURS["damaged-message"], DecodeOptions(lenient=True))[0]
    assert len(lenient.records) > len(damaged.records)


def test_what_lies_between_frames_belongs_to_the_one_behind_it() -> None:
    first, second = sml.decode(b"\xff" * 5 + OURS["push"] + b"\x00" * 3 + OURS["timestamp"] + b"\x1b\x1b")
    assert first.tree is not None
    assert second.tree is not None
    assert [(node.name, node.length) for node in first.tree.children if node.name == "noise"] == [
        ("noise", 5)
    ]
    assert [(node.meaning, node.length) for node in second.tree.children if node.name == "noise"] == [
        ("before the frame", 3),
        ("after the frame", 2),
    ]
    assert second.layers[0].start == 5 + len(OURS["push"])


def test_content_with_escapes_is_a_layer_of_its_own() -> None:
    (decoded,) = sml.decode(OURS["escapes-in-content"])
    assert [layer.name for layer in decoded.layers] == ["input", "escapes removed"]
    assert all(record.layer == 1 for record in decoded.records)


def test_bytes_without_a_start_are_told() -> None:
    (found,) = sml.decode(b"nothing of ours")
    assert not found.valid
    assert found.errors[0].message == "15 bytes without 1B1B1B1B 01010101"


def test_messages_may_come_without_a_frame() -> None:
    framed = sml.decode(OURS["push"], explain=False)[0]
    (bare,) = sml.decode(framed.frame.content, explain=False)
    assert bare.valid
    assert [(one.obis, one.value) for one in bare.records] == [
        (one.obis, one.value) for one in framed.records
    ]
    assert sml.detect(framed.frame.content) == "SML messages with good check sums, without a frame"
    assert sml.detect(b"\x76" + framed.frame.content) is None


def test_the_last_server_named_is_the_meter() -> None:
    first = sml.pushed(b"\x0a\x01PMX\x00\x00\x00\x00\x01", sml.sec_index(1), [], 1)
    second = sml.pushed(b"\x0a\x01PMX\x00\x00\x00\x00\x02", sml.sec_index(1), [], 4)
    frame = sml.Connection().send((*first, *second))
    for explain in (False, True):
        (decoded,) = sml.decode(frame, explain=explain)
        assert decoded.meter.id == "0a01504d580000000002"


def message(body: bytes) -> bytes:
    covered = b"\x76\x02\x01\x62\x00\x62\x00\x72" + body
    return covered + b"\x63" + sml.X25.compute(covered).to_bytes(2, "little") + b"\x00"


def listing(items: list[bytes]) -> bytes:
    return type_length(LIST, len(items)) + b"".join(items)


def answer(items: list[bytes]) -> bytes:
    return message(bytes.fromhex("630701 77 01010101") + listing(items) + b"\x01\x01")


ENTRY = bytes.fromhex("77 070100010800ff 01 01 621e 52ff 6205 01")
CLOSE = message(bytes.fromhex("630201 71 01"))
framed = sml.encode_frame
HOSTILE: dict[str, Callable[[int], bytes]] = {
    "escapes": lambda size: b"\x1b" * size,
    "starts": lambda size: START * (size // 8),
    "starts and escapes": lambda size: (START + ESCAPE) * (size // 12),
    "escapes in content": lambda size: START + (b"\x76" + ESCAPE * 2) * (size // 9),
    "starts in content": lambda size: (
        START + (ESCAPE + START + bytes(8)) * (size // 20) + ESCAPE + b"\x1a\0\0\0"
    ),
    "ends": lambda size: (START + ESCAPE + b"\x1a\0\0\0") * (size // 16),
    "empty frames": lambda size: framed(b"") * (size // 16),
    "entries": lambda size: framed(answer([ENTRY] * min(size // len(ENTRY), 150)) * (size // 3000)),
    "many entries": lambda size: framed(answer([ENTRY] * (300 + size // len(ENTRY)))),
    "entries, the last of them bad": lambda size: framed(
        answer([ENTRY] * 150 + [b"\x71\x01"]) * (size // 3000)
    ),
    "entries and a bad check sum": lambda size: framed(
        (answer([ENTRY] * 150)[:-3] + b"xx\0") * (size // 3000)
    ),
    "absent entries": lambda size: framed(answer([b"\x01"] * size)),
    "lists in lists": lambda size: framed(b"\x71" * size),
    "a wide list": lambda size: framed(type_length(LIST, size) + b"\x01" * size),
    "empty lists": lambda size: framed(type_length(LIST, size) + b"\x70" * size),
    "messages": lambda size: framed(CLOSE * (size // len(CLOSE))),
    "bad messages": lambda size: framed((CLOSE[:-3] + b"xx\0") * (size // len(CLOSE))),
    "zeros": lambda size: framed(bytes(size)),
    "zeros between messages": lambda size: framed((CLOSE + bytes(3)) * (size // 21)),
    "a wide tree": lambda size: framed(
        message(
            b"\x63\x05\x01\x73\x01\x01\x73\x01\x01"
            + listing([b"\x73\x02\x41\x72\x62\x01\x62\x05\x01"] * (size // 9))
        )
    ),
    "a profile": lambda size: framed(
        message(
            b"\x63\x03\x01\x78\x01\x01\x01\x01"
            + listing([b"\x73\x02\x41\x01\x01"] * (size // 20))
            + listing([b"\x74\x01\x01\x71\x72\x62\x05\x01\x01"] * (size // 20))
            + b"\x01\x01"
        )
    ),
    "long lengths": lambda size: b"\x76" + b"\x8f" * size,
    "messages without a frame": lambda size: CLOSE * (size // len(CLOSE)),
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("explain", [False, True])
def test_work_grows_at_most_linearly_with_the_input(kind: str, explain: bool) -> None:
    check_linear(HOSTILE[kind], lambda data: sml.decode(data, explain=explain), per_byte=120)


@pytest.mark.parametrize("depth", [3, 5, 6, 40])
def test_trees_of_any_depth_are_read_or_refused(depth: int) -> None:
    inner = b"\x73\x02\x41\x72\x62\x01\x62\x05\x01"
    for _ in range(depth):
        inner = b"\x73\x02\x42\x01\x71" + inner
    (decoded,) = sml.decode(framed(message(b"\x63\x05\x01\x73\x01\x01" + inner)))
    assert decoded.valid == (depth < 14)
    if decoded.valid:
        (record,) = decoded.records
        assert record.name == "/".join(["42"] * depth + ["41"])
    else:
        assert "lists inside each other" in decoded.errors[0].message
