"""The simulators: one line announces each."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final, cast

from polymeter.protocols.wire import LocalProtocolError

if TYPE_CHECKING:
    from polymeter.simulators.fleet import FleetFactory

__all__ = ["simulator_named", "simulators"]

_SIMULATORS: Final = {
    "iec62056-21": "polymeter.simulators.iec62056_21:fleet",
    "dlms": "polymeter.simulators.dlms:fleet",
    "lis200": "polymeter.simulators.lis200:fleet",
    "mbus": "polymeter.simulators.mbus:fleet",
    "wmbus": "polymeter.simulators.wmbus:fleet",
    "p1": "polymeter.simulators.p1:fleet",
    "sml": "polymeter.simulators.sml:fleet",
}


def simulators() -> list[str]:
    """The protocols that can be simulated."""
    return list(_SIMULATORS)


def simulator_named(protocol: str) -> FleetFactory:
    """What makes a fleet of that protocol.

    Raises:
        LocalProtocolError: there is none; the message lists those there are.
    """
    if protocol not in _SIMULATORS:
        known = ", ".join(_SIMULATORS)
        raise LocalProtocolError(f"there is no simulator for {protocol!r}; there are {known}")
    module, _, name = _SIMULATORS[protocol].partition(":")
    return cast("FleetFactory", getattr(import_module(module), name))
