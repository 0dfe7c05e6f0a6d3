"""The meter's end: what it answers, what it ignores, and that it survives every reader."""

import pytest

from polymeter.protocols.iec62056_21 import (
    Acknowledge,
    Break,
    Command,
    DataMessage,
    DataSet,
    Event,
    Identification,
    Meter,
    OptionSelect,
    Repeat,
    Request,
    decode_data,
    encode,
    serve,
)
from polymeter.protocols.procedure import Pause, Procedure, Receive, Send, SetLine
from polymeter.protocols.wire import TimedOut
from polymeter.transports.simulated import run_simulated

IDENTIFICATION = Identification("PMX", "5", "SIM100")
REGISTERS = {"1.8.0": DataSet("1.8.0", "000123.456", "kWh"), "2.8.0": DataSet("2.8.0", "1", "kWh")}


def meter(**given: object) -> Meter:
    return Meter(IDENTIFICATION, lambda: REGISTERS, **given)  # type: ignore[arg-type]


def after(subject: Meter, *events: Event) -> list[Event]:
    """The answer to the last of these events."""
    answer: list[Event] = []
    for event in events:
        answer = list(subject.answer(event))
    return answer


def talk(subject: Meter, *said: bytes, **given: float) -> list[bytes]:
    """What comes back for each piece said, over a line in simulated time."""

    def reader() -> Procedure[list[bytes]]:
        heard = []
        for piece in said:
            yield Send(piece)
            try:
                heard.append((yield Receive(0.5, gap_s=0.1)))
            except TimedOut:
                heard.append(b"")
        return heard

    return run_simulated(reader(), serve(subject, **given)).result


@pytest.mark.parametrize("address", ["", "7", "0007", "00000007"])
def test_leading_zeros_of_an_address_do_not_count(address: str) -> None:
    assert after(meter(address="007"), Request(address)) == [IDENTIFICATION]


def test_another_address_is_not_answered() -> None:
    assert after(meter(address="7"), Request("8")) == []


def test_the_read_out_has_all_registers_in_order() -> None:
    (message,) = after(meter(), Request(), OptionSelect("0", "5", "0"))
    assert isinstance(message, DataMessage)
    assert [line[0].address for line in decode_data(message.data)] == list(REGISTERS)


def test_the_registers_are_read_when_asked() -> None:
    values = iter("123")
    live = Meter(IDENTIFICATION, lambda: {"a": DataSet("a", next(values))})
    assert after(live, Request(), OptionSelect()) != after(live, Request(), OptionSelect())


@pytest.mark.parametrize(("password", "given", "answer"), [
    ("right", "(right)", Acknowledge()),
    ("right", "(wrong)", Break()),
    ("right", "()", Break()),
    ("", "(x)", Break()),
    ("", "()", Acknowledge()),
    (None, "(anything)", Acknowledge()),
    ("right", None, Break()),
])  # fmt: skip
def test_a_password_is_asked_for_where_there_is_one(
    password: str | None, given: str | None, answer: Event
) -> None:
    assert after(meter(password=password), Request(), OptionSelect("0", "5", "1"), Command("P1", given)) == [
        answer
    ]


def test_nobody_reads_a_locked_register() -> None:
    locked = meter(password="x")
    read = Command("R1", "1.8.0()")
    assert after(locked, Request(), OptionSelect("0", "5", "1"), read) == [DataMessage("(ERROR)")]
    assert after(locked, Command("P1", "(x)"), read) == [DataMessage("1.8.0(000123.456*kWh)")]
    assert after(locked, Request(), OptionSelect("0", "5", "1"), read) == [DataMessage("(ERROR)")]


def test_a_session_unlocks_nobody_elses() -> None:
    shared = meter(password="x")
    mine, theirs = shared.session(), shared.session()
    after(mine, Request(), OptionSelect("0", "5", "1"), Command("P1", "(x)"))
    assert after(mine, Command("R1", "1.8.0()")) != after(theirs, Command("R1", "1.8.0()"))


@pytest.mark.parametrize(
    "command",
    [Command("R1", "9.9.9()"), Command("R1", None), Command("W1", "1.8.0(0)"), Command("R5", "P.01()")],
)
def test_what_it_cannot_do_is_an_error_set(command: Command) -> None:
    assert after(meter(), Request(), OptionSelect("0", "5", "1"), command) == [DataMessage("(ERROR)")]


def test_partial_writes_without_end_are_forgotten() -> None:
    written: list[str] = []
    endless = meter(write=lambda address, value: written.append(value) is None)
    after(endless, Request(), OptionSelect("0", "5", "1"))
    answers = [after(endless, Command("W3", f"1.8.0({n})", more=True)) for n in range(150)]
    assert answers.count([DataMessage("(ERROR)")]) == 1
    assert after(endless, Command("W3", "1.8.0(last)")) == [Acknowledge()]
    assert written[-1] == "last"
    assert len(written) <= 100


def test_a_repeat_gives_the_last_answer_again() -> None:
    repeated = meter()
    said = after(repeated, Request(), OptionSelect())
    assert after(repeated, Repeat()) == after(repeated, Repeat()) == said


def test_a_password_is_in_no_repr() -> None:
    assert "hush" not in repr(meter(password="hush"))


# on the line


def test_a_read_out_on_the_line() -> None:
    identified, data = talk(meter(), b"/?!\r\n", b"\x06050\r\n")
    assert identified == encode(IDENTIFICATION)
    assert data.startswith(b"\x021.8.0(")


def test_a_damaged_command_is_answered_by_nak() -> None:
    answers = talk(
        meter(), b"/?!\r\n", b"\x06051\r\n", b"\x01R1\x021.8.0()\x03\x00", encode(Command("R1", "1.8.0()"))
    )
    assert answers[2:] == [b"\x15", encode(DataMessage("1.8.0(000123.456*kWh)"))]


def test_noise_and_floods_do_not_end_the_service() -> None:
    answers = talk(meter(), b"\xff" * 5000, b"\x02" + b"x" * (1 << 20), b"/?!\r\n")
    assert answers[-1] == encode(IDENTIFICATION)


def test_after_silence_the_session_is_forgotten() -> None:
    def reader() -> Procedure[bytes]:
        yield Send(b"/?!\r\n")
        yield Receive(1)
        yield Send(b"\x06051\r\n")
        yield Receive(1)
        yield Pause(100)
        yield Send(encode(Command("R1", "1.8.0()")))
        try:
            return (yield Receive(1))
        except TimedOut:
            return b"silence"

    assert run_simulated(reader(), serve(meter(), inactivity_s=60)).result == b"silence"


def test_after_the_read_out_it_is_soon_back_at_300_baud() -> None:
    def reader() -> Procedure[bytes]:
        yield SetLine(300, 7, "E")
        yield Send(b"/?!\r\n")
        yield Receive(2, gap_s=0.1)
        yield Send(b"\x06050\r\n")
        yield SetLine(9600, 7, "E")
        yield Receive(2, gap_s=0.5)
        yield Pause(2)
        yield SetLine(300, 7, "E")
        yield Send(b"/?!\r\n")
        return (yield Receive(2, gap_s=0.1))

    assert run_simulated(reader(), serve(meter(), reaction_s=0.2)).result == encode(IDENTIFICATION)


def test_several_requests_in_one_piece_are_all_answered() -> None:
    (both,) = talk(meter(), b"/?!\r\n\x06050\r\n")
    assert both.startswith(encode(IDENTIFICATION) + b"\x02")


def test_the_reaction_time_is_kept() -> None:
    def reader() -> Procedure[None]:
        yield Send(b"/?!\r\n")
        yield Receive(5)

    assert run_simulated(reader(), serve(meter(), reaction_s=0.2)).seconds >= 0.2


def test_a_closed_line_ends_the_service() -> None:
    service = serve(meter())
    assert next(service) == SetLine(300, 7, "E")
    assert isinstance(service.send(b""), Receive)
    with pytest.raises(StopIteration):
        service.send(b"")
