"""An echo is dropped and nothing else; parity bits come and go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.protocols.procedure import Procedure, Receive, Send, SetLine
from polymeter.protocols.wire import TimedOut
from polymeter.transports.filters import EchoCanceller, ParityBit
from polymeter.transports.simulated import run_simulated
from tests.conversations import Shell, each_shell


def asking(*questions: bytes, wait_s: float = 5) -> Procedure[list[bytes]]:
    """Ask, and hear one answer that ends with a full stop for each question."""
    answers = []
    for question in questions:
        yield Send(question)
        heard = b""
        while not heard.endswith(b"."):
            heard += yield Receive(wait_s)
        answers.append(heard)
    return answers


def head(answers: dict[bytes, bytes], noise: bytes = b"", pieces: int = 1 << 20) -> Procedure[None]:
    """An optical head that repeats what it hears, with noise before it, then the meter's answer."""
    while data := (yield Receive(60)):
        said = noise + data + answers.get(data, b"")
        for at in range(0, len(said), pieces):
            yield Send(said[at : at + pieces])


@each_shell
@pytest.mark.parametrize("noise", [b"", b"\x00", b"\x7f\x00\xff"])
@pytest.mark.parametrize("pieces", [1, 3, 1000])
def test_what_was_sent_is_taken_out_of_what_comes(shell: Shell, noise: bytes, pieces: int) -> None:
    procedure = EchoCanceller()(asking(b"/?!\r\n", b"\x06050\r\n"))
    answers = {b"/?!\r\n": b"/PMX.", b"\x06050\r\n": b"data."}
    assert shell(procedure, head(answers, noise, pieces)) == [b"/PMX.", b"data."]


def test_an_answer_that_begins_like_the_echo_is_whole_on_a_line_without_one() -> None:
    def silent_head() -> Procedure[None]:
        yield Receive(60)
        yield Send(b"/")
        yield Send(b"PMX.")
        yield Receive(60)

    assert run_simulated(EchoCanceller()(asking(b"/?!\r\n")), silent_head()).result == [b"/PMX."]


def test_a_damaged_echo_is_given_on() -> None:
    def damaged() -> Procedure[None]:
        yield Receive(60)
        yield Send(b"/?x\r\n/PMX.")
        yield Receive(60)

    assert run_simulated(EchoCanceller()(asking(b"/?!\r\n")), damaged()).result == [b"/?x\r\n/PMX."]


def test_noise_without_an_echo_is_given_on() -> None:
    def noisy() -> Procedure[None]:
        yield Receive(60)
        yield Send(b"\x00\x7fX.")
        yield Receive(60)

    assert run_simulated(EchoCanceller()(asking(b"/?!\r\n")), noisy()).result == [b"\x00\x7fX."]


def test_silence_after_the_echo_is_silence() -> None:
    with pytest.raises(TimedOut):
        run_simulated(EchoCanceller()(asking(b"/?!\r\n")), head({}))


def test_a_part_of_an_echo_may_have_been_the_answer() -> None:
    def short() -> Procedure[None]:
        yield Receive(60)
        yield Send(b".")
        yield Receive(60)

    assert run_simulated(EchoCanceller()(asking(b".x")), short()).result == [b"."]


def test_an_answer_equal_to_the_question_follows_its_echo() -> None:
    assert run_simulated(EchoCanceller()(asking(b"same.")), head({b"same.": b"same."})).result == [b"same."]


def test_the_echo_of_a_calls_last_words_is_dropped_in_the_next() -> None:
    canceller = EchoCanceller()

    def parting() -> Procedure[None]:
        yield Send(b"bye")

    def calls() -> Procedure[list[bytes]]:
        yield from canceller(parting())
        return (yield from canceller(asking(b"a")))

    assert run_simulated(calls(), head({b"a": b"b."})).result == [b"b."]


@given(
    st.lists(st.binary(min_size=1, max_size=8).filter(lambda data: b"." not in data), min_size=1, max_size=4)
)
def test_any_question_is_taken_out(questions: list[bytes]) -> None:
    answers = dict.fromkeys(questions, b"!answer.")
    found = run_simulated(EchoCanceller()(asking(*questions)), head(answers)).result
    assert found == [b"!answer."] * len(questions)


# parity bits


@pytest.mark.parametrize("parity", ["even", "odd"])
@each_shell
def test_characters_travel_with_their_parity_bit(shell: Shell, parity: str) -> None:
    heard = []

    def meter() -> Procedure[None]:
        data = yield Receive(60)
        heard.append(data)
        yield Send(data)
        yield Receive(60)

    text = bytes(range(0x20, 0x7F)) + b"."
    (answer,) = shell(ParityBit(parity)(asking(text)), meter())
    assert answer == text
    assert all(byte.bit_count() % 2 == (parity == "odd") for byte in heard[0])


def test_eight_bits_end_the_parity_bit() -> None:
    told = []

    def handing_over() -> Procedure[bytes]:
        yield SetLine(300, 7, "E")
        yield Send(b"1")
        yield SetLine(9600, 8, "N")
        yield Send(b"\x7e\x80")
        return (yield Receive(5))

    def meter() -> Procedure[None]:
        told.append((yield Receive(60)))
        told.append((yield Receive(60)))
        yield Send(b"\x81")
        yield Receive(60)

    assert run_simulated(ParityBit()(handing_over()), meter()).result == b"\x81"
    assert told == [b"\xb1", b"\x7e\x80"]
