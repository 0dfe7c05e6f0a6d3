"""Radio meters behind a receiver: whoever connects hears their telegrams, and they may be pushed.

Half of the fleet measures water and sends by mode 5, half heat and sends by mode 7; or all by the
mode that the settings name. A key follows from the seed and the meter's number, and is printed with
its address, for whoever wants to open what is sent.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from polymeter.protocols.mbus import Header, encode_record
from polymeter.protocols.procedure import Pause, Procedure, Send
from polymeter.protocols.wire import LocalProtocolError, TransportError
from polymeter.protocols.wmbus import LinkHeader, encode_format_a
from polymeter.protocols.wmbus.meter import SENDER_MODES, Sender, compact_frame
from polymeter.simulators.consumption import EPOCH, Consumption
from polymeter.simulators.fleet import Fleet, Settings
from polymeter.transports import tcp, udp
from polymeter.transports.mqtt import publishing
from polymeter.transports.urls import URL

__all__ = ["RadioMeter", "fleet", "push"]

_MANUFACTURER: Final = "PMX"
"""A made-up FLAG id: simulators pass for nobody's meters."""
_WATER, _HEAT = 0x07, 0x04
SESSION: Final = "session"
"""In place of a security mode: the extended link layer encrypts."""
_FORMATS: Final = ("raw", "crc", "line", "hex", "json")
_FRAMES: Final = ("full", "compact")
_FULL_EVERY: Final = 8
"""Of compact senders every so manieth frame is a full one; the first is."""
_COUNTS_PER_S: Final = 10
_SESSIONS_PER_S: Final = 8 / 60
_PAUSE_S: Final = 1.0
"""How long a meter waits that reaches nobody."""

Rows = list[tuple[Header, Decimal | int | datetime]]
Sending = Callable[[bytes], Awaitable[None]]


class RadioMeter:
    """One meter that sends what it counts."""

    def __init__(
        self,
        number: int,
        mode: int | str,
        seed: int,
        now: Callable[[], datetime],
        *,
        frames: str = "full",
        fragment: int = 0,
    ) -> None:
        self.id = f"{number:08d}"
        self.key = hashlib.sha256(f"{seed}:{number}".encode()).digest()[:16]
        self.mode = mode
        self._water = number % 2 == 0
        medium = _WATER if self._water else _HEAT
        link = LinkHeader(0x44, _MANUFACTURER, self.id, 1, medium)
        in_session = mode == SESSION
        self._sender = Sender(link, self.key, 0 if in_session else int(mode), session=in_session)
        self._used = Consumption(seed * 1_000_003 + number)
        self._now = now
        self._frames = frames
        self._fragment = fragment
        self._sent = 0
        self._count = 0

    def telegram(self) -> bytes:
        """The next message as one telegram, without checksums."""
        access, counter = self._next()
        return self._sender.telegram(_records(self._rows()), access_number=access, counter=counter)

    def telegrams(self) -> list[bytes]:
        """The next message, in as many telegrams as it takes."""
        if self._fragment:
            records, (access, counter) = _records(self._rows()), self._next()
            return self._sender.fragments(records, self._fragment, access_number=access, counter=counter)
        if self._frames == "compact" and self._sent % _FULL_EVERY:
            return [self._compact()]
        return [self.telegram()]

    def _compact(self) -> bytes:
        """The next message without the headers that the full frame before it has taught."""
        rows, (access, counter) = self._rows(), self._next()
        headers = b"".join(bytes(header) for header, _ in rows)
        data = b"".join(encode_record(header, value)[len(bytes(header)) :] for header, value in rows)
        content = compact_frame(headers, _records(rows), data)[1:]
        sender = replace(self._sender, compact=True)
        return sender.telegram(content, access_number=access, counter=counter)

    def _next(self) -> tuple[int, int]:
        """The numbers that tell this message from all others: access number and message counter."""
        self._sent += 1
        # The message counter never repeats, also when the simulator is started anew.
        pace = _SESSIONS_PER_S if self.mode == SESSION else _COUNTS_PER_S
        self._count = max(self._count + 1, int((self._now() - EPOCH).total_seconds() * pace))
        return self._sent, self._count & 0xFFFFFFFF

    def _rows(self) -> Rows:
        at = self._now().astimezone(UTC).replace(tzinfo=None, second=0, microsecond=0)
        counter = self._used.energy_wh(at.replace(tzinfo=UTC))
        power = self._used.power_w(at.replace(tzinfo=UTC))
        time: tuple[Header, datetime] = (Header(4, b"\x6d"), at)
        if self._water:
            return [
                time,
                (Header(4, b"\x13"), Decimal(counter).scaleb(-3)),
                (Header(2, b"\x3b"), Decimal(power % 3000).scaleb(-3)),
            ]
        return [time, (Header(4, b"\x03"), counter), (Header(4, b"\x2b"), power)]


def _records(rows: Rows) -> bytes:
    return b"".join(encode_record(header, value) for header, value in rows)


class _Air:
    """The meters of a fleet, as their receiver hears them."""

    def __init__(
        self, meters: Sequence[RadioMeter], interval_s: float, form: str, receivers: Sequence[str]
    ) -> None:
        self.meters = meters
        self._interval_s = interval_s
        self._form = form
        self._receivers = [_receiver(text) for text in receivers]

    def telegrams(self) -> Iterator[bytes]:
        """One message of each meter, as the receiver gives it."""
        for meter in self.meters:
            for data in meter.telegrams():
                yield _FORMS[self._form](meter, data)

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

    async def push(self) -> None:
        """Send round after round to the receivers that the settings name, each telegram to one of them."""
        await asyncio.gather(
            *(
                self._keep_sending(url, self.meters[at :: len(self._receivers)])
                for at, url in enumerate(self._receivers)
            )
        )

    async def _keep_sending(self, url: URL, meters: Sequence[RadioMeter]) -> None:
        air = _Air(meters, self._interval_s, self._form, ())
        while True:
            try:
                async with _way(url) as send:
                    while True:
                        for telegram in air.telegrams():
                            await send(telegram)
                            await asyncio.sleep(self._interval_s)
            except TransportError:
                # Nobody listens; on the air nobody would notice.
                await asyncio.sleep(_PAUSE_S)


def _line(meter: RadioMeter, data: bytes) -> bytes:
    return f"T1;1;1;0;97;72;{meter.id};0x{data.hex()}\n".encode()


def _published(meter: RadioMeter, data: bytes) -> bytes:
    return json.dumps({"id": meter.id, "rssi": -72, "telegram": data.hex()}).encode()


_FORMS: Final[dict[str, Callable[[RadioMeter, bytes], bytes]]] = {
    "raw": lambda _, data: data,
    "crc": lambda _, data: encode_format_a(data),
    "line": _line,
    "hex": lambda _, data: data.hex().encode() + b"\n",
    "json": _published,
}


def _receiver(text: str) -> URL:
    url = URL.parse(text)
    if url.scheme != "wmbus" or url.line not in ("tcp", "udp", "mqtt", "mqtts"):
        raise LocalProtocolError(
            f"push wants wmbus://HOST:PORT, wmbus+udp://HOST:PORT or wmbus+mqtt://HOST/TOPIC, not {text!r}"
        )
    url.refuse_unknown({})
    if url.line in ("mqtt", "mqtts"):
        url.broker()  # a password that cannot be read is told now
    return url


@asynccontextmanager
async def _way(url: URL) -> AsyncIterator[Sending]:
    """A way to a receiver, while the block runs."""
    if url.line in ("mqtt", "mqtts"):
        async with publishing(url.broker()) as publisher:
            yield lambda telegram: publisher.publish(url.topic, telegram)
        return
    line: Any
    if url.line == "udp":
        line = await udp.connect_async(url.host, url.port or 0)
    else:
        line = await tcp.connect_async(url.host, url.port or 0, 5.0)
    try:
        yield line.send
    finally:
        await line.close()


def fleet(settings: Settings) -> Fleet:
    """A fleet on the air.

    Settings: ``first`` number (1), ``mode`` of security, or ``session`` for the extended link layer
    (5 and 7 in turn), ``interval`` seconds between telegrams (1), ``format``: ``raw``, ``crc`` (format
    A), ``line`` (as rtl-wmbus), ``hex`` or ``json`` (as gateways), ``frames``: ``full`` or ``compact``
    with a full one in between, ``fragment``: bytes of a message that one telegram carries (all), and
    ``push``: the address of a receiver to send to, or a list among which the meters are dealt out.
    """
    return _air(settings)


def _air(settings: Settings) -> _Air:
    config = settings.only("first", "mode", "interval", "format", "frames", "fragment", "push")
    first, mode = int(settings.number("first", 1)), config.get("mode")
    if mode is not None and mode not in (*SENDER_MODES, SESSION):
        raise LocalProtocolError(f"mode must be {SESSION} or one of {SENDER_MODES}, not {mode!r}")
    form = _choice(settings, "format", _FORMATS)
    frames = _choice(settings, "frames", _FRAMES)
    fragment = int(settings.number("fragment", 0))
    if fragment and (mode == SESSION or frames != "full"):
        raise LocalProtocolError("fragments are of full frames, and not of a session")
    receivers = config.get("push", [])
    receivers = [receivers] if isinstance(receivers, str) else receivers
    if not isinstance(receivers, list) or not all(isinstance(each, str) for each in receivers):
        raise LocalProtocolError("push must be an address or a list of addresses")
    meters = [
        RadioMeter(
            number,
            (5 if number % 2 == 0 else 7) if mode is None else mode,
            settings.seed,
            settings.now,
            frames=frames,
            fragment=fragment,
        )
        for number in range(first, first + settings.count)
    ]
    return _Air(meters, settings.number("interval", 1.0), form, receivers)


def _choice(settings: Settings, name: str, choices: tuple[str, ...]) -> str:
    chosen = settings.text(name, choices[0])
    if chosen not in choices:
        raise LocalProtocolError(f"{name} must be one of {', '.join(choices)}, not {chosen!r}")
    return chosen


async def push(settings: Settings, receiver: str, *, rounds: int = 1) -> list[RadioMeter]:
    """Send rounds of telegrams to a receiver that listens; gives the meters.

    Raises:
        TransportError: it cannot be reached.
    """
    air = _air(settings)
    async with _way(_receiver(receiver)) as send:
        for _ in range(rounds):
            for telegram in air.telegrams():
                await send(telegram)
                await asyncio.sleep(0)
    return list(air.meters)
