"""What a reader does on a line: listen for pushed frames, or ask and take the answer.

Requests have the names of the standard. Each goes in a file of its own; `ask` sends several in one.
A meter that pushes goes on pushing while it is asked, so frames that answer nobody are passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from polymeter.protocols.procedure import Procedure, Send, next_pushed
from polymeter.protocols.sml.answers import (
    Parameter,
    ProcParameter,
    Profile,
    ValList,
    proc_parameter,
    profile,
    val_list,
)
from polymeter.protocols.sml.attentions import Attention, attention_number
from polymeter.protocols.sml.connection import Connection
from polymeter.protocols.sml.elements import ABSENT, Element, boolean, listing, octets
from polymeter.protocols.sml.entries import time_element
from polymeter.protocols.sml.grammar import TAGS
from polymeter.protocols.sml.messages import Message, decode_messages
from polymeter.protocols.sml.pushes import PushedFrames
from polymeter.protocols.sml.requests import Answer, Options, answers, request, request_file
from polymeter.protocols.sml.transport import decode_frame
from polymeter.protocols.wire import LocalProtocolError, RemoteProtocolError, TimedOut

__all__ = [
    "ask",
    "exchange",
    "get_list",
    "get_proc_parameter",
    "get_profile_list",
    "get_profile_pack",
    "next_frame",
    "set_proc_parameter",
]

_OTHERS_MAX: Final = 32
"""How many files that answer nobody are passed over; a meter that pushes would never fall silent."""
_REQUESTS_MAX: Final = 1000
_NO_ROWS: Final = (attention_number(0xFE11), attention_number(0xFE13))
_SETS: Final = TAGS["SetProcParameter.Req"]


def next_frame(stream: PushedFrames, timeout_s: float = 10.0) -> Procedure[bytes]:
    """Wait for the next whole frame; what waits in `stream` counts as come now.

    Raises:
        TimedOut: nothing came for `timeout_s`; meters push every one to four seconds.
        RemoteProtocolError: only damaged frames come, or none among all that comes.
        TransportError: the line closed.
    """
    return next_pushed(stream, timeout_s)


def exchange(
    connection: Connection, request: Sequence[Message], timeout_s: float = 10.0
) -> Procedure[tuple[Message, ...]]:
    """Send messages as they are and take the next file, whatever it says; `ask` looks whether it answers.

    Raises:
        TimedOut, TransportError, RemoteProtocolError: as `next_frame`; and if the answer breaks coding.
    """
    yield Send(connection.send(request))
    frame = yield from next_pushed(connection.stream, timeout_s)
    return tuple(decode_messages(decode_frame(frame).content))


def ask(
    connection: Connection, requests: Sequence[Message], options: Options = Options()
) -> Procedure[tuple[Answer, ...]]:
    """Send requests in one file and give the answer to each; a refusal of one leaves the others.

    After silence the file is sent again under another id, unless it changes something.

    Raises:
        LocalProtocolError: there are no requests, or more than a thousand.
        AccessDenied: the whole file is refused because of user or password.
        RemoteProtocolError: it is refused for another reason; or the answer breaks the coding, has no
            close, or does not answer what was asked.
        TimedOut: nothing came that answers.
        TransportError: the line closed.
    """
    if not 0 < len(requests) <= _REQUESTS_MAX:
        raise LocalProtocolError(f"a file holds 1 to {_REQUESTS_MAX} requests, not {len(requests)}")
    attempts_left = 0 if any(message.tag == _SETS for message in requests) else options.repeats
    while True:
        file = request_file(requests, options, connection.next_file_id())
        yield Send(connection.send(file))
        try:
            return (yield from _answered(connection, file, options))
        except TimedOut:
            if not attempts_left:
                raise
            attempts_left -= 1


def _answered(
    connection: Connection, file: Sequence[Message], options: Options
) -> Procedure[tuple[Answer, ...]]:
    for _ in range(_OTHERS_MAX):
        frame = yield from next_pushed(connection.stream, options.timeout_s)
        content = decode_frame(frame).content
        found = answers(file, decode_messages(content), content)
        if found is not None:
            return found
    raise TimedOut(f"{_OTHERS_MAX} files came and none answers what was asked")


def _data(connection: Connection, message: Message, options: Options) -> Procedure[Answer]:
    """Ask for data; a refusal is an error, and so is being put off."""
    (answer,) = yield from ask(connection, (message,), options)
    return _checked(answer, message)


def _checked(answer: Answer, message: Message) -> Answer:
    if answer.refusal is not None:
        raise answer.refusal
    if not answer.messages:
        raise RemoteProtocolError(f"the server answers {message.name} without data: {answer.attention}")
    return answer


def get_list(
    connection: Connection, list_name: bytes | None = None, options: Options = Options()
) -> Procedure[ValList]:
    """A list of values of now (GetList): the one named, or the one that the meter gives by itself.

    Raises:
        AccessDenied, RemoteProtocolError, TimedOut, TransportError: as `ask`; a refusal is an error, too.
    """
    message = request("GetList.Req", options, listName=octets(list_name))
    return val_list((yield from _data(connection, message, options)))


def get_proc_parameter(
    connection: Connection,
    path: Sequence[bytes],
    attribute: bytes | None = None,
    options: Options = Options(),
) -> Procedure[ProcParameter]:
    """The parameters at and below a path of the meter's tree (GetProcParameter).

    Raises:
        AccessDenied, RemoteProtocolError, TimedOut, TransportError: as `get_list`; and if the answer
            is about another parameter.
    """
    fields = {"parameterTreePath": _path(path), "attribute": octets(attribute)}
    message = request("GetProcParameter.Req", options, **fields)
    return proc_parameter((yield from _data(connection, message, options)), path)


def set_proc_parameter(
    connection: Connection, path: Sequence[bytes], tree: Parameter, options: Options = Options()
) -> Procedure[Attention]:
    """Set the parameters of a tree, whose root is at the end of `path` (SetProcParameter).

    Gives how the server acknowledges: that it is done, or that the job is running. It is asked once.

    Raises:
        AccessDenied, RemoteProtocolError, TimedOut, TransportError: as `get_list`.
    """
    fields = {"parameterTreePath": _path(path), "parameterTree": tree.element()}
    (answer,) = yield from ask(connection, (request("SetProcParameter.Req", options, **fields),), options)
    if answer.refusal is not None:
        raise answer.refusal
    assert answer.attention is not None  # nothing else answers this request
    return answer.attention


def get_profile_list(
    connection: Connection,
    path: Sequence[bytes],
    begin: datetime | Element | None = None,
    end: datetime | Element | None = None,
    objects: Sequence[bytes] = (),
    options: Options = Options(),
) -> Procedure[Profile]:
    """The rows of a profile from `begin` up to and including `end`, each in a message (GetProfileList).

    Bounds may be elements: `sec_index` for meters without a clock. `objects` chooses columns.

    Raises:
        AccessDenied, RemoteProtocolError, TimedOut, TransportError: as `get_proc_parameter`. A range
            without rows is no error.
    """
    return _get_profile("GetProfileList.Req", connection, path, begin, end, objects, options)


def get_profile_pack(
    connection: Connection,
    path: Sequence[bytes],
    begin: datetime | Element | None = None,
    end: datetime | Element | None = None,
    objects: Sequence[bytes] = (),
    options: Options = Options(),
) -> Procedure[Profile]:
    """The rows of a profile, all under one heading (GetProfilePack); all else as in `get_profile_list`."""
    return _get_profile("GetProfilePack.Req", connection, path, begin, end, objects, options)


def _get_profile(
    name: str,
    connection: Connection,
    path: Sequence[bytes],
    begin: datetime | Element | None,
    end: datetime | Element | None,
    objects: Sequence[bytes],
    options: Options,
) -> Procedure[Profile]:
    message = request(
        name,
        options,
        withRawdata=boolean(False),
        beginTime=_bound(begin),
        endTime=_bound(end),
        parameterTreePath=_path(path),
        object_List=_path(objects) if objects else ABSENT,
    )
    (answer,) = yield from ask(connection, (message,), options)
    if answer.attention is not None and answer.attention.number in _NO_ROWS:
        return Profile()
    return profile(_checked(answer, message), path)


def _path(path: Sequence[bytes]) -> Element:
    return listing(*(octets(part) for part in path))


def _bound(time: datetime | Element | None) -> Element:
    return ABSENT if time is None else time_element(time) if isinstance(time, datetime) else time
