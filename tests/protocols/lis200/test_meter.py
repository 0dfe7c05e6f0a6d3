"""The device's end says no as the standard's numbers have it."""

import pytest

from polymeter.protocols.iec62056_21 import (
    Acknowledge,
    Command,
    DataMessage,
    Identification,
    OptionSelect,
    Repeat,
    Request,
)
from polymeter.protocols.lis200 import CUSTOMER, Archive, Meter, Object


@pytest.fixture
def meter() -> Meter:
    return Meter(
        Identification("PMx", "5", "GVC"),
        {"2:300": Object(lambda: "7", "m3", "volume")},
        {1: Archive((("1:160", ""),), lambda: [("1",), ("2",), ("3",)])},
        {CUSTOMER: "0"},
        address="12",
    )


def said(meter: Meter, command: str, data: str) -> str:
    (answer,) = meter.answer(Command(command, data))
    assert isinstance(answer, DataMessage)
    return answer.data


@pytest.mark.parametrize(
    ("command", "data", "expected"),
    [
        ("R1", "nonsense(1)", "(#0001)"),
        ("R1", "9:999.0(1)", "(#0002)"),
        ("R1", "9:300.0(1)", "(#0003)"),
        ("R1", "2:300.A(1)", "(#0004)"),
        ("R1", "2:300.4(1)", "(#0005)"),
        ("R1", "2:300.0(1)", "2:300.0(7*m3)"),
        ("R1", "2:300.1(1)", "2:300.1(0)"),
        ("R1", "2:300.2(1)", "2:300.2(volume)"),
        ("R1", "2:300.3(1)", "2:300.3(m3)"),
        ("R1", "4:171.0(1)", "4:171.0(0)"),
        ("R1", "7:V.0(1;;;)", "(#0100)"),
        ("R1", "1:V.0(9;;;)", "(#0101)"),
        ("R1", "1:V.8(1;;;)", "(#0005)"),
        ("R1", "1:V.0(1;7;;)", "(#0104)"),
        ("R1", "1:V.0(1;;0;)", "(#0105)"),
        ("R1", "1:V.A(1;2;;)", "(2)"),
        ("R1", f"1:V.A(1;{'0' * 5000}2;{'9' * 5000};)", "(2)"),
        ("R1", "1:V.A(1;²;;)", "(0)"),
        ("R1", "1:V.4(1;;;)", "(1:160)"),
        ("R1", "1:V.0(1;;;)", "(1)\r\n(2)\r\n(3)"),
        ("W1", "nonsense(1)", "(#0001)"),
        ("W1", "2:300.0", "(#0200)"),
        ("W1", "2:300.0(1)", "(#0009)"),
        ("W1", "4:171.0(9)", "(#0017)"),
        ("W1", "4:170.0(7)", "(#0013)"),
        ("R5", "P.01(;)", "(#0200)"),
    ],
)
def test_every_command_has_its_answer(meter: Meter, command: str, data: str, expected: str) -> None:
    assert said(meter, command, data) == expected


def test_blocks_are_given_one_after_another_and_again(meter: Meter) -> None:
    assert meter.answer(Command("R3", "1:V.0(1;;;2)")) == (DataMessage("(1)\r\n(2)", more=True),)
    assert meter.answer(Repeat()) == (DataMessage("(1)\r\n(2)", more=True),)
    assert meter.answer(Acknowledge()) == (DataMessage("(3)"),)
    assert meter.answer(Acknowledge()) == ()


def test_only_the_one_that_is_asked_for_answers(meter: Meter) -> None:
    assert meter.answer(Request("0012")) == meter.answer(Request("")) == (meter.identification,)
    assert meter.answer(Request("13")) == ()


def test_a_password_is_taken_and_opens_nothing(meter: Meter) -> None:
    assert meter.answer(Command("P1", "(x)")) == (Acknowledge(),)
    assert said(meter, "R1", "4:170.0(1)") == "4:170.0(0)"


def test_the_read_out_has_every_object(meter: Meter) -> None:
    assert meter.answer(OptionSelect("0", "5", "0")) == (DataMessage("2:300.0(7*m3)\r\n!\r\n"),)


def test_a_lock_takes_its_code_and_when_open_a_new_one(meter: Meter) -> None:
    def write(value: str) -> object:
        (answer,) = meter.answer(Command("W1", f"4:171.0({value})"))
        return answer

    assert write("9") == DataMessage("(#0017)")
    assert write("0") == Acknowledge()
    assert write("9") == Acknowledge()
    another = meter.session()
    assert another.answer(Command("W1", "4:171.0(0)")) == (DataMessage("(#0017)"),)
    assert another.answer(Command("W1", "4:171.0(9)")) == (Acknowledge(),)


@pytest.mark.parametrize(
    ("position", "start", "end", "found"),
    [
        ("1", "2", "", ["2", "3"]),
        ("1", "", "2", ["1", "2"]),
        ("1", "002", "0002", ["2"]),
        ("1", "2", "10", ["2", "3"]),
    ],
)
def test_ordinal_numbers_are_compared_as_numbers(
    meter: Meter, position: str, start: str, end: str, found: list[str]
) -> None:
    assert said(meter, "R1", f"1:V.0({position};{start};{end};)") == "\r\n".join(
        f"({each})" for each in found
    )
