"""SML meters: those that push at an optical head or an LMN gateway, and those that are asked."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final

from polymeter.catalogue import TelegramReading, telegram_reading
from polymeter.catalogue.decoding import key_bytes, named_frame
from polymeter.drivers.driver import Row, argument_value, call, writing_call
from polymeter.drivers.listening import ListeningDriver
from polymeter.protocols import obis, sml
from polymeter.protocols.procedure import Parity, Procedure
from polymeter.protocols.sml.elements import BOOLEAN, INTEGER, OCTETS, UNSIGNED, Element
from polymeter.protocols.sml.readings import object_name
from polymeter.protocols.wire import Decoded, LocalProtocolError, Record, RemoteProtocolError
from polymeter.transports.urls import URL

__all__ = ["SML"]

_CHECKSUMS: Final = {"x25": sml.X25, "kermit": sml.KERMIT}
_SECOND: Final = timedelta(seconds=1)
_DAYS_MIN: Final = 0.01
_DAYS_MAX: Final = 366


class SML(ListeningDriver):
    """An SML meter. ``type`` names a meter type whose quirks are to be mended."""

    scheme = "sml"
    description = "SML: EDL21, FNN basic meters, gateways"
    serial_line: ClassVar[tuple[int, int, Parity]] = (9600, 8, "N")
    parameters: ClassVar = {
        **ListeningDriver.parameters,
        "meter": "server id in hex: the meter to wait for where several are heard on one line, or to ask",
        "access": "push: read waits for what the meter sends; request: it asks (request with a user or list)",
        "username": "who asks, as text or as 0x and hexadecimal digits",
        "password": "password of that user, likewise",
        "client": "client id of whoever asks, likewise (polymeter)",
        "list": "the list to ask for, as OBIS code or 12 hexadecimal digits (the meter's usual one)",
        "profiles": "pack or list: rows of a profile in one message, or in a message each (pack)",
        "days": "days of a profile to ask for at a time (7)",
        "checksum": "x25 or kermit, of what we send (x25)",
        "file": "number after which files of requests are numbered, for recordings to be replayed (random)",
        "answer_timeout": "seconds to wait for an answer (10)",
        "repeats": "how often to ask again after silence (2)",
    }

    def __init__(self, url: URL) -> None:
        super().__init__(url)
        given = self.url.parameters
        self._list = _octets(given["list"]) if "list" in given else None
        asks = any(name in given for name in ("username", "password", "list"))
        access = self.url.choice("access", "request" if asks else "push", ("push", "request"))
        self.listens = access == "push"
        self._get_profile = {"pack": sml.get_profile_pack, "list": sml.get_profile_list}[
            self.url.choice("profiles", "pack", ("pack", "list"))
        ]
        days = self.url.number("days", 7.0)
        if not _DAYS_MIN <= days <= _DAYS_MAX:
            raise LocalProtocolError(
                f"parameter days lies between {_DAYS_MIN} and {_DAYS_MAX}, not at {days:g}"
            )
        self._days = timedelta(days=days)
        self._options = sml.Options(
            server=_server(given["meter"]) if "meter" in given else None,
            client=_text(given.get("client", "polymeter")),
            username=_text(given["username"]) if "username" in given else None,
            password=_text(given["password"]) if "password" in given else None,
            timeout_s=self.url.number("answer_timeout", 10.0),
            repeats=int(self.url.number("repeats", 2)),
        )
        self._connection = self._new_connection()

    def _new_connection(self) -> sml.Connection:
        checksum = _CHECKSUMS[self.url.choice("checksum", "x25", tuple(_CHECKSUMS))]
        given = self.url.parameters.get("file")
        first = int.from_bytes(os.urandom(8), "big") if given is None else argument_value(given, int)
        assert isinstance(first, int)  # it was asked for
        return sml.Connection(checksum, first)

    def splitter(self) -> sml.PushedFrames:
        """What cuts the stream."""
        return sml.PushedFrames()

    def open(self) -> Procedure[None]:
        """Forget what was heard on an earlier line."""
        yield from super().open()
        self._connection = self._new_connection()

    def read(self, *objects: str) -> Procedure[list[TelegramReading]]:
        """Wait for the next telegram, or ask for a list, and give the named objects of it, or all."""
        return (yield from super().read(*objects))

    def objects(self) -> Procedure[list[str]]:
        """List what the next telegram holds, or the list that is asked for."""
        return (yield from super().objects())

    def read_profile(self, profile: str, start: datetime, end: datetime) -> Procedure[list[Row]]:
        """Read the rows of a profile, by its path such as 8181C78611FF, from `start` up to and with `end`."""
        path, rows = _path(profile), list[Row]()
        for bound in (start, end):
            sml.time_element(bound)  # only instants that can be asked for can be counted on from
        begin, end = start.astimezone(UTC), end.astimezone(UTC)
        while begin <= end:
            last = min(begin + self._days - _SECOND, end)
            found = yield from self._get_profile(self._connection, path, begin, last, (), self._options)
            rows += [self._row(found.server, row) for row in found.rows]
            begin = last + _SECOND
        return [row for row in rows if row.timestamp is None or start <= row.timestamp <= end]

    @call
    def read_parameter(self, path: str) -> Procedure[list[TelegramReading]]:
        """Read what is at and below a path of the parameter tree, such as 8181C78201FF/8181C78203FF.

        Each value has the path that leads to it as its series: the same name may stand in many places.
        """
        places = _path(path)
        found = yield from sml.get_proc_parameter(self._connection, places, None, self._options)
        above = [object_name(place)[0] for place in places[:-1]]
        return [
            replace(telegram_reading(record, self.meter_type), series="/".join((*above, record.name)))
            for record in found.records
        ]

    @writing_call
    def write(self, path: str, value: str) -> Procedure[None]:
        """Set one parameter of the tree; the value is taken as the kind of value that is there."""
        places = _path(path)
        found = yield from sml.get_proc_parameter(self._connection, places, None, self._options)
        tree = sml.Parameter(places[-1], _like(found.tree.value, value))
        yield from sml.set_proc_parameter(self._connection, places, tree, self._options)

    def clock(self) -> Procedure[datetime]:
        """Read the meter's clock, which it tells with its list."""
        found = yield from sml.get_list(self._connection, self._list, self._options)
        if found.time is None:
            raise RemoteProtocolError("the meter has no clock, it counts seconds")
        return found.time

    def _next(self) -> Procedure[list[TelegramReading]]:
        if self.listens:
            return (yield from super()._next())
        found = yield from sml.get_list(self._connection, self._list, self._options)
        return self._named(found.server, found.records)

    def _named(self, server: bytes | None, records: Sequence[Record]) -> list[TelegramReading]:
        """Records of an answer as readings; the meter's type is found as in telegrams."""
        meter = sml.identity(server, records)
        decoded = Decoded(self.scheme, valid=True, why="an answer", meter=meter, records=tuple(records))
        frame = named_frame(decoded, meter_type=self.meter_type)
        self.meter_type = frame.meter_type
        return list(frame.readings)

    def _row(self, server: bytes | None, row: sml.ProfileRow) -> Row:
        status = None if row.status is None else f"{row.status:02X}"
        return Row(row.time, tuple(self._named(server, row.records)), status)


def _server(text: str) -> bytes:
    """A server id; the first of its digits is left out by who thinks that it is a number."""
    return key_bytes("0" * (len(text) % 2) + text, "server id")


def _text(text: str) -> bytes:
    """A text, or octets given as ``0x`` and hexadecimal digits."""
    if text.startswith("0x"):
        return key_bytes(text[2:], "octet string")
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError as error:
        raise LocalProtocolError("SML texts are of Latin letters; give others as 0x and digits") from error


def _octets(text: str) -> bytes:
    """The octets of an OBIS code, or of hexadecimal digits."""
    code = obis.parse(text)
    return bytes(code) if code is not None else key_bytes(text, "name of an object")


def _path(text: str) -> list[bytes]:
    return [_octets(part) for part in text.split("/")]


def _like(there: Element, text: str) -> Element:
    """A value as the kind of element that is there."""
    match there:
        case Element(kind=kind, value=value) if value is not None and kind == OCTETS:
            return sml.octets(_text(text))
        case Element(kind=kind) if kind == BOOLEAN:
            return sml.boolean(argument_value(text, bool) is True)
        case Element(kind=kind) if kind in (UNSIGNED, INTEGER):
            number = argument_value(text, int)
            assert isinstance(number, int)  # it was asked for
            return there._replace(value=number)
        case _:
            raise LocalProtocolError("there is no value here that could be set")
