"""What a reader does on a P1 port: listen until a telegram is whole."""

from __future__ import annotations

from collections.abc import Callable

from polymeter.protocols.p1.push import PushedTelegrams
from polymeter.protocols.procedure import Procedure, Receive
from polymeter.protocols.wire import NeedData, RemoteProtocolError, TimedOut, TransportError

__all__ = ["DAMAGED_MAX", "next_telegram"]

DAMAGED_MAX = 5
"""How many damaged telegrams in a row are let pass before the line is called bad."""


def next_telegram(
    stream: PushedTelegrams, now: Callable[[], float] | None = None, timeout_s: float = 30.0
) -> Procedure[bytes]:
    """Wait for the next whole telegram. One that comes damaged is passed over: another follows.

    Args:
        stream: what has come so far; what waits in it counts as come now.
        now: a clock in seconds; with it a line that sends only noise cannot keep us for ever.
        timeout_s: the longest silence, and with `now` the longest wait.

    Raises:
        TimedOut: no telegram came in time.
        RemoteProtocolError: `DAMAGED_MAX` telegrams in a row came damaged; this is the last one's fault.
        TransportError: the line closed.
    """
    begun = now() if now is not None else 0.0
    damaged = 0
    while True:
        try:
            frame = stream.next_frame()
        except RemoteProtocolError:
            damaged += 1
            if damaged >= DAMAGED_MAX:
                raise
            continue
        if not isinstance(frame, NeedData):
            return frame
        left = timeout_s if now is None else timeout_s - (now() - begun)
        if left <= 0:
            raise TimedOut(f"no telegram came within {timeout_s:g} s")
        data = yield Receive(left)
        if not data:
            raise TransportError("the line closed before a telegram was whole")
        stream.receive_data(data)
