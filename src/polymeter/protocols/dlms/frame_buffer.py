"""Frames found in what a line brings, one after the other, without copying what waits.

Damaged frames are dropped with an error, and what follows them is intact. A lenient buffer forgives
wrong check sequences and remembers them.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from polymeter.protocols.dlms.hdlc import FLAG, Frame, decode_frame, scan
from polymeter.protocols.wire import NEED_DATA, NeedData, Problem, RemoteProtocolError

__all__ = ["BUFFER_MAX", "FrameBuffer"]

BUFFER_MAX: Final = 1 << 20
"""Octets that may wait; more than any burst of frames has."""


class FrameBuffer:
    """Finds frames in what a line brings.

    Raises (from `next_frame`):
        RemoteProtocolError: a frame is damaged. It is dropped; what follows it is intact.
    """

    def __init__(self, lenient: bool = False) -> None:
        self.lenient = lenient
        self.problems: deque[Problem] = deque(maxlen=16)
        """The check sequences that were wrong and forgiven, the last of them."""
        self.noise = 0
        """Octets skipped because no frame begins with them."""
        self._data = bytearray()
        self._at = 0
        self._dropped = 0

    def append(self, data: bytes) -> None:
        """Take in what came.

        Raises:
            RemoteProtocolError: more waits than any burst of frames is long; it is dropped.
        """
        # Frames are cut off at `_at` and the rest is moved once, so work is linear in what came.
        del self._data[: self._at]
        self._dropped += self._at
        self._at = 0
        if len(self._data) + len(data) > BUFFER_MAX:
            waiting = len(self._data) + len(data)
            self._dropped += len(self._data)
            self._data.clear()
            raise RemoteProtocolError(f"{waiting} octets wait, the limit is {BUFFER_MAX}", self._dropped)
        self._data += data

    def next_octets(self) -> bytes | NeedData:
        """The next frame as it is on the line, with both flags."""
        start, end = scan(self._data, self._at)
        skipped = self._data[self._at : start]
        self.noise += len(skipped) - skipped.count(FLAG)
        self._at = start
        if end < 0:
            return NEED_DATA
        # The closing flag stays: it may open the next frame (§ 6.4.2).
        self._at = end - 1
        return bytes(self._data[start:end])

    def next_frame(self) -> Frame | NeedData:
        """The next frame, or `NEED_DATA`."""
        octets = self.next_octets()
        if isinstance(octets, NeedData):
            return octets
        return self.decode(octets, self._dropped + self._at + 1 - len(octets))

    def decode(self, octets: bytes, offset: int = 0) -> Frame:
        """One frame's octets; a wrong check sequence is forgiven when lenient, and remembered."""
        if not self.lenient:
            return decode_frame(octets, offset=offset)
        problems: list[Problem] = []
        frame = decode_frame(octets, offset=offset, problems=problems)
        self.problems.extend(problems)
        return frame
