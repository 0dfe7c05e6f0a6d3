"""A client that is not ours unlocks our corrector and reads its values and an archive, over TCP."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from polymeter.drivers import connect
from polymeter.testing import simulated_meter
from tests.peers import ask

NOW = datetime(2026, 1, 31, 10, 15, tzinfo=UTC)
CLIENT = """
import json, sys
from iec62056_21 import constants
from iec62056_21.client import Iec6205621Client
from iec62056_21.lis200 import ArchiveReadout, ArchiveReadoutCommand, Lis200ErrorParser, WrongAccessCodeError

host, port, address = sys.argv[1:]
client = Iec6205621Client.with_tcp_transport((host, int(port)), device_address=address)
client.error_parser = Lis200ErrorParser()
client.connect()
request = client.access_programming_mode()
client.write_single_value("4:171.0", "00000000")
one = client.read_single_value("2:300.0")
try:
    client.read_single_value("9:999.0")
    refused = None
except Exception as error:
    refused = type(error).__name__

def archive(attribute, partial=False, **bounds):
    command = ArchiveReadoutCommand(3, attribute=attribute, partial_blocks=partial, **bounds)
    client.transport.send(command.to_representation().encode("latin-1"))
    return client.read_response()

bounds = {"position": 3, "start": "2026-01-31,06:00:00", "end": "2026-01-31,09:00:00"}
addresses, units = archive("4"), archive("3")
values = archive("0", partial=True, rows_per_block=2, **bounds)
rows = ArchiveReadout(values, addresses, units, datetime_position=3, utc_offset=None).data
client.send_break()
client.disconnect()
print(json.dumps({
    "value": [one.address, one.value, one.unit],
    "refused": refused,
    "rows": [[row.timestamp.isoformat(), row.address, row.value, row.unit] for row in rows],
}))
"""


def test_the_peer_unlocks_reads_a_value_and_an_archive() -> None:
    with simulated_meter("lis200", 7, lambda: NOW) as address:
        place, _, number = address.partition("://")[2].partition("?address=")
        host, _, port = place.rpartition(":")
        theirs = json.loads(ask("iec62056-21", CLIENT, host, port, number.partition("&")[0]))
        with connect(address) as meter:
            (ours,) = meter.read("2:300")
            rows = meter.read_profile("3", datetime(2026, 1, 31, 6), datetime(2026, 1, 31, 9))
    assert theirs["value"] == ["2:300.0", str(ours.value), "m3"]
    assert theirs["refused"] == "ObjectNotAvailableError"
    mine = [
        [row.timestamp.isoformat(), reading.series, reading.raw.decode()[1:-1]]
        for row in rows
        for reading in row.readings
        if row.timestamp is not None
    ]
    assert len(rows) == 4
    assert [row[:3] for row in theirs["rows"]] == [[time, _written(name), text] for time, name, text in mine]


def _written(name: str) -> str:
    instance, _, object_ = name.partition(":")
    return f"{instance}:{object_.rjust(5, '0')}"
