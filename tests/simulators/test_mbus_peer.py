"""pyMeterBus, a master of other hands, reads our simulated slaves over TCP."""

import json
from datetime import UTC, date, datetime

import pytest

from polymeter.drivers import connect
from polymeter.testing import simulated_fleet
from tests import peers

NOW = datetime(2026, 5, 17, 12, 30, tzinfo=UTC)

READ = """
import json, sys
import meterbus, serial
where, kind, address = sys.argv[1:4]
with serial.serial_for_url(where, 2400, 8, "E", 1, timeout=1) as line:
    if kind == "primary":
        meterbus.send_ping_frame(line, int(address))
        assert isinstance(meterbus.load(meterbus.recv_frame(line, 1)), meterbus.TelegramACK)
        meterbus.send_request_frame(line, int(address))
        frames = [meterbus.load(meterbus.recv_frame(line, meterbus.FRAME_DATA_LENGTH))]
    else:
        meterbus.send_ping_frame(line, meterbus.ADDRESS_NETWORK_LAYER)
        line.read(1)
        meterbus.send_select_frame(line, address)
        assert isinstance(meterbus.load(meterbus.recv_frame(line, 1)), meterbus.TelegramACK)
        request = meterbus.send_request_frame_multi(line, meterbus.ADDRESS_NETWORK_LAYER)
        frames = [meterbus.load(meterbus.recv_frame(line, meterbus.FRAME_DATA_LENGTH))]
        while frames[-1].more_records_follow:
            request.header.cField.parts[0] ^= meterbus.CONTROL_MASK_FCB
            meterbus.send_request_frame_multi(line, req=request)
            frames.append(meterbus.load(meterbus.recv_frame(line, meterbus.FRAME_DATA_LENGTH)))
print(json.dumps([json.loads(frame.to_JSON()) for frame in frames]))
"""


@pytest.mark.parametrize(("kind", "telegrams"), [("primary", 1), ("secondary", 3)])
def test_a_foreign_master_reads_what_we_serve(kind: str, telegrams: int) -> None:
    with simulated_fleet("mbus", 3, now=lambda: NOW, config={"telegrams": telegrams}) as addresses:
        host = addresses[1].removeprefix("mbus://").partition("/")[0]
        address = "2" if kind == "primary" else "20000000FFFFFFFF"
        frames = json.loads(peers.ask("pyMeterBus", READ, f"socket://{host}", kind, address))
        with connect(f"mbus://{host}/{address}") as meter:
            readings = meter.read()
    assert len(frames) == telegrams
    header = frames[0]["body"]["header"]
    assert header["identification"] == "0x20, 0x00, 0x00, 0x00"
    assert header["manufacturer"] == "PMX"
    theirs = [
        record["value"]
        for frame in frames
        for record in frame["body"]["records"]
        if record["function"] != "FunctionType.MORE_RECORDS_FOLLOW"
    ]
    assert len(theirs) == len(readings) >= 7
    for other, reading in zip(theirs, readings, strict=True):
        if isinstance(reading.value, date):
            assert reading.value.isoformat().startswith(other)
        else:
            assert float(str(reading.value)) == pytest.approx(float(other))
