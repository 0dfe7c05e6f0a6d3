"""Radio meters behind a receiver: whoever connects hears their telegrams, and they may be pushed.

Half of the fleet measures water and sends by mode 5, half heat and sends by mode 7; or all by the
mode that the settings name. A key follows from the seed and the meter's number, and is printed with
its address, for whoever wants to open what is sent.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from polymeter.protocols.mbus import Header, encode_record
from polymeter.protocols.procedure import Pause, Procedure, Send
from polymeter.protocols.wire import LocalProtocolError
from polymeter.protocols.wmbus import LinkHeader, encode_format_a
from polymeter.protocols.wmbus.meter import SENDER_MODES, Sender
from polymeter.simulators.consumption import EPOCH, Consumption
from polymeter.simulators.fleet import Fleet, Settings
from polymeter.transports import tcp, udp
from polymeter.transports.inbox import AsyncStream

__all__ = ["RadioMeter", "fleet", "push"]

_MANUFACTURER: Final = "PMX"
"""A made-up FLAG id: simulators pass for nobody's meters."""
_WATER, _HEAT = 0x07, 0x04
_FORMATS: Final = ("raw", "crc", "line")


class RadioMeter:
    """One meter that sends what it counts."""

    def __init__(self, number: int, mode: int, seed: int, now: Callable[[], datetime]) -> None:
        self.id = f"{number:08d}"
        self.key = hashlib.sha256(f"{seed}:{number}".encode()).digest()[:16]
        self.mode = mode
        self._water = number % 2 == 0
        medium = _WATER if self._water else _HEAT
        self._sender = Sender(LinkHeader(0x44, _MANUFACTURER, self.id, 1, medium), self.key, mode)
        self._used = Consumption(seed * 1_000_003 + number)
        self._now = now
        self._sent = 0

    def telegram(self) -> bytes:
        """The next telegram, without checksums."""
        at = self._now().astimezone(UTC).replace(tzinfo=None, second=0, microsecond=0)
        counter = self._used.energy_wh(at.replace(tzinfo=UTC))
        power = self._used.power_w(at.replace(tzinfo=UTC))
        rows: list[tuple[Header, Decimal | int | datetime]] = [(Header(4, b"\x6d"), at)]
        if self._water:
            rows += [
                (Header(4, b"\x13"), Decimal(counter).scaleb(-3)),
                (Header(2, b"\x3b"), Decimal(power % 3000).scaleb(-3)),
            ]
        else:
            rows += [(Header(4, b"\x03"), counter), (Header(4, b"\x2b"), power)]
        self._sent += 1
        # The message counter never repeats, also when the simulator is started anew.
        count = int((self._now() - EPOCH).total_seconds()) + self._sent
        data = b"".join(encode_record(header, value) for header, value in rows)
        return self._sender.telegram(data, access_number=self._sent, counter=count & 0xFFFFFFFF)


class _Air:
    """The meters of a fleet, as their receiver hears them."""

    def __init__(self, meters: Sequence[RadioMeter], interval_s: float, form: str) -> None:
        self.meters = meters
        self._interval_s = interval_s
        self._form = form

    def telegrams(self) -> Iterator[bytes]:
        """One telegram of each meter, as the receiver gives it."""
        for meter in self.meters:
            data = meter.telegram()
            if self._form == "crc":
                yield encode_format_a(data)
            elif self._form == "line":
                yield f"T1;1;1;0;97;72;{meter.id};0x{data.hex()}\n".encode()
            else:
                yield data

    def serve(self) -> Procedure[None]:
        """One listener: round after round of telegrams."""
        while True:
            for telegram in self.telegrams():
                yield Send(telegram)
                yield Pause(self._interval_s)

    def addresses(self, host: str, port: int) -> list[str]:
        """An address for each meter, with the key that opens it."""
        shown = f"[{host}]" if ":" in host else host
        return [f"wmbus://{shown}:{port}/{meter.id}?key={meter.key.hex()}" for meter in self.meters]


def fleet(settings: Settings) -> Fleet:
    """A fleet on the air.

    Settings: ``first`` number (1), ``mode`` of security (5 and 7 in turn), ``interval`` seconds
    between telegrams (1), and ``format``: ``raw``, ``crc`` (format A) or ``line`` (as rtl-wmbus).
    """
    return _air(settings)


def _air(settings: Settings) -> _Air:
    config = settings.only("first", "mode", "interval", "format")
    first, mode = int(settings.number("first", 1)), config.get("mode")
    if mode is not None and mode not in SENDER_MODES:
        raise LocalProtocolError(f"mode must be one of {SENDER_MODES}, not {mode!r}")
    form = settings.text("format", "raw")
    if form not in _FORMATS:
        raise LocalProtocolError(f"format must be one of {', '.join(_FORMATS)}, not {form!r}")
    meters = [
        RadioMeter(
            number, (5 if number % 2 == 0 else 7) if mode is None else mode, settings.seed, settings.now
        )
        for number in range(first, first + settings.count)
    ]
    return _Air(meters, settings.number("interval", 1.0), form)


async def push(
    settings: Settings, host: str, port: int, *, datagrams: bool = False, rounds: int = 1
) -> list[RadioMeter]:
    """Send rounds of telegrams to a receiver that listens; gives the meters.

    Raises:
        TransportError: it cannot be reached.
    """
    air = _air(settings)
    if datagrams:
        line: AsyncStream | udp.AsyncUDP = await udp.connect_async(host, port)
    else:
        line = await tcp.connect_async(host, port, 5.0)
    try:
        for _ in range(rounds):
            for telegram in air.telegrams():
                await line.send(telegram)
                await asyncio.sleep(0)
    finally:
        await line.close()
    return list(air.meters)
