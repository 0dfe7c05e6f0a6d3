"""Messages as they are pushed over TCP or UDP: whole wrapper frames, cut out of what comes.

The receiver keeps a frame as it is, header included; decoding it is somebody else's.
"""

from __future__ import annotations

from polymeter.protocols.dlms.wrapper import wrapper_size
from polymeter.protocols.wire import NEED_DATA, NeedData, RemoteProtocolError

__all__ = ["PushedWrappers"]


class PushedWrappers:
    """The receiving end of a stream of wrapper frames, or of the one datagram that holds some.

    The length in the header is all that tells where the next frame begins: behind octets that are no
    header nothing can be found again, so everything that waits is dropped with them.
    """

    def __init__(self) -> None:
        self._data = b""
        self.dropped = 0
        """Octets that have left since the start: the stream offset of the first that waits."""

    @property
    def waiting(self) -> int:
        """Octets of a frame that is not whole yet."""
        return len(self._data)

    def receive_data(self, data: bytes) -> None:
        """Take in what came."""
        self._data += data

    def next_frame(self) -> bytes | NeedData:
        """The next whole frame as it came, or `NEED_DATA`.

        Raises:
            RemoteProtocolError: no wrapper begins here, or an empty one; it has been dropped.
        """
        offset = self.dropped
        try:
            size = wrapper_size(self._data, 0, offset)
        except RemoteProtocolError:
            self._drop(len(self._data))
            raise
        if size is None or size > len(self._data):
            return NEED_DATA
        frame = self._data[:size]
        self._drop(size)
        if size == 8:
            raise RemoteProtocolError("a wrapper without an APDU", offset + 6)
        return frame

    def _drop(self, count: int) -> None:
        self._data = self._data[count:]
        self.dropped += count
