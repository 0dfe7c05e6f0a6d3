"""What is known about a reading besides its value: bit flags, so that several can hold at once.

The bits are stored and exported, therefore a number once given is never given again.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntFlag

__all__ = ["Quality", "UnknownQuality"]


class UnknownQuality(ValueError):
    """A quality was named that does not exist; the message lists the names that do."""


class Quality(IntFlag):
    """Flags of one reading; zero means that nothing speaks against it."""

    GOOD = 0
    CHANGED = 1 << 0  # another value was delivered for the same instant; see the revisions
    CLOCK_SUSPECT = 1 << 1  # more than 15 min in the future, or before 2000, when it arrived
    TIME_AMBIGUOUS = 1 << 2  # naive meter time in the hour that occurs twice
    TIME_SHIFTED = 1 << 3  # naive meter time in the hour that does not exist
    TIME_OF_RECEPTION = 1 << 4  # the read-out had no clock
    ESTIMATED = 1 << 5
    INCOMPLETE = 1 << 6  # the meter measured only part of the interval
    POWER_DOWN = 1 << 7
    METER_ERROR = 1 << 8
    CLOCK_ADJUSTED = 1 << 9
    TAMPERED = 1 << 10
    SUBSTITUTED = 1 << 11
    INVALID = 1 << 12  # the meter itself says that the value must not be used

    @property
    def names(self) -> tuple[str, ...]:
        """The flags as lower-case names, lowest bit first: what messages carry."""
        return tuple(flag.name.lower() for flag in type(self) if flag in self and flag.name)

    @classmethod
    def of(cls, names: Iterable[str]) -> Quality:
        """The flags with these names.

        Raises:
            UnknownQuality: a name is none of ours.
        """
        flags = cls.GOOD
        for name in names:
            found = cls.__members__.get(name.upper())
            if found is None:
                known = ", ".join(flag.name.lower() for flag in cls if flag.name)
                raise UnknownQuality(f"unknown quality {name!r}; known are {known}")
            flags |= found
        return flags
