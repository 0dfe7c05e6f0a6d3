"""A COSEM meter behind an optical head: signed on in ASCII, read over HDLC, on lines that are switched."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from polymeter import connect
from polymeter.drivers.faces import driver_for
from polymeter.protocols import iec62056_21
from polymeter.protocols.iec62056_21 import DataSet, Identification, Meter
from polymeter.protocols.procedure import Pause, Procedure, Receive, Send, SetLine, relay
from polymeter.protocols.wire import LocalProtocolError, TimedOut
from polymeter.simulators import Settings
from polymeter.simulators.dlms import fleet
from polymeter.transports.runners import run_blocking
from polymeter.transports.simulated import run_simulated
from tests.conversations import without_line
from tests.transports.test_serial import Far

NOW = datetime(2026, 3, 1, 12, 7, 30, tzinfo=UTC)
SERIAL = "dlms+serial:///dev/x?start=mode_e"


def both(baud: str = "5", escapes: str = "2", address: str = "") -> Procedure[None]:
    """One meter with two protocols: its read-out in ASCII, its objects over HDLC."""
    registers = {"1.8.0": DataSet("1.8.0", "1", "kWh")}
    ascii_side = Meter(Identification("PMx", baud, "COMBI", escapes), lambda: registers, address=address)
    return iec62056_21.serve(ascii_side, reaction_s=0.02, hdlc=fleet(Settings(now=lambda: NOW)).serve)


def reading(address: str) -> Procedure[str]:
    driver = driver_for(address)
    yield from driver.open()
    found = yield from driver.read("1-0:1.8.0*255")
    yield from driver.close()
    assert found[0].error is None
    return found[0].unit or ""


def noting(procedure: Procedure[Any], steps: list[object]) -> Procedure[Any]:
    def perform(step: object) -> Procedure[Any]:
        if isinstance(step, Send | SetLine | Pause):
            steps.append(step)
        return (yield step)  # type: ignore[misc]

    return relay(procedure, perform)  # type: ignore[arg-type]


@pytest.mark.parametrize(("baud", "rate"), [("0", 300), ("5", 9600), ("6", 19200)])
def test_the_line_goes_from_ascii_to_hdlc_with_both_ends(baud: str, rate: int) -> None:
    steps: list[Any] = []
    assert run_simulated(noting(reading(SERIAL), steps), both(baud)).result == "Wh"
    assert [step for step in steps if isinstance(step, SetLine)] == [
        SetLine(300, 7, "E"),
        SetLine(rate, 8, "N"),
    ]
    said = [step.data for step in steps if isinstance(step, Send)]
    assert said[:2] == [b"/?!\r\n", f"\x062{baud}2\r\n".encode()]
    assert said[2][:1] == b"\x7e"


@pytest.mark.parametrize(
    ("parameters", "option", "pauses"),
    [("&speed=3", b"\x06232\r\n", []), ("&switch_delay=0.2", b"\x06252\r\n", [Pause(0.2)])],
)
def test_a_lower_rate_and_a_delay_may_be_chosen(parameters: str, option: bytes, pauses: list[Pause]) -> None:
    steps: list[Any] = []
    run_simulated(noting(reading(SERIAL + parameters), steps), both())
    after = steps[steps.index(Send(option)) + 1 :]
    assert after[: len(pauses)] == pauses
    assert after[len(pauses)] == SetLine(2400 if "speed" in parameters else 9600, 8, "N")


def test_behind_a_tcp_gateway_nothing_is_waited_for() -> None:
    address = "dlms://h:1?framing=hdlc&start=mode_e"
    far = iec62056_21.serve(
        Meter(Identification("PMx", "5", "COMBI", "2"), dict), hdlc=fleet(Settings(now=lambda: NOW)).serve
    )
    assert run_simulated(without_line(reading(address)), without_line(far)).seconds == 0


def test_of_several_meters_the_one_with_the_address_is_asked() -> None:
    address = SERIAL + "&device_address=42&answer_timeout=1"
    assert run_simulated(reading(address), both(address="0042")).result == "Wh"
    with pytest.raises(TimedOut, match="no answer from meter '42'"):
        run_simulated(reading(address), both(address="43"))


def test_a_meter_that_does_not_offer_it_may_be_made_to() -> None:
    with pytest.raises(LocalProtocolError, match="does not offer mode E"):
        run_simulated(reading(SERIAL), both(escapes=""))

    def hidden() -> Procedure[None]:
        """Says nothing of HDLC, and speaks it all the same."""
        yield SetLine(300, 7, "E")
        yield Receive(60)
        yield Send(b"/PMx5COMBI\r\n")
        chosen = yield Receive(60)
        yield Send(chosen)
        yield SetLine(9600, 8, "N")
        yield from fleet(Settings(now=lambda: NOW)).serve()

    assert run_simulated(reading(SERIAL + "&offer=force"), hidden()).result == "Wh"


@pytest.mark.parametrize(
    "address",
    [
        "dlms://h:1?start=mode_e",
        "dlms+serial:///dev/x?start=mode_c",
        "dlms+serial:///dev/x?start=mode_e&speed=9",
        "dlms+serial:///dev/x?start=mode_e&offer=ignore",
    ],
)
def test_a_start_that_makes_no_sense_is_refused_at_once(address: str) -> None:
    with pytest.raises(LocalProtocolError):
        driver_for(address)


def test_a_real_pseudo_terminal_is_switched_and_read() -> None:
    far = Far()
    meter = threading.Thread(target=run_blocking, args=(both(), far), daemon=True)
    meter.start()
    try:
        # 8N1 from the start: a pseudo-terminal has no parity.
        with connect(f"dlms+serial://{far.path}?start=mode_e&bits=8&parity=N") as opened:
            (energy,) = opened.read("1-0:1.8.0*255")
    finally:
        far.stop()
        meter.join()
        far.close()
    assert energy.unit == "Wh"
    assert far.rates[:2] == [300, 9600]
