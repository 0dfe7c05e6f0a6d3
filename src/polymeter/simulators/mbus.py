"""Meters on one M-Bus: heat, water, electricity and gas, with both kinds of address.

Their numbers spread over the first digits, so that a search finds them soon; every meter hears
everything, and those who are meant together answer together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from polymeter.protocols.mbus import Bus, Header, LongHeader, SecondaryAddress, Slave, encode_record, serve
from polymeter.protocols.mbus.fixed import FixedData, encode_fixed
from polymeter.protocols.procedure import Procedure
from polymeter.protocols.wire import LocalProtocolError, Record, Value
from polymeter.simulators.consumption import Consumption
from polymeter.simulators.fleet import Fleet, Settings

__all__ = ["fleet"]

_MANUFACTURER: Final = "PMX"
"""A made-up FLAG id: simulators pass for nobody's meters."""
_MEDIA: Final = (0x04, 0x07, 0x02, 0x03)
_RESPONSE: Final = 0x72
_FIXED: Final = 0x73
_MONTHS_PER_TELEGRAM: Final = 6

_Row = tuple[Header, Value]


class _Fleet:
    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def serve(self) -> Procedure[None]:
        """One master's conversation with the whole bus."""
        return serve(self._bus)

    def addresses(self, host: str, port: int) -> list[str]:
        """An address for each meter: the primary one where it has one to itself."""
        shown = f"[{host}]" if ":" in host else host
        primaries = [slave.address for slave in self._bus.slaves]
        return [
            f"mbus://{shown}:{port}/{slave.address}"
            if slave.address and primaries.count(slave.address) == 1
            else f"mbus://{shown}:{port}/{SecondaryAddress.of(slave.header)}"
            for slave in self._bus.slaves
        ]


def fleet(settings: Settings) -> Fleet:
    """A bus of meters.

    Settings: ``first`` primary address (1; meters beyond 250 have address 0 and are reached by
    their secondary one), ``telegrams`` each meter has (1), ``reaction`` seconds before each answer
    (0), ``noise``: every so many answers one is damaged (0, never), ``fixed``: so many meters
    answer with the fixed structure (0), ``same_primary``: all meters share the first address (no),
    ``exact_overlap``: acknowledgements that collide look like one (no), ``alarm``: status that all
    meters report as alarm (none).
    """
    settings.only(
        "first", "telegrams", "reaction", "noise", "fixed", "same_primary", "exact_overlap", "alarm"
    )
    first, telegrams = int(settings.number("first", 1)), int(settings.number("telegrams", 1))
    if not 1 <= telegrams <= 50 or first > 250:
        raise LocalProtocolError("telegrams are 1 to 50, first is 0 to 250")
    if settings.count > 20_000:
        raise LocalProtocolError("a simulated bus has at most 20000 meters")
    alarm = int(settings.number("alarm")) & 0xFF if "alarm" in settings.config else None
    fixed = int(settings.number("fixed"))
    slaves = []
    for index in range(settings.count):
        primary = first if settings.config.get("same_primary") else first + index
        meter = _Meter(
            index + 1,
            _MEDIA[index % len(_MEDIA)],
            Consumption(settings.seed * 1_000_003 + index),
            settings.now,
            telegrams,
        )
        slave = Slave(
            meter.header,
            primary if primary <= 250 else 0,
            meter.fixed if index < fixed else meter.variable,
            alarm,
            settings.number("reaction"),
            int(settings.number("noise")),
        )
        slave.on_write = meter.take
        slaves.append(slave)
    return _Fleet(Bus(slaves, exact_overlap=bool(settings.config.get("exact_overlap"))))


@dataclass(slots=True)
class _Meter:
    """What one meter shows."""

    number: int
    medium: int
    used: Consumption
    now: Callable[[], datetime]
    telegrams: int
    ahead: timedelta = field(default_factory=timedelta)
    """How much its clock is ahead, since somebody set it."""
    access_number: int = 0

    @property
    def header(self) -> LongHeader:
        """Its secondary address. The digits are turned round: numbers in a row begin differently."""
        return LongHeader(f"{self.number:08d}"[::-1], _MANUFACTURER, 1, self.medium)

    def take(self, record: Record) -> None:
        """Somebody wrote a record: a time sets the clock."""
        if record.name == "time" and isinstance(record.value, datetime):
            self.ahead = record.value - self.now().replace(tzinfo=None)

    def variable(self) -> Sequence[tuple[int, bytes]]:
        """All telegrams: the present values, then months of history."""
        self.access_number = (self.access_number + 1) & 0xFF
        header = LongHeader(self.header.id, _MANUFACTURER, 1, self.medium, access_number=self.access_number)
        runs = [self._present()]
        for telegram in range(1, self.telegrams):
            start = (telegram - 1) * _MONTHS_PER_TELEGRAM
            runs.append(self._history(range(start + 2, start + 2 + _MONTHS_PER_TELEGRAM)))
        bodies = [b"".join(encode_record(*row) for row in run) for run in runs]
        more = [b"\x1f"] * (len(bodies) - 1) + [b""]
        return [(_RESPONSE, bytes(header) + body + end) for body, end in zip(bodies, more, strict=True)]

    def fixed(self) -> Sequence[tuple[int, bytes]]:
        """The fixed structure: energy or volume, and the same of the key date."""
        at = self.now()
        unit = 0x05 if self.medium in (0x04, 0x02) else 0x29
        counters = (_bcd(self._counter(at)), _bcd(self._counter(_key_date(at))))
        code = self.medium
        self.access_number = (self.access_number + 1) & 0xFF
        return [
            (
                _FIXED,
                encode_fixed(FixedData(self.header.id, self.access_number, 0, (unit, 0x3E), code, counters)),
            )
        ]

    def _counter(self, at: datetime) -> int:
        return self.used.energy_wh(at) // 1000

    def _present(self) -> list[_Row]:
        at = self.now()
        shown = (at + self.ahead).replace(tzinfo=None, second=0, microsecond=0)
        key_date = _key_date(at)
        rows: list[_Row] = [(Header(0xC, b"\x78"), self.header.id)]
        counter, power = self._counter(at), self.used.power_w(at)
        stored = self._counter(key_date)
        date_row: _Row = (Header(2, b"\x6c", storage=1), key_date.date())
        match self.medium:
            case 0x04:
                rows += [
                    (Header(4, b"\x06"), counter),
                    (Header(4, b"\x14"), Decimal(counter * 2).scaleb(-2)),
                    (Header(4, b"\x2b"), power),
                    (Header(4, b"\x3b"), Decimal(power).scaleb(-3)),
                    (Header(2, b"\x5a"), Decimal(700 + power % 90).scaleb(-1)),
                    (Header(2, b"\x5e"), Decimal(400 + power % 70).scaleb(-1)),
                    (Header(4, b"\x2b", function="maximum"), power + 900),
                    (Header(4, b"\x06", storage=1), stored),
                ]
            case 0x02:
                rows += [
                    (Header(4, b"\x03"), self.used.energy_wh(at)),
                    (Header(4, b"\x03", tariff=1), self.used.energy_wh(at) * 7 // 10),
                    (Header(4, b"\x03", tariff=2), self.used.energy_wh(at) * 3 // 10),
                    (Header(4, b"\x2b"), power),
                    (Header(2, b"\xfd\xc8\xfc\x01"), Decimal(2300 + power % 37).scaleb(-1)),
                    (Header(4, b"\x03", storage=1), self.used.energy_wh(key_date)),
                ]
            case _:
                rows += [
                    (Header(0xC, b"\x13"), Decimal(counter * 7).scaleb(-3)),
                    (Header(4, b"\x3b"), Decimal(power).scaleb(-3)),
                    (Header(0xC, b"\x13", storage=1), Decimal(stored * 7).scaleb(-3)),
                ]
        return [*rows, date_row, (Header(1, b"\xfd\x17"), 0), (Header(4, b"\x6d"), shown)]

    def _history(self, storages: range) -> list[_Row]:
        """The counter at the ends of earlier months, under the storage numbers from 2 on."""
        rows: list[_Row] = []
        end = _key_date(self.now())
        for storage in storages:
            for _ in range(storage - 1 if storage == storages[0] else 1):
                end = _key_date(end - timedelta(days=1))
            counter = self._counter(end)
            if self.medium in (0x04, 0x02):
                rows.append((Header(4, b"\x06", storage=storage), counter))
            else:
                rows.append((Header(0xC, b"\x13", storage=storage), Decimal(counter * 7).scaleb(-3)))
            rows.append((Header(2, b"\x6c", storage=storage), end.date()))
        return rows


def _key_date(at: datetime) -> datetime:
    """The first of the month."""
    return at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _bcd(value: int) -> bytes:
    return bytes.fromhex(f"{value % 10**8:08d}")[::-1]
