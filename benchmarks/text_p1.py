"""Reading the DSMR 5 telegrams of a quarter of an hour, 38 lines a second, as a P1 port pushes them.

Both sides get the text of one telegram at a time, check its checksum and give its values; clock, power,
voltages, currents and the counter that runs differ from second to second, as they do at a house.
dsmr-parser knows the lines of its specification and leaves out others; ours gives every line.
"""

import random
from itertools import cycle

from tools.bench_worker import Contender, Work

__all__ = ["CONTENDERS", "SUMMARY", "telegrams"]

SUMMARY = "read DSMR 5 telegrams of 38 lines"

_LINES = """\
1-3:0.2.8(50)
0-0:1.0.0(260701{clock}S)
0-0:96.1.1(504D58303030303030303030303031)
1-0:1.8.1(004321.098*kWh)
1-0:1.8.2({energy:010.3f}*kWh)
1-0:2.8.1(000012.345*kWh)
1-0:2.8.2(000023.456*kWh)
0-0:96.14.0(0002)
1-0:1.7.0({power:06.3f}*kW)
1-0:2.7.0(00.000*kW)
0-0:96.7.21(00013)
0-0:96.7.9(00000)
1-0:99.97.0(0)(0-0:96.7.19)
1-0:32.32.0(00000)
1-0:52.32.0(00000)
1-0:72.32.0(00000)
1-0:32.36.0(00000)
1-0:52.36.0(00000)
1-0:72.36.0(00000)
0-0:96.13.0()
1-0:32.7.0({volts[0]:06.1f}*V)
1-0:52.7.0({volts[1]:06.1f}*V)
1-0:72.7.0({volts[2]:06.1f}*V)
1-0:31.7.0({amps[0]:04.2f}*A)
1-0:51.7.0({amps[1]:04.2f}*A)
1-0:71.7.0({amps[2]:04.2f}*A)
1-0:21.7.0({phase[0]:06.3f}*kW)
1-0:41.7.0({phase[1]:06.3f}*kW)
1-0:61.7.0({phase[2]:06.3f}*kW)
1-0:22.7.0(00.000*kW)
1-0:42.7.0(00.000*kW)
1-0:62.7.0(00.000*kW)
0-1:24.1.0(003)
0-1:96.1.0(504D5847303031)
0-1:24.2.1(260701115500S)(00042.107*m3)
0-2:24.1.0(007)
0-2:96.1.0(504D5857303032)
0-2:24.2.1(260701115500S)(00872.234*m3)
"""
_SECONDS = 900


def telegrams() -> list[str]:
    """A telegram for each second. The use is made up, and the same for every contender."""
    draw = random.Random(1)
    return [_telegram(second, draw) for second in range(_SECONDS)]


def _telegram(second: int, draw: random.Random) -> str:
    phase = [draw.randrange(20, 900) / 1000 for _ in range(3)]
    volts = [draw.randrange(2285, 2325) / 10 for _ in range(3)]
    text = _LINES.format(
        clock=f"12{second // 60:02d}{second % 60:02d}",
        energy=5432.109 + second / 3600,
        power=sum(phase),
        phase=phase,
        volts=volts,
        amps=[watts * 1000 / volt for watts, volt in zip(phase, volts, strict=True)],
    )
    covered = "/PMX5\\2SIM5\r\n\r\n" + text.replace("\n", "\r\n") + "!"
    return f"{covered}{_checksum(covered.encode('ascii')):04X}\r\n"


def _checksum(covered: bytes) -> int:
    """CRC-16/ARC bit by bit, as its definition has it: no contender's code is used."""
    register = 0
    for byte in covered:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ 0xA001 if register & 1 else register >> 1
    return register


def _ours() -> Work:
    from polymeter.protocols import p1

    pushed = cycle([text.encode("ascii") for text in telegrams()])
    decode = p1.decode
    (frame,) = decode(next(pushed), explain=False)
    assert frame.valid, frame.errors
    values = {record.obis: record.value for record in frame.records}
    check = " ".join(str(values[code]) for code in ("1-0:1.8.1*255", "1-0:71.7.0*255"))
    return Work(lambda: decode(next(pushed), explain=False), check)


def _peer() -> Work:
    from dsmr_parser import telegram_specifications  # type: ignore[import-not-found]
    from dsmr_parser.parsers import TelegramParser  # type: ignore[import-not-found]

    pushed = cycle(telegrams())
    parse = TelegramParser(telegram_specifications.V5).parse
    found = parse(next(pushed))
    check = f"{found.ELECTRICITY_USED_TARIFF_1.value} {found.INSTANTANEOUS_CURRENT_L3.value}"
    return Work(lambda: parse(next(pushed)), check)


CONTENDERS = [
    Contender("polymeter", _ours, distribution="polymeter"),
    Contender("dsmr-parser", _peer, distribution="dsmr-parser", requirements=("dsmr-parser==1.11.2",)),
]
