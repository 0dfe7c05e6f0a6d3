"""Streams of pushed frames in tests: chunks in, whole frames out."""

from collections.abc import Iterable, Iterator, Sequence

import pytest
from hypothesis import strategies as st

from polymeter.protocols.procedure import Procedure, Receive, Send, Splitter, advance
from polymeter.protocols.wire import NeedData, RemoteProtocolError, TimedOut

__all__ = ["check_pushing", "frames_of", "pieces", "sizes"]

sizes = st.lists(st.integers(1, 900), min_size=1, max_size=40)


def pieces(data: bytes, cut: Sequence[int]) -> Iterator[bytes]:
    """`data` in pieces of these sizes, and what is left."""
    at = 0
    for size in cut:
        yield data[at : at + size]
        at += size
    yield data[at:]


def frames_of(stream: Splitter, chunks: Iterable[bytes]) -> list[bytes]:
    """The whole frames of a stream; what is damaged is passed over."""
    found = []
    for chunk in chunks:
        stream.receive_data(chunk)
        while True:
            try:
                frame = stream.next_frame()
            except RemoteProtocolError:
                continue
            if isinstance(frame, NeedData):
                break
            found.append(frame)
    return found


def check_pushing(meter: Procedure[None], period_s: float) -> None:
    """See that a meter pushes, waits for its period, pushes again, and ends when nobody listens."""
    assert isinstance(advance(meter, None), Send)
    assert advance(meter, b"") == Receive(period_s)
    assert isinstance(advance(meter, TimedOut("silence")), Send)
    advance(meter, b"")
    with pytest.raises(StopIteration):
        advance(meter, b"")
