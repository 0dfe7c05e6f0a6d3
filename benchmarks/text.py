"""Parsing a read-out of 60 lines, as IEC 62056-21 meters send it: text in, values and units out.

All get the whole data block from STX to the block check character. The peer checks it and gives strings, a
value with its address and unit; the first contender does exactly that. The last one goes on to what
collection uses: decimals with OBIS codes, normal units, places and raw bytes, with the identification.
"""

from functools import reduce
from operator import xor

from tools.bench_worker import Contender, Work

__all__ = ["CONTENDERS", "SUMMARY", "read_out"]

SUMMARY = "parse an IEC 62056-21 read-out of 60 lines"
LINES = 60


def read_out(lines: int = LINES) -> bytes:
    """Identification, STX, ``lines`` data lines, ETX, BCC: registers and their tariffs, with units."""
    rows = [
        f"1-0:{1 + index // 10}.8.{index % 10}*255({index * 1234567 % 10**9 / 1000:010.3f}*kWh)\r\n"
        for index in range(lines)
    ]
    block = ("".join(rows) + "!\r\n").encode("ascii") + b"\x03"
    return b"/ISk5MT174-0001\r\n\x02" + block + bytes([reduce(xor, block)])


def _ours() -> Work:
    from polymeter.protocols import iec62056_21
    from polymeter.protocols.iec62056_21 import DataLine, DataMessage

    data = read_out()
    block = data[data.index(b"\x02") :]
    decode_block, decode_data = iec62056_21.decode_block, iec62056_21.decode_data

    def parse() -> tuple[DataLine, ...]:
        message = decode_block(block)
        assert isinstance(message, DataMessage)
        return decode_data(message.data)

    return Work(parse, f"{sum(map(len, parse()))} values")


def _readings() -> Work:
    from polymeter.protocols import iec62056_21

    data = read_out()
    decode = iec62056_21.decode
    frames = decode(data, explain=False)
    assert [frame.valid for frame in frames] == [True], frames
    return Work(lambda: decode(data, explain=False), f"{len(frames[0].records)} values")


def _peer() -> Work:
    from iec62056_21.messages import ReadoutDataMessage  # type: ignore[import-not-found]

    data = read_out()
    block = data[data.index(b"\x02") :]
    parse = ReadoutDataMessage.from_bytes
    values = sum(len(line.data_sets) for line in parse(block).data_block.data_lines)
    return Work(lambda: parse(block), f"{values} values")


CONTENDERS = [
    Contender("polymeter", _ours, distribution="polymeter"),
    Contender("polymeter, readings", _readings, distribution="polymeter"),
    Contender("iec62056-21", _peer, distribution="iec62056-21", requirements=("iec62056-21==0.0.2",)),
]
