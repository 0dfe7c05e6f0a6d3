"""Who sent a telegram, and whose readings it passes on: the meter and those on its M-Bus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from polymeter.protocols.wire import MeterIdentity, Record

__all__ = ["DEVICE_TYPES", "SubMeter", "identity", "sub_meters"]

DEVICE_TYPES: Final = {
    0: "other", 1: "oil", 2: "electricity", 3: "gas", 4: "heat", 5: "steam", 6: "hot water", 7: "water",
    8: "heat cost allocator", 9: "compressed air", 10: "cooling", 11: "cooling", 12: "heat",
    13: "heat and cooling", 21: "hot water", 22: "cold water", 23: "hot and cold water", 40: "waste water",
}  # fmt: skip
"""M-Bus device types (EN 13757-7), as ``0-n:24.1.0`` gives them."""


_IDENTITIES: Final = (
    "0-0:96.1.1*255", "0-0:96.1.0*255", "1-0:0.0.0*255", "0-0:96.1.255*255", "1-0:96.1.0*255",
    "0-0:42.0.0*255", "1-0:42.0.0*255",
)  # fmt: skip
"""Where meters say who they are, the best place first."""


def identity(identification: str, found: Sequence[Record]) -> MeterIdentity:
    """Who sent a telegram, by its first line and its records."""
    codes = [record[3] for record in found]
    name = None
    for code in _IDENTITIES:
        if code in codes and (name := found[codes.index(code)].value) is not None:
            break
    electricity = any(code is not None and code[0] == "1" for code in codes)
    return MeterIdentity(
        None if name is None else str(name),
        identification[:3],
        "electricity" if electricity else None,
        identification=identification[4:],
    )


@dataclass(frozen=True, slots=True)
class SubMeter:
    """A meter on one of the meter's M-Bus channels, with the latest of what it measured."""

    channel: int
    medium: str | None
    id: str | None
    records: tuple[Record, ...]
    """Its registers, each with the time at which the meter fetched it."""


def sub_meters(found: Sequence[Record]) -> tuple[SubMeter, ...]:
    """The sub-meters of a telegram, by channel."""
    channels: dict[int, list[Record]] = {}
    for record in found:
        if record.subunit:
            channels.setdefault(record.subunit, []).append(record)
    return tuple(_sub_meter(channel, channels[channel]) for channel in sorted(channels))


def _sub_meter(channel: int, found: Sequence[Record]) -> SubMeter:
    medium = name = None
    registers: list[Record] = []
    for record in found:
        code = (record.obis or "").partition(":")[2]
        if code == "24.1.0*255":
            medium = DEVICE_TYPES.get(record.value, "unknown") if isinstance(record.value, int) else None
        elif code.startswith("96.1."):
            name = str(record.value) if record.value is not None else name
        else:
            registers.append(record)
    return SubMeter(channel, medium, name, tuple(registers))
