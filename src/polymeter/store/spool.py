"""The spool: a frame is on disk before its sender hears so, and whatever waits shares one commit.

There is no timer. One flush runs at a time; all that arrives meanwhile goes into the next. Under load the
groups grow by themselves, alone a frame waits for nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from polymeter.store.frames import Frame

__all__ = ["Spool"]

_FLUSH_MAX: Final = 2000


class Spool:
    """Groups frames of many senders into few transactions."""

    def __init__(self, write: Callable[[list[Frame]], Awaitable[None]]) -> None:
        self._write = write
        self._waiting: list[tuple[Sequence[Frame], asyncio.Future[None]]] = []
        self._flush: asyncio.Task[None] | None = None

    async def add(self, frames: Sequence[Frame]) -> None:
        """Return when the frames are on disk.

        Raises:
            StoreUnavailable: they are not; the sender must not be answered.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((frames, done))
        if self._flush is None or self._flush.done():
            self._flush = asyncio.create_task(self._run())
        await done

    async def _run(self) -> None:
        while self._waiting:
            group, size = [], 0
            while self._waiting and size < _FLUSH_MAX:
                entry = self._waiting.pop(0)
                group.append(entry)
                size += len(entry[0])
            try:
                await self._write([frame for frames, _ in group for frame in frames])
            except Exception as error:
                for _, done in group:
                    if not done.done():
                        done.set_exception(error)
            except asyncio.CancelledError:
                for _, done in group + self._waiting:
                    done.cancel()
                raise
            else:
                for _, done in group:
                    if not done.done():
                        done.set_result(None)
