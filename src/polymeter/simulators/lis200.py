"""Gas volume correctors that speak LIS-200: objects, locks and archives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from polymeter.protocols.iec62056_21 import Event, Identification, Request, parse_time, serve
from polymeter.protocols.lis200 import CUSTOMER, SUPPLIER, Archive, Meter, Object, format_time
from polymeter.protocols.procedure import Procedure
from polymeter.simulators.consumption import EPOCH, Consumption
from polymeter.simulators.fleet import Fleet, Settings
from polymeter.simulators.profiles import Clock, ends

__all__ = ["fleet"]

_MANUFACTURER: Final = "PMx"
"""A made-up FLAG id: simulators pass for nobody's meters."""

_COLUMNS: Final = (
    ("00001:00160", ""), ("00003:00161", ""), ("00001:00400", ""), ("00002:00300", "m3"),
    ("00002:00302", "m3"), ("00004:00300", "m3"), ("00004:00302", "m3"), ("00007:00310", "bar"),
    ("00006:00310", "C"), ("00005:00310", ""),
)  # fmt: skip
"""Ordinal numbers, time, volume at base conditions and as measured, pressure, temperature, K."""


class _Line:
    """Correctors that hear everything and answer when they are addressed."""

    def __init__(self, meters: Sequence[Meter], query: str, reaction_s: float) -> None:
        self._meters = {meter.address.lstrip("0"): meter for meter in meters}
        self._query = query
        self._reaction_s = reaction_s

    def serve(self) -> Procedure[None]:
        """One conversation: whoever is asked for answers, until another is asked for."""
        return serve(_Selected(self._meters), reaction_s=self._reaction_s)

    def addresses(self, host: str, port: int) -> list[str]:
        """An address for each meter."""
        shown = f"[{host}]" if ":" in host else host
        return [
            f"lis200://{shown}:{port}?address={meter.address}{self._query}" for meter in self._meters.values()
        ]


class _Selected:
    """The corrector of a line that was asked for last."""

    def __init__(self, meters: dict[str, Meter]) -> None:
        self._meters = meters
        self._current: Meter | None = None

    def answer(self, event: Event) -> Sequence[Event]:
        """What the addressed corrector says; nothing if there is none."""
        if isinstance(event, Request):
            alone = len(self._meters) == 1 and not event.address
            name = next(iter(self._meters)) if alone else event.address.lstrip("0")
            found = self._meters.get(name)
            self._current = found.session() if found is not None else None
        return self._current.answer(event) if self._current is not None else ()


def fleet(settings: Settings) -> Fleet:
    """A line of correctors.

    Settings: ``first`` number (1), ``code`` of the customer's lock (00000000), ``supplier_code``
    (11111111), ``reads_locked`` (true: reading, too, needs an open lock), ``reaction`` seconds
    before each answer (0).
    """
    config = settings.only("first", "code", "supplier_code", "reads_locked", "reaction")
    first = int(settings.number("first", 1))
    code = settings.text("code") or "00000000"
    codes = {SUPPLIER: settings.text("supplier_code") or "11111111", CUSTOMER: code}
    locked = bool(config.get("reads_locked", True))
    meters = [_meter(number, codes, locked, settings) for number in range(first, first + settings.count)]
    return _Line(meters, f"&code={code}", settings.number("reaction"))


def _meter(number: int, codes: dict[int, str], reads_locked: bool, settings: Settings) -> Meter:
    clock = Clock(settings.now)
    gas = _Gas(Consumption(settings.seed * 1_000_003 + number, 3000.0))
    return Meter(
        Identification(_MANUFACTURER, "5", "GVC280"),
        _objects(number, gas, clock),
        {
            1: Archive(_COLUMNS, lambda: gas.rows(clock(), timedelta(days=1))),
            3: Archive(_COLUMNS, lambda: gas.rows(clock(), timedelta(hours=1))),
        },
        dict(codes),
        address=f"{number:08d}",
        reads_locked=reads_locked,
    )


class _Gas:
    """Gas as a household's use of energy tells it: a tenth of a litre for each Wh."""

    def __init__(self, used: Consumption) -> None:
        self._used = used

    def measured_m3(self, at: datetime) -> Decimal:
        return Decimal(self._used.energy_wh(at)).scaleb(-4)

    def base_m3(self, at: datetime) -> Decimal:
        return (self.measured_m3(at) * Decimal("0.9812")).quantize(Decimal("0.0001"))

    def pressure_bar(self, at: datetime) -> Decimal:
        return Decimal(10132 + self._used.power_w(at) % 50).scaleb(-4)

    def temperature_c(self, at: datetime) -> Decimal:
        return Decimal(1200 + self._used.power_w(at) % 400).scaleb(-2)

    def rows(self, now: datetime, length: timedelta) -> list[tuple[str, ...]]:
        """The archive: a row for each interval's end."""
        return [self._row(at, length) for at in ends(None, None, now, length)]

    def _row(self, at: datetime, length: timedelta) -> tuple[str, ...]:
        ordinal = int((at - EPOCH) // length)
        base, measured = self.base_m3(at), self.measured_m3(at)
        return (
            str(ordinal), str(ordinal % 10_000), format_time(at), f"{base:.4f}", f"{base:.4f}",
            f"{measured:.4f}", f"{measured:.4f}", f"{self.pressure_bar(at)}", f"{self.temperature_c(at)}",
            "0.98120",
        )  # fmt: skip


def _objects(number: int, gas: _Gas, clock: Clock) -> dict[str, Object]:
    remark = ["no remark"]

    def set_clock(text: str) -> bool:
        at = parse_time(text)
        if at is not None:
            clock.set(at.replace(tzinfo=UTC))
        return at is not None

    def set_remark(text: str) -> bool:
        remark[0] = text
        return len(text) <= 16

    def shown(value: Callable[[datetime], object], unit: str, description: str) -> Object:
        return Object(lambda: str(value(clock())), unit, description)

    return {
        "1:180": Object(lambda: f"{number:08d}", description="serial number"),
        "2:190": Object(lambda: "1.00", description="software version"),
        "1:400": Object(lambda: format_time(clock()), description="time", write=set_clock, lock=SUPPLIER),
        "1:40F": Object(lambda: "0", "min", "clock ahead of UTC"),
        "2:300": shown(gas.base_m3, "m3", "volume at base conditions"),
        "2:302": shown(gas.base_m3, "m3", "volume at base conditions, total"),
        "4:300": shown(gas.measured_m3, "m3", "volume as measured"),
        "4:302": shown(gas.measured_m3, "m3", "volume as measured, total"),
        "5:310": Object(lambda: "0.98120", description="conversion factor"),
        "6:310": shown(gas.temperature_c, "C", "temperature"),
        "7:310": shown(gas.pressure_bar, "bar", "pressure"),
        "1:1C1": Object(lambda: remark[0], description="remark", write=set_remark, lock=CUSTOMER),
    }
