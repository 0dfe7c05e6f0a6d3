"""Meters that speak IEC 62056-21: read-outs in every mode, programming mode, load profiles, the clock."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import ClassVar, Final

from polymeter.catalogue import TelegramReading, telegram_reading
from polymeter.drivers.driver import Row, call, writing_call
from polymeter.drivers.text import TextDriver
from polymeter.protocols import iec62056_21, obis
from polymeter.protocols.iec62056_21 import DataLine, ProfileRow
from polymeter.protocols.procedure import Procedure
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError

__all__ = ["IEC6205621"]


_READS: Final = ("R1", "R2", "R3", "R4", "R5", "R6")


class IEC6205621(TextDriver):
    """A meter of mode A, B, C or D.

    Without a password objects are looked up in the read-out, with one they are read one by one in
    programming mode; ``access`` decides otherwise.
    """

    scheme = "iec62056-21"
    description = "IEC 62056-21: optical heads, current loops, their gateways"
    parameters: ClassVar = {
        **TextDriver.parameters,
        "access": "readout or programming (programming if there is a password)",
        "mode": "auto, A, B, C or D; D waits for the meter to push (auto: what the meter says)",
        "push_timeout": "seconds to wait for a push of mode D (900)",
        "profile_command": "R1 to R6, how load profiles and logs are read (R5)",
        "season": "whether the meter wants a season flag before the times of a profile: yes or no (yes)",
        "seconds": "whether the meter wants seconds in the times of a profile: yes or no (no)",
        "stamp": "whether rows of a profile carry the end or the start of their interval (end)",
        "clock_form": "how the clock is set, such as 'W5 0.9.1({season}%H%M%S)({password})'",
    }

    def _configure(self) -> None:
        super()._configure()
        self._mode = self.url.choice("mode", "auto", ("auto", "A", "B", "C", "D"))
        if self._mode in ("A", "B"):
            self._options = iec62056_21.without_option(self._options)
        computed = self._options.password is not None or self._options.answer_operand is not None
        self._access = self.url.choice(
            "access", "programming" if computed else "readout", ("readout", "programming")
        )
        self._profile_command = self.url.choice("profile_command", "R5", _READS)
        self._season = self.url.choice("season", "yes", ("yes", "no")) == "yes"
        self._seconds = self.url.choice("seconds", "no", ("yes", "no")) == "yes"
        self._stamp = self.url.choice("stamp", "end", ("end", "start"))
        self._clock_form = self.url.parameters.get("clock_form", iec62056_21.CLOCK_FORMS)
        self._push_timeout_s = self.url.number("push_timeout", 900.0)

    def read(self, *objects: str) -> Procedure[list[TelegramReading]]:
        """Read the named objects, or the meter's whole read-out."""
        if objects and self._access == "programming":
            return (yield from self._read_each(objects))
        readings = yield from self._read_out()
        if not objects:
            return readings
        return [reading for name in objects for reading in self._chosen(name, readings)]

    def objects(self) -> Procedure[list[str]]:
        """List what the read-out shows."""
        readings = yield from self._read_out()
        return list(dict.fromkeys(reading.series for reading in readings))

    def read_profile(self, profile: str, start: datetime, end: datetime) -> Procedure[list[Row]]:
        """Read the rows of a load profile from `start` up to and including `end`."""
        return (yield from self._read_rows(profile, start, end))

    @call
    def read_events(self, start: datetime, end: datetime, log: str = "P.98") -> Procedure[list[Row]]:
        """Read the entries of a log such as P.98, P.99 or P.200."""
        return (yield from self._read_rows(log, start, end))

    def clock(self) -> Procedure[datetime]:
        """Read the meter's clock."""
        if self._access == "programming":
            yield from self._enter_programming()
            answer = yield from iec62056_21.read_clock(self._connection, self._argument, self._options)
            if isinstance(answer, str):
                raise RemoteProtocolError(answer)
            return self._zoned(answer)
        readings = yield from self._read_out()
        shown = {reading.obis: str(reading.value) for reading in readings}
        found = iec62056_21.combine(shown.get("1-0:0.9.2*255", ""), shown.get("1-0:0.9.1*255", ""))
        for code in ("1-0:0.9.4*255", "0-0:1.0.0*255", "1-0:1.0.0*255"):
            found = found or iec62056_21.parse_time(shown.get(code, ""))
        if found is None:
            raise RemoteProtocolError("the read-out shows no clock: give access=programming")
        return self._zoned(found)

    def set_clock(self, now: datetime) -> Procedure[None]:
        """Set the meter's clock."""
        yield from self._enter_programming()
        self._accepted(
            (
                yield from iec62056_21.set_clock(
                    self._connection, self._local(now), self._clock_form, self._options
                )
            )
        )

    @writing_call
    def write(self, address: str, value: str, command: str = "W1") -> Procedure[None]:
        """Write a value to an address."""
        yield from self._enter_programming()
        data = f"{address}({value})"
        self._accepted((yield from iec62056_21.write(self._connection, command, data, self._options)))

    @writing_call
    def execute(self, data: str, command: str = "E2") -> Procedure[list[TelegramReading]]:
        """Execute a command with data as the meter's manual has it; gives what the meter answers."""
        yield from self._enter_programming()
        answer = yield from iec62056_21.execute(self._connection, command, data, self._options)
        self._accepted(answer)
        return self._readings(answer) if isinstance(answer, tuple) else []

    @call
    def read_raw(self, data: str, command: str = "R1") -> Procedure[list[TelegramReading]]:
        """Read by any command, R1 to R6, with data as the meter's manual has it."""
        if command not in _READS:
            raise LocalProtocolError(f"{command!r} reads nothing; R1 to R6 do")
        yield from self._enter_programming()
        answer = yield from iec62056_21.read_data(self._connection, command, data, self._options)
        return [self.refused(data, answer)] if isinstance(answer, str) else self._readings(answer)

    def _chosen(self, name: str, readings: Iterable[TelegramReading]) -> list[TelegramReading]:
        wanted = str(obis.parse(name) or name)
        found = [
            reading
            for reading in readings
            if name == reading.series or wanted in (reading.series, reading.obis)
        ]
        return found or [self.refused(name, f"the read-out has no {name}")]

    def _read_out(self) -> Procedure[list[TelegramReading]]:
        yield from self.close()
        if self._mode == "D":
            _, data = yield from iec62056_21.receive_push(
                self._connection, self._options, self._push_timeout_s
            )
        else:
            identification = yield from self._sign_on()
            data = (yield from iec62056_21.read_out(self._connection, identification, self._options)).data
        return [telegram_reading(record, self.meter_type) for record in iec62056_21.data_records(data)]

    def _read_each(self, objects: Iterable[str]) -> Procedure[list[TelegramReading]]:
        yield from self._enter_programming()
        readings: list[TelegramReading] = []
        for name in objects:
            answer = yield from iec62056_21.read_value(self._connection, name, self._argument, self._options)
            readings += (
                [self.refused(name, answer)]
                if isinstance(answer, str)
                else self._readings(_named(name, answer))
            )
        return readings

    def _readings(self, lines: Iterable[DataLine]) -> list[TelegramReading]:
        return [telegram_reading(record, self.meter_type) for record in iec62056_21.records(lines)]

    def _read_rows(self, profile: str, start: datetime, end: datetime) -> Procedure[list[Row]]:
        first, last = self._local(start), self._local(end)
        yield from self._enter_programming()
        # Rows stamped at the start lie before the end that they are known by: no interval is longer
        # than an hour, and what is too much is left out below.
        asked = first - timedelta(hours=1) if self._stamp == "start" else first
        answer = yield from iec62056_21.read_profile(
            self._connection,
            profile,
            asked,
            last,
            self._options,
            self._profile_command,
            self._season,
            self._seconds,
        )
        if isinstance(answer, str):
            raise RemoteProtocolError(answer)
        found = iec62056_21.rows(answer, "start" if self._stamp == "start" else "end")
        return [self._row(row) for row in found if self._within(self._moment(row), first, last)]

    def _moment(self, row: ProfileRow) -> datetime | None:
        return self._zoned(row.time) if row.time is not None else None

    def _row(self, row: ProfileRow) -> Row:
        time = self._moment(row)
        cells = (iec62056_21.cell_record(cell, time) for cell in row.cells)
        return Row(time, tuple(telegram_reading(record, self.meter_type) for record in cells), row.status)


def _named(name: str, lines: tuple[DataLine, ...]) -> tuple[DataLine, ...]:
    """An answer under the name that was asked for; many meters answer with the value alone."""
    if not lines or lines[0][0].address:
        return lines
    first, *others = lines[0]
    return ((first._replace(address=name), *others), *lines[1:])
