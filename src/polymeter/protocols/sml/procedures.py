"""What a reader does on a line: listen for pushed frames, or ask and take the answer."""

from __future__ import annotations

from collections.abc import Sequence

from polymeter.protocols.procedure import Procedure, Send, next_pushed
from polymeter.protocols.sml.connection import Connection
from polymeter.protocols.sml.messages import Message, decode_messages
from polymeter.protocols.sml.pushes import PushedFrames
from polymeter.protocols.sml.transport import decode_frame

__all__ = ["exchange", "next_frame"]


def next_frame(stream: PushedFrames, timeout_s: float = 10.0) -> Procedure[bytes]:
    """Wait for the next whole frame; what waits in `stream` counts as come now.

    Raises:
        TimedOut: nothing came for `timeout_s`; meters push every one to four seconds.
        RemoteProtocolError: only damaged frames come, or none among all that comes.
        TransportError: the line closed.
    """
    return next_pushed(stream, timeout_s)


def exchange(
    connection: Connection, request: Sequence[Message], timeout_s: float = 10.0
) -> Procedure[tuple[Message, ...]]:
    """Send a file of requests and take the file that answers it, as the LMN and gateways do.

    Raises:
        TimedOut, TransportError, RemoteProtocolError: as `next_frame`; and if the answer breaks coding.
    """
    yield Send(connection.send(request))
    frame = yield from next_pushed(connection.stream, timeout_s)
    return tuple(decode_messages(decode_frame(frame).content))
