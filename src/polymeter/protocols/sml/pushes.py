"""Frames as they are pushed: cut whole ones out of a byte stream.

Meters push a frame every second or so. The receiver keeps the bytes of a frame as they are, escapes
included; decoding them is somebody else's.
"""

from __future__ import annotations

from typing import ClassVar

from polymeter.protocols.sml.transport import START, decode_frame, find_span
from polymeter.protocols.spans import Span, SpanSplitter
from polymeter.protocols.wire import RemoteProtocolError

__all__ = ["PushedFrames"]


class PushedFrames(SpanSplitter):
    """The receiving end of a stream of frames."""

    left_of_damaged: ClassVar[int] = 3  # what stands in place of the check sum may begin the next frame

    def find(self, data: bytearray, known: Span | None) -> Span | None:
        """The first frame."""
        return find_span(data, 0, known)

    def noise(self, data: bytearray) -> int:
        """All but what may become a start."""
        return max(0, len(data) - len(START) + 1)

    def judge(self, frame: bytes, offset: int, *, sound: bool) -> bytes:
        """Refuse a frame that is cut or whose check sum does not fit."""
        if not sound:
            raise RemoteProtocolError(f"a frame of {len(frame)} bytes is cut", offset)
        if decode_frame(frame, offset).checksum is None:
            raise RemoteProtocolError("the check sum of the frame does not fit", offset + len(frame) - 2)
        return frame
