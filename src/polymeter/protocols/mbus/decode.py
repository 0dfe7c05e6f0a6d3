"""Bytes to an explained tree and records: what `polymeter decode` shows and collection uses.

An input may hold several frames and noise between them: each frame is a result, and so is each
stretch of bytes that is none. Behind damage the next frame with a good checksum is looked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from polymeter.protocols.mbus import frames
from polymeter.protocols.mbus.body import read_body
from polymeter.protocols.mbus.control import MSB_FIRST, ci_name
from polymeter.protocols.mbus.fixed import FixedData
from polymeter.protocols.mbus.frames import Acknowledge, Frame, LongFrame, ShortFrame, control_name, frame_at
from polymeter.protocols.mbus.tpl import LongHeader, ShortHeader, decode_long_header, identity
from polymeter.protocols.wire import (
    Decoded,
    DecodeOptions,
    Layer,
    MeterIdentity,
    Node,
    Problem,
    Record,
    RemoteProtocolError,
    Tree,
)

__all__ = ["PROTOCOL", "Telegram", "decode", "detect"]

PROTOCOL: Final = "mbus"
_DEFAULTS: Final = DecodeOptions()
_DLMS_TRANSPORT: Final = range(0x20)
"""CI fields of the DLMS/COSEM transport layer over M-Bus (EN 13757-1): not ours to explain."""


class Telegram(NamedTuple):
    """A frame as our own value."""

    frame: Frame
    header: LongHeader | ShortHeader | None = None
    more: bool = False
    """Whether the meter has more records for the next telegram."""
    fixed: FixedData | None = None


def detect(data: bytes) -> str | None:
    """Why `data` looks like wired M-Bus, `None` if it does not."""
    if data == b"\xe5":
        return "E5, the single character"
    at = 0
    while at < len(data) and data[at] == 0xFF:
        at += 1
    if at == len(data):
        return None
    candidate = frame_at(data, at)
    if candidate is None or candidate.fault is not None or candidate.end > len(data):
        return None
    if data[at] == frames.LONG_START:
        if data[at + 6] in _DLMS_TRANSPORT:
            return None
        return "68 … 16 with a good checksum"
    if data[at] == frames.SHORT_START and control_name(data[at + 1]) != "unknown function":
        return "10 … 16 with a good checksum"
    return None


def decode(data: bytes, options: DecodeOptions = _DEFAULTS, *, explain: bool = True) -> list[Decoded]:
    """Decode every frame of `data`. Never raises: what is wrong is told in the result.

    With `options.lenient` the records of a frame are listed although its checksum does not fit.
    """
    return [
        _decode_frame(data[start:end], start, good, options, explain) for start, end, good in _split(data)
    ]


def _split(data: bytes) -> Iterator[tuple[int, int, bool]]:
    """Where frames, damaged ones and noise begin and end, and which are good. Work is linear."""
    at, end = 0, len(data)
    next_good = 0
    while at < end:
        candidate = frame_at(data, at)
        if candidate is not None and candidate.fault is None and candidate.end <= end:
            stop, good = candidate.end, True
        else:
            good = False
            if next_good <= at:
                next_good = _next_good(data, at + 1)
            stop = next_good
            # A whole damaged frame is shown by itself, what follows it is noise of its own.
            if candidate is not None and at < candidate.end < stop and candidate.end - at > 4:
                stop = candidate.end
        yield at, stop, good
        at = stop


def _next_good(data: bytes, at: int) -> int:
    """Where the next frame with a good checksum begins, or the end."""
    while at < len(data):
        if data[at] in (frames.LONG_START, frames.SHORT_START):
            candidate = frame_at(data, at)
            if candidate is not None and candidate.fault is None and candidate.end <= len(data):
                return at
        at += 1
    return at


@lru_cache(maxsize=4096)
def _identity(address: bytes) -> MeterIdentity:
    """Who has this secondary address. A fleet has few that come over and over."""
    return identity(decode_long_header(address + bytes(4)))


_NOBODY: Final = MeterIdentity()


def _decode_frame(data: bytes, start: int, good: bool, options: DecodeOptions, explain: bool) -> Decoded:
    tree = Tree(data, "frame", start=start) if explain else None
    why = "68 … 16 with a good checksum"
    problems: list[Problem] = []
    if good and data[0] == frames.LONG_START:
        return _long(data, tree, why, problems, options)
    candidate = frame_at(data, 0)
    if candidate is None:
        return _refused(tree, "noise", f"{len(data)} bytes that begin no frame", 0)
    if candidate.fault is not None or candidate.end > len(data):
        cut = candidate.end > len(data)
        fault = f"the frame has {len(data)} bytes, {candidate.end} are announced" if cut else candidate.fault
        offset = len(data) if cut else candidate.offset
        assert fault is not None
        whole = candidate.end == len(data) and data[0] == frames.LONG_START and len(data) > 8
        if not (options.lenient and whole):
            return _refused(tree, "damaged frame", fault, offset)
        problems.append(Problem(fault, offset))
        why = fault
    if data[0] == frames.ACK:
        return _simple(tree, Acknowledge(), "acknowledgement", "E5")
    if data[0] == frames.SHORT_START:
        short = ShortFrame(data[1], data[2])
        if tree is not None:
            _explain_short(tree, data)
        return _simple(tree, short, control_name(short.control), "10 … 16 with a good checksum")
    return _long(data, tree, why, problems, options)


def _refused(tree: Tree | None, name: str, message: str, offset: int) -> Decoded:
    layers = tree.layers if tree is not None else ()
    root = tree.finish(name) if tree is not None else None
    return Decoded(PROTOCOL, False, message, errors=(Problem(message, offset),), layers=layers, tree=root)


def _simple(tree: Tree | None, frame: Frame, name: str, why: str) -> Decoded:
    layers = tree.layers if tree is not None else ()
    root = tree.finish(name) if tree is not None else None
    return Decoded(PROTOCOL, True, why, layers=layers, tree=root, frame=Telegram(frame))


def _explain_short(tree: Tree, data: bytes) -> None:
    tree.leaf("start", 0, 1)
    tree.leaf("control", 1, 2, data[1], control_name(data[1]))
    tree.leaf("address", 2, 3, data[2], _address_text(data[2]))
    tree.leaf("checksum", 3, 4, data[3])
    tree.leaf("stop", 4, 5)


def _address_text(address: int) -> str | None:
    named = {0: "not configured", 253: "the selected slave", 254: "any slave, for tests", 255: "all slaves"}
    return named.get(address)


def _long(
    data: bytes, tree: Tree | None, why: str, problems: list[Problem], options: DecodeOptions
) -> Decoded:
    end = len(data) - 2
    frame = LongFrame(data[4], data[5], data[6], data[7:end])
    valid, name = not problems, ci_name(frame.ci)
    if tree is not None:
        tree.leaf("start", 0, 1)
        tree.leaf("length", 1, 3, data[1])
        tree.leaf("start", 3, 4)
        tree.leaf("control", 4, 5, data[4], control_name(data[4]))
        tree.leaf("address", 5, 6, data[5], _address_text(data[5]))
        tree.leaf("CI field", 6, 7, data[6], name)
    header: LongHeader | ShortHeader | None = None
    fixed: FixedData | None = None
    records: tuple[Record, ...] = ()
    meter, more, encrypted = _NOBODY, False, False
    try:
        body = read_body(data, 7, end, frame.ci, from_master=frame.from_master, tree=tree, keys=options.keys)
    except RemoteProtocolError as error:
        valid = False
        problems.append(Problem(str(error), error.offset))
        if tree is not None:
            tree.unwind(1, error.offset)
    else:
        header, fixed, records, more = body.header, body.fixed, body.records, body.more
        encrypted, valid = body.encrypted, valid and not body.broken
        problems += body.problems
        if isinstance(header, LongHeader):
            meter = _identity(data[7:15]) if frame.ci not in MSB_FIRST else identity(header)
        elif fixed is not None:
            meter = MeterIdentity(fixed.id, medium=fixed.medium)
    layers: tuple[Layer, ...] = ()
    root: Node | None = None
    if tree is not None:
        if tree.root.children[-1].offset + tree.root.children[-1].length <= end:
            tree.leaf("checksum", end, end + 1, data[end])
            tree.leaf("stop", end + 1, end + 2)
        layers, root = tree.layers, tree.finish("long frame", name)
    return Decoded(
        PROTOCOL, valid, why, meter, records, tuple(problems), encrypted, layers, root,
        Telegram(frame, header, more, fixed),
    )  # fmt: skip
