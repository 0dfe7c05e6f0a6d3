"""The ACTION service: calling methods (IEC 62056-5-3 § 8.3, Action-Request and Action-Response)."""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple

from polymeter.protocols.dlms.apdus.base import APDU, apdu
from polymeter.protocols.dlms.apdus.descriptors import (
    GET_RESULT,
    ActionResult,
    Method,
    Methods,
)
from polymeter.protocols.dlms.apdus.fields import (
    DATA,
    Boolean,
    Enumerated,
    ListOf,
    OctetString,
    Optional,
    Tupled,
    Unsigned8,
    Unsigned32,
    Values,
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


@apdu(b"\xc3\x01")
class ActionRequestNormal(APDU):
    """Call one method."""

    invoke: Unsigned8
    method: Method
    parameters: Annotated[Data | None, Optional(DATA)] = None


@apdu(b"\xc3\x02")
class ActionRequestNextPblock(APDU):
    """The block of the answer after `block_number`."""

    invoke: Unsigned8
    block_number: Unsigned32


@apdu(b"\xc3\x03")
class ActionRequestWithList(APDU):
    """Call several methods; those without parameters get null."""

    invoke: Unsigned8
    methods: Methods
    parameters: Values


@apdu(b"\xc3\x04")
class ActionRequestWithFirstPblock(APDU):
    """Begin a call with long parameters."""

    invoke: Unsigned8
    method: Method
    last_block: Boolean
    block_number: Unsigned32
    raw_data: OctetString


@apdu(b"\xc3\x05")
class ActionRequestWithListAndFirstPblock(APDU):
    """Begin several calls with long parameters."""

    invoke: Unsigned8
    methods: Methods
    last_block: Boolean
    block_number: Unsigned32
    raw_data: OctetString


@apdu(b"\xc3\x06")
class ActionRequestWithPblock(APDU):
    """A further part of long parameters."""

    invoke: Unsigned8
    last_block: Boolean
    block_number: Unsigned32
    raw_data: OctetString


@apdu(b"\xc7\x01")
class ActionResponseNormal(APDU):
    """What became of one call."""

    invoke: Unsigned8
    response: Annotated[ActionResponse, _RESPONSE]


@apdu(b"\xc7\x02")
class ActionResponseWithPblock(APDU):
    """A part of a long answer."""

    invoke: Unsigned8
    last_block: Boolean
    block_number: Unsigned32
    raw_data: OctetString


@apdu(b"\xc7\x03")
class ActionResponseWithList(APDU):
    """What became of all calls."""

    invoke: Unsigned8
    responses: Annotated[tuple[ActionResponse, ...], ListOf(_RESPONSE)]


@apdu(b"\xc7\x04")
class ActionResponseNextPblock(APDU):
    """A block of parameters was taken, go on."""

    invoke: Unsigned8
    block_number: Unsigned32
