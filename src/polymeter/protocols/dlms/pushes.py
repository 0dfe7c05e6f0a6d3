"""Messages as they are pushed over TCP or UDP: whole wrapper frames, cut out of what comes.

The receiver keeps a frame as it is, header included; decoding it is somebody else's.
"""

from __future__ import annotations

from polymeter.protocols.dlms.wrapper import HEADER_SIZE, wrapper_size
from polymeter.protocols.wire import NEED_DATA, NeedData, RemoteProtocolError

__all__ = ["PushedWrappers"]


class PushedWrappers:
    """The receiving end of a stream of wrapper frames, or of the one datagram that holds some.

    The length in the header is all that tells where the next frame begins: behind octets that are no
    header nothing can be found again, so everything that waits is dropped with them.
    """

    def __init__(self) -> None:
        self._data = bytearray()
        self._at = 0
        self._dropped = 0

    def receive_data(self, data: bytes) -> None:
        """Take in what came."""
        # Frames are cut off at `_at` and the rest is moved once, so work is linear in what came.
        del self._data[: self._at]
        self._dropped += self._at
        self._at = 0
        self._data += data

    def next_frame(self) -> bytes | NeedData:
        """The next whole frame as it came, or `NEED_DATA`.

        Raises:
            RemoteProtocolError: no wrapper begins here, or an empty one; it has been dropped.
        """
        start, offset = self._at, self._dropped + self._at
        try:
            size = wrapper_size(self._data, start, offset)
        except RemoteProtocolError:
            self._at = len(self._data)
            raise
        if size is None or start + size > len(self._data):
            return NEED_DATA
        self._at = start + size
        if size == HEADER_SIZE:
            raise RemoteProtocolError("a wrapper without an APDU", offset + 6)
        return bytes(self._data[start : self._at])
