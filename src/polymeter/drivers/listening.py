"""Drivers of meters that talk by themselves: `read` waits for what is pushed next and chooses from it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from polymeter.catalogue import TelegramReading, decode_frames
from polymeter.catalogue.decoding import key_bytes
from polymeter.drivers.driver import Driver
from polymeter.protocols import obis
from polymeter.protocols.procedure import Procedure, Splitter, next_pushed
from polymeter.protocols.wire import AccessDenied, RemoteProtocolError
from polymeter.transports.urls import URL

__all__ = ["ListeningDriver"]

_OTHERS_MAX = 64
"""How many frames of other meters are passed over while one meter is waited for."""


class ListeningDriver(Driver):
    """A meter that pushes. Subclasses name the protocol and say how its stream is cut."""

    parameters: ClassVar = {
        "timeout": "seconds to wait for a connection, and then for the next telegram (30)",
        "meter": "id of the meter to wait for, where several are heard on one line",
    }

    def __init__(self, url: URL) -> None:
        super().__init__(url)
        self._timeout_s = self.url.number("timeout", 30.0)
        self._meter = self.url.parameters.get("meter", "").casefold().lstrip("0")
        self._keys = [key_bytes(self.url.parameters["key"])] if "key" in self.url.parameters else []
        given = self.url.parameters.get("auth_key")
        self._auth_key = key_bytes(given, "authentication key") if given is not None else None
        self._stream = self.splitter()

    def splitter(self) -> Splitter:
        """What cuts the stream."""
        raise NotImplementedError

    def open(self) -> Procedure[None]:
        """Forget what was heard on an earlier line."""
        self._stream = self.splitter()
        yield from ()

    def read(self, *objects: str) -> Procedure[list[TelegramReading]]:
        """Wait for the next telegram and give the named objects of it, or all."""
        readings = yield from self._next()
        if not objects:
            return readings
        return [reading for name in objects for reading in self._chosen(name, readings)]

    def objects(self) -> Procedure[list[str]]:
        """List what the next telegram holds."""
        readings = yield from self._next()
        return list(dict.fromkeys(reading.series for reading in readings))

    def _chosen(self, name: str, readings: Iterable[TelegramReading]) -> list[TelegramReading]:
        wanted = str(obis.parse(name) or name)
        found = [reading for reading in readings if reading.series == wanted]
        return found or [self.refused(name, f"the telegram has no {name}")]

    def _next(self) -> Procedure[list[TelegramReading]]:
        for _ in range(_OTHERS_MAX):
            frame = yield from next_pushed(self._stream, self._timeout_s)
            found = self._decoded(frame)
            if found is not None:
                return found
        raise RemoteProtocolError(f"{_OTHERS_MAX} telegrams came and none of the meter that is waited for")

    def _decoded(self, frame: bytes) -> list[TelegramReading] | None:
        """The readings of a telegram; `None` if another meter sent it."""
        (one,) = decode_frames(
            frame,
            self.scheme,
            keys=self._keys,
            auth_key=self._auth_key,
            explain=False,
            meter_type=self.meter_type,
        )
        decoded = one.decoded
        if self._meter and self._meter not in _names(decoded.meter.id, decoded.meter.system_title):
            return None
        if decoded.encrypted:
            raise AccessDenied("; ".join(problem.message for problem in decoded.errors))
        if not decoded.valid:
            problem = decoded.errors[0]
            raise RemoteProtocolError(problem.message, problem.offset, problem.layer)
        self.meter_type = one.meter_type
        return list(one.readings)


def _names(*names: str | None) -> set[str]:
    return {name.casefold().lstrip("0") for name in names if name is not None}
