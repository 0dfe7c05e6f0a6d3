"""Sticks that must be told what to listen to, and the conversation that tells each.

A stick that just talks needs none of it. Commands and answers stand between telegrams: what is heard
while an answer is awaited is given back, for whoever cuts telegrams out of the line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

from polymeter.protocols.procedure import Pause, Procedure, Receive, Send
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError, TimedOut, TransportError
from polymeter.protocols.wmbus.receivers import IMST_START

__all__ = ["DONGLES", "Dongle", "set_up"]

_ANSWER_S: Final = 1.0
_REPEATS: Final = 3
_HEARD_MAX: Final = 8192
"""Bytes that may come before an answer; a stick in a busy place goes on receiving meanwhile."""
_RESTART_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Dongle:
    """One kind of stick."""

    description: str
    baud: int
    modes: Mapping[str, int]
    """What it can listen to, the usual first, with the stick's own number for it."""
    listen: Callable[[str, int], Procedure[bytes]]


def set_up(name: str, mode: str | None = None) -> Procedure[bytes]:
    """Tell a stick what to listen to; gives what was heard meanwhile.

    Raises:
        LocalProtocolError: there is no such stick, or it has no such mode.
        RemoteProtocolError: the stick refuses.
        TimedOut: it does not answer.
    """
    dongle = DONGLES.get(name)
    if dongle is None:
        raise LocalProtocolError(f"there is no dongle {name!r}; there are {', '.join(DONGLES)}")
    chosen = mode if mode is not None else next(iter(dongle.modes))
    if chosen not in dongle.modes:
        raise LocalProtocolError(
            f"the dongle {name} has no mode {chosen!r}; there are {', '.join(dongle.modes)}"
        )
    return dongle.listen(chosen, dongle.modes[chosen])


class _Answer(NamedTuple):
    start: int
    end: int
    data: bytes


_Find = Callable[[bytes], _Answer | None]


def _ask(command: bytes, find: _Find, heard: bytearray) -> Procedure[bytes]:
    """Send a command until it is answered; the answer is taken out of what was heard."""
    for _ in range(_REPEATS):
        yield Send(command)
        try:
            while (answer := find(bytes(heard))) is None:
                if len(heard) > _HEARD_MAX:
                    raise RemoteProtocolError(
                        f"{len(heard)} bytes came and no answer of the stick among them"
                    )
                data = yield Receive(_ANSWER_S)
                if not data:
                    raise TransportError("the line closed while the stick was set up")
                heard += data
        except TimedOut:
            continue
        del heard[answer.start : answer.end]
        return answer.data
    raise TimedOut("the stick does not answer")


def _accepted(answer: bytes, what: str) -> None:
    if answer[:1] != b"\0":
        raise RemoteProtocolError(f"the stick refuses {what}: status {answer[:1].hex() or 'missing'}")


# CUL: lines of text. X21 adds the level to each telegram; br and a letter choose the mode, and the
# answer names it. The empty line before ends whatever an earlier program has left unfinished.


def _cul(mode: str, _: int) -> Procedure[bytes]:
    heard = bytearray()
    wanted = f"{mode.upper()}MODE".encode()

    def find(data: bytes) -> _Answer | None:
        at = 0
        while (end := data.find(b"\n", at)) >= 0:
            if data[at:end].strip().endswith(wanted):
                return _Answer(at, end + 1, wanted)
            at = end + 1
        return None

    yield from _ask(b"\r\nX21\r\nbr" + mode.encode() + b"\r\n", find, heard)
    return bytes(heard)


# AMB8465: FF, command, length, data, XOR of all. An answer has the command with its top bit set.

_AMB_MODE, _AMB_RESTART, _AMB_SET, _AMB_GET = 0x04, 0x05, 0x09, 0x0A
_AMB_FRAMES_OUT, _AMB_LEVEL = 0x05, 0x45
"""Settings: telegrams come in frames of the stick, and with their level."""


def _amb_frame(command: int, data: bytes) -> bytes:
    frame = bytes((0xFF, command, len(data))) + data
    return frame + bytes((_xor(frame),))


def _xor(data: bytes) -> int:
    check = 0
    for byte in data:
        check ^= byte
    return check


def _amb_find(command: int, data: bytes) -> _Answer | None:
    head = bytes((0xFF, command | 0x80))
    at = data.find(head)
    while at >= 0:
        end = at + 4 + data[at + 2] if at + 2 < len(data) else len(data) + 1
        if end <= len(data) and _xor(data[at : end - 1]) == data[end - 1]:
            return _Answer(at, end, data[at + 3 : end - 1])
        at = data.find(head, at + 1)
    return None


def _amb(_: str, number: int) -> Procedure[bytes]:
    heard = bytearray()

    def ask(command: int, data: bytes) -> Procedure[bytes]:
        return _ask(_amb_frame(command, data), partial(_amb_find, command), heard)

    changed = False
    for setting in (_AMB_FRAMES_OUT, _AMB_LEVEL):
        # Its memory wears out with writing, so it is written where it must be.
        if (yield from ask(_AMB_GET, bytes((setting, 1))))[2:] != b"\x01":
            _accepted((yield from ask(_AMB_SET, bytes((setting, 1, 1)))), f"setting {setting:02X}")
            changed = True
    if changed:
        _accepted((yield from ask(_AMB_RESTART, b"")), "to restart")
        yield Pause(_RESTART_S)
    _accepted((yield from ask(_AMB_MODE, bytes((number,)))), "the mode")
    return bytes(heard)


# iM871A: A5, endpoint, message, length, data. The settings are temporary: a stick of a meter (0: not
# one), its mode, no power saving, and the level with each telegram.

_IMST_DEVICE, _IMST_CONFIGURE, _IMST_CONFIGURED = 0x01, 0x03, 0x04


def _imst_find(data: bytes) -> _Answer | None:
    at = data.find(IMST_START)
    while at >= 0:
        if at + 4 <= len(data) and (data[at + 1] & 0x0F, data[at + 2]) == (_IMST_DEVICE, _IMST_CONFIGURED):
            stop = at + 4 + data[at + 3]
            flags = data[at + 1]
            end = stop + 4 * bool(flags & 0x20) + bool(flags & 0x40) + 2 * bool(flags & 0x80)
            if end <= len(data):
                return _Answer(at, end, data[at + 4 : stop])
        at = data.find(IMST_START, at + 1)
    return None


def _imst(_: str, number: int) -> Procedure[bytes]:
    heard = bytearray()
    settings = bytes((0x00, 0x03, 0x00, number, 0x18, 0x00, 0x01))
    head = bytes((IMST_START, _IMST_DEVICE, _IMST_CONFIGURE, len(settings)))
    _accepted((yield from _ask(head + settings, _imst_find, heard)), "the mode")
    return bytes(heard)


DONGLES: Final[Mapping[str, Dongle]] = {
    "cul": Dongle("CUL and nanoCUL with culfw", 38400, {"t": 0, "c": 0, "s": 0}, _cul),
    "im871a": Dongle("IMST iM871A-USB", 57600, {"t": 3, "c": 6, "cb": 7, "s": 0}, _imst),
    "amb8465": Dongle("Amber AMB8465-M, Würth Metis plug", 9600, {"ct": 9, "t": 8, "c": 14, "s": 3}, _amb),
}
"""The sticks by the name that an address gives them. `cb` is mode C with frames of format B."""
