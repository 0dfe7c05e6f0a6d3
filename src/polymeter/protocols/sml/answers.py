"""What is read out of answers: lists, profiles, parameter trees. What is set goes in the same way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from polymeter.protocols.sml.elements import ABSENT, DEPTH_MAX, LIST, Element, listing, octets, unsigned
from polymeter.protocols.sml.grammar import BODIES, field, structure
from polymeter.protocols.sml.messages import Message
from polymeter.protocols.sml.readings import ProfileRow, instant, message_records, profile_rows
from polymeter.protocols.sml.requests import Answer
from polymeter.protocols.wire import LocalProtocolError, Record, RemoteProtocolError

__all__ = [
    "Parameter",
    "ProcParameter",
    "Profile",
    "ValList",
    "parameter",
    "proc_parameter",
    "profile",
    "val_list",
]

_PLAIN: Final = 1
"""The tag of a plain value among those of a parameter."""
_LEVELS_MAX: Final = DEPTH_MAX // 2 - 3
"""Levels of a tree: each takes two lists, and a message puts three around them."""


class ValList(NamedTuple):
    """A list of values, as GetList.Res gives it."""

    server: bytes | None
    name: bytes | None
    time: datetime | None
    """The meter's clock (actSensorTime), if it has one."""
    records: tuple[Record, ...]


class Profile(NamedTuple):
    """A profile, as GetProfileList.Res and GetProfilePack.Res give it; without rows, nothing is known."""

    server: bytes | None = None
    period_s: int | None = None
    """The registration period; 0 where rows are made by events."""
    rows: tuple[ProfileRow, ...] = ()


class Parameter(NamedTuple):
    """A parameter tree (SML_Tree): a name, a value where it has one, and what is below it."""

    name: bytes
    value: Element = ABSENT
    """A number, octets or a truth value; where it is of another kind, the choice of tag and structure."""
    children: tuple[Parameter, ...] = ()

    def element(self) -> Element:
        """The tree as its structure.

        Raises:
            LocalProtocolError: it is deeper than a meter would read.
        """
        return _tree(self, 1)

    def leaves(self, path: tuple[bytes, ...]) -> Iterator[tuple[tuple[bytes, ...], Element]]:
        """The values of the tree, each with the path that leads to it; that of the root is given."""
        if self.value.value is not None:
            yield path, self.value
        for child in self.children:
            yield from child.leaves((*path, child.name))

    @classmethod
    def of(cls, name: bytes, leaves: Iterable[tuple[tuple[bytes, ...], Element]]) -> Parameter:
        """The tree with a root of this name whose values lie at the paths below it."""
        value, below = ABSENT, dict[bytes, list[tuple[tuple[bytes, ...], Element]]]()
        for path, found in leaves:
            if path:
                below.setdefault(path[0], []).append((path[1:], found))
            else:
                value = found
        return cls(name, value, tuple(cls.of(child, parts) for child, parts in below.items()))


def _tree(parameter: Parameter, depth: int) -> Element:
    if depth > _LEVELS_MAX:
        raise LocalProtocolError(f"a parameter tree has at most {_LEVELS_MAX} levels")
    value = parameter.value
    if value.value is not None and value.kind != LIST:
        value = listing(unsigned(_PLAIN, 1), value)
    below = [_tree(child, depth + 1) for child in parameter.children]
    return structure(
        "Tree",
        parameterName=octets(parameter.name),
        parameterValue=value,
        child_List=listing(*below) if below else ABSENT,
    )


class ProcParameter(NamedTuple):
    """Parameters, as GetProcParameter.Res gives them: the tree, and its values as records."""

    server: bytes | None
    tree: Parameter
    records: tuple[Record, ...]


def val_list(answer: Answer) -> ValList:
    """What the answer to GetList.Req says."""
    (message,) = answer.messages
    return ValList(
        message.server,
        _field(message, "listName").value or None,
        instant(_field(message, "actSensorTime")),
        tuple(message_records(message, answer.content)),
    )


def profile(answer: Answer, path: Sequence[bytes]) -> Profile:
    """What the answer to a request for a profile says.

    Raises:
        RemoteProtocolError: it speaks of another profile.
    """
    rows: list[ProfileRow] = []
    for message in answer.messages:
        _check_path(message, path)
        rows.extend(profile_rows(message, answer.content))
    first = answer.messages[0]
    return Profile(first.server, _field(first, "regPeriod").value, tuple(rows))


def proc_parameter(answer: Answer, path: Sequence[bytes]) -> ProcParameter:
    """What the answer to GetProcParameter.Req says.

    Raises:
        RemoteProtocolError: it speaks of another parameter, or has none.
    """
    (message,) = answer.messages
    _check_path(message, path)
    tree = _field(message, "parameterTree")
    if tree.kind != LIST:
        raise RemoteProtocolError("the answer has no parameter", tree.start)
    return ProcParameter(message.server, parameter(tree), tuple(message_records(message, answer.content)))


def parameter(tree: Element) -> Parameter:
    """A tree whose structure has been checked, and whose depth the decoder has bounded."""
    name, value, children = tree.value
    if value.kind == LIST and value.value[0].value == _PLAIN and value.value[1].kind != LIST:
        value = value.value[1]
    below = tuple(parameter(child) for child in children.value or () if child.kind == LIST)
    return Parameter(name.value or b"", value, below)


def _check_path(message: Message, path: Sequence[bytes]) -> None:
    given = _field(message, "parameterTreePath")
    found = [part.value for part in given.value or ()]
    if found and found != list(path):
        asked, told = (" ".join((part or b"").hex() for part in parts) for parts in (path, found))
        raise RemoteProtocolError(f"the answer is about {told}, {asked} was asked for", given.start)


def _field(message: Message, name: str) -> Any:
    return field(message.body, BODIES[message.tag], name)
