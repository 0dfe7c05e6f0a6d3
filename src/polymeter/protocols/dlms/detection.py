"""Recognising DLMS/COSEM among other protocols: frames by their checks, APDUs by being whole.

What an input begins with may be cut or damaged, as long as its header is plainly one of ours; behind
noise only what is sound is believed.
"""

from __future__ import annotations

from itertools import islice
from typing import Final

from polymeter.protocols.crc import crc16_x25
from polymeter.protocols.dlms.acse import AARQ, decode_acse
from polymeter.protocols.dlms.apdus import APDU_TAGS, decode_apdu
from polymeter.protocols.dlms.carriers import Carried, is_apdu_tag, split
from polymeter.protocols.dlms.hdlc import decode_frame
from polymeter.protocols.dlms.irregular import read_irregular
from polymeter.protocols.dlms.mbus_frames import decode_segment
from polymeter.protocols.dlms.wrapper import HEADER_SIZE, decode_wrapper
from polymeter.protocols.wire import Problem, RemoteProtocolError

__all__ = ["REASONS", "detect"]

REASONS: Final = {
    "hdlc": "7E … 7E with good check sequences",
    "hdlc-damaged": "7E A… 7E with a length that fits",
    "hdlc-cut": "7E A… with a good header check sequence",
    "wrapper": "a wrapper header",
    "mbus": "68 … 16 with a DLMS segment",
    "mbus-cut": "68 … 68 with a DLMS segment",
}
_BARE: Final = frozenset(b"\x01\x08\x0f\x10") | frozenset(tag for tag in APDU_TAGS if tag >= 0x21)
"""What a lone APDU is believed to begin with. Those of READ and WRITE begin other things as well."""
_LOOKED_AT: Final = 8
"""Messages, good or bad, before an input is given up."""
_SEGMENT_START: Final = 9
_FLAG: Final = b"\x7e"


def detect(data: bytes) -> str | None:
    """Why `data` looks like DLMS/COSEM, `None` if it does not."""
    for message in islice(split(data), _LOOKED_AT):
        begins = not data[: message.start].strip(_FLAG)
        reason = _sound(data, message) or (_cut(data, message) if begins else None)
        if reason is not None:
            return reason
    return None


def _sound(data: bytes, message: Carried) -> str | None:
    """Why a message is one of ours, if all its checks fit."""
    if not message.frames:
        return None
    start, end = message.frames[0]
    frame = data[start:end]
    try:
        match message.carrier:
            case "hdlc":
                decode_frame(frame)
                return REASONS["hdlc"]
            case "mbus":
                inside = decode_segment(frame).data
            case "wrapper":
                inside = decode_wrapper(frame).data
            case _:
                return f"an APDU with the tag {frame[0]:02x}" if _is_bare(frame) else None
    except RemoteProtocolError:
        return None
    return REASONS[message.carrier] if inside and is_apdu_tag(inside[0]) else None


def _cut(data: bytes, message: Carried) -> str | None:
    """Why damaged or cut bytes are ours all the same: by what they begin with."""
    at = message.start
    match message.carrier:
        case "hdlc" if _is_frame(data[at : message.frames[0][1]]):
            return REASONS["hdlc-damaged"]
        case "mbus" if is_apdu_tag(_octet(data, at + _SEGMENT_START)):
            return REASONS["mbus-cut"]
        case "wrapper" if _octet(data, at + HEADER_SIZE) in _BARE:
            return REASONS["wrapper"]
        case "noise" | "apdu" if _has_good_header(data[at : at + 14]):
            return REASONS["hdlc-cut"]
        case _:
            return None


def _octet(data: bytes, at: int) -> int:
    return data[at] if at < len(data) else 0


def _is_frame(frame: bytes) -> bool:
    """Whether it is an HDLC frame, check sequences aside."""
    problems: list[Problem] = []
    try:
        decode_frame(frame, problems=problems)
    except RemoteProtocolError:
        return False
    return True


def _has_good_header(head: bytes) -> bool:
    """Whether an HDLC header of any address sizes begins here whose check sequence is good."""
    if head[:1] != _FLAG or _octet(head, 1) & 0xF0 != 0xA0:
        return False
    return any(
        crc16_x25(head[1:end]).to_bytes(2, "little") == head[end : end + 2] for end in range(6, len(head) - 1)
    )


def _is_bare(data: bytes) -> bool:
    """Whether the whole is one APDU; tags alone would claim too much."""
    try:
        if data[0] in (0x60, 0x61):
            association = decode_acse(data)
            return (isinstance(association, AARQ) and association.context is not None) or data[0] == 0x61
        if data[0] in _BARE:
            decode_apdu(data)
            return True
    except RemoteProtocolError:
        return data[0] == 0x0F and read_irregular(data) is not None
    return data[0] == 0x02 and len(data) > 8 and read_irregular(data) is not None
