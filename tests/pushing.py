"""Streams of pushed frames in tests: chunks in, whole frames out."""

from collections.abc import Iterable, Iterator, Sequence

from hypothesis import strategies as st

from polymeter.protocols.procedure import Splitter
from polymeter.protocols.wire import NeedData, RemoteProtocolError

__all__ = ["frames_of", "pieces", "sizes"]

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
