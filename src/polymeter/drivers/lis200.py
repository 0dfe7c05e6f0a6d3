"""LIS-200 devices: gas volume correctors and data loggers, with their locks and archives."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, tzinfo
from typing import ClassVar

from polymeter.catalogue import TelegramReading, telegram_reading
from polymeter.drivers.driver import Row, call, writing_call
from polymeter.drivers.text import TextDriver
from polymeter.protocols import iec62056_21, lis200
from polymeter.protocols.lis200 import ArchiveRow, Refusal
from polymeter.protocols.procedure import Procedure
from polymeter.protocols.wire import LocalProtocolError, Record, RemoteProtocolError

__all__ = ["LIS200"]


class LIS200(TextDriver):
    """A LIS-200 device. Objects are addresses such as ``2:300`` or ``7:310.3``, profiles are archives."""

    scheme = "lis200"
    description = "LIS-200: gas volume correctors and data loggers"
    parameters: ClassVar = {
        **TextDriver.parameters,
        "lock": "level of the lock to open: 3 supplier, 4 customer (4 if there is a code)",
        "code": "the lock's code; without it no lock is opened",
        "units": "auto asks for the unit (attribute 3) where an answer has none, no does not (auto)",
        "time_position": "position of the time in archives (3)",
        "rows": "rows of an archive in a block, 0 for all in one (10)",
        "zone": "time zone of the device's clock, such as Europe/Berlin, or device: what it says of itself",
    }

    def _configure(self) -> None:
        super()._configure()
        given = self.url.parameters
        self._code = given.get("code")
        self._lock = int(self.url.number("lock", lis200.CUSTOMER))
        self._asks_units = self.url.choice("units", "auto", ("auto", "no")) == "auto"
        self._time_position = int(self.url.number("time_position", lis200.TIME_POSITION))
        self._rows = int(self.url.number("rows", 10)) or None
        self._argument = given.get("argument", "1")
        self._units: dict[str, str | None] = {}
        self._asks_zone = given.get("zone") == "device"

    def _zone_of(self, name: str | None) -> tzinfo | None:
        return None if name == "device" else super()._zone_of(name)

    def _enter_programming(self) -> Procedure[None]:
        """As it is for all; and ask for the zone once, where the device is to say it."""
        yield from super()._enter_programming()
        if self._asks_zone and self._zone is None:
            answer = yield from lis200.read_zone(self._connection, self._options)
            if isinstance(answer, Refusal):
                raise RemoteProtocolError(f"zone=device: {answer}; give the zone by its name")
            self._zone = answer

    def _log_in(self, operand: str) -> Procedure[None]:
        """A password where one is given; then the lock, which is what these devices ask for."""
        yield from super()._log_in(operand)
        if self._code is not None:
            yield from lis200.open_lock(self._connection, self._lock, self._code, self._options)

    def read(self, *objects: str) -> Procedure[list[TelegramReading]]:
        """Read the named objects, or what the device shows in its read-out."""
        if not objects:
            return (yield from self._read_out())
        yield from self._enter_programming()
        readings: list[TelegramReading] = []
        for name in objects:
            readings += yield from self._read_one(name)
        return readings

    def objects(self) -> Procedure[list[str]]:
        """List what the read-out shows."""
        readings = yield from self._read_out()
        return list(dict.fromkeys(reading.series for reading in readings))

    def read_profile(self, profile: str, start: datetime, end: datetime) -> Procedure[list[Row]]:
        """Read the rows of an archive, by number, from `start` up to and including `end`."""
        yield from self._enter_programming()
        first, last = self._local(start), self._local(end)
        return (yield from self._archive(profile, self._time_position, first, last))

    @call
    def read_archive(
        self, archive: int, start: int | None = None, end: int | None = None, position: int = 1
    ) -> Procedure[list[Row]]:
        """Read the rows of an archive by ordinal number (or by another column's values)."""
        return (yield from self._archive(str(archive), position, start, end))

    @call
    def read_last(self, archive: int, seconds: int) -> Procedure[list[Row]]:
        """Read the rows of an archive that are no older than so many seconds by the device's own clock."""
        yield from self._enter_programming()
        back = timedelta(seconds=seconds)
        answer = yield from lis200.read_last(
            self._connection, archive, back, self._time_position, self._options, self._rows
        )
        return self._labelled(answer)

    @call
    def count_rows(
        self, archive: int, start: int | None = None, end: int | None = None, position: int = 1
    ) -> Procedure[int]:
        """Count the rows of an archive, by ordinal number, without reading them."""
        yield from self._enter_programming()
        answer = yield from lis200.count_rows(self._connection, archive, position, start, end, self._options)
        if isinstance(answer, Refusal):
            raise RemoteProtocolError(str(answer))
        return answer

    def clock(self) -> Procedure[datetime]:
        """Read the device's clock."""
        yield from self._enter_programming()
        answer = yield from lis200.read_clock(self._connection, self._options)
        if isinstance(answer, Refusal):
            raise RemoteProtocolError(str(answer))
        return self._zoned(answer)

    def set_clock(self, now: datetime) -> Procedure[None]:
        """Set the device's clock; a lock must be open."""
        yield from self._enter_programming()
        refused = yield from lis200.set_clock(self._connection, self._local(now), self._options)
        self._accepted(_words(refused))

    @writing_call
    def write(self, address: str, value: str) -> Procedure[None]:
        """Write an object; a lock that allows it must be open."""
        yield from self._enter_programming()
        refused = yield from lis200.write(self._connection, address, value, self._options)
        self._accepted(_words(refused))

    @writing_call
    def unlock(self, lock: int, code: str) -> Procedure[None]:
        """Open a lock with its code: 3 supplier, 4 customer."""
        yield from self._enter_programming()
        yield from lis200.open_lock(self._connection, lock, code, self._options)

    @writing_call
    def lock(self, lock: int) -> Procedure[None]:
        """Close a lock."""
        yield from self._enter_programming()
        self._accepted(_words((yield from lis200.close_lock(self._connection, lock, self._options))))

    @call
    def lock_status(self, lock: int) -> Procedure[str]:
        """Tell whether a lock is open."""
        yield from self._enter_programming()
        answer = yield from lis200.is_open(self._connection, lock, self._options)
        return str(answer) if isinstance(answer, Refusal) else "open" if answer else "closed"

    def _read_out(self) -> Procedure[list[TelegramReading]]:
        yield from self.close()
        identification = yield from self._sign_on()
        message = yield from iec62056_21.read_out(self._connection, identification, self._options)
        return [self._reading(record) for record in _records(message.data)]

    def _read_one(self, name: str) -> Procedure[list[TelegramReading]]:
        address = lis200.parse_address(name)
        answer = yield from lis200.read(self._connection, address, self._options, self._argument)
        if isinstance(answer, Refusal):
            return [self.refused(name, str(answer))]
        if answer.unit is None and address.attribute == "0" and self._asks_units:
            if address.name not in self._units:
                self._units[address.name] = yield from lis200.read_unit(
                    self._connection, address, self._options
                )
            answer = answer._replace(unit=self._units[address.name])
        named = answer._replace(address=str(address))
        text = iec62056_21.encode_data(((named,),), end=False)
        return [self._reading(record) for record in _records(text)]

    def _archive(
        self,
        profile: str,
        position: int,
        start: datetime | int | None,
        end: datetime | int | None,
    ) -> Procedure[list[Row]]:
        if not (profile.isascii() and profile.isdigit()):
            raise LocalProtocolError(f"an archive is a number such as 3, not {profile!r}")
        yield from self._enter_programming()
        answer = yield from lis200.read_archive(
            self._connection, int(profile), position, start, end, self._options, self._rows
        )
        return self._labelled(answer)

    def _labelled(self, answer: list[ArchiveRow] | Refusal) -> list[Row]:
        if isinstance(answer, Refusal):
            raise RemoteProtocolError(str(answer))
        return [self._row(row) for row in answer]

    def _row(self, row: ArchiveRow) -> Row:
        time = self._zoned(row.time) if row.time is not None else None
        readings = []
        for cell in row.cells:
            text = iec62056_21.encode_data(((cell.data_set,),), end=False)
            for record in _records(text):
                unit = record.unit or cell.column.unit
                readings.append(self._reading(record._replace(name=cell.column.name, unit=unit, time=time)))
        return Row(time, tuple(readings))

    def _reading(self, record: Record) -> TelegramReading:
        return telegram_reading(record, self.meter_type)


def _records(data: str) -> Iterable[Record]:
    """The records of data as `polymeter decode` gives them: the same code, over the same bytes."""
    block = iec62056_21.encode(iec62056_21.DataMessage(data))
    return [record for decoded in lis200.decode(block, explain=False) for record in decoded.records]


def _words(refused: Refusal | None) -> str | None:
    return None if refused is None else str(refused)
