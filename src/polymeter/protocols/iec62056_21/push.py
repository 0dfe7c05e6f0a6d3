"""Read-outs that a meter or its gateway sends by itself: cut whole ones out of a byte stream.

A read-out is an identification line, if there is one, and the block after it (STX … ETX and block
check character). The receiver keeps its bytes as they are; decoding them is somebody else's.
"""

from __future__ import annotations

from polymeter.protocols.iec62056_21.frames import ETX, STX, block_check
from polymeter.protocols.wire import NEED_DATA, Buffer, NeedData, RemoteProtocolError

__all__ = ["PushedReadOuts"]


class PushedReadOuts:
    """The receiving end of a stream of read-outs."""

    def __init__(self, limit: int = 1 << 18) -> None:
        self._buffer = Buffer(limit)

    def receive_data(self, data: bytes) -> None:
        """Take in what came.

        Raises:
            RemoteProtocolError: more than the limit waits without the end of a block.
        """
        self._buffer.append(data)

    def next_frame(self) -> bytes | NeedData:
        """The next whole read-out as it came, or `NEED_DATA`.

        Raises:
            RemoteProtocolError: its block check character does not fit; it has been dropped, and
                the sender may be asked to repeat it.
        """
        start = self._buffer.find(bytes((STX,)))
        end = self._buffer.find(bytes((ETX,)), start + 1) if start >= 0 else -1
        if end < 0 or len(self._buffer) < end + 2:
            return NEED_DATA
        offset = self._buffer.dropped
        frame = self._buffer.take(end + 2)
        expected = block_check(frame[start + 1 : -1])
        if expected != frame[-1] & 0x7F:
            raise RemoteProtocolError(
                f"block check character is {frame[-1]:02X}, {expected:02X} is expected", offset + end + 1
            )
        identification = max(frame.rfind(b"/", 0, start), 0)
        return frame[identification:] if identification else frame[start:] if frame[:1] != b"/" else frame
