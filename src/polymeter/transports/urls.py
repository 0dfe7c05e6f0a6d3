"""Addresses of meters: ``SCHEME://HOST:PORT/PATH?NAME=VALUE`` and which line they mean.

The scheme names the protocol and, after a plus sign, the line: none for the protocol's own
(TCP, or UDP with ``?udp``), ``+serial``, ``+rfc2217``, ``+modem``, ``+mqtt``, ``+mqtts``, and for
receivers, whose own line listens, ``+connect``. Parameters are either the line's, listed in
`LINE_PARAMETERS`, or the driver's; whoever reads an address checks that none is left over, so that a
misspelt one is refused and not ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from polymeter.protocols.procedure import Parity, Procedure
from polymeter.protocols.wire import LocalProtocolError
from polymeter.transports import modem, mqtt, serial, tcp, topics, udp
from polymeter.transports.runners import AsyncTransport, Transport, run, run_blocking

__all__ = [
    "LINES_WITH_PATH",
    "LINE_PARAMETERS",
    "SECRET_PARAMETERS",
    "URL",
    "open_async",
    "open_blocking",
    "scheme_of",
]

LINE_PARAMETERS: Final = {
    "timeout": "seconds to wait for a connection (10)",
    "udp": "yes: use UDP in place of TCP",
    "baud": "serial: rate to begin with (the protocol's own)",
    "bits": "serial: data bits, 7 or 8 (the protocol's own)",
    "parity": "serial: N, E or O (the protocol's own)",
    "echo": "yes: the line repeats what is sent (optical heads, two-wire lines); it is taken out",
    "parity_bit": "even or odd: put it into bit 7, for 7-bit meters behind a line of 8 bits without parity",
    "via": "modem: the line that the modem is on, serial:///dev/ttyS0 or tcp://HOST:PORT",
    "init": "modem: commands sent before dialling, separated by semicolons",
    "user": "mqtt: as whom to go to the broker",
    "password_file": "mqtt: file that holds the password of that user",
    "ca_file": "mqtts: certificates to trust (the system's)",
    "client_id": "mqtt: name by which the broker knows us (receivers: made of organization and topic)",
}
SECRET_PARAMETERS: Final = frozenset({"password", "code", "key", "auth_key", "dedicated_key", "private_key"})
LINES_WITH_PATH: Final = ("serial", *mqtt.PORTS)
"""Lines whose addresses have a path of their own: a device, or a topic."""
_LINES: Final = ("tcp", "udp", "serial", "rfc2217", "modem", "connect", *mqtt.PORTS)


def scheme_of(address: str) -> str:
    """The protocol that an address names.

    Raises:
        LocalProtocolError: there is no scheme. The address is not repeated beyond its query, which
            may hold secrets.
    """
    before, found, _ = address.partition("://")
    if not found:
        shown = address.partition("?")[0].rpartition("@")[2]
        raise LocalProtocolError(f"{shown!r} is no address: SCHEME://HOST:PORT is expected")
    return before.partition("+")[0].lower()


@dataclass(frozen=True, slots=True)
class URL:
    """A meter's address, taken apart. Its text form shows no secret."""

    scheme: str
    line: str
    host: str
    port: int | None
    path: str
    parameters: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def parse(cls, text: str, default_port: int | None = None) -> URL:
        """Take an address apart.

        Raises:
            LocalProtocolError: it has no scheme, host or port where they are needed.
        """
        scheme_of(text)
        try:
            split = urlsplit(text)
            port = split.port if split.hostname is not None else None
        except ValueError as error:
            raise LocalProtocolError(f"the address has no valid host and port: {error}") from error
        if split.fragment or text.endswith("#"):
            raise LocalProtocolError("an address has no part after #; write # in a value as %23")
        scheme, _, line = split.scheme.partition("+")
        parameters: dict[str, str] = {}
        # A plus is a plus, in passwords as in modem commands; only HTML forms mean a blank by it.
        for name, value in parse_qsl(split.query.replace("+", "%2B"), keep_blank_values=True):
            if name in parameters:
                raise LocalProtocolError(f"parameter {name!r} is given twice")
            parameters[name] = value
        if line in ("", "tcp") and parameters.get("udp", "no") not in ("no", "0", "false"):
            line = "udp"
        line = line or "tcp"
        if line not in _LINES:
            raise LocalProtocolError(f"{line!r} is no line; there are {', '.join(_LINES)}")
        if line != "modem" and "@" in split.netloc:
            raise LocalProtocolError("an address has no user before @; a password is a parameter")
        host = unquote(split.netloc) if line == "modem" else unquote(split.hostname or "")
        if port is None:
            port = default_port if line in ("tcp", "udp") else mqtt.PORTS.get(line)
        url = cls(scheme, line, host, port, unquote(split.path), parameters)
        url._check()
        return url

    def _check(self) -> None:
        if self.line == "serial":
            if not self.path:
                raise LocalProtocolError("a serial address needs a device: SCHEME+serial:///dev/ttyUSB0")
            return
        if self.line in mqtt.PORTS and self.path in ("", "/"):
            raise LocalProtocolError(
                f"an address by {self.line} needs a topic: {self._scheme()}://HOST/TOPIC"
            )
        if not self.host and self.line in mqtt.PORTS:
            return  # the broker of the settings
        if not self.host:
            raise LocalProtocolError(f"the address of a meter by {self.line} needs a host or number")
        if self.line != "modem" and self.port is None:
            raise LocalProtocolError(
                f"{self.scheme} has no default port: write {self._scheme()}://{self.bracketed_host()}:PORT"
            )
        if self.line == "modem" and "via" not in self.parameters:
            raise LocalProtocolError("a modem address needs ?via=serial:///dev/ttyS0 or ?via=tcp://HOST:PORT")

    def __str__(self) -> str:
        port = f":{self.port}" if self.port is not None else ""
        shown = [
            f"{name}=***" if name in SECRET_PARAMETERS else f"{name}={value}"
            for name, value in self.parameters.items()
        ]
        place = f"{self._scheme()}://{self.bracketed_host()}{port}{self.path}"
        return place + (f"?{'&'.join(shown)}" if shown else "")

    def _scheme(self) -> str:
        own = self.line == "tcp" or (self.line == "udp" and "udp" in self.parameters)
        return self.scheme if own else f"{self.scheme}+{self.line}"

    def bracketed_host(self) -> str:
        """The host as it stands in an address: IPv6 in brackets."""
        return f"[{self.host}]" if ":" in self.host and self.line != "modem" else self.host

    @property
    def topic(self) -> str:
        """The topic of an address by MQTT, wildcards and all."""
        return self.path.removeprefix("/")

    def broker(self) -> mqtt.Broker:
        """The broker of an address by MQTT.

        Raises:
            LocalProtocolError: it names none, or the file of the password cannot be read.
        """
        if not self.host or self.port is None:
            raise LocalProtocolError(f"{self._scheme()} needs the broker's host")
        file, password = self.parameters.get("password_file"), None
        if file is not None:
            try:
                password = Path(file).read_text("utf-8").rstrip("\r\n")
            except (OSError, UnicodeDecodeError) as error:
                raise LocalProtocolError(f"cannot read password_file {file}: {error}") from error
        user, ca_file = self.parameters.get("user"), self.parameters.get("ca_file")
        return mqtt.Broker(self.host, self.port, self.line == "mqtts", user, password, ca_file)

    def number(self, name: str, default: float) -> float:
        """A parameter that is a number, not negative and not endless."""
        text = self.parameters.get(name)
        if text is None:
            return default
        try:
            value = float(text)
        except ValueError as error:
            raise LocalProtocolError(f"parameter {name} must be a number, not {text!r}") from error
        if not 0 <= value < 1e9:
            raise LocalProtocolError(f"parameter {name} must be from 0 to 1e9, not {text!r}")
        return value

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        """A parameter that is one of a few words."""
        text = self.parameters.get(name, default)
        if text not in choices:
            words = ", ".join(filter(None, choices))
            raise LocalProtocolError(f"parameter {name} must be one of {words}, not {text!r}")
        return text

    def refuse_unknown(self, known: Mapping[str, str]) -> None:
        """Raise `LocalProtocolError` for a parameter that neither the line nor the driver has."""
        for name in self.parameters:
            if name not in known and name not in LINE_PARAMETERS:
                names = ", ".join(sorted({*known, *LINE_PARAMETERS}))
                raise LocalProtocolError(f"{self.scheme} has no parameter {name!r}; there are {names}")


@dataclass(frozen=True, slots=True)
class _SerialSettings:
    port: str
    baud: int
    bits: int
    parity: Parity


def _serial_settings(url: URL, baud: int, bits: int, parity: Parity) -> _SerialSettings:
    port = url.path if url.line == "serial" else f"rfc2217://{url.bracketed_host()}:{url.port}"
    chosen = url.choice("parity", parity, ("N", "E", "O"))
    rate, size = int(url.number("baud", baud)), int(url.number("bits", bits))
    parities: dict[str, Parity] = {"N": "N", "E": "E", "O": "O"}
    return _SerialSettings(port, rate, size, parities[chosen])


def _via(url: URL) -> URL:
    """The address of the line that a modem is on."""
    via = url.parameters["via"]
    if via.startswith("/"):
        via = f"serial://{via}"
    if via.startswith("serial://"):
        via = f"modem+{via}"
    elif via.startswith("tcp://"):
        via = f"modem{via.removeprefix('tcp')}"
    else:
        raise LocalProtocolError(f"via must be serial:///dev/… or tcp://HOST:PORT, not {via!r}")
    return URL.parse(via)


def _dial(url: URL) -> Procedure[str]:
    commands = url.parameters.get("init")
    return modem.dial(url.host, commands.split(";") if commands else modem.INITIALISATION)


class _Modem:
    """A line that hangs up when it is closed."""

    def __init__(self, line: Transport) -> None:
        self.send, self.receive, self.set_line = line.send, line.receive, line.set_line
        self._line = line

    def close(self) -> None:
        try:
            run_blocking(modem.hang_up(), self._line)
        finally:
            self._line.close()


class _AsyncModem:
    """A line that hangs up when it is closed."""

    def __init__(self, line: AsyncTransport) -> None:
        self.send, self.receive, self.set_line = line.send, line.receive, line.set_line
        self._line = line

    async def close(self) -> None:
        try:
            await run(modem.hang_up(), self._line)
        finally:
            await self._line.close()


def open_blocking(
    url: URL, baud: int = 9600, bits: int = 8, parity: Parity = "N", *, listening: bool = False
) -> Transport:
    """Open the line that `url` means; the serial settings are the protocol's, unless the URL has its own.

    With `listening` datagrams are taken on a port of ours and not fetched from one of theirs.

    Raises:
        TransportError: the line cannot be opened.
        LocalProtocolError: a parameter of the line makes no sense.
    """
    timeout_s = url.number("timeout", 10.0)
    match url.line:
        case "serial" | "rfc2217":
            settings = _serial_settings(url, baud, bits, parity)
            return serial.connect(settings.port, settings.baud, settings.bits, settings.parity)
        case "modem":
            line = open_blocking(_via(url), 9600)
            try:
                run_blocking(_dial(url), line)
            except BaseException:
                line.close()
                raise
            return _Modem(line)
        case "udp":
            return (udp.bind if listening else udp.connect)(url.host, url.port or 0)
        case "mqtt" | "mqtts":
            return topics.connect(url.broker(), url.topic, timeout_s)
        case _:
            return tcp.connect(url.host, url.port or 0, timeout_s)


async def open_async(
    url: URL, baud: int = 9600, bits: int = 8, parity: Parity = "N", *, listening: bool = False
) -> AsyncTransport:
    """The asyncio twin of `open_blocking`."""
    timeout_s = url.number("timeout", 10.0)
    match url.line:
        case "serial" | "rfc2217":
            settings = _serial_settings(url, baud, bits, parity)
            return await serial.connect_async(settings.port, settings.baud, settings.bits, settings.parity)
        case "modem":
            line = await open_async(_via(url), 9600)
            try:
                await run(_dial(url), line)
            except BaseException:
                await line.close()
                raise
            return _AsyncModem(line)
        case "udp":
            return await (udp.bind_async if listening else udp.connect_async)(url.host, url.port or 0)
        case "mqtt" | "mqtts":
            return await topics.connect_async(url.broker(), url.topic, timeout_s)
        case _:
            return await tcp.connect_async(url.host, url.port or 0, timeout_s)
