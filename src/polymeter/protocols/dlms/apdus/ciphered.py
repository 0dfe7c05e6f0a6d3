"""Envelopes of protected APDUs (IEC 62056-5-3 § 5.3.7, 8.3): what is on the wire, still sealed.

Each service has a tag for the global and one for the dedicated key; the general forms name their
system title. Inside are security control, invocation counter, contents and perhaps a tag, which
`security` opens. General-signing belongs to suites that follow later: it is recognised, kept and named.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, NamedTuple

from polymeter.protocols.dlms.apdus.base import APDU, announce, apdu
from polymeter.protocols.dlms.apdus.fields import (
    OCTETS,
    U8,
    Choice,
    Cursor,
    OctetString,
    Optional,
    Sink,
    Tupled,
)
from polymeter.protocols.dlms.data import encode_length

__all__ = [
    "DEDICATED_TAGS",
    "GLOBAL_TAGS",
    "SERVICE_NAMES",
    "AgreedKey",
    "GeneralCiphering",
    "GeneralDedCiphering",
    "GeneralGloCiphering",
    "GeneralSigning",
    "IdentifiedKey",
    "ServiceCiphering",
    "WrappedKey",
]

GLOBAL_TAGS: Final[dict[int, int]] = {
    0x01: 0x21, 0x05: 0x25, 0x06: 0x26, 0x08: 0x28, 0x0C: 0x2C, 0x0D: 0x2D, 0x0E: 0x2E, 0x16: 0x36,
    0x18: 0x38, 0xC0: 0xC8, 0xC1: 0xC9, 0xC2: 0xCA, 0xC3: 0xCB, 0xC4: 0xCC, 0xC5: 0xCD, 0xC7: 0xCF,
}  # fmt: skip
"""Tag of a plain APDU to its tag under the global key."""
DEDICATED_TAGS: Final[dict[int, int]] = {
    0x01: 0x41, 0x05: 0x45, 0x06: 0x46, 0x08: 0x48, 0x0C: 0x4C, 0x0D: 0x4D, 0x0E: 0x4E, 0x16: 0x56,
    0x18: 0x58, 0xC0: 0xD0, 0xC1: 0xD1, 0xC2: 0xD2, 0xC3: 0xD3, 0xC4: 0xD4, 0xC5: 0xD5, 0xC7: 0xD7,
}  # fmt: skip
"""Tag of a plain APDU to its tag under the dedicated key."""
SERVICE_NAMES: Final = {
    0x01: "initiate-request", 0x05: "read-request", 0x06: "write-request", 0x08: "initiate-response",
    0x0C: "read-response", 0x0D: "write-response", 0x0E: "confirmed-service-error",
    0x16: "unconfirmed-write-request", 0x18: "information-report-request", 0xC0: "get-request",
    0xC1: "set-request", 0xC2: "event-notification-request", 0xC3: "action-request",
    0xC4: "get-response", 0xC5: "set-response", 0xC7: "action-response",
}  # fmt: skip


class _Service:
    """The tag that was read last, so that one class serves all services."""

    def __init__(self, tag: int) -> None:
        self.tag = tag

    def read(self, cursor: Cursor, name: str) -> int:
        return self.tag

    def write(self, sink: Sink, value: Any) -> None:
        return None


@dataclass(frozen=True, slots=True)
class ServiceCiphering(APDU):
    """A glo- or ded- APDU of one service; `service` is the tag of what it holds."""

    service: int
    content: bytes
    dedicated: ClassVar[bool] = False

    @classmethod
    def of(cls, service: int, content: bytes, *, dedicated: bool = False) -> ServiceCiphering:
        """The envelope for a plain APDU with the tag `service`."""
        return _BY_SERVICE[service, dedicated](service, content)


def _service_ciphering(service: int, tag: int, dedicated: bool) -> type[ServiceCiphering]:
    prefix = "ded" if dedicated else "glo"
    words = SERVICE_NAMES[service].title().replace("-", "")
    cls: type[ServiceCiphering] = type(
        f"{prefix.title()}{words}",
        (ServiceCiphering,),
        {"__slots__": (), "__doc__": f"{prefix}-{SERVICE_NAMES[service]}.", "dedicated": dedicated},
    )
    announce(cls, bytes((tag,)), (_Service(service), OCTETS))
    return cls


_BY_SERVICE: Final = {
    (service, dedicated): _service_ciphering(service, tag, dedicated)
    for tags, dedicated in ((GLOBAL_TAGS, False), (DEDICATED_TAGS, True))
    for service, tag in tags.items()
}


@apdu(b"\xdb")
class GeneralGloCiphering(APDU):
    """Any APDU under a global key. The system title may be empty: then the negotiated one holds."""

    system_title: OctetString
    content: OctetString

    @classmethod
    def quick(cls, data: bytes) -> GeneralGloCiphering | None:
        """A title of eight octets and contents whose length is as short as can be."""
        if len(data) < 140 or data[1] != 8:
            return None
        size = data[10]
        at = 12
        if size == 0x81:
            size = data[11]
        elif size == 0x82 and data[11]:
            size = data[11] << 8 | data[12]
            at = 13
        else:
            return None
        if at + size != len(data) or size < 0x80:
            return None
        made = object.__new__(cls)
        _put_system_title(made, data[2:10])
        _put_content(made, data[at:])
        _put_heads(made, ())
        return made


# A frozen class sets its fields a third slower than its slots do themselves.
_put_system_title: Final = GeneralGloCiphering.__dict__["system_title"].__set__
_put_content: Final = GeneralGloCiphering.__dict__["content"].__set__
_put_heads: Final = APDU.__dict__["heads"].__set__


@apdu(b"\xdc")
class GeneralDedCiphering(APDU):
    """Any APDU under a dedicated key."""

    system_title: OctetString
    content: OctetString


class IdentifiedKey(NamedTuple):
    """The key is one both ends have: 0 global unicast, 1 global broadcast."""

    key_id: int


class WrappedKey(NamedTuple):
    """The key comes wrapped under another: 0 is the master key."""

    kek_id: int
    key_ciphered_data: bytes


class AgreedKey(NamedTuple):
    """The key is agreed by Diffie-Hellman."""

    key_parameters: bytes
    key_ciphered_data: bytes


_KEY_INFO: Final = Choice(
    {
        0: Tupled(IdentifiedKey, (("key id", U8),)),
        1: Tupled(WrappedKey, (("kek id", U8), ("key ciphered data", OCTETS))),
        2: Tupled(AgreedKey, (("key parameters", OCTETS), ("key ciphered data", OCTETS))),
    },
    ((IdentifiedKey, 0), (WrappedKey, 1), (AgreedKey, 2)),
)


@apdu(b"\xdd")
class GeneralCiphering(APDU):
    """Any APDU with the way its key was agreed."""

    transaction_id: OctetString
    originator_system_title: OctetString
    recipient_system_title: OctetString
    date_time: OctetString
    other_information: OctetString
    key_info: Annotated[IdentifiedKey | WrappedKey | AgreedKey | None, Optional(_KEY_INFO)]
    content: OctetString

    @property
    def about(self) -> bytes:
        """What the tag covers beside the contents: the fields before the key, with their lengths."""
        fields = (
            self.transaction_id,
            self.originator_system_title,
            self.recipient_system_title,
            self.date_time,
            self.other_information,
        )
        return b"".join(encode_length(len(field)) + field for field in fields)


@apdu(b"\xdf")
class GeneralSigning(APDU):
    """Any APDU with a signature."""

    transaction_id: OctetString
    originator_system_title: OctetString
    recipient_system_title: OctetString
    date_time: OctetString
    other_information: OctetString
    content: OctetString
    signature: OctetString
