"""What is this family's own: names of bare answers, types, and the options of an address."""

from decimal import Decimal

import pytest

from polymeter.drivers.faces import driver_for
from polymeter.protocols.iec62056_21 import Command, DataMessage, Identification, encode
from polymeter.protocols.procedure import Procedure, Receive, Send
from polymeter.transports.simulated import run_simulated

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
