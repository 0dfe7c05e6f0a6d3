"""P1 ports that push a telegram of every meter each second to whoever connects.

The layouts follow the companion standards of the versions: which registers there are, how wide
they are, how times are written. A line with several meters is what a gateway makes of several
ports; ``?meter=`` chooses one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from polymeter.protocols.iec62056_21 import DataSet
from polymeter.protocols.p1 import Telegram, encipher, encode, serve, write
from polymeter.protocols.procedure import Procedure
from polymeter.protocols.wire import LocalProtocolError
from polymeter.simulators.consumption import Consumption
from polymeter.simulators.fleet import Fleet, Settings

__all__ = ["VERSIONS", "fleet"]

_MANUFACTURER: Final = "PMX"
"""A made-up FLAG id: simulators pass for nobody's meters."""
_ZONE: Final = ZoneInfo("Europe/Amsterdam")
_CLOCK: Final = "0-0:1.0.0"

Lines = list[tuple[DataSet, ...]]


class _Version(NamedTuple):
    """How a version writes its telegrams."""

    header: str
    announced: DataSet | None
    checksum: bool = True
    clock: bool = True
    tariffs: bool = True
    reactive: bool = False
    kilo: bool = True
    sub_meter: bool = True

    def register(self, address: str, value: int, width: int, unit: str) -> tuple[DataSet, ...]:
        """A register in thousandths of a thousand, or in whole units where the version has those."""
        if self.kilo:
            return _one(address, _kilo(value, width), f"k{unit}")
        return _one(address, f"{value:09d}", unit)


VERSIONS: Final = {
    "2.2": _Version("SIM2.2", None, checksum=False, clock=False),
    "4": _Version("SIM4", DataSet("1-3:0.2.8", "42")),
    "5": _Version("SIM5", DataSet("1-3:0.2.8", "50")),
    "belgium": _Version("SIMBE", DataSet("0-0:96.1.4", "50217")),
    "luxembourg": _Version("SIMLU", DataSet("1-3:0.2.8", "42"), tariffs=False, reactive=True),
    "sweden": _Version("SIMSE", None, tariffs=False, reactive=True, sub_meter=False),
    "austria": _Version("SIMAT", DataSet("1-3:0.2.8", "50"), reactive=True, kilo=False, sub_meter=False),
}
"""Versions and countries to how their meters write."""


class _Meter:
    """One port: what is used, and how the telegram of now looks."""

    def __init__(self, number: int, version: str, seed: int, now: Callable[[], datetime]) -> None:
        self.number = number
        self.version = version
        self.used = Consumption(seed * 1_000_003 + number)
        self.gas = Consumption(seed * 1_000_003 + number + 500_000, mean_w=120.0)
        self.now = now
        self.serial = f"{_MANUFACTURER}{number:012d}"
        self.gas_serial = f"{_MANUFACTURER}G{number:011d}"

    @property
    def system_title(self) -> bytes:
        """A made-up system title."""
        return _MANUFACTURER.encode("ascii") + self.number.to_bytes(5, "big")

    def telegram(self) -> Telegram:
        """The telegram of now."""
        rules = VERSIONS[self.version]
        at = self.now()
        lines = self._head(rules, at) + self._energy(rules, at) + self._rest(rules, at)
        return write(f"{_MANUFACTURER}5\\2{rules.header}", lines, checksum=rules.checksum)

    def _head(self, rules: _Version, at: datetime) -> Lines:
        lines: Lines = [] if rules.announced is None else [(rules.announced,)]
        if rules.clock:
            lines.append((DataSet(_CLOCK, _stamp(at)),))
        lines.append((DataSet("0-0:96.1.1", _hex(self.serial)),))
        return lines

    def _energy(self, rules: _Version, at: datetime) -> Lines:
        energy, power = self.used.energy_wh(at), self.used.power_w(at)
        night = energy * 3 // 10
        register = rules.register
        if not rules.tariffs:
            lines = [register("1-0:1.8.0", energy, 10, "Wh"), register("1-0:2.8.0", 0, 10, "Wh")]
        else:
            lines = [
                register("1-0:1.8.1", night, 10, "Wh"),
                register("1-0:1.8.2", energy - night, 10, "Wh"),
                register("1-0:2.8.1", 0, 10, "Wh"),
                register("1-0:2.8.2", 0, 10, "Wh"),
                _one("0-0:96.14.0", "0002" if 7 <= at.astimezone(_ZONE).hour < 23 else "0001"),
            ]
        if rules.reactive:
            lines += [
                register("1-0:3.8.0", energy // 9, 10, "varh"),
                register("1-0:3.7.0", power // 9, 6, "var"),
            ]
        if self.version == "belgium":
            lines += self._peaks(at)
        return [*lines, register("1-0:1.7.0", power, 6, "W"), register("1-0:2.7.0", 0, 6, "W")]

    def _peaks(self, at: datetime) -> Lines:
        """The demand of this quarter, of this month, and of up to thirteen months before it."""
        month = at.astimezone(_ZONE).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        history: list[DataSet] = []
        begin = month
        for _ in range(13):
            end, begin = begin, (begin - timedelta(days=1)).replace(day=1)
            if end.year < 2024:
                break
            history += [DataSet("", _stamp(end)), *_peak(self.used, begin, at)]
        count = len(history) // 3
        present = _peak(self.used, month, at)
        return [
            _one("1-0:1.4.0", _kilo(self.used.power_w(at), 6), "kW"),
            (DataSet("1-0:1.6.0", present[0].value), present[1]),
            (DataSet("0-0:98.1.0", str(count)), DataSet("", "1-0:1.6.0"), DataSet("", "1-0:1.6.0"), *history),
        ]

    def _rest(self, rules: _Version, at: datetime) -> Lines:
        if self.version == "2.2":
            return [_one("0-0:96.13.0", ""), *self._old_sub_meter(at)]
        volts = Decimal(2300 + (self.used.power_w(at) + self.number) % 37 - 18).scaleb(-1)
        log = (
            DataSet("", _stamp(at.replace(month=1, day=1, hour=3, minute=0, second=0))),
            DataSet("", "0000000240", "s"),
        )
        return [
            _one("0-0:96.7.21", "00004"),
            _one("0-0:96.7.9", "00001"),
            (DataSet("1-0:99.97.0", "1"), DataSet("", "0-0:96.7.19"), *log),
            _one("1-0:32.7.0", str(volts), "V"),
            _one("0-0:96.13.0", ""),
            *(self._sub_meter(at) if rules.sub_meter else []),
        ]

    def _sub_meter(self, at: datetime) -> Lines:
        """The gas meter, which the meter asks every five minutes."""
        belgium = self.version == "belgium"
        fetched = at - timedelta(minutes=at.minute % 5, seconds=at.second)
        volume = DataSet("", _kilo(self.gas.energy_wh(fetched), 9), "m3")
        return [
            _one("0-1:24.1.0", "003"),
            _one("0-1:96.1.1" if belgium else "0-1:96.1.0", _hex(self.gas_serial)),
            (DataSet("0-1:24.2.3" if belgium else "0-1:24.2.1", _stamp(fetched)), volume),
        ]

    def _old_sub_meter(self, at: datetime) -> Lines:
        """The gas meter as versions before 4 have it: asked once an hour, its value on the next line."""
        hour = at.replace(minute=0, second=0)
        columns = [DataSet("", text) for text in ("00", "60", "1", "0-1:24.2.1", "m3")]
        return [
            _one("0-1:24.1.0", "3"),
            _one("0-1:96.1.0", _hex(self.gas_serial)),
            (DataSet("0-1:24.3.0", _stamp(hour)[:-1]), *columns),
            (DataSet("", _kilo(self.gas.energy_wh(hour), 9)),),
        ]


def _one(address: str, value: str, unit: str | None = None) -> tuple[DataSet, ...]:
    return (DataSet(address, value, unit),)


def _stamp(at: datetime) -> str:
    local = at.astimezone(_ZONE)
    return f"{local:%y%m%d%H%M%S}{'S' if local.dst() else 'W'}"


def _peak(used: Consumption, month: datetime, until: datetime) -> tuple[DataSet, DataSet]:
    """When the month's demand was highest so far, sampled once a day, and how high."""
    days = [month + timedelta(days=day, minutes=15) for day in range(28)]
    highest = max((day for day in days if day <= until), key=used.power_w, default=month)
    return DataSet("", _stamp(highest)), DataSet("", _kilo(used.power_w(highest), 6), "kW")


def _hex(text: str) -> str:
    return text.encode("ascii").hex().upper()


def _kilo(value: int, width: int) -> str:
    """Thousandths as meters write them: leading zeros, three decimals."""
    return f"{Decimal(value).scaleb(-3):0{width}.3f}"


class _Port:
    """All meters of a gateway on one line."""

    def __init__(
        self, meters: Sequence[_Meter], key: bytes | None, auth_key: bytes | None, period_s: float
    ) -> None:
        self._meters = meters
        self._key = key
        self._auth_key = auth_key
        self._period_s = period_s
        self._counter = 0

    def serve(self) -> Procedure[None]:
        """One listener."""
        return serve(lambda: list(self._telegrams()), self._period_s)

    def _telegrams(self) -> Iterator[bytes]:
        for meter in self._meters:
            telegram = encode(meter.telegram())
            if self._key is None:
                yield telegram
                continue
            self._counter += 1
            counter = int(meter.now().timestamp()) + self._counter & 0xFFFFFFFF
            extra = {} if self._auth_key is None else {"auth_key": self._auth_key}
            yield encode(encipher(telegram, self._key, meter.system_title, counter, **extra))

    def addresses(self, host: str, port: int) -> list[str]:
        """An address for each meter."""
        shown = f"[{host}]" if ":" in host else host
        secret = "" if self._key is None else f"&key={self._key.hex()}"
        secret += "" if self._auth_key is None else f"&auth_key={self._auth_key.hex()}"
        return [f"p1://{shown}:{port}?meter={meter.serial}{secret}" for meter in self._meters]


def fleet(settings: Settings) -> Fleet:
    """A gateway with ports.

    Settings: ``first`` number (1), ``version`` (5; one of `VERSIONS`), ``encrypted`` (false: with
    true all telegrams are enciphered under a key made from the seed), ``auth_key`` in hex (the
    public one of Luxembourg), ``period`` seconds between telegrams (1).
    """
    config = settings.only("first", "version", "encrypted", "auth_key", "period")
    version = settings.text("version", "5") or "5"
    if version not in VERSIONS:
        raise LocalProtocolError(f"there is no version {version!r}, but {', '.join(VERSIONS)}")
    first = int(settings.number("first", 1))
    meters = [
        _Meter(number, version, settings.seed, settings.now)
        for number in range(first, first + settings.count)
    ]
    encrypted = config.get("encrypted", False)
    if not isinstance(encrypted, bool):
        raise LocalProtocolError(f"the setting encrypted must be true or false, not {encrypted!r}")
    # A simulator's key protects nothing; made from the seed it is the same tomorrow.
    key = hashlib.sha256(f"simulated P1 port {settings.seed}".encode()).digest()[:16] if encrypted else None
    given = settings.text("auth_key")
    try:
        auth_key = None if given is None else bytes.fromhex(given)
    except ValueError as error:
        raise LocalProtocolError("the setting auth_key must be hex digits") from error
    return _Port(meters, key, auth_key, settings.number("period", 1.0))
