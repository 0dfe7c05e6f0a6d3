"""Telegrams to trees and records: the vectors, every cut, every flip, every layer covered."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polymeter import decode_all
from polymeter.protocols.iec62056_21 import (
    Acknowledge,
    Break,
    Command,
    Connection,
    DataMessage,
    Event,
    Identification,
    PlainData,
    Repeat,
    decode,
    decode_data,
    detect,
    encode,
    records,
)
from polymeter.protocols.wire import NEED_DATA, Decoded, DecodeOptions, Record
from tests.effort import finishes, steps
from tests.vectors import Case, check_case, load_vectors, telegram, vector_id
from tools.fuzz_targets import check_cover

CASES = load_vectors("iec62056-21")
GOOD = [case for case in CASES if case["expect"]["valid"]]
each_case = pytest.mark.parametrize("case", CASES, ids=vector_id)
each_good_case = pytest.mark.parametrize("case", GOOD, ids=vector_id)

LINES = "0.0.0(00000042)\r\n1.8.0(012345.678*kWh)\r\n1.6.0(01.2*kW)(2601311015)\r\n!\r\n"
READ_OUT = encode(Identification("PMX", "5", "SIM100")) + encode(DataMessage(LINES))
RIGHT = tuple(decode(READ_OUT)[0].records)


def values(frames: list[Decoded]) -> list[tuple[str, object, object]]:
    return [(record.name, record.value, record.unit) for frame in frames for record in frame.records]


# vectors


@each_case
def test_a_vector_decodes_as_expected(case: Case) -> None:
    frames = decode_all(telegram(case), case["protocol"], lenient=bool(case.get("lenient")))
    assert check_case(case, frames) == []


@each_case
def test_a_vector_is_covered_by_its_tree(case: Case) -> None:
    frames = decode(telegram(case))
    for frame in frames:
        check_cover(frame)
        assert frame.tree is not None
        names = {leaf.name for leaf in frame.tree.leaves()}
        assert not frame.valid or "unexplained" not in names
    covered = [(frame.layers[0].start, frame.layers[0].length) for frame in frames]
    assert covered[0][0] == 0
    assert all(one[0] + one[1] == two[0] for one, two in pairwise(covered))


@each_case
def test_recording_changes_nothing(case: Case) -> None:
    plain = decode(telegram(case), explain=False)
    shown = decode(telegram(case))
    assert [frame.records for frame in plain] == [frame.records for frame in shown]
    assert [frame.errors for frame in plain] == [frame.errors for frame in shown]
    assert all(frame.tree is None and frame.layers == () for frame in plain)


@each_good_case
def test_a_vector_encodes_to_its_bytes(case: Case) -> None:
    data = telegram(case)
    if not data.isascii():
        return  # parity bits are the line's, not the frame's
    for frame in decode(data):
        assert frame.frame is not None
        raw = data[frame.layers[0].start :][: frame.layers[0].length]
        assert raw.endswith(encode(frame.frame))


class Ear(Connection):
    """A connection that hears everything, whatever was said before."""

    def _move(self, *_: object) -> None:
        pass


@each_good_case
def test_a_vector_is_heard_one_byte_at_a_time(case: Case) -> None:
    data = telegram(case)
    wanted = [frame.frame for frame in decode(data)]
    ear = Ear("meter")
    ear.state = "identified" if data[:2] == b"\x060" or data[:2] == b"\x062" else "idle"
    pushed = any(isinstance(event, PlainData) for event in wanted)
    found: list[object] = []
    for byte in data:
        ear.receive_data(bytes([byte]))
        while (event := ear.next_event()) is not NEED_DATA:
            found.append(event)
            if pushed:
                ear.state = "pushing"  # such data is data only behind an identification
    # The line of a read-out is a frame of its own to a connection.
    assert [event for event in found if event in wanted] == wanted
    assert all(isinstance(event, Identification) for event in found if event not in wanted)


@each_good_case
@pytest.mark.parametrize("trailing", [b"\r\n", b"\x00\x7f", b"hello", b"\x02"])
def test_what_follows_a_vector_changes_nothing_in_it(case: Case, trailing: bytes) -> None:
    data = telegram(case)
    if case["class"] == "identification" and trailing == b"\x02":
        return  # that is the begin of its read-out
    alone, followed = decode(data), decode(data + trailing)
    assert [frame.records for frame in followed[: len(alone)]] == [frame.records for frame in alone]
    assert all(frame.valid for frame in followed[: len(alone)])
    assert all(not frame.valid and frame.errors for frame in followed[len(alone) :])
    assert (len(followed) > len(alone)) == (trailing in (b"hello", b"\x02"))


def test_there_are_vectors_of_our_own() -> None:
    assert sum(case["origin"] == "ours" for case in CASES) >= 20


# damage


@pytest.mark.parametrize("size", range(len(READ_OUT)))
def test_a_read_out_cut_anywhere_is_an_error_with_its_place(size: int) -> None:
    frames = decode(READ_OUT[:size])
    line = READ_OUT.index(b"\x02")
    if size in (0, line):
        assert all(frame.valid and not frame.records for frame in frames)
        return
    (frame,) = frames
    assert not frame.valid
    assert frame.errors
    assert all(0 <= problem.offset <= size for problem in frame.errors)
    check_cover(frame)
    assert not frame.records


@pytest.mark.parametrize("place", range(len(READ_OUT)))
def test_a_flipped_byte_never_gives_a_wrong_value(place: int) -> None:
    start = READ_OUT.index(b"\x02")
    for change in range(1, 256):
        data = bytearray(READ_OUT)
        data[place] ^= change
        frames = decode(bytes(data))
        for frame in frames:
            check_cover(frame)
        if all(frame.valid for frame in frames):
            # Only the identification line is outside the block check.
            assert place < start, (place, change)
            assert values(frames) in ([], values(decode(READ_OUT)))
        else:
            assert any(frame.errors for frame in frames if not frame.valid)
            assert [
                record for frame in frames for record in frame.records if record.value not in _right()
            ] == []


def _right() -> set[object]:
    return {record.value for record in RIGHT}


@pytest.mark.parametrize("place", range(READ_OUT.index(b"\x02"), len(READ_OUT)))
def test_a_flipped_byte_of_a_parity_line_never_gives_a_wrong_value(place: int) -> None:
    coded = bytes(byte | (0x80 if byte.bit_count() % 2 else 0) for byte in READ_OUT)
    assert values(decode(coded)) == values(decode(READ_OUT))
    for change in range(1, 256):
        data = bytearray(coded)
        data[place] ^= change
        frames = decode(bytes(data))
        if all(frame.valid for frame in frames):
            # The parity bit of the block check character is nobody's.
            assert place == len(coded) - 1
            assert change == 0x80
            assert values(frames) == values(decode(READ_OUT))


def test_the_next_frame_is_read_after_a_bad_one() -> None:
    bad = bytearray(READ_OUT)
    bad[40] ^= 1
    frames = decode(bytes(bad) + b"noise" + READ_OUT)
    assert [frame.valid for frame in frames] == [False, False, True]
    assert frames[-1].layers[0].start == len(bad) + 5
    assert frames[-1].records == RIGHT


@pytest.mark.parametrize("noise", [b"xyz", b"a/b", b"/", b"/x\n", b"\x06", b"\x02lost"])
def test_noise_in_front_costs_nothing_behind_it(noise: bytes) -> None:
    frames = decode(noise + b"\r\n" + READ_OUT)
    assert values(frames) == values(decode(READ_OUT))


def test_a_line_that_never_ends_swallows_nothing() -> None:
    frames = decode(b"/" + b"x" * 500 + READ_OUT)
    assert values(frames) == values(decode(READ_OUT))


def test_a_line_that_is_no_data_set_costs_only_itself() -> None:
    (frame,) = decode(encode(DataMessage("1.8.0(5*kWh)\r\nHELLO\r\n2.8.0(6*kWh)\r\n!\r\n")))
    assert not frame.valid
    assert [record.value for record in frame.records] == [5, 6]
    assert frame.errors[0].offset == 15
    assert "HELLO" in frame.errors[0].message


def test_lenient_lists_values_whose_check_does_not_fit() -> None:
    bad = READ_OUT[:-1] + bytes([READ_OUT[-1] ^ 1])
    assert decode(bad)[0].records == ()
    lenient = decode(bad, DecodeOptions(lenient=True))[0]
    assert lenient.records == RIGHT
    assert not lenient.valid


def test_a_meters_error_answer_is_valid_and_said_in_words() -> None:
    (frame,) = decode(encode(DataMessage("(ERROR)")))
    assert frame.valid
    assert frame.records == ()
    assert "(ERROR)" in frame.errors[0].message
    assert frame.errors[0].offset == 1


# meaning


def test_the_meter_is_named_by_its_line_and_its_device_address() -> None:
    (frame,) = decode(READ_OUT)
    assert (frame.meter.manufacturer, frame.meter.identification, frame.meter.id) == (
        "PMX",
        "SIM100",
        "00000042",
    )


@pytest.mark.parametrize(
    ("event", "name"),
    [
        (Acknowledge(), "acknowledgement"),
        (Repeat(), "repeat request"),
        (Break(), "break"),
        (Command("P1", "(0)"), "command P1"),
        (DataMessage("a(1)"), "data message"),
    ],
)
def test_every_message_has_a_name(event: Event, name: str) -> None:
    (frame,) = decode(encode(event))
    assert frame.tree is not None
    assert (frame.tree.name, frame.frame, frame.valid) == (name, event, True)


def test_records_are_those_that_collection_makes() -> None:
    start = READ_OUT.index(b"\x02") + 1
    lines = decode_data(READ_OUT[start:-2].decode())
    assert tuple(records(lines, start)) == RIGHT


def test_every_record_points_at_its_bytes() -> None:
    for record in RIGHT:
        assert READ_OUT[record.offset :].startswith(record.raw)
    coded = bytes(byte | (0x80 if byte.bit_count() % 2 else 0) for byte in READ_OUT)
    (frame,) = decode(coded)
    assert {record.layer for record in frame.records} == {1}
    assert [layer.name for layer in frame.layers] == ["input", "parity removed"]


def test_numbers_are_exact() -> None:
    assert RIGHT[1] == Record(
        "1.8.0", Decimal("12345.678"), "kWh", "1-0:1.8.0*255", offset=31, raw=b"1.8.0(012345.678*kWh)"
    )


# detection


@pytest.mark.parametrize("case", [case for case in GOOD if case["class"] != "handshake"], ids=vector_id)
def test_good_telegrams_are_detected(case: Case) -> None:
    assert detect(telegram(case))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n",
        b"\x06",
        b"\x06abc\r\n",
        b"hello",
        b"/",
        b"/abc",
        b"\x02abc",
        b"\x02abc\x03\x00",
        b"\x68\x03\x03\x68\x08\x01\x72\x00\x16",
        b"\x7e\xa0\x08\x02\x03\x93\x11\x7e",
        b"/ISk5\\2MT382-1000\r\n\r\n1-3:0.2.8(50)\r\n!\r\n",
    ],
)
def test_other_bytes_are_not_detected(data: bytes) -> None:
    assert detect(data) is None


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused_and_covered(data: bytes) -> None:
    detect(data)
    frames = decode(data)
    for frame in frames:
        check_cover(frame)
        assert frame.valid or frame.errors
    assert sum(frame.layers[0].length for frame in frames) <= len(data)


HOSTILE = {
    "block starts": lambda size: b"\x02" * size,
    "command starts": lambda size: b"\x01" * size,
    "commands that break off": lambda size: b"\x01R1\x02" * (size // 4),
    "slashes": lambda size: b"/" * size,
    "acknowledgements": lambda size: b"\x06" * size,
    "options": lambda size: b"\x06050\r\n" * (size // 6),
    "padding": lambda size: b"\x00" * size,
    "noise": lambda size: b"x" * size,
    "identifications": lambda size: b"/PMX5\r\n" * (size // 7),
    "pushes that do not end": lambda size: b"/PMX3\r\n\r\n(" * (size // 10),
    "pushes without values": lambda size: b"x/PMX3\r\n\r\n" * (size // 10),
    "pushes without values that end": lambda size: b"/PMX3\r\n\r\n!\r\n" * (size // 12),
    "open brackets": lambda size: b"/PMX3\r\n\r\n" + b"(" * size,
    "read-outs": lambda size: READ_OUT * (size // len(READ_OUT)),
    "read-outs that break off": lambda size: READ_OUT[:-2] * (size // len(READ_OUT)),
    "all but parity": lambda size: b"/PMX5\xb1\r\n" * (size // 8),
    "tiny blocks": lambda size: encode(DataMessage("(1)")) * (size // 6),
    "tiny refusals": lambda size: encode(DataMessage("(ER1)" * (size // 5))),
    "a profile": lambda size: encode(DataMessage(PROFILE + "(1)\r\n" * (size // 5))),
    "headers": lambda size: encode(DataMessage(PROFILE * (size // len(PROFILE)))),
    "times": lambda size: encode(DataMessage("1.6.0(1)" + "(2601311015)" * (size // 12))),
}  # fmt: skip
PROFILE = "P.01(0260131101500)(00)(15)(1)(1.5.0)(kW)\r\n"
hostile = pytest.mark.parametrize("kind", HOSTILE)


@hostile
@pytest.mark.parametrize("explain", [False, True])
def test_work_grows_at_most_linearly_with_the_input(kind: str, explain: bool) -> None:
    small, large = (HOSTILE[kind](size) for size in (1500, 6000))
    first, second = (steps(lambda data=data: decode(data, explain=explain)) for data in (small, large))
    assert first <= 150 * len(small)
    assert second <= 4.5 * first + 500


@pytest.mark.parametrize(
    "kind",
    [
        "slashes", "noise", "padding", "all but parity", "open brackets", "tiny refusals", "times",
        "pushes that do not end", "pushes without values",
    ],
)  # fmt: skip
def test_expressions_do_not_look_at_everything_again_and_again(kind: str) -> None:
    data = HOSTILE[kind](300_000)
    with finishes():
        detect(data)
        decode(data, explain=False)


def test_rubbish_is_one_bad_message_and_what_follows_is_read() -> None:
    rubbish = b"/////\x02\x02\x01/x\x02xyz"
    first, second, third = decode(READ_OUT + rubbish + READ_OUT)
    assert (first.valid, second.valid, third.valid) == (True, False, True)
    assert second.layers[0].length == len(rubbish)
    assert third.records == first.records
    assert [frame.valid for frame in decode(rubbish)] == [False]


def test_a_read_out_that_breaks_off_keeps_the_name_of_no_other() -> None:
    first, second = decode(READ_OUT[:40] + READ_OUT)
    assert (first.valid, first.records) == (False, ())
    assert (second.valid, second.records) == (True, RIGHT)
    assert second.meter.identification == "SIM100"


@pytest.mark.parametrize("head", ["", "/PMX5SIM100\r\n", "\r\n/PMX5SIM100\n"])
@pytest.mark.parametrize("end", ["", "!\n", "!\r\n\r\n "])
def test_lines_from_a_screen_are_listed_if_asked_for_and_never_valid(head: str, end: str) -> None:
    pasted = (head + LINES.removesuffix("!\r\n").replace("\r\n", "\n") + end).encode()
    assert detect(pasted)
    (shut,) = decode(pasted)
    assert (shut.valid, shut.records) == (False, ())
    assert "nothing proves these values" in shut.errors[0].message
    (listed,) = decode(pasted, DecodeOptions(lenient=True))
    assert [record.value for record in listed.records] == [record.value for record in RIGHT]
    assert (listed.valid, listed.meter.id) == (False, "00000042")
    check_cover(listed)


@pytest.mark.parametrize("text", ["f(x) {", "no values", "/PMX5SIM100\r\n", "(1)(2", "1.8.0(1)\r\nand more"])
def test_other_texts_are_no_lines_of_a_read_out(text: str) -> None:
    assert "lines of a read-out" not in (detect(text.encode()) or "")


@pytest.mark.parametrize(
    "unit", ["(1)", "1.8.0(1*kWh)\n", "/PMX5SIM100\r\n", "a\r\n", "\n", "(", "1.8.0(1)/"]
)
def test_long_texts_take_linear_work(unit: str) -> None:
    work = [steps(lambda size=size: decode(unit.encode() * size)) for size in (200, 400)]
    assert work[1] < 2.5 * work[0] + 2000
