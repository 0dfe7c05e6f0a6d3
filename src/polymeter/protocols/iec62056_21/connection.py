"""One conversation, seen from either end: what came becomes events, events become bytes.

Both ends see all events, so one table of states serves both. It knows no time: how long to wait
and whether to repeat is told in `procedures`. A line that strips no parity bits may be fed as it
is: messages whose characters all have even parity are read as 7 bits (§ 5.1.1).
"""

from __future__ import annotations

import re
from typing import Final, Literal

from polymeter.protocols.iec62056_21.blocks import ACK, LINE_MAX, NAK, SOH, STX, block_end, without_parity
from polymeter.protocols.iec62056_21.frames import (
    Acknowledge,
    Break,
    Command,
    DataMessage,
    Event,
    Identification,
    OptionSelect,
    PlainData,
    Repeat,
    Request,
    decode_block,
    decode_line,
    decode_option,
    encode,
)
from polymeter.protocols.wire import NEED_DATA, Buffer, LocalProtocolError, NeedData, RemoteProtocolError

__all__ = ["TRANSITIONS", "Connection", "End"]

End = Literal["reader", "meter"]

TRANSITIONS: Final[dict[str, dict[tuple[End, str], str]]] = {
    "idle": {
        ("reader", "request"): "requested",
        ("meter", "identification"): "pushing",
    },
    "pushing": {
        ("meter", "plain data"): "idle",
        ("meter", "data"): "idle",
        ("meter", "identification"): "pushing",
        ("reader", "request"): "requested",
    },
    "requested": {
        ("meter", "identification"): "identified",
        ("reader", "request"): "requested",
    },
    "identified": {
        ("reader", "read-out option"): "reading out",
        ("reader", "programming option"): "entering",
        ("reader", "binary option"): "switching",
        ("meter", "data"): "read out",
        ("reader", "request"): "requested",
    },
    "reading out": {
        ("meter", "data"): "read out",
        ("reader", "repeat"): "reading out",
        ("reader", "request"): "requested",
    },
    "read out": {
        ("reader", "acknowledge"): "idle",
        ("reader", "repeat"): "reading out",
        ("reader", "request"): "requested",
    },
    "switching": {
        ("meter", "binary option"): "handed over",
        ("meter", "identification"): "switching",
        ("reader", "request"): "requested",
    },
    "handed over": {
        ("reader", "request"): "requested",
    },
    "entering": {
        ("meter", "command"): "programming",
        ("meter", "break"): "idle",
        ("reader", "repeat"): "entering",
        ("reader", "break"): "idle",
        ("reader", "request"): "requested",
    },
    "programming": {
        ("reader", "command"): "asked",
        ("reader", "partial command"): "asked",
        ("reader", "repeat"): "asked",
        ("meter", "repeat"): "programming",
        ("reader", "break"): "idle",
        ("reader", "request"): "requested",
    },
    "asked": {
        ("meter", "data"): "programming",
        ("meter", "partial data"): "partly answered",
        ("meter", "command"): "programming",
        ("meter", "acknowledge"): "programming",
        ("meter", "repeat"): "programming",
        ("meter", "break"): "idle",
        ("reader", "command"): "asked",
        ("reader", "partial command"): "asked",
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
"""State, then who says what, then the state after it. The picture in the docs is drawn from this.

The two ends may differ by a message that one has sent and the other has not understood; so each
may ask for a repeat both where it waits for an answer and where the other has given it.
"""

NOISE_MAX: Final = 1 << 12
"""Bytes between two messages before a line is taken for something else than a meter's."""


def _kind(event: Event) -> str:
    match event:
        case Request():
            return "request"
        case Identification():
            return "identification"
        case OptionSelect(mode="0"):
            return "read-out option"
        case OptionSelect(mode="2"):
            return "binary option"
        case OptionSelect():
            return "programming option"
        case Acknowledge():
            return "acknowledge"
        case Repeat():
            return "repeat"
        case Break():
            return "break"
        case Command(more=True):
            return "partial command"
        case Command():
            return "command"
        case PlainData():
            return "plain data"
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
        self._searched = 0
        self._noise_since = 0

    def receive_data(self, data: bytes) -> None:
        """Take in what came.

        Raises:
            RemoteProtocolError: more than the limit waits without the end of a message. What
                waited is dropped; the conversation can be begun again.
        """
        try:
            self._buffer.append(data)
        except RemoteProtocolError:
            self.discard()
            raise

    def next_event(self) -> Event | NeedData:
        """The next whole message of the other end, or `NEED_DATA`.

        Raises:
            RemoteProtocolError: a message is damaged or has no place here. It is dropped and the
                state is as before, so it can be asked for again. Any other exception is a bug.
        """
        size = self._message_size()
        if size is None:
            return NEED_DATA
        offset = self._buffer.dropped
        message = without_parity(self._buffer.take(size))
        self._searched = self._noise_since = 0
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

    def discard(self) -> int:
        """Drop a message that has begun and will not end, as after silence; the state stays.

        Gives how many of its characters had come.
        """
        self._searched = 0
        return len(self._buffer.clear())

    @property
    def begun(self) -> bool:
        """Whether a message has begun that is not whole yet."""
        return len(self._buffer) > 0

    def reset(self) -> None:
        """Forget the conversation and what waits, as after the end of a session."""
        self.discard()
        self.state = "idle"

    def _move(self, end: End, event: Event, offset: int) -> None:
        state = TRANSITIONS[self.state].get((end, _kind(event)))
        if state is None:
            raise RemoteProtocolError(f"{_kind(event)} has no place when {self.state}", offset)
        self.state = state

    def _drop(self, count: int) -> None:
        """Skip bytes that begin no message."""
        self._buffer.take(count)
        self.noise += count
        self._noise_since += count
        if self._noise_since > NOISE_MAX:
            self._noise_since = 0
            raise RemoteProtocolError(
                f"{NOISE_MAX} bytes came and no message among them: is the line a meter's?",
                self._buffer.dropped,
            )

    def _message_size(self) -> int | None:
        """Skip noise; the length of the message that then begins, `None` while it is not whole."""
        data = self._buffer.data
        if self.state == "pushing":
            stop = _PLAIN_STOP.search(data, self._searched)
            self._searched = stop.start() if stop else len(data)
            if stop is None or bytes(data[stop.start() : stop.start() + 3]) in (b"!", b"!\r", b"!\x8d"):
                return None
            if stop[1]:
                return stop.end()
            self._searched = 0
        while True:
            start = _START.search(data)
            if start is None or start.start():
                self._drop(len(data) if start is None else start.start())
            if not data:
                return None
            begins = data[0] & 0x7F
            if begins in (SOH, STX):
                end = block_end(data, 0, self._searched)
                self._searched = len(data) - 1
                return end
            if begins == NAK or (begins == ACK and not self._awaits_option()):
                return 1
            end = data.find(b"\n", 0, LINE_MAX) + 1
            if not end and len(data) < LINE_MAX:
                return None
            # No line holds a second / after its first character: what is before that is noise.
            begin = max(data.rfind(b"/", 0, end), data.rfind(b"\xaf", 0, end)) if end else 1
            if begin <= 0:
                return end
            self._drop(begin)

    def _awaits_option(self) -> bool:
        return self.state == ("identified" if self.end == "meter" else "switching")

    def _decode(self, message: bytes, offset: int) -> Event:
        start = message[0]
        if start in (SOH, STX):
            return decode_block(message, offset=offset)
        if start == ord("/"):
            return decode_line(message, offset=offset)
        if start & 0x7F == NAK:
            return Repeat()
        if start != ACK:
            if self.state == "pushing":
                return PlainData(message.removeprefix(b"\r\n").decode("latin-1"))
            raise RemoteProtocolError("some characters have even parity and some have not", offset)
        return Acknowledge() if len(message) == 1 else decode_option(message, offset=offset)


_START = re.compile(rb"[\x01\x02\x06\x15/\x81\x82\x95\xaf]")
"""What a message begins with, without and with its parity bit."""
_PLAIN_STOP = re.compile(rb"(![\r\x8d]?\n)|[\x01-\x06\x15\x81-\x86\x95!]|(?:\A|(?<=\n))[/\xaf]")
"""The end of mode D's data, or what shows that it is none."""
