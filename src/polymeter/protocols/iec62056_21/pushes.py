"""Read-outs that a meter or its gateway sends by itself: cut whole ones out of a byte stream.

A read-out is an identification line, if there is one, and the block after it (STX … ETX and block
check character). The receiver keeps its bytes as they are; decoding them is somebody else's.
"""

from __future__ import annotations

import re
from typing import Final

from polymeter.protocols.iec62056_21.frames import LINE_MAX, STRIP_PARITY, block_check, block_end
from polymeter.protocols.wire import NEED_DATA, Buffer, NeedData, RemoteProtocolError

__all__ = ["PushedReadOuts"]

_STX: Final = re.compile(rb"[\x02\x82]")


class PushedReadOuts:
    """The receiving end of a stream of read-outs."""

    def __init__(self, limit: int = 1 << 18) -> None:
        self._buffer = Buffer(limit)
        self._searched = 0

    def receive_data(self, data: bytes) -> None:
        """Take in what came.

        Raises:
            RemoteProtocolError: more than the limit waits without the end of a block. What waited
                is dropped.
        """
        try:
            self._buffer.append(data)
        except RemoteProtocolError:
            self._buffer.clear()
            self._searched = 0
            raise

    def next_frame(self) -> bytes | NeedData:
        """The next whole read-out as it came, or `NEED_DATA`; what is before it is dropped.

        Raises:
            RemoteProtocolError: its block check character does not fit, or it breaks off; it has
                been dropped, and the sender may be asked to repeat it.
        """
        data = self._buffer.data
        found = _STX.search(data)
        if found is None:
            # Only an identification line may still be needed of what has no block yet.
            self._buffer.take(max(0, len(data) - LINE_MAX))
            return NEED_DATA
        start = found.start()
        end = block_end(data, start, self._searched)
        if end is None:
            self._searched = len(data) - 1
            return NEED_DATA
        self._searched = 0
        line = max(data.rfind(b"/", max(0, start - LINE_MAX), start), data.rfind(b"\xaf", 0, start))
        self._buffer.take(line if line >= 0 else start)
        offset = self._buffer.dropped
        size = end - (line if line >= 0 else start)
        frame = self._buffer.take(size)
        block = frame[size - (end - start) :].translate(STRIP_PARITY)
        if len(block) < 3 or block[-2] not in (3, 4) or block_check(block[1:-1]) != block[-1]:
            raise RemoteProtocolError("the block breaks off or its check does not fit", offset + size - 1)
        return frame
