"""Parsing a read-out of 60 lines, as IEC 62056-21 meters send it: text in, values and units out.

All get the whole data block from STX to the block check character, of one meter on one day after another: the
lines are the same, their digits are not. The peer checks it and gives strings, a value with its address and
unit; the first contender does exactly that. The other of ours goes on to what collection uses: decimals with
OBIS codes, normal units, places and raw bytes, with the identification.
"""

from functools import reduce
from itertools import cycle
from operator import xor

from tools.bench_worker import Contender, Work

__all__ = ["CONTENDERS", "SUMMARY", "read_out"]

SUMMARY = "parse an IEC 62056-21 read-out of 60 lines"
LINES = 60
DAYS = 30


def read_out(lines: int = LINES, day: int = 0) -> bytes:
    """Identification, STX, ``lines`` data lines, ETX, BCC: registers and their tariffs, with units."""
    rows = [
        f"1-0:{1 + index // 10}.8.{index % 10}*255({_kilo(index * 1234567 + day * 24681)}*kWh)\r\n"
        for index in range(lines)
    ]
    block = ("".join(rows) + "!\r\n").encode("ascii") + b"\x03"
    return b"/ISk5MT174-0001\r\n\x02" + block + bytes([reduce(xor, block)])


def _kilo(watt_hours: int) -> str:
    return f"{watt_hours % 10**9 / 1000:010.3f}"


def _days() -> list[bytes]:
    return [read_out(day=day) for day in range(DAYS)]


def _blocks() -> "cycle[bytes]":
    return cycle([data[data.index(b"\x02") :] for data in _days()])


def _ours() -> Work:
    from polymeter.protocols import iec62056_21
    from polymeter.protocols.iec62056_21 import DataLine, DataMessage

    blocks = _blocks()
    decode_block, decode_data = iec62056_21.decode_block, iec62056_21.decode_data

    def parse() -> tuple[DataLine, ...]:
        message = decode_block(next(blocks))
        assert isinstance(message, DataMessage)
        return decode_data(message.data)

    return Work(parse, f"{sum(map(len, parse()))} values")


def _readings() -> Work:
    from polymeter.protocols import iec62056_21

    days = cycle(_days())
    decode = iec62056_21.decode
    frames = decode(next(days), explain=False)
    assert [frame.valid for frame in frames] == [True], frames
    return Work(lambda: decode(next(days), explain=False), f"{len(frames[0].records)} values")


def _peer() -> Work:
    from iec62056_21.messages import ReadoutDataMessage  # type: ignore[import-not-found]

    blocks = _blocks()
    parse = ReadoutDataMessage.from_bytes
    values = sum(len(line.data_sets) for line in parse(next(blocks)).data_block.data_lines)
    return Work(lambda: parse(next(blocks)), f"{values} values")


CONTENDERS = [
    Contender("polymeter", _ours, distribution="polymeter"),
    Contender("polymeter, readings", _readings, distribution="polymeter"),
    Contender("iec62056-21", _peer, distribution="iec62056-21", requirements=("iec62056-21==0.0.2",)),
]
