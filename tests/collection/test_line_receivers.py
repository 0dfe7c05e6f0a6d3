"""Lines that a receiver opens itself: sticks on serial lines, and gateways that talk to whoever connects."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog

from polymeter.catalogue import decode_frames
from polymeter.collection import Receiver, ReceiverAddress, lines
from polymeter.domain import SimulatedClock
from polymeter.protocols.procedure import Procedure, Receive, Send
from polymeter.protocols.wire import LocalProtocolError, TimedOut
from polymeter.protocols.wmbus import LinkHeader
from polymeter.protocols.wmbus.dongles import DONGLES
from polymeter.protocols.wmbus.meter import Sender
from polymeter.simulators import Settings, simulate
from polymeter.store import Frame, Store
from polymeter.transports import serial
from polymeter.transports.runners import run_blocking
from tests.collection.spooled import kept
from tests.dongles import AMB, CUL, IMST, Stick, plugged_in
from tests.fleet import Fleet
from tests.patience import until
from tests.platform import free_port
from tests.rfc2217 import serial_server
from tests.transports.test_serial import Far
from tests.vectors import load_vectors, telegram

pytestmark = pytest.mark.anyio

LINK = LinkHeader(0x44, "PMX", "12345678", 1, 7)
STICKS: dict[str, type[Stick]] = {"cul": CUL, "amb8465": AMB, "im871a": IMST}


def radio(litres: int) -> bytes:
    return Sender(LINK).telegram(b"\x04\x13" + litres.to_bytes(4, "little"), access_number=litres & 255)


def litres(found: list[Frame]) -> list[int]:
    return [int(decode_frames(frame.payload, "wmbus")[0].readings[0].value * 1000) for frame in found]  # type: ignore[operator, arg-type]


@asynccontextmanager
async def receiving(store: Store, clock: SimulatedClock, fleet: Fleet, text: str) -> AsyncIterator[Receiver]:
    receiver = Receiver(ReceiverAddress.parse(text), fleet.id, store, clock)
    assert await receiver.start() == 0
    try:
        yield receiver
    finally:
        await receiver.close()


@contextmanager
def port(procedure: Procedure[None], link: Path) -> Iterator[Far]:
    """A pseudo-terminal under a name of ours, as udev gives one; at its far end is `procedure`."""
    far = Far()
    link.unlink(missing_ok=True)
    link.symlink_to(far.path)
    thread = threading.Thread(target=run_blocking, args=(procedure, far), daemon=True)
    thread.start()
    try:
        yield far
    finally:
        link.unlink(missing_ok=True)
        far.stop()
        thread.join()
        far.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "_PAUSE_FIRST_S", 0.02)
    monkeypatch.setattr(lines, "_PAUSE_MAX_S", 0.1)


@pytest.mark.parametrize("name", DONGLES)
async def test_a_stick_is_set_up_and_its_telegrams_are_kept_as_it_gives_them(
    store: Store,
    clock: SimulatedClock,
    fleet: Fleet,
    tmp_path: Path,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened: list[int] = []
    whole = serial.connect_async

    async def noting(port: str, baud: int, *more: Any) -> Any:
        opened.append(baud)
        return await whole(port, baud, *more)

    monkeypatch.setattr(serial, "connect_async", noting)
    stick, link = STICKS[name](), tmp_path / "stick"
    sent = [radio(1), radio(2)]
    with port(plugged_in(stick, *sent, before=b"\x00noise"), link):
        text = f"wmbus+serial://{link}?organization=A&dongle={name}"
        async with receiving(store, clock, fleet, text):
            found = await kept(store, 2)
    assert [frame.payload.rstrip() for frame in found] == [stick.wrap(one).rstrip() for one in sent]
    assert litres(found) == [1, 2]
    assert {frame.entrance for frame in found} == {f"wmbus+serial://{link}"}
    assert opened == [DONGLES[name].baud]


@pytest.mark.usefixtures("impatient")
async def test_a_stick_that_is_unplugged_is_set_up_again_when_it_is_back(
    store: Store, clock: SimulatedClock, fleet: Fleet, tmp_path: Path
) -> None:
    link = tmp_path / "stick"
    first, second = CUL(), CUL()
    with structlog.testing.capture_logs() as said:
        async with receiving(store, clock, fleet, f"wmbus+serial://{link}?dongle=cul&mode=c"):
            with port(plugged_in(first, radio(1)), link):
                await kept(store, 1)
            await asyncio.sleep(0.5)  # it is away, and looked for several times
            with port(plugged_in(second, radio(2)), link):
                found = await kept(store, 2)
    assert litres(found) == [1, 2]
    assert (first.mode, second.mode) == ("c", "c")
    warnings = [one for one in said if "trying again" in one["event"]]
    # Once before the stick was there at all, if that was seen, and once when it was pulled out.
    assert 1 <= len(warnings) <= 2
    assert all("organization" not in one["line"] for one in warnings)


@pytest.mark.usefixtures("impatient")
async def test_a_stick_that_does_not_answer_is_said_once_and_tried_again(
    store: Store, clock: SimulatedClock, fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polymeter.protocols.wmbus.dongles._ANSWER_S", 0.2)
    stick, link = IMST(), tmp_path / "stick"
    deaf = [stick.answer]
    said_nothing = 0

    def hearing(data: bytes) -> bytes:
        nonlocal said_nothing
        said_nothing += 1
        return b"" if said_nothing < 9 else deaf[0](data)

    monkeypatch.setattr(stick, "answer", hearing)
    with structlog.testing.capture_logs() as said:
        with port(plugged_in(stick, radio(1)), link):
            async with receiving(store, clock, fleet, f"wmbus+serial://{link}?dongle=im871a"):
                await kept(store, 1)
    reasons = [one["reason"] for one in said if "trying again" in one["event"]]
    assert reasons == ["the stick does not answer"]


async def test_a_stick_behind_rfc_2217_is_set_up_too(
    store: Store, clock: SimulatedClock, fleet: Fleet
) -> None:
    with serial_server(plugged_in(AMB(), radio(1))) as (number, _):
        text = f"wmbus+rfc2217://127.0.0.1:{number}?dongle=amb8465&mode=t"
        async with receiving(store, clock, fleet, text):
            assert litres(await kept(store, 1)) == [1]


async def test_a_port_that_just_talks_needs_no_stick_and_other_protocols_have_lines_too(
    store: Store, clock: SimulatedClock, fleet: Fleet, tmp_path: Path
) -> None:
    whole = next(telegram(case) for case in load_vectors("p1") if case["name"] == "dsmr-4")

    def talking() -> Procedure[None]:
        while True:
            yield Send(whole)
            try:
                if not (yield Receive(0.05)):
                    return
            except TimedOut:
                continue

    link = tmp_path / "cable"
    with port(talking(), link):
        async with receiving(store, clock, fleet, f"p1+serial://{link}"):
            frame = (await kept(store, 1))[0]
    assert (frame.protocol, frame.payload) == ("p1", whole)
    assert ReceiverAddress.parse("p1+serial:///dev/x").serial_line == (115200, 8, "N")


@pytest.mark.usefixtures("impatient")
async def test_a_gateway_that_talks_to_whoever_connects_is_connected_to_and_again(
    store: Store, clock: SimulatedClock, fleet: Fleet
) -> None:
    number = free_port()
    settings = Settings(count=2, config={"interval": 0.05, "format": "line"})
    async with receiving(store, clock, fleet, f"wmbus+connect://127.0.0.1:{number}?organization=A"):
        async with simulate("wmbus", settings, port=number):
            await kept(store, 2)
        before = len(await kept(store, 2))
        async with simulate("wmbus", settings, port=number):
            found = await kept(store, before + 2)
    assert {frame.entrance for frame in found} == {f"wmbus+connect://127.0.0.1:{number}"}
    ids = {decode_frames(frame.payload, "wmbus")[0].decoded.meter.id for frame in found}
    assert ids == {"00000001", "00000002"}


async def test_a_quiet_line_is_opened_anew_and_nothing_is_said(
    store: Store, clock: SimulatedClock, fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "_QUIET_S", 0.1)
    stick, link = CUL(), tmp_path / "stick"
    with structlog.testing.capture_logs() as said, port(plugged_in(stick), link):
        async with receiving(store, clock, fleet, f"wmbus+serial://{link}?dongle=cul"):
            await until(lambda: stick.commands.count(b"brt") >= 3, "the third set-up")
    assert not [one for one in said if one["log_level"] in ("warning", "error")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("wmbus+serial:///dev/x?dongle=abc", "there is no dongle 'abc'"),
        ("wmbus+serial:///dev/x?dongle=cul&mode=n", "no mode 'n'"),
        ("wmbus+serial:///dev/x?mode=t", "name the dongle too"),
        ("sml+serial:///dev/x?dongle=cul", "sml has no parameter 'dongle'"),
        ("wmbus+modem://1?via=/dev/x", "wmbus cannot be received by modem"),
    ],
)
def test_what_is_wrong_with_an_address_is_told_at_once(text: str, said: str) -> None:
    with pytest.raises(LocalProtocolError, match=said):
        ReceiverAddress.parse(text)


async def test_a_line_that_can_never_be_opened_ends_the_receiver(
    store: Store, clock: SimulatedClock, fleet: Fleet
) -> None:
    receiver = Receiver(ReceiverAddress.parse("wmbus+serial:///dev/null?parity=X"), fleet.id, store, clock)
    await receiver.start()
    try:
        with pytest.raises(LocalProtocolError, match="parity"):
            await receiver.wait()
    finally:
        with contextlib.suppress(LocalProtocolError):
            await receiver.close()
