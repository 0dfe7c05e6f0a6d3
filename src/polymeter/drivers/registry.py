"""The drivers: one line announces each, and the entry point group ``polymeter.drivers`` adds yours.

An entry point's name is the scheme of the addresses, its object a subclass of `Driver`.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Final

from polymeter.drivers.driver import Driver
from polymeter.protocols.wire import LocalProtocolError

__all__ = ["ENTRY_POINTS", "driver_named", "drivers"]

ENTRY_POINTS: Final = "polymeter.drivers"

_OURS: Final = {
    "iec62056-21": "polymeter.drivers.iec62056_21:IEC6205621",
    "dlms": "polymeter.drivers.dlms:DLMS",
    "lis200": "polymeter.drivers.lis200:LIS200",
    "mbus": "polymeter.drivers.mbus:MBus",
    "p1": "polymeter.drivers.p1:P1",
    "sml": "polymeter.drivers.sml:SML",
    "wmbus": "polymeter.drivers.wmbus:WMBus",
}


def drivers() -> list[str]:
    """The schemes there are drivers for, ours first."""
    return [*_OURS, *(point.name for point in entry_points(group=ENTRY_POINTS) if point.name not in _OURS)]


@cache
def driver_named(scheme: str) -> type[Driver]:
    """The driver for addresses of that scheme.

    Raises:
        LocalProtocolError: there is none; or someone's entry point does not load.
    """
    if scheme in _OURS:
        module, _, name = _OURS[scheme].partition(":")
        found = getattr(import_module(module), name)
    else:
        points = [point for point in entry_points(group=ENTRY_POINTS) if point.name == scheme]
        if not points:
            raise LocalProtocolError(f"there is no driver {scheme!r}; there are {', '.join(drivers())}")
        try:
            found = points[0].load()
        except Exception as error:  # whatever a stranger's module raises must be told as its fault
            raise LocalProtocolError(
                f"the driver {scheme!r} of {points[0].value} does not load: {error}"
            ) from error
    if not (isinstance(found, type) and issubclass(found, Driver)):
        raise LocalProtocolError(f"{scheme!r} names {found!r}, which is no Driver")
    if found.scheme != scheme or not found.description:
        raise LocalProtocolError(
            f"the driver {found.__qualname__} must have scheme = {scheme!r} and a description"
        )
    return found
