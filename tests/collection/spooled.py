"""What receivers have put on disk."""

from __future__ import annotations

from polymeter.store import ANY, Frame, Store, frames
from tests.patience import until

__all__ = ["kept"]


async def kept(store: Store, count: int = 0) -> list[Frame]:
    """All frames of the store, once there are so many."""
    found: list[Frame] = []

    async def enough() -> bool:
        found[:] = (await store.read(frames.page, ANY, limit=100_000)).rows
        return len(found) >= count

    await until(enough, f"{count} frames on disk")
    return found
