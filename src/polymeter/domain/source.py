"""Where a value came from, and which one wins when two disagree about one instant.

The stored number names the source and never changes; the rank is a table of its own, so that a new source
can be put between two old ones without touching a stored row.
"""

from __future__ import annotations

from enum import IntEnum

__all__ = ["RANK", "Source", "UnknownSource", "wins"]


class UnknownSource(ValueError):
    """A source was named that does not exist; the message lists those that do."""


class Source(IntEnum):
    """How a reading reached us. The numbers are stored."""

    MANUAL = 1  # a person read or corrected it
    PROFILE = 2  # the meter's own archive
    PUSH = 3  # the meter sent it
    POLL = 4  # we asked for the present value
    ESTIMATE = 5
    IMPORT = 6

    @property
    def label(self) -> str:
        """The name messages carry."""
        return self.name.lower()

    @classmethod
    def of(cls, label: str) -> Source:
        """The source of that name.

        Raises:
            UnknownSource: there is none.
        """
        found = cls.__members__.get(label.upper())
        if found is None:
            known = ", ".join(source.label for source in cls)
            raise UnknownSource(f"unknown source {label!r}; known are {known}")
        return found


RANK: dict[Source, int] = {
    Source.MANUAL: 60,
    Source.PROFILE: 50,
    Source.PUSH: 40,
    Source.POLL: 30,
    Source.ESTIMATE: 20,
    Source.IMPORT: 10,
}
"""The whole conflict policy: higher wins, at equal rank the later delivery."""


def wins(incoming: Source, present: Source) -> bool:
    """Whether a value from `incoming` replaces another value from `present`."""
    return RANK[incoming] >= RANK[present]
