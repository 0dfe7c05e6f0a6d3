"""What telegrams teach about those that come later: formats of compact frames, and fragments.

Both are kept for each sender, which is who the link layer names: a radio adapter speaks for its meter.
Everything has a bound, and what was not used for longest goes first, so that one memory may serve a
fleet and strangers cannot fill it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from polymeter.protocols.wmbus.compact import KNOWN_FORMATS, signature
from polymeter.protocols.wmbus.fragments import Fragment, Message

__all__ = ["Kept", "Memory"]

SENDERS_MAX: Final = 4096
"""Of whom formats are remembered."""
FORMATS_MAX: Final = 16
"""Of one sender."""
MESSAGES_MAX: Final = 4096
BYTES_MAX: Final = 1 << 20
"""Of the fragments of all messages together."""


class Kept(NamedTuple):
    """What became of a fragment."""

    message: Message
    repeated: bool
    """It had come before."""
    given_up: int
    """The first fragment that was missing in a message which this one replaces; 0 if none was."""


class Memory:
    """What was learned from one call of `decode` to the next."""

    __slots__ = ("_bytes", "_formats", "_messages", "_shipped")

    def __init__(self, shipped: Mapping[int, bytes] = KNOWN_FORMATS) -> None:
        self._shipped = shipped
        self._formats: dict[bytes, dict[int, bytes]] = {}
        self._messages: dict[tuple[bytes, bytes], Message] = {}
        self._bytes = 0

    @property
    def senders(self) -> int:
        """Of how many senders formats are remembered."""
        return len(self._formats)

    @property
    def waiting(self) -> int:
        """The bytes of all fragments that are kept."""
        return self._bytes

    def learn(self, sender: bytes, headers: bytes) -> int:
        """Remember a format of this sender; gives its signature."""
        formats = self._formats.pop(sender, None)
        if formats is None:
            formats = {}
            if len(self._formats) >= SENDERS_MAX:
                del self._formats[next(iter(self._formats))]
        self._formats[sender] = formats
        for number, known in formats.items():
            if known == headers:
                return number
        if len(formats) >= FORMATS_MAX:
            del formats[next(iter(formats))]
        number = signature(headers)
        formats[number] = headers
        return number

    def format(self, sender: bytes, number: int) -> bytes | None:
        """The format of that signature: the sender's own, else one that is shipped."""
        own = self._formats.get(sender, {}).get(number)
        return own if own is not None else self._shipped.get(number)

    def keep(self, sender: bytes, session: bytes, fragment: Fragment) -> Kept:
        """Keep a fragment with the others of its session; tells how far the message is.

        A whole message stays until another one begins, so that a repeated fragment is known as one.
        """
        message = self._messages.pop((sender, session), Message())
        if message.holds(fragment):
            self._messages[sender, session] = message
            return Kept(message, True, 0)
        given_up = 0
        if not message.fits(fragment):
            given_up = message.missing() or 0
            self._bytes -= message.size
            message = message.since_first()
            if not message.fits(fragment):
                message = Message()
            self._bytes += message.size
        message.add(fragment)
        self._bytes += len(fragment.data)
        self._messages[sender, session] = message
        while len(self._messages) > MESSAGES_MAX or self._bytes > BYTES_MAX:
            self._bytes -= self._messages.pop(next(iter(self._messages))).size
        return Kept(message, False, given_up)

    def disbelieve(self, sender: bytes, session: bytes) -> None:
        """Give up what came before the first fragment of a message: it was of another one."""
        message = self._messages.pop((sender, session), Message())
        later = message.since_first()
        self._bytes += later.size - message.size
        if later.fragments:
            self._messages[sender, session] = later
