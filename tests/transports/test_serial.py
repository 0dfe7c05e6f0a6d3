"""Pseudo-terminal pairs and RFC 2217, blocking and asyncio."""

import asyncio
import contextlib
import os
import select
import sys
import termios
import threading
import tty
from collections.abc import Iterator

import pytest

from polymeter.drivers import connect, connect_async
from polymeter.protocols import iec62056_21
from polymeter.protocols.iec62056_21 import DataSet, Identification, Meter
from polymeter.protocols.procedure import Procedure, Receive, Send
from polymeter.protocols.wire import LocalProtocolError, TimedOut, TransportError
from polymeter.transports import serial
from polymeter.transports.runners import run_blocking
from tests.rfc2217 import serial_server

BAUD = {getattr(termios, f"B{rate}"): rate for rate in (300, 2400, 9600, 19200)}


class Far:
    """The other end of a pseudo-terminal, as a `Transport`; remembers the rates of the near end."""

    def __init__(self) -> None:
        self.far, self.near = os.openpty()
        tty.setraw(self.far)
        tty.setraw(self.near)
        self.path = os.ttyname(self.near)
        self.rates: list[int] = []
        self.stopped, self._stop = os.pipe()
        self._switched: tuple[int, int] | None = None

    def send(self, data: bytes) -> None:
        """Send once the near end has switched as this one did: what comes in its midst may be lost."""
        for _ in range(2000):
            now = self._note()
            if self._switched is None or now == self._switched[1] or now != self._switched[0]:
                break
            if select.select([self.stopped], [], [], 0.005)[0]:
                return
        os.write(self.far, data)

    def receive(self, timeout_s: float) -> bytes:
        ready, _, _ = select.select([self.far, self.stopped], [], [], min(timeout_s, 10))
        if not ready:
            raise TimedOut("nothing came")
        if self.stopped in ready:
            return b""
        try:
            data = os.read(self.far, 4096)
        except OSError:
            return b""
        self._note()
        return data

    def _rate(self) -> int:
        return BAUD.get(termios.tcgetattr(self.near)[5], 0)

    def _note(self) -> int:
        rate = self._rate()
        if self.rates[-1:] != [rate]:
            self.rates.append(rate)
        return rate

    def set_line(self, baud: int, bits: int, parity: str) -> None:
        self._switched = self._rate(), baud

    def stop(self) -> None:
        """End whoever waits in `receive`: a descriptor must not be closed under it."""
        os.write(self._stop, b"x")

    def close(self) -> None:
        for end in (self.near, self.far, self.stopped, self._stop):
            with contextlib.suppress(OSError):
                os.close(end)


@pytest.fixture
def far() -> Iterator[Far]:
    end = Far()
    yield end
    end.close()


def settings(end: Far) -> tuple[int, int, bool]:
    """Rate, bits and parity of the near end, as the kernel has them."""
    flags = termios.tcgetattr(end.near)
    bits = {termios.CS7: 7, termios.CS8: 8}[flags[2] & termios.CSIZE]
    return BAUD.get(flags[5], 0), bits, bool(flags[2] & termios.PARENB)


def test_a_blocking_port_talks_and_is_switched(far: Far) -> None:
    line = serial.connect(far.path, 300, 8, "N")
    line.send(b"hello")
    assert far.receive(1) == b"hello"
    far.send(b"answer")
    assert line.receive(1) == b"answer"
    with pytest.raises(TimedOut):
        line.receive(0.01)
    line.set_line(9600, 8, "N")
    assert settings(far)[0] == 9600
    line.close()
    line.close()
    with pytest.raises(TransportError):
        line.send(b"x")


def test_an_asyncio_port_talks_and_is_switched(far: Far) -> None:
    async def scenario() -> None:
        line = await serial.connect_async(far.path, 300, 8, "N")
        await line.send(b"hello")
        assert await asyncio.to_thread(far.receive, 1) == b"hello"
        far.send(b"answer")
        assert await line.receive(1) == b"answer"
        with pytest.raises(TimedOut):
            await line.receive(0.01)
        await line.set_line(9600, 8, "N")
        assert settings(far)[0] == 9600
        await line.close()
        await line.close()
        with pytest.raises(TransportError):
            await line.send(b"x")

    asyncio.run(scenario())


def test_what_came_before_a_switch_is_not_lost(far: Far) -> None:
    """The library empties its buffers when it switches; a quick meter has answered by then."""
    line = serial.connect(far.path, 300, 8, "N")
    far.send(b"early ")
    select.select([far.near], [], [], 5)
    line.set_line(9600, 8, "N")
    far.send(b"late")
    assert line.receive(1) == b"early "
    assert line.receive(1) == b"late"
    line.close()

    async def scenario() -> bytes:
        line = await serial.connect_async(far.path, 300, 8, "N")
        far.send(b"early")
        select.select([far.near], [], [], 5)
        await line.set_line(9600, 8, "N")
        heard = await line.receive(1)
        await line.close()
        return heard

    assert asyncio.run(scenario()) == b"early"


@pytest.mark.parametrize("path", ["/dev/no-such-port", "/dev/null", "/"])
def test_a_port_that_cannot_be_opened_is_a_failure_of_the_line(path: str) -> None:
    with pytest.raises(TransportError, match="cannot open"):
        serial.connect(path, 9600)
    with pytest.raises(TransportError, match="cannot open"):
        asyncio.run(serial.connect_async(path, 9600))


def test_a_port_that_is_unplugged_is_a_failure_of_the_line(far: Far) -> None:
    line = serial.connect(far.path, 300)
    os.close(far.far)
    with pytest.raises(TransportError):
        line.receive(1)
    line.close()


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "serialx", None)
    with pytest.raises(LocalProtocolError, match=r"polymeter\[serial\]"):
        serial.connect("/dev/ttyUSB0", 9600)
    with pytest.raises(LocalProtocolError, match=r"polymeter\[serial\]"):
        asyncio.run(serial.connect_async("/dev/ttyUSB0", 9600))


# a meter at the far end

REGISTERS = {"1.8.0": DataSet("1.8.0", "000123.456", "kWh"), "2.8.0": DataSet("2.8.0", "1", "kWh")}


def meter() -> Procedure[None]:
    subject = Meter(Identification("PMx", "5", "SIM100"), lambda: REGISTERS, password="open")
    return iec62056_21.serve(subject, reaction_s=0.03)


@contextlib.contextmanager
def served(end: Far) -> Iterator[str]:
    thread = threading.Thread(target=run_blocking, args=(meter(), end), daemon=True)
    thread.start()
    # 8N1: a pseudo-terminal has no parity. The reaction time of this meter is 20 ms.
    try:
        yield f"iec62056-21+serial://{end.path}?bits=8&parity=N"
    finally:
        end.stop()
        thread.join()


def test_a_meter_on_a_serial_line_is_read_with_a_baud_switch(far: Far) -> None:
    with served(far) as address, connect(address) as open_meter:
        readings = open_meter.read()
    assert [(reading.series, str(reading.value)) for reading in readings] == [
        ("1-0:1.8.0*255", "123.456"),
        ("1-0:2.8.0*255", "1"),
    ]
    assert far.rates[:2] == [300, 9600]


def test_a_meter_on_a_serial_line_is_read_by_asyncio(far: Far) -> None:
    async def scenario(address: str) -> None:
        async with connect_async(address + "&password=open&speed=3") as open_meter:
            (reading,) = await open_meter.read("1.8.0")
            assert str(reading.value) == "123.456"

    with served(far) as address:
        asyncio.run(scenario(address))
    assert far.rates[:2] == [300, 2400]


def test_the_opening_rate_is_the_addresss_own(far: Far) -> None:
    with served(far) as address, connect(address + "&baud=2400&speed=5") as open_meter:
        open_meter.read()
    assert far.rates[:2] == [2400, 9600]


# RFC 2217


def echo() -> Procedure[None]:
    while data := (yield Receive(30)):
        yield Send(data)


SET_BAUD, SET_BITS, SET_PARITY = 1, 2, 3


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_rfc2217_carries_bytes_and_settings(host: str) -> None:
    shown = f"[{host}]" if ":" in host else host
    every = bytes(range(256))
    with serial_server(echo(), host) as (port, told):
        line = serial.connect(f"rfc2217://{shown}:{port}", 300, 7, "E")
        line.send(every)
        heard = b""
        while len(heard) < 256:
            heard += line.receive(2)
        line.set_line(9600, 7, "E")
        line.close()
    assert heard == every
    assert next(int.from_bytes(value) for kind, value in told if kind == SET_BAUD) == 300
    assert [int.from_bytes(value) for kind, value in told if kind == SET_BAUD][-1] == 9600
    assert (SET_BITS, b"\x07") in told
    assert (SET_PARITY, b"\x03") in told


def test_rfc2217_carries_bytes_and_settings_for_asyncio() -> None:
    async def scenario(port: int) -> bytes:
        line = await serial.connect_async(f"rfc2217://127.0.0.1:{port}", 300, 7, "E")
        await line.send(b"hello")
        heard = await line.receive(2)
        await line.set_line(9600, 7, "E")
        await line.close()
        return heard

    with serial_server(echo()) as (port, told):
        assert asyncio.run(scenario(port)) == b"hello"
    assert [int.from_bytes(value) for kind, value in told if kind == SET_BAUD][-1] == 9600


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_a_meter_behind_rfc2217_is_read_with_a_baud_switch(host: str) -> None:
    with (
        serial_server(meter(), host.strip("[]")) as (port, told),
        connect(f"iec62056-21+rfc2217://{host}:{port}") as open_meter,
    ):
        assert len(open_meter.read()) == 2
    rates = [int.from_bytes(value) for kind, value in told if kind == SET_BAUD]
    assert rates[0] == 300
    assert 9600 in rates


def test_an_rfc2217_server_that_is_not_there_is_a_failure_of_the_line() -> None:
    with serial_server(echo()) as (port, _):
        pass
    with pytest.raises(TransportError, match="cannot open"):
        serial.connect(f"rfc2217://127.0.0.1:{port}", 300)
