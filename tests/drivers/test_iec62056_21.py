"""What is this family's own: names of bare answers, types, the options of an address, whole sessions."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from polymeter.drivers.faces import driver_for
from polymeter.drivers.iec62056_21 import IEC6205621
from polymeter.protocols.iec62056_21 import (
    Command,
    DataMessage,
    DataSet,
    Identification,
    Meter,
    PlainData,
    encode,
    encode_data,
    push,
    serve,
)
from polymeter.protocols.procedure import Pause, Procedure, Receive, Send, SetLine
from polymeter.protocols.wire import RemoteProtocolError, TimedOut, TransportError
from polymeter.transports.simulated import run_simulated
from tests.conversations import without_line

IDENT = encode(Identification("ISk", "5", "MT174-0001"))
P0, ACK = encode(Command("P0", "()")), b"\x06"


def answers(*script: bytes, heard: list[bytes] | None = None) -> Procedure[None]:
    for line in script:
        data = yield Receive(1e6)
        if heard is not None:
            heard.append(data)
        yield Send(line)
    while (yield Receive(1e6)):
        pass


def test_an_answer_without_a_name_has_the_one_asked_for() -> None:
    driver = driver_for("iec62056-21://h:1?access=programming")
    script = (IDENT, P0, encode(DataMessage("(00012.5*kWh)")), encode(DataMessage("2.8.0(3*kWh)")))
    one, other = run_simulated(driver.read("1.8.0", "2.8.0"), answers(*script)).result
    assert (one.series, one.value, one.unit) == ("1-0:1.8.0*255", Decimal("12.5"), "kWh")
    assert other.series == "1-0:2.8.0*255"


def test_an_empty_answer_gives_no_reading() -> None:
    driver = driver_for("iec62056-21://h:1?access=programming")
    assert run_simulated(driver.read("1.8.0"), answers(IDENT, P0, encode(DataMessage("")))).result == []


def test_the_identification_tells_the_type() -> None:
    driver = driver_for("iec62056-21://h:1")
    run_simulated(driver.read(), answers(IDENT, encode(DataMessage("1.8.0(1*kWh)\r\n!\r\n"))))
    assert driver.meter_type is not None
    assert driver.meter_type.name == "iskraemeco-mt174"


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ("", b"/?!\r\n"),
        ("?address=0007", b"/?0007!\r\n"),
        ("?access=programming", b"\x06051\r\n"),
        ("?speed=3", b"\x06030\r\n"),
        ("?access=programming&argument=1", encode(Command("R1", "1.8.0(1)"))),
        ("?password=p", encode(Command("P1", "(p)"))),
    ],
)
def test_the_parameters_are_said_to_the_meter(parameters: str, said: bytes) -> None:
    heard: list[bytes] = []
    driver = driver_for("iec62056-21://h:1" + parameters)
    programming = "programming" in parameters or "password" in parameters
    data = encode(DataMessage("1.8.0(1*kWh)"))
    script = [IDENT, P0, *([ACK] if "password" in parameters else []), data] if programming else [IDENT, data]
    run_simulated(driver.read("1.8.0"), answers(*script, heard=heard))
    assert said in heard


def test_closing_ends_the_session() -> None:
    driver = driver_for("iec62056-21://h:1?access=programming")

    def whole() -> Procedure[None]:
        yield from driver.open()
        yield from driver.read("1.8.0")
        yield from driver.close()
        yield from driver.close()

    steps: list[object] = []

    def watched() -> Procedure[None]:
        procedure = whole()
        step = next(procedure)
        while True:
            steps.append(step)
            try:
                step = procedure.send((yield step))
            except StopIteration:
                return

    run_simulated(watched(), answers(IDENT, P0, encode(DataMessage("(1)"))))
    assert steps[-1] == Send(encode(Command("B0")))


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ("", "R5 P.01(22601311000;22601311100)"),
        ("&profile_command=R6&season=no", "R6 P.01(2601311000;2601311100)"),
        ("&profile_command=R1&seconds=yes", "R1 P.01(2260131100000;2260131110000)"),
        ("&season=no&seconds=yes", "R5 P.01(260131100000;260131110000)"),
        ("&stamp=start", "R5 P.01(22601310900;22601311100)"),
        ("&zone=Europe/Berlin", "R5 P.01(02601311100;02601311200)"),
    ],
)
def test_a_profile_is_asked_for_as_the_meter_wants_it(parameters: str, said: str) -> None:
    heard: list[bytes] = []
    driver = driver_for("iec62056-21://h:1?answer_timeout=1" + parameters)
    start = datetime(2026, 1, 31, 10, tzinfo=UTC)
    answer = encode(DataMessage("P.01(0260131100000)(00)(60)(1)(1.5.0)(kW)\r\n(1)\r\n"))
    rows = run_simulated(
        driver.read_profile("P.01", start, start.replace(hour=11)), answers(IDENT, P0, answer, heard=heard)
    ).result
    command, _, data = said.partition(" ")
    assert heard[2] == encode(Command(command, data))
    assert len(rows) == ("Berlin" not in parameters)  # 10:00 in Berlin is before the range


# whole sessions

REGISTERS = {
    "F.F": DataSet("F.F", "00000000"),
    "1.8.0": DataSet("1.8.0", "000123.456", "kWh"),
    "1.8.1": DataSet("1.8.1", "000023.456", "kWh"),
    "0.9.1": DataSet("0.9.1", "101500"),
    "0.9.2": DataSet("0.9.2", "260131"),
}
RIGHT = {"1-0:1.8.0*255": "123.456", "1-0:1.8.1*255": "23.456", "1-0:0.9.1*255": "101500",
         "1-0:0.9.2*255": "260131", "0-0:97.97.0*255": "00000000"}  # fmt: skip


def meter(baud: str, password: str | None = None) -> Meter:
    def profile(start: str, end: str) -> tuple[tuple[DataSet, ...], ...]:
        texts = ("P.01", "02601310000", "00", "15", "1", "1.5.0", "kW")
        head = tuple(DataSet("" if number else texts[0], text) for number, text in enumerate(texts[1:]))
        return (head, (DataSet("", "1"),))

    return Meter(
        Identification("PMX", baud, "SIM100"),
        lambda: REGISTERS,
        password=password,
        write=lambda address, value: address in REGISTERS,
        profiles={"P.01": profile},
    )


@pytest.mark.parametrize(("baud", "meters_own"), [(" ", 0), ("E", 0.2), ("5", 0)])
def test_a_read_out_over_tcp_waits_for_nothing_but_answers(baud: str, meters_own: float) -> None:
    """Where a line has no rate of its own there is no reason to pause; only mode B's meter does."""
    done = run_simulated(driver_for("iec62056-21://h:1").read(), without_line(serve(meter(baud))))
    assert {reading.obis: str(reading.value) for reading in done.result} == RIGHT
    assert done.seconds == meters_own


def test_a_session_of_many_calls_over_tcp_waits_for_nothing_but_answers() -> None:
    driver = driver_for("iec62056-21://h:1?password=p")

    def session() -> Procedure[None]:
        yield from driver.read("1.8.0", "9.9.9")
        yield from driver.read_profile("P.01", datetime(2026, 1, 31), datetime(2026, 2, 1))
        yield from driver.clock()
        yield from driver.set_clock(datetime(2026, 1, 31, 12))
        yield from driver.close()

    assert run_simulated(session(), without_line(serve(meter("5", "p")))).seconds == 0


def test_on_a_serial_line_time_goes_by_as_the_standard_has_it() -> None:
    driver = driver_for("iec62056-21+serial:///dev/x")
    done = run_simulated(driver.read(), serve(meter("5"), reaction_s=0.2))
    assert {reading.obis: str(reading.value) for reading in done.result} == RIGHT
    assert 1 < done.seconds < 3


def whole(mode: str) -> tuple[bytes, bytes, IEC6205621]:
    """What a meter of a mode says: at once, and when its offer is acknowledged."""
    baud = {"A": " ", "B": "E", "C": "5", "D": "3"}[mode]
    line = encode(Identification("PMX", baud, "SIM100"))
    data = encode_data(tuple((each,) for each in REGISTERS.values()))
    driver = driver_for(f"iec62056-21://h:1?repeats=0&answer_timeout=1&push_timeout=1&mode={mode}")
    assert isinstance(driver, IEC6205621)
    if mode == "D":
        return line + encode(PlainData(data)), b"", driver
    block = encode(DataMessage(data))
    return (line, block, driver) if mode == "C" else (line + block, b"", driver)


@pytest.mark.parametrize("ends", [TimedOut, TransportError], ids=["silence", "closed"])
@pytest.mark.parametrize("mode", ["A", "B", "C", "D"])
def test_a_read_out_cut_at_any_byte_gives_no_value(mode: str, ends: type[Exception]) -> None:
    """Whether the line then falls silent or closes, in every mode."""
    first, second, _ = whole(mode)
    everything = first + second

    def cut(size: int) -> Procedure[None]:
        if mode != "D":
            yield Receive(60)
        if size <= len(first) or not second:
            yield Send(everything[:size])
        else:
            yield Send(first)
            yield Receive(60)
            yield Send(everything[len(first) : size])
        if ends is TimedOut:
            while (yield Receive(1e6)):
                pass

    for size in range(len(everything)):
        with pytest.raises(ends):
            run_simulated(whole(mode)[2].read(), cut(size))
    found = run_simulated(whole(mode)[2].read(), cut(len(everything))).result
    assert {reading.obis: str(reading.value) for reading in found} == RIGHT


@pytest.mark.parametrize("mode", ["A", "C"])
def test_a_flipped_bit_at_any_byte_of_the_data_gives_no_value(mode: str) -> None:
    first, second, _ = whole(mode)
    everything, start = first + second, (first + second).index(b"\x02") + 1

    def flipped(place: int) -> Procedure[None]:
        data = bytearray(everything)
        data[place] ^= 1
        yield Receive(60)
        yield Send(bytes(data[: len(first)]))
        if second:
            yield Receive(60)
            yield Send(bytes(data[len(first) :]))
        while (yield Receive(1e6)):
            pass

    for place in range(start, len(everything)):
        with pytest.raises((RemoteProtocolError, TimedOut)):
            run_simulated(whole(mode)[2].read(), flipped(place))


def test_of_pushes_whole_ones_are_read_whenever_one_begins_to_listen() -> None:
    driver = driver_for("iec62056-21://h:1?mode=D")
    far = push(Identification("PMX", "3", "PUSH"), lambda: REGISTERS, 10.0)
    done = run_simulated(driver.read(), without_line(far))
    assert {reading.obis: str(reading.value) for reading in done.result} == RIGHT


def test_the_series_that_a_meter_has_are_listed_once() -> None:
    driver = driver_for("iec62056-21://h:1")
    twice = encode(DataMessage("1.8.0(1*kWh)\r\n1.8.0(1*kWh)\r\n2.8.0(1*kWh)\r\n!\r\n"))
    assert run_simulated(driver.objects(), answers(IDENT, twice)).result == ["1-0:1.8.0*255", "1-0:2.8.0*255"]


def test_an_object_that_the_read_out_does_not_have_is_refused_by_name() -> None:
    driver = driver_for("iec62056-21://h:1")
    data = encode(DataMessage("1.8.0(1*kWh)\r\n!\r\n"))
    (refused,) = run_simulated(driver.read("2.8.0"), answers(IDENT, data)).result
    assert (refused.series, refused.value, refused.error) == (
        "1-0:2.8.0*255",
        None,
        "the read-out has no 2.8.0",
    )


@pytest.mark.parametrize(
    ("data", "clock"),
    [
        ("0.9.1(101500)\r\n0.9.2(260131)\r\n", datetime(2026, 1, 31, 10, 15)),
        ("0.9.4(260131101500)\r\n", datetime(2026, 1, 31, 10, 15)),
        ("1.0.0(0260131101500)\r\n", datetime(2026, 1, 31, 10, 15, fold=1)),
        ("1-0:0.9.1*255(10:15:00)\r\n1-0:0.9.2*255(26-01-31)\r\n", datetime(2026, 1, 31, 10, 15)),
    ],
)
def test_a_clock_is_found_in_the_read_out(data: str, clock: datetime) -> None:
    driver = driver_for("iec62056-21://h:1")
    found = run_simulated(driver.clock(), answers(IDENT, encode(DataMessage(data + "!\r\n")))).result
    assert (found, found.fold) == (clock, clock.fold)


def test_a_clock_that_the_meter_does_not_show_is_an_error() -> None:
    driver = driver_for("iec62056-21://h:1?access=programming")
    refused = [encode(DataMessage("(ERROR)"))] * 5
    with pytest.raises(RemoteProtocolError, match="shows no clock"):
        run_simulated(driver.clock(), answers(IDENT, P0, *refused))


def test_what_an_execution_answers_is_read() -> None:
    driver = driver_for("iec62056-21://h:1?access=programming")
    assert isinstance(driver, IEC6205621)
    script = (IDENT, P0, encode(DataMessage("C003(1)(2*kWh)")), ACK)

    def both() -> Procedure[list[list[object]]]:
        answered = yield from driver.execute("C003(7)")
        nothing = yield from driver.execute("C003(8)", "E2")
        return [list(answered), list(nothing)]

    (first, second), nothing = run_simulated(both(), answers(*script)).result
    assert (str(first.value), str(second.value), second.unit) == ("1", "2", "kWh")  # type: ignore[attr-defined]
    assert nothing == []


def test_an_answer_about_another_object_is_no_reading() -> None:
    """A meter that answers late answers the request before: nobody may take that for this one's."""
    driver = driver_for("iec62056-21://h:1?access=programming&repeats=0")
    with pytest.raises(RemoteProtocolError, match=r"about 1\.8\.0, not about 2\.8\.0"):
        run_simulated(driver.read("2.8.0"), answers(IDENT, P0, encode(DataMessage("1.8.0(7*kWh)"))))


def test_a_row_past_the_calendars_end_is_kept_without_a_time() -> None:
    driver = driver_for("iec62056-21://h:1?access=programming")
    text = "P.01(99991231234500)(00)(15)(1)(1.5.0)(kW)\r\n(1)\r\n(2)\r\n"
    rows = run_simulated(
        driver.read_profile("P.01", datetime(9999, 12, 31), datetime(9999, 12, 31, 23, 59)),
        answers(IDENT, P0, encode(DataMessage(text))),
    ).result
    assert [(row.timestamp, str(row.readings[0].value)) for row in rows] == [
        (datetime(9999, 12, 31, 23, 45), "1"),
        (None, "2"),
    ]


@pytest.mark.parametrize(
    ("address", "before"),
    [
        ("iec62056-21+serial:///dev/x", [SetLine(300, 7, "E"), Pause(0.2)]),
        ("iec62056-21+serial:///dev/x?quiet=0.5&baud=2400", [SetLine(2400, 7, "E"), Pause(0.5)]),
        ("iec62056-21+rfc2217://h:1?quiet=0", [SetLine(300, 7, "E")]),
        ("iec62056-21://h:1", []),
        ("iec62056-21://h:1?quiet=0.1", [Pause(0.1)]),
    ],
)
def test_on_a_serial_line_it_is_quiet_before_the_request(address: str, before: list[object]) -> None:
    reading = driver_for(address).read()
    steps = []
    while not isinstance(step := next(reading), Send):
        steps.append(step)
    assert (steps, step.data) == (before, b"/?!\r\n")


def test_a_read_out_without_a_clock_says_what_to_do() -> None:
    driver = driver_for("iec62056-21://h:1")
    with pytest.raises(RemoteProtocolError, match="access=programming"):
        run_simulated(driver.clock(), answers(IDENT, encode(DataMessage("1.8.0(1)\r\n!\r\n"))))
