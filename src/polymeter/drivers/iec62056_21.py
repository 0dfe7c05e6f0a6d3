"""Meters that speak IEC 62056-21: read-outs, and single reads in programming mode."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from polymeter.catalogue import TelegramReading, telegram_reading
from polymeter.catalogue.types import find_type
from polymeter.drivers.driver import Driver
from polymeter.protocols import iec62056_21, obis
from polymeter.protocols.iec62056_21 import DataLine, Identification
from polymeter.protocols.procedure import Parity, Procedure, SetLine
from polymeter.transports.urls import URL

__all__ = ["IEC6205621"]


class IEC6205621(Driver):
    """A mode C meter.

    Without a password objects are looked up in the read-out, with one they are read one by one in
    programming mode; ``access`` decides otherwise.
    """

    scheme = "iec62056-21"
    description = "IEC 62056-21 mode C: optical heads, current loops, their gateways"
    serial_line: ClassVar[tuple[int, int, Parity]] = (300, 7, "E")
    parameters: ClassVar = {
        "address": "device address; needed where several meters share a line",
        "password": "password of programming mode",
        "access": "readout or programming (programming if there is a password)",
        "argument": "what stands between the brackets of a read command (nothing)",
        "speed": "baud rate character to choose, 0 to 6 (the meter's offer)",
        "switch_delay": "seconds between option and baud switch on a serial line",
        "answer_timeout": "seconds to wait for an answer (5)",
    }

    def __init__(self, url: URL) -> None:
        super().__init__(url)
        given = self.url.parameters
        serial = self.url.line in ("serial", "rfc2217")
        self._options = iec62056_21.Options(
            address=given.get("address", ""),
            password=given.get("password"),
            answer_timeout_s=self.url.number("answer_timeout", 5.0),
            baud=self.url.choice("speed", "", ("", *iec62056_21.BAUD_RATES)) or None,
            switches_baud=serial,
            switch_delay_s=self.url.number("switch_delay", -1.0) if "switch_delay" in given else None,
            opening=self._opening(),
            acknowledges=serial,
        )
        access = "programming" if self._options.password is not None else "readout"
        self._access = self.url.choice("access", access, ("readout", "programming"))
        self._argument = given.get("argument", "")
        self._connection = iec62056_21.Connection("reader")

    def _opening(self) -> SetLine:
        """What the line is switched to before signing on: the address's own settings, if it has any."""
        baud, bits, parity = self.serial_line
        parities: dict[str, Parity] = {"N": "N", "E": "E", "O": "O"}
        chosen = parities[self.url.choice("parity", parity, tuple(parities))]
        return SetLine(int(self.url.number("baud", baud)), int(self.url.number("bits", bits)), chosen)

    def close(self) -> Procedure[None]:
        """End the session, if one is open."""
        yield from iec62056_21.break_session(self._connection)

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

    def _chosen(self, name: str, readings: Iterable[TelegramReading]) -> list[TelegramReading]:
        wanted = str(obis.parse(name) or name)
        found = [
            reading
            for reading in readings
            if name == reading.series or wanted in (reading.series, reading.obis)
        ]
        return found or [self.refused(name, f"the read-out has no {name}")]

    def _sign_on(self) -> Procedure[Identification]:
        identification = yield from iec62056_21.sign_on(self._connection, self._options)
        if self.meter_type is None:
            facts = {
                "manufacturer": identification.manufacturer,
                "identification": identification.identification,
            }
            self.meter_type = find_type(self.scheme, facts)
        return identification

    def _read_out(self) -> Procedure[list[TelegramReading]]:
        yield from self.close()
        identification = yield from self._sign_on()
        message = yield from iec62056_21.read_out(self._connection, identification, self._options)
        return self._readings(iec62056_21.decode_data(message.data))

    def _read_each(self, objects: Iterable[str]) -> Procedure[list[TelegramReading]]:
        if self._connection.state != "programming":
            identification = yield from self._sign_on()
            yield from iec62056_21.start_programming(self._connection, identification, self._options)
            if self._options.password is not None:
                yield from iec62056_21.log_in(self._connection, self._options)
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


def _named(name: str, lines: tuple[DataLine, ...]) -> tuple[DataLine, ...]:
    """An answer under the name that was asked for; many meters answer with the value alone."""
    if not lines or lines[0][0].address:
        return lines
    first, *others = lines[0]
    return ((first._replace(address=name), *others), *lines[1:])
