"""Telegrams out of a byte stream, as a receiver on the network or a serial line sends them.

One at a time, with what the receiver put around it: whether a line or a frame of a stick is whole
shows without opening it. A bare frame is as long as its L says, checksums of format A included
where the first of them fits.
"""

from __future__ import annotations

from typing import Final

from polymeter.protocols.wire import NEED_DATA, Buffer, NeedData, RemoteProtocolError
from polymeter.protocols.wmbus.decode import is_bare, may_begin
from polymeter.protocols.wmbus.frames import FIRST_BLOCK, first_block_fits, format_a_length
from polymeter.protocols.wmbus.receivers import AMB_START, IMST_START, SLIP_END, object_end, unwrap

__all__ = ["PushedTelegrams"]

_LINE_MAX: Final = 2048
_OBJECT_MAX: Final = 16384
_OBJECT_START: Final = 0x7B
_JUDGED: Final = FIRST_BLOCK + 2
"""Bytes by which a bare frame is known."""


class PushedTelegrams:
    """The receiving end of a stream of telegrams."""

    def __init__(self, limit: int = 1 << 16) -> None:
        self._buffer = Buffer(limit)

    def receive_data(self, data: bytes) -> None:
        """Take in what came.

        Raises:
            RemoteProtocolError: more than the limit waits. What waited is dropped.
        """
        try:
            self._buffer.append(data)
        except RemoteProtocolError:
            self._buffer.clear()
            raise

    def next_frame(self) -> bytes | NeedData:
        """The next telegram as it came, or `NEED_DATA`.

        Raises:
            RemoteProtocolError: bytes that begin none, a line or an object that holds none, or one of which
                its receiver says that it is damaged; they have been dropped.
        """
        self._skip_blank()
        data = self._buffer.data
        if not data:
            return NEED_DATA
        size = _size(bytes(data[: _LINE_MAX + 1]))
        if size is None and data[0] == _OBJECT_START:
            size = _object_size(bytes(data[: _OBJECT_MAX + 1]))
        if size is None:
            return NEED_DATA
        if size == 0:
            offset = self._buffer.dropped
            raise RemoteProtocolError(f"{len(self._drop())} bytes that begin no telegram", offset)
        if len(data) < size:
            return NEED_DATA
        offset = self._buffer.dropped
        frame = self._buffer.take(size)
        wrapped = next(iter(unwrap(frame)), None) if not is_bare(frame) else None
        if wrapped is None and _is_line(frame):
            raise RemoteProtocolError(f"no receiver's line: {frame[:60].decode('ascii').strip()}", offset)
        if wrapped is not None and wrapped.fault is not None:
            raise RemoteProtocolError(f"{wrapped.receiver}: {wrapped.fault}", offset + wrapped.fault_at)
        return frame

    def _skip_blank(self) -> None:
        data = self._buffer.data
        count = 0
        while count < len(data) and data[count] in b"\r\n":
            count += 1
        if count:
            self._buffer.take(count)

    def _drop(self) -> bytes:
        """Drop bytes up to one with which a telegram may begin."""
        data = bytes(self._buffer.data)
        at = 1
        while at < len(data) and not _may_start(data, at):
            at += 1
        return self._buffer.take(at)


def _is_text(data: bytes) -> bool:
    return all(32 <= byte < 127 or byte in b"\r\t" for byte in data)


def _is_line(data: bytes) -> bool:
    return data.endswith(b"\n") and _is_text(data[:-1])


def _object_size(data: bytes) -> int | None:
    """How long a gateway's object is that does not end where a line would have to."""
    size = object_end(data)
    return 0 if size is None and len(data) > _OBJECT_MAX else size


def _may_start(data: bytes, at: int) -> bool:
    if len(data) - at < _JUDGED:
        return True
    head = data[at : at + 256]
    return bool(_size(head)) or (head[0] == _OBJECT_START and object_end(head) is None)


def _size(data: bytes) -> int | None:
    """How long what stands here is; `None` if more is needed to know, 0 if it is nothing."""
    if data[:2] == AMB_START:
        return 4 + data[2] if len(data) > 2 else None
    # A bare frame may have the length with which the frames of these sticks begin.
    bare = data[0] in (IMST_START, SLIP_END) and _bare_size(data) != 0
    if data[0] == IMST_START and not bare:
        if len(data) < 4:
            return None
        flags = data[1]
        return 4 + data[3] + 4 * bool(flags & 0x20) + bool(flags & 0x40) + 2 * bool(flags & 0x80)
    if data[0] == _OBJECT_START and (end_of_object := object_end(data)) != 0:
        return end_of_object
    if data[0] == SLIP_END and not bare:
        end = data.find(bytes((SLIP_END,)), 1)
        if end == 1:
            return 1 if len(data) > 2 else None
        return end + 1 if end > 0 else None if len(data) <= _LINE_MAX else 0
    size = _bare_size(data)
    if size != 0:
        return size
    end = data.find(b"\n")
    text = data[:end] if end >= 0 else data
    if _is_text(text):
        return end + 1 if end >= 0 else None if len(data) <= _LINE_MAX else 0
    return 0


def _bare_size(data: bytes) -> int | None:
    """How long the bare frame is that begins here; `None` if more is needed to know, 0 if none does."""
    if len(data) < _JUDGED:
        return None
    if first_block_fits(data):
        return format_a_length(data[0])
    return data[0] + 1 if may_begin(data) else 0
