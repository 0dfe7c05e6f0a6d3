"""The meter's end: telegrams as meters send them, plain or protected.

A `Sender` is one meter with its key; it holds no time and no dice, so whoever drives it counts the
access number and the message counter. What it builds decodes to the records that it was given.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from polymeter.protocols.crc import crc16_en13757
from polymeter.protocols.mbus import LongHeader, ShortHeader
from polymeter.protocols.wire import LocalProtocolError
from polymeter.protocols.wmbus import security
from polymeter.protocols.wmbus.compact import signature
from polymeter.protocols.wmbus.fragments import FRAGMENTS_MAX, MESSAGE_MAX, split
from polymeter.protocols.wmbus.headers import AFL, ELL, Configuration, LinkHeader

__all__ = ["SENDER_MODES", "Sender", "compact_frame"]

SEND_NO_REPLY: Final = 0x44
SENDER_MODES: Final = (0, 4, 5, 7, 8, 9, 10)
_FILLER: Final = b"\x2f"
_HAS_LENGTH: Final = 0x40
_HAS_COUNTER: Final = 0x20
"""Bits of the message control field."""
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
    compact: bool = False
    """Whether the data is that of compact frames: signature, CRC, and values without their headers."""

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
        afl, message = self._message(records, access_number, counter, status, tail)
        if afl is None:
            return self._framed(message)
        return self._framed(bytes(_authenticated(afl, message, self._code_key(afl))) + message)

    def fragments(
        self, records: bytes, size: int, *, access_number: int = 0, counter: int = 0, status: int = 0
    ) -> list[bytes]:
        """The same message in frames that carry at most `size` bytes of it each.

        Raises:
            LocalProtocolError: it takes more frames than can be counted, or is sent in a session.
        """
        if self.session:
            raise LocalProtocolError("a session encrypts frame by frame: it has no fragments")
        afl, message = self._message(records, access_number & 0xFF, counter, status, b"")
        if size < 1 or len(message) > min(FRAGMENTS_MAX * size, MESSAGE_MAX):
            raise LocalProtocolError(f"a message of {len(message)} bytes does not fit fragments of {size}")
        afl = afl if afl is not None else AFL(0, False, 0)
        afl = replace(
            afl,
            message_control=(afl.message_control or 0) | _HAS_LENGTH,
            message_length=len(message).to_bytes(2, "little"),
        )
        afl = _authenticated(afl, message, self._code_key(afl))
        return [self._framed(bytes(one.afl) + one.data) for one in split(afl, message, size)]

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
            ci = 0x7B if self.compact else 0x7A
            plain = bytes((ci,)) + bytes(ShortHeader(access_number, status))[:2]
        else:
            ci = 0x73 if self.compact else 0x72
            plain = bytes((ci,)) + bytes(self.meter)[:8] + bytes((access_number, status))
        return plain + bytes(configuration)

    def _session(self, records: bytes, access_number: int, counter: int, status: int) -> bytes:
        number = (0x20000000 | (counter & 0x01FFFFFF) << 4).to_bytes(4, "little")
        ell = ELL(0x8D, 0x20, access_number, session=number, crc=0)
        payload = self._header(access_number, status, Configuration(0)) + records
        block = ell.counter_block(bytes(self.link)[1:])
        return bytes(ell)[:-2] + security.encrypt_ell(self.key, block, payload)

    def _message(
        self, records: bytes, access_number: int, counter: int, status: int, tail: bytes
    ) -> tuple[AFL | None, bytes]:
        """The message from its CI field on, and what its layer of authentication says, without the code."""
        number = counter.to_bytes(4, "little")
        coded = AFL(0, False, _HAS_COUNTER | _MAC_TYPE, b"", number, bytes(_MAC_SIZE))
        match self.mode:
            case 0:
                return None, self._header(access_number, status, Configuration(0)) + records + tail
            case 4 | 5:
                plain = _filled(records)
                iv = bytes(16) if self.mode == 4 else security.iv_mode5(self._address, access_number)
                head = self._header(access_number, status, _blocks(self.mode, plain))
                return None, head + security.encrypt_cbc(self.key, iv, plain) + tail
            case 7:
                plain = _filled(records)
                own = self._derived("encryption", number)
                head = self._header(access_number, status, _blocks(7, plain, bytes((_KDF_A,))))
                return coded, head + security.encrypt_cbc(own, bytes(16), plain) + tail
            case 8:
                own = self._derived("encryption", number)
                head = self._header(access_number, status, Configuration(0x0800, bytes((_KDF_A,))))
                block = self._address + number + bytes(4)
                return coded, head + security.ctr(own, block, records)
            case 9:
                head = self._header(access_number, status, Configuration(0x0900, bytes((_KDF_A,))))
                own = self._derived("encryption", number)
                sealed = security.gcm(own, self._address + number[::-1], head, records)
                return AFL(0, False, _HAS_COUNTER, b"", number), head + sealed
            case 10:
                configuration = Configuration(0x0AFF, bytes((_KDF_A, 1)), None, number)
                head = self._header(access_number, status, configuration)
                own = self._derived("encryption", number)
                nonce = security.nonce_ccm(self._address, number)
                return None, head + security.ccm(own, nonce, head[:-4], records, _TAG_SIZE)
            case _:
                raise LocalProtocolError(f"mode {self.mode} is not sent; there are {SENDER_MODES}")

    def _derived(self, purpose: security.Purpose, number: bytes) -> bytes:
        return security.derive_key(self.key, purpose, number, self._address[2:6])

    def _code_key(self, afl: AFL) -> bytes:
        return self._derived("authentication", afl.counter) if afl.mac else b""


def _authenticated(afl: AFL, message: bytes, key: bytes) -> AFL:
    """The layer with its code over itself and the message, if it has one."""
    if not afl.mac:
        return afl
    code = security.authentication_code(key, afl.authenticated + message, _MAC_SIZE)
    return replace(afl, mac=code)


def _filled(records: bytes) -> bytes:
    """Records behind two fillers, filled up to whole blocks."""
    plain = security.PLAIN_START + records
    return plain + _FILLER * (-len(plain) % 16)


def _blocks(mode: int, plain: bytes, extension: bytes = b"") -> Configuration:
    blocks = min(len(plain) // 16, security.ALL_BLOCKS)
    return Configuration(mode << 8 | blocks << 4, extension)


def compact_frame(headers: bytes, full: bytes, data: bytes) -> bytes:
    """CI field, signature, CRC and data of a compact frame; `full` is what it stands for."""
    number, crc = signature(headers), crc16_en13757(full)
    return b"\x79" + number.to_bytes(2, "little") + crc.to_bytes(2, "little") + data
