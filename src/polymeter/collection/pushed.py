"""What is pushed, and where it is received: one line for each protocol, and the addresses of receivers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from polymeter.protocols.dlms.pushes import PushedWrappers
from polymeter.protocols.iec62056_21.pushes import PushedReadOuts
from polymeter.protocols.p1.pushes import PushedTelegrams
from polymeter.protocols.procedure import Parity, Procedure, Splitter
from polymeter.protocols.sml.pushes import PushedFrames
from polymeter.protocols.wire import LocalProtocolError
from polymeter.protocols.wmbus.dongles import DONGLES, Dongle, set_up
from polymeter.protocols.wmbus.pushes import PushedTelegrams as RadioTelegrams
from polymeter.transports.mqtt import Broker
from polymeter.transports.urls import URL

__all__ = ["MQTT", "PROTOCOLS", "Pushed", "ReceiverAddress"]

MQTT: Final = ("mqtt", "mqtts")
_STREAMS: Final = ("tcp", "connect", "serial", "rfc2217")
_EVERY: Final = (*_STREAMS, "udp", *MQTT)


@dataclass(frozen=True, slots=True)
class Pushed:
    """How one protocol is received: what cuts its stream, and what it is answered, if anything."""

    splitter: Callable[[], Splitter]
    kept: bytes = b""
    damaged: bytes = b""
    lines: tuple[str, ...] = (*_STREAMS, *MQTT)
    message_end: bytes = b""
    """What a datagram or a message may lack that its splitter waits for: the end of a line."""
    serial_line: tuple[int, int, Parity] = (9600, 8, "N")
    dongles: Mapping[str, Dongle] = field(default_factory=dict)
    """Sticks on its serial lines that must be told what to listen to."""


PROTOCOLS: Final[Mapping[str, Pushed]] = {
    "iec62056-21": Pushed(PushedReadOuts, kept=b"\x06", damaged=b"\x15", serial_line=(300, 7, "E")),
    "p1": Pushed(PushedTelegrams, serial_line=(115200, 8, "N")),
    "sml": Pushed(PushedFrames),
    "dlms": Pushed(PushedWrappers, lines=_EVERY),
    "wmbus": Pushed(RadioTelegrams, lines=_EVERY, message_end=b"\n", dongles=DONGLES),
}
"""One line for each protocol that is pushed."""

_PARAMETERS: Final = {
    "organization": "name of the organization whose meters push here",
    "strangers": "how many frames are kept of a meter that nobody knows, the newest (all)",
}
_DONGLE_PARAMETERS: Final = {
    "dongle": "a stick that must be set up: cul, im871a or amb8465 (none)",
    "mode": "what it shall listen to: t, c, cb, ct or s (the stick's usual)",
}


@dataclass(frozen=True, slots=True)
class ReceiverAddress:
    """Where to listen, for what, and for whom: ``iec62056-21://0.0.0.0:5000?organization=NAME``.

    The line follows the protocol: none or ``+tcp`` for a port that others connect to, ``+udp`` for
    datagrams (``dlms://0.0.0.0:4059?udp`` is the same), ``+connect`` for a port of theirs to connect
    to, ``+serial`` and ``+rfc2217`` for serial lines, ``+mqtt`` and ``+mqtts`` for the topic of a broker.
    """

    protocol: str
    host: str
    port: int
    organization: str | None
    line: str = "tcp"
    url: URL | None = field(default=None, repr=False)
    """The whole address, where the line has more to know than host and port."""

    @classmethod
    def parse(cls, text: str) -> ReceiverAddress:
        """Take an address apart.

        Raises:
            LocalProtocolError: it names a protocol that is not received, or no port.
        """
        url = URL.parse(text)
        if url.scheme not in PROTOCOLS:
            raise LocalProtocolError(f"{url.scheme} cannot be received; there are {', '.join(PROTOCOLS)}")
        pushed = PROTOCOLS[url.scheme]
        url.refuse_unknown({**_PARAMETERS, **(_DONGLE_PARAMETERS if pushed.dongles else {})})
        if url.line not in pushed.lines:
            over = " or ".join(pushed.lines)
            raise LocalProtocolError(f"{url.scheme} cannot be received by {url.line}, only by {over}")
        parsed = cls(url.scheme, url.host, url.port or 0, url.parameters.get("organization"), url.line, url)
        url.number("strangers", 0)
        parsed.set_up()  # a stick or mode that does not exist is told now
        return parsed

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        scheme = self.protocol if self.line == "tcp" else f"{self.protocol}+{self.line}"
        port = f":{self.port}" if self.port or self.line in ("tcp", "udp") else ""
        return f"{scheme}://{host}{port}{self.url.path if self.url is not None else ''}"

    @property
    def strangers(self) -> int | None:
        """How many frames are kept of a meter that nobody knows; all of them if `None`."""
        given = self._parameter("strangers")
        return int(float(given)) if given is not None else None

    @property
    def serial_line(self) -> tuple[int, int, Parity]:
        """How a serial line begins, unless the address says otherwise."""
        pushed = PROTOCOLS[self.protocol]
        dongle = pushed.dongles.get(self._parameter("dongle") or "")
        baud, bits, parity = pushed.serial_line
        return (dongle.baud if dongle is not None else baud, bits, parity)

    def set_up(self) -> Procedure[bytes] | None:
        """The conversation that sets the stick up, if there is one that needs it."""
        name = self._parameter("dongle")
        if name is None:
            if self._parameter("mode") is not None:
                raise LocalProtocolError("a mode is a dongle's: name the dongle too")
            return None
        return set_up(name, self._parameter("mode"))

    def _parameter(self, name: str) -> str | None:
        return self.url.parameters.get(name) if self.url is not None else None

    @property
    def broker(self) -> Broker | None:
        """The broker that the address names, `None` where it leaves that to the settings."""
        return self.url.broker() if self.url is not None and self.host else None

    @property
    def topic(self) -> str:
        """The topic of a broker, wildcards and all."""
        return self.url.topic if self.url is not None else ""

    @property
    def client_id(self) -> str:
        """The name under which a broker keeps what comes while we are away: the same at every start."""
        own = f"{self.organization}\0{self.protocol}\0{self.topic}"
        return self._parameter("client_id") or f"polymeter-{hashlib.sha256(own.encode()).hexdigest()[:12]}"
