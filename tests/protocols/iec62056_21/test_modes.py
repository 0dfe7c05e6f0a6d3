"""Modes A, B, D and E from both ends, and what a reader may do with the meter's offer."""

from collections.abc import Iterator

import pytest

from polymeter.protocols.iec62056_21 import (
    Connection,
    DataMessage,
    DataSet,
    HandOver,
    Identification,
    Meter,
    Options,
    PlainData,
    decode,
    encode,
    mode_of,
    push,
    read_out,
    receive_push,
    serve,
    sign_on,
    start_mode_e,
    without_option,
)
from polymeter.protocols.procedure import Pause, Procedure, Receive, Send, SetLine, relay
from polymeter.protocols.wire import (
    NEED_DATA,
    AccessDenied,
    LocalProtocolError,
    RemoteProtocolError,
    TimedOut,
    TransportError,
)
from polymeter.transports.simulated import run_simulated
from tests.conversations import Shell, each_shell, without_line

REGISTERS = {"1.8.0": DataSet("1.8.0", "000123.456", "kWh"), "F.F": DataSet("F.F", "00")}
SERIAL = Options(switches_baud=True, answer_timeout_s=3)


def meter(baud: str = "5", escapes: str = "") -> Meter:
    return Meter(Identification("PMx", baud, "SIM100", escapes), lambda: REGISTERS)


def whole(options: Options = SERIAL) -> Procedure[DataMessage]:
    """Sign on and read out."""
    connection = Connection("reader")
    identification = yield from sign_on(connection, options)
    return (yield from read_out(connection, identification, options))


def lines(procedure: Procedure[object], told: list[SetLine]) -> Procedure[object]:
    """Note each switch of the line."""

    def perform(step: object) -> Iterator[object]:
        if isinstance(step, SetLine):
            told.append(step)
        return (yield step)

    return relay(procedure, perform)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("baud", "escapes", "mode"),
    [
        (" ", "", "A"),
        ("Z", "", "A"),
        ("A", "", "B"),
        ("I", "", "B"),
        ("0", "", "C"),
        ("9", "@", "C"),
        ("5", "2", "E"),
    ],
)
def test_the_identification_tells_the_mode(baud: str, escapes: str, mode: str) -> None:
    assert mode_of(Identification("PMX", baud, "x", escapes)) == mode


@each_shell
@pytest.mark.parametrize("baud", [" ", "A", "E", "F", "5"])
def test_a_read_out_comes_in_modes_a_b_and_c(shell: Shell, baud: str) -> None:
    message = shell(whole(), serve(meter(baud), reaction_s=0.03))
    assert message.data.startswith("1.8.0(000123.456*kWh)\r\n")


@pytest.mark.parametrize(("baud", "rates"), [(" ", [300]), ("C", [300, 2400]), ("5", [300, 9600])])
def test_the_line_is_switched_as_the_mode_asks(baud: str, rates: list[int]) -> None:
    told: list[SetLine] = []
    run_simulated(lines(whole(), told), serve(meter(baud), reaction_s=0.03))  # type: ignore[arg-type]
    assert [line.baud for line in told] == rates


def test_a_reserved_rate_of_mode_b_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="reserved"):
        run_simulated(whole(), serve(meter("H")))


def test_a_lower_rate_than_the_offer_may_be_chosen() -> None:
    told: list[SetLine] = []
    run_simulated(
        lines(whole(Options(switches_baud=True, baud="3")), told), serve(meter("5"), reaction_s=0.03)
    )  # type: ignore[arg-type]
    assert [line.baud for line in told] == [300, 2400]


def test_an_offer_may_be_left_unanswered() -> None:
    told: list[SetLine] = []
    reading = lines(whole(without_option(Options(switches_baud=True, answer_timeout_s=8))), told)
    outcome = run_simulated(reading, serve(meter("5"), option_wait_s=2.2))  # type: ignore[arg-type]
    assert [line.baud for line in told] == [300]
    assert outcome.result.data.startswith("1.8.0")  # type: ignore[attr-defined]
    assert outcome.seconds > 2.2


def test_a_meter_that_ignores_the_option_is_read_at_the_rate_it_had() -> None:
    def stubborn() -> Procedure[None]:
        yield SetLine(300, 7, "E")
        yield Receive(60)
        yield Send(encode(Identification("PMX", "5", "SIM100")))
        yield Receive(60)
        yield Send(encode(DataMessage("1.8.0(1)\r\n!\r\n")))
        yield Receive(60)

    with pytest.raises((RemoteProtocolError, TimedOut)):
        run_simulated(whole(Options(switches_baud=True, repeats=0)), stubborn())
    assert run_simulated(whole(Options(switches_baud=True, follows_offer=False)), stubborn()).result.data


def test_the_switch_may_be_delayed() -> None:
    waits = []

    def note(step: object) -> Iterator[object]:
        if isinstance(step, Pause):
            waits.append(step.seconds)
        return (yield step)

    run_simulated(
        relay(whole(Options(switches_baud=True, switch_delay_s=0.17)), note), serve(meter(), reaction_s=0.2)
    )  # type: ignore[arg-type]
    assert waits == [0.17]


def test_a_damaged_read_out_of_mode_a_is_asked_for_anew() -> None:
    def damaged_once() -> Procedure[None]:
        good = encode(DataMessage("1.8.0(1)\r\n!\r\n"))
        for block in (good[:-1] + b"\x00", good):
            yield Receive(60)
            yield Send(encode(Identification("PMX", " ", "OLD")))
            yield Send(block)
        yield Receive(60)

    assert run_simulated(whole(Options()), damaged_once()).result.data == "1.8.0(1)\r\n!\r\n"


@pytest.mark.parametrize("baud", [" ", "E"])
def test_a_read_out_without_option_that_stays_damaged_or_away_is_given_up(baud: str) -> None:
    def bad(block: bytes) -> Procedure[None]:
        for _ in range(3):
            yield Receive(60)
            yield Send(encode(Identification("PMX", baud, "OLD")) + block)
        yield Receive(60)

    damaged = encode(DataMessage("1.8.0(1)\r\n!\r\n"))[:-1] + b"\x00"
    with pytest.raises(RemoteProtocolError, match="block check"):
        run_simulated(whole(Options(repeats=2)), bad(damaged))
    with pytest.raises(TimedOut):
        run_simulated(whole(Options(repeats=2, answer_timeout_s=1)), bad(b""))


def test_another_meter_that_answers_in_between_is_an_error() -> None:
    def two() -> Procedure[None]:
        for name in ("ONE", "TWO"):
            yield Receive(60)
            yield Send(encode(Identification("PMX", " ", name)) + b"\x021.8.0(1)\r\n\x03\x00")
        yield Receive(60)

    with pytest.raises(RemoteProtocolError, match=r"another meter answers: .*TWO"):
        run_simulated(whole(Options()), two())


def test_a_meter_of_mode_b_that_is_asked_anew_is_heard_at_its_rate_again() -> None:
    def damaged_once() -> Procedure[None]:
        good = encode(DataMessage("1.8.0(1)\r\n!\r\n"))
        for block in (good[:-1] + b"\x00", good):
            yield SetLine(300, 7, "E")
            yield Receive(60)
            yield Send(encode(Identification("PMX", "E", "OLD")))
            yield SetLine(9600, 7, "E")
            yield Pause(0.2)
            yield Send(block)
        yield Receive(60)

    told: list[SetLine] = []
    assert run_simulated(lines(whole(), told), damaged_once()).result.data  # type: ignore[arg-type, attr-defined]
    assert [line.baud for line in told] == [300, 9600, 300, 9600]


@pytest.mark.parametrize("baud", ["A", "B", "C", "D", "E", "F"])
def test_every_rate_of_mode_b_is_switched_to(baud: str) -> None:
    told: list[SetLine] = []
    run_simulated(lines(whole(), told), serve(meter(baud), reaction_s=0.03))  # type: ignore[arg-type]
    assert [line.baud for line in told] == [300, 600 << "ABCDEF".index(baud)]


# waking


def test_a_sleeping_meter_is_woken_as_long_as_it_takes() -> None:
    heard = []

    def sleeper() -> Procedure[None]:
        yield SetLine(300, 7, "E")
        heard.append((yield Receive(60)))
        yield from serve(meter(), reaction_s=0.03)

    options = Options(switches_baud=True, wake_up=b"\0", wake_up_s=2.2)
    outcome = run_simulated(whole(options), sleeper())
    assert set(heard[0]) == {0}
    assert len(heard[0]) * 10 / 300 == pytest.approx(2.2, abs=0.04)
    assert outcome.seconds > 2.2 + 1.6


def test_a_makers_own_bytes_wake_once() -> None:
    heard = []

    def sleeper() -> Procedure[None]:
        heard.append((yield Receive(60)))
        yield from serve(meter(), reaction_s=0.03)

    run_simulated(whole(Options(wake_up=bytes.fromhex("ff5500"))), sleeper())
    assert heard == [bytes.fromhex("ff5500")]


def test_a_meter_that_slept_on_is_woken_again() -> None:
    heard = []

    def deep_sleeper() -> Procedure[None]:
        for _ in range(4):
            heard.append((yield Receive(60)))  # noqa: PERF401 - it yields
        yield Send(encode(Identification("PMx", "5", "SIM100")))
        yield Receive(60)
        yield Send(encode(DataMessage("1.8.0(1)\r\n!\r\n")))
        yield Receive(60)

    options = Options(wake_up=b"\0" * 65, repeats=1, answer_timeout_s=3)
    assert run_simulated(whole(options), deep_sleeper()).result.data == "1.8.0(1)\r\n!\r\n"
    assert heard == [b"\0" * 65, b"/?!\r\n"] * 2


def test_before_the_request_it_may_be_quiet() -> None:
    quick = run_simulated(whole(Options()), without_line(serve(meter())))
    quiet = run_simulated(whole(Options(quiet_s=0.25)), without_line(serve(meter())))
    assert (quick.seconds, quiet.seconds) == (0, 0.25)


# mode D


def pushed(count: int = 1, options: Options = Options()) -> Procedure[list[tuple[Identification, str]]]:
    connection = Connection("reader")
    found = []
    for _ in range(count):
        found.append((yield from receive_push(connection, options)))  # noqa: PERF401 - it yields
    return found


def pushing(times: int | None = None) -> Procedure[None]:
    return push(Identification("PMX", "3", "PUSH"), lambda: REGISTERS, 0.01, times)


@each_shell
def test_a_push_is_heard_without_a_request(shell: Shell) -> None:
    (found,) = shell(pushed(), pushing(2))
    assert found == (Identification("PMX", "3", "PUSH"), "1.8.0(000123.456*kWh)\r\nF.F(00)\r\n!\r\n")


def test_pushes_follow_each_other() -> None:
    assert len(run_simulated(pushed(3, SERIAL), pushing()).result) == 3


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_push_of_which_only_the_end_is_heard_is_passed_over(cut: int) -> None:
    whole_push = encode(Identification("PMX", "3", "PUSH")) + encode(
        PlainData("1.8.0(1)\r\n2.8.0(2)\r\n!\r\n")
    )

    def late() -> Procedure[None]:
        yield Send(whole_push[cut:])
        yield Send(whole_push)
        yield Receive(60)

    ((identification, data),) = run_simulated(pushed(), late()).result
    assert identification.identification in ("PUSH", "PUSH"[cut - 5 :] if cut < 9 else "PUSH")
    assert data == "1.8.0(1)\r\n2.8.0(2)\r\n!\r\n"


def test_a_push_byte_by_byte_and_with_parity() -> None:
    said = encode(Identification("PMX", "3", "PUSH")) + encode(PlainData("1.8.0(1)\r\n!\r\n"))
    for data in (said, bytes(byte | (0x80 if byte.bit_count() % 2 else 0) for byte in said)):
        connection = Connection("reader")
        events = []
        for byte in data:
            connection.receive_data(bytes([byte]))
            while (event := connection.next_event()) is not NEED_DATA:
                events.append(event)
        assert events == [Identification("PMX", "3", "PUSH"), PlainData("1.8.0(1)\r\n!\r\n")]
        (decoded,) = decode(data)
        assert decoded.valid
        assert [str(record.value) for record in decoded.records] == ["1"]


def test_a_damaged_push_is_passed_over_and_what_never_becomes_one_is_given_up() -> None:
    whole_push = encode(Identification("PMX", "3", "PUSH")) + encode(PlainData("1.8.0(1)\r\n!\r\n"))

    def chatter(last: bytes) -> Procedure[None]:
        yield Send(whole_push[:20] + b"\x02\x03\x00")
        for _ in range(2000 if not last else 3):
            yield Send(encode(Identification("PMX", "3", "PUSH")) + b"\x021\x03\x00")
        yield Send(last)
        yield Receive(60)

    ((_, data),) = run_simulated(pushed(), chatter(whole_push)).result
    assert data == "1.8.0(1)\r\n!\r\n"
    with pytest.raises(RemoteProtocolError, match="no whole push"):
        run_simulated(pushed(), chatter(b""))


def test_silence_instead_of_a_push_ends() -> None:
    def silent() -> Procedure[None]:
        yield Receive(1e6)

    with pytest.raises(TimedOut):
        run_simulated(receive_push(Connection("reader"), timeout_s=30), silent())


@pytest.mark.parametrize("data", ["1.8.0(1)", "1!(2)\r\n!\r\n", "/x\r\n!\r\n", "1.8.0(1)\r\n!", "\x02!\r\n"])
def test_what_is_no_plain_data_is_not_sent(data: str) -> None:
    with pytest.raises(LocalProtocolError):
        encode(PlainData(data))


# mode E


def hdlc_starts(options: Options = SERIAL) -> Procedure[tuple[HandOver, bytes]]:
    """Hand over, then speak as HDLC would."""
    connection = Connection("reader")
    identification = yield from sign_on(connection, options)
    handed = yield from start_mode_e(connection, identification, options)
    assert connection.state in ("handed over", "switching")
    yield Send(b"\x7e\xa0\x07\x03\x21\x93\x0f\x01\x7e")
    return handed, (yield Receive(5))


def echoing() -> Procedure[None]:
    yield Send((yield Receive(5)) + b"\xff")


@each_shell
def test_after_mode_e_the_line_belongs_to_hdlc(shell: Shell) -> None:
    handed, answer = shell(hdlc_starts(), serve(meter("5", "2"), hdlc=echoing))
    assert handed == HandOver(Identification("PMx", "5", "SIM100", "2"), 9600, confirmed=True)
    assert answer == b"\x7e\xa0\x07\x03\x21\x93\x0f\x01\x7e\xff"


def test_both_ends_go_to_eight_bits_without_parity() -> None:
    near: list[SetLine] = []
    far: list[SetLine] = []
    run_simulated(lines(hdlc_starts(), near), lines(serve(meter("4", "2"), hdlc=echoing), far))  # type: ignore[arg-type]
    assert near == [SetLine(300, 7, "E"), SetLine(4800, 8, "N")]
    assert SetLine(4800, 8, "N") in far


def scripted(confirmation: bytes, escapes: str = "2") -> Procedure[None]:
    """A peer that confirms in its own way."""
    yield Receive(60)
    yield Send(encode(Identification("PMX", "5", "X", escapes)))
    assert (yield Receive(60)) == b"\x06252\r\n"
    if confirmation:
        yield Send(confirmation)
    yield Send((yield Receive(60)) + b"!")


@pytest.mark.parametrize(
    ("confirmation", "confirmed"),
    [(b"\x06252\r\n", True), (b"", False), (b"\x00\x7f\x06252\r\n", True), (b"junk", False)],
)
def test_a_missing_confirmation_is_told_and_taken_for_consent(confirmation: bytes, confirmed: bool) -> None:
    handed, answer = run_simulated(hdlc_starts(Options()), scripted(confirmation)).result
    assert handed.confirmed is confirmed
    assert answer.endswith(b"\x7e!")


def test_another_option_than_the_one_chosen_is_a_refusal() -> None:
    with pytest.raises(AccessDenied, match="chooses"):
        run_simulated(hdlc_starts(Options()), scripted(b"\x06242\r\n"))


def test_chatter_in_place_of_a_confirmation_is_heard_out_and_taken_for_consent() -> None:
    def chattering() -> Procedure[None]:
        yield Receive(60)
        yield Send(encode(Identification("PMX", "5", "X", "2")))
        yield Receive(60)
        for _ in range(9):
            yield Send(b"\x15")
        yield Send((yield Receive(60)) + b"!")

    handed, _ = run_simulated(hdlc_starts(Options()), chattering()).result
    assert not handed.confirmed


def test_the_switch_to_hdlc_may_be_delayed_or_left_out() -> None:
    near: list[SetLine] = []
    options = Options(switches_baud=True, switch_delay_s=0.1, follows_offer=False)
    run_simulated(lines(hdlc_starts(options), near), scripted(b"\x06252\r\n"))  # type: ignore[arg-type]
    assert near == [SetLine(300, 7, "E"), SetLine(300, 8, "N")]


@pytest.mark.parametrize("baud", ["7", "A", " "])
def test_a_rate_that_hdlc_does_not_have_is_refused(baud: str) -> None:
    with pytest.raises(LocalProtocolError, match="no baud rate of mode E"):
        next(start_mode_e(Connection("reader"), Identification("PMX", baud, "X", "2")))


def test_mode_e_is_only_for_meters_that_offer_it() -> None:
    with pytest.raises(LocalProtocolError, match="does not offer"):
        run_simulated(hdlc_starts(Options()), serve(meter("5"), reaction_s=0.03))
    forced = Options(forces_mode_e=True)
    assert run_simulated(hdlc_starts(forced), scripted(b"\x06252\r\n", escapes="")).result[0].confirmed


def test_a_closed_line_is_told() -> None:
    def gone() -> Procedure[None]:
        yield Receive(60)
        yield Send(encode(Identification("PMX", "5", "X", "2")))
        yield Receive(60)

    with pytest.raises(TransportError):
        run_simulated(hdlc_starts(Options()), gone())


def test_a_meter_without_hdlc_does_not_confirm() -> None:
    handed = run_simulated(start_of_e(), serve(meter("5", "2"))).result
    assert not handed.confirmed


def start_of_e() -> Procedure[HandOver]:
    connection = Connection("reader")
    identification = yield from sign_on(connection)
    return (yield from start_mode_e(connection, identification))
