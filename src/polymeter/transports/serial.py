"""Serial lines, local or behind RFC 2217, through serialx (extra ``serial``).

serialx is imported when a line is opened, so that everything else works without it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from polymeter.protocols.procedure import Parity
from polymeter.protocols.wire import LocalProtocolError, TransportError
from polymeter.transports.inbox import AsyncStream, timed_out

if TYPE_CHECKING:
    import serialx

__all__ = ["AsyncSerial", "Serial", "connect", "connect_async"]


def _library() -> Any:
    try:
        import serialx
    except ImportError as error:
        raise LocalProtocolError("serial lines need the extra: pip install 'polymeter[serial]'") from error
    return serialx


def _refused(baud: int, bits: int, parity: str, error: Exception) -> TransportError:
    """The error of a port that does not take its settings."""
    remedy = "; bits=8 and parity=N may do" if bits == 7 else ""
    return TransportError(f"the port refuses {baud} Bd {bits}{parity}1: {error}{remedy}")


class Serial:
    """An open serial port as a `Transport`."""

    def __init__(self, port: serialx.BaseSerial) -> None:
        self._port = port
        self._failures: tuple[type[Exception], ...] = (OSError, _library().SerialException)
        self._kept = b""

    def send(self, data: bytes) -> None:
        """See `Transport.send`."""
        self._require_open()
        try:
            at = 0
            while at < len(data):
                at += self._port.write(data[at:])
        except self._failures as error:
            raise TransportError(f"sending failed: {error}") from error

    def receive(self, timeout_s: float) -> bytes:
        """See `Transport.receive`."""
        self._require_open()
        if self._kept:
            kept, self._kept = self._kept, b""
            return kept
        chunk = bytearray(4096)
        try:
            count = self._port.readinto(chunk, timeout=timeout_s)
        except TimeoutError as error:
            raise timed_out(timeout_s) from error
        except self._failures as error:
            raise TransportError(f"the line broke: {error}") from error
        if not count:
            raise timed_out(timeout_s)
        return bytes(chunk[:count])

    def set_line(self, baud: int, bits: int, parity: Parity) -> None:
        """See `Transport.set_line`: waits until the last character has left, then switches.

        What has arrived stays, although the library empties its buffers: a meter may be quick.
        """
        self._require_open()
        try:
            self._port.flush()
            waiting = bytearray(self._port.num_unread_bytes())
            if waiting:
                self._kept += bytes(waiting[: self._port.readinto(waiting)])
            self._port.reconfigure_port(baudrate=baud, byte_size=bits, parity=parity)
        except self._failures as error:
            raise _refused(baud, bits, parity, error) from error

    def _require_open(self) -> None:
        if not self._port.is_open:
            raise TransportError("the line is closed")

    def close(self) -> None:
        """See `Transport.close`."""
        self._port.close()


class AsyncSerial(AsyncStream):
    """An open serial port as an `AsyncTransport`."""

    HALF_CLOSES = False

    async def set_line(self, baud: int, bits: int, parity: str) -> None:
        """See `AsyncTransport.set_line`: waits until the last character has left, then switches."""
        port: Any = self._transport
        try:
            await port.flush()
            await port.reconfigure_port(baudrate=baud, byte_size=bits, parity=parity)
        except (OSError, _library().SerialException) as error:
            raise _refused(baud, bits, parity, error) from error


def connect(port: str, baud: int, bits: int = 8, parity: Parity = "N") -> Serial:
    """Open a blocking port: a device path or an ``rfc2217://`` address."""
    library = _library()
    try:
        opened = library.serial_for_url(port, baudrate=baud, byte_size=bits, parity=parity)
        if not opened.is_open:
            opened.open()
    except (OSError, ValueError, library.SerialException) as error:
        raise TransportError(f"cannot open {port}: {error}") from error
    return Serial(opened)


async def connect_async(port: str, baud: int, bits: int = 8, parity: Parity = "N") -> AsyncSerial:
    """Open a port for asyncio: a device path or an ``rfc2217://`` address."""
    library = _library()
    loop = asyncio.get_running_loop()
    try:
        _, stream = await library.create_serial_connection(
            loop, AsyncSerial, port, baud, parity=library.Parity(parity), byte_size=bits
        )
    except (OSError, ValueError, library.SerialException) as error:
        raise TransportError(f"cannot open {port}: {error}") from error
    assert isinstance(stream, AsyncSerial)
    return stream
