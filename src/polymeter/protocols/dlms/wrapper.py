"""The wrapper of IEC 62056-47: eight octets in front of each APDU over TCP and UDP.

Version, source and destination wrapper port (the client or server address) and the length.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError, Tree

__all__ = ["HEADER_SIZE", "VERSION", "Wrapper", "decode_wrapper", "encode_wrapper", "wrapper_size"]

VERSION: Final = 1
HEADER_SIZE: Final = 8


class Wrapper(NamedTuple):
    """One APDU on its way from `source` to `destination`."""

    source: int
    destination: int
    data: bytes


def encode_wrapper(wrapper: Wrapper) -> bytes:
    """Header and APDU.

    Raises:
        LocalProtocolError: a port or the length does not fit into 16 bits.
    """
    numbers = (VERSION, wrapper.source, wrapper.destination, len(wrapper.data))
    if min(numbers) < 0 or max(numbers) > 0xFFFF:
        raise LocalProtocolError("wrapper ports and length have 16 bits")
    return b"".join(number.to_bytes(2, "big") for number in numbers) + wrapper.data


def wrapper_size(data: bytes | bytearray, start: int = 0, offset: int = 0) -> int | None:
    """Length of the wrapper frame that begins at `start`, `None` until its header is whole.

    Raises:
        RemoteProtocolError: no wrapper begins there; `offset` is that of `start` in the stream.
    """
    if len(data) - start >= 2 and (data[start] or data[start + 1] != VERSION):
        found = data[start] << 8 | data[start + 1]
        raise RemoteProtocolError(f"wrapper version {found}, {VERSION} expected", offset)
    if len(data) - start < HEADER_SIZE:
        return None
    return HEADER_SIZE + (data[start + 6] << 8 | data[start + 7])


def decode_wrapper(data: bytes, tree: Tree | None = None, offset: int = 0) -> Wrapper:
    """Decode one whole wrapper frame.

    Raises:
        RemoteProtocolError: another version, or cut, or longer than it says.
    """
    size = wrapper_size(data, 0, offset)
    if size is None:
        raise RemoteProtocolError(f"a wrapper has {HEADER_SIZE} octets, {len(data)} came", offset)
    source = data[2] << 8 | data[3]
    destination = data[4] << 8 | data[5]
    if tree is not None:
        tree.leaf("version", offset, offset + 2, VERSION)
        tree.leaf("source wrapper port", offset + 2, offset + 4, source)
        tree.leaf("destination wrapper port", offset + 4, offset + 6, destination)
        tree.leaf("length", offset + 6, offset + 8, size - HEADER_SIZE)
    if size != len(data):
        came = len(data) - HEADER_SIZE
        raise RemoteProtocolError(
            f"the wrapper says {size - HEADER_SIZE} octets of APDU, {came} came", offset + 6
        )
    return Wrapper(source, destination, data[HEADER_SIZE:])
