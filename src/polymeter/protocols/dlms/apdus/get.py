"""The GET service: reading attributes (IEC 62056-5-3 § 8.3, Get-Request and Get-Response).

A value too long for one APDU comes in blocks: `raw_data` of all blocks together is what would have
followed the choice of the result, or, for a list, the count and all results.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from polymeter.protocols.dlms.apdus.base import APDU, apdu
from polymeter.protocols.dlms.apdus.descriptors import (
    ATTRIBUTE,
    BLOCK_RESULT,
    GET_RESULT,
    SELECTED_ATTRIBUTE,
    SELECTION,
    AttributeDescriptor,
    SelectedAttribute,
    Selection,
)
from polymeter.protocols.dlms.apdus.fields import BOOLEAN, U8, U32, Kind, ListOf
from polymeter.protocols.dlms.axdr import Data

__all__ = [
    "GetRequestNext",
    "GetRequestNormal",
    "GetRequestWithList",
    "GetResponseNormal",
    "GetResponseWithDatablock",
    "GetResponseWithList",
]


@apdu
@dataclass(frozen=True, slots=True)
class GetRequestNormal(APDU):
    """Read one attribute, or a part of it."""

    HEAD: ClassVar[bytes] = b"\xc0\x01"
    LAYOUT: ClassVar[tuple[Kind, ...]] = (U8, ATTRIBUTE, SELECTION)
    invoke: int
    attribute: AttributeDescriptor
    selection: Selection | None = None


@apdu
@dataclass(frozen=True, slots=True)
class GetRequestNext(APDU):
    """The block after `block_number`."""

    HEAD: ClassVar[bytes] = b"\xc0\x02"
    LAYOUT: ClassVar[tuple[Kind, ...]] = (U8, U32)
    invoke: int
    block_number: int


@apdu
@dataclass(frozen=True, slots=True)
class GetRequestWithList(APDU):
    """Read several attributes."""

    HEAD: ClassVar[bytes] = b"\xc0\x03"
    LAYOUT: ClassVar[tuple[Kind, ...]] = (U8, ListOf(SELECTED_ATTRIBUTE))
    invoke: int
    attributes: tuple[SelectedAttribute, ...]


@apdu
@dataclass(frozen=True, slots=True)
class GetResponseNormal(APDU):
    """The value, or why there is none."""

    HEAD: ClassVar[bytes] = b"\xc4\x01"
    LAYOUT: ClassVar[tuple[Kind, ...]] = (U8, GET_RESULT)
    invoke: int
    result: Data | int


@apdu
@dataclass(frozen=True, slots=True)
class GetResponseWithDatablock(APDU):
    """A part of a long value, or why there are no more."""

    HEAD: ClassVar[bytes] = b"\xc4\x02"
    LAYOUT: ClassVar[tuple[Kind, ...]] = (U8, BOOLEAN, U32, BLOCK_RESULT)
    invoke: int
    last_block: bool
    block_number: int
    result: bytes | int


@apdu
@dataclass(frozen=True, slots=True)
class GetResponseWithList(APDU):
    """The values, or why there is none, in the order asked."""

    HEAD: ClassVar[bytes] = b"\xc4\x03"
    LAYOUT: ClassVar[tuple[Kind, ...]] = (U8, ListOf(GET_RESULT))
    invoke: int
    results: tuple[Data | int, ...]
