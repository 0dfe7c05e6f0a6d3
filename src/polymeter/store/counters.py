"""Invocation counters of pushed messages: each sender's must rise from frame to frame under one key.

Every accepted counter is kept with its frame. So a frame that waited in quarantine for its key is
judged by its place among the others and not by when it is read, and reading a frame again, after a
crash or by a replay, is no replayed message.
"""

from __future__ import annotations

import sqlalchemy as sa

from polymeter.store import tables
from polymeter.store.connector import Tx

__all__ = ["accept"]

_c = tables.invocation_counter.c


def accept(tx: Tx, sender: str, value: int, frame: int) -> str | None:
    """Take the counter of a verified message; `None`, or why it is refused.

    `sender` names a system title and a key, `frame` is the store's id of the frame.
    """
    of_sender = sa.select(_c.value).where(_c.sender == sender)
    last = tx.row(of_sender.where(_c.frame < frame).order_by(_c.value.desc()).limit(1))
    if last is not None and value <= last[0]:
        what = (
            "was used already: the message is replayed" if value == last[0] else "is lower than the last one"
        )
        return f"invocation counter {value} {what} (last seen {last[0]})"
    later = tx.row(of_sender.where(_c.frame > frame).order_by(_c.value).limit(1))
    if later is not None and value >= later[0]:
        return f"invocation counter {value} does not fit: a message that came later has {later[0]}"
    insert = tx.insert(tables.invocation_counter).values(sender=sender, value=value, frame=frame)
    tx.execute(insert.on_conflict_do_nothing())
    taken = tx.row(sa.select(_c.frame).where(_c.sender == sender, _c.value == value))
    if taken is None or taken[0] == frame:
        return None
    return f"invocation counter {value} was used already: the message is replayed"
