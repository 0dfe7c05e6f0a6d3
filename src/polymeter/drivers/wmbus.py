"""Radio meters, heard through a stick or a gateway: `read` waits for the telegram of one of them."""

from __future__ import annotations

from typing import ClassVar

from polymeter.drivers.listening import ListeningDriver
from polymeter.protocols.procedure import Procedure, Splitter
from polymeter.protocols.wire import LocalProtocolError
from polymeter.protocols.wmbus import PushedTelegrams
from polymeter.protocols.wmbus.dongles import DONGLES, set_up
from polymeter.transports.urls import LINES_WITH_PATH, URL

__all__ = ["WMBus"]

_MESSAGES = ("udp", "mqtt", "mqtts")


class WMBus(ListeningDriver):
    """Whoever sends on the air. The meter is named by its number or its address of sixteen digits.

    On a line without a path of its own the path names it, as simulated meters are addressed.
    """

    scheme = "wmbus"
    description = "wireless M-Bus (EN 13757-4) and OMS, through a stick, a gateway or a broker"
    has_path = True
    crowded = True
    others_max = 10_000
    parameters: ClassVar = {
        **ListeningDriver.parameters,
        "key": "the meter's key, 32 hex digits (16 for DES)",
        "dongle": f"a stick that must be set up: {', '.join(DONGLES)} (none: what is there just talks)",
        "mode": "what it shall listen to: t, c, cb (C with format B), ct or s (the stick's usual)",
    }

    def __init__(self, url: URL) -> None:
        super().__init__(url)
        own = self.url
        if own.line not in LINES_WITH_PATH and own.path.strip("/"):
            if self._meter:
                raise LocalProtocolError("two meters are named: leave out the path or the parameter meter")
            self._meter = own.path.strip("/").casefold().lstrip("0")
        self._dongle, self._mode = own.parameters.get("dongle"), own.parameters.get("mode")
        if self._dongle is None and self._mode is not None:
            raise LocalProtocolError("a mode is a dongle's: name the dongle too")
        if self._dongle is not None:
            set_up(self._dongle, self._mode)  # what does not exist is told before a line is opened
            usual = {"baud": str(DONGLES[self._dongle].baud)}
            self.url = URL(own.scheme, own.line, own.host, own.port, own.path, {**usual, **own.parameters})

    def splitter(self) -> Splitter:
        """What cuts the stream."""
        return _Lines() if self.url.line in _MESSAGES else PushedTelegrams()

    def open(self) -> Procedure[None]:
        """Set the stick up, where there is one."""
        yield from super().open()
        if self._dongle is not None:
            self._stream.receive_data((yield from set_up(self._dongle, self._mode)))


class _Lines(PushedTelegrams):
    """Telegrams out of messages, where a line may lack its end."""

    def receive_data(self, data: bytes) -> None:
        """Take in a message."""
        super().receive_data(data + b"\n")
