"""Programming mode's commands against a meter, and against scripts that misbehave."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from polymeter.protocols.iec62056_21 import (
    CLOCK_FORMS,
    Acknowledge,
    Break,
    Command,
    Connection,
    DataMessage,
    DataSet,
    Identification,
    Meter,
    Options,
    Repeat,
    break_session,
    clock_commands,
    encode,
    execute,
    log_in,
    read_clock,
    read_data,
    read_profile,
    read_value,
    rows,
    serve,
    set_clock,
    sign_on,
    start_programming,
    write,
)
from polymeter.protocols.procedure import Procedure, Receive, Send
from polymeter.protocols.wire import AccessDenied, LocalProtocolError, RemoteProtocolError, TimedOut
from polymeter.transports.simulated import run_simulated
from tests.conversations import Shell, each_shell

NOW = datetime(2026, 1, 31, 12, 5, 9)
QUICK = Options(repeats=2, answer_timeout_s=1)


class Memory:
    """What a meter holds, and what it was told."""

    def __init__(self) -> None:
        self.values = {"1.8.0": "000123.456", "0.9.1": "120509", "0.9.2": "260131", "C.1.0": "7"}
        self.written: list[tuple[str, str]] = []

    def registers(self) -> dict[str, DataSet]:
        return {name: DataSet(name, value) for name, value in self.values.items()}

    def write(self, address: str, value: str) -> bool:
        self.written.append((address, value))
        known = address in self.values
        if known:
            self.values[address] = value
        return known

    def profile(self, start: str, end: str) -> tuple[tuple[DataSet, ...], ...]:
        self.written.append((start, end))
        texts = ("02601310000", "00", "15", "1", "1.5.0", "kW")
        head = tuple(DataSet("" if number else "P.01", text) for number, text in enumerate(texts))
        return (head, *((DataSet("", str(number)),) for number in range(10)))

    def meter(self, **named: Any) -> Meter:
        return Meter(
            Identification("PMx", "5", "SIM100"),
            self.registers,
            write=self.write,
            profiles={"P.01": self.profile},
            operand="1234",
            **named,
        )


def session(*calls: Callable[[Connection], Procedure[Any]], options: Options = QUICK) -> Procedure[list[Any]]:
    """Enter programming mode, log in if there is a way, make the calls, leave."""
    connection = Connection("reader")
    identification = yield from sign_on(connection, options)
    operand = yield from start_programming(connection, identification, options)
    if options.password is not None or options.answer_operand is not None:
        yield from log_in(connection, options, operand)
    results = []
    for call in calls:
        results.append((yield from call(connection)))  # noqa: PERF401 - it yields
    yield from break_session(connection)
    return results


@each_shell
def test_a_value_is_written_and_read_back(shell: Shell) -> None:
    memory = Memory()
    written, read = shell(
        session(lambda c: write(c, "W1", "C.1.0(42)"), lambda c: read_value(c, "C.1.0")),
        serve(memory.meter()),
    )
    assert written is None
    assert read[0][0].value == "42"


@pytest.mark.parametrize("command", ["W1", "W2", "W5"])
def test_every_write_is_acknowledged(command: str) -> None:
    memory = Memory()
    assert run_simulated(session(lambda c: write(c, command, "C.1.0(1)")), serve(memory.meter())).result == [
        None
    ]
    assert memory.written == [("C.1.0", "1")]


@pytest.mark.parametrize("command", ["W3", "W4"])
def test_a_write_may_go_in_partial_blocks(command: str) -> None:
    memory = Memory()
    blocks = ["C.1.0(1)", "1.8.0(2)", "C.1.0(3)"]
    assert run_simulated(session(lambda c: write(c, command, blocks)), serve(memory.meter())).result == [None]
    assert memory.written == [("C.1.0", "1"), ("1.8.0", "2"), ("C.1.0", "3")]


def test_a_refused_write_is_an_answer() -> None:
    (refused,) = run_simulated(session(lambda c: write(c, "W1", "X(1)")), serve(Memory().meter())).result
    assert refused == "the meter answers (ERROR)"


@pytest.mark.parametrize("command", ["R1", "R2", "R3", "R4", "R6"])
def test_every_read_gives_its_data(command: str) -> None:
    (lines,) = run_simulated(
        session(lambda c: read_data(c, command, "1.8.0()")), serve(Memory().meter())
    ).result
    assert lines[0][0].value == "000123.456"


@each_shell
@pytest.mark.parametrize("command", ["R5", "R6"])
def test_a_profile_comes_whole_or_in_blocks(shell: Shell, command: str) -> None:
    memory = Memory()
    (lines,) = shell(
        session(lambda c: read_profile(c, "P.01", NOW, None, QUICK, command)), serve(memory.meter())
    )
    assert [row.cells[0].data_set.value for row in rows(lines)] == [str(number) for number in range(10)]
    assert memory.written == [("02601311205", "")]


def test_a_profile_that_is_not_there_is_refused() -> None:
    (answer,) = run_simulated(
        session(lambda c: read_profile(c, "P.77", NOW, NOW)), serve(Memory().meter())
    ).result
    assert isinstance(answer, str)


def test_an_execute_may_answer_with_data() -> None:
    def scripted() -> Procedure[None]:
        yield from _entered()
        yield Receive(5)
        yield Send(encode(DataMessage("E(done)")))
        yield Receive(5)

    (answer,) = run_simulated(session(lambda c: execute(c, "E2", "E(1)")), scripted()).result
    assert answer[0][0].value == "done"


# passwords


@each_shell
def test_a_computed_password_is_the_callers(shell: Shell) -> None:
    options = Options(answer_operand=lambda operand: operand[::-1])
    meter = Memory().meter(algorithm=lambda operand: operand[::-1])
    assert len(shell(session(lambda c: read_value(c, "1.8.0"), options=options), serve(meter))) == 1


@pytest.mark.parametrize(
    "options", [Options(answer_operand=lambda _: "wrong"), Options(password="4321"), Options(password="")]
)
def test_a_wrong_answer_to_the_operand_is_refused(options: Options) -> None:
    meter = Memory().meter(algorithm=lambda operand: operand[::-1])
    with pytest.raises(AccessDenied, match="refuses the password"):
        run_simulated(session(options=options), serve(meter))


def test_without_any_password_one_is_asked_for() -> None:
    with pytest.raises(AccessDenied, match="give one"):
        next(log_in(Connection("reader")))


# what is said again, and what is not


def _entered() -> Procedure[None]:
    yield Receive(60)
    yield Send(encode(Identification("PMx", "5", "X")))
    yield Receive(60)
    yield Send(encode(Command("P0", "(1)")))


def scripted(*answers: bytes, heard: list[bytes]) -> Procedure[None]:
    yield from _entered()
    for answer in answers:
        heard.append((yield Receive(60)))
        if answer:
            yield Send(answer)
    while data := (yield Receive(60)):
        heard.append(data)


WRITE = encode(Command("W1", "C.1.0(1)"))
ACK, NAK = encode(Acknowledge()), encode(Repeat())


def test_a_write_that_was_not_understood_is_said_again() -> None:
    heard: list[bytes] = []
    (answer,) = run_simulated(
        session(lambda c: write(c, "W1", "C.1.0(1)", QUICK)), scripted(NAK, ACK, heard=heard)
    ).result
    assert answer is None
    assert heard[:2] == [WRITE, WRITE]


def test_a_write_that_is_never_understood_is_a_refusal() -> None:
    (answer,) = run_simulated(
        session(lambda c: write(c, "W1", "C.1.0(1)", QUICK)), scripted(NAK, NAK, NAK, heard=[])
    ).result
    assert answer == "the meter does not accept W1 C.1.0"


def test_a_write_is_not_repeated_after_silence() -> None:
    heard: list[bytes] = []
    with pytest.raises(TimedOut):
        run_simulated(session(lambda c: write(c, "W1", "C.1.0(1)", QUICK)), scripted(b"", heard=heard))
    assert heard.count(WRITE) == 1


def test_a_damaged_answer_to_a_write_is_asked_for_again() -> None:
    heard: list[bytes] = []
    damaged = encode(DataMessage("(ERROR)"))[:-1] + b"\x00"
    (answer,) = run_simulated(
        session(lambda c: write(c, "W1", "C.1.0(1)", QUICK)), scripted(damaged, ACK, heard=heard)
    ).result
    assert answer is None
    assert heard[:2] == [WRITE, NAK]


def test_a_session_that_ends_on_a_write_is_a_refusal() -> None:
    (answer,) = run_simulated(
        session(lambda c: write(c, "W1", "C.1.0(1)")), scripted(encode(Break()), heard=[])
    ).result
    assert answer == "the meter ends the session on W1 C.1.0"


def test_data_in_place_of_an_acknowledgement_is_an_error() -> None:
    with pytest.raises(RemoteProtocolError, match="ACK is expected"):
        run_simulated(
            session(lambda c: write(c, "W1", "C.1.0(1)")), scripted(encode(DataMessage("C.1.0(1)")), heard=[])
        )
    with pytest.raises(RemoteProtocolError, match="ACK is expected"):
        run_simulated(
            session(lambda c: write(c, "W1", "C.1.0(1)")), scripted(encode(Command("P0", "()")), heard=[])
        )


@pytest.mark.parametrize(("command", "data"), [("R1", "x()"), ("P1", "(1)"), ("W1", [])])
def test_what_neither_writes_nor_executes_is_refused_at_once(command: str, data: str | list[str]) -> None:
    with pytest.raises(LocalProtocolError):
        next(execute(Connection("reader"), command, data))


# the clock


@each_shell
def test_a_clock_is_read_and_set(shell: Shell) -> None:
    memory = Memory()
    later = datetime(2027, 2, 3, 4, 5, 6)
    before, refused, after = shell(
        session(read_clock, lambda c: set_clock(c, later), read_clock), serve(memory.meter())
    )
    assert (before, refused, after) == (NOW, None, later)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"0.9.4": "260131120509"}, NOW),
        ({"1.0.0": "0260131120509"}, NOW),
        ({"0.9.1": "2120509", "0.9.2": "260131"}, NOW.replace(tzinfo=UTC)),
        ({"0.9.1": "what", "0.9.2": "ever"}, "the meter's clock reads ever what"),
        ({}, "the meter shows no clock at 0.9.1 and 0.9.2, 0.9.4 or 1.0.0"),
    ],
)
def test_a_clock_may_stand_elsewhere(values: dict[str, str], expected: object) -> None:
    memory = Memory()
    memory.values = values
    assert run_simulated(session(read_clock), serve(memory.meter())).result == [expected]


def test_midnight_between_date_and_time_is_noticed() -> None:
    memory = Memory()
    dates = iter(["260131", "260201", "260201", "260201"])

    class Turning(Memory):
        def registers(self) -> dict[str, DataSet]:
            self.values["0.9.2"] = next(dates, "260201") if self.values is not None else ""
            return super().registers()

    turning = Turning()
    turning.values = dict(memory.values, **{"0.9.1": "000001"})
    (clock,) = run_simulated(session(read_clock), serve(turning.meter())).result
    assert clock == datetime(2026, 2, 1, 0, 0, 1)


def test_a_meter_that_is_silent_about_its_date_is_asked_for_the_other_forms() -> None:
    heard: list[bytes] = []
    script = [b""] * 3 + [encode(DataMessage("0.9.4(260131120509)"))]
    (clock,) = run_simulated(
        session(lambda c: read_clock(c, options=QUICK)), scripted(*script, heard=heard)
    ).result
    assert clock == NOW
    assert [command.count(b"0.9.2") for command in heard[:4]] == [1, 1, 1, 0]


def test_a_date_without_a_time_of_day_is_no_clock() -> None:
    memory = Memory()
    memory.values = {"0.9.2": "260131", "0.9.4": "260131120509"}
    assert run_simulated(session(read_clock), serve(memory.meter())).result == [NOW]
    del memory.values["0.9.4"]
    assert isinstance(run_simulated(session(read_clock), serve(memory.meter())).result[0], str)


def test_a_clock_that_never_stands_still_is_given_up() -> None:
    class Racing(Memory):
        def registers(self) -> dict[str, DataSet]:
            self.values["0.9.2"] = str(int(self.values["0.9.2"]) + 1)
            return super().registers()

    racing = Racing()
    racing.values["0.9.2"] = "260101"
    assert isinstance(run_simulated(session(read_clock), serve(racing.meter())).result[0], str)


def test_the_forms_of_a_clock_are_the_meter_types() -> None:
    assert clock_commands(CLOCK_FORMS, NOW) == [("W1", "0.9.2(260131)"), ("W1", "0.9.1(120509)")]
    forms = "W5 0.9.1({season}%H%M%S)({password});W5 0.9.2({season}%y%m%d)({password})"
    assert clock_commands(forms, NOW, "pw") == [("W5", "0.9.1(0120509)(pw)"), ("W5", "0.9.2(0260131)(pw)")]
    assert clock_commands("E2 C003(%y%m%d%H%M%S)", NOW.replace(tzinfo=UTC)) == [("E2", "C003(260131120509)")]


@pytest.mark.parametrize("forms", ["", "0.9.1(%H)", "R1 0.9.1()", "W1 0.9.1", "W1 0.9.1({password})"])
def test_a_form_that_is_none_is_refused(forms: str) -> None:
    with pytest.raises(LocalProtocolError):
        clock_commands(forms, NOW)


def test_close_to_midnight_two_writes_are_refused() -> None:
    late = NOW.replace(hour=23, minute=59, second=45)
    with pytest.raises(LocalProtocolError, match="midnight"):
        next(set_clock(Connection("reader"), late))
    memory = Memory()
    memory.values["0.9.4"] = ""
    (refused,) = run_simulated(
        session(lambda c: set_clock(c, late, "W1 0.9.4(%y%m%d%H%M%S)")), serve(memory.meter())
    ).result
    assert refused is None
    assert memory.written == [("0.9.4", "260131235945")]


def test_a_clock_that_cannot_be_set_says_so() -> None:
    memory = Memory()
    memory.values = {"1.8.0": "1"}
    (refused,) = run_simulated(session(lambda c: set_clock(c, NOW)), serve(memory.meter())).result
    assert refused == "the meter answers (ERROR)"
