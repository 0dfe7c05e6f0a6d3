"""Meters that answer: for demonstrations, for tests and for trying a reader before the field.

`simulate` starts a fleet of one protocol on a port and gives an address for each meter.
"""

from polymeter.simulators.fleet import Fleet, Settings, simulate
from polymeter.simulators.registry import simulators

__all__ = ["Fleet", "Settings", "simulate", "simulators"]
