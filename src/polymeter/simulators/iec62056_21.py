"""IEC 62056-21 meters on one line, told apart by their device address, as on a real current loop.

They show a read-out, keep a load profile (P.01, average power of every quarter of an hour) and a
log (P.98), and let their clock be set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from polymeter.protocols.iec62056_21 import (
    BAUD_RATES,
    DataSet,
    Event,
    Identification,
    Meter,
    Request,
    push,
    serve,
)
from polymeter.protocols.iec62056_21.modes import MODE_B_RATES
from polymeter.protocols.procedure import Procedure
from polymeter.protocols.wire import LocalProtocolError
from polymeter.simulators.consumption import Consumption
from polymeter.simulators.fleet import Fleet, Settings
from polymeter.simulators.profiles import Clock, event_log, load_profile

__all__ = ["fleet"]

_MANUFACTURER = "PMX"
"""A made-up FLAG id: simulators pass for nobody's meters."""


class _Line:
    """Meters that hear everything and answer when they are addressed."""

    def __init__(
        self,
        meters: Sequence[Meter],
        reaction_s: float,
        silent: Callable[[str], bool],
        push_s: float | None = None,
    ) -> None:
        self._meters = {meter.address.lstrip("0"): meter for meter in meters}
        self._reaction_s = reaction_s
        self._silent = silent
        self._push_s = push_s

    def serve(self) -> Procedure[None]:
        """One conversation: whoever is asked for answers, until another is asked for."""
        if self._push_s is not None:
            meter = next(iter(self._meters.values()))
            return push(meter.identification, meter.registers, self._push_s)
        return serve(_Selected(self._meters, self._silent), reaction_s=self._reaction_s)

    def addresses(self, host: str, port: int) -> list[str]:
        """An address for each meter."""
        shown = f"[{host}]" if ":" in host else host
        if self._push_s is not None:
            return [f"iec62056-21://{shown}:{port}?mode=D"]
        return [f"iec62056-21://{shown}:{port}?address={meter.address}" for meter in self._meters.values()]


class _Selected:
    """The meter of a line that was asked for last."""

    def __init__(self, meters: dict[str, Meter], silent: Callable[[str], bool]) -> None:
        self._meters = meters
        self._silent = silent
        self._current: Meter | None = None

    def answer(self, event: Event) -> Sequence[Event]:
        """What the addressed meter says; nothing if there is none."""
        if isinstance(event, Request):
            alone = len(self._meters) == 1 and not event.address
            found = (
                next(iter(self._meters.values())) if alone else self._meters.get(event.address.lstrip("0"))
            )
            self._current = found.session() if found is not None else None
        if self._current is None or self._silent(self._current.address):
            return ()
        return self._current.answer(event)


def fleet(settings: Settings) -> Fleet:
    """A line of meters.

    Settings: ``mode`` A, B, C or D (C; D pushes every ``push`` seconds (10), one meter alone),
    ``first`` number (1), ``password`` (none), ``reaction`` seconds before each answer
    (0), ``baud`` character (5), and ``silent``, a list of tables ``{number, after, for}``: meters
    that break after some seconds and work again later.
    """
    config = settings.only("mode", "push", "first", "password", "reaction", "baud", "silent")
    first, password = int(settings.number("first", 1)), settings.text("password")
    mode = str(config.get("mode", "C"))
    if mode not in _BAUD:
        raise LocalProtocolError(f"mode must be one of {', '.join(_BAUD)}, not {mode!r}")
    if mode == "D" and settings.count > 1:
        raise LocalProtocolError("a line has one meter of mode D: two would speak at once")
    default, known = _BAUD[mode]
    baud = str(config.get("baud", default))
    if baud not in known:
        raise LocalProtocolError(f"baud of mode {mode} must be one of {', '.join(known)}, not {baud!r}")
    meters = [_meter(number, baud, password, settings) for number in range(first, first + settings.count)]
    silent = _silent(config.get("silent", ()), settings.now)
    pushed = settings.number("push", 10.0) if mode == "D" else None
    return _Line(meters, settings.number("reaction"), silent, pushed)


_BAUD: Final = {
    "A": (" ", (" ", "Z")),
    "B": ("E", tuple(MODE_B_RATES)),
    "C": ("5", tuple(BAUD_RATES)),
    "D": ("3", ("3",)),
}
"""The baud rate characters that say each mode."""


def _meter(number: int, baud: str, password: str | None, settings: Settings) -> Meter:
    used = Consumption(settings.seed * 1_000_003 + number)
    clock = Clock(settings.now)
    return Meter(
        Identification(_MANUFACTURER, baud, "SIM100"),
        _registers(number, used, clock),
        address=f"{number:08d}",
        password=password,
        operand=f"{number:08d}",
        write=clock.write,
        profiles={"P.01": load_profile(used, clock), "P.98": event_log(clock)},
    )


def _silent(tables: Sequence[Mapping[str, Any]], now: Callable[[], datetime]) -> Callable[[str], bool]:
    """Which meters do not answer, as time goes on."""
    started = now()
    try:
        spans = {
            f"{int(table['number']):08d}": (float(table["after"]), float(table["for"])) for table in tables
        }
    except (KeyError, TypeError, ValueError) as error:
        raise LocalProtocolError(f"silent: number, after and for are needed: {error}") from error

    def silent(address: str) -> bool:
        if address not in spans:
            return False
        after, lasting = spans[address]
        return bool(after <= (now() - started).total_seconds() < after + lasting)

    return silent


def _registers(number: int, used: Consumption, now: Clock) -> Callable[[], dict[str, DataSet]]:
    def registers() -> dict[str, DataSet]:
        at = now()
        energy = used.energy_wh(at)
        night = energy * 3 // 10
        power = used.power_w(at)
        volts = Decimal(2300 + (power + number) % 37 - 18).scaleb(-1)
        sets = (
            DataSet("F.F", "00000000"),
            DataSet("0.0.0", f"{number:08d}"),
            DataSet("0.9.1", f"{at:%H%M%S}"),
            DataSet("0.9.2", f"{at:%y%m%d}"),
            DataSet("1.8.0", _kilo(energy, 10), "kWh"),
            DataSet("1.8.1", _kilo(energy - night, 10), "kWh"),
            DataSet("1.8.2", _kilo(night, 10), "kWh"),
            DataSet("1.7.0", _kilo(power, 6), "kW"),
            DataSet("32.7.0", f"{volts}", "V"),
        )
        return {data_set.address: data_set for data_set in sets}

    return registers


def _kilo(value: int, width: int) -> str:
    """Thousandths as meters write them: leading zeros, three decimals."""
    return f"{Decimal(value).scaleb(-3):0{width}.3f}"
