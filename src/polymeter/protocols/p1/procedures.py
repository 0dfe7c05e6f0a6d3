"""What a reader does on a P1 port: listen until a telegram is whole."""

from __future__ import annotations

from polymeter.protocols.p1.pushes import PushedTelegrams
from polymeter.protocols.procedure import Procedure, next_pushed

__all__ = ["next_telegram"]


def next_telegram(stream: PushedTelegrams, timeout_s: float = 30.0) -> Procedure[bytes]:
    """Wait for the next whole telegram; what waits in `stream` counts as come now.

    Raises:
        TimedOut: nothing came for `timeout_s`. DSMR 2 to 4 push every ten seconds, 5 every second.
        RemoteProtocolError: only damaged telegrams come, or none among all that comes.
        TransportError: the line closed.
    """
    return next_pushed(stream, timeout_s)
