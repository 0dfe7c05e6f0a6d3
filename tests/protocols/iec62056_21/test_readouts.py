"""Whole blocks, by their shape: always what the lines one by one give, and never yesterday's value."""

import random
import re
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from polymeter.protocols.iec62056_21 import DataLine, data_records, decode_data, encode_data, records
from polymeter.protocols.iec62056_21 import readouts as module
from polymeter.protocols.wire import RemoteProtocolError
from tests.effort import finishes, steps
from tests.protocols.iec62056_21.strategies import data_lines
from tests.vectors import load_vectors, telegram
from tools.mutations import mutate

READ_OUT = (
    "F.F(00000000)\r\n0.0.0(12345678)\r\n0.9.1(101500)\r\n"
    "1-0:1.8.0*255(001234.5*kWh)\r\n1-0:1.8.1*255(000234.5*kWh)\r\n1.8.2(001000*kWh)\r\n"
    "1.6.1(012.345*kW)(24-03-11 10:15)\r\n"
    "32.7.0(231.4*V)\r\n31.7.0(-01.5*A)\r\n16.7.0(5.*W)\r\n"
    "1.8.0(0000000 kWh)\r\n"
    "!\r\n"
)


def outcome(data: str, strict: bool, offset: int = 0, layer: int = 0) -> object:
    """Records or the error, exactly: a decimal's digits count too."""
    try:
        return repr(data_records(data, offset, layer, strict))
    except RemoteProtocolError as error:
        return str(error), error.offset


def line_by_line(data: str, strict: bool, offset: int = 0, layer: int = 0) -> object:
    try:
        return repr(list(records(decode_data(data, None, offset, strict), offset, layer)))
    except RemoteProtocolError as error:
        return str(error), error.offset


def assert_same(data: str) -> None:
    """Whatever was remembered before, and remembered now."""
    for strict in (True, False, True):
        assert outcome(data, strict, 7, 1) == line_by_line(data, strict, 7, 1)


@pytest.fixture(autouse=True)
def nothing_is_remembered() -> Iterator[None]:
    module._shapes.clear()
    yield
    module._shapes.clear()


LINES = st.lists(
    st.sampled_from(
        [
            *READ_OUT.splitlines(keepends=True),
            "1.8.0(1*kWh)\n", "1.8.0(1*kWh)\r", "1.8.0(1*kWh)", "1.8.0(.5*kWh)\r\n", "1.8.0(1.2.3*kWh)\r\n",
            "1.8.0(.*kWh)\r\n", "1.8.0(12*)\r\n", "1.8.0(12*°C)\r\n", "1.8.0(12*m3/h)\r\n", "(1*kWh)\r\n",
            "1.8.0 (1*kWh)\r\n", "1.8.0(1*kWh)(2*kWh)\r\n", "1.8.0(1*k*Wh)\r\n", "*(1*kWh)\r\n", "\r\n",
            "P.01(0240311101500)(00)(15)(1)(1.5.0)(kW)\r\n", "(0.5)\r\n", "P.01(1*kWh)\r\n", "rubbish\r\n",
            "1.8.0(ERROR)\r\n", "!", "C.1.0(7*kWh)\r\n", "1.8.0(1_0*kWh)\r\n", "1.8.0(1e5*kWh)\r\n",
        ]
    ),
    max_size=12,
).map("".join)  # fmt: skip


@given(LINES | st.text(st.characters(max_codepoint=255), max_size=80))
@example(READ_OUT)
def test_a_block_gives_what_its_lines_give(data: str) -> None:
    assert_same(data)


@given(data_lines)
def test_any_sets_give_what_their_lines_give(lines: tuple[DataLine, ...]) -> None:
    assert_same(encode_data(lines, end=True))


@given(st.data())
def test_no_change_of_a_remembered_block_goes_unseen(data: st.DataObject) -> None:
    """What verifies a block is at stake: without it yesterday's names would get today's values."""
    assert_same(READ_OUT)
    changed = list(READ_OUT)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(changed) - 1))
        changed[place] = data.draw(
            st.sampled_from("0123456789.*()/\r\n!xV²") | st.characters(max_codepoint=255)
        )
    assert_same("".join(changed))
    assert_same(READ_OUT)


@pytest.mark.parametrize("character", "/:;<=>?.,-+0 *()\r\n\x8b\xb2")
def test_no_character_in_the_place_of_another_goes_unseen(character: str) -> None:
    """Among them those next to the digits, and those that differ from a digit in one bit."""
    for place in range(len(READ_OUT)):
        module._shapes.clear()  # a line that was changed before would be read by itself from then on
        data_records(READ_OUT, 7, 1)
        assert_same(READ_OUT[:place] + character + READ_OUT[place + 1 :])


def blocks() -> list[str]:
    """The data of every case of ours and of the further ones: all between two control characters."""
    found = {
        part.decode("latin-1")
        for protocol in ("iec62056-21", "lis200")
        for case in load_vectors(protocol)
        for part in re.split(rb"[\x01-\x06]", telegram(case).translate(bytes(n & 0x7F for n in range(256))))
    }
    return sorted(found)


@pytest.mark.parametrize("data", blocks())
def test_every_case_gives_what_its_lines_give(data: str) -> None:
    assert_same(data)
    seeds = [data.encode("latin-1")]
    for number in range(40):
        assert_same(mutate(random.Random(f"{number}"), seeds).decode("latin-1"))
        assert_same(data)


def test_a_remembered_block_takes_no_step_for_each_line() -> None:
    lines = [f"{number}.8.0(001234.5*kWh)\r\n" for number in range(200)]
    today = "".join(lines) + "!\r\n"
    first = steps(lambda: data_records(today))
    again = steps(lambda: data_records(today.replace("1234", "5678")))
    assert first > len(lines) > 4 * again
    assert_same(today.replace("1234", "9999"))


def test_what_changes_outside_the_numbers_is_read_anew_each_time() -> None:
    assert_same(READ_OUT)
    tomorrow = READ_OUT.replace("001234.5", "001299.9").replace("101500", "235959").replace("03-11", "03-12")
    found = {record.name: record for record in data_records(tomorrow, 7, 1)}
    assert str(found["1-0:1.8.0*255"].value) == "1299.9"
    assert found["0.9.1"].value == "235959"
    assert str(found["1.6.1"].time) == "2024-03-12 10:15:00"
    assert_same(tomorrow)


def test_what_is_remembered_is_bounded() -> None:
    for length in range(1, 500):
        data_records(f"1.8.0({'1' * length}*kWh)\r\n")
    data_records("1.8.0(1*kWh)\r\n" * 10_000)
    assert 0 < len(module._shapes) <= module._SHAPES_MAX
    assert max(length for length, _ in module._shapes) <= module._REMEMBERED_MAX


HOSTILE = {
    "nothing in brackets": "A" * 1_000_000,
    "brackets that open": "(" * 1_000_000,
    "brackets that close": "1.8.0)" * 170_000,
    "no end of line": "1.8.0(1*kWh)" * 85_000,
    "long lines that are almost ordinary": ("1.8.0(" + "1" * 50_000 + "*kWh\r\n") * 20,
    "lines that are almost ordinary": "1.8.0(1*kWh\r\n" * 75_000,
    "ordinary lines": "1.8.0(1*kWh)\r\n" * 70_000,
    "every second line": "1.8.0(1*kWh)\r\n1.8.0(1)\r\n" * 40_000,
    "empty lines": "\n" * 1_000_000,
    "a long number": f"1.8.0({'1' * 1_000_000}*kWh)\r\n",
    "a long number and no unit": f"1.8.0({'1' * 1_000_000}.{'1' * 1_000_000}:)\r\n",
    "a long blank": f"1.8.0(1{' ' * 1_000_000}:)\r\n",
    "a long unit": f"1.8.0(1*{'k' * 1_000_000})\r\n",
    "a long line of sets": "1.8.0" + "(1)" * 300_000,
    "headers": "P.01(0240311101500)(00)(15)(1)(1.5.0)(kW)\r\n" * 20_000,
    "a header with many columns": "P.01(0240311101500)(00)(15)(9999)"
    + "(1)" * 100_000
    + "\r\n"
    + "(1)\r\n" * 9,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_megabyte_of_anything_comes_to_an_end(kind: str) -> None:
    with finishes():
        data_records(HOSTILE[kind], strict=False)
