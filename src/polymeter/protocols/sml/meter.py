"""The meter's end: the three messages that a push meter sends.

`pushed` builds open, list and close; `serve` pushes what it is given for as long as somebody
listens. What the list says is the simulator's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from polymeter.protocols.procedure import push_frames as serve
from polymeter.protocols.sml.elements import Element, integer, listing, octets, unsigned
from polymeter.protocols.sml.grammar import TAGS, structure
from polymeter.protocols.sml.messages import Message
from polymeter.protocols.wire import LocalProtocolError

__all__ = ["Entry", "pushed", "sec_index", "serve", "timestamp"]

_LIST_NAME = bytes((1, 0, 98, 10, 255, 255))


class Entry(NamedTuple):
    """One entry of a list. A number is given with its unit's code and its scaler."""

    name: bytes
    value: int | bytes
    unit: int | None = None
    scaler: int | None = None
    status: int | None = None

    def element(self) -> Element:
        """The entry as its structure.

        Raises:
            LocalProtocolError: a number needs more than eight octets.
        """
        if isinstance(self.value, bytes):
            value = octets(self.value)
        else:
            value = integer(self.value, _size(self.value))
        return structure(
            "ListEntry",
            objName=octets(self.name),
            status=unsigned(self.status, 4),
            unit=unsigned(self.unit, 1),
            scaler=integer(self.scaler, 1),
            value=value,
        )


def _size(value: int) -> int:
    for size in (1, 2, 4, 8):
        if -(1 << 8 * size - 1) <= value < 1 << 8 * size - 1:
            return size
    raise LocalProtocolError(f"{value} does not fit into eight octets")


def sec_index(seconds: int) -> Element:
    """A time as seconds since the meter began to count."""
    return listing(unsigned(1, 1), unsigned(seconds, 4))


def timestamp(second: int) -> Element:
    """A time as seconds since 1970, UTC."""
    return listing(unsigned(2, 1), unsigned(second, 4))


def pushed(server: bytes, time: Element, entries: Sequence[Entry], file_id: int) -> tuple[Message, ...]:
    """The messages of one push; transactions are numbered on from `file_id`."""
    reference = octets(file_id.to_bytes(4, "big"))
    values = listing(*(entry.element() for entry in entries))
    sender, name = octets(server), octets(_LIST_NAME)
    bodies = {
        "PublicOpen.Res": {"reqFileId": reference, "serverId": sender, "refTime": time},
        "GetList.Res": {"serverId": sender, "listName": name, "actSensorTime": time, "valList": values},
        "PublicClose.Res": {},
    }
    return tuple(
        Message(
            (file_id + index & 0xFFFFFFFF).to_bytes(4, "big"), 0, 0, TAGS[name], structure(name, **fields)
        )
        for index, (name, fields) in enumerate(bodies.items())
    )
