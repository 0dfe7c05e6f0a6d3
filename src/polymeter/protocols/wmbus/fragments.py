"""Messages that are longer than a frame, put together from their fragments.

EN 13757-7 § 6: fragments are numbered from 1 and sent in order; the first tells the length of the whole
message, the last carries its authentication code. Nothing says of which message a fragment is, so one
that did not come in order is believed only where its code or its session proves it: a lost fragment is
more likely than two that overtook each other.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from polymeter.protocols.wmbus.headers import AFL

__all__ = ["FRAGMENTS_MAX", "MESSAGE_MAX", "Fragment", "Message", "split"]

FRAGMENTS_MAX: Final = 255
"""Numbers never start anew."""
MESSAGE_MAX: Final = 1 << 14
"""Bytes of one message (OMS volume 2, § 6)."""


class Fragment(NamedTuple):
    """A part of a message, as one frame carries it."""

    afl: AFL
    data: bytes


@dataclass(slots=True)
class Message:
    """What has come of one message so far."""

    fragments: dict[int, Fragment] = field(default_factory=dict)
    """By number, in the order in which they came."""
    size: int = 0
    """Bytes of all fragments together."""
    last: int = 0
    """The number of the last fragment, 0 as long as it has not come."""
    highest: int = 0
    next: int = 1
    """The first fragment that has not come."""
    in_order: bool = True
    """Whether each fragment came right behind the one before it."""

    def missing(self) -> int | None:
        """The first fragment that has not come, `None` if the message is whole."""
        return self.next if not self.last or self.next <= self.last else None

    def holds(self, fragment: Fragment) -> bool:
        """Whether this very fragment has come already."""
        found = self.fragments.get(fragment.afl.fragment)
        return found is not None and (found.data, bytes(found.afl)) == (fragment.data, bytes(fragment.afl))

    def fits(self, fragment: Fragment) -> bool:
        """Whether this fragment can be one more of the same message."""
        number = fragment.afl.fragment
        if number in self.fragments or self.size + len(fragment.data) > MESSAGE_MAX:
            return False
        if self.last and number > self.last:
            return False
        return fragment.afl.more or number > self.highest

    def add(self, fragment: Fragment) -> None:
        """Take in a fragment that fits."""
        number = fragment.afl.fragment
        self.in_order = self.in_order and number == self.highest + 1
        self.fragments[number] = fragment
        self.size += len(fragment.data)
        self.highest = max(self.highest, number)
        while self.next in self.fragments:
            self.next += 1
        if not fragment.afl.more:
            self.last = number

    def since_first(self) -> Message:
        """Only what came from the first fragment on, where others had come before it."""
        later = Message()
        arrived = list(self.fragments.values())
        begin = next((at for at, one in enumerate(arrived) if one.afl.fragment == 1), 0)
        for fragment in arrived[begin:] if begin else ():
            later.add(fragment)
        return later

    def joined(self) -> Fragment:
        """The whole message, behind one layer with the fields that its fragments carry."""
        parts = [self.fragments[number] for number in sorted(self.fragments)]
        afl = parts[-1].afl
        for each in (part.afl for part in parts):
            control = each.message_control if afl.message_control is None else afl.message_control
            afl = replace(
                afl,
                message_control=control,
                key_information=afl.key_information or each.key_information,
                counter=afl.counter or each.counter,
                mac=afl.mac or each.mac,
                message_length=afl.message_length or each.message_length,
            )
        return Fragment(afl, b"".join(part.data for part in parts))


def split(whole: AFL, message: bytes, size: int) -> list[Fragment]:
    """The fragments of a message, each with at most `size` bytes of it.

    The first carries every field but the code, the last the code.
    """
    count = -(-len(message) // size)
    fragments = []
    for number in range(1, count + 1):
        more = number < count
        base = whole if number == 1 else AFL(number, more)
        afl = replace(base, fragment=number, more=more, mac=b"" if more else whole.mac)
        fragments.append(Fragment(afl, message[(number - 1) * size : number * size]))
    return fragments
