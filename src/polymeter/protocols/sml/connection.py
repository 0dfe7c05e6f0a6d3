"""One SML line, seen from either end: bytes become files of messages, files become bytes.

Both ends may speak at any time and a push meter speaks all the time, so a line has one state.
"""

from __future__ import annotations

from collections.abc import Sequence

from polymeter.protocols.sml.messages import Message, decode_messages, encode_message
from polymeter.protocols.sml.pushes import PushedFrames
from polymeter.protocols.sml.transport import X25, Checksum, decode_frame, encode_frame
from polymeter.protocols.wire import NEED_DATA, NeedData

__all__ = ["Connection"]


class Connection:
    """A line. The check sum is that of the standard, unless the meter or who is played uses the other.

    Files of requests are numbered on from `files`: give each conversation a beginning of its own, so
    that an answer which comes late is not taken for that to another question.
    """

    def __init__(self, checksum: Checksum = X25, files: int = 0) -> None:
        self.stream = PushedFrames()
        self._checksum = checksum
        self._files = files

    def next_file_id(self) -> bytes:
        """The id of the next file of requests: eight octets, for pushed files are numbered in four or six."""
        self._files = self._files + 1 & 0xFFFFFFFFFFFFFFFF
        return self._files.to_bytes(8, "big")

    def receive_data(self, data: bytes) -> None:
        """Take in what came."""
        self.stream.receive_data(data)

    def next_event(self) -> tuple[Message, ...] | NeedData:
        """The messages of the next whole frame, or `NEED_DATA`.

        Raises:
            RemoteProtocolError: it is damaged or breaks the coding and has been dropped; the next
                call goes on behind it. Any other exception is a bug.
        """
        frame = self.stream.next_frame()
        if isinstance(frame, NeedData):
            return NEED_DATA
        return tuple(decode_messages(decode_frame(frame).content))

    def send(self, messages: Sequence[Message]) -> bytes:
        """The bytes of a file of messages.

        Raises:
            LocalProtocolError: a number does not fit its size.
        """
        return encode_frame(
            b"".join(encode_message(message, self._checksum) for message in messages), self._checksum
        )
