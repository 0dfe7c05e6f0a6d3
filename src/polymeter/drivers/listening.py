"""Drivers of meters that talk by themselves: `read` waits for what is pushed next and chooses from it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import ClassVar

from polymeter.catalogue import Frame, TelegramReading, decode_frames
from polymeter.catalogue.decoding import key_bytes
from polymeter.drivers.driver import Driver
from polymeter.protocols import obis
from polymeter.protocols.procedure import Procedure, Splitter, next_pushed
from polymeter.protocols.wire import AccessDenied, Decoded, ProtocolError, RemoteProtocolError, TimedOut
from polymeter.transports.urls import URL

__all__ = ["ListeningDriver"]

_NAMELESS_MAX = 64
"""How many frames are passed over while any meter is waited for that can be read."""
_EARLIER_MAX = 64
"""How many frames are remembered for those that cannot be read by themselves."""


class ListeningDriver(Driver):
    """A meter that pushes. Subclasses name the protocol and say how its stream is cut."""

    listens = True
    crowded: ClassVar[bool] = False
    """Whether strangers are heard on the line: what is damaged or shut may be theirs, and is passed over."""
    others_max: ClassVar[int] = 64
    """How many frames of others are passed over while a meter is waited for that is named."""
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
        self._earlier: deque[bytes] = deque(maxlen=_EARLIER_MAX)
        self._shut: ProtocolError | None = None

    def splitter(self) -> Splitter:
        """What cuts the stream."""
        raise NotImplementedError

    def open(self) -> Procedure[None]:
        """Forget what was heard on an earlier line."""
        self._stream = self.splitter()
        self._earlier.clear()
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
        self._shut = None
        most = self.others_max if self._meter else _NAMELESS_MAX
        try:
            for _ in range(most):
                frame = yield from next_pushed(self._stream, self._timeout_s)
                found = self._chosen_of(frame)
                self._earlier.append(frame)
                if found is not None:
                    return found
        except TimedOut:
            if self._shut is not None:
                raise self._shut from None
            raise
        raise self._shut or RemoteProtocolError(
            f"{most} telegrams came and none of the meter that is waited for"
        )

    def _chosen_of(self, frame: bytes) -> list[TelegramReading] | None:
        """The readings of a telegram; `None` if another one must be waited for."""
        one = self._decoded(frame)
        if one.decoded.waits_for is not None and self._earlier:
            one = self._decoded(frame, tuple(self._earlier))
        decoded = one.decoded
        meter = decoded.meter
        if self._meter and self._meter not in _names(meter.id, meter.system_title, meter.address):
            return None
        if decoded.waits_for is not None:
            return None
        fault = _fault(decoded)
        if fault is not None:
            if not self.crowded or self._meter:
                raise fault
            self._shut = fault
            return None
        if self._meter or not self.crowded:
            self.meter_type = one.meter_type
        return list(one.readings)

    def _decoded(self, frame: bytes, earlier: Sequence[bytes] = ()) -> Frame:
        (one,) = decode_frames(
            frame,
            self.scheme,
            keys=self._keys,
            auth_key=self._auth_key,
            explain=False,
            meter_type=self.meter_type,
            context=earlier,
        )
        return one


def _fault(decoded: Decoded) -> ProtocolError | None:
    """Why a telegram gives no readings."""
    if decoded.encrypted:
        return AccessDenied("; ".join(problem.message for problem in decoded.errors))
    if not decoded.valid:
        problem = decoded.errors[0]
        return RemoteProtocolError(problem.message, problem.offset, problem.layer)
    return None


def _names(*names: str | None) -> set[str]:
    return {name.casefold().lstrip("0") for name in names if name is not None}
