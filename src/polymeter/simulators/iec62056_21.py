"""Mode C meters on one line, told apart by their device address, as on a real current loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal

from polymeter.protocols.iec62056_21 import DataSet, Event, Identification, Meter, Request, serve
from polymeter.protocols.procedure import Procedure
from polymeter.simulators.consumption import Consumption
from polymeter.simulators.fleet import Fleet, Settings

__all__ = ["fleet"]

_MANUFACTURER = "PMX"
"""A made-up FLAG id: simulators pass for nobody's meters."""


class _Line:
    """Meters that hear everything and answer when they are addressed."""

    def __init__(self, meters: Sequence[Meter], reaction_s: float) -> None:
        self._meters = {meter.address.lstrip("0"): meter for meter in meters}
        self._reaction_s = reaction_s

    def serve(self) -> Procedure[None]:
        """One conversation: whoever is asked for answers, until another is asked for."""
        return serve(_Selected(self._meters), reaction_s=self._reaction_s)

    def addresses(self, host: str, port: int) -> list[str]:
        """An address for each meter."""
        shown = f"[{host}]" if ":" in host else host
        return [f"iec62056-21://{shown}:{port}?address={meter.address}" for meter in self._meters.values()]


class _Selected:
    """The meter of a line that was asked for last."""

    def __init__(self, meters: dict[str, Meter]) -> None:
        self._meters = meters
        self._current: Meter | None = next(iter(meters.values())) if len(meters) == 1 else None

    def answer(self, event: Event) -> Sequence[Event]:
        """What the addressed meter says; nothing if there is none."""
        if isinstance(event, Request):
            alone = len(self._meters) == 1 and not event.address
            found = (
                next(iter(self._meters.values())) if alone else self._meters.get(event.address.lstrip("0"))
            )
            self._current = found.session() if found is not None else None
        return self._current.answer(event) if self._current is not None else ()


def fleet(settings: Settings) -> Fleet:
    """A line of meters.

    Settings: ``password`` (none), ``reaction`` seconds before each answer (0), ``baud`` character (5).
    """
    config = settings.only("password", "reaction", "baud")
    meters = [
        Meter(
            Identification(_MANUFACTURER, str(config.get("baud", "5")), "SIM100"),
            _registers(number, Consumption(settings.seed * 1_000_003 + number), settings.now),
            address=f"{number:08d}",
            password=config.get("password"),
            operand=f"{number:08d}",
        )
        for number in range(1, settings.count + 1)
    ]
    return _Line(meters, float(config.get("reaction", 0.0)))


def _registers(
    number: int, used: Consumption, now: Callable[[], datetime]
) -> Callable[[], dict[str, DataSet]]:
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
