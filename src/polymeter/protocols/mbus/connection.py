"""One bus, seen from either end: what came becomes frames, frames become bytes.

A master asks and slaves answer, so the table is small. The master's end counts frames: every meter
has its own frame count bits (EN 13757-2 § 5.7), which begin with 1 after SND_NKE or a selection,
change with every good answer and stay when a frame is repeated. It knows no time.
"""

from __future__ import annotations

from typing import Final, Literal

from polymeter.protocols.mbus.frames import (
    ADDRESS_SELECTED,
    FCB,
    REQ_UD1,
    REQ_UD2,
    SND_NKE,
    SND_UD,
    Acknowledge,
    Frame,
    LongFrame,
    ShortFrame,
    decode_frame,
    encode,
    frame_at,
)
from polymeter.protocols.wire import NEED_DATA, Buffer, LocalProtocolError, NeedData, RemoteProtocolError

__all__ = ["TRANSITIONS", "Connection", "End"]

_STARTS: Final = frozenset((0x10, 0x68, 0xE5))

End = Literal["master", "slave"]

_ASKING: Final[dict[tuple[End, str], str]] = {
    ("master", "initialise"): "initialising",
    ("master", "send"): "sending",
    ("master", "request"): "requesting",
}
TRANSITIONS: Final[dict[str, dict[tuple[End, str], str]]] = {
    "idle": {**_ASKING},
    "initialising": {**_ASKING, ("slave", "acknowledge"): "idle"},
    "sending": {**_ASKING, ("slave", "acknowledge"): "idle", ("slave", "respond"): "idle"},
    "requesting": {**_ASKING, ("slave", "acknowledge"): "idle", ("slave", "respond"): "idle"},
}
"""State, then who says what, then the state after it. The master may always begin anew: silence is
an answer too. A response to SND_UD is how some meters report an application error."""


def _kind(frame: Frame) -> str:
    match frame:
        case Acknowledge():
            return "acknowledge"
        case ShortFrame(control) if control & 0x4F == SND_NKE:
            return "initialise"
        case ShortFrame():
            return "request"
        case LongFrame() if frame.from_master:
            return "send"
        case LongFrame():
            return "respond"


class Connection:
    """The state of one bus.

    `end` is the one we play. Give what came to `receive_data`, take frames from `next_event` until
    it says `NEED_DATA`, and turn what you want to say into bytes with `send`.
    """

    def __init__(self, end: End, limit: int = 1 << 16) -> None:
        self.end: End = end
        self.state = "idle"
        self.noise = 0
        """Bytes skipped because no frame begins with them."""
        self._buffer = Buffer(limit)
        self._counts: dict[tuple[int, int], bool] = {}
        self._asked: tuple[int, int] | None = None

    def request(self, address: int, *, alarm: bool = False) -> ShortFrame:
        """REQ_UD2, or REQ_UD1 for alarms, with the count bit that this meter is due."""
        control = REQ_UD1 if alarm else REQ_UD2
        return ShortFrame(self._counted(control, address), address)

    def send_data(self, address: int, ci: int, data: bytes = b"") -> LongFrame:
        """SND_UD with the count bit that this meter is due.

        A selection is always 53: there is no meter yet whose frames could be counted.
        """
        control = SND_UD if address == ADDRESS_SELECTED and ci in (0x52, 0x56) else None
        return LongFrame(self._counted(SND_UD, address) if control is None else control, address, ci, data)

    def _counted(self, control: int, address: int) -> int:
        return control | FCB if self._counts.get((address, control), True) else control

    def begin(self, address: int) -> None:
        """Count the frames of a meter from the start, as after SND_NKE or a selection."""
        for control in (REQ_UD1, REQ_UD2, SND_UD):
            self._counts.pop((address, control), None)

    def receive_data(self, data: bytes) -> None:
        """Take in what came.

        Raises:
            RemoteProtocolError: more than the limit waits without the end of a frame. What waited
                is dropped.
        """
        try:
            self._buffer.append(data)
        except RemoteProtocolError:
            self._buffer.clear()
            raise

    def next_event(self) -> Frame | NeedData:
        """The next whole frame of the other end, or `NEED_DATA`.

        Raises:
            RemoteProtocolError: a frame is damaged or has no place here. It is dropped and the
                state is as before, so it can be asked for again. Any other exception is a bug.
        """
        waiting = self._buffer.data
        skipped = 0
        while skipped < len(waiting) and waiting[skipped] not in _STARTS:
            skipped += 1
        if skipped:
            self.noise += skipped
            self._buffer.take(skipped)
        if not waiting:
            return NEED_DATA
        offset = self._buffer.dropped
        candidate = frame_at(waiting, 0)
        assert candidate is not None
        if candidate.fault is None and candidate.end > len(waiting):
            return NEED_DATA
        message = self._buffer.take(candidate.end)
        if candidate.fault is not None:
            raise RemoteProtocolError(candidate.fault, offset + candidate.offset)
        frame = decode_frame(message)
        self._move("slave" if self.end == "master" else "master", frame, offset)
        if self.end == "master" and self._asked is not None:
            self._counts[self._asked] = not self._counts.get(self._asked, True)
            self._asked = None
        return frame

    def send(self, frame: Frame) -> bytes:
        """The bytes that say `frame`, which becomes part of the conversation.

        Raises:
            LocalProtocolError: this end cannot say that now.
        """
        state = TRANSITIONS[self.state].get((self.end, _kind(frame)))
        if state is None:
            raise LocalProtocolError(f"a {self.end} cannot {_kind(frame)} when {self.state}")
        self.state = state
        if self.end == "master":
            self._remember(frame)
        return encode(frame)

    def clear(self) -> bytes:
        """Forget what waits, as after silence, and give it: colliding answers look like that."""
        return self._buffer.clear()

    def reset(self) -> None:
        """Forget the conversation and what waits."""
        self.clear()
        self.state = "idle"
        self._asked = None

    def _remember(self, frame: Frame) -> None:
        """Note whose count bit the answer to `frame` turns."""
        self._asked = None
        match frame:
            case ShortFrame(control, address) if control & 0x4F == SND_NKE:
                self.begin(address)
            case ShortFrame(control, address):
                self._asked = (address, control & ~FCB)
            case LongFrame(_, address, ci) if address == ADDRESS_SELECTED and ci in (0x52, 0x56):
                self.begin(address)
            case LongFrame(control, address):
                self._asked = (address, control & ~FCB)

    def _move(self, end: End, frame: Frame, offset: int) -> None:
        state = TRANSITIONS[self.state].get((end, _kind(frame)))
        if state is None:
            raise RemoteProtocolError(f"{_kind(frame)} has no place when {self.state}", offset)
        self.state = state
