"""Bytes to an explained tree and records: what `polymeter decode` shows and collection uses.

An input is what a receiver gives: bare frames with or without checksums, one behind the other, or
wrapped in the receiver's own lines or frames. Each frame is a result, and so is each stretch of
bytes that is none. Behind damage the next frame whose checksum fits is looked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Final

from polymeter.protocols.mbus import LongHeader, identity, medium_name
from polymeter.protocols.wire import (
    Decoded,
    DecodeOptions,
    MeterIdentity,
    RemoteProtocolError,
    Tree,
)
from polymeter.protocols.wmbus.application import known_ci, radio_ci_name, read_layers
from polymeter.protocols.wmbus.frames import (
    FRAME_MIN,
    SYNC_A,
    SYNC_B,
    Format,
    Frame,
    counts_removed,
    decode_format_a,
    decode_format_b,
    decode_frame,
    decode_stripped,
    first_block_fits,
    format_a_length,
    has_format_a,
    has_format_b,
    spans_a,
    spans_b,
)
from polymeter.protocols.wmbus.headers import LINK_SIZE, LinkHeader, control_name, decode_link
from polymeter.protocols.wmbus.memory import Memory
from polymeter.protocols.wmbus.receivers import IMST_START, SLIP_END, Wrapped, is_wrapped, unwrap
from polymeter.protocols.wmbus.walk import Walk

__all__ = ["PROTOCOL", "decode", "decode_message", "detect", "is_bare", "may_begin"]

PROTOCOL: Final = "wmbus"
_DEFAULTS: Final = DecodeOptions()
_CONTROLS: Final = frozenset(control for control in range(256) if control_name(control) is not None)
_SUFFIX_MAX: Final = 2
"""Bytes that receivers add behind a frame: reception level, sometimes link quality before it."""
_CHAIN_MAX: Final = 8
_LENGTHS_OF_STICKS: Final = (bytes((IMST_START,)), bytes((SLIP_END,)))


def detect(data: bytes) -> str | None:
    """Why `data` looks like wireless M-Bus, `None` if it does not."""
    receiver = is_wrapped(data) if not is_bare(data) else None
    if receiver is not None:
        first = next(iter(unwrap(data[:4096])), None)
        if first is None or not _plausible(first.telegram, 0, len(first.telegram)):
            return None
        return f"a telegram from {receiver}"
    start = 2 if data[:2] in (SYNC_A, SYNC_B) else 0
    if has_format_a(data, start):
        return "frame format A with a good CRC"
    if has_format_b(data, start):
        return "frame format B with a good CRC"
    # A text that begins with a solidus may have the length it spells, but is a read-out.
    text = all(32 <= byte < 127 or byte in b"\r\n\2\3" for byte in data[:32])
    if not text and (_chain(data) or _lacks_checksums(data)):
        return "a frame without CRC: its length, function, maker and CI field fit"
    return None


def is_bare(data: bytes) -> bool:
    """Whether data whose first byte may be that of a stick's frame begins with a frame of that length."""
    return data[:1] in _LENGTHS_OF_STICKS and _good_at(data, 0)[1] is not None


def _lacks_checksums(data: bytes) -> bool:
    """Whether the whole is a frame whose L still counts the checksums that are gone."""
    return counts_removed(data) and may_begin(data)


def _chain(data: bytes) -> bool:
    """Whether frames without checksums follow one another to the end."""
    at = 0
    for _ in range(_CHAIN_MAX):
        if not _plausible(data, at, len(data)):
            return False
        at += data[at] + 1
        if len(data) - at <= 1:
            return True
    return True


def _plausible(data: bytes, at: int, end: int) -> bool:
    """Whether a frame without checksums may begin at `at`."""
    if end - at < FRAME_MIN or data[at] < FRAME_MIN - 1 or at + data[at] >= end:
        return False
    return may_begin(data, at)


def may_begin(data: bytes, at: int = 0) -> bool:
    """Whether function, maker and CI field at `at` are such as telegrams have; the rest may be missing."""
    if data[at] < FRAME_MIN - 1 or data[at + 1] not in _CONTROLS:
        return False
    code = data[at + 2] | (data[at + 3] & 0x7F) << 8
    if not (1 <= code >> 10 <= 26 and 1 <= code >> 5 & 0x1F <= 26 and 1 <= code & 0x1F <= 26):
        return False
    return data[at] < FRAME_MIN or known_ci(data[at + LINK_SIZE])


def decode(
    data: bytes,
    options: DecodeOptions = _DEFAULTS,
    *,
    explain: bool = True,
    memory: Memory | None = None,
) -> list[Decoded]:
    """Decode every frame of `data`. Never raises: what is wrong is told in the result.

    Args:
        data: what a receiver gave.
        options: keys of sixteen bytes (eight for DES), all tried in turn; with `lenient` the records
            of a frame are listed although a checksum does not fit.
        explain: whether to draw the tree.
        memory: what earlier telegrams taught of compact and fragmented messages; it learns from these.
            Without one, the frames of this input teach each other.
    """
    wrapped = list(unwrap(data)) if not is_bare(data) else []
    places = [] if wrapped else list(_split(data))
    # A single frame has nobody to teach.
    learning = memory is not None or len(wrapped) + len(places) > 1
    memory = memory if memory is not None else Memory()
    if wrapped:
        return [_unwrapped(data, each, options, memory, learning, explain) for each in wrapped]
    results = []
    for start, end, known in places:
        tree = Tree(data[start:end], "frame", start=start) if explain else None
        walk = Walk(data[start:end], options, memory, tree, learning)
        results.append(_frame(walk, None, known))
    return results


def _split(data: bytes) -> Iterator[tuple[int, int, Frame | None]]:
    """Where frames, damaged ones and noise begin and end, and the good frames. Work is linear."""
    at, end = 0, len(data)
    next_good = 0
    while at < end:
        stop, frame = _good_at(data, at)
        if frame is None:
            if next_good <= at:
                next_good = _next_good(data, at + 1)
            stop = next_good
            # A whole damaged frame is shown by itself, what follows it is noise of its own.
            damaged = at + format_a_length(data[at])
            if data[at] >= FRAME_MIN - 1 and at + 1 < end and data[at + 1] in _CONTROLS and damaged < stop:
                stop = damaged
        if not _begins(data, stop):
            # What a receiver adds belongs to the frame before it.
            stop = next((stop + n for n in range(1, _SUFFIX_MAX + 1) if _begins(data, stop + n)), stop)
        yield at, stop, frame
        at = stop


def _begins(data: bytes, at: int) -> bool:
    """Whether the data ends at `at`, or what stands there may be a frame."""
    if at >= len(data):
        return at == len(data)
    if data[at : at + 2] in (SYNC_A, SYNC_B) or first_block_fits(data, at):
        return True
    # CI fields of DLMS are any small number: what receivers add would often seem to be a frame.
    return at + LINK_SIZE < len(data) and data[at + LINK_SIZE] >= 0x20 and may_begin(data, at)


def _next_good(data: bytes, at: int) -> int:
    """Where the next frame whose first checksum fits begins, or the end."""
    while at < len(data) and not _checked_at(data, at):
        at += 1
    return at


def _good_at(data: bytes, at: int) -> tuple[int, Frame | None]:
    """The frame that begins at `at`, if one does whose checksums fit or that has none, and where it ends."""
    start = at + 2 if data[at : at + 2] in (SYNC_A, SYNC_B) else at
    if start < len(data):
        if has_format_a(data, start):
            end = start + format_a_length(data[start])
            return end, _or_none(decode_format_a, data[start:end])
        if has_format_b(data, start):
            end = start + data[start] + 1
            return end, _or_none(decode_format_b, data[start:end])
    if not at and _lacks_checksums(data):
        return len(data), decode_stripped(data)
    if first_block_fits(data, at) or not _plausible(data, at, len(data)):
        return at, None
    end = at + data[at] + 1
    if not any(_begins(data, end + n) for n in range(_SUFFIX_MAX + 1)):
        damaged = at + format_a_length(data[at])
        if _begins(data, damaged):
            return at, None  # a frame of format A to the byte: its first checksum does not fit
    return end, decode_stripped(data[at:end])


def _or_none(decode_format: Callable[[bytes], Frame], data: bytes) -> Frame | None:
    """A frame whose first checksum fits, if the others do."""
    try:
        return decode_format(data)
    except RemoteProtocolError:
        return None


def _checked_at(data: bytes, at: int) -> bool:
    """Whether a frame with a good first checksum begins at `at`; where that is long to compute, if it may."""
    if at + FRAME_MIN > len(data) or data[at + 1] not in _CONTROLS:
        return False
    if has_format_a(data, at):
        return True
    return at + LINK_SIZE < len(data) and may_begin(data, at) and has_format_b(data, at)


def _unwrapped(
    data: bytes, found: Wrapped, options: DecodeOptions, memory: Memory, learning: bool, explain: bool
) -> Decoded:
    """One telegram in its receiver's wrapping."""
    line = data[found.start : found.end]
    tree = Tree(line, found.receiver, start=found.start) if explain else None
    walk = Walk(line, options, memory, tree, learning)
    walk.telegram.receiver, walk.telegram.rssi_dbm = found.receiver, found.rssi_dbm
    first, last = found.telegram_start - found.start, found.telegram_end - found.start
    level = f"received at {found.rssi_dbm} dBm" if found.rssi_dbm is not None else None
    if found.fault is not None:
        walk.leaf("receiver's frame", 0, len(line))
        return _refused(walk, found.receiver, found.fault, found.fault_at - found.start)
    walk.leaf("receiver", 0, first)
    walk.leaf("telegram", first, last)
    walk.push("telegram", found.telegram, "frame")
    if tree is not None and last < len(line):
        tree.leaf("receiver", last, len(line), None, level)
    return _frame(walk, found, found.format)


def _frame(walk: Walk, found: Wrapped | None, known: Frame | Format | None) -> Decoded:
    """The frame that begins where the walk stands: known already, or in a format that its receiver told."""
    data, telegram, why = walk.data, walk.telegram, ""
    try:
        if isinstance(known, Frame):
            frame = known
            start = 2 if data[:2] in (SYNC_A, SYNC_B) else 0
            end = min(start + _size_on_air(data[start], known.format), len(data))
        else:
            start, end = _extent(data, known)
            frame = _checked(data[start:end], start, known)
    except RemoteProtocolError as error:
        if not walk.options.lenient or len(data) < FRAME_MIN:
            whole = len(data) >= FRAME_MIN and data[1] in _CONTROLS
            return _refused(walk, "damaged frame" if whole else "noise", str(error), error.offset)
        why = str(error)
        walk.problem(why, error.offset, invalid=True)
        start, end, frame = 0, len(data), Frame(_lenient(data))
    telegram.frame = frame
    if frame.data != data:
        _descend(walk, frame, start, end)
    walk.leaf("L field", 0, 1, walk.data[0])
    link = telegram.link = decode_link(walk.data)
    _explain_link(walk, link)
    _read_layers(walk, LINK_SIZE)
    meter = _identity(telegram.header) if isinstance(telegram.header, LongHeader) else _link_identity(link)
    if not why:
        why = f"a telegram from {found.receiver}, " if found is not None else ""
        why += (
            "a frame without CRC"
            if frame.format is Format.STRIPPED
            else f"format {frame.format.value}, every CRC fits"
        )
    words = radio_ci_name(telegram.ci) if telegram.ci is not None else None
    return _result(walk, meter, why, control_name(link.control) or "frame", words)


def _read_layers(walk: Walk, at: int) -> None:
    """Read all layers from `at` on; one that is not whole is a problem, and what was read before it stays."""
    try:
        read_layers(walk, at)
    except RemoteProtocolError as error:
        walk.problem(str(error), error.offset, invalid=True)
        if walk.tree is not None:
            walk.tree.unwind(1, error.offset)


_NO_LINK: Final = LinkHeader(0, "@@@", "00000000", 0, 0, bytes(8))


def decode_message(data: bytes, options: DecodeOptions = _DEFAULTS, *, explain: bool = True) -> Decoded:
    """Decode what stands above another link layer than radio's, from its first CI field on. Never raises.

    The layers above the link are the same on wire (EN 13757-7); who sent them only the message's own
    header says.
    """
    walk = Walk(data, options, Memory(), Tree(data, "message", "message") if explain else None)
    walk.telegram.link = _NO_LINK
    _read_layers(walk, 0)
    header, ci = walk.telegram.header, walk.telegram.ci
    meter = _identity(header) if isinstance(header, LongHeader) else MeterIdentity()
    return _result(walk, meter, "", "message", radio_ci_name(ci) if ci is not None else None)


def _extent(data: bytes, form: Format | None) -> tuple[int, int]:
    """Where the frame lies within what was given: sync bytes before it, a receiver's bytes behind it."""
    start = 2 if data[:2] in (SYNC_A, SYNC_B) else 0
    if len(data) < start + FRAME_MIN:
        raise RemoteProtocolError(f"a frame has ten bytes or more, there are {len(data)}", len(data))
    if form is None and first_block_fits(data, start):
        form = Format.A
    end = start + _size_on_air(data[start], form)
    return start, end if end <= len(data) <= end + _SUFFIX_MAX else len(data)


def _size_on_air(length: int, form: Format | None) -> int:
    """The bytes of a frame with this L field: only that of format A counts no checksums."""
    return format_a_length(length) if form is Format.A else length + 1


_DECODERS: Final = {Format.A: decode_format_a, Format.B: decode_format_b, Format.STRIPPED: decode_stripped}


def _checked(data: bytes, start: int, form: Format | None) -> Frame:
    """The frame without its checksums.

    Raises:
        RemoteProtocolError: one does not fit; the offset counts from `start` bytes before.
    """
    try:
        return decode_frame(data) if form is None else _DECODERS[form](data)
    except RemoteProtocolError as error:
        raise RemoteProtocolError(str(error), error.offset + start) from error


def _lenient(data: bytes) -> bytes:
    """A damaged frame as well as it can be had: checksums taken out where their places are known."""
    if len(data) == format_a_length(data[0]):
        joined = b"".join(data[begin:stop] for begin, stop in spans_a(data[0]))
        return bytes((len(joined) - 1,)) + joined[1:]
    return bytes((min(len(data) - 1, 255),)) + data[1:256]


def _descend(walk: Walk, frame: Frame, start: int, end: int) -> None:
    """Explain what is around the frame's bytes, and go down to these."""
    data, outer = walk.data, walk.tree
    if outer is None:
        walk.push("frame", frame.data, "frame")
        return
    walk.leaf("sync bytes", 0, start)
    spans = [(start, end)]
    if frame.format is Format.A:
        spans = [(start + begin, start + stop) for begin, stop in spans_a(data[start])]
    elif frame.format is Format.B:
        spans = [(start + begin, start + stop) for begin, stop in spans_b(data[start])]
    for number, (begin, stop) in enumerate(spans):
        outer.leaf("block" if len(spans) > 1 else "frame", begin, stop)
        if not number:
            walk.push("frame", frame.data, "frame without checksums")
        if frame.format is not Format.STRIPPED:
            outer.leaf("CRC", stop, stop + 2, int.from_bytes(data[stop : stop + 2], "big"), "fits")
    if end < len(data):
        outer.leaf("receiver's bytes", end, len(data), None, "reception level, link quality")


def _explain_link(walk: Walk, link: LinkHeader) -> None:
    if walk.tree is None:
        return
    walk.leaf("C field", 1, 2, link.control, control_name(link.control) or "unknown function")
    walk.leaf("manufacturer", 2, 4, link.manufacturer)
    walk.leaf("identification number", 4, 8, link.id)
    walk.leaf("version", 8, 9, link.version)
    walk.leaf("device type", 9, 10, link.device_type, medium_name(link.device_type))


@lru_cache(maxsize=4096)
def _identity(header: LongHeader) -> MeterIdentity:
    return identity(header)


@lru_cache(maxsize=4096)
def _link_identity(link: LinkHeader) -> MeterIdentity:
    return identity(LongHeader(link.id, link.manufacturer, link.version, link.device_type))


def _refused(walk: Walk, name: str, message: str, offset: int) -> Decoded:
    walk.problem(message, offset, invalid=True)
    return _result(walk, MeterIdentity(), message, name, None)


def _result(walk: Walk, meter: MeterIdentity, why: str, name: str, meaning: str | None) -> Decoded:
    root = walk.finish(name, meaning)
    top = walk.trees[0] if walk.trees else walk.tree
    return Decoded(
        PROTOCOL,
        walk.valid,
        why,
        meter,
        tuple(walk.records),
        tuple(walk.problems),
        walk.encrypted,
        top.layers if top is not None else (),
        root,
        walk.telegram,
        tuple(walk.seals),
        waits_for=walk.waits_for,
    )
