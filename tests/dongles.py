"""Scripted sticks: each does what its manual says, to whoever writes to it."""

from __future__ import annotations

from functools import reduce
from operator import xor

from polymeter.protocols.crc import crc16_x25
from polymeter.protocols.procedure import Procedure, Receive, Send
from polymeter.protocols.wire import TimedOut
from polymeter.protocols.wmbus import encode_format_a

__all__ = ["AMB", "CUL", "IMST", "Stick", "plugged_in"]


class Stick:
    """Answers commands; `mode` is what it was told to listen to."""

    def __init__(self) -> None:
        self.mode: str | int | None = None
        self.commands: list[bytes] = []
        self._unread = b""

    def answer(self, data: bytes) -> bytes:
        """What it says to what is written to it, whole commands or pieces of them."""
        self._unread += data
        said = b""
        while (command := self.command()) is not None:
            self.commands.append(command)
            said += self.obey(command)
        return said

    def command(self) -> bytes | None:
        raise NotImplementedError

    def obey(self, command: bytes) -> bytes:
        raise NotImplementedError

    def wrap(self, telegram: bytes) -> bytes:
        """A telegram as the stick gives it."""
        raise NotImplementedError

    def _take(self, size: int) -> bytes:
        taken, self._unread = self._unread[:size], self._unread[size:]
        return taken


class CUL(Stick):
    def command(self) -> bytes | None:
        while (end := self._unread.find(b"\r\n")) >= 0:
            if line := self._take(end + 2)[:-2]:
                return line
        return None

    def obey(self, command: bytes) -> bytes:
        if command[:2] == b"br" and command[2:] in (b"s", b"t", b"c"):
            self.mode = command[2:].decode()
            return command[2:].upper() + b"MODE\r\n"
        return b"" if command == b"X21" else b"? (" + command + b" is unknown)\r\n"

    def wrap(self, telegram: bytes) -> bytes:
        return b"b" + encode_format_a(telegram).hex().upper().encode() + b"2F\r\n"


class AMB(Stick):
    def __init__(self, **settings: int) -> None:
        super().__init__()
        self.settings = {0x05: 0, 0x45: 0, 0x3F: 0}
        self.running = dict(self.settings)
        self.written = 0

    def command(self) -> bytes | None:
        if len(self._unread) < 4 or len(self._unread) < 4 + self._unread[2]:
            return None
        frame = self._take(4 + self._unread[2])
        assert frame[0] == 0xFF
        assert reduce(xor, frame) == 0
        return frame

    def obey(self, command: bytes) -> bytes:
        code, data = command[1], command[3:-1]
        if code == 0x0A:
            return self._said(0x8A, bytes((data[0], 1, self.settings[data[0]])))
        if code == 0x09:
            self.settings[data[0]] = data[2]
            self.written += 1
            return self._said(0x89, b"\0")
        if code == 0x05:
            self.running, self.mode = dict(self.settings), None
            return self._said(0x85, b"\0")
        if code == 0x04:
            self.mode = data[0]
            return self._said(0x84, b"\0")
        raise AssertionError(f"command {code:02X}")

    def _said(self, code: int, data: bytes) -> bytes:
        frame = bytes((0xFF, code, len(data))) + data
        return frame + bytes((reduce(xor, frame),))

    def wrap(self, telegram: bytes) -> bytes:
        assert (self.running[0x05], self.running[0x45]) == (1, 1), "it would give telegrams in another way"
        return self._said(0x03, telegram[1:] + b"\x9c")


class IMST(Stick):
    def __init__(self, status: int = 0) -> None:
        super().__init__()
        self.status = status

    def command(self) -> bytes | None:
        if len(self._unread) < 4 or len(self._unread) < 4 + self._unread[3]:
            return None
        return self._take(4 + self._unread[3])

    def obey(self, command: bytes) -> bytes:
        assert command[:3] == b"\xa5\x01\x03"
        temporary, which, device, mode, more, saving, level = command[4:]
        assert (temporary, which, device, more, saving, level) == (0, 0x03, 0, 0x18, 0, 1)
        if not self.status:
            self.mode = mode
        return b"\xa5\x01\x04\x01" + bytes((self.status,))

    def wrap(self, telegram: bytes) -> bytes:
        body = b"\xc2\x03" + telegram[:1] + telegram[1:] + b"\x64"
        return b"\xa5" + body + crc16_x25(body).to_bytes(2, "little")


def plugged_in(stick: Stick, *telegrams: bytes, before: bytes = b"") -> Procedure[None]:
    """The far end of a stick's line: it obeys, and gives telegrams once it listens."""
    if before:
        yield Send(before)
    waiting = list(telegrams)
    while True:
        try:
            data = yield Receive(0.05 if stick.mode is not None else 30.0)
        except TimedOut:
            if waiting:
                yield Send(stick.wrap(waiting.pop(0)))
            continue
        if not data:
            return
        if said := stick.answer(data):
            yield Send(said)
