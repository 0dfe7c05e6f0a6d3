"""Invocation counters: no message is accepted twice, no counter is used twice.

A received counter must exceed the last one seen for the same sender and key; before the first one
there is none, so 0 is a fine beginning. Our own counters are reserved in blocks: the caller stores
the end of a block before any number in it is used, so that after a crash some numbers are skipped
and none comes twice. Where the numbers rest is the caller's; `Counters` is the small door to it.
"""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

from polymeter.protocols.wire import AccessDenied, LocalProtocolError, key_fingerprint

__all__ = ["COUNTER_BLOCK", "CounterID", "Counters", "MemoryCounters", "OwnCounter", "accept", "counter_id"]

_LIMIT: Final = 1 << 32
COUNTER_BLOCK: Final = 128
"""How many of our own numbers are reserved at a time."""


class CounterID(NamedTuple):
    """Whose counter under which key; the key is told by a fingerprint, never by itself."""

    system_title: bytes
    key_fingerprint: bytes


def counter_id(system_title: bytes, key: bytes) -> CounterID:
    """The counter of a sender under a key. A dedicated key is a key of its own."""
    return CounterID(system_title, key_fingerprint(key))


class Counters(Protocol):
    """Where counters are kept. What a method returns from must be durable by then."""

    def last_seen(self, counter: CounterID) -> int | None:
        """The highest counter accepted, `None` if none was."""

    def see(self, counter: CounterID, value: int) -> None:
        """Remember that `value` was accepted."""

    def reserve(self, counter: CounterID, size: int) -> int:
        """The first of `size` numbers that nobody has used or will use."""


class MemoryCounters:
    """Counters in memory, for simulators and tests; `state` can be stored and given back."""

    def __init__(self, state: dict[CounterID, tuple[int | None, int]] | None = None) -> None:
        self.state = dict(state or {})

    def last_seen(self, counter: CounterID) -> int | None:
        """The highest counter accepted, `None` if none was."""
        return self.state.get(counter, (None, 0))[0]

    def see(self, counter: CounterID, value: int) -> None:
        """Remember that `value` was accepted."""
        self.state[counter] = (value, self.state.get(counter, (None, 0))[1])

    def reserve(self, counter: CounterID, size: int) -> int:
        """The first of `size` numbers that nobody has used or will use."""
        seen, following = self.state.get(counter, (None, 0))
        self.state[counter] = (seen, following + size)
        return following


def accept(counters: Counters, counter: CounterID, value: int) -> None:
    """Take a received counter, after the message has been verified.

    Raises:
        AccessDenied: it is the last one again (a replay), or lower.
    """
    last = counters.last_seen(counter)
    if last is not None and value <= last:
        what = "was used already: the message is replayed" if value == last else "is lower than the last one"
        raise AccessDenied(f"invocation counter {value} {what} (last seen {last})")
    counters.see(counter, value)


class OwnCounter:
    """Numbers for messages that we send under one key, reserved `block` at a time."""

    def __init__(self, counters: Counters, counter: CounterID, block: int = COUNTER_BLOCK) -> None:
        self._counters = counters
        self._counter = counter
        self._block = block
        self._next = self._end = 0

    def take(self) -> int:
        """The next number; nobody gets it again.

        Raises:
            LocalProtocolError: all are used up, so the key has to be renewed.
        """
        if self._next == self._end:
            self._next = self._counters.reserve(self._counter, self._block)
            self._end = self._next + self._block
        if self._next >= _LIMIT:
            raise LocalProtocolError("all invocation counters of this key are used up: renew the key")
        self._next += 1
        return self._next - 1
