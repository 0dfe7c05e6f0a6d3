"""A client that is not ours reads our simulator over TCP, as its users would."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from polymeter.drivers import connect
from polymeter.testing import simulated_fleet
from tests.peers import ask

NOW = datetime(2026, 1, 31, 10, 15, tzinfo=UTC)
CLIENT = """
import json, sys
from iec62056_21.client import Iec6205621Client
from iec62056_21.messages import CommandMessage, DataSet

host, port, address, what = sys.argv[1:]
client = Iec6205621Client.with_tcp_transport((host, int(port)), device_address=address)
client.connect()
if what == "readout":
    shown = [[one.address, one.value, one.unit] for one in client.standard_readout().data]
else:
    request = client.access_programming_mode()
    # Its send_password is broken in 0.0.2, its messages are not.
    password = DataSet(address="", value="wrong" if what == "wrong" else "open sesame")
    client.transport.send(CommandMessage("P", 1, password).to_bytes())
    answer = client._recv_ack()
    if what == "wrong":
        shown = [answer]
    else:
        one = client.read_single_value("1.8.0")  # asks 1.8.0(1), as some meters want it
        shown = [request.command + str(request.command_type), answer, one.address, one.value, one.unit]
client.disconnect()
print(json.dumps(shown))
"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with simulated_fleet("iec62056-21", 2, 7, lambda: NOW, {"password": "open sesame"}) as addresses:
        yield addresses[1]


def peer(address: str, what: str) -> list[list[str]]:
    place, _, number = address.partition("://")[2].partition("?address=")
    host, _, port = place.rpartition(":")
    shown: list[list[str]] = json.loads(ask("iec62056-21", CLIENT, host, port, number, what))
    return shown


def test_the_peer_reads_the_read_out(address: str) -> None:
    theirs = peer(address, "readout")
    with connect(address) as meter:
        ours = meter.read()
    assert [one[0] for one in theirs][:5] == ["F.F", "0.0.0", "0.9.1", "0.9.2", "1.8.0"]
    assert len(theirs) == len(ours)
    energy = next(one for one in theirs if one[0] == "1.8.0")
    (mine,) = (reading for reading in ours if reading.series == "1-0:1.8.0*255")
    assert (energy[1].lstrip("0"), energy[2]) == (str(mine.value), mine.unit)


def test_the_peer_logs_in_and_reads_a_value(address: str) -> None:
    request, answer, name, value, unit = peer(address, "programming")
    with connect(address) as meter:
        (mine,) = meter.read("1.8.0")
    assert (request, answer, name, unit) == ("P0", "\x06", "1.8.0", "kWh")
    assert str(value).lstrip("0") == str(mine.value)


def test_the_peers_wrong_password_is_answered_by_a_break(address: str) -> None:
    assert peer(address, "wrong") == ["\x01"]  # the first character of B0
