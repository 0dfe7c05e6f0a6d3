"""Read-outs that a meter or its gateway sends by itself: cut whole ones out of a byte stream.

A read-out is an identification line, if there is one, and the block after it (STX … ETX and block
check character). The receiver keeps its bytes as they are; decoding them is somebody else's.
"""

from __future__ import annotations

import re
from typing import Final

from polymeter.protocols.iec62056_21.blocks import (
    EOT,
    ETX,
    LINE_MAX,
    STRIP_PARITY,
    block_check,
    block_end,
    line_before,
    may_begin,
)
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
        # Of what comes before a block only an identification line may still be needed.
        noise = (len(data) if found is None else found.start()) - LINE_MAX
        if noise > 0:
            self._buffer.take(noise)
            self._searched = max(self._searched - noise, 0)
        if found is None:
            return NEED_DATA
        start = min(found.start(), LINE_MAX)
        end = block_end(data, start, self._searched)
        if end is None:
            self._searched = len(data) - 1
            return NEED_DATA
        self._searched = 0
        if data[end - 2] & 0x7F not in (ETX, EOT):
            end = line_before(data, start + 1, end)
        line = max(data.rfind(b"/", 0, start), data.rfind(b"\xaf", 0, start))
        first = line if line >= 0 else start
        offset = self._buffer.dropped + first
        block = bytes(data[start:end]).translate(STRIP_PARITY)
        whole = len(block) >= 3 and block[-2] in (ETX, EOT)
        if not whole or block_check(block[1:-1]) != block[-1]:
            # A block without its check has the next message's first character in its place.
            self._buffer.take(end - (whole and may_begin(block[-1])))
            raise RemoteProtocolError(
                "the block breaks off or its check does not fit", offset + end - first - 1
            )
        self._buffer.take(first)
        return self._buffer.take(end - first)
