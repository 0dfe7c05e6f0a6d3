"""The transport layer's header: who sent it, in which state it is, how it is protected.

EN 13757-7 § 7: a long header names the meter (CI 72, 53 …), a short one does not (7A, 5A …), and
some CI fields have none (78). Shared with wireless M-Bus, where the configuration field says how
the data is encrypted; on wire it is the signature and nearly always zero.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from polymeter.protocols.wire import LocalProtocolError, MeterIdentity, RemoteProtocolError, Tree

__all__ = [
    "LONG_HEADER_SIZE",
    "MEDIA",
    "SHORT_HEADER_SIZE",
    "LongHeader",
    "ShortHeader",
    "decode_long_header",
    "decode_manufacturer",
    "decode_short_header",
    "encode_manufacturer",
    "explain_header",
    "identity",
    "medium_name",
    "secondary_address",
    "status_text",
]

LONG_HEADER_SIZE: Final = 12
SHORT_HEADER_SIZE: Final = 4

MEDIA: Final[dict[int, str]] = {
    0x00: "other",
    0x01: "oil",
    0x02: "electricity",
    0x03: "gas",
    0x04: "heat",
    0x05: "steam",
    0x06: "warm water",
    0x07: "water",
    0x08: "heat cost allocator",
    0x09: "compressed air",
    0x0A: "cooling",
    0x0B: "cooling, inlet",
    0x0C: "heat, inlet",
    0x0D: "heat and cooling",
    0x0E: "bus or system component",
    0x0F: "unknown",
    0x10: "irrigation water",
    0x11: "water data logger",
    0x12: "gas data logger",
    0x13: "gas converter",
    0x14: "calorific value",
    0x15: "hot water",
    0x16: "cold water",
    0x17: "hot and cold water",
    0x18: "pressure",
    0x19: "A/D converter",
    0x1A: "smoke detector",
    0x1B: "room sensor",
    0x1C: "gas detector",
    0x1D: "carbon monoxide alarm",
    0x1E: "heat alarm",
    0x1F: "sensor",
    0x20: "breaker",
    0x21: "valve",
    0x25: "customer unit",
    0x28: "waste water",
    0x29: "garbage",
    0x2A: "carbon dioxide",
    0x30: "service tool",
    0x31: "communication controller",
    0x32: "unidirectional repeater",
    0x33: "bidirectional repeater",
    0x36: "radio converter, system side",
    0x37: "radio converter, meter side",
    0x38: "wired adapter",
}
"""Device types (§ 7.5.4): heat and cooling without a word of it are measured in the outlet."""

_APPLICATION: Final = ("no error", "application busy", "application error", "abnormal condition")
_STATUS_BITS: Final = ((0x04, "power low"), (0x08, "permanent error"), (0x10, "temporary error"))


class LongHeader(NamedTuple):
    """Identification, access number, status and configuration field: twelve bytes.

    A tuple, since every telegram makes one; ``header._replace(id=…)`` gives a changed one.
    """

    id: str
    """Eight digits; hexadecimal ones are kept."""
    manufacturer: str
    version: int
    device_type: int
    access_number: int = 0
    status: int = 0
    configuration: int = 0
    """The signature on wire, the configuration field on radio, least significant byte first."""

    def __bytes__(self) -> bytes:
        if len(self.id) > 8:
            raise LocalProtocolError(f"an identification number has eight digits, not {self.id!r}")
        try:
            number = bytes.fromhex(self.id.rjust(8, "0"))[::-1]
        except ValueError as error:
            raise LocalProtocolError(f"{self.id!r} is no identification number") from error
        return (
            number
            + encode_manufacturer(self.manufacturer)
            + bytes((self.version, self.device_type, self.access_number, self.status))
            + self.configuration.to_bytes(2, "little")
        )

    @property
    def address(self) -> bytes:
        """The eight bytes of the secondary address, as they travel."""
        return bytes(self)[:8]


class ShortHeader(NamedTuple):
    """Access number, status and configuration field: four bytes."""

    access_number: int = 0
    status: int = 0
    configuration: int = 0

    def __bytes__(self) -> bytes:
        return bytes((self.access_number, self.status)) + self.configuration.to_bytes(2, "little")


@lru_cache(maxsize=1024)
def decode_manufacturer(data: bytes) -> str:
    """The three letters of a FLAG code in two bytes, least significant first."""
    code = data[0] | data[1] << 8
    return "".join(chr((code >> shift & 0x1F) + 64) for shift in (10, 5, 0))


def encode_manufacturer(letters: str) -> bytes:
    """A FLAG code as it travels.

    Raises:
        LocalProtocolError: it is not three characters from ``@`` to ``_``.
    """
    if len(letters) != 3 or not all(64 <= ord(letter) < 96 for letter in letters):
        raise LocalProtocolError(f"{letters!r} is no FLAG code of three letters")
    code = 0
    for letter in letters:
        code = code << 5 | ord(letter) - 64
    return code.to_bytes(2, "little")


def medium_name(device_type: int) -> str:
    """A device type in words."""
    return MEDIA.get(device_type) or f"device type {device_type:02X}"


def status_text(status: int) -> str:
    """The status byte in words (§ 7.5.6)."""
    words = [_APPLICATION[status & 3]] if status & 3 or not status & 0xFC else []
    words += [word for bit, word in _STATUS_BITS if status & bit]
    if status >> 5:
        words.append(f"manufacturer's bits {status >> 5:03b}")
    return ", ".join(words)


def decode_long_header(data: bytes, at: int = 0, *, layer: int = 0, msb_first: bool = False) -> LongHeader:
    """The long header at `at`. `msb_first` is for CI 76, whose numbers are the other way round.

    Raises:
        RemoteProtocolError: fewer than twelve bytes are left.
    """
    block = data[at : at + LONG_HEADER_SIZE]
    if len(block) < LONG_HEADER_SIZE:
        raise RemoteProtocolError(f"the header needs 12 bytes, {len(block)} are left", at, layer)
    if msb_first:
        block = block[3::-1] + block[5:3:-1] + block[6:10] + block[:9:-1]
    return LongHeader(
        block[3::-1].hex().upper(),
        decode_manufacturer(block[4:6]),
        block[6],
        block[7],
        block[8],
        block[9],
        block[10] | block[11] << 8,
    )


def decode_short_header(data: bytes, at: int = 0, *, layer: int = 0) -> ShortHeader:
    """The short header at `at`.

    Raises:
        RemoteProtocolError: fewer than four bytes are left.
    """
    block = data[at : at + SHORT_HEADER_SIZE]
    if len(block) < SHORT_HEADER_SIZE:
        raise RemoteProtocolError(f"the header needs 4 bytes, {len(block)} are left", at, layer)
    return ShortHeader(block[0], block[1], block[2] | block[3] << 8)


def identity(header: LongHeader) -> MeterIdentity:
    """Who a long header says it is."""
    return MeterIdentity(
        header.id,
        header.manufacturer,
        medium_name(header.device_type),
        header.version,
        address=secondary_address(header.address),
    )


def secondary_address(data: bytes) -> str:
    """The sixteen digits of a secondary address: the number, then the other bytes as they travel."""
    return (data[3::-1] + data[4:8]).hex().upper()


def explain_header(tree: Tree, header: LongHeader | ShortHeader, at: int) -> int:
    """Draw a header into a tree and give where it ends."""
    tree.open("header", at)
    if isinstance(header, LongHeader):
        tree.leaf("identification number", at, at + 4, header.id)
        tree.leaf("manufacturer", at + 4, at + 6, header.manufacturer)
        tree.leaf("version", at + 6, at + 7, header.version)
        tree.leaf("device type", at + 7, at + 8, header.device_type, medium_name(header.device_type))
        at += 8
    tree.leaf("access number", at, at + 1, header.access_number)
    tree.leaf("status", at + 1, at + 2, header.status, status_text(header.status))
    tree.leaf("configuration", at + 2, at + 4, header.configuration)
    tree.close(at + 4)
    return at + 4
