"""Radio meters are heard over every line, each with its own key, and strangers are passed over."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

import polymeter
from polymeter.cli import app
from polymeter.drivers.faces import driver_for
from polymeter.protocols.crc import crc16_en13757
from polymeter.protocols.wire import AccessDenied, LocalProtocolError, RemoteProtocolError, TimedOut
from polymeter.protocols.wmbus import LinkHeader, encode_format_a
from polymeter.protocols.wmbus.meter import Sender, compact_frame
from polymeter.testing import simulated_fleet
from polymeter.transports.mqtt import Broker, publishing
from tests.collection.test_line_receivers import STICKS, port
from tests.dongles import plugged_in
from tests.platform import free_port

NOON = datetime(2026, 7, 1, 12, 3, 20, tzinfo=UTC)
KEY = bytes(range(16))
LINK = LinkHeader(0x44, "PMX", "12345678", 1, 7)
OURS = Sender(LINK, KEY, 7)
STRANGER = Sender(LinkHeader(0x44, "XYZ", "87654321", 1, 7), bytes(16), 7)
VOLUME = b"\x04\x13\x05\x00\x00\x00"
ADDRESS = "12345678B8410107"


class Air:
    """A line on which these come, one after another, and then nothing."""

    def __init__(self, *telegrams: bytes) -> None:
        self.telegrams = list(telegrams)

    def send(self, data: bytes) -> None:
        raise AssertionError("a listener says nothing")

    def receive(self, timeout_s: float) -> bytes:
        if not self.telegrams:
            raise TimedOut("nothing came")
        return self.telegrams.pop(0)

    def set_line(self, baud: int, bits: int, parity: str) -> None:
        pass

    def close(self) -> None:
        pass


def read(parameters: str, *telegrams: bytes, objects: tuple[str, ...] = ()) -> dict[str, object]:
    url = f"wmbus://127.0.0.1:1{parameters}"
    with polymeter.connect(url, line=Air(*telegrams)) as meter:
        return {one.series: one.value for one in meter.read(*objects)}


def telegram(sender: Sender = OURS, litres: int = 5, counter: int = 1) -> bytes:
    return sender.telegram(b"\x04\x13" + litres.to_bytes(4, "little"), counter=counter)


def test_simulated_meters_are_read_by_the_addresses_they_print() -> None:
    config = {"interval": 0.01}
    with simulated_fleet("wmbus", 3, now=lambda: NOON, config=config) as urls:
        for number, url in enumerate(urls, 1):
            assert url.partition("?")[0].endswith(f"/0000000{number}")
            with polymeter.connect(url) as meter:
                readings = {one.series: one for one in meter.read()}
            assert readings["time"].value == NOON.replace(second=0, tzinfo=None)
            assert {"volume", "energy"} & set(readings)
        result = CliRunner().invoke(app, ["read", urls[0], "energy"])
        assert (result.exit_code, result.output.split()[0]) == (0, "energy")


@pytest.mark.parametrize("name", ["12345678", ADDRESS, ADDRESS.lower()])
@pytest.mark.parametrize("how", ["/{}?key={}", "?meter={}&key={}"])
def test_a_meter_is_chosen_by_number_or_address_among_strangers(name: str, how: str) -> None:
    parameters = how.format(name, KEY.hex())
    heard = (telegram(STRANGER), b"\x00\x01noise\xff", telegram())
    assert read(parameters, *heard) == {"volume": Decimal("0.005")}


def test_without_a_name_the_first_that_can_be_read_is_taken() -> None:
    heard = (telegram(STRANGER), encode_format_a(telegram(STRANGER))[:-1] + b"\x00", telegram())
    assert read(f"?key={KEY.hex()}", *heard) == {"volume": Decimal("0.005")}


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ("/12345678", "the key of meter 12345678 is missing"),
        (f"/12345678?key={'00' * 16}", "wrong key"),
        ("", "the key of meter 12345678 is missing"),
        (f"?key={'00' * 16}", "wrong key"),
    ],
)
def test_a_missing_or_wrong_key_is_told(parameters: str, said: str) -> None:
    with pytest.raises(AccessDenied, match=said):
        read(parameters, telegram())


def test_a_meter_that_is_not_heard_is_not_taken_for_another() -> None:
    with pytest.raises(TimedOut):
        read("/11111111", telegram(), telegram(STRANGER))
    with pytest.raises(RemoteProtocolError, match="64 telegrams came and none"):
        read("", *[OURS.fragments(VOLUME * 9, 20, counter=1)[0]] * 70)


def test_a_compact_frame_waits_for_the_full_frame_that_teaches_it() -> None:
    full = Sender(LINK).telegram(VOLUME)
    compact = compact_frame(VOLUME[:2], VOLUME, b"\x07\x00\x00\x00")
    crc = crc16_en13757(b"\x04\x13\x07\x00\x00\x00").to_bytes(2, "little")
    compact = compact[:3] + crc + compact[5:]
    link = bytes(LINK)
    short = bytes((len(link) + len(compact),)) + link + compact
    with polymeter.connect("wmbus://h:1/12345678", line=Air(short, full, short)) as meter:
        assert meter.read()[0].value == Decimal("0.005")
        assert meter.read()[0].value == Decimal("0.007")


def test_fragments_are_read_together() -> None:
    records = b"".join(bytes((0x84, 0x40 | n, 0x13)) + bytes((n, 0, 0, 0)) for n in range(1, 9))
    parts = OURS.fragments(records, 30, counter=3)
    assert len(parts) > 2
    found = read(
        f"/12345678?key={KEY.hex()}", *(each for part in parts for each in (telegram(STRANGER), part))
    )
    assert len(found) == 8


def test_objects_are_listed_and_chosen() -> None:
    with polymeter.connect("wmbus://h:1/12345678", line=Air(*[Sender(LINK).telegram(VOLUME)] * 2)) as meter:
        assert meter.objects() == ["volume"]
        (absent,) = meter.read("energy")
    assert absent.error == "the telegram has no energy"


@pytest.mark.parametrize("name", STICKS)
def test_a_stick_is_set_up_before_it_is_read(name: str, tmp_path: Path) -> None:
    link = tmp_path / "stick"
    with port(plugged_in(STICKS[name](), telegram(STRANGER), telegram()), link):
        address = f"wmbus+serial://{link}?dongle={name}&key={KEY.hex()}&meter=12345678"
        with polymeter.connect(address) as meter:
            assert meter.read()[0].value == Decimal("0.005")
    assert driver_for(f"wmbus+serial:///dev/x?dongle={name}&baud=1200").url.parameters["baud"] == "1200"


@contextlib.contextmanager
def datagrams(number: int, *payloads: bytes) -> Iterator[None]:
    """Send these over and over."""
    done = threading.Event()

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            while not done.wait(0.02):
                for payload in payloads:
                    line.sendto(payload, ("127.0.0.1", number))

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("form", ["raw", "hex"])
def test_datagrams_come_to_a_port_of_ours(form: str) -> None:
    number = free_port()
    sent = telegram() if form == "raw" else telegram().hex().encode()
    address = f"wmbus+udp://127.0.0.1:{number}/12345678?key={KEY.hex()}&timeout=5"

    async def both() -> object:
        async with polymeter.connect_async(address) as meter:
            return (await meter.read())[0].value

    with datagrams(number, sent):
        with polymeter.connect(address) as meter:
            assert meter.read()[0].value == Decimal("0.005")
        assert asyncio.run(both()) == Decimal("0.005")


def test_a_topic_is_read_blocking_and_with_asyncio(mqtt_url: str) -> None:
    broker = Broker.parse(mqtt_url)
    topic = f"read/{free_port()}"
    address = f"wmbus+mqtt://{broker.host}:{broker.port}/{topic}?key={KEY.hex()}&meter=12345678&timeout=5"
    done = threading.Event()

    async def publish() -> None:
        async with publishing(broker) as publisher:
            while not done.is_set():
                await publisher.publish(topic, telegram(STRANGER).hex().encode())
                await publisher.publish(topic, telegram().hex().encode())
                await asyncio.sleep(0.02)

    async def both() -> object:
        async with polymeter.connect_async(address) as meter:
            first = (await meter.read())[0].value
            return first, (await meter.read())[0].value

    thread = threading.Thread(target=lambda: asyncio.run(publish()), daemon=True)
    thread.start()
    try:
        with polymeter.connect(address) as meter:
            assert meter.read()[0].value == Decimal("0.005")
            assert meter.read()[0].value == Decimal("0.005")
        assert asyncio.run(both()) == (Decimal("0.005"), Decimal("0.005"))
    finally:
        done.set()
        thread.join()


def test_a_topic_is_silent_in_time_and_says_nothing(mqtt_url: str) -> None:
    broker = Broker.parse(mqtt_url)
    address = f"wmbus+mqtt://{broker.host}:{broker.port}/silent/{free_port()}?timeout=1"
    with polymeter.connect(address) as meter, pytest.raises(TimedOut):
        meter.read()
    meter = polymeter.connect(address)
    with meter, pytest.raises(LocalProtocolError, match="only be listened to"):
        assert meter._line is not None
        meter._line.send(b"x")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("wmbus://h:1/1?meter=2", "two meters are named"),
        ("wmbus+serial:///dev/x?dongle=abc", "there is no dongle 'abc'"),
        ("wmbus+serial:///dev/x?mode=t", "name the dongle too"),
        ("wmbus+mqtt://h", "needs a topic"),
        ("wmbus://h:1?key=xyz", "hex digits"),
    ],
)
def test_what_is_wrong_with_an_address_is_said(address: str, said: str) -> None:
    with pytest.raises(LocalProtocolError, match=said):
        driver_for(address)
