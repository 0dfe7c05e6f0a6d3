"""The fixed data structure (EN 1434-3): two counters, their units and a medium in sixteen bytes.

Old heat and water meters answer with it (CI 73, or 77 most significant byte first). On radio the
same CI field means something else; a decoder of wired frames never has to ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from polymeter.protocols.mbus import data_types
from polymeter.protocols.wire import Record, RemoteProtocolError, Tree, Value

__all__ = ["FIXED_SIZE", "FixedData", "decode_fixed", "encode_fixed", "explain_fixed", "fixed_records"]

FIXED_SIZE: Final = 16
_MEDIA: Final = (
    "other", "oil", "electricity", "gas", "heat", "steam", "hot water", "water",
    "heat cost allocator", "reserved", "gas", "heat", "hot water", "water",
    "heat cost allocator", "reserved",
)  # fmt: skip
"""By the four medium bits; from 10 on these are meters of mode 2."""

_HISTORIC: Final = 0x3E
_UNITLESS: Final = ("counter", None, 0)
_ROWS: Final = (
    (0x02, "energy", ("Wh", "kWh", "MWh")),
    (0x0B, "energy", ("kJ", "MJ", "GJ")),
    (0x14, "power", ("W", "kW", "MW")),
    (0x1D, "power", ("kJ/h", "MJ/h", "GJ/h")),
    (0x26, "volume", ("ml", "l", "m3")),
    (0x2F, "volume flow", ("ml/h", "l/h", "m3/h")),
)
_UNITS: Final[Mapping[int, tuple[str, str | None, int]]] = {
    first + 3 * step + power: (quantity, unit, power)
    for first, quantity, units in _ROWS
    for step, unit in enumerate(units)
    for power in range(3)
} | {
    # The digits of a time or a date: which of them are hours and which years the standard leaves open.
    0x00: ("hours minutes seconds", None, 0),
    0x01: ("day month year", None, 0),
    0x38: ("temperature", "°C", -3),
    0x39: ("heat cost allocation", "HCA", 0),
}


@dataclass(frozen=True, slots=True)
class FixedData:
    """The structure as it is on the wire."""

    id: str
    access_number: int
    status: int
    units: tuple[int, int]
    medium_code: int
    counters: tuple[bytes, bytes]
    """Least significant byte first."""

    @property
    def medium(self) -> str:
        """The medium in words."""
        return _MEDIA[self.medium_code]

    def values(self) -> tuple[Value, Value]:
        """The two counters: BCD, or binary where the status says so."""
        decode = _binary if self.status & 1 else data_types.decode_bcd
        return decode(self.counters[0]), decode(self.counters[1])


def _binary(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=True)


def decode_fixed(data: bytes, at: int = 0, *, msb_first: bool = False, layer: int = 0) -> FixedData:
    """The structure at `at`.

    Raises:
        RemoteProtocolError: fewer than sixteen bytes are left.
    """
    block = data[at : at + FIXED_SIZE]
    if len(block) < FIXED_SIZE:
        raise RemoteProtocolError(f"the fixed structure needs 16 bytes, {len(block)} are left", at, layer)
    step = 1 if msb_first else -1
    one, two = (block[8:12][::-1], block[12:16][::-1]) if msb_first else (block[8:12], block[12:16])
    units = (block[7], block[6]) if msb_first else (block[6], block[7])
    return FixedData(
        block[0:4][::step].hex().upper(),
        block[4],
        block[5],
        (units[0] & 0x3F, units[1] & 0x3F),
        units[1] >> 6 << 2 | units[0] >> 6,
        (one, two),
    )


def encode_fixed(fixed: FixedData) -> bytes:
    """The structure as it travels, least significant byte first."""
    return (
        bytes.fromhex(fixed.id)[::-1]
        + bytes((fixed.access_number, fixed.status))
        + bytes((fixed.units[0] | (fixed.medium_code & 3) << 6, fixed.units[1] | fixed.medium_code >> 2 << 6))
        + fixed.counters[0]
        + fixed.counters[1]
    )


def fixed_records(fixed: FixedData, data: bytes, at: int, layer: int = 0) -> tuple[Record, ...]:
    """The two counters as records. A historic counter has storage number 1 and its neighbour's unit."""
    stored = fixed.status >> 1 & 1
    records: list[Record] = []
    for index, value in enumerate(fixed.values()):
        code = fixed.units[index]
        storage = stored
        if code == _HISTORIC:
            code, storage = fixed.units[1 - index], 1
        quantity, unit, power = _UNITS.get(code, _UNITLESS)
        if power and isinstance(value, int):
            value = data_types.exact.scaleb(value, power) if power < 0 else value * 10**power
        offset = at + 8 + 4 * index
        name = quantity.replace(" ", "_")
        # Two counters of one quantity are told apart by their subunit.
        subunit = int(any(other[0] == name and other.storage == storage for other in records))
        raw = data[offset : offset + 4]
        records.append(
            Record(
                name,
                value,
                unit,
                None,
                quantity,
                None,
                storage,
                0,
                subunit,
                layer=layer,
                offset=offset,
                raw=raw,
            )
        )
    return tuple(records)


def explain_fixed(tree: Tree, fixed: FixedData, records: tuple[Record, ...], at: int, status: str) -> None:
    """Draw the structure into a tree."""
    tree.leaf("identification number", at, at + 4, fixed.id)
    tree.leaf("access number", at + 4, at + 5, fixed.access_number)
    coding = "binary" if fixed.status & 1 else "BCD"
    stored = "at a fixed date" if fixed.status & 2 else "present"
    tree.leaf("status", at + 5, at + 6, fixed.status, f"{coding}, {stored}, {status}")
    tree.leaf("medium and units", at + 6, at + 8, None, fixed.medium)
    for record in records:
        tree.leaf("counter", record.offset, record.offset + 4, record.value, record.unit)
