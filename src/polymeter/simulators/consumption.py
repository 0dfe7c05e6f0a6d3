"""What a made-up household uses: power over the day, and the energy that it adds up to.

Everything follows from a seed and the time, so a meter asked twice for the same instant gives the
same value, and counters never run backwards.
"""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = ["EPOCH", "Consumption"]

EPOCH: Final = datetime(2024, 1, 1, tzinfo=UTC)
_DAY_S: Final = 86400.0


class Consumption:
    """Power is a base load with a daily and a faster swing; energy is its exact integral."""

    def __init__(self, seed: int, mean_w: float = 450.0) -> None:
        dice = random.Random(seed)
        self._start_wh = dice.randrange(50_000, 20_000_000)
        self._mean_w = mean_w * dice.uniform(0.4, 2.2)
        self._swings = [
            (dice.uniform(0.2, 0.5), 2 * math.pi / _DAY_S, dice.uniform(0, 2 * math.pi)),
            (dice.uniform(0.1, 0.3), 2 * math.pi / 2700.0, dice.uniform(0, 2 * math.pi)),
        ]

    def power_w(self, at: datetime) -> int:
        """Power at an instant, in W."""
        seconds = (at - EPOCH).total_seconds()
        swing = sum(size * math.sin(rate * seconds + phase) for size, rate, phase in self._swings)
        return max(0, round(self._mean_w * (1 + swing)))

    def energy_wh(self, at: datetime) -> int:
        """The counter at an instant, in Wh."""
        seconds = (at - EPOCH).total_seconds()
        swing = sum(
            size / rate * (math.cos(phase) - math.cos(rate * seconds + phase))
            for size, rate, phase in self._swings
        )
        return self._start_wh + math.floor(self._mean_w * (seconds + swing) / 3600.0)

    def interval_wh(self, end: datetime, length: timedelta) -> int:
        """The energy of the interval that ends at an instant, in Wh."""
        return self.energy_wh(end) - self.energy_wh(end - length)
