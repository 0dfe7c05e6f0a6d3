"""Frames as they are pushed: cut whole ones out of a byte stream.

Meters push a frame every second or so. The receiver keeps the bytes of a frame as they are, escapes
included; decoding them is somebody else's.
"""

from __future__ import annotations

from polymeter.protocols.sml.transport import START, decode_frame, find_span
from polymeter.protocols.wire import NEED_DATA, NeedData, RemoteProtocolError

__all__ = ["PushedFrames"]


class PushedFrames:
    """The receiving end of a stream of frames. What begins no frame is dropped."""

    def __init__(self) -> None:
        self._data = b""
        self.dropped = 0
        """Bytes that have left since the start: the stream offset of the first that waits."""

    def receive_data(self, data: bytes) -> None:
        """Take in what came."""
        self._data += data

    def next_frame(self) -> bytes | NeedData:
        """The next whole frame as it came, or `NEED_DATA`.

        Raises:
            RemoteProtocolError: it is cut, or its check sum does not fit; it has been dropped.
        """
        span = find_span(self._data)
        if span is None:
            self._drop(len(self._data) - len(START) + 1)
            return NEED_DATA
        self._drop(span.start)
        if span.end is None:
            return NEED_DATA
        frame, offset = self._data[: span.end - span.start], self.dropped
        if not span.sound:
            self._drop(len(frame))
            raise RemoteProtocolError(f"a frame of {len(frame)} bytes is cut", offset)
        if decode_frame(frame, offset).checksum is None:
            # What stands in place of the check sum may begin the next frame, so it stays.
            self._drop(len(frame) - 3)
            raise RemoteProtocolError("the check sum of the frame does not fit", offset + len(frame) - 2)
        self._drop(len(frame))
        return frame

    def _drop(self, count: int) -> None:
        if count > 0:
            self._data = self._data[count:]
            self.dropped += count
