"""The SET service: writing attributes (IEC 62056-5-3 § 8.3, Set-Request and Set-Response).

Of a long value the first block alone names the attribute.
"""

from __future__ import annotations

from polymeter.protocols.dlms.apdus.base import APDU, apdu
from polymeter.protocols.dlms.apdus.descriptors import (
    Access,
    Attribute,
    Attributes,
    Result,
    Results,
)
from polymeter.protocols.dlms.apdus.fields import (
    Boolean,
    OctetString,
    Unsigned8,
    Unsigned32,
    Value,
    Values,
)

__all__ = [
    "SetRequestNormal",
    "SetRequestWithDatablock",
    "SetRequestWithFirstDatablock",
    "SetRequestWithList",
    "SetRequestWithListAndFirstDatablock",
    "SetResponseDatablock",
    "SetResponseLastDatablock",
    "SetResponseLastDatablockWithList",
    "SetResponseNormal",
    "SetResponseWithList",
]


@apdu(b"\xc1\x01")
class SetRequestNormal(APDU):
    """Write one attribute, or a part of it."""

    invoke: Unsigned8
    attribute: Attribute
    selection: Access
    value: Value


@apdu(b"\xc1\x02")
class SetRequestWithFirstDatablock(APDU):
    """Begin to write a long value."""

    invoke: Unsigned8
    attribute: Attribute
    selection: Access
    last_block: Boolean
    block_number: Unsigned32
    raw_data: OctetString


@apdu(b"\xc1\x03")
class SetRequestWithDatablock(APDU):
    """A further part of a long value."""

    invoke: Unsigned8
    last_block: Boolean
    block_number: Unsigned32
    raw_data: OctetString


@apdu(b"\xc1\x04")
class SetRequestWithList(APDU):
    """Write several attributes."""

    invoke: Unsigned8
    attributes: Attributes
    values: Values


@apdu(b"\xc1\x05")
class SetRequestWithListAndFirstDatablock(APDU):
    """Begin to write several long values."""

    invoke: Unsigned8
    attributes: Attributes
    last_block: Boolean
    block_number: Unsigned32
    raw_data: OctetString


@apdu(b"\xc5\x01")
class SetResponseNormal(APDU):
    """What became of one attribute."""

    invoke: Unsigned8
    result: Result


@apdu(b"\xc5\x02")
class SetResponseDatablock(APDU):
    """A block was taken, go on."""

    invoke: Unsigned8
    block_number: Unsigned32


@apdu(b"\xc5\x03")
class SetResponseLastDatablock(APDU):
    """The last block was taken; what became of the attribute."""

    invoke: Unsigned8
    result: Result
    block_number: Unsigned32


@apdu(b"\xc5\x04")
class SetResponseLastDatablockWithList(APDU):
    """The last block was taken; what became of all attributes."""

    invoke: Unsigned8
    results: Results
    block_number: Unsigned32


@apdu(b"\xc5\x05")
class SetResponseWithList(APDU):
    """What became of all attributes."""

    invoke: Unsigned8
    results: Results
