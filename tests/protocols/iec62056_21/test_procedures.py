"""What a reader does, over every shell: read out, log in, read, be refused, repeat, give up."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from polymeter.protocols.iec62056_21 import (
    Acknowledge,
    Break,
    Command,
    Connection,
    DataMessage,
    DataSet,
    Event,
    Identification,
    Meter,
    Options,
    Repeat,
    Request,
    break_session,
    choose,
    encode,
    log_in,
    read_out,
    read_value,
    serve,
    sign_on,
    start_programming,
)
from polymeter.protocols.iec62056_21 import procedures as module
from polymeter.protocols.procedure import Outcome, Pause, Procedure, Receive, Send, SetLine, advance
from polymeter.protocols.wire import AccessDenied, RemoteProtocolError, TimedOut, TransportError
from polymeter.transports.simulated import run_simulated
from polymeter.transports.wrappers import Faults, disturb
from tests.conversations import Shell, each_shell

IDENTIFICATION = Identification("PMX", "5", "SIM100")
REGISTERS = {
    "0.0.0": DataSet("0.0.0", "00000007"),
    "1.8.0": DataSet("1.8.0", "000123.456", "kWh"),
    "2.8.0": DataSet("2.8.0", "000000.001", "kWh"),
}
QUICK = Options(answer_timeout_s=5, block_timeout_s=5)
SERIAL = Options(switches_baud=True, acknowledges=True)


def meter(**given: object) -> Meter:
    return Meter(IDENTIFICATION, lambda: REGISTERS, **given)  # type: ignore[arg-type]


def reading_out(options: Options = QUICK) -> Procedure[str]:
    connection = Connection("reader")
    identification = yield from sign_on(connection, options)
    message = yield from read_out(connection, identification, options)
    yield from break_session(connection)
    return message.data


def programming(options: Options, *addresses: str) -> Procedure[list[object]]:
    connection = Connection("reader")
    identification = yield from sign_on(connection, options)
    operand = yield from start_programming(connection, identification, options)
    if options.password is not None:
        yield from log_in(connection, options)
    answers: list[object] = [operand]
    for address in addresses:
        answer = yield from read_value(connection, address, options=options)
        answers.append(answer)
    yield from break_session(connection)
    assert connection.state == "idle"
    return answers


def says(*script: bytes | type[TimedOut] | None) -> Procedure[None]:
    """A far end that answers each piece heard with the next line of a script; `None` is silence."""
    for line in script:
        heard = yield Receive(1e6)
        if not heard:
            return
        if isinstance(line, bytes):
            yield Send(line)
    while (yield Receive(1e6)):
        pass


def simulated(reader: Procedure[object], *script: bytes | None) -> object:
    return run_simulated(reader, says(*script)).result


def damaged(event: Event) -> bytes:
    data = bytearray(encode(event))
    data[-2 if len(data) < 4 else len(data) // 2] ^= 0x10
    return bytes(data)


# over every shell


@each_shell
def test_a_read_out_is_read(shell: Shell) -> None:
    text = shell(reading_out(), serve(meter()))
    assert text == "0.0.0(00000007)\r\n1.8.0(000123.456*kWh)\r\n2.8.0(000000.001*kWh)\r\n!\r\n"


@each_shell
def test_single_values_are_read_in_programming_mode(shell: Shell) -> None:
    options = replace(QUICK, password="open sesame")
    operand, one, other = shell(
        programming(options, "1.8.0", "9.9.9"), serve(meter(password="open sesame", operand="42"))
    )
    assert operand == "42"
    assert [data_set.value for line in one for data_set in line] == ["000123.456"]
    assert other == "the meter answers (ERROR)"


@each_shell
def test_a_wrong_password_is_refused(shell: Shell) -> None:
    with pytest.raises(AccessDenied, match="refuses the password"):
        shell(programming(replace(QUICK, password="wrong")), serve(meter(password="right")))


@each_shell
def test_without_a_password_a_locked_meter_says_no(shell: Shell) -> None:
    _, answer = shell(programming(QUICK, "1.8.0"), serve(meter(password="right")))
    assert answer == "the meter answers (ERROR)"


@each_shell
def test_another_meters_address_is_not_answered(shell: Shell) -> None:
    options = Options(address="99", answer_timeout_s=0.02, repeats=1)
    with pytest.raises(TimedOut, match="no answer from meter '99'"):
        shell(reading_out(options), serve(meter(address="7")))


@each_shell
def test_a_line_that_closes_is_a_failure_of_the_line(shell: Shell) -> None:
    def hangs_up() -> Procedure[None]:
        yield Receive(5)

    with pytest.raises(TransportError, match=r"closed|broke"):
        shell(reading_out(), hangs_up())


@each_shell
@pytest.mark.parametrize("seed", range(3))
def test_over_a_bad_line_the_read_out_is_right_or_not_there(shell: Shell, seed: int) -> None:
    options = Options(answer_timeout_s=0.05, block_timeout_s=0.05, repeats=4)
    faults = Faults(seed, flip=0.2, noise=0.2, split=0.5, cut=0.1)
    try:
        text = shell(disturb(reading_out(options), faults), serve(meter()))
    except (RemoteProtocolError, TransportError):
        return
    assert text == "0.0.0(00000007)\r\n1.8.0(000123.456*kWh)\r\n2.8.0(000000.001*kWh)\r\n!\r\n"


def test_over_very_many_bad_lines_no_read_out_is_wrong() -> None:
    right = whole = 0
    for seed in range(400):
        faults = Faults(seed, lose=0.05, flip=0.2, noise=0.2, split=0.5, cut=0.1, break_=0.01)
        try:
            text = run_simulated(disturb(reading_out(), faults), serve(meter())).result
        except (RemoteProtocolError, TransportError):
            continue
        whole += 1
        right += text == "0.0.0(00000007)\r\n1.8.0(000123.456*kWh)\r\n2.8.0(000000.001*kWh)\r\n!\r\n"
    assert right == whole
    assert whole > 250  # repeats help: without them fewer than half come through


# the serial line


def test_the_baud_rate_is_switched_on_both_ends() -> None:
    done = run_simulated(reading_out(SERIAL), serve(meter(), reaction_s=0.2))
    assert done.result.startswith("0.0.0")
    # 300 Bd for what is said before the switch, 9600 Bd for the read-out.
    assert 1.0 < done.seconds < 3.0


def test_a_slow_rate_may_be_chosen() -> None:
    slow = run_simulated(reading_out(replace(SERIAL, baud="0")), serve(meter(), reaction_s=0.2))
    fast = run_simulated(reading_out(SERIAL), serve(meter(), reaction_s=0.2))
    assert slow.result == fast.result
    assert slow.seconds > fast.seconds + 1


def test_a_reader_that_does_not_switch_reads_rubbish() -> None:
    deaf = replace(SERIAL, opening=SetLine(300, 8, "N"))
    with pytest.raises((RemoteProtocolError, TimedOut)):
        run_simulated(reading_out(deaf), serve(meter(), reaction_s=0.2))


def steps(procedure: Procedure[object], *heard: bytes) -> Iterator[object]:
    """What a procedure does, hearing these answers one after another."""
    answers = iter(heard)
    outcome: bytes | None = None
    while True:
        try:
            step = advance(procedure, outcome)
        except StopIteration:
            return
        yield step
        outcome = next(answers) if isinstance(step, Receive) else b""


def test_the_order_of_a_baud_switch() -> None:
    done = list(steps(reading_out(SERIAL), encode(IDENTIFICATION), encode(DataMessage("1.8.0(1)"))))
    shown = [step for step in done if not isinstance(step, Receive)]
    assert shown == [
        SetLine(300, 7, "E"),
        Send(b"/?!\r\n"),
        Send(b"\x06050\r\n"),
        Pause(0.1),
        SetLine(9600, 7, "E"),
        Send(b"\x06"),
    ]


def test_the_switch_may_be_delayed_by_hand() -> None:
    done = list(
        steps(
            reading_out(replace(SERIAL, switch_delay_s=0.3)),
            encode(IDENTIFICATION),
            encode(DataMessage("a(1)")),
        )
    )
    assert Pause(0.3) in done


def test_a_meter_whose_baud_character_is_unknown_is_read_at_300() -> None:
    done = list(steps(reading_out(), encode(replace(IDENTIFICATION, baud="9")), encode(DataMessage("a(1)"))))
    assert Send(b"\x06000\r\n") in done


# repeats


def test_silence_is_answered_by_asking_again_and_then_given_up() -> None:
    heard: list[bytes] = []

    def deaf() -> Procedure[None]:
        while data := (yield Receive(1e6)):
            heard.append(data)

    with pytest.raises(TimedOut, match="no answer from a meter"):
        run_simulated(reading_out(Options(repeats=2)), deaf())
    assert heard == [b"/?!\r\n"] * 3


def test_half_an_answer_does_not_spoil_the_next() -> None:
    text = simulated(reading_out(), b"/PMX5SI", encode(IDENTIFICATION), encode(DataMessage("1.8.0(5)")))
    assert text == "1.8.0(5)"


def test_a_damaged_identification_is_asked_for_again() -> None:
    assert simulated(reading_out(), b"/PM\r\n", encode(IDENTIFICATION), encode(DataMessage("a(5)"))) == "a(5)"


@pytest.mark.parametrize("bad", [damaged(DataMessage("1.8.0(5)")), b"\x021.8.0(5"], ids=["damaged", "cut"])
def test_a_bad_read_out_is_asked_for_again_by_nak(bad: bytes) -> None:
    heard: list[bytes] = []

    def clumsy() -> Procedure[None]:
        for answer in (encode(IDENTIFICATION), bad, encode(DataMessage("1.8.0(5)"))):
            heard.append((yield Receive(1e6)))
            yield Send(answer)

    assert run_simulated(reading_out(), clumsy()).result == "1.8.0(5)"
    assert heard == [b"/?!\r\n", b"\x06050\r\n", b"\x15"]


def test_a_read_out_that_stays_damaged_is_given_up() -> None:
    bad = damaged(DataMessage("1.8.0(5)"))
    with pytest.raises(RemoteProtocolError, match="block check"):
        simulated(reading_out(), encode(IDENTIFICATION), bad, bad, bad, bad)


def test_our_meter_repeats_what_was_damaged_in_programming_mode() -> None:
    hurt: list[bytes] = []

    def spoil(procedure: Procedure[list[object]]) -> Procedure[list[object]]:
        """Damage the first of every answer that has a block check."""
        step = next(procedure)
        while True:
            data = yield step
            if isinstance(step, Receive) and data[:1] in (b"\x01", b"\x02") and data not in hurt:
                hurt.append(data)
                data = data[:-1] + bytes([data[-1] ^ 1])
            try:
                step = procedure.send(data)
            except StopIteration as stop:
                return stop.value  # type: ignore[no-any-return]

    options = replace(QUICK, password="x")
    operand, answer = run_simulated(
        spoil(programming(options, "1.8.0")), serve(meter(password="x", operand="9"))
    ).result
    assert operand == "9"
    assert answer[0][0].value == "000123.456"
    assert len(hurt) == 2


P0 = encode(Command("P0", "(1)"))
OPEN = (encode(IDENTIFICATION), P0)


@pytest.mark.parametrize("refusal", [encode(Break()), encode(Repeat()), encode(DataMessage("(ER17)"))])
def test_every_refusal_of_a_password_is_access_denied(refusal: bytes) -> None:
    with pytest.raises(AccessDenied) as caught:
        simulated(programming(replace(QUICK, password="secret word")), *OPEN, refusal)
    assert "secret word" not in str(caught.value)


def test_a_refused_password_is_not_tried_again() -> None:
    heard: list[bytes] = []

    def strict() -> Procedure[None]:
        for answer in (*OPEN, encode(Repeat()), encode(Acknowledge())):
            heard.append((yield Receive(1e6)))
            yield Send(answer)

    with pytest.raises(AccessDenied):
        run_simulated(programming(replace(QUICK, password="x")), strict())
    assert len(heard) == 3


def test_no_password_where_one_is_needed_is_access_denied() -> None:
    def logging_in() -> Procedure[None]:
        yield from log_in(Connection("reader"))

    with pytest.raises(AccessDenied, match="give one"):
        simulated(logging_in())


def test_a_meter_without_programming_mode_is_access_denied() -> None:
    with pytest.raises(AccessDenied, match="programming mode"):
        simulated(programming(QUICK), encode(IDENTIFICATION), encode(Break()))


@pytest.mark.parametrize(
    "script",
    [
        (encode(DataMessage("x")),),
        (encode(IDENTIFICATION), encode(Command("P1", "()"))),
        (*OPEN, encode(Command("R1", "()"))),
    ],
)
def test_an_answer_of_the_wrong_kind_is_the_meters_fault(script: Sequence[bytes]) -> None:
    with pytest.raises((RemoteProtocolError, TimedOut)):
        simulated(programming(replace(QUICK, password="x", repeats=0), "1.8.0"), *script)


def test_a_request_that_the_meter_did_not_understand_is_said_again() -> None:
    _, answer = simulated(
        programming(QUICK, "1.8.0"), *OPEN, encode(Repeat()), encode(DataMessage("1.8.0(7)"))
    )  # type: ignore[misc]
    assert answer[0][0].value == "7"


def test_a_request_that_is_never_understood_is_a_refusal() -> None:
    _, answer = simulated(programming(QUICK, "1.8.0"), *OPEN, *[encode(Repeat())] * 3)  # type: ignore[misc]
    assert answer == "the meter does not understand the request for 1.8.0"


def test_a_session_that_the_meter_ends_is_its_fault() -> None:
    with pytest.raises(RemoteProtocolError, match="ends the session"):
        simulated(programming(QUICK, "1.8.0"), *OPEN, encode(Break()))


@pytest.mark.parametrize("given", ["1.8.0", "1-0:1.8.0*255", "1.8.0*01", "0-1:1.8.0", "", "ENERGY", "1.8"])
def test_an_answer_may_name_its_object_in_other_ways(given: str) -> None:
    _, lines = simulated(programming(QUICK, "1.8.0"), *OPEN, encode(DataMessage(f"{given}(7)")))  # type: ignore[misc]
    assert lines[0][0].value == "7"


@pytest.mark.parametrize("given", ["2.8.0", "1.8.1", "1-0:1.7.0*255", "C.1.0"])
def test_an_answer_about_another_object_is_never_a_value(given: str) -> None:
    """As the answer to the request before is, when it comes late."""
    with pytest.raises(RemoteProtocolError, match=r"not about 1\.8\.0"):
        simulated(programming(QUICK, "1.8.0"), *OPEN, encode(DataMessage(f"{given}(7)")))


def test_data_in_place_of_an_identification_an_operand_or_a_read_out_is_an_error() -> None:
    wrong = encode(Command("P1", "(1)"))
    with pytest.raises(RemoteProtocolError, match="operand is expected"):
        simulated(programming(QUICK), OPEN[0], wrong)
    with pytest.raises(RemoteProtocolError, match="data is expected"):
        simulated(programming(QUICK, "1.8.0"), *OPEN, wrong)


@pytest.mark.parametrize("mode", ["6", "9"])
def test_a_manufacturers_mode_may_be_chosen(mode: str) -> None:
    """What is said then is the manufacturer's matter; here the line goes to the rate that was chosen."""

    def chosen() -> Procedure[None]:
        connection = Connection("reader")
        identification = yield from sign_on(connection, SERIAL)
        yield from choose(connection, identification, mode, SERIAL)

    done = list(steps(chosen(), encode(IDENTIFICATION)))
    assert done[-3:] == [Send(f"\x0605{mode}\r\n".encode()), Pause(0.1), SetLine(9600, 7, "E")]


# partial blocks


PARTS = [DataMessage("1.8.0(1)", more=True), DataMessage("(2)", more=True), DataMessage("(3)\r\n")]


def read_parts(*script: bytes | None) -> tuple[list[str], list[bytes]]:
    heard: list[bytes] = []

    def far() -> Procedure[None]:
        for answer in (*OPEN, *script):
            heard.append((yield Receive(1e6)))
            if answer is not None:
                yield Send(answer)
        while data := (yield Receive(1e6)):
            heard.append(data)

    _, lines = run_simulated(programming(QUICK, "1.8.0"), far()).result
    return [data_set.value for line in lines for data_set in line], heard[2:]


R1, ACK, NAK = encode(Command("R1", "1.8.0()")), b"\x06", b"\x15"
GOOD = [encode(part) for part in PARTS]


def test_an_answer_in_blocks_is_put_together() -> None:
    values, heard = read_parts(*GOOD)
    assert values == ["1", "2", "3"]
    assert heard == [R1, ACK, ACK]


def test_a_damaged_block_is_repeated_and_counted_once() -> None:
    values, heard = read_parts(GOOD[0], damaged(PARTS[1]), GOOD[1], GOOD[2])
    assert values == ["1", "2", "3"]
    assert heard == [R1, ACK, NAK, ACK]


def test_silence_between_blocks_begins_the_answer_anew() -> None:
    # Nobody knows whether our ACK or the meter's block was lost: going on could lose or double one.
    values, heard = read_parts(GOOD[0], None, *GOOD)
    assert values == ["1", "2", "3"]
    assert heard == [R1, ACK, R1, ACK, ACK]


def test_silence_between_blocks_is_given_up_in_the_end() -> None:
    with pytest.raises(TimedOut):
        read_parts(GOOD[0], None, GOOD[0], None, GOOD[0], None)


def test_empty_blocks_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_MAX", 20)
    with pytest.raises(RemoteProtocolError, match="more than 20"):
        read_parts(*[encode(DataMessage("", more=True))] * 30)


def test_blocks_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_MAX", 20)
    with pytest.raises(RemoteProtocolError, match="more than 20"):
        read_parts(*[GOOD[1]] * 10)


# leaving


@pytest.mark.parametrize(
    ("state", "said"),
    [("idle", []), ("read out", []), ("entering", [1]), ("asked", [1]), ("partly answered", [1])],
)
def test_a_session_is_ended_where_there_is_one(state: str, said: list[int]) -> None:
    connection = Connection("reader")
    connection.state = state
    assert list(steps(break_session(connection))) == [Send(encode(Break()))] * len(said)
    assert connection.state == "idle"


def test_a_password_is_in_no_repr() -> None:
    assert "hush" not in repr(Options(password="hush"))


def test_events_that_nobody_awaits_are_no_answers() -> None:
    with pytest.raises((RemoteProtocolError, TimedOut)):
        simulated(reading_out(Options(repeats=0)), encode(Request("1")))


def _fails_after(heard: list[bytes]) -> tuple[list[float], str]:
    """How long a read-out waits each time while these pieces come, and how it ends when nothing more does."""
    options = Options(answer_timeout_s=0.3, block_timeout_s=7.0, repeats=0)
    connection = Connection("reader")

    def reading() -> Procedure[object]:
        return (yield from read_out(connection, (yield from sign_on(connection, options)), options))

    procedure, pieces, waits = reading(), list(heard), []
    step = advance(procedure, None)
    with pytest.raises(TimedOut) as caught:
        while True:
            outcome: Outcome = b""
            if isinstance(step, Receive):
                waits.append(step.timeout_s)
                outcome = pieces.pop(0) if pieces else TimedOut(f"nothing came within {step.timeout_s:g} s")
            step = advance(procedure, outcome)
    return waits, str(caught.value)


@pytest.mark.parametrize(
    ("heard", "waits", "message"),
    [
        ([], [0.3], "no answer from a meter: nothing came within 0.3 s"),
        ([b"\xf8\xe0", b"\x9c"], [0.3] * 3, "no answer from a meter: 3 bytes came and no message among them"),
        ([b"/PMX5"], [0.3, 7.0], "a message broke off after 5 characters: nothing more came within 7 s"),
        ([b"/PMX5SIM\r\n"], [0.3] * 2, "PMXSIM said who it is, then no whole answer .* within 0.3 s"),
        (
            [b"/PMX5SIM\r\n", b"\x02a("],
            [0.3, 0.3, 7.0],
            "PMXSIM said .* broke off after 3 characters: .* 7 s",
        ),
    ],
)
def test_silence_noise_and_a_broken_message_are_told_apart(
    heard: list[bytes], waits: list[float], message: str
) -> None:
    waited, told = _fails_after(heard)
    assert waited == waits
    assert re.search(message, told)
