"""The meter's end: what a push meter sends, and what a meter that is asked answers.

`pushed` builds the three messages of a push. `Meter.answer` is pure: a file of requests in, the
file that answers it out. `serve` is the conversation around both, for as long as somebody is there.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from polymeter.protocols.procedure import Procedure, Receive, Send
from polymeter.protocols.sml.answers import Parameter, parameter
from polymeter.protocols.sml.attentions import ATTENTION, attention_number
from polymeter.protocols.sml.connection import Connection
from polymeter.protocols.sml.elements import LIST, Element, listing, octets, unsigned
from polymeter.protocols.sml.entries import Entry
from polymeter.protocols.sml.grammar import BODIES, TAGS, structure
from polymeter.protocols.sml.grammar import field as field_of
from polymeter.protocols.sml.messages import Message, encode_message
from polymeter.protocols.sml.recordings import Recording
from polymeter.protocols.sml.requests import Remaining
from polymeter.protocols.sml.transport import FRAME_MAX, X25, Checksum
from polymeter.protocols.wire import NeedData, RemoteProtocolError, TimedOut

__all__ = ["LIST_NAME", "Meter", "Setting", "pushed", "serve"]

LIST_NAME: Final = bytes((1, 0, 98, 10, 255, 255))
"""The list that meters push and give unasked."""
_OPEN: Final = TAGS["PublicOpen.Req"]
_CLOSE: Final = TAGS["PublicClose.Req"]
_ANSWER_MAX: Final = FRAME_MAX * 3 // 4
"""Bytes of messages in one file; escapes need some of the rest."""
_IDLE_S: Final = 3600.0

Bodies = list[tuple[str, Mapping[str, Element]]]
"""Responses: the structure's name and its fields."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One parameter: its value at this moment, and what takes a new one."""

    value: Callable[[], Element]
    write: Callable[[Element], bool] | None = None
    """Takes a new value of the same kind; says whether it is in range. Without it, nothing is set."""


@dataclass(slots=True)
class Meter:
    """What the meter is, shows, keeps and lets be set."""

    server: bytes
    time: Callable[[int | None], Element]
    """The element of an instant in seconds; without one, of now."""
    lists: Mapping[bytes, Callable[[], Sequence[Entry]]]
    """By name; the first is given to who names none."""
    parameters: Mapping[tuple[bytes, ...], Setting] = field(default_factory=dict)
    """By the path in the tree."""
    profiles: Mapping[tuple[bytes, ...], Recording] = field(default_factory=dict)
    username: bytes | None = None
    password: bytes | None = field(default=None, repr=False)
    """What every request must name, if anything."""

    def answer(self, file: Sequence[Message]) -> tuple[Message, ...]:
        """The file that answers a file of requests; nothing to one that holds none, such as an echo."""
        if all(BODIES.get(message.tag, "").endswith(".Res") for message in file):
            return ()
        said: list[Message] = []
        remaining = Remaining()
        size, opened, closed = 0, False, False
        for asked in file:
            if asked.tag == _CLOSE:
                said.append(_reply(asked, "PublicClose.Res", {}))
                closed = True
                break
            if asked not in remaining or (said and not opened):
                continue
            replies, words = self._carry_out(asked, opened), b""
            if not isinstance(replies, int):
                messages = [_reply(asked, name, fields) for name, fields in replies]
                length = sum(len(encode_message(message)) for message in messages)
                if size + length <= _ANSWER_MAX:
                    size += length
                    said += messages
                    opened = opened or asked.tag == _OPEN
                    continue
                replies, words = 0xFE0A, b"too much for one file, ask for less"
            remaining.refuse(asked)
            said.append(_reply(asked, BODIES[ATTENTION], self._attention(replies, words)))
        if not closed:
            said.append(_reply(file[-1], BODIES[ATTENTION], self._attention(0xFE14)))
        return tuple(said)

    def _carry_out(self, asked: Message, opened: bool) -> Bodies | int:
        """The responses to one request, or the number of the attention that refuses it."""
        if opened == (asked.tag == _OPEN):
            return 0xFE0D
        if asked.tag not in BODIES:
            return 0xFE01
        if asked.body.kind != LIST:
            return 0xFE08
        if asked.server not in (None, self.server):
            return 0xFE03
        if not self._admits(asked):
            return 0xFE02
        match asked.name:
            case "PublicOpen.Req":
                return self._open(asked)
            case "GetList.Req":
                return self._list(asked)
            case "GetProcParameter.Req":
                return self._parameters(asked)
            case "SetProcParameter.Req":
                return self._set(asked)
            case "GetProfileList.Req" | "GetProfilePack.Req":
                return self._profile(asked)
            case _:
                return 0xFE0D

    def _admits(self, asked: Message) -> bool:
        """Whether user and password suffice; an open that names none leaves it to the requests."""
        wanted = (self.username, self.password)
        if not asked.name.endswith(".Req") or wanted == (None, None):
            return True
        given = tuple(_field(asked, name).value for name in ("username", "password"))
        if asked.tag == _OPEN and given == (None, None):
            return True
        return all(
            one is None or hmac.compare_digest(one, other or b"")
            for one, other in zip(wanted, given, strict=True)
        )

    def _open(self, asked: Message) -> Bodies:
        echoed = {name: _field(asked, name) for name in ("clientId", "reqFileId")}
        return [("PublicOpen.Res", {**echoed, "serverId": octets(self.server), "refTime": self.time(None)})]

    def _list(self, asked: Message) -> Bodies | int:
        name = _field(asked, "listName").value or next(iter(self.lists), b"")
        if name not in self.lists:
            return 0xFE0A
        listed = _listed(self.server, name, self.time(None), self.lists[name]())
        return [("GetList.Res", {"clientId": _field(asked, "clientId"), **listed})]

    def _parameters(self, asked: Message) -> Bodies | int:
        path = _path(asked)
        if _field(asked, "attribute").value is not None:
            return 0xFE10
        below = [
            (known[len(path) :], setting.value())
            for known, setting in self.parameters.items()
            if known[: len(path)] == path
        ]
        if not path or not below:
            return 0xFE0A
        tree = Parameter.of(path[-1], below).element()
        return [("GetProcParameter.Res", {**self._here(asked), "parameterTree": tree})]

    def _set(self, asked: Message) -> Bodies | int:
        """All is looked at before anything is written."""
        path, element = _path(asked), _field(asked, "parameterTree")
        tree = parameter(element) if element.kind == LIST else Parameter(b"")
        leaves = list(tree.leaves(path))
        if path[-1:] != (tree.name,) or not leaves or any(at not in self.parameters for at, _ in leaves):
            return 0xFE0A
        found = [(self.parameters[at], value) for at, value in leaves]
        if any(setting.write is None for setting, _ in found):
            return 0xFE05
        if any(setting.value().kind != value.kind for setting, value in found):
            return 0xFE0F
        if not all(setting.write(value) for setting, value in found if setting.write is not None):
            return 0xFE09
        return [(BODIES[ATTENTION], self._attention(0xFD00))]

    def _profile(self, asked: Message) -> Bodies | int:
        recording = self.profiles.get(_path(asked))
        if recording is None:
            return 0xFE0A
        found = recording.answer(asked, self.time)
        if isinstance(found, int):
            return found
        period = unsigned(recording.period_s, 4)
        common = {**self._here(asked), "actTime": self.time(None), "regPeriod": period}
        return [(asked.name.replace(".Req", ".Res"), {**common, **fields}) for fields in found]

    def _here(self, asked: Message) -> dict[str, Element]:
        """What every answer about a path of the tree says."""
        path = listing(*(octets(part) for part in _path(asked)))
        return {"serverId": octets(self.server), "parameterTreePath": path}

    def _attention(self, code: int, words: bytes = b"") -> dict[str, Element]:
        said = {"serverId": octets(self.server), "attentionNo": octets(attention_number(code))}
        return {**said, "attentionMsg": octets(words)} if words else said


def _reply(asked: Message, name: str, fields: Mapping[str, Element]) -> Message:
    return Message(asked.transaction_id, asked.group & 0xFF, 0, TAGS[name], structure(name, **fields))


def _field(asked: Message, name: str) -> Element:
    return field_of(asked.body, BODIES[asked.tag], name)


def _path(asked: Message) -> tuple[bytes, ...]:
    return tuple(part.value or b"" for part in _field(asked, "parameterTreePath").value or ())


def _listed(server: bytes, name: bytes, time: Element, entries: Sequence[Entry]) -> dict[str, Element]:
    values = listing(*(entry.element() for entry in entries))
    return {"serverId": octets(server), "listName": octets(name), "actSensorTime": time, "valList": values}


def pushed(server: bytes, time: Element, entries: Sequence[Entry], file_id: int) -> tuple[Message, ...]:
    """The messages of one push; transactions are numbered on from `file_id`."""
    reference = octets(file_id.to_bytes(4, "big"))
    bodies = {
        "PublicOpen.Res": {"reqFileId": reference, "serverId": octets(server), "refTime": time},
        "GetList.Res": _listed(server, LIST_NAME, time, entries),
        "PublicClose.Res": {},
    }
    return tuple(
        Message(
            (file_id + index & 0xFFFFFFFF).to_bytes(4, "big"), 0, 0, TAGS[name], structure(name, **fields)
        )
        for index, (name, fields) in enumerate(bodies.items())
    )


def serve(
    frames: Callable[[], Sequence[bytes]],
    period_s: float = 1.0,
    answer: Callable[[Sequence[Message]], Sequence[Message]] = lambda file: (),
    checksum: Checksum = X25,
) -> Procedure[None]:
    """The meter's end of one line, until the other end hangs up.

    The frames of now are pushed at once and then after each `period_s` in which nothing was heard;
    never, if it is 0. Files that are heard are answered; what is damaged is not, nor is noise.
    """
    connection = Connection(checksum)
    due = period_s > 0
    while True:
        for frame in frames() if due else ():
            yield Send(frame)
        try:
            data = yield Receive(period_s or _IDLE_S)
        except TimedOut:
            due = period_s > 0
            continue
        if not data:
            return
        due = False
        connection.receive_data(data)
        while (file := _heard(connection)) is not None:
            said = answer(file)
            if said:
                yield Send(connection.send(said))


def _heard(connection: Connection) -> tuple[Message, ...] | None:
    """The next file that is whole and sound."""
    while True:
        try:
            file = connection.next_event()
        except RemoteProtocolError:
            continue
        return None if isinstance(file, NeedData) else file
