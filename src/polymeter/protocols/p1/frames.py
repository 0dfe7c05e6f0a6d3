"""A P1 telegram and its ciphered envelope as values.

    telegram    / identification CR LF CR LF data-lines ! [checksum] CR LF
    ciphered    DB system-title length security-control counter telegram-enciphered tag

Telegrams are mode D of IEC 62056-21 (DSMR P1 § 6), data sets included; the checksum is CRC-16/ARC
over everything from ``/`` up to and including ``!``, absent before DSMR 4. The envelope is the
general-glo-ciphering APDU of DLMS around a whole telegram (Luxembourg, Austria).

Both encode to the bytes they were decoded from: texts stay as the meter wrote them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from polymeter.protocols.crc import crc16_arc
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError

__all__ = [
    "ENVELOPE",
    "TAIL",
    "Ciphered",
    "Telegram",
    "checksum_text",
    "ciphered_header",
    "decode_ciphered",
    "decode_telegram",
    "encode",
    "read_telegram",
]

_GLO_CIPHERING: Final = 0xDB
ENVELOPE: Final = b"\xdb\x08"
_SECURITY_CONTROLS: Final = frozenset((0x10, 0x20, 0x30))
_TAG_SIZE: Final = 12

TAIL: Final = re.compile(rb"!([0-9A-Fa-f]{0,4})[ \t]*(\r?\n)?")
"""The last line of a telegram: its mark, the checksum, the line end."""
_IDENTIFICATION: Final = re.compile(r"[^\r\n]*")


@dataclass(frozen=True, slots=True)
class Telegram:
    """What a meter pushes: its identification, its data lines as written, its checksum if it has one."""

    identification: str
    """The first line without its ``/``: manufacturer, baud rate character, name."""
    data: str
    """Everything between the first line and ``!``, line ends included."""
    checksum: str | None = None
    """The hex digits after ``!``; some meters leave out leading zeros."""
    end: str = "\r\n"

    @property
    def manufacturer(self) -> str:
        """The FLAG id."""
        return self.identification[:3]

    @property
    def name(self) -> str:
        """What the meter calls itself."""
        return self.identification[4:]


@dataclass(frozen=True, slots=True)
class Ciphered:
    """A telegram under AES-128-GCM. `tag` is empty where the security control asks for none."""

    system_title: bytes
    counter: int
    ciphertext: bytes
    tag: bytes
    security: int = 0x30
    length_octets: int = 2
    """How the length is written: in so many octets after 0x80 + count, or in the octet itself (0)."""


def checksum_text(covered: bytes) -> str:
    """The checksum of a telegram from ``/`` up to and including ``!``, as it is written."""
    return f"{crc16_arc(covered):04X}"


def encode(frame: Telegram | Ciphered) -> bytes:
    """The bytes of a frame.

    Raises:
        LocalProtocolError: a text holds what its place does not allow, or a field does not fit.
    """
    if isinstance(frame, Ciphered):
        return _encode_ciphered(frame)
    if re.search(r"[\r\n/!]", frame.identification) or "!" in frame.data:
        raise LocalProtocolError("neither identification nor data can hold !")
    try:
        covered = f"/{frame.identification}{frame.data}!".encode("latin-1")
        return covered + f"{frame.checksum or ''}{frame.end}".encode("ascii")
    except UnicodeEncodeError as error:
        raise LocalProtocolError(f"a telegram holds Latin-1 only: {error.object!r}") from error


def _encode_ciphered(frame: Ciphered) -> bytes:
    body = bytes((frame.security,)) + frame.counter.to_bytes(4, "big") + frame.ciphertext + frame.tag
    octets = frame.length_octets
    if len(body) >= (1 << 8 * octets if octets else 0x80) or len(frame.system_title) != 8:
        raise LocalProtocolError("the length does not fit its octets, or the system title has not eight")
    length = bytes((0x80 | octets,)) + len(body).to_bytes(octets, "big") if octets else bytes((len(body),))
    return bytes((_GLO_CIPHERING, 8)) + frame.system_title + length + body


def decode_telegram(data: bytes, offset: int = 0) -> Telegram:
    """Take a telegram apart, from its ``/`` up to its last line end.

    Raises:
        RemoteProtocolError: it is cut, or its checksum does not fit.
    """
    telegram, problem = read_telegram(data, offset)
    if problem is not None:
        raise problem
    return telegram


def read_telegram(data: bytes, offset: int = 0) -> tuple[Telegram, RemoteProtocolError | None]:
    """A telegram and what is wrong with its checksum, if anything is.

    Raises:
        RemoteProtocolError: there is no ``!`` line, so nothing can be said of it.
    """
    mark = data.find(b"\n!")
    tail = TAIL.match(data, mark + 1) if mark >= 0 else None
    if tail is None:
        raise RemoteProtocolError("the telegram is cut: it has no ! line", offset + len(data))
    at = tail.start()
    text = data[1:at].decode("latin-1")
    identification = _IDENTIFICATION.match(text)
    assert identification is not None  # it may be empty
    cut = identification.end()
    digits = tail[1].decode("ascii")
    end = data[tail.end(1) : tail.end()].decode("ascii")
    telegram = Telegram(text[:cut], text[cut:], digits or None, end)
    problem = None
    if digits:
        expected = _expected(data[: at + 1], int(digits, 16))
        if expected is not None:
            problem = RemoteProtocolError(
                f"the checksum is {digits}, {expected:04X} is expected", offset + tail.start(1)
            )
    elif _promises_checksum(telegram.data):
        problem = RemoteProtocolError("the checksum is missing after !", offset + at + 1)
    return telegram, problem


def _expected(covered: bytes, given: int) -> int | None:
    """The checksum that is expected in place of the one that is `given`, `None` if that will do.

    A telegram that went through a text file may have lost its carriage returns, which the meter counted.
    """
    expected = crc16_arc(covered)
    if expected == given or (given, expected) in _MISPRINTS:
        return None
    if b"\r" not in covered:
        whole = crc16_arc(covered.replace(b"\n", b"\r\n"))
        if whole == given or (given, whole) in _MISPRINTS:
            return None
    return expected


_MISPRINTS: Final = frozenset(((0x522B, 0xF46A), (0x522B, 0x6412), (0xEF2F, 0xE47C)))
"""Checksums as printed, and as they should be, of the example telegrams of DSMR 4.0 (as it stands in
the companion standard, and with its codes put right) and 5.0, which circulate with a checksum that
fits no reading of the rule. People paste them into decoders.
A damaged telegram would have to hit both numbers of a pair to pass for one."""

_VERSION: Final = re.compile(r"\n(?:1-3:0\.2\.8\((?:[4-9]\d*|[1-3]\d{2,})\)|0-0:96\.1\.4\(\d{5,}\))")


def _promises_checksum(data: str) -> bool:
    """Whether a telegram names a version that has a checksum: DSMR 4 on, and e-MUCS.

    Without this a telegram cut right behind its ``!`` would count as one of an older version.
    """
    return _VERSION.search(data) is not None


def decode_ciphered(data: bytes, offset: int = 0) -> Ciphered:
    """Take an envelope apart.

    Raises:
        RemoteProtocolError: it is no such envelope, or it is cut.
    """
    header = ciphered_header(data, 0)
    if header is None:
        raise RemoteProtocolError("no ciphered telegram begins so", offset)
    begin, size = header
    if begin + size > len(data):
        raise RemoteProtocolError(
            f"the ciphered telegram needs {begin + size} bytes, {len(data)} are there", offset + len(data)
        )
    security = data[begin]
    tagged = _TAG_SIZE if security & 0x10 else 0
    stop = begin + size - tagged
    return Ciphered(
        data[2:10],
        int.from_bytes(data[begin + 1 : begin + 5], "big"),
        data[begin + 5 : stop],
        data[stop : begin + size],
        security,
        data[10] & 0x7F if data[10] & 0x80 else 0,
    )


def ciphered_header(data: bytes | bytearray, at: int) -> tuple[int, int] | None:
    """Where the security control lies and how long it and what follows is; `None` if it is no envelope."""
    if data[at : at + 2] != ENVELOPE or len(data) < at + 13:
        return None
    octets = data[at + 10] & 0x7F if data[at + 10] & 0x80 else 0
    if octets > 2:
        return None
    begin = at + 11 + octets
    size = int.from_bytes(data[at + 11 : begin], "big") if octets else data[at + 10]
    if begin >= len(data) or data[begin] not in _SECURITY_CONTROLS:
        return None
    return (begin, size) if size >= 5 + (_TAG_SIZE if data[begin] & 0x10 else 0) else None
