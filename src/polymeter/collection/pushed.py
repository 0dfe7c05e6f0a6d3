"""What is pushed, and where it is received: one line for each protocol, and the addresses of receivers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from polymeter.protocols.dlms.push import PushedWrappers
from polymeter.protocols.iec62056_21.pushes import PushedReadOuts
from polymeter.protocols.p1.push import PushedTelegrams
from polymeter.protocols.procedure import Parity, Splitter
from polymeter.protocols.sml.push import PushedFrames
from polymeter.protocols.wire import LocalProtocolError
from polymeter.protocols.wmbus.push import PushedTelegrams as RadioTelegrams
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


PROTOCOLS: Final[Mapping[str, Pushed]] = {
    "iec62056-21": Pushed(PushedReadOuts, kept=b"\x06", damaged=b"\x15", serial_line=(300, 7, "E")),
    "p1": Pushed(PushedTelegrams, serial_line=(115200, 8, "N")),
    "sml": Pushed(PushedFrames),
    "dlms": Pushed(PushedWrappers, lines=_EVERY),
    "wmbus": Pushed(RadioTelegrams, lines=_EVERY, message_end=b"\n"),
}
"""One line for each protocol that is pushed."""

_PARAMETERS: Final = {"organization": "name of the organization whose meters push here"}


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
        url.refuse_unknown(_PARAMETERS)
        if url.scheme not in PROTOCOLS:
            raise LocalProtocolError(f"{url.scheme} cannot be received; there are {', '.join(PROTOCOLS)}")
        if url.line not in (lines := PROTOCOLS[url.scheme].lines):
            over = " or ".join(lines)
            raise LocalProtocolError(f"{url.scheme} cannot be received by {url.line}, only by {over}")
        return cls(url.scheme, url.host, url.port or 0, url.parameters.get("organization"), url.line, url)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        scheme = self.protocol if self.line == "tcp" else f"{self.protocol}+{self.line}"
        port = f":{self.port}" if self.port or self.line in ("tcp", "udp") else ""
        return f"{scheme}://{host}{port}{self.url.path if self.url is not None else ''}"

    @property
    def broker(self) -> Broker | None:
        """The broker that the address names, `None` where it leaves that to the settings."""
        return self.url.broker() if self.url is not None and self.host else None

    @property
    def topic(self) -> str:
        """The topic of a broker, wildcards and all."""
        return self.url.path.removeprefix("/") if self.url is not None else ""

    @property
    def client_id(self) -> str:
        """The name under which a broker keeps what comes while we are away: the same at every start."""
        given = self.url.parameters.get("client_id") if self.url is not None else None
        own = f"{self.organization}\0{self.protocol}\0{self.topic}"
        return given or f"polymeter-{hashlib.sha256(own.encode()).hexdigest()[:12]}"
