"""The SET service: writing attributes (IEC 62056-5-3 § 8.3, Set-Request and Set-Response).

Of a long value the first block alone names the attribute.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from polymeter.protocols.dlms.apdus.base import APDU, apdu
from polymeter.protocols.dlms.apdus.descriptors import (
    ATTRIBUTE,
    DATA_ACCESS_RESULT,
    SELECTED_ATTRIBUTE,
    SELECTION,
    AttributeDescriptor,
    SelectedAttribute,
    Selection,
)
from polymeter.protocols.dlms.apdus.fields import BOOLEAN, DATA, OCTETS, U8, U32, Kind, ListOf
from polymeter.protocols.dlms.axdr import Data

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


@apdu
@dataclass(frozen=True, slots=True)
class SetRequestNormal(APDU):
    """Write one attribute, or a part of it."""

    HEAD: ClassVar[bytes] = b"\xc1\x01"
    LAYOUT: ClassVar[tuple[Kind, ...]] = (U8, ATTRIBUTE, SELECTION, DATA)
    invoke: int
    attribute: AttributeDescriptor
    selection: Selection | None
    value: Data


@apdu
@dataclass(frozen=True, slots=True)
class SetRequestWithFirstDatablock(APDU):
    """Begin to write a long value."""

    HEAD: ClassVar[bytes] = b"\xc1\x02"
    LAYOUT: ClassVar[tuple[Kind, ...]] = (U8, ATTRIBUTE, SELECTION, BOOLEAN, U32, OCTETS)
    invoke: int
    attribute: AttributeDescriptor
    selection: Selection | None
    last_block: bool
    block_number: int
    raw_data: bytes


@apdu
@dataclass(frozen=True, slots=True)
class SetRequestWithDatablock(APDU):
    """A further part of a long value."""

    HEAD: ClassVar[bytes] = b"\xc1\x03"
    LAYOUT: ClassVar[tuple[Kind, ...]] = (U8, BOOLEAN, U32, OCTETS)
    invoke: int
    last_block: bool
    block_number: int
    raw_data: bytes


@apdu
@dataclass(frozen=True, slots=True)
class SetRequestWithList(APDU):
    """Write several attributes."""

    HEAD: ClassVar[bytes] = b"\xc1\x04"
    LAYOUT: ClassVar[tuple[Kind, ...]] = (U8, ListOf(SELECTED_ATTRIBUTE), ListOf(DATA))
    invoke: int
    attributes: tuple[SelectedAttribute, ...]
    values: tuple[Data, ...]


@apdu
@dataclass(frozen=True, slots=True)
class SetRequestWithListAndFirstDatablock(APDU):
    """Begin to write several long values."""

    HEAD: ClassVar[bytes] = b"\xc1\x05"
    LAYOUT: ClassVar[tuple[Kind, ...]] = (U8, ListOf(SELECTED_ATTRIBUTE), BOOLEAN, U32, OCTETS)
    invoke: int
    attributes: tuple[SelectedAttribute, ...]
    last_block: bool
    block_number: int
    raw_data: bytes


@apdu
@dataclass(frozen=True, slots=True)
class SetResponseNormal(APDU):
    """What became of one attribute."""

    HEAD: ClassVar[bytes] = b"\xc5\x01"
    LAYOUT: ClassVar[tuple[Kind, ...]] = (U8, DATA_ACCESS_RESULT)
    invoke: int
    result: int


@apdu
@dataclass(frozen=True, slots=True)
class SetResponseDatablock(APDU):
    """A block was taken, go on."""

    HEAD: ClassVar[bytes] = b"\xc5\x02"
    LAYOUT: ClassVar[tuple[Kind, ...]] = (U8, U32)
    invoke: int
    block_number: int


@apdu
@dataclass(frozen=True, slots=True)
class SetResponseLastDatablock(APDU):
    """The last block was taken; what became of the attribute."""

    HEAD: ClassVar[bytes] = b"\xc5\x03"
    LAYOUT: ClassVar[tuple[Kind, ...]] = (U8, DATA_ACCESS_RESULT, U32)
    invoke: int
    result: int
    block_number: int


@apdu
@dataclass(frozen=True, slots=True)
class SetResponseLastDatablockWithList(APDU):
    """The last block was taken; what became of all attributes."""

    HEAD: ClassVar[bytes] = b"\xc5\x04"
    LAYOUT: ClassVar[tuple[Kind, ...]] = (U8, ListOf(DATA_ACCESS_RESULT), U32)
    invoke: int
    results: tuple[int, ...]
    block_number: int


@apdu
@dataclass(frozen=True, slots=True)
class SetResponseWithList(APDU):
    """What became of all attributes."""

    HEAD: ClassVar[bytes] = b"\xc5\x05"
    LAYOUT: ClassVar[tuple[Kind, ...]] = (U8, ListOf(DATA_ACCESS_RESULT))
    invoke: int
    results: tuple[int, ...]
