"""Work is counted in steps: it grows at most linearly with whatever a stranger sends."""

import pytest

from polymeter.protocols import mbus
from polymeter.protocols.mbus import Connection, LongFrame, encode
from polymeter.protocols.wire import NEED_DATA, RemoteProtocolError
from tests.effort import steps

SMALL, LARGE = 3_000, 12_000
HEADER = bytes(12)


def framed(data: bytes) -> bytes:
    return encode(LongFrame(8, 1, 0x72, HEADER + data[:240]))


STREAMS = {
    "starts": b"\x68",
    "starts and lengths": b"\x68\xff\xff\x68",
    "short starts": b"\x10",
    "acknowledgements": b"\xe5",
    "extensions": b"\x84",
    "lying frames": b"\x68\x03\x03\x68\x08\x01\x78\x81\x16",
    "frames": framed(b"\x04\x13\1\0\0\0" * 40),
    "damaged frames": framed(b"\x04\x13\1\0\0\0" * 40)[:-1] + b"\x17",
    "records that end early": framed(b"\x84" * 240),
    "headers of one byte": framed(b"\x00\x13" * 120),
    "fillers": framed(b"\x2f" * 240),
    "texts": framed(b"\x00\x7c\x01x" * 60),
    "dates": framed(b"\x02\x6c\x35\x34\x42\x6c\x35\x34" * 30),
}


@pytest.mark.parametrize("kind", STREAMS)
def test_decoding_a_stream_is_linear(kind: str) -> None:
    pattern = STREAMS[kind]
    small, large = (pattern * (size // len(pattern)) for size in (SMALL, LARGE))
    mbus.decode(large, explain=False)  # headers are learned once
    first, second = (steps(lambda data=data: mbus.decode(data, explain=False)) for data in (small, large))
    assert second <= 150 * len(large)
    assert second <= 4.3 * first + 2_000


@pytest.mark.parametrize("kind", STREAMS)
def test_hearing_a_stream_in_pieces_is_linear(kind: str) -> None:
    def hear(data: bytes) -> None:
        connection = Connection("master")
        for at in range(0, len(data), 11):
            connection.state = "requesting"
            try:
                connection.receive_data(data[at : at + 11])
            except RemoteProtocolError:
                continue
            while True:
                try:
                    if connection.next_event() is NEED_DATA:
                        break
                except RemoteProtocolError:
                    continue

    pattern = STREAMS[kind]
    small, large = (pattern * (size // len(pattern)) for size in (SMALL, LARGE))
    first, second = steps(lambda: hear(small)), steps(lambda: hear(large))
    assert second <= 100 * len(large)
    assert second <= 4.3 * first + 2_000


RUNS = {
    "records": b"\x04\x13\1\0\0\0",
    "no data": b"\x00\x13",
    "times": b"\x42\x6c\x35\x34\x42\x13\1\0",
    "variable": b"\x0d\x13\x00",
    "special": b"\x2f\x7f",
    "units in text": b"\x00\x7c\x01x",
    "manufacturer's": b"\x01\xff\x81\x82\x83\x04\x00",
}


def run(kind: str, size: int) -> bytes:
    if kind == "new headers":
        return b"".join(bytes((0x81, number & 0x3F, 0x13, 1)) for number in range(size // 4))
    if kind == "all different":
        return b"".join(
            bytes((0x81, 0x80 | number & 0x7F, number >> 7, 0x13, 1)) for number in range(size // 5)
        )
    return RUNS[kind] * (size // len(RUNS[kind]))


@pytest.mark.parametrize("kind", [*RUNS, "new headers", "all different"])
def test_a_run_of_records_is_linear(kind: str) -> None:
    """A reassembled wireless message may be long; its records are the same code."""
    small, large = run(kind, SMALL), run(kind, LARGE)
    mbus.decode_records(large)
    first, second = (steps(lambda data=data: mbus.decode_records(data)) for data in (small, large))
    assert second <= 60 * len(large)
    assert second <= 4.3 * first + 2_000
