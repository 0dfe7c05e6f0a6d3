"""polymeter reads any utility meter and loses nothing.

    import polymeter

    for frame in polymeter.decode_all(capture):
        print(frame["readings"])

    with polymeter.connect("iec62056-21://10.0.0.5:5000") as meter:
        for reading in meter.read("1.8.0"):
            print(reading.series, reading.value, reading.unit)

Importing the package imports nothing else; what is used is loaded when it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polymeter.drivers import connect, connect_async

__version__ = "0.1.0"
__all__ = ["__version__", "connect", "connect_async", "decode", "decode_all"]


def decode(
    data: bytes | str,
    protocol: str = "auto",
    *,
    keys: Sequence[bytes | str] = (),
    auth_key: bytes | str | None = None,
    lenient: bool = False,
) -> dict[str, Any]:
    """Decode one frame: bytes, hex digits or a text telegram. Gives what `decode --json` prints.

    Raises:
        LocalProtocolError: the input holds several frames (use `decode_all`), or none, or the
            call is wrong. A bad frame is no error here: the result says so.
    """
    from polymeter.protocols.wire import LocalProtocolError

    frames = decode_all(data, protocol, keys=keys, auth_key=auth_key, lenient=lenient)
    if len(frames) != 1:
        raise LocalProtocolError(f"the input holds {len(frames)} frames: use decode_all")
    return frames[0]


def decode_all(
    data: bytes | str,
    protocol: str = "auto",
    *,
    keys: Sequence[bytes | str] = (),
    auth_key: bytes | str | None = None,
    lenient: bool = False,
) -> list[dict[str, Any]]:
    """Decode every frame of an input; see `decode`."""
    from polymeter.catalogue import decode_frames

    frames = decode_frames(data, protocol, keys=keys, auth_key=auth_key, lenient=lenient)
    return [frame.as_dict() for frame in frames]


def __getattr__(name: str) -> Any:
    if name in ("connect", "connect_async"):
        from polymeter import drivers

        return getattr(drivers, name)
    raise AttributeError(f"module 'polymeter' has no attribute {name!r}")
