"""One conversation, seen from either end: what came becomes events, events become bytes.

Both ends see all events, so one table of states serves both. It knows no time: how long to wait
and whether to repeat is told in `procedures`. A line that strips no parity bits may be fed as it
is; characters are read as 7 bits (§ 5.1.1).
"""

from __future__ import annotations

from typing import Final, Literal

from polymeter.protocols.iec62056_21.frames import (
    ACK,
    NAK,
    SOH,
    STX,
    Acknowledge,
    Break,
    Command,
    DataMessage,
    Event,
    Identification,
    OptionSelect,
    Repeat,
    Request,
    decode_block,
    decode_line,
    encode,
)
from polymeter.protocols.wire import NEED_DATA, Buffer, LocalProtocolError, NeedData, RemoteProtocolError

__all__ = ["TRANSITIONS", "Connection", "End"]

End = Literal["reader", "meter"]

TRANSITIONS: Final[dict[str, dict[tuple[End, str], str]]] = {
    "idle": {
        ("reader", "request"): "requested",
    },
    "requested": {
        ("meter", "identification"): "identified",
        ("reader", "request"): "requested",
    },
    "identified": {
        ("reader", "read-out option"): "reading out",
        ("reader", "programming option"): "entering",
        ("meter", "data"): "read out",
        ("reader", "request"): "requested",
    },
    "reading out": {
        ("meter", "data"): "read out",
        ("reader", "request"): "requested",
    },
    "read out": {
        ("reader", "acknowledge"): "idle",
        ("reader", "repeat"): "reading out",
        ("reader", "request"): "requested",
    },
    "entering": {
        ("meter", "command"): "programming",
        ("meter", "break"): "idle",
        ("reader", "request"): "requested",
    },
    "programming": {
        ("reader", "command"): "asked",
        ("reader", "break"): "idle",
        ("reader", "request"): "requested",
    },
    "asked": {
        ("meter", "data"): "programming",
        ("meter", "partial data"): "partly answered",
        ("meter", "acknowledge"): "programming",
        ("meter", "repeat"): "programming",
        ("meter", "break"): "idle",
        ("reader", "command"): "asked",
        ("reader", "repeat"): "asked",
        ("reader", "break"): "idle",
        ("reader", "request"): "requested",
    },
    "partly answered": {
        ("reader", "acknowledge"): "asked",
        ("reader", "repeat"): "asked",
        ("reader", "break"): "idle",
        ("reader", "request"): "requested",
    },
}
"""State, then who says what, then the state after it. The picture in the docs is drawn from this."""

_STRIP_PARITY = bytes(byte & 0x7F for byte in range(256))


def _kind(event: Event) -> str:
    match event:
        case Request():
            return "request"
        case Identification():
            return "identification"
        case OptionSelect(mode="0"):
            return "read-out option"
        case OptionSelect():
            return "programming option"
        case Acknowledge():
            return "acknowledge"
        case Repeat():
            return "repeat"
        case Break():
            return "break"
        case Command():
            return "command"
        case DataMessage(more=True):
            return "partial data"
        case DataMessage():
            return "data"


class Connection:
    """The state of one conversation.

    `end` is the one we play. Give what came to `receive_data`, take events from `next_event`
    until it says `NEED_DATA`, and turn what you want to say into bytes with `send`.
    """

    def __init__(self, end: End, limit: int = 1 << 20) -> None:
        self.end: End = end
        self.state = "idle"
        self.noise = 0
        """Bytes skipped because no message begins with them."""
        self._buffer = Buffer(limit)

    def receive_data(self, data: bytes) -> None:
        """Take in what came.

        Raises:
            RemoteProtocolError: more than the limit waits without the end of a message. What
                waited is dropped; the conversation can be begun again.
        """
        try:
            self._buffer.append(data.translate(_STRIP_PARITY))
        except RemoteProtocolError:
            self._buffer.clear()
            raise

    def next_event(self) -> Event | NeedData:
        """The next whole message of the other end, or `NEED_DATA`.

        Raises:
            RemoteProtocolError: a message is damaged or has no place here. It is dropped and the
                state is as before, so it can be asked for again. Any other exception is a bug.
        """
        offset = self._skip_noise()
        if not self._buffer:
            return NEED_DATA
        size = self._message_size()
        if size is None:
            return NEED_DATA
        message = self._buffer.take(size)
        event = self._decode(message, offset)
        self._move("meter" if self.end == "reader" else "reader", event, offset)
        return event

    def send(self, event: Event) -> bytes:
        """The bytes that say `event`, which becomes part of the conversation.

        Raises:
            LocalProtocolError: this end cannot say that now.
        """
        data = encode(event)
        state = TRANSITIONS[self.state].get((self.end, _kind(event)))
        if state is None:
            raise LocalProtocolError(f"a {self.end} cannot send {_kind(event)} when {self.state}")
        self.state = state
        return data

    def reset(self) -> None:
        """Forget the conversation and what waits, as after silence."""
        self._buffer.clear()
        self.state = "idle"

    def _move(self, end: End, event: Event, offset: int) -> None:
        state = TRANSITIONS[self.state].get((end, _kind(event)))
        if state is None:
            raise RemoteProtocolError(f"{_kind(event)} has no place when {self.state}", offset)
        self.state = state

    def _skip_noise(self) -> int:
        """Drop bytes that begin no message; give the stream offset of the one that does."""
        count = 0
        while count < len(self._buffer) and self._buffer.byte(count) not in _STARTS:
            count += 1
        if count:
            self.noise += count
            self._buffer.take(count)
        return self._buffer.dropped

    def _message_size(self) -> int | None:
        """The length of the message at the buffer's start, `None` while it is not whole."""
        start = self._buffer.byte(0)
        if start in (SOH, STX):
            ends = [at for at in (self._buffer.find(b"\x03", 1), self._buffer.find(b"\x04", 1)) if at > 0]
            return min(ends) + 2 if ends and len(self._buffer) >= min(ends) + 2 else None
        if start == ord("/") or (start == ACK and self.end == "meter" and self.state == "identified"):
            end = self._buffer.find(b"\n")
            return end + 1 if end >= 0 else None
        return 1

    def _decode(self, message: bytes, offset: int) -> Event:
        start = message[0]
        if start in (SOH, STX):
            return decode_block(message, offset=offset)
        if start == NAK:
            return Repeat()
        if start == ord("/"):
            return decode_line(message, offset=offset)
        if len(message) == 1:
            return Acknowledge()
        option = message[1:].rstrip(b"\r\n").decode("latin-1")
        if len(option) != 3:
            raise RemoteProtocolError(f"an option has three characters, not {option!r}", offset + 1)
        return OptionSelect(*option)


_STARTS = frozenset((SOH, STX, ACK, NAK, ord("/")))
