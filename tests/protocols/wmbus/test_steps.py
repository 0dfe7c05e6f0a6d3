"""Work is counted in steps: it grows at most linearly with whatever is on the air."""

from collections.abc import Callable

import pytest

from polymeter.protocols import wmbus
from polymeter.protocols.mbus import LongHeader
from polymeter.protocols.wire import DecodeOptions
from polymeter.protocols.wmbus import (
    AFL,
    LinkHeader,
    Memory,
    encode_format_a,
    encode_format_b,
)
from polymeter.protocols.wmbus.meter import Sender, compact_frame
from tests.effort import steps

SMALL, LARGE = 4_000, 16_000
KEY = bytes(range(16))
LINK = LinkHeader(0x44, "PMX", "12345678", 1, 7)
RECORDS = bytes.fromhex("0413d2040000426cbf25")
PLAIN = Sender(LINK).telegram(RECORDS)
COMPACT = compact_frame(bytes.fromhex("0413426c"), RECORDS, bytes.fromhex("d2040000bf25"))


def framed(body: bytes) -> bytes:
    return bytes((9 + len(body),)) + bytes(LINK) + body


def fragment(number: int, size: int = 20) -> bytes:
    return framed(bytes(AFL(number, True)) + bytes(size))


def numbered(make: Callable[[int], bytes], size: int) -> bytes:
    out, number = bytearray(), 0
    while len(out) < size:
        out += make(number)
        number += 1
    return bytes(out)


STREAMS: dict[str, Callable[[int], bytes]] = {
    "zeros": lambda size: bytes(size),
    "functions": lambda size: b"\x44" * size,
    "long lengths": lambda size: b"\xff\x44" * (size // 2),
    "sync bytes": lambda size: b"\x54\xcd" * (size // 2),
    "plain telegrams": lambda size: PLAIN * (size // len(PLAIN)),
    "format A": lambda size: encode_format_a(PLAIN) * (size // 34),
    "format B": lambda size: encode_format_b(PLAIN) * (size // 31),
    "format A cut off": lambda size: encode_format_a(PLAIN)[:-3] * (size // 31),
    "lines": lambda size: (PLAIN.hex().encode() + b"\n") * (size // 57),
    "lines of nothing": lambda size: b"no receiver's line at all\n" * (size // 26),
    "frames of a stick": lambda size: b"\xff\x03\x01\x00\xfd" * (size // 5),
    "SLIP": lambda size: b"\xc0" * size,
    "iM871A": lambda size: b"\xa5\x02\x03\x00" * (size // 4),
    "compact frames": lambda size: framed(COMPACT) * (size // 30),
    "fragments": lambda size: numbered(lambda number: fragment(number % 255 + 1), size),
    "fragments without a first": lambda size: numbered(lambda number: fragment(number % 254 + 2), size),
    "first fragments": lambda size: numbered(
        lambda number: framed(bytes(AFL(1, True)) + number.to_bytes(4, "big")), size
    ),
    "the same fragment": lambda size: fragment(3) * (size // 34),
    "encrypted": lambda size: Sender(LINK, KEY, 5).telegram(RECORDS) * (size // 47),
}


@pytest.mark.parametrize("kind", STREAMS)
def test_decoding_the_air_is_linear(kind: str) -> None:
    options = DecodeOptions((KEY, bytes(16)))
    small, large = STREAMS[kind](SMALL), STREAMS[kind](LARGE)
    wmbus.decode(large, options, explain=False)  # headers are learned once
    first, second = (
        steps(lambda data=data: wmbus.decode(data, options, explain=False)) for data in (small, large)
    )
    assert second <= 150 * len(large)
    assert second <= 4.4 * first + 3_000


def test_a_message_of_many_fragments_is_put_together_once() -> None:
    """Joining is done for the whole message, not for each fragment of it."""
    counted = []
    for count in (60, 240):
        records = RECORDS[:6] * count
        frames = Sender(LINK, KEY, 7, LongHeader("1", "PMX", 1, 7)).fragments(records, 30, counter=1)
        wmbus.decode(b"".join(frames), DecodeOptions((KEY,)), explain=False)
        counted.append(steps(lambda frames=frames: _hear(frames)))
    assert counted[1] <= 5 * counted[0] + 2_000


def _hear(frames: list[bytes]) -> None:
    memory = Memory()
    for frame in frames:
        (last,) = wmbus.decode(frame, DecodeOptions((KEY,)), explain=False, memory=memory)
    assert last.records
