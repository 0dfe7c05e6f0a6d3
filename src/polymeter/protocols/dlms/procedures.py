"""What a client says and how it waits: requests with their answers, as generators.

Everything above (`associating`, `reading`) is made of `ask`. Refusals that are ordinary answers
come back as values, the numbers of `DataAccessResult` and `ActionResult`; what makes the whole
request void is raised. Over HDLC silence and damaged frames are answered by a poll, over UDP by
saying the last request again; over TCP nothing is lost, so silence there is final.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from polymeter.protocols.dlms.apdus import (
    APDU,
    ActionRequestNormal,
    ActionResponse,
    ActionResponseNormal,
    AttributeDescriptor,
    ConfirmedServiceError,
    Conformance,
    DataAccessResult,
    ExceptionResponse,
    GetRequestNormal,
    GetRequestWithList,
    GetResponseNormal,
    GetResponseWithList,
    MethodDescriptor,
    SelectedAttribute,
    Selection,
    ServiceError,
    SetRequestNormal,
    SetResponseNormal,
    encode_apdu,
    invoke_id_and_priority,
)
from polymeter.protocols.dlms.axdr import Data
from polymeter.protocols.dlms.ciphering import SecurityContext
from polymeter.protocols.dlms.connection import Connection
from polymeter.protocols.dlms.data import Item
from polymeter.protocols.dlms.hdlc_link import LinkDown
from polymeter.protocols.dlms.security import AUTHENTICATED, ENCRYPTED
from polymeter.protocols.dlms.states import Event
from polymeter.protocols.procedure import Procedure, Receive, Send
from polymeter.protocols.wire import (
    AccessDenied,
    NeedData,
    RemoteProtocolError,
    TimedOut,
    TransportError,
)

__all__ = [
    "CounterBehind",
    "RequestRefused",
    "Timing",
    "action",
    "ask",
    "get",
    "get_with_list",
    "next_event",
    "refusal_text",
    "set_attribute",
]

LIST_MAX: Final = 32
"""Attributes that go into one request; meters with little memory refuse more."""


class RequestRefused(RemoteProtocolError):
    """The meter answered, and refuses the request as a whole; the association stands."""


class CounterBehind(AccessDenied):
    """The meter has seen our invocation counter, or a higher one; perhaps it says what it expects."""

    def __init__(self, message: str, expected: int | None) -> None:
        super().__init__(message)
        self.expected = expected


@dataclass(frozen=True, slots=True)
class Timing:
    """How long to wait for a meter; the defaults suit one behind a mobile network."""

    answer_timeout_s: float = 10.0
    """For the first octets of an answer; over HDLC also for each further frame."""
    repeats: int = 2
    """How often to ask again, where the framing allows it."""
    block_timeout_s: float = 10.0
    """For the rest of an answer that has begun."""


def next_event(connection: Connection, timing: Timing = Timing()) -> Procedure[Event]:
    """The meter's next event, whatever it is.

    Raises:
        TimedOut: nothing came, even after asking again.
        TransportError: the line or the link closed.
        RemoteProtocolError: what came is damaged and cannot be asked for again.
        AccessDenied: it cannot be opened.
    """
    timeout_s = timing.answer_timeout_s
    damaged: RemoteProtocolError | None = None
    tries = 0
    while True:
        event: Event | NeedData
        try:
            event = connection.next_event()
        except RemoteProtocolError as error:
            damaged = error
            continue
        if output := connection.data_to_send():
            yield Send(output)
        if not isinstance(event, NeedData):
            return event
        if damaged is not None:
            tries += 1
            again = connection.repeat() if tries <= timing.repeats else b""
            if not again:
                raise damaged
            damaged = None
            yield Send(again)
        try:
            data = yield Receive(timeout_s)
        except TimedOut:
            tries += 1
            again = connection.repeat() if tries <= timing.repeats else b""
            if not again:
                raise
            yield Send(again)
            continue
        if not data:
            raise TransportError("the meter closed the line")
        connection.receive_data(data)
        timeout_s = timing.block_timeout_s


def ask(connection: Connection, request: APDU, timing: Timing = Timing()) -> Procedure[APDU]:
    """Send a request and give its response, put together from blocks.

    Raises:
        AccessDenied: the meter cannot open what we send, or we what it sends.
        RemoteProtocolError: the meter refuses the request as such, or its answer is none.
        TransportError: the line failed, the link ended, or there was no answer.
    """
    yield Send(connection.send(request))
    wanted = getattr(request, "invoke", 0) & 0x0F
    while True:
        event = yield from next_event(connection, timing)
        match event:
            case ExceptionResponse() | ConfirmedServiceError():
                raise refused(event, connection.security)
            case LinkDown(reason):
                raise TransportError(f"the link ended: {reason}")
            case APDU():
                if getattr(event, "invoke", wanted) & 0x0F == wanted:
                    return event
            case _:
                raise RemoteProtocolError(f"a response is expected, {type(event).__name__} came")


def refused(
    answer: ExceptionResponse | ConfirmedServiceError, security: SecurityContext | None = None
) -> AccessDenied | RemoteProtocolError:
    """What a refusal of a whole request means to the caller, who protects it with `security`."""
    if isinstance(answer, ConfirmedServiceError):
        if (answer.error, answer.code) == (0, 6):
            return AccessDenied(_cannot_open(security))
        return RequestRefused(f"the meter says: {answer}")
    if answer.service_error == ServiceError.DECIPHERING_ERROR:
        return AccessDenied(_cannot_open(security))
    if answer.service_error == ServiceError.INVOCATION_COUNTER_ERROR:
        expected = answer.invocation_counter
        least = f"; it expects {expected} or more" if expected is not None else ""
        said = f"the meter has seen our invocation counter before, or a higher one{least}"
        return CounterBehind(said, expected)
    return RequestRefused(f"the meter refuses the request: {answer}")


def _cannot_open(security: SecurityContext | None) -> str:
    """A deciphering error says nothing more; what takes no part in our protection is not to blame."""
    control = security.security.control if security is not None else AUTHENTICATED | ENCRYPTED
    keys = "its encryption key" + (", its authentication key" if control & AUTHENTICATED else "")
    text = f"the meter cannot open what we send: {keys} or the system title it knows of us is another"
    if not control & AUTHENTICATED:
        return f"{text}, or it wants messages authenticated as well"
    return text if control & ENCRYPTED else f"{text}, or it wants messages encrypted as well"


def refusal_text(result: int) -> str:
    """A data access result or action result in words."""
    names = DataAccessResult.__members__.values()
    return DataAccessResult(result).name.lower().replace("_", " ") if result in names else f"result {result}"


def get(
    connection: Connection,
    attribute: AttributeDescriptor,
    selection: Selection | None = None,
    timing: Timing = Timing(),
) -> Procedure[Data | int]:
    """Read an attribute, or the selected part of it: its value, or the number of the refusal."""
    invoke = invoke_id_and_priority(connection.next_invoke())
    response = yield from ask(connection, GetRequestNormal(invoke, attribute, selection), timing)
    match response:
        case GetResponseNormal(result=result):
            return result
        case GetResponseWithList(results=(result,)):
            return result
        case _:
            raise _unexpected(response)


def get_with_list(
    connection: Connection,
    attributes: Iterable[AttributeDescriptor | SelectedAttribute],
    timing: Timing = Timing(),
    list_max: int = LIST_MAX,
) -> Procedure[list[Data | int]]:
    """Read several attributes, together where the meter knows how, one by one otherwise.

    A meter that refuses the request for one of them as a whole refuses that one: `OTHER_REASON`.
    """
    wanted = [one if isinstance(one, SelectedAttribute) else SelectedAttribute(one) for one in attributes]
    results: list[Data | int] = []
    together = list_max > 1 and Conformance.MULTIPLE_REFERENCES in connection.conformance
    while len(results) < len(wanted):
        part = _part(connection, wanted[len(results) :], list_max) if together else wanted[:0]
        if len(part) > 1:
            answered = yield from _get_list(connection, part, timing)
            if answered is not None:
                results += answered
                continue
            together = False
        attribute, selection = wanted[len(results)]
        try:
            results.append((yield from get(connection, attribute, selection, timing)))
        except RequestRefused:
            if connection.state != "associated":
                raise
            results.append(DataAccessResult.OTHER_REASON)
    return results


def _part(
    connection: Connection, wanted: Sequence[SelectedAttribute], list_max: int
) -> Sequence[SelectedAttribute]:
    """As many as fit into one request."""
    count = min(len(wanted), list_max)
    bound = connection.apdu_max
    while count > 1 and bound is not None:
        if len(encode_apdu(GetRequestWithList(0, tuple(wanted[:count])))) <= bound:
            break
        count //= 2
    return wanted[:count]


def _get_list(
    connection: Connection, wanted: Sequence[SelectedAttribute], timing: Timing
) -> Procedure[list[Data | int] | None]:
    """One request for several; `None` if the meter refuses such requests after all."""
    invoke = invoke_id_and_priority(connection.next_invoke())
    try:
        response = yield from ask(connection, GetRequestWithList(invoke, tuple(wanted)), timing)
    except RemoteProtocolError:
        if connection.state != "associated":
            raise
        return None
    match response:
        case GetResponseWithList(results=results) if len(results) == len(wanted):
            return list(results)
        case GetResponseNormal(result=int()):
            return None
        case _:
            raise _unexpected(response)


def set_attribute(
    connection: Connection,
    attribute: AttributeDescriptor,
    value: Data | Item,
    selection: Selection | None = None,
    timing: Timing = Timing(),
) -> Procedure[int]:
    """Write an attribute: 0, or the number of the refusal. Never repeated by itself."""
    invoke = invoke_id_and_priority(connection.next_invoke())
    data = value if isinstance(value, Data) else Data.of(value)
    response = yield from ask(connection, SetRequestNormal(invoke, attribute, selection, data), timing)
    if not isinstance(response, SetResponseNormal):
        raise _unexpected(response)
    return response.result


def action(
    connection: Connection,
    method: MethodDescriptor,
    parameters: Data | Item | None = None,
    timing: Timing = Timing(),
) -> Procedure[ActionResponse]:
    """Call a method: what became of it and what it returns."""
    invoke = invoke_id_and_priority(connection.next_invoke())
    data = Data.of(parameters) if isinstance(parameters, Item) else parameters
    response = yield from ask(connection, ActionRequestNormal(invoke, method, data), timing)
    if not isinstance(response, ActionResponseNormal):
        raise _unexpected(response)
    return response.response


def _unexpected(response: APDU) -> RemoteProtocolError:
    return RemoteProtocolError(f"{response.TITLE} is no answer to what was asked")
