"""Telegrams as they are pushed: cut whole ones out of a byte stream.

Every P1 port talks by itself, so this is how all of them are read, by receivers and by drivers.
The receiver keeps the bytes of a telegram as they are; decoding them is somebody else's.
"""

from __future__ import annotations

from polymeter.protocols.p1.decode import without_parity
from polymeter.protocols.p1.frames import TELEGRAM_MAX, decode_telegram, find_span
from polymeter.protocols.wire import NEED_DATA, NeedData, RemoteProtocolError

__all__ = ["PushedTelegrams"]


class PushedTelegrams:
    """The receiving end of a stream of telegrams, plain or ciphered.

    What cannot begin a telegram is dropped, so memory stays below two of the longest.
    """

    def __init__(self) -> None:
        self._data = b""
        self.dropped = 0
        """Bytes that have left since the start: the stream offset of the first that waits."""

    def receive_data(self, data: bytes) -> None:
        """Take in what came."""
        self._data += data

    def next_frame(self) -> bytes | NeedData:
        """The next whole telegram as it came, or `NEED_DATA`.

        Raises:
            RemoteProtocolError: it is cut, or its checksum does not fit; it has been dropped.
        """
        data = without_parity(self._data)
        span = find_span(data, more=True)
        if span is None:
            self._drop(len(data) - _HEAD_MAX)
            return NEED_DATA
        self._drop(span.start)
        if span.end is None:
            return NEED_DATA
        size = span.end - span.start
        frame, offset = data[span.start : span.end], self.dropped
        self._drop(size)
        if not span.sound:
            raise RemoteProtocolError(f"a telegram of {size} bytes is cut", offset)
        if span.kind == "telegram":
            decode_telegram(frame, offset)
        return frame

    def _drop(self, count: int) -> None:
        if count > 0:
            self._data = self._data[count:]
            self.dropped += count


_HEAD_MAX = 256
"""The longest beginning of a telegram that is not yet recognised as one."""
assert _HEAD_MAX < TELEGRAM_MAX
