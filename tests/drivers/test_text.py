"""What both text drivers do: profiles, clocks, writes, pushes, sleeping meters, other lines."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from polymeter.drivers import connect
from polymeter.drivers.driver import Row
from polymeter.drivers.text import TextDriver
from polymeter.protocols import iec62056_21
from polymeter.protocols.iec62056_21 import (
    DataMessage,
    DataSet,
    Identification,
    Meter,
    encode,
    serve,
)
from polymeter.protocols.procedure import Pause, Procedure, Receive, Send
from polymeter.protocols.wire import (
    AccessDenied,
    LocalProtocolError,
    RemoteProtocolError,
    TimedOut,
    TransportError,
)
from polymeter.testing import simulated_meter
from polymeter.transports import loopback
from polymeter.transports.runners import run_blocking
from tests.transports.test_serial import Far, settings

NOW = datetime(2026, 1, 31, 12, 7, 30, tzinfo=UTC)
TEN, ELEVEN = NOW.replace(hour=10, minute=0, second=0), NOW.replace(hour=11, minute=0, second=0)


def simulated(protocol: str, **config: object) -> contextlib.AbstractContextManager[str]:
    return simulated_meter(protocol, 3, lambda: NOW, config)


@contextlib.contextmanager
def against(meter: Procedure[None], address: str) -> Iterator[iec62056_21.Connection]:
    """An open meter of ours over a line in memory, whose far end runs `meter`."""
    near, far = loopback.blocking_pair()

    def answer() -> None:
        with contextlib.suppress(TransportError):
            run_blocking(meter, far)
        far.close()

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    try:
        with connect(address, line=near) as opened:
            yield opened  # type: ignore[misc]
    finally:
        near.close()
        thread.join()


# IEC 62056-21


def test_a_load_profile_is_read_as_rows() -> None:
    with simulated("iec62056-21") as address, connect(address + "&zone=UTC") as meter:
        rows = meter.read_profile("P.01", TEN, ELEVEN)
    assert [row.timestamp for row in rows] == [TEN + index * timedelta(minutes=15) for index in range(5)]
    assert all(row.status == "00" for row in rows)
    assert [(reading.series, reading.unit, reading.timestamp) for reading in rows[0].readings] == [
        ("1-0:1.5.0*255", "kW", TEN),
        ("1-0:2.5.0*255", "kW", TEN),
    ]


def test_a_profile_in_partial_blocks_is_the_same() -> None:
    with simulated("iec62056-21") as address:
        found: list[list[Row]] = []
        for command in ("R5", "R6"):
            with connect(f"{address}&zone=UTC&profile_command={command}") as meter:
                found.append(meter.read_profile("P.01", TEN, ELEVEN))
    assert found[0] == found[1]


def test_rows_stamped_at_the_start_are_given_at_the_end() -> None:
    with simulated("iec62056-21") as address, connect(address + "&zone=UTC&stamp=start") as meter:
        rows = meter.read_profile("P.01", TEN, ELEVEN)
    assert [row.timestamp for row in rows][0::4] == [TEN, ELEVEN]


def test_without_a_zone_times_stay_the_meters_own() -> None:
    with simulated("iec62056-21") as address, connect(address) as meter:
        rows = meter.read_profile("P.01", TEN.replace(tzinfo=None), ELEVEN.replace(tzinfo=None))
        assert meter.clock() == NOW.replace(tzinfo=None)
    assert [row.timestamp for row in rows][:1] == [TEN.replace(tzinfo=None)]


def test_a_log_is_read() -> None:
    with simulated("iec62056-21") as address, connect(address + "&zone=UTC") as meter:
        rows = meter.call("read_events", NOW - timedelta(days=3), NOW)
    assert [(row.status, row.readings) for row in rows] == [("0010", ())] * 3


def test_a_profile_that_is_not_there_is_the_meters_error() -> None:
    with (
        simulated("iec62056-21") as address,
        connect(address) as meter,
        pytest.raises(RemoteProtocolError, match="ERROR"),
    ):
        meter.read_profile("P.77", TEN, ELEVEN)


@pytest.mark.parametrize("access", ["readout", "programming"])
def test_a_clock_is_set_and_read(access: str) -> None:
    later = datetime(2027, 2, 3, 4, 5, 6, tzinfo=UTC)
    with simulated("iec62056-21") as address, connect(f"{address}&zone=UTC&access={access}") as meter:
        meter.set_clock(later)
        assert meter.clock() == later


def test_a_clock_is_written_in_the_meters_zone() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    with simulated("iec62056-21") as address, connect(f"{address}&zone=Europe/Berlin") as meter:
        meter.set_clock(NOW)
        assert meter.clock() == NOW
        assert meter.clock().tzinfo == berlin


def test_what_the_meter_refuses_to_write_is_raised() -> None:
    with simulated("iec62056-21") as address, connect(address) as meter:
        with pytest.raises(AccessDenied, match="ERROR"):
            meter.call("write", address="1.8.0", value="0")
        meter.call("write", address="0.9.2", value="270203")
        with pytest.raises(AccessDenied, match="ERROR"):
            meter.call("execute", data="E(1)")


def test_any_read_command_may_be_said() -> None:
    with simulated("iec62056-21") as address, connect(address) as meter:
        (reading,) = meter.call("read_raw", data="1.8.0()", command="R2")
        assert reading.unit == "kWh"
        (refused,) = meter.call("read_raw", data="9.9.9()")
        assert refused.error is not None
        with pytest.raises(LocalProtocolError, match="R1 to R6"):
            meter.call("read_raw", data="1.8.0()", command="W1")


@pytest.mark.parametrize("mode", ["A", "B", "C", "D"])
def test_every_mode_is_read(mode: str) -> None:
    with (
        simulated("iec62056-21", mode=mode, **({"push": 0.05} if mode == "D" else {})) as address,
        connect(address) as meter,
    ):
        assert "1-0:1.8.0*255" in [reading.series for reading in meter.read()]
        assert "1-0:1.8.0*255" in meter.objects()


def test_a_computed_password_is_a_function_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TextDriver.algorithms, "backwards", lambda operand: operand[::-1])
    registers = {"1.8.0": DataSet("1.8.0", "7", "kWh")}
    meter = Meter(
        Identification("PMX", "5", "X"), lambda: registers, operand="1234", algorithm=lambda text: text[::-1]
    )
    with against(serve(meter), "iec62056-21://memory:1?algorithm=backwards") as opened:
        (reading,) = opened.read("1.8.0")  # type: ignore[attr-defined]
    assert str(reading.value) == "7"
    with pytest.raises(LocalProtocolError, match="no algorithm 'other' was registered; there are: backwards"):
        connect("iec62056-21://memory:1?algorithm=other")


@pytest.mark.parametrize(
    "parameter",
    ["zone=Nowhere", "wake_up=yes", "offer=take", "mode=F", "stamp=middle", "profile_command=R7", "season=2",
     "echo=maybe", "parity_bit=mark", "repeats=often"],
)  # fmt: skip
def test_a_parameter_that_makes_no_sense_is_refused_at_once(parameter: str) -> None:
    with pytest.raises(LocalProtocolError, match=parameter.partition("=")[0]):
        connect(f"iec62056-21://memory:1?{parameter}")


def test_a_sleeping_meter_is_woken() -> None:
    heard: list[bytes] = []

    def sleeper() -> Procedure[None]:
        heard.append((yield Receive(5)))
        yield from serve(Meter(Identification("PMX", "5", "X"), lambda: {"1.8.0": DataSet("1.8.0", "7")}))

    address = "iec62056-21://memory:1?wake_up=nul&wake_up_time=0.1&wake_up_pause=0"
    with against(sleeper(), address) as meter:
        assert len(meter.read()) == 1  # type: ignore[attr-defined]
    assert heard == [b"\0" * 3]


def test_what_a_type_knows_counts_once_the_meter_has_said_who_it_is() -> None:
    with against(
        serve(Meter(Identification("LUG", "C", "UH50"), lambda: {"6.8": DataSet("6.8", "7", "kWh")})),
        "iec62056-21://memory:1",
    ) as meter:
        (reading,) = meter.read()  # type: ignore[attr-defined]
        assert meter.driver.meter_type.name == "landisgyr-uh50"  # type: ignore[attr-defined]
    assert (reading.series, reading.quantity) == ("energy", "energy")


# pseudo-terminals: silent, slow, echoing and noisy heads, and a real switch of the rate


@pytest.fixture
def far() -> Iterator[Far]:
    end = Far()
    yield end
    end.close()


@contextlib.contextmanager
def head(end: Far, meter: Procedure[None]) -> Iterator[str]:
    thread = threading.Thread(target=run_blocking, args=(meter, end), daemon=True)
    thread.start()
    try:
        yield f"iec62056-21+serial://{end.path}?bits=8&parity=N&repeats=0"
    finally:
        end.stop()
        thread.join()


REGISTERS = {"1.8.0": DataSet("1.8.0", "000123.456", "kWh")}


def served(baud: str = "5") -> Procedure[None]:
    return serve(Meter(Identification("PMx", baud, "SIM100"), lambda: REGISTERS), reaction_s=0.03)


def through(meter: Procedure[None], disturb: object) -> Procedure[None]:
    """A head between the line and a meter: `disturb` makes what the reader gets of each message."""
    outcome: bytes | TransportError | None = None
    while True:
        try:
            step = next(meter) if outcome is None else meter.send(outcome)  # type: ignore[arg-type]
        except StopIteration:
            return
        if isinstance(step, Send):
            for piece in disturb(b"", step.data):  # type: ignore[operator]
                yield from piece
            outcome = b""
            continue
        try:
            outcome = yield step
        except TimedOut:
            return
        if isinstance(step, Receive):
            for piece in disturb(outcome, b""):  # type: ignore[operator]
                yield from piece


def one(*steps: object) -> Iterator[object]:
    for step in steps:  # noqa: UP028 - a generator is sent outcomes, a tuple's iterator takes none
        yield step


def slow(heard: bytes, said: bytes) -> Iterator[Iterator[object]]:
    for byte in said:
        yield one(Send(bytes([byte])), Pause(0.002))


def echoing(heard: bytes, said: bytes) -> Iterator[Iterator[object]]:
    yield one(Send(b"\x00" + heard if heard else said))


def noisy(heard: bytes, said: bytes) -> Iterator[Iterator[object]]:
    if said:
        yield one(Send(b"\x00\x7f\xffzz" + said))


@pytest.mark.parametrize(
    ("disturb", "more"), [(slow, ""), (echoing, "&echo=yes"), (noisy, "")], ids=["slow", "echoing", "noisy"]
)
def test_a_bad_head_is_read_all_the_same(far: Far, disturb: object, more: str) -> None:
    with head(far, through(served(), disturb)) as address, connect(address + more) as meter:
        (reading,) = meter.read()
    assert str(reading.value) == "123.456"
    assert far.rates[:2] == [300, 9600]


def test_a_silent_head_is_given_up_in_time(far: Far) -> None:
    def silent() -> Procedure[None]:
        while (yield Receive(1e6)):
            pass

    with (
        head(far, silent()) as address,
        connect(address + "&answer_timeout=0.1") as meter,
        pytest.raises(TimedOut, match="no answer from a meter"),
    ):
        meter.read()


def test_a_meter_of_mode_b_switches_the_line_by_itself(far: Far) -> None:
    with head(far, served("E")) as address, connect(address) as meter:
        assert len(meter.read()) == 1
        assert settings(far)[0] == 9600


def test_a_lower_rate_is_chosen_and_another_is_kept(far: Far) -> None:
    with head(far, served()) as address, connect(address + "&speed=3&switch_delay=0.01") as meter:
        assert len(meter.read()) == 1
    assert far.rates[:2] == [300, 2400]


# a modem under the driver


READY = {b"ATE0": b"\r\nOK\r\n", b"ATV1": b"\r\nOK\r\n"}
GREETING = encode(Identification("PMX", "5", "SIM100"))


def modem(dialled: bytes, *answers: bytes, heard: list[bytes]) -> Procedure[None]:
    """A scripted modem: `dialled` answers the dialling, then the meter behind it gives `answers`."""
    said = iter(answers)
    while data := (yield Receive(30)):
        heard.append(data)
        command = data.strip()
        if command.startswith(b"ATD"):
            yield Send(dialled)
        elif command in READY or command == b"ATH":
            yield Send(b"\r\nOK\r\n")
        elif command != b"+++" and (answer := next(said, b"")):
            yield Send(answer)


@contextlib.contextmanager
def modem_server(script: Procedure[None]) -> Iterator[str]:
    """The modem behind a TCP port, and the address that dials through it."""
    import socket

    from polymeter.transports.tcp import TCP

    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            with contextlib.suppress(OSError, TransportError):
                line = TCP(listening.accept()[0])
                try:
                    run_blocking(script, line)
                finally:
                    line.close()

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"iec62056-21+modem://0123?via=tcp://127.0.0.1:{listening.getsockname()[1]}&answer_timeout=2&repeats=0"
        thread.join()


@pytest.fixture
def no_guard_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polymeter.transports.modem.GUARD_S", 0.0)


@pytest.mark.usefixtures("no_guard_time")
def test_a_meter_is_dialled_read_and_hung_up() -> None:
    heard: list[bytes] = []
    block = encode(DataMessage("1.8.0(7*kWh)\r\n!\r\n"))
    with (
        modem_server(modem(b"\r\nCONNECT 9600\r\n", GREETING, block, heard=heard)) as address,
        connect(address) as meter,
    ):
        (reading,) = meter.read()
    assert str(reading.value) == "7"
    assert heard[2] == b"ATD0123\r"
    assert heard[-1] == b"ATH\r"


@pytest.mark.usefixtures("no_guard_time")
@pytest.mark.parametrize(
    ("answer", "said"), [(b"\r\nBUSY\r\n", "busy"), (b"\r\nNO ANSWER\r\n", "nobody answers")]
)
def test_a_number_that_cannot_be_reached_is_told_in_words(answer: bytes, said: str) -> None:
    with (
        modem_server(modem(answer, heard=[])) as address,
        pytest.raises(TransportError, match=said),
        connect(address),
    ):
        pass


@pytest.mark.usefixtures("no_guard_time")
@pytest.mark.parametrize("before", [b"", b"\x021.8.0(00", GREETING[:4]])
def test_a_line_that_drops_is_a_failure_of_the_line(before: bytes) -> None:
    script = modem(b"\r\nCONNECT\r\n", GREETING, before + b"\r\nNO CARRIER\r\n", heard=[])
    with (
        modem_server(script) as address,
        pytest.raises(TransportError, match="lost the carrier"),
        connect(address) as meter,
    ):
        meter.read()
