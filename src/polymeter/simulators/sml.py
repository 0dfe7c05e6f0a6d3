"""SML meters that push a frame each second to whoever connects, as an optical head would hear them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final

from polymeter.protocols import obis
from polymeter.protocols.procedure import Procedure
from polymeter.protocols.sml import (
    KERMIT,
    X25,
    Checksum,
    Connection,
    Entry,
    pushed,
    sec_index,
    serve,
    timestamp,
)
from polymeter.protocols.wire import LocalProtocolError
from polymeter.simulators.consumption import EPOCH, Consumption
from polymeter.simulators.fleet import Fleet, Settings

__all__ = ["fleet"]

_MANUFACTURER: Final = b"PMX"
"""A made-up FLAG id: simulators pass for nobody's meters."""
_WH, _W, _V, _A, _HZ = 30, 27, 35, 33, 44
_IMPORT: Final = 0x001C0104
"""A status word of the FNN basic meter: all is well, energy flows in."""


class _Meter:
    """One meter: what is used, and what its frame of now says."""

    def __init__(self, number: int, seed: int, now: Callable[[], datetime], *, clock: bool) -> None:
        self.server = b"\x0a\x01" + _MANUFACTURER + b"\x00" + number.to_bytes(4, "big")
        self.used = Consumption(seed * 1_000_003 + number)
        self.number = number
        self.now = now
        self.clock = clock

    def frame(self, connection: Connection) -> bytes:
        """The frame of now."""
        at = self.now()
        seconds = int((at - EPOCH).total_seconds())
        time = timestamp(int(at.timestamp())) if self.clock else sec_index(seconds & 0xFFFFFFFF)
        return connection.send(pushed(self.server, time, self._entries(at), seconds * 4 & 0xFFFFFFFF))

    def _entries(self, at: datetime) -> list[Entry]:
        energy, power = self.used.energy_wh(at), self.used.power_w(at)
        night = energy * 3 // 10
        volts = 2300 + (power + self.number) % 37 - 18
        return [
            Entry(_code("1-0:96.50.1*1"), _MANUFACTURER),
            Entry(_code("1-0:96.1.0*255"), self.server),
            Entry(_code("1-0:1.8.0*255"), energy * 10, _WH, -1, _IMPORT),
            Entry(_code("1-0:1.8.1*255"), (energy - night) * 10, _WH, -1),
            Entry(_code("1-0:1.8.2*255"), night * 10, _WH, -1),
            Entry(_code("1-0:2.8.0*255"), 0, _WH, -1),
            Entry(_code("1-0:16.7.0*255"), power, _W, 0),
            Entry(_code("1-0:32.7.0*255"), volts, _V, -1),
            Entry(_code("1-0:31.7.0*255"), power * 1000 // volts, _A, -2),
            Entry(_code("1-0:14.7.0*255"), 500, _HZ, -1),
        ]


def _code(text: str) -> bytes:
    code = obis.parse(text)
    assert code is not None  # the codes of this module are codes
    return bytes(code)


class _Head:
    """All meters on one line."""

    def __init__(self, meters: Sequence[_Meter], checksum: Checksum, period_s: float) -> None:
        self._meters = meters
        self._connection = Connection(checksum)
        self._period_s = period_s

    def serve(self) -> Procedure[None]:
        """One listener."""
        return serve(lambda: list(self._frames()), self._period_s)

    def _frames(self) -> Iterator[bytes]:
        for meter in self._meters:
            yield meter.frame(self._connection)

    def addresses(self, host: str, port: int) -> list[str]:
        """An address for each meter."""
        shown = f"[{host}]" if ":" in host else host
        return [f"sml://{shown}:{port}?meter={meter.server.hex()}" for meter in self._meters]


def fleet(settings: Settings) -> Fleet:
    """Meters on a line.

    Settings: ``first`` number (1), ``clock`` (false: times are seconds indices; with true they are
    timestamps), ``checksum`` (x25 or kermit), ``period`` seconds between frames (1).
    """
    config = settings.only("first", "clock", "checksum", "period")
    clock = config.get("clock", False)
    if not isinstance(clock, bool):
        raise LocalProtocolError(f"the setting clock must be true or false, not {clock!r}")
    checksum = {"x25": X25, "kermit": KERMIT}.get(settings.text("checksum", "x25") or "")
    if checksum is None:
        raise LocalProtocolError("the setting checksum must be x25 or kermit")
    first = int(settings.number("first", 1))
    meters = [
        _Meter(number, settings.seed, settings.now, clock=clock)
        for number in range(first, first + settings.count)
    ]
    return _Head(meters, checksum, settings.number("period", 1.0))
