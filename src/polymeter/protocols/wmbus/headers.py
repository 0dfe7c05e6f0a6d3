"""What stands between the link layer and the data: ELL, NWL, AFL and the configuration field.

EN 13757-4 § 13 (extended link layer), EN 13757-5 (network layer) and EN 13757-7 (authentication and
fragmentation layer, transport layer). Each is a value read at a position; the transport layer's
long and short headers are those of wired M-Bus and come from there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from polymeter.protocols.mbus import decode_manufacturer, encode_manufacturer
from polymeter.protocols.wire import RemoteProtocolError

__all__ = [
    "AFL",
    "AFL_CI",
    "ELL",
    "ELL_SIZES",
    "NWL_CI",
    "Configuration",
    "LinkHeader",
    "control_name",
    "decode_afl",
    "decode_configuration",
    "decode_ell",
    "decode_link",
]

LINK_SIZE: Final = 10

CONTROLS: Final = {
    0x00: "ACK, acknowledgement",
    0x01: "NACK, no acknowledgement",
    0x06: "CNF-IR, confirm installation",
    0x40: "SND-NKE, link reset",
    0x43: "SND-UD2, send and request",
    0x44: "SND-NR, send without reply",
    0x45: "SND-UD3, send to many",
    0x46: "SND-IR, installation request",
    0x47: "ACC-NR, contact without reply",
    0x48: "ACC-DMD, access demand",
}
"""C fields of radio; the bits of FCB, FCV, ACD and DFC are taken away before those of wire."""
_WITH_BITS: Final = {0x53: "SND-UD, send", 0x5A: "REQ-UD1, request alarms", 0x5B: "REQ-UD2, request data"}


def control_name(control: int) -> str | None:
    """A C field in words, `None` if there is no such function on radio (EN 13757-4 § 12.5.4)."""
    name = CONTROLS.get(control) or _WITH_BITS.get((control | 0x10) & ~0x20)
    if name is None and control & 0xCF == 0x08:
        return "RSP-UD, response"
    return name


@dataclass(frozen=True, slots=True)
class LinkHeader:
    """C, M and A: what was sent, and by whom. It may be a radio adapter rather than the meter."""

    control: int
    manufacturer: str
    id: str
    version: int
    device_type: int
    address: bytes = b""
    """M and A as they travel: what initialisation vectors are made from."""

    def __bytes__(self) -> bytes:
        address = self.address or (
            encode_manufacturer(self.manufacturer)
            + bytes.fromhex(self.id.rjust(8, "0"))[::-1]
            + bytes((self.version, self.device_type))
        )
        return bytes((self.control,)) + address


def decode_link(data: bytes) -> LinkHeader:
    """The link header of a stripped frame, which has ten bytes or more."""
    return LinkHeader(
        data[1], decode_manufacturer(data[2:4]), data[7:3:-1].hex().upper(), data[8], data[9], data[2:10]
    )


ELL_SIZES: Final = {0x8C: 2, 0x8D: 8, 0x8E: 10, 0x8F: 16}
"""Bytes behind the CI field of each extended link layer; 86 tells its own."""
ELL_VARIABLE: Final = 0x86


@dataclass(frozen=True, slots=True)
class ELL:
    """An extended link layer."""

    ci: int
    control: int
    access_number: int
    address: bytes = b""
    """M2 and A2, the address of the other end, where they are given."""
    session: bytes = b""
    """The session number as it travels, where there is one."""
    crc: int | None = None
    """The CRC of what follows it, in clear."""
    start: int = 0
    end: int = 0
    """Where the header ends; what may be encrypted begins at `payload`."""

    @property
    def encryption(self) -> int:
        """0 for none, 1 for AES-CTR, others reserved: the top three bits of the session number."""
        return self.session[3] >> 5 if self.session else 0

    @property
    def payload(self) -> int:
        """Where the encrypted part begins: at the CRC."""
        return self.end - 2 if self.crc is not None else self.end

    def counter_block(self, address: bytes) -> bytes:
        """The first counter block of AES-CTR (EN 13757-4 § 13.2.9), for the address that is used."""
        return address + bytes((self.control,)) + self.session + b"\0\0\0"

    def __bytes__(self) -> bytes:
        crc = self.crc.to_bytes(2, "little") if self.crc is not None else b""
        return bytes((self.ci, self.control, self.access_number)) + self.address + self.session + crc


def decode_ell(data: bytes, at: int, layer: int = 0) -> ELL:
    """The extended link layer whose CI field stands at `at`.

    Raises:
        RemoteProtocolError: it is not whole.
    """
    ci = data[at]
    if ci == ELL_VARIABLE:
        return _variable_ell(data, at, layer)
    size = ELL_SIZES[ci]
    body = data[at + 1 : at + 1 + size]
    if len(body) < size:
        raise RemoteProtocolError(
            f"the extended link layer needs {size} bytes, {len(body)} are left", at, layer
        )
    found = ELL(ci, body[0], body[1], start=at, end=at + 1 + size)
    if size in (10, 16):
        found = replace(found, address=body[2:10])
    if size in (8, 16):
        crc = int.from_bytes(body[size - 2 :], "little")
        found = replace(found, session=body[size - 6 : size - 2], crc=crc)
    return found


def _variable_ell(data: bytes, at: int, layer: int) -> ELL:
    """CI 86: a third byte says which fields follow CC and ACC.

    Its bits are M2 and A2 (01), and the session number with its CRC (10); the fields between them
    (delay and reception level, bits 02 and 04) have two bytes and one.
    """
    body = data[at + 1 : at + 4]
    if len(body) < 3:
        raise RemoteProtocolError(f"the extended link layer needs 3 bytes, {len(body)} are left", at, layer)
    flags = body[2]
    sizes = (8 * (flags & 1), 2 * (flags >> 1 & 1), flags >> 2 & 1, 6 * (flags >> 4 & 1))
    end = at + 4 + sum(sizes)
    if flags & 0xE8 or end > len(data):
        raise RemoteProtocolError(
            f"the fields {flags:02X} of the extended link layer do not fit", at + 3, layer
        )
    found = ELL(data[at], body[0], body[1], data[at + 4 : at + 4 + sizes[0]], start=at, end=end)
    if sizes[3]:
        found = replace(
            found, session=data[end - 6 : end - 2], crc=int.from_bytes(data[end - 2 : end], "little")
        )
    return found


NWL_CI: Final = 0x81
AFL_CI: Final = 0x90
_MAC_SIZES: Final = {0: 0, 3: 2, 4: 4, 5: 8, 6: 12, 7: 16, 8: 12, 9: 16}
"""Bytes of the authentication code by its type; 3 to 7 are AES-CMAC."""
_GMAC: Final = (8, 9)
"""AES-GMAC, whose nonce no public description gives."""


@dataclass(frozen=True, slots=True)
class AFL:
    """An authentication and fragmentation layer (EN 13757-7 § 6)."""

    fragment: int
    more: bool
    message_control: int | None = None
    key_information: bytes = b""
    counter: bytes = b""
    """The message counter as it travels."""
    mac: bytes = b""
    message_length: bytes = b""
    start: int = 0
    end: int = 0

    @property
    def fragmented(self) -> bool:
        """Whether this is only a part of a message."""
        return self.more or self.fragment > 1

    @property
    def checkable(self) -> bool:
        """Whether there is a code, and one that we can compute: a CMAC."""
        return bool(self.mac) and ((self.message_control or 0) & 0x0F) not in _GMAC

    @property
    def authenticated(self) -> bytes:
        """What the code covers before the message itself."""
        control = b"" if self.message_control is None else bytes((self.message_control,))
        return control + self.key_information + self.counter + self.message_length

    def __bytes__(self) -> bytes:
        control = self.fragment | self.more << 14
        control |= (self.message_control is not None) << 13 | bool(self.message_length) << 12
        control |= bool(self.counter) << 11 | bool(self.mac) << 10 | bool(self.key_information) << 9
        mcl = b"" if self.message_control is None else bytes((self.message_control,))
        body = control.to_bytes(2, "little") + mcl + self.key_information + self.counter
        body += self.mac + self.message_length
        return bytes((AFL_CI, len(body))) + body


def decode_afl(data: bytes, at: int, layer: int = 0) -> AFL:
    """The authentication and fragmentation layer whose CI field stands at `at`.

    Raises:
        RemoteProtocolError: it is not whole, or its fields do not fill its length.
    """
    if len(data) < at + 4:
        raise RemoteProtocolError(f"the AFL needs 4 bytes, {len(data) - at} are left", at, layer)
    end = at + 2 + data[at + 1]
    control = int.from_bytes(data[at + 2 : at + 4], "little")
    here = at + 4
    message_control = None
    if control & 0x2000:
        message_control, here = data[here] if here < len(data) else 0, here + 1
    sizes = [2 * (control >> 9 & 1), 4 * (control >> 11 & 1), 0, 2 * (control >> 12 & 1)]
    if control & 0x0400:
        kind = (message_control or 0) & 0x0F
        left = max(0, end - here - sum(sizes))
        # A later fragment has no message control; the code is then what the length leaves.
        sizes[2] = _MAC_SIZES.get(kind, left) if message_control is not None else left
    parts = []
    for size in sizes:
        parts.append(data[here : here + size])
        here += size
    if here != end or end > len(data):
        raise RemoteProtocolError(
            f"the AFL announces {data[at + 1]} bytes, its fields have {here - at - 2}", at + 1, layer
        )
    information, counter, mac, total = parts
    return AFL(
        control & 0xFF, bool(control & 0x4000), message_control, information, counter, mac, total, at, end
    )


@dataclass(frozen=True, slots=True)
class Configuration:
    """The configuration field with its extension: how the data is protected (EN 13757-7 § 7.5.7)."""

    field: int
    extension: bytes = b""
    key_version: int | None = None
    counter: bytes = b""
    """The counter that mode 10 has in this place, and mode 7 may have, as it travels."""
    end: int = 0

    @property
    def mode(self) -> int:
        """The security mode."""
        return self.field >> 8 & 0x1F

    @property
    def blocks(self) -> int:
        """Encrypted blocks of sixteen bytes in modes 4, 5 and 7; 15 means all there are."""
        return self.field >> 4 & 0x0F

    @property
    def derivation(self) -> int:
        """How the key is derived: 0 not at all, 1 by the function A."""
        return self.extension[0] >> 4 & 3 if self.extension else 0

    @property
    def tag_size(self) -> int:
        """Bytes of the code behind the data of mode 10."""
        return 4 + 4 * (self.extension[1] & 3) if len(self.extension) > 1 else 0

    @property
    def content(self) -> int:
        """What kind of message it is: standard, static, … (bits 14 and 15, or 2 and 3 in mode 5)."""
        return self.field >> 2 & 3 if self.mode == 5 else self.field >> 14 & 3

    def __bytes__(self) -> bytes:
        version = b"" if self.key_version is None else bytes((self.key_version,))
        behind = self.counter + version if self.mode == 7 else version + self.counter
        return self.field.to_bytes(2, "little") + self.extension + behind


_COUNTER_PRESENT: Final = 0x2000
"""The bit Z of mode 7: the message counter stands in the header. Else it is that of the AFL."""
_EXTENSIONS: Final = {7: 1, 8: 1, 9: 1, 10: 2, 13: 1}


def decode_configuration(data: bytes, at: int, layer: int = 0) -> Configuration:
    """The configuration field at `at`, which is the last of a short or long header.

    Raises:
        RemoteProtocolError: its extension is not whole.
    """
    if len(data) < at + 2:
        raise RemoteProtocolError("the configuration field is missing", at, layer)
    word = int.from_bytes(data[at : at + 2], "little")
    mode = word >> 8 & 0x1F
    size = _EXTENSIONS.get(mode, 0)
    extension, here = data[at + 2 : at + 2 + size], at + 2 + size
    version, counter = None, b""
    if mode == 7 and len(extension) == size:
        if word & _COUNTER_PRESENT:
            counter, here = data[here : here + 4], here + 4
        if extension[0] & 0x40:
            version, here = data[here] if here < len(data) else 0, here + 1
    if mode == 10 and len(extension) == size:
        if extension[0] & 0x40:
            version, here = data[here] if here < len(data) else 0, here + 1
        counter, here = data[here : here + 4], here + 4
    if here > len(data):
        raise RemoteProtocolError(f"the configuration of mode {mode} needs {here - at} bytes", at, layer)
    return Configuration(word, extension, version, counter, here)
