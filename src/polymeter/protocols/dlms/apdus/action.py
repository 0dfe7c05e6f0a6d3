"""The ACTION service: calling methods (IEC 62056-5-3 § 8.3, Action-Request and Action-Response)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, NamedTuple

from polymeter.protocols.dlms.apdus.base import APDU, apdu
from polymeter.protocols.dlms.apdus.descriptors import GET_RESULT, METHOD, ActionResult, MethodDescriptor
from polymeter.protocols.dlms.apdus.fields import (
    BOOLEAN,
    DATA,
    OCTETS,
    U8,
    U32,
    Enumerated,
    Kind,
    ListOf,
    Optional,
    Tupled,
)
from polymeter.protocols.dlms.axdr import Data

__all__ = [
    "ActionRequestNextPblock",
    "ActionRequestNormal",
    "ActionRequestWithFirstPblock",
    "ActionRequestWithList",
    "ActionRequestWithListAndFirstPblock",
    "ActionRequestWithPblock",
    "ActionResponse",
    "ActionResponseNextPblock",
    "ActionResponseNormal",
    "ActionResponseWithList",
    "ActionResponseWithPblock",
]


class ActionResponse(NamedTuple):
    """What became of a call, and what it returns: a value or the number of a `DataAccessResult`."""

    result: int
    returned: Data | int | None = None


_RESPONSE: Final = Tupled(
    ActionResponse, (("result", Enumerated(ActionResult)), ("return parameters", Optional(GET_RESULT)))
)


@apdu
@dataclass(frozen=True, slots=True)
class ActionRequestNormal(APDU):
    """Call one method."""

    HEAD: ClassVar[bytes] = b"\xc3\x01"
    LAYOUT: ClassVar[tuple[Kind, ...]] = (U8, METHOD, Optional(DATA))
    invoke: int
    method: MethodDescriptor
    parameters: Data | None = None


@apdu
@dataclass(frozen=True, slots=True)
class ActionRequestNextPblock(APDU):
    """The block of the answer after `block_number`."""

    HEAD: ClassVar[bytes] = b"\xc3\x02"
    LAYOUT: ClassVar[tuple[Kind, ...]] = (U8, U32)
    invoke: int
    block_number: int


@apdu
@dataclass(frozen=True, slots=True)
class ActionRequestWithList(APDU):
    """Call several methods; those without parameters get null."""

    HEAD: ClassVar[bytes] = b"\xc3\x03"
    LAYOUT: ClassVar[tuple[Kind, ...]] = (U8, ListOf(METHOD), ListOf(DATA))
    invoke: int
    methods: tuple[MethodDescriptor, ...]
    parameters: tuple[Data, ...]


@apdu
@dataclass(frozen=True, slots=True)
class ActionRequestWithFirstPblock(APDU):
    """Begin a call with long parameters."""

    HEAD: ClassVar[bytes] = b"\xc3\x04"
    LAYOUT: ClassVar[tuple[Kind, ...]] = (U8, METHOD, BOOLEAN, U32, OCTETS)
    invoke: int
    method: MethodDescriptor
    last_block: bool
    block_number: int
    raw_data: bytes


@apdu
@dataclass(frozen=True, slots=True)
class ActionRequestWithListAndFirstPblock(APDU):
    """Begin several calls with long parameters."""

    HEAD: ClassVar[bytes] = b"\xc3\x05"
    LAYOUT: ClassVar[tuple[Kind, ...]] = (U8, ListOf(METHOD), BOOLEAN, U32, OCTETS)
    invoke: int
    methods: tuple[MethodDescriptor, ...]
    last_block: bool
    block_number: int
    raw_data: bytes


@apdu
@dataclass(frozen=True, slots=True)
class ActionRequestWithPblock(APDU):
    """A further part of long parameters."""

    HEAD: ClassVar[bytes] = b"\xc3\x06"
    LAYOUT: ClassVar[tuple[Kind, ...]] = (U8, BOOLEAN, U32, OCTETS)
    invoke: int
    last_block: bool
    block_number: int
    raw_data: bytes


@apdu
@dataclass(frozen=True, slots=True)
class ActionResponseNormal(APDU):
    """What became of one call."""

    HEAD: ClassVar[bytes] = b"\xc7\x01"
    LAYOUT: ClassVar[tuple[Kind, ...]] = (U8, _RESPONSE)
    invoke: int
    response: ActionResponse


@apdu
@dataclass(frozen=True, slots=True)
class ActionResponseWithPblock(APDU):
    """A part of a long answer."""

    HEAD: ClassVar[bytes] = b"\xc7\x02"
    LAYOUT: ClassVar[tuple[Kind, ...]] = (U8, BOOLEAN, U32, OCTETS)
    invoke: int
    last_block: bool
    block_number: int
    raw_data: bytes


@apdu
@dataclass(frozen=True, slots=True)
class ActionResponseWithList(APDU):
    """What became of all calls."""

    HEAD: ClassVar[bytes] = b"\xc7\x03"
    LAYOUT: ClassVar[tuple[Kind, ...]] = (U8, ListOf(_RESPONSE))
    invoke: int
    responses: tuple[ActionResponse, ...]


@apdu
@dataclass(frozen=True, slots=True)
class ActionResponseNextPblock(APDU):
    """A block of parameters was taken, go on."""

    HEAD: ClassVar[bytes] = b"\xc7\x04"
    LAYOUT: ClassVar[tuple[Kind, ...]] = (U8, U32)
    invoke: int
    block_number: int
