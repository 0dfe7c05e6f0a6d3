"""Counters of protected messages: each sender's must rise from frame to frame under one key.

Every accepted counter is kept with its frame. So a frame that waited in quarantine for its key is
judged by its place among the others and not by when it is read, and reading a frame again, after a
crash or by a replay, is no replayed message. Kept with a digest of its content, a message that is
heard twice, by two receivers or over a repeater, is told from one that was recorded and changed.
"""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from polymeter.store import tables
from polymeter.store.connector import Tx

__all__ = ["Refusal", "accept"]

_c = tables.invocation_counter.c


class Refusal(NamedTuple):
    """Why a counter is not taken."""

    reason: str
    echo_of: int | None = None
    """The frame that brought the very same message: it was heard again, and nothing is wrong."""


def accept(
    tx: Tx, sender: str, value: int, frame: int, content: bytes = b"", what: str = "invocation counter"
) -> Refusal | None:
    """Take the counter of a verified message; `None`, or why it is refused.

    Args:
        sender: names a system title and a key.
        value: the counter.
        frame: the store's id of the frame.
        content: a digest of the message, where it may rightly come again; nothing where it may not.
        what: the counter's name in the words of its protocol.
    """
    refused = _taken(tx, sender, value, frame, content, what)
    if refused is None:
        return None
    # Asked last: another processor that reads the same message may have been faster since we began.
    return _echo(tx, sender, value, frame, content) or Refusal(refused)


def _taken(tx: Tx, sender: str, value: int, frame: int, content: bytes, what: str) -> str | None:
    of_sender = sa.select(_c.value).where(_c.sender == sender)
    last = tx.row(of_sender.where(_c.frame < frame).order_by(_c.value.desc()).limit(1))
    used = f"{what} {value} was used already: the message is replayed"
    if last is not None and value == last[0]:
        return f"{used} (last seen {last[0]})"
    if last is not None and value < last[0]:
        return f"{what} {value} is lower than the last one (last seen {last[0]})"
    later = tx.row(of_sender.where(_c.frame > frame).order_by(_c.value).limit(1))
    if later is not None and value >= later[0]:
        return f"{what} {value} does not fit: a message that came later has {later[0]}"
    insert = tx.insert(tables.invocation_counter).values(
        sender=sender, value=value, frame=frame, content=content or None
    )
    tx.execute(insert.on_conflict_do_nothing())
    # Another processor may have been faster: whose row it is shows now.
    owner = tx.row(sa.select(_c.frame).where(_c.sender == sender, _c.value == value))
    return None if owner is None or owner[0] == frame else used


def _echo(tx: Tx, sender: str, value: int, frame: int, content: bytes) -> Refusal | None:
    if not content:
        return None
    where = (_c.sender == sender, _c.value == value, _c.frame != frame, _c.content == content)
    first = tx.row(sa.select(_c.frame).where(*where))
    return Refusal(f"the same message as frame {first[0]}", first[0]) if first is not None else None
