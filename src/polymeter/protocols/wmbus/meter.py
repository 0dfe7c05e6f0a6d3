"""The meter's end: telegrams as meters send them, plain or protected.

A `Sender` is one meter with its key; it holds no time and no dice, so whoever drives it counts the
access number and the message counter. What it builds decodes to the records that it was given.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from polymeter.protocols.crc import crc16_en13757
from polymeter.protocols.mbus import LongHeader, ShortHeader
from polymeter.protocols.wire import LocalProtocolError
from polymeter.protocols.wmbus import security
from polymeter.protocols.wmbus.compact import signature
from polymeter.protocols.wmbus.headers import AFL, ELL, Configuration, LinkHeader

__all__ = ["SENDER_MODES", "Sender", "compact_frame"]

SEND_NO_REPLY: Final = 0x44
SENDER_MODES: Final = (0, 4, 5, 7, 8, 9, 10)
_FILLER: Final = b"\x2f"
_MAC_TYPE: Final = 5
_MAC_SIZE: Final = 8
_KDF_A: Final = 0x10
_TAG_SIZE: Final = 8
_FRAME_DATA_MAX: Final = 255


@dataclass(frozen=True, slots=True)
class Sender:
    """A meter that sends.

    With `meter` the telegram has a long header, and `link` is the radio adapter in front of it.
    """

    link: LinkHeader
    key: bytes = field(default=b"", repr=False)
    mode: int = 0
    meter: LongHeader | None = None
    session: bool = False
    """Whether an extended link layer with session number encrypts, in place of the transport layer."""

    def telegram(
        self, records: bytes, *, access_number: int = 0, counter: int = 0, status: int = 0, tail: bytes = b""
    ) -> bytes:
        """A whole frame without checksums.

        Args:
            records: the data, as `mbus.encode_record` makes it.
            access_number: counts telegrams, and is part of the vector of mode 5.
            counter: the message counter of modes 7 to 10, or the session number.
            status: the status byte.
            tail: further data that is left in clear (modes 4 and 5).

        Raises:
            LocalProtocolError: the data does not fit, or the mode is none that is sent.
        """
        access_number &= 0xFF
        if self.session:
            return self._framed(self._session(records, access_number, counter, status))
        return self._framed(self._transport(records, access_number, counter, status, tail))

    def _framed(self, body: bytes) -> bytes:
        link = bytes(self.link)
        if len(link) + len(body) > _FRAME_DATA_MAX:
            raise LocalProtocolError(f"{len(body)} bytes do not fit a frame")
        return bytes((len(link) + len(body),)) + link + body

    @property
    def _address(self) -> bytes:
        if self.meter is None:
            return bytes(self.link)[1:]
        own = bytes(self.meter)
        return own[4:6] + own[:4] + own[6:8]

    def _header(self, access_number: int, status: int, configuration: Configuration) -> bytes:
        """CI field, header and configuration."""
        if self.meter is None:
            plain = bytes((0x7A,)) + bytes(ShortHeader(access_number, status))[:2]
        else:
            plain = bytes((0x72,)) + bytes(self.meter)[:8] + bytes((access_number, status))
        return plain + bytes(configuration)

    def _session(self, records: bytes, access_number: int, counter: int, status: int) -> bytes:
        number = (0x20000000 | (counter & 0x01FFFFFF) << 4).to_bytes(4, "little")
        ell = ELL(0x8D, 0x20, access_number, session=number, crc=0)
        payload = self._header(access_number, status, Configuration(0)) + records
        block = ell.counter_block(bytes(self.link)[1:])
        return bytes(ell)[:-2] + security.encrypt_ell(self.key, block, payload)

    def _transport(self, records: bytes, access_number: int, counter: int, status: int, tail: bytes) -> bytes:
        number = counter.to_bytes(4, "little")
        match self.mode:
            case 0:
                return self._header(access_number, status, Configuration(0)) + records + tail
            case 4 | 5:
                plain = _filled(records)
                iv = bytes(16) if self.mode == 4 else security.iv_mode5(self._address, access_number)
                head = self._header(access_number, status, _blocks(self.mode, plain))
                return head + security.encrypt_cbc(self.key, iv, plain) + tail
            case 7:
                plain = _filled(records)
                own = self._derived("encryption", number)
                head = self._header(access_number, status, _blocks(7, plain, bytes((_KDF_A,))))
                return self._authenticated(head + security.encrypt_cbc(own, bytes(16), plain) + tail, number)
            case 8:
                own = self._derived("encryption", number)
                head = self._header(access_number, status, Configuration(0x0800, bytes((_KDF_A,))))
                block = self._address + number + bytes(4)
                return self._authenticated(head + security.ctr(own, block, records), number)
            case 9:
                head = self._header(access_number, status, Configuration(0x0900, bytes((_KDF_A,))))
                own = self._derived("encryption", number)
                sealed = security.gcm(own, self._address + number[::-1], head, records)
                return bytes(AFL(1, False, 0x20, b"", number)) + head + sealed
            case 10:
                configuration = Configuration(0x0AFF, bytes((_KDF_A, 1)), None, number)
                head = self._header(access_number, status, configuration)
                own = self._derived("encryption", number)
                nonce = security.nonce_ccm(self._address, number)
                return head + security.ccm(own, nonce, head[:-4], records, _TAG_SIZE)
            case _:
                raise LocalProtocolError(f"mode {self.mode} is not sent; there are {SENDER_MODES}")

    def _derived(self, purpose: security.Purpose, number: bytes) -> bytes:
        return security.derive_key(self.key, purpose, number, self._address[2:6])

    def _authenticated(self, message: bytes, number: bytes) -> bytes:
        afl = AFL(0, False, 0x20 | _MAC_TYPE, b"", number, bytes(_MAC_SIZE))
        own = self._derived("authentication", number)
        code = security.authentication_code(own, afl.authenticated + message, _MAC_SIZE)
        return bytes(AFL(0, False, 0x20 | _MAC_TYPE, b"", number, code)) + message


def _filled(records: bytes) -> bytes:
    """Records behind two fillers, filled up to whole blocks."""
    plain = security.PLAIN_START + records
    return plain + _FILLER * (-len(plain) % 16)


def _blocks(mode: int, plain: bytes, extension: bytes = b"") -> Configuration:
    blocks = len(plain) // 16
    if blocks > 15:
        raise LocalProtocolError(f"{len(plain)} bytes are more than fifteen blocks")
    return Configuration(mode << 8 | blocks << 4, extension)


def compact_frame(headers: bytes, full: bytes, data: bytes) -> bytes:
    """CI field, signature, CRC and data of a compact frame; `full` is what it stands for."""
    number, crc = signature(headers), crc16_en13757(full)
    return b"\x79" + number.to_bytes(2, "little") + crc.to_bytes(2, "little") + data
