"""Files of requests, and the files that answer them (SML 1.04 § 5).

A file of requests is an open, the requests and a close, each a transaction of its own. The file
that answers it has an open and a close, too, and in between for each request a response or an
attention under the request's transaction; a profile may take many responses. What a meter does
after a request that it refuses is said by that request's ``abortOnError`` and by the groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from polymeter.protocols.sml.attentions import ATTENTION, Attention, attention_of, refusal_error
from polymeter.protocols.sml.elements import LIST, Element, octets
from polymeter.protocols.sml.grammar import BODIES, STRUCTURES, TAGS, structure
from polymeter.protocols.sml.grammar import field as field_of
from polymeter.protocols.sml.messages import Message
from polymeter.protocols.wire import ProtocolError, RemoteProtocolError

__all__ = ["Answer", "Options", "Remaining", "answers", "request", "request_file"]

_OPEN: Final = TAGS["PublicOpen.Res"]
_CLOSE: Final = TAGS["PublicClose.Res"]
_MANY: Final = (TAGS["GetProfileList.Res"], TAGS["GetProfilePack.Res"])


@dataclass(frozen=True, slots=True)
class Options:
    """Whom to ask, as whom, and how long to wait."""

    server: bytes | None = None
    """Server id of the meter; without it whoever is on the line is meant."""
    client: bytes = b"polymeter"
    """Who asks. The grammar wants some id; which one, few servers mind."""
    username: bytes | None = None
    password: bytes | None = field(default=None, repr=False)
    timeout_s: float = 10.0
    """Silence after which no answer is expected any more."""
    repeats: int = 2
    """How often to ask again after silence. What changes something is never asked again."""


class Answer(NamedTuple):
    """What a file says to one request; with neither messages nor attention it was not carried out."""

    transaction_id: bytes | None
    messages: tuple[Message, ...] = ()
    attention: Attention | None = None
    content: bytes = b""
    """What the messages were decoded from."""

    @property
    def refusal(self) -> ProtocolError | None:
        """The error that the answer is to whoever asked, `None` if the request was not refused."""
        if self.attention is None or self.attention.good:
            return None
        return refusal_error(self.attention, self.transaction_id)


def request(name: str, options: Options = Options(), **fields: Element) -> Message:
    """A request with the fields given; whom it is for and who asks is taken from `options`.

    The transaction is given to it with its file. Group and ``abortOnError`` are 0; `_replace` them
    where they matter.

    Raises:
        LocalProtocolError: there is no such message, or it has no such field.
    """
    common = {
        "clientId": options.client,
        "serverId": options.server,
        "username": options.username,
        "password": options.password,
    }
    known = {known for known, _ in STRUCTURES.get(name, ())}
    given = {named: octets(value) for named, value in common.items() if named in known}
    body = structure(name, **{**given, **fields})
    return Message(None, 0, 0, TAGS[name], body)


def request_file(
    requests: Sequence[Message], options: Options = Options(), file_id: bytes = bytes(8)
) -> tuple[Message, ...]:
    """The requests between open and close. Transactions are the file's id and two octets that count."""
    opening = request("PublicOpen.Req", options, reqFileId=octets(file_id))
    file = (opening, *requests, request("PublicClose.Req"))
    return tuple(
        message._replace(transaction_id=file_id + number.to_bytes(2, "big"))
        for number, message in enumerate(file)
    )


class Remaining:
    """Which requests of a file are still carried out after others were refused."""

    def __init__(self) -> None:
        self._skipped: set[int] = set()
        self._only: int | None = None
        self._none = False

    def refuse(self, failed: Message) -> None:
        """Take in that a request was refused.

        Its ``abortOnError`` says what follows: 0 everything, 1 the next group, 2 the rest of its group,
        FF nothing; and nothing after any other value, whose meaning nobody told.
        """
        match failed.abort_on_error:
            case 0:
                return
            case 1:
                self._skipped.add(failed.group)
            case 2 if self._only in (None, failed.group):
                self._only = failed.group
            case _:
                self._none = True

    def __contains__(self, asked: Message) -> bool:
        return not self._none and asked.group not in self._skipped and self._only in (None, asked.group)


def answers(file: Sequence[Message], told: Sequence[Message], content: bytes) -> tuple[Answer, ...] | None:
    """What `told`, decoded from `content`, says to each request of a file between its open and close.

    `None` if it does not answer the file: what the meter pushes by itself, or was asked by others.

    Raises:
        AccessDenied: the meter refuses the whole file because of user or password.
        RemoteProtocolError: it refuses the file; or the answer has no open or close, lacks one to a
            request, or holds one to what was not asked.
    """
    if told and told[0].tag == file[0].tag:
        return None  # optical heads repeat what they are told
    places = {message.transaction_id: place for place, message in enumerate(file)}
    if not any(message.transaction_id in places for message in told) and not _opens(file[0], told[:1]):
        return None
    by_place: list[list[Message]] = [[] for _ in file]
    for message in told:
        place = places.get(message.transaction_id)
        if place is None:
            raise RemoteProtocolError(f"{_shown(message)} answers what was not asked", _at(message))
        by_place[place].append(message)
    opened, *between, closed = (
        _answer(asked, found, content) for asked, found in zip(file, by_place, strict=True)
    )
    for answer in (opened, closed):
        if answer.refusal is not None:
            raise answer.refusal
    if not opened.messages or told[0].tag != _OPEN:
        raise RemoteProtocolError("the answer does not begin with an open", _at(told[0]))
    if not closed.messages or told[-1].tag != _CLOSE:
        raise RemoteProtocolError("the answer does not end with a close", _at(told[-1]))
    requests = file[1:-1]
    remaining = Remaining()
    for asked, answer in zip(requests, between, strict=True):
        if answer.refusal is not None:
            remaining.refuse(asked)
    for asked, answer in zip(requests, between, strict=True):
        if not answer.messages and answer.attention is None and asked in remaining:
            raise RemoteProtocolError(f"there is no answer to {_shown(asked)}", _at(told[-1]))
    return tuple(between)


def _opens(opening: Message, first: Sequence[Message]) -> bool:
    """Whether an answer's first message names the file that `opening` began."""
    wanted = field_of(opening.body, "PublicOpen.Req", "reqFileId").value
    return any(
        message.tag == _OPEN
        and message.body.kind == LIST
        and field_of(message.body, "PublicOpen.Res", "reqFileId").value == wanted
        for message in first
    )


def _answer(asked: Message, found: Sequence[Message], content: bytes) -> Answer:
    """Sort what came under the transaction of one request."""
    attention: Attention | None = None
    messages = []
    for message in found:
        if message.body.kind != LIST:
            raise RemoteProtocolError(f"{_shown(message)} has no body", _at(message))
        if message.tag == ATTENTION:
            attention = attention_of(message.body)
        elif message.tag != asked.tag | 1 or message.tag not in BODIES:
            raise RemoteProtocolError(f"{_shown(message)} comes in answer to {_shown(asked)}", _at(message))
        elif asked.server is not None and message.server not in (None, asked.server):
            raise RemoteProtocolError(f"{_shown(message)} comes from {message.server.hex()}", _at(message))
        else:
            messages.append(message)
    if len(messages) > 1 and messages[0].tag not in _MANY:
        raise RemoteProtocolError(f"{len(messages)} answers came to {_shown(asked)}", _at(messages[1]))
    return Answer(asked.transaction_id, tuple(messages), attention, content)


def _shown(message: Message) -> str:
    return f"{message.name} of transaction {(message.transaction_id or b'').hex()}"


def _at(message: Message) -> int:
    return message.element.start if message.element is not None else 0
