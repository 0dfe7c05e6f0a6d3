"""How often a series has a value: fixed seconds, or days, months and years of the meter's zone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

__all__ = ["Period"]

_TEXT = re.compile(r"PT?(\d+)([SMHD]|MO|Y)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Period:
    """A length of seconds aligned to the hour, or a number of calendar days or months in a zone."""

    seconds: int = 0
    days: int = 0
    months: int = 0

    def __post_init__(self) -> None:
        if (
            sorted((self.seconds, self.days, self.months))[:2] != [0, 0]
            or max(self.seconds, self.days, self.months) < 1
        ):
            raise ValueError("a period is a positive number of seconds, of days or of months")

    @classmethod
    def parse(cls, text: str) -> Period:
        """Read an ISO 8601 duration of one component: `PT900S`, `PT15M`, `PT1H`, `P1D`, `P1M`, `P1Y`."""
        found = _TEXT.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is not a period such as PT15M, PT1H, P1D, P1M")
        count, clock = int(found[1]), text.startswith("PT")
        match (clock, found[2]):
            case (True, "S"):
                return cls(seconds=count)
            case (True, "M"):
                return cls(seconds=count * 60)
            case (True, "H"):
                return cls(seconds=count * 3600)
            case (False, "D"):
                return cls(days=count)
            case (False, "M"):
                return cls(months=count)
            case (False, "Y"):
                return cls(months=count * 12)
        raise ValueError(f"{text!r} is not a period such as PT15M, PT1H, P1D, P1M")

    def __str__(self) -> str:
        if self.seconds:
            return f"PT{self.seconds}S"
        return f"P{self.days}D" if self.days else f"P{self.months}M"

    def floor(self, instant: datetime, zone: ZoneInfo) -> datetime:
        """The latest boundary not after `instant`, in UTC."""
        local = instant.astimezone(zone)
        if self.seconds:
            epoch = int(instant.timestamp())
            return datetime.fromtimestamp(epoch - epoch % self.seconds, UTC)
        midnight = datetime(local.year, local.month, local.day, tzinfo=zone)
        if self.days:
            back = (midnight.toordinal() - 1) % self.days
            day = midnight - timedelta(days=back)
            return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
        months = local.year * 12 + local.month - 1
        year, month = divmod(months - months % self.months, 12)
        return datetime(year, month + 1, 1, tzinfo=zone).astimezone(UTC)

    def after(self, instant: datetime, zone: ZoneInfo) -> datetime:
        """The first boundary after `instant`, in UTC: 23 and 25 hour days come out by themselves."""
        base = self.floor(instant, zone)
        if self.seconds:
            return base + timedelta(seconds=self.seconds)
        local = base.astimezone(zone)
        if self.days:
            day = datetime(local.year, local.month, local.day, tzinfo=UTC) + timedelta(days=self.days)
            return _midnight(day.year, day.month, day.day, zone, instant)
        year, month = divmod(local.year * 12 + local.month - 1 + self.months, 12)
        return _midnight(year, month + 1, 1, zone, instant)


def _midnight(year: int, month: int, day: int, zone: ZoneInfo, after: datetime) -> datetime:
    """That midnight; of two, the first that is after the instant (St. John's went back over midnight)."""
    first = datetime(year, month, day, tzinfo=zone).astimezone(UTC)
    return first if first > after else datetime(year, month, day, tzinfo=zone, fold=1).astimezone(UTC)
