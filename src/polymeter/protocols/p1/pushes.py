"""Telegrams as they are pushed: cut whole ones out of a byte stream.

Every P1 port talks by itself, so this is how all of them are read, by receivers and by drivers.
The receiver keeps the bytes of a telegram as they are; decoding them is somebody else's.
"""

from __future__ import annotations

from polymeter.protocols.iec62056_21.blocks import STRIP_PARITY
from polymeter.protocols.p1.frames import ENVELOPE, decode_telegram
from polymeter.protocols.p1.marks import HEAD_MAX, PARITY_SLASH, find_span
from polymeter.protocols.spans import Span, SpanSplitter
from polymeter.protocols.wire import RemoteProtocolError

__all__ = ["PushedTelegrams"]


class PushedTelegrams(SpanSplitter):
    """The receiving end of a stream of telegrams, plain or ciphered.

    A telegram whose characters have a parity bit, 7E1 seen through an 8N1 line, is given without.
    """

    def __init__(self) -> None:
        super().__init__()
        self._stripped: bytearray | None = None
        """What waits without parity bits, while a telegram that has them waits for its end."""

    def receive_data(self, data: bytes) -> None:
        """Take in what came."""
        super().receive_data(data)
        if self._stripped is not None:
            self._stripped += data.translate(STRIP_PARITY)

    def find(self, data: bytearray, known: Span | None) -> Span | None:
        """The first telegram, or envelope; one with parity bits only where there is no other."""
        if self._stripped is None:
            span = find_span(data, 0, known, more=True)
        else:
            assert known is not None  # it is what was seen of the telegram with parity bits
            span = find_span(data, max(0, known.searched - HEAD_MAX), more=True)
        if span is not None:
            self._stripped = None
        elif self._stripped is not None:
            span = find_span(self._stripped, 0, known, more=True)
        elif PARITY_SLASH in data:
            stripped = data.translate(STRIP_PARITY)
            span = find_span(stripped, more=True)
            if span is None or data[span.start] != PARITY_SLASH[0]:
                return None
            self._stripped = stripped
        return span

    def noise(self, data: bytearray) -> int:
        """All but what may become a first line. What stands before a slash says whether it begins one."""
        count = max(0, len(data) - HEAD_MAX)
        return count - 1 if count and data[count] in b"/" + PARITY_SLASH else count

    def shared(self, frame: bytes) -> int:
        """The last byte of an envelope, if another could begin with it: only its tag tells which it is."""
        return int(frame.startswith(ENVELOPE) and frame.endswith(ENVELOPE[:1]))

    def judge(self, frame: bytes, offset: int, *, sound: bool) -> bytes:
        """Refuse a telegram that is cut or whose checksum does not fit; an envelope is opened later."""
        if self._stripped is not None:
            frame = frame.translate(STRIP_PARITY)
            self._stripped = None
        if not sound:
            raise RemoteProtocolError(f"a telegram of {len(frame)} bytes is cut", offset)
        if not frame.startswith(ENVELOPE):
            decode_telegram(frame, offset)
        return frame

    def _drop(self, count: int) -> None:
        super()._drop(count)
        if self._stripped is not None:
            del self._stripped[:count]
