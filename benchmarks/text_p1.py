"""Reading a DSMR 5 telegram of 38 lines, as a P1 port pushes it every second.

Both sides get the text of one telegram, check its checksum and give its values. dsmr-parser knows the
lines of its specification and leaves out others; ours gives every line.
"""

from tools.bench_worker import Contender, Work

__all__ = ["CONTENDERS", "SUMMARY", "telegram"]

SUMMARY = "read a DSMR 5 telegram of 38 lines"

_LINES = """\
1-3:0.2.8(50)
0-0:1.0.0(260701120000S)
0-0:96.1.1(504D58303030303030303030303031)
1-0:1.8.1(004321.098*kWh)
1-0:1.8.2(005432.109*kWh)
1-0:2.8.1(000012.345*kWh)
1-0:2.8.2(000023.456*kWh)
0-0:96.14.0(0002)
1-0:1.7.0(00.244*kW)
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
1-0:32.7.0(0230.0*V)
1-0:52.7.0(0230.0*V)
1-0:72.7.0(0229.0*V)
1-0:31.7.0(0.48*A)
1-0:51.7.0(0.44*A)
1-0:71.7.0(0.86*A)
1-0:21.7.0(00.070*kW)
1-0:41.7.0(00.032*kW)
1-0:61.7.0(00.142*kW)
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


def telegram() -> str:
    """The telegram with its checksum, which is computed here bit by bit: no contender's code is used."""
    text = "/PMX5\\2SIM5\r\n\r\n" + _LINES.replace("\n", "\r\n") + "!"
    register = 0
    for byte in text.encode("ascii"):
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ 0xA001 if register & 1 else register >> 1
    return f"{text}{register:04X}\r\n"


def _ours() -> Work:
    from polymeter.protocols import p1

    data = telegram().encode("ascii")
    decode = p1.decode
    (frame,) = decode(data, explain=False)
    assert frame.valid, frame.errors
    values = {record.obis: record.value for record in frame.records}
    check = " ".join(str(values[code]) for code in ("1-0:1.8.1*255", "1-0:71.7.0*255"))
    return Work(lambda: decode(data, explain=False), check)


def _peer() -> Work:
    from dsmr_parser import telegram_specifications  # type: ignore[import-not-found]
    from dsmr_parser.parsers import TelegramParser  # type: ignore[import-not-found]

    text = telegram()
    parse = TelegramParser(telegram_specifications.V5).parse
    found = parse(text)
    check = f"{found.ELECTRICITY_USED_TARIFF_1.value} {found.INSTANTANEOUS_CURRENT_L3.value}"
    return Work(lambda: parse(text), check)


CONTENDERS = [
    Contender("polymeter", _ours, distribution="polymeter"),
    Contender("dsmr-parser", _peer, distribution="dsmr-parser", requirements=("dsmr-parser==1.11.2",)),
]
