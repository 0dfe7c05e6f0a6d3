"""The seam between whoever has something to say and whoever must hear it.

`publish` returns when every durable subscriber has the message: the broker confirmed it, or, inside one
process, their handlers returned. A handler that returns has dealt with its messages for good.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol

__all__ = [
    "DELIVERY_LIMIT",
    "Bus",
    "BusUnavailable",
    "Delivery",
    "Handler",
    "NotNow",
    "Rejected",
    "Subscription",
    "Unroutable",
    "matches",
]

DELIVERY_LIMIT: Final = 5
"""Attempts before a message goes to the dead letters; RabbitMQ 3.10 has no default of its own."""


class BusUnavailable(Exception):
    """The bus did not take the message: the broker is away, or a subscriber could not commit. Try again."""


class Unroutable(BusUnavailable):
    """No durable subscriber exists for the message, so nobody would keep it."""


class NotNow(Exception):
    """A handler says: not my message's fault, try again in a moment. The attempt is not counted."""


class Rejected(Exception):
    """A handler says: this message will never do. It goes to the dead letters at once."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as a handler gets it."""

    key: str
    body: bytes
    redelivered: bool = False


Handler = Callable[[Sequence[Delivery]], Awaitable[None]]
"""Takes the messages that wait, up to the prefetch, and returns when they are dealt with."""


class Subscription(Protocol):
    """A running subscription."""

    async def cancel(self) -> None:
        """Stop; what is being handled is finished first, what waits stays with the bus."""
        ...


class Bus(Protocol):
    """The bus."""

    async def publish(self, key: str, body: bytes, *, exchange: str, required: bool = True) -> None:
        """Return when every durable subscriber has the message.

        Args:
            required: whether a message without any durable subscriber is an error.

        Raises:
            BusUnavailable: it has not been taken; publish it again.
            Unroutable: nobody would keep it.
        """
        ...

    async def publish_many(
        self, messages: Sequence[tuple[str, bytes]], *, exchange: str, required: bool = True
    ) -> None:
        """`publish` for many (key, body) at once; when it raises, some may have been taken."""
        ...

    async def subscribe(
        self,
        patterns: Sequence[str],
        handler: Handler,
        *,
        exchange: str,
        queue: str | None = None,
        prefetch: int = 100,
    ) -> Subscription:
        """Hand messages whose key matches a pattern (`*` one word, `#` any number) to `handler`.

        Args:
            queue: the name of a durable queue, shared by all who subscribe with it; without one the
                subscription is a listener of its own that misses what is published while it is slow or away,
                and never delays the publisher.
        """
        ...

    async def ping(self) -> None:
        """Return when the bus works.

        Raises:
            BusUnavailable: it does not.
        """
        ...

    async def close(self) -> None:
        """Stop all subscriptions and let go of the broker."""
        ...


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    # Each word is matched with the dot before it, so that `#` can stand for no word at all.
    parts = {"*": r"\.[^.]*", "#": r"(?:\.[^.]*)*"}
    words = [parts.get(word) or r"\." + re.escape(word) for word in pattern.split(".")]
    # `##` in a row would backtrack; one means the same.
    kept = [word for i, word in enumerate(words) if not (i and word == words[i - 1] == parts["#"])]
    return re.compile("".join(kept))


def matches(pattern: str, key: str) -> bool:
    """Whether a topic exchange would route `key` to a queue bound with `pattern`."""
    return _compiled(pattern).fullmatch("." + key) is not None
