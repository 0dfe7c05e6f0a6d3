"""SML meters that push a frame each second to whoever connects, as an optical head does, or are asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote

from polymeter.protocols import obis
from polymeter.protocols.procedure import Procedure
from polymeter.protocols.sml import (
    KERMIT,
    LIST_NAME,
    X25,
    Checksum,
    Column,
    Connection,
    Element,
    Entry,
    Message,
    Meter,
    Recording,
    RecordingRow,
    Setting,
    octets,
    pushed,
    sec_index,
    serve,
    timestamp,
)
from polymeter.protocols.wire import LocalProtocolError
from polymeter.simulators.consumption import EPOCH, Consumption
from polymeter.simulators.fleet import Fleet, Settings
from polymeter.simulators.profiles import ends

__all__ = ["fleet"]

_MANUFACTURER: Final = b"PMX"
"""A made-up FLAG id: simulators pass for nobody's meters."""
_WH, _W, _V, _A, _HZ = 30, 27, 35, 33, 44
_UNIX: Final = datetime(1970, 1, 1, tzinfo=UTC)
_POINT_MAX: Final = 33
_PROFILES: Final = {
    bytes.fromhex("8181c78611ff"): timedelta(minutes=15),
    bytes.fromhex("8181c78612ff"): timedelta(hours=1),
    bytes.fromhex("8181c78613ff"): timedelta(days=1),
}
"""Path to the interval of the rows that gateways keep there."""
_STATUS: Final = 0x001C0104
"""A status word of the FNN basic meter: all is well, energy flows in."""


def _code(text: str) -> bytes:
    code = obis.parse(text)
    assert code is not None  # the codes of this module are codes
    return bytes(code)


_IMPORTED: Final = _code("1-0:1.8.0*255")
_EXPORTED: Final = _code("1-0:2.8.0*255")
_COLUMNS: Final = (Column(_IMPORTED, _WH, -1), Column(_EXPORTED, _WH, -1))


class _Meter:
    """One meter: what is used, what its frame of now says, and what it answers."""

    def __init__(
        self,
        number: int,
        seed: int,
        now: Callable[[], datetime],
        *,
        clock: bool,
        username: str | None = None,
        password: str | None = None,
    ) -> None:
        self.server = b"\x0a\x01" + _MANUFACTURER + b"\x00" + number.to_bytes(4, "big")
        self.used = Consumption(seed * 1_000_003 + number)
        self.number = number
        self.now = now
        self.clock = clock
        self._point = b"DE" + f"{number:031d}".encode()
        self.asked = Meter(
            self.server,
            self._time,
            {LIST_NAME: lambda: self._entries(now())},
            self._parameters(),
            {(path,): self._recording(length) for path, length in _PROFILES.items()},
            None if username is None else username.encode("latin-1", "replace"),
            None if password is None else password.encode("latin-1", "replace"),
        )

    def frame(self, connection: Connection) -> bytes:
        """The frame of now."""
        at = self.now()
        file_id = self._second(at, EPOCH) * 4 & 0xFFFFFFFF
        return connection.send(pushed(self.server, self._time(None), self._entries(at), file_id))

    def _second(self, at: datetime, since: datetime) -> int:
        return int((at - since).total_seconds())

    def _time(self, second: int | None) -> Element:
        if second is None:
            second = self._second(self.now(), _UNIX if self.clock else EPOCH)
        return timestamp(second) if self.clock else sec_index(second & 0xFFFFFFFF)

    def _entries(self, at: datetime) -> list[Entry]:
        energy, power = self.used.energy_wh(at), self.used.power_w(at)
        night = energy * 3 // 10
        volts = 2300 + (power + self.number) % 37 - 18
        return [
            Entry(_code("1-0:96.50.1*1"), _MANUFACTURER),
            Entry(_code("1-0:96.1.0*255"), self.server),
            Entry(_IMPORTED, energy * 10, _WH, -1, _STATUS),
            Entry(_code("1-0:1.8.1*255"), (energy - night) * 10, _WH, -1),
            Entry(_code("1-0:1.8.2*255"), night * 10, _WH, -1),
            Entry(_EXPORTED, 0, _WH, -1),
            Entry(_code("1-0:16.7.0*255"), power, _W, 0),
            Entry(_code("1-0:32.7.0*255"), volts, _V, -1),
            Entry(_code("1-0:31.7.0*255"), power * 1000 // volts, _A, -2),
            Entry(_code("1-0:14.7.0*255"), 500, _HZ, -1),
        ]

    def _parameters(self) -> dict[tuple[bytes, ...], Setting]:
        """Who made the meter and which it is; and, to be set, the name of the place that it measures."""

        def rename(value: Element) -> bool:
            fits = 0 < len(value.value or b"") <= _POINT_MAX
            if fits:
                self._point = value.value
            return fits

        root = bytes.fromhex("8181c78201ff")
        return {
            (root, bytes.fromhex("8181c78203ff")): Setting(lambda: octets(_MANUFACTURER)),
            (root, bytes.fromhex("8181c78204ff")): Setting(lambda: octets(self.server)),
            (root, _code("0-0:96.1.10*255")): Setting(lambda: octets(self._point), rename),
        }

    def _recording(self, length: timedelta) -> Recording:
        since = _UNIX if self.clock else EPOCH

        def rows() -> list[RecordingRow]:
            return [
                RecordingRow(self._second(at, since), 0, (self.used.energy_wh(at) * 10, 0))
                for at in ends(None, None, self.now(), length)
            ]

        return Recording(_COLUMNS, rows, int(length.total_seconds()))


class _Head:
    """All meters on one line."""

    def __init__(self, meters: Sequence[_Meter], checksum: Checksum, period_s: float, query: str) -> None:
        self._meters = meters
        self._checksum = checksum
        self._period_s = period_s
        self._query = query

    def serve(self) -> Procedure[None]:
        """One listener, who may ask."""
        return serve(lambda: list(self._frames()), self._period_s, self._answer, self._checksum)

    def _frames(self) -> Iterator[bytes]:
        connection = Connection(self._checksum)
        for meter in self._meters:
            yield meter.frame(connection)

    def _answer(self, file: Sequence[Message]) -> Sequence[Message]:
        """What the meter says that is named; one that is alone need not be, and speaks for strangers."""
        named = next((message.server for message in file if message.server), None)
        found = next((meter for meter in self._meters if meter.server == named), self._meters[0])
        if named is None and len(self._meters) > 1:
            return ()
        return found.asked.answer(file)

    def addresses(self, host: str, port: int) -> list[str]:
        """An address for each meter."""
        shown = f"[{host}]" if ":" in host else host
        return [f"sml://{shown}:{port}?meter={meter.server.hex()}{self._query}" for meter in self._meters]


def fleet(settings: Settings) -> Fleet:
    """Meters on a line, who push and may be asked.

    Settings: ``first`` number (1), ``clock`` (false: times are seconds indices; with true they are
    timestamps), ``checksum`` (x25 or kermit), ``period`` seconds between frames (1; 0 to push
    none), ``username`` and ``password`` of whoever asks (none).
    """
    config = settings.only("first", "clock", "checksum", "period", "username", "password")
    clock = config.get("clock", False)
    if not isinstance(clock, bool):
        raise LocalProtocolError(f"the setting clock must be true or false, not {clock!r}")
    checksum = {"x25": X25, "kermit": KERMIT}.get(settings.text("checksum", "x25") or "")
    if checksum is None:
        raise LocalProtocolError("the setting checksum must be x25 or kermit")
    first, period_s = int(settings.number("first", 1)), settings.number("period", 1.0)
    known = {name: settings.text(name) for name in ("username", "password")}
    query = "".join(f"&{name}={quote(text, safe='')}" for name, text in known.items() if text is not None)
    if not period_s and not query:
        query = "&access=request"
    meters = [
        _Meter(number, settings.seed, settings.now, clock=clock, **known)
        for number in range(first, first + settings.count)
    ]
    return _Head(meters, checksum, period_s, query)
