"""Frames that are found by looking for them, cut out of a stream whatever its chunks.

Where frames have marks at both ends, a look at what waits gives a `Span`: where a frame lies,
whether it is whole, and how far its end has been searched for. The next look goes on from there,
so a frame that comes byte by byte is searched once.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from polymeter.protocols.wire import NEED_DATA, NeedData

__all__ = ["Span", "SpanSplitter"]


class Span(NamedTuple):
    """Where a frame lies."""

    start: int
    end: int | None
    """`None` while it has not come."""
    sound: bool = True
    """False for a frame that is cut; `end` is then where the next may begin."""
    searched: int = 0
    """Of a frame without an end: up to where it has been searched for."""
    seen: int = 0
    """How many things the search has seen on its way, if it counts any."""


class SpanSplitter:
    """The receiving end of a stream of frames. What begins no frame is dropped.

    Subclasses say what a frame is: `find` looks, `noise` tells what may go where it finds nothing,
    `judge` refuses damaged ones. Memory is bounded where `find` gives up frames that grow too long.
    """

    left_of_damaged: ClassVar[int] = 0
    """How many of the last bytes of a damaged frame may belong to the next one."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._open: Span | None = None
        self.dropped = 0
        """Bytes that have left since the start: the stream offset of the first that waits."""

    def find(self, data: bytearray, known: Span | None) -> Span | None:
        """The first frame in `data`, `None` if none begins there; `known` is what the last look saw of it."""
        raise NotImplementedError

    def noise(self, data: bytearray) -> int:
        """How many bytes at the beginning of `data`, in which no frame was found, belong to none."""
        raise NotImplementedError

    def judge(self, frame: bytes, offset: int, *, sound: bool) -> bytes:
        """The frame as it is given out.

        Raises:
            RemoteProtocolError: it is cut, or its check sum does not fit.
        """
        raise NotImplementedError

    def shared(self, frame: bytes) -> int:
        """How many of the last bytes of a good frame may be the next one's as well: a frame whose end
        nothing marks looks whole, too, where it lacks a byte and another follows. They are left."""
        return 0

    def receive_data(self, data: bytes) -> None:
        """Take in what came."""
        self._data += data

    def next_frame(self) -> bytes | NeedData:
        """The next whole frame, or `NEED_DATA`.

        Raises:
            RemoteProtocolError: it is damaged, and has been dropped.
        """
        span = self.find(self._data, self._open)
        self._open = None
        if span is None:
            self._drop(self.noise(self._data))
            return NEED_DATA
        self._drop(span.start)
        if span.end is None:
            self._open = span._replace(start=0, searched=span.searched - span.start)
            return NEED_DATA
        frame = bytes(self._data[: span.end - span.start])
        left = self.left_of_damaged if span.sound else 0
        try:
            judged = self.judge(frame, self.dropped, sound=span.sound)
            left = self.shared(frame)
        finally:
            self._drop(span.end - span.start - left)
        return judged

    def _drop(self, count: int) -> None:
        del self._data[:count]
        self.dropped += count
