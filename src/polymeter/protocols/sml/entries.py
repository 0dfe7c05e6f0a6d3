"""What goes into messages: entries of lists and profiles, and times.

Each is given as people think of it, a number with its unit and scaler or an instant, and turned
into the element that the grammar wants.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from polymeter.protocols.sml.elements import Element, integer, listing, octets, unsigned
from polymeter.protocols.sml.grammar import structure
from polymeter.protocols.wire import LocalProtocolError

__all__ = ["Entry", "number", "sec_index", "time_element", "timestamp"]


class Entry(NamedTuple):
    """One entry of a list or of a period. A number is given with its unit's code and its scaler."""

    name: bytes
    value: int | bytes
    unit: int | None = None
    scaler: int | None = None
    status: int | None = None

    def element(self, kind: str = "ListEntry") -> Element:
        """The entry as its structure, that of a list or a ``PeriodEntry``, which has no status.

        Raises:
            LocalProtocolError: a number needs more than eight octets.
        """
        status = {"status": unsigned(self.status, 4)} if kind == "ListEntry" else {}
        return structure(
            kind,
            objName=octets(self.name),
            unit=unsigned(self.unit, 1),
            scaler=integer(self.scaler, 1),
            value=octets(self.value) if isinstance(self.value, bytes) else number(self.value),
            **status,
        )


def number(value: int) -> Element:
    """A signed number of as many octets as it needs.

    Raises:
        LocalProtocolError: it needs more than eight.
    """
    for size in (1, 2, 4, 8):
        if -(1 << 8 * size - 1) <= value < 1 << 8 * size - 1:
            return integer(value, size)
    raise LocalProtocolError(f"{value} does not fit into eight octets")


def sec_index(seconds: int) -> Element:
    """A time as seconds since the meter began to count."""
    return listing(unsigned(1, 1), unsigned(seconds, 4))


def timestamp(second: int) -> Element:
    """A time as seconds since 1970, UTC."""
    return listing(unsigned(2, 1), unsigned(second, 4))


def time_element(at: datetime) -> Element:
    """An instant as a timestamp; what is finer than a second is left out.

    Raises:
        LocalProtocolError: it is naive, or not between 1970 and 2106.
    """
    if at.tzinfo is None:
        raise LocalProtocolError(f"{at} says no time zone, and SML counts seconds of UTC")
    second = int(at.timestamp() // 1)
    if not 0 <= second < 1 << 32:
        raise LocalProtocolError(f"{at} is not between 1970 and 2106, as a timestamp must be")
    return timestamp(second)
