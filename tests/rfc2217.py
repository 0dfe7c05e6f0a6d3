"""A small RFC 2217 server: a serial port behind Telnet, with a procedure at its far end.

It agrees to everything, tells what it was asked to set, and doubles the byte 255 as Telnet wants.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from polymeter.protocols.procedure import Procedure
from polymeter.protocols.wire import TransportError
from polymeter.transports.inbox import timed_out
from polymeter.transports.runners import run_blocking

__all__ = ["serial_server"]

IAC, SE, SB, WILL, DO, COM_PORT = 255, 240, 250, 251, 253, 44


class _Port:
    """The server's end of one Telnet connection, as a `Transport`."""

    def __init__(self, connected: socket.socket, told: list[tuple[int, bytes]]) -> None:
        self._socket = connected
        self._told = told
        self._raw = b""
        self._agreed: set[tuple[int, int]] = set()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data.replace(b"\xff", b"\xff\xff"))

    def receive(self, timeout_s: float) -> bytes:
        end = time.monotonic() + min(timeout_s, 30)
        while True:
            # What the client says in Telnet is no data, and must not prolong the wait for some.
            self._socket.settimeout(max(end - time.monotonic(), 1e-6))
            try:
                received = self._socket.recv(4096)
            except TimeoutError as error:
                raise timed_out(timeout_s) from error
            except OSError as error:
                raise TransportError(str(error)) from error
            if not received:
                return b""
            self._raw += received
            if data := self._take():
                return data

    def set_line(self, baud: int, bits: int, parity: str) -> None:
        pass

    def close(self) -> None:
        self._socket.close()

    def _take(self) -> bytes:
        """Answer the Telnet commands that are whole; what is left is data."""
        data = bytearray()
        while self._raw:
            if self._raw[0] != IAC:
                data.append(self._raw[0])
                self._raw = self._raw[1:]
            elif self._raw[1:2] == b"\xff":
                data.append(IAC)
                self._raw = self._raw[2:]
            elif self._raw[1:2] == bytes([SB]):
                end = self._raw.find(bytes([IAC, SE]))
                if end < 0:
                    break
                self._subnegotiation(self._raw[2:end].replace(b"\xff\xff", b"\xff"))
                self._raw = self._raw[end + 2 :]
            elif len(self._raw) < 3:
                break
            else:
                verb, option = self._raw[1], self._raw[2]
                # Whoever answers an answer is answered without end (RFC 854).
                if verb in (WILL, DO) and (verb, option) not in self._agreed:
                    self._agreed.add((verb, option))
                    self._socket.sendall(bytes([IAC, DO if verb == WILL else WILL, option]))
                self._raw = self._raw[3:]
        return bytes(data)

    def _subnegotiation(self, body: bytes) -> None:
        if body[0] == COM_PORT:
            self._told.append((body[1], body[2:]))
            answer = body[2:].replace(b"\xff", b"\xff\xff")
            self._socket.sendall(bytes([IAC, SB, COM_PORT, body[1] + 100]) + answer + bytes([IAC, SE]))


@contextmanager
def serial_server(
    make: Procedure[None], host: str = "127.0.0.1"
) -> Iterator[tuple[int, list[tuple[int, bytes]]]]:
    """Serve one connection; gives the port and, as it grows, the list of what was asked to be set."""
    told: list[tuple[int, bytes]] = []
    listening = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)

    def serve() -> None:
        with suppress(OSError, TransportError):
            connected, _ = listening.accept()
            port = _Port(connected, told)
            try:
                run_blocking(make, port)
            finally:
                port.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1], told
    finally:
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()
