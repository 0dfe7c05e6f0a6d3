"""Services whose data is longer than one APDU: GET, SET and ACTION in numbered blocks.

IEC 62056-5-3 § 6: the client and the meter each hold one transfer at a time. `ClientBlocks` and
`ServerBlocks` stand between the whole requests and responses that procedures and meters speak of
and the APDUs that travel: each gives for what comes either the whole thing or what is to be said
next. The descriptor of a long SET or ACTION is in its first block only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from polymeter.protocols.dlms.apdus import (
    APDU,
    ActionRequestNextPblock,
    ActionRequestNormal,
    ActionRequestWithFirstPblock,
    ActionRequestWithList,
    ActionRequestWithListAndFirstPblock,
    ActionRequestWithPblock,
    ActionResponse,
    ActionResponseNextPblock,
    ActionResponseNormal,
    ActionResponseWithList,
    ActionResponseWithPblock,
    ActionResult,
    DataAccessResult,
    GetRequestNext,
    GetRequestWithList,
    GetResponseNormal,
    GetResponseWithDatablock,
    GetResponseWithList,
    SetRequestNormal,
    SetRequestWithDatablock,
    SetRequestWithFirstDatablock,
    SetRequestWithList,
    SetRequestWithListAndFirstDatablock,
    SetResponseDatablock,
    SetResponseLastDatablock,
    SetResponseLastDatablockWithList,
    SetResponseNormal,
    SetResponseWithList,
    decode_apdu,
    encode_apdu,
)
from polymeter.protocols.dlms.axdr import Data, decode_data
from polymeter.protocols.dlms.data import decode_length, encode_length
from polymeter.protocols.wire import RemoteProtocolError

__all__ = ["ClientBlocks", "ServerBlocks"]

TRANSFER_MAX: Final = 1 << 24
"""Octets of the longest value that a client puts together."""
REQUEST_MAX: Final = 1 << 20
"""Octets of the longest value that a meter does."""
_HEADER: Final = 16
"""Octets of a block's APDU beside its data, at most, without a descriptor."""
_REQUEST_BLOCKS: Final = (
    GetRequestNext,
    SetRequestWithFirstDatablock,
    SetRequestWithListAndFirstDatablock,
    SetRequestWithDatablock,
    ActionRequestNextPblock,
    ActionRequestWithFirstPblock,
    ActionRequestWithListAndFirstPblock,
    ActionRequestWithPblock,
)
_WRITING: Final = (SetRequestNormal, SetRequestWithList, ActionRequestNormal, ActionRequestWithList)
_RESPONSE_BLOCKS: Final = (
    GetResponseWithDatablock,
    SetResponseDatablock,
    SetResponseLastDatablock,
    SetResponseLastDatablockWithList,
    ActionResponseNextPblock,
    ActionResponseWithPblock,
)


@dataclass(slots=True)
class _Sending:
    """What is left of a long value."""

    data: bytes
    size: int
    number: int = 0
    sent: int = 0

    @property
    def is_done(self) -> bool:
        """Whether the last block was given."""
        return self.sent >= len(self.data)

    def block(self, size: int | None = None) -> tuple[bool, int, bytes]:
        """Whether it is the last, its number, its octets."""
        self.number += 1
        part = self.data[self.sent : self.sent + (size or self.size)]
        self.sent += len(part)
        return self.is_done, self.number, part


@dataclass(slots=True)
class _Gathering:
    """The blocks of a long value so far, and what they belong to."""

    first: APDU | None = None
    data: bytearray = field(default_factory=bytearray)
    number: int = 0
    limit: int = TRANSFER_MAX

    def add(self, number: int, part: bytes) -> None:
        """Take in the next block.

        Raises:
            RemoteProtocolError: it is not the next, or all together are too much.
        """
        if number != self.number + 1:
            raise RemoteProtocolError(f"block {number} came, {self.number + 1} is expected")
        if len(self.data) + len(part) > self.limit:
            raise RemoteProtocolError(f"more than {self.limit} octets in one block transfer")
        self.data += part
        self.number = number


class ClientBlocks:
    """The client's half: splits long requests, asks for the blocks of long responses.

    Blocks that belong to another request, and those that come again, are passed over: over datagrams
    an answer may overtake the question that was asked again.
    """

    def __init__(self) -> None:
        self._sending: _Sending | None = None
        self._gathering: _Gathering | None = None
        self._list = False
        self._invoke: int | None = None
        """Of the request whose response is still due."""

    @property
    def is_due(self) -> bool:
        """Whether a request waits for its response."""
        return self._invoke is not None

    def request(self, request: APDU, apdu_max: int | None) -> APDU:
        """What to send for `request`: itself, or its first block.

        `apdu_max` are the octets that the meter takes, `None` if there is no bound.
        """
        self._sending = None
        self._gathering = _Gathering()
        self._list = isinstance(request, GetRequestWithList | ActionRequestWithList)
        self._invoke = getattr(request, "invoke", None)
        if apdu_max is None or len(encoded := encode_apdu(request)) <= apdu_max:
            return request
        if not isinstance(
            request, SetRequestNormal | SetRequestWithList | ActionRequestNormal | ActionRequestWithList
        ):
            return request
        data = _payload(request)
        self._sending = _Sending(data, max(apdu_max - _HEADER, 1))
        block = self._sending.block(max(apdu_max - (len(encoded) - len(data)) - _HEADER, 1))
        match request:
            case SetRequestNormal(invoke, attribute, selection):
                return SetRequestWithFirstDatablock(invoke, attribute, selection, *block)
            case SetRequestWithList(invoke, attributes):
                return SetRequestWithListAndFirstDatablock(invoke, attributes, *block)
            case ActionRequestNormal(invoke, method):
                return ActionRequestWithFirstPblock(invoke, method, *block)
            case ActionRequestWithList(invoke, methods):
                return ActionRequestWithListAndFirstPblock(invoke, methods, *block)

    def response(self, response: APDU) -> tuple[APDU | None, APDU | None]:
        """The whole response, if it is there now, and what is to be sent, if anything.

        Raises:
            RemoteProtocolError: a block has no place here.
        """
        invoke = getattr(response, "invoke", None)
        due = invoke is not None and self._invoke is not None and not (invoke ^ self._invoke) & 0x0F
        if not due:
            return (None, None) if isinstance(response, _RESPONSE_BLOCKS) else (response, None)
        whole, answer = self._response(response)
        if whole is not None:
            self._invoke = None
        return whole, answer

    def _response(self, response: APDU) -> tuple[APDU | None, APDU | None]:
        match response:
            case GetResponseWithDatablock(invoke, last, number, result):
                if isinstance(result, int):
                    return GetResponseNormal(invoke, result), None
                if not self._gathered(number, result):
                    return None, None
                return (self._whole_get(invoke), None) if last else (None, GetRequestNext(invoke, number))
            case ActionResponseWithPblock(invoke, last, number, raw):
                if not self._gathered(number, raw):
                    return None, None
                if last:
                    return self._whole_action(invoke), None
                return None, ActionRequestNextPblock(invoke, number)
            case SetResponseDatablock(invoke, number):
                block = self._next(number)
                return None, SetRequestWithDatablock(invoke, *block) if block is not None else None
            case ActionResponseNextPblock(invoke, number):
                block = self._next(number)
                return None, ActionRequestWithPblock(invoke, *block) if block is not None else None
            case SetResponseLastDatablock(invoke, set_result):
                return SetResponseNormal(invoke, set_result), None
            case SetResponseLastDatablockWithList(invoke, results):
                return SetResponseWithList(invoke, results), None
            case _:
                return response, None

    def _next(self, acknowledged: int) -> tuple[bool, int, bytes] | None:
        """The block after the one that is acknowledged; `None` if that was acknowledged before."""
        sending = self._sending
        if sending is not None and 0 < acknowledged < sending.number:
            return None
        if sending is None or acknowledged != sending.number or sending.is_done:
            raise RemoteProtocolError(f"block {acknowledged} is acknowledged, it was not just sent")
        return sending.block()

    def _gathered(self, number: int, part: bytes) -> bool:
        """Whether a block is a new one."""
        assert self._gathering is not None
        if number == self._gathering.number:
            return False
        try:
            self._gathering.add(number, part)
        except RemoteProtocolError:
            self._gathering = _Gathering()
            raise
        return True

    def _taken(self) -> bytes:
        assert self._gathering is not None
        return bytes(self._gathering.data)

    def _whole_get(self, invoke: int) -> APDU:
        data = self._taken()
        if self._list:
            return decode_apdu(bytes((0xC4, 3, invoke)) + data)
        value, end = decode_data(data)
        if end != len(data):
            raise RemoteProtocolError(f"{len(data) - end} octets after the value in the blocks", end)
        return GetResponseNormal(invoke, value)

    def _whole_action(self, invoke: int) -> APDU:
        data = self._taken()
        if self._list:
            return decode_apdu(bytes((0xC7, 3, invoke)) + data)
        try:
            return decode_apdu(bytes((0xC7, 1, invoke)) + data)
        except RemoteProtocolError:
            # Some meters put the bare return value into the blocks.
            value, end = decode_data(data)
            if end != len(data):
                raise
            return ActionResponseNormal(invoke, ActionResponse(0, value))


class ServerBlocks:
    """The meter's half: puts long requests together, hands out long responses.

    A block that comes again gets the same answer again: over datagrams that answer was lost. With
    `datagrams` so does a whole request that writes or acts, which must not do so twice.
    """

    def __init__(self, datagrams: bool = False) -> None:
        self._repeatable = _REQUEST_BLOCKS + (_WRITING if datagrams else ())
        self._gathering: _Gathering | None = None
        self._answered_in_blocks = 0
        self._sending: _Sending | None = None
        self._acting = False
        self._last_request: APDU | None = None
        self._last_answer: APDU | None = None

    def request(self, request: APDU) -> tuple[APDU | None, APDU | None]:
        """The whole request, if it is there now, and what is to be answered at once, if anything."""
        if request == self._last_request and isinstance(request, self._repeatable):
            return None, self._last_answer
        self._last_request, self._last_answer = request, None
        if not isinstance(request, _REQUEST_BLOCKS):
            self._gathering = self._sending = None
            self._answered_in_blocks = 0
            return request, None
        whole, self._last_answer = self._block(request)
        return whole, self._last_answer

    def _block(self, request: APDU) -> tuple[APDU | None, APDU | None]:
        match request:
            case GetRequestNext(invoke, number):
                return None, self._more_get(invoke, number)
            case ActionRequestNextPblock(invoke, number):
                return None, self._more_action(invoke, number)
            case SetRequestWithFirstDatablock() | SetRequestWithListAndFirstDatablock():
                self._gathering = _Gathering(request, limit=REQUEST_MAX)
                return self._gather_set(request.invoke, request.last_block, request.block_number, request)
            case SetRequestWithDatablock(invoke, last, number):
                return self._gather_set(invoke, last, number, request)
            case ActionRequestWithFirstPblock() | ActionRequestWithListAndFirstPblock():
                self._gathering = _Gathering(request, limit=REQUEST_MAX)
                return self._gather_action(
                    request.invoke, request.last_block, request.block_number, request.raw_data
                )
            case ActionRequestWithPblock(invoke, last, number, raw):
                return self._gather_action(invoke, last, number, raw)
            case _:
                raise AssertionError(f"{request.TITLE} is no block")

    def response(self, response: APDU, apdu_max: int | None) -> APDU:
        """What to send for `response`: itself, its form after blocks, or its first block."""
        self._last_answer = self._response(response, apdu_max)
        return self._last_answer

    def _response(self, response: APDU, apdu_max: int | None) -> APDU:
        answered, self._answered_in_blocks = self._answered_in_blocks, 0
        match response:
            case SetResponseNormal(invoke, result) if answered:
                return SetResponseLastDatablock(invoke, result, answered)
            case SetResponseWithList(invoke, results) if answered:
                return SetResponseLastDatablockWithList(invoke, results, answered)
            case GetResponseNormal(invoke, Data(encoded)) if _too_long(len(encoded) + 4, apdu_max):
                return self._first_get(invoke, encoded, apdu_max)
            case GetResponseWithList() if _too_long(len(whole := encode_apdu(response)), apdu_max):
                return self._first_get(response.invoke, whole[3:], apdu_max)
            case ActionResponseNormal() | ActionResponseWithList() if _too_long(
                len(whole := encode_apdu(response)), apdu_max
            ):
                self._acting = True
                self._sending = _Sending(whole[3:], _block_size(apdu_max))
                return ActionResponseWithPblock(response.invoke, *self._sending.block())
            case _:
                return response

    def _first_get(self, invoke: int, data: bytes, apdu_max: int | None) -> APDU:
        self._acting = False
        self._sending = _Sending(data, _block_size(apdu_max))
        return GetResponseWithDatablock(invoke, *self._sending.block())

    def _more_get(self, invoke: int, number: int) -> APDU:
        sending = self._sending
        if sending is None or self._acting or sending.is_done:
            return GetResponseWithDatablock(invoke, True, number, DataAccessResult.NO_LONG_GET_IN_PROGRESS)
        if number != sending.number:
            self._sending = None
            return GetResponseWithDatablock(invoke, True, number, DataAccessResult.DATA_BLOCK_NUMBER_INVALID)
        return GetResponseWithDatablock(invoke, *sending.block())

    def _more_action(self, invoke: int, number: int) -> APDU:
        sending = self._sending
        if sending is None or not self._acting or number != sending.number or sending.is_done:
            self._sending = None
            return ActionResponseNormal(invoke, ActionResponse(ActionResult.NO_LONG_ACTION_IN_PROGRESS))
        return ActionResponseWithPblock(invoke, *sending.block())

    def _gather_set(
        self,
        invoke: int,
        last: bool,
        number: int,
        block: SetRequestWithFirstDatablock | SetRequestWithListAndFirstDatablock | SetRequestWithDatablock,
    ) -> tuple[APDU | None, APDU | None]:
        gathering = self._gathering
        first = gathering.first if gathering is not None else None
        if gathering is None or not isinstance(
            first, SetRequestWithFirstDatablock | SetRequestWithListAndFirstDatablock
        ):
            return None, SetResponseLastDatablock(invoke, DataAccessResult.NO_LONG_SET_IN_PROGRESS, number)
        try:
            gathering.add(number, block.raw_data)
        except RemoteProtocolError:
            self._gathering = None
            return None, SetResponseLastDatablock(invoke, DataAccessResult.DATA_BLOCK_NUMBER_INVALID, number)
        if not last:
            return None, SetResponseDatablock(invoke, number)
        self._gathering = None
        data = bytes(gathering.data)
        try:
            whole: APDU
            if isinstance(first, SetRequestWithFirstDatablock):
                whole = SetRequestNormal(invoke, first.attribute, first.selection, _one_value(data))
            else:
                whole = SetRequestWithList(invoke, first.attributes, _list_of_values(data))
        except RemoteProtocolError:
            return None, SetResponseLastDatablock(invoke, DataAccessResult.LONG_SET_ABORTED, number)
        self._answered_in_blocks = number
        return whole, None

    def _gather_action(
        self, invoke: int, last: bool, number: int, raw: bytes
    ) -> tuple[APDU | None, APDU | None]:
        gathering = self._gathering
        first = gathering.first if gathering is not None else None
        if gathering is None or not isinstance(
            first, ActionRequestWithFirstPblock | ActionRequestWithListAndFirstPblock
        ):
            return None, ActionResponseNormal(invoke, ActionResponse(ActionResult.NO_LONG_ACTION_IN_PROGRESS))
        try:
            gathering.add(number, raw)
            if not last:
                return None, ActionResponseNextPblock(invoke, number)
            self._gathering = None
            if isinstance(first, ActionRequestWithFirstPblock):
                return ActionRequestNormal(invoke, first.method, _one_value(bytes(gathering.data))), None
            return ActionRequestWithList(invoke, first.methods, _list_of_values(bytes(gathering.data))), None
        except RemoteProtocolError:
            self._gathering = None
            return None, ActionResponseNormal(invoke, ActionResponse(ActionResult.LONG_ACTION_ABORTED))


def _too_long(size: int, apdu_max: int | None) -> bool:
    return apdu_max is not None and size > apdu_max


def _block_size(apdu_max: int | None) -> int:
    return max((apdu_max or 0) - _HEADER, 1)


def _payload(
    request: SetRequestNormal | SetRequestWithList | ActionRequestNormal | ActionRequestWithList,
) -> bytes:
    """What of a long request goes into blocks."""
    match request:
        case SetRequestNormal(value=value):
            return value.encoded
        case ActionRequestNormal(parameters=parameters):
            return parameters.encoded if parameters is not None else b"\0"
        case SetRequestWithList(values=values) | ActionRequestWithList(parameters=values):
            return encode_length(len(values)) + b"".join(value.encoded for value in values)


def _one_value(data: bytes) -> Data:
    value, end = decode_data(data)
    if end != len(data):
        raise RemoteProtocolError(f"{len(data) - end} octets after the value in the blocks", end)
    return value


def _list_of_values(data: bytes) -> tuple[Data, ...]:
    count, at = decode_length(data, 0)
    if count > len(data) - at:
        raise RemoteProtocolError(f"{count} values announced, {len(data) - at} octets are left", at)
    values = []
    for _ in range(count):
        value, at = decode_data(data, at)
        values.append(value)
    if at != len(data):
        raise RemoteProtocolError(f"{len(data) - at} octets after the values in the blocks", at)
    return tuple(values)
