"""One P1 line, seen from either end: bytes become telegrams, telegrams become bytes.

The line goes one way and has one state: the meter talks, the reader listens.
"""

from __future__ import annotations

from typing import Final, Literal

from polymeter.protocols.p1.frames import Ciphered, Telegram, decode_ciphered, decode_telegram, encode
from polymeter.protocols.p1.pushes import PushedTelegrams
from polymeter.protocols.wire import NEED_DATA, LocalProtocolError, NeedData

__all__ = ["Connection", "End"]

End = Literal["reader", "meter"]
_ENVELOPE: Final = 0xDB


class Connection:
    """A line with a reader and a meter; `end` is the one we play."""

    def __init__(self, end: End) -> None:
        self.end: End = end
        self._stream = PushedTelegrams()

    def receive_data(self, data: bytes) -> None:
        """Take in what came. A meter hears nothing."""
        if self.end == "reader":
            self._stream.receive_data(data)

    def next_event(self) -> Telegram | Ciphered | NeedData:
        """The next whole telegram, or `NEED_DATA`.

        Raises:
            RemoteProtocolError: it is damaged and has been dropped; the next call goes on behind
                it. Any other exception is a bug.
        """
        frame = self._stream.next_frame()
        if isinstance(frame, NeedData):
            return NEED_DATA
        return decode_ciphered(frame) if frame[0] == _ENVELOPE else decode_telegram(frame)

    def send(self, event: Telegram | Ciphered) -> bytes:
        """The bytes of a telegram.

        Raises:
            LocalProtocolError: a reader has nothing to say, or the telegram cannot be written.
        """
        if self.end == "reader":
            raise LocalProtocolError("a reader of a P1 port only listens")
        return encode(event)
