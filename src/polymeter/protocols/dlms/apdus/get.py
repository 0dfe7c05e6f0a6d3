"""The GET service: reading attributes (IEC 62056-5-3 § 8.3, Get-Request and Get-Response).

A value too long for one APDU comes in blocks: `raw_data` of all blocks together is what would have
followed the choice of the result, or, for a list, the count and all results.
"""

from __future__ import annotations

from polymeter.protocols.dlms.apdus.base import APDU, apdu
from polymeter.protocols.dlms.apdus.descriptors import (
    Access,
    Attribute,
    Attributes,
    BlockResult,
    GetResult,
    GetResults,
)
from polymeter.protocols.dlms.apdus.fields import (
    Boolean,
    Unsigned8,
    Unsigned32,
)

__all__ = [
    "GetRequestNext",
    "GetRequestNormal",
    "GetRequestWithList",
    "GetResponseNormal",
    "GetResponseWithDatablock",
    "GetResponseWithList",
]


@apdu(b"\xc0\x01")
class GetRequestNormal(APDU):
    """Read one attribute, or a part of it."""

    invoke: Unsigned8
    attribute: Attribute
    selection: Access = None


@apdu(b"\xc0\x02")
class GetRequestNext(APDU):
    """The block after `block_number`."""

    invoke: Unsigned8
    block_number: Unsigned32


@apdu(b"\xc0\x03")
class GetRequestWithList(APDU):
    """Read several attributes."""

    invoke: Unsigned8
    attributes: Attributes


@apdu(b"\xc4\x01")
class GetResponseNormal(APDU):
    """The value, or why there is none."""

    invoke: Unsigned8
    result: GetResult


@apdu(b"\xc4\x02")
class GetResponseWithDatablock(APDU):
    """A part of a long value, or why there are no more."""

    invoke: Unsigned8
    last_block: Boolean
    block_number: Unsigned32
    result: BlockResult


@apdu(b"\xc4\x03")
class GetResponseWithList(APDU):
    """The values, or why there is none, in the order asked."""

    invoke: Unsigned8
    results: GetResults
