"""The layers above the link layer: from the first CI field to records.

EN 13757-7 § 5 orders them: extended link layer, network layer, authentication and fragmentation,
transport, application. Each begins with a CI field of its own; which one follows shows in it. The
meaning of a CI field is that of radio, which differs from wire: 73 is a compact frame here.
"""

from __future__ import annotations

from typing import Final, Literal

from polymeter.protocols.crc import crc16_en13757
from polymeter.protocols.mbus import (
    LongHeader,
    ci_name,
    decode_long_header,
    decode_records,
    decode_short_header,
    explain_records,
    medium_name,
    read_body,
    status_text,
)
from polymeter.protocols.mbus.control import CI_NAMES as WIRED
from polymeter.protocols.wire import RemoteProtocolError
from polymeter.protocols.wmbus import compact, security
from polymeter.protocols.wmbus.fragments import Fragment, Message
from polymeter.protocols.wmbus.headers import (
    AFL,
    AFL_CI,
    ELL_SIZES,
    ELL_VARIABLE,
    NWL_CI,
    decode_afl,
    decode_configuration,
    decode_ell,
)
from polymeter.protocols.wmbus.protection import is_authentic, open_application, open_link
from polymeter.protocols.wmbus.walk import Walk

__all__ = ["CI_NAMES", "DLMS_CI", "MANUFACTURER_CI", "known_ci", "radio_ci_name", "read_layers"]

Kind = Literal["records", "compact", "format", "dlms", "nothing", "small", "opaque"]
HeaderKind = Literal["none", "short", "long"]

MANUFACTURER_CI: Final = range(0xA0, 0xB8)
DLMS_CI: Final = frozenset((*range(0x20), 0x60, 0x61, 0x7C, 0x7D))
_FILLER: Final = 0x2F
_SMALL: Final = {0x6E: 0x70, 0x6F: 0x70, 0x74: 0x71, 0x75: 0x71, 0x53: 0x50, 0x57: 0x50}
"""CI fields with a header, and those that announce the same data without one."""

CI_NAMES: Final[dict[int, tuple[str, HeaderKind, Kind]]] = {
    **{
        ci: (name, header, "records" if kind == "records" else "opaque" if kind == "opaque" else "small")
        for ci, (name, header, kind) in WIRED.items()
        if kind != "fixed" and ci != AFL_CI
    },
    0x54: ("request of the selected application", "none", "opaque"),
    0x55: ("request of the selected application, long header", "long", "opaque"),
    0x5F: ("special use, long header", "long", "opaque"),
    0x60: ("DLMS to the meter, long header", "long", "dlms"),
    0x61: ("DLMS to the meter, short header", "short", "dlms"),
    0x64: ("values with OBIS codes to the meter, long header", "long", "opaque"),
    0x65: ("values with OBIS codes to the meter, short header", "short", "opaque"),
    0x69: ("format frame", "none", "format"),
    0x6A: ("format frame, short header", "short", "format"),
    0x6B: ("format frame, long header", "long", "format"),
    0x6C: ("clock synchronisation, absolute", "long", "small"),
    0x6D: ("clock synchronisation, relative", "long", "small"),
    0x73: ("compact frame, long header", "long", "compact"),
    0x79: ("compact frame", "none", "compact"),
    0x7B: ("compact frame, short header", "short", "compact"),
    0x7C: ("DLMS from the meter, long header", "long", "dlms"),
    0x7D: ("DLMS from the meter, short header", "short", "dlms"),
    0x7E: ("values with OBIS codes, long header", "long", "opaque"),
    0x7F: ("values with OBIS codes, short header", "short", "opaque"),
    0x80: ("transport layer to the meter, long header", "long", "nothing"),
    0x82: ("network management to the meter, long header", "long", "opaque"),
    0x83: ("network management to the meter", "none", "opaque"),
    0x84: ("transport layer to the meter, a compact frame is expected", "long", "nothing"),
    0x85: ("transport layer to the meter, a format frame is expected", "long", "nothing"),
    0x87: ("network management from the meter, long header", "long", "opaque"),
    0x88: ("network management from the meter, short header", "short", "opaque"),
    0x89: ("network management from the meter", "none", "opaque"),
    0x8A: ("transport layer from the meter, short header", "short", "nothing"),
    0x8B: ("transport layer from the meter, long header", "long", "nothing"),
    0x9E: ("special use, short header", "short", "opaque"),
    0x9F: ("special use, long header", "long", "opaque"),
    0xC0: ("image transfer to the meter, long header", "long", "opaque"),
    0xC1: ("image transfer from the meter, short header", "short", "opaque"),
    0xC2: ("image transfer from the meter, long header", "long", "opaque"),
    0xC3: ("security information to the meter, long header", "long", "opaque"),
    0xC4: ("security information from the meter, short header", "short", "opaque"),
    0xC5: ("security information from the meter, long header", "long", "opaque"),
    **dict.fromkeys(range(32), ("DLMS without header", "none", "dlms")),
}
"""What a CI field announces on radio, which header comes first and what comes then (EN 13757-7 § 5.2)."""
_OPAQUE: Final[tuple[str, HeaderKind, Kind]] = ("", "none", "opaque")

_LOWER: Final = {
    0x81: "network layer",
    0x86: "extended link layer, variable",
    0x8C: "extended link layer",
    0x8D: "extended link layer with session",
    0x8E: "extended link layer with address",
    0x8F: "extended link layer with address and session",
    0x90: "authentication and fragmentation layer",
}


def radio_ci_name(ci: int) -> str:
    """A CI field in words."""
    if ci in CI_NAMES:
        return CI_NAMES[ci][0]
    return _LOWER.get(ci) or ci_name(ci)


def known_ci(ci: int) -> bool:
    """Whether a CI field means something on radio."""
    return ci in CI_NAMES or ci in _LOWER or ci in MANUFACTURER_CI


def read_layers(walk: Walk, at: int) -> None:
    """Read everything from the CI field at `at` on.

    Raises:
        RemoteProtocolError: a header is not whole.
    """
    place: int | None = at
    while place is not None and place < len(walk.data):
        ci = walk.data[place]
        if (ci in ELL_SIZES or ci == ELL_VARIABLE) and walk.telegram.ell is None:
            place = _extended_link(walk, place)
        elif ci == NWL_CI and place + 2 < len(walk.data) and known_ci(walk.data[place + 2]):
            walk.open("network layer", place)
            walk.leaf("CI field", place, place + 1, ci, radio_ci_name(ci))
            walk.leaf("network control", place + 1, place + 2, walk.data[place + 1])
            walk.close(place + 2)
            place += 2
        elif ci == AFL_CI and walk.telegram.afl is None:
            place = _authentication(walk, place)
        else:
            _transport(walk, place)
            return


def _extended_link(walk: Walk, at: int) -> int | None:
    ell = decode_ell(walk.data, at, walk.layer)
    walk.telegram.ell = ell
    walk.open("extended link layer", at)
    walk.leaf("CI field", at, at + 1, ell.ci, radio_ci_name(ell.ci))
    walk.leaf("communication control", at + 1, at + 2, ell.control)
    walk.leaf("access number", at + 2, at + 3, ell.access_number)
    here = at + 3
    if ell.ci == ELL_VARIABLE:
        walk.leaf("fields", here, here + 1, walk.data[here])
        here += 1
    if ell.address:
        walk.leaf("address of the other end", here, here + 8)
        here += 8
    if ell.session:
        begin = ell.payload - 4
        walk.leaf("further fields", here, begin)
        words = "encrypted" if ell.encryption else "not encrypted"
        walk.leaf("session number", begin, ell.payload, int.from_bytes(ell.session, "little"), words)
    else:
        walk.leaf("further fields", here, ell.end)
    walk.close(ell.payload)
    return open_link(walk)


def _authentication(walk: Walk, at: int) -> int | None:
    afl = decode_afl(walk.data, at, walk.layer)
    walk.telegram.afl = afl
    here = at + 4
    walk.open("authentication and fragmentation layer", at)
    walk.leaf("CI field", at, at + 1, AFL_CI)
    walk.leaf("length", at + 1, at + 2, walk.data[at + 1])
    said = f"fragment {afl.fragment}" + (", more follow" if afl.more else "")
    walk.leaf("fragmentation control", at + 2, at + 4, None, said)
    if afl.message_control is not None:
        walk.leaf("message control", here, here + 1, afl.message_control)
        here += 1
    for name, value in (
        ("key information", afl.key_information),
        ("message counter", afl.counter),
        ("authentication code", afl.mac),
        ("message length", afl.message_length),
    ):
        number = int.from_bytes(value, "little") if name != "authentication code" else None
        walk.leaf(name, here, here + len(value), number)
        here += len(value)
    walk.close(afl.end)
    if afl.fragmented:
        return _fragment(walk, afl)
    length = int.from_bytes(afl.message_length, "little")
    if afl.message_length and length != len(walk.data) - afl.end:
        words = f"the AFL announces a message of {length} bytes, there are {len(walk.data) - afl.end}"
        walk.problem(words, afl.end - 2, invalid=True)
    return afl.end


def _fragment(walk: Walk, afl: AFL) -> int | None:
    """Keep a fragment; goes on in the message that it makes whole, if it does."""
    telegram, at, end = walk.telegram, afl.end, len(walk.data)
    if afl.fragment == 0:
        walk.problem("fragment 0 announces more, and fragments are counted from 1", at, invalid=True)
    if not walk.valid:
        walk.opaque("fragment", at, end)
        return None
    kept = walk.memory.keep(telegram.sender, telegram.session, Fragment(afl, walk.data[at:]))
    message, missing = kept.message, kept.message.missing()
    if kept.given_up:
        walk.problem(f"another message begins: fragment {kept.given_up} of the one before never came", at)
    name = f"fragment {afl.fragment} of a message"
    if missing is None and (afl.fragment == message.last or not kept.repeated):
        return _whole(walk, message, name)
    again = ", again" if kept.repeated else ""
    if missing is not None:
        walk.waits_for = f"fragment {missing} of a message"
        again += f": fragment {missing} is awaited"
    walk.problem(name + again, at)
    walk.opaque("fragment", at, end)
    return None


def _whole(walk: Walk, message: Message, name: str) -> int | None:
    """Go on in a message all of whose fragments came, if they are of one message."""
    telegram, end = walk.telegram, len(walk.data)
    assert telegram.afl is not None
    at = telegram.afl.end
    afl, data = message.joined()
    length = int.from_bytes(afl.message_length, "little")
    # Keys are derived with the number in the message's long header, else with the sender's.
    long = bool(data) and CI_NAMES.get(data[0], _OPAQUE)[1] == "long"
    number = data[1:5] if long else telegram.sender[2:6]
    fault = None
    if afl.message_length and length != len(data):
        fault = f"a message of {length} bytes is announced, the fragments have {len(data)}"
    elif not message.in_order and not telegram.session and not is_authentic(walk, afl, number, data):
        fault = "the fragments came out of order, and no code proves that they are of one message"
    if fault is not None and not walk.options.lenient:
        walk.memory.disbelieve(telegram.sender, telegram.session)
        walk.problem(f"{name}: {fault}", at, invalid=True)
        walk.opaque("fragment", at, end)
        return None
    if fault is not None:
        walk.problem(f"{name}: {fault}", at, invalid=True)
    walk.leaf("fragment", at, end, None, f"{name}, which is whole with it")
    walk.push("message", data, "message put together from its fragments")
    telegram.afl = afl
    return 0


def _transport(walk: Walk, at: int) -> None:
    data, telegram = walk.data, walk.telegram
    ci = telegram.ci = data[at]
    _, header_kind, kind = CI_NAMES.get(ci, _OPAQUE)
    walk.leaf("CI field", at, at + 1, ci, radio_ci_name(ci))
    here: int | None = at + 1
    if header_kind != "none":
        here = _header(walk, at + 1, long=header_kind == "long")
        _note_application(walk, here)
        here = open_application(walk, at, here, records=kind == "records")
    if here is None:
        return
    _note_application(walk, here)
    match kind:
        case "records":
            _records(walk, here, command=ci in (0x51, 0x5A, 0x5B))
        case "compact":
            _compact(walk, here)
        case "format":
            _format(walk, here)
        case "dlms":
            walk.opaque("dlms", here, len(walk.data), "DLMS")
        case "small":
            _small(walk, here, _SMALL.get(ci, ci))
        case _:
            name = "manufacturer_data" if ci in MANUFACTURER_CI else f"ci.{ci:02x}"
            walk.opaque(name, here, len(walk.data))


def _note_application(walk: Walk, at: int) -> None:
    """Keep what is behind the headers for those who know its protocol, or how to open it."""
    telegram = walk.telegram
    telegram.application = walk.data[at:]
    telegram.application_layer, telegram.application_offset = walk.layer, at


def _header(walk: Walk, at: int, *, long: bool) -> int:
    """A short or long header with its configuration field; gives where the data begins."""
    data, telegram = walk.data, walk.telegram
    header = (
        decode_long_header(data, at, layer=walk.layer)
        if long
        else decode_short_header(data, at, layer=walk.layer)
    )
    end = at + (12 if long else 4)
    configuration = decode_configuration(data, end - 2, walk.layer)
    telegram.header, telegram.configuration = header, configuration
    if walk.tree is None:
        return configuration.end
    walk.open("header", at)
    if isinstance(header, LongHeader):
        walk.leaf("identification number", at, at + 4, header.id)
        walk.leaf("manufacturer", at + 4, at + 6, header.manufacturer)
        walk.leaf("version", at + 6, at + 7, header.version)
        walk.leaf("device type", at + 7, at + 8, header.device_type, medium_name(header.device_type))
    walk.leaf("access number", end - 4, end - 3, header.access_number)
    walk.leaf("status", end - 3, end - 2, header.status, status_text(header.status))
    mode = configuration.mode
    words = f"security mode {mode}: {security.MODES.get(mode, 'reserved')}"
    if mode in (4, 5, 7):
        words += f", {configuration.blocks} blocks"
    walk.leaf("configuration", end - 2, end, configuration.field, words)
    here = end + len(configuration.extension)
    walk.leaf("configuration extension", end, here)
    counter = (int.from_bytes(configuration.counter, "little"), len(configuration.counter))
    version = (configuration.key_version, int(configuration.key_version is not None))
    fields = {"message counter": counter, "key version": version}
    for name in reversed(fields) if configuration.mode == 10 else fields:
        value, size = fields[name]
        walk.leaf(name, here, here + size, value)
        here += size
    walk.close(configuration.end)
    return configuration.end


def _device_type(walk: Walk) -> int | None:
    if isinstance(walk.telegram.header, LongHeader):
        return walk.telegram.header.device_type
    return walk.telegram.link.device_type if walk.telegram.link is not None else None


def _records(walk: Walk, at: int, *, command: bool = False, full: bool = True) -> None:
    spans = walk.tree is not None or walk.learning
    found = decode_records(walk.data, at, layer=walk.layer, command=command, spans=spans)
    walk.records += found.records
    walk.problems += found.problems
    walk.valid = walk.valid and not found.broken
    if walk.tree is not None:
        explain_records(walk.tree, walk.data, found, _device_type(walk))
    if walk.learning and full and not found.broken and found.spans:
        walk.memory.learn(walk.telegram.sender, compact.format_of(walk.data, found.spans))


def _skip_filler(walk: Walk, at: int) -> int:
    start = at
    while at < len(walk.data) and walk.data[at] == _FILLER:
        at += 1
    walk.leaf("filler", start, at)
    return at


def _compact(walk: Walk, at: int) -> None:
    """Signature, CRC of the full data, and the data without its headers."""
    data = walk.data
    if data[at : at + 2] == security.PLAIN_START:
        at = _skip_filler(walk, at)
    if len(data) < at + 4:
        raise RemoteProtocolError(f"a compact frame needs 4 bytes, {len(data) - at} are left", at, walk.layer)
    number, crc = int.from_bytes(data[at : at + 2], "little"), int.from_bytes(data[at + 2 : at + 4], "little")
    walk.leaf("format signature", at, at + 2, f"{number:04X}")
    walk.leaf("CRC of the full data", at + 2, at + 4, crc)
    begin = at + 4
    headers = walk.memory.format(walk.telegram.sender, number)
    if headers is None:
        walk.waits_for = f"format {number:04X}"
        walk.problem(f"the format {number:04X} is not known: a full frame of this meter teaches it", at)
        walk.opaque("compact_data", begin, len(data))
        return
    end = len(data)
    try:
        full = compact.rebuild(headers, data, begin, end, walk.layer)
    except RemoteProtocolError as error:
        stripped = data.rstrip(b"\x2f")
        try:
            full = compact.rebuild(headers, data, begin, max(begin, len(stripped)), walk.layer)
            end = max(begin, len(stripped))
        except RemoteProtocolError:
            walk.problem(f"compact frame of format {number:04X}: {error}", begin, invalid=True)
            walk.opaque("compact_data", begin, len(data))
            return
    if crc16_en13757(full) != crc:
        # Some Kamstrup meters send another CRC here. Where the link layer proves the bytes, they stand.
        proven = walk.telegram.ell is not None and walk.telegram.ell.crc is not None
        words = f"the full data of format {number:04X} does not have the CRC {crc:04X}"
        walk.problem(words, at + 2, invalid=not proven)
        if not proven and not walk.options.lenient:
            walk.opaque("compact_data", begin, len(data))
            return
    walk.leaf("data", begin, end)
    outer = walk.tree
    walk.push("full data", full, "full data of the compact frame")
    if outer is not None and end < len(data):
        outer.leaf("filler", end, len(data))
    _records(walk, 0, full=False)


def _format(walk: Walk, at: int) -> None:
    """A format frame: the headers of compact frames, with their signature."""
    data = walk.data
    if data[at : at + 2] == security.PLAIN_START:
        at = _skip_filler(walk, at)
    if len(data) < at + 3:
        raise RemoteProtocolError(f"a format frame needs 3 bytes, {len(data) - at} are left", at, walk.layer)
    # One byte of length, the signature, and the headers.
    end = min(len(data), at + 1 + data[at])
    number, headers = int.from_bytes(data[at + 1 : at + 3], "little"), data[at + 3 : end]
    walk.leaf("length", at, at + 1, data[at])
    walk.leaf("format signature", at + 1, at + 3, f"{number:04X}")
    if compact.signature(headers) != number:
        walk.problem(f"the headers do not have the signature {number:04X}", at + 1, invalid=True)
    else:
        walk.memory.learn(walk.telegram.sender, headers)
    walk.leaf("record headers", at + 3, end)
    walk.leaf("filler", max(end, at + 3), len(data))


def _small(walk: Walk, at: int, ci: int) -> None:
    """Errors, alarms, resets, clock commands: as on wire."""
    body = read_body(walk.data, at, len(walk.data), ci, tree=walk.tree, layer=walk.layer)
    walk.records += body.records
    walk.problems += body.problems
    walk.valid = walk.valid and not body.broken
