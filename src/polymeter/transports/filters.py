"""What some lines do to bytes, undone between a procedure and its line, for every protocol.

Optical heads and two-wire lines repeat what is sent; gateways pass eight bits where the meter
wants seven and a parity bit. Both are parameters of the address, not of a protocol.
"""

from __future__ import annotations

from typing import Final, TypeVar

from polymeter.protocols.procedure import Outcome, Procedure, Receive, Send, SetLine, Step, relay
from polymeter.protocols.wire import TimedOut

__all__ = ["EchoCanceller", "ParityBit"]

T = TypeVar("T")

_NOISE: Final = frozenset((0x00, 0x7F, 0xFF))
"""What optical heads make of a line that begins to swing; it may come before an echo."""

_EVEN: Final = bytes((byte & 0x7F) | (((byte & 0x7F).bit_count() & 1) << 7) for byte in range(256))
_ODD: Final = bytes(byte ^ 0x80 for byte in _EVEN)
_STRIP: Final = bytes(byte & 0x7F for byte in range(256))


class EchoCanceller:
    """Drops exactly what was sent from what comes back, and nothing else.

    What differs from the echo is given on whole, the part that looked like an echo included: then
    the line does not echo after all, or its echo is damaged, and the protocol must judge. One
    canceller serves one line: the echo of the last words of a call is heard in the next.
    """

    def __init__(self) -> None:
        self._awaited = bytearray()
        self._held = bytearray()

    def __call__(self, procedure: Procedure[T]) -> Procedure[T]:
        """Put the canceller between a procedure and the line."""
        return relay(procedure, self._perform)

    def _perform(self, step: Step) -> Procedure[Outcome]:
        if isinstance(step, Send):
            self._awaited += step.data
        if not isinstance(step, Receive):
            return (yield step)
        while True:
            try:
                data = yield step
            except TimedOut:
                if looked_alike := self._give_up():
                    return looked_alike
                raise
            if not data:
                return self._give_up()
            if rest := self._behind_echo(data):
                return rest

    def _give_up(self) -> bytes:
        looked_alike = bytes(self._held)
        self._awaited.clear()
        self._held.clear()
        return looked_alike

    def _behind_echo(self, data: bytes) -> bytes:
        """What of `data` is no echo; noise before an echo is none either, but nobody needs it."""
        awaited = self._awaited
        at = noise = 0
        while at < len(data) and awaited:
            if awaited.startswith(data[at : at + 1]):
                self._held += awaited[:1]
                del awaited[:1]
            elif data[at] in _NOISE and not self._held:
                noise += 1
            else:
                return data[:noise] + self._give_up() + data[at:]
            at += 1
        if not awaited:
            self._held.clear()
        return data[at:]


class ParityBit:
    """Puts the parity bit into bit 7 of what is sent, and takes it out of what comes.

    For meters of 7 bits behind a line of 8 bits without parity. It ends where the conversation
    goes on with 8 bits, as IEC 62056-21 does when it hands over to HDLC.
    """

    def __init__(self, parity: str = "even") -> None:
        self._table = _ODD if parity == "odd" else _EVEN
        self._active = True

    def __call__(self, procedure: Procedure[T]) -> Procedure[T]:
        """Put the parity bit between a procedure and the line."""
        return relay(procedure, self._perform)

    def _perform(self, step: Step) -> Procedure[Outcome]:
        match step:
            case SetLine(_, bits, _):
                self._active = bits == 7
                return (yield step._replace(bits=8, parity="N"))
            case Send(data) if self._active:
                return (yield Send(data.translate(self._table)))
            case Receive() if self._active:
                return (yield step).translate(_STRIP)
            case _:
                return (yield step)
