"""Routing keys: what a message is about, in words a topic exchange can match.

A key is `kind.name….v1`. In names every byte but ASCII letters, digits, `-`, `_` and `:` is percent-encoded,
so that a dot in a meter's name is no word boundary and `*` and `#` stay wildcards of the subscriber alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

__all__ = [
    "INCOMING",
    "KEY_MAX",
    "STORED",
    "TOPICS",
    "InvalidTopic",
    "Topic",
    "escape",
    "parse_key",
    "routing_key",
    "unescape",
]

INCOMING: Final = "polymeter"
"""The exchange that ingest and the workers listen to."""
STORED: Final = "polymeter.stored"
"""The exchange that tells everyone else what was committed."""
KEY_MAX: Final = 255
"""AMQP 0-9-1 carries a routing key as a short string."""

TOPICS: Final[dict[str, tuple[str, ...]]] = {
    "new_meter_reading": ("meter", "series"),
    "new_meter_readings": ("meter",),
    "new_dlms_push_message": (),
    "new_frame": ("protocol",),
    "meter_event": ("meter",),
    "amr_task": ("queue",),
    "amr_task_result": ("meter",),
}
"""Kind of message -> the names in its key."""

_KEPT: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_:")
_WORD = re.compile(r"(?:[A-Za-z0-9_:-]|%[0-9A-Fa-f]{2})+", re.ASCII)


class InvalidTopic(ValueError):
    """The routing key is none of ours, or a name does not fit into one."""


def escape(name: str) -> str:
    """A name as one word of a routing key."""
    return "".join(chr(byte) if byte in _KEPT else f"%{byte:02X}" for byte in name.encode())


def unescape(word: str) -> str:
    """The name in one word of a routing key.

    Raises:
        InvalidTopic: the word holds a byte that must be encoded, or no UTF-8.
    """
    if _WORD.fullmatch(word) is None:
        raise InvalidTopic(f"{word!r} is not a percent-encoded name")
    try:
        return unquote_to_bytes(word).decode()
    except UnicodeDecodeError as error:
        raise InvalidTopic(f"{word!r} is not UTF-8") from error


@dataclass(frozen=True, slots=True)
class Topic:
    """A routing key, taken apart."""

    kind: str
    names: tuple[str, ...]
    version: int = 1


def routing_key(kind: str, *names: str) -> str:
    """The key of a message.

    Raises:
        InvalidTopic: an unknown kind, a wrong number of names, an empty name, or a key beyond 255 bytes.
    """
    wanted = TOPICS.get(kind)
    if wanted is None:
        raise InvalidTopic(f"{kind!r} is no kind of message; known are {', '.join(TOPICS)}")
    if len(names) != len(wanted) or not all(names):
        raise InvalidTopic(f"{kind} is addressed by {' and '.join(wanted) or 'nothing'}, not by {names!r}")
    key = ".".join([kind, *map(escape, names), "v1"])
    if len(key) > KEY_MAX:
        raise InvalidTopic(f"the routing key for {names!r} has {len(key)} bytes, more than {KEY_MAX}")
    return key


def parse_key(key: str) -> Topic:
    """Take a routing key apart.

    Raises:
        InvalidTopic: it is none of ours.
    """
    kind, *words = key.split(".")
    wanted = TOPICS.get(kind)
    if (
        wanted is None
        or len(words) != len(wanted) + 1
        or re.fullmatch(r"v[1-9][0-9]{0,3}", words[-1]) is None
    ):
        raise InvalidTopic(f"{key!r} is none of our routing keys")
    return Topic(kind, tuple(unescape(word) for word in words[:-1]), int(words[-1][1:]))
