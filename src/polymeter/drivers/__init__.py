"""Open meters and the calls their families understand.

`connect` opens a meter from its address for blocking code, `connect_async` for asyncio; both run
the same driver, whose calls are procedures. `registry` names the drivers, one line each.
"""

from polymeter.drivers.driver import Call, Discovered, Driver, Row, call, writing_call
from polymeter.drivers.faces import AsyncMeter, Meter, connect, connect_async
from polymeter.drivers.registry import driver_named, drivers

__all__ = [
    "AsyncMeter",
    "Call",
    "Discovered",
    "Driver",
    "Meter",
    "Row",
    "call",
    "connect",
    "connect_async",
    "driver_named",
    "drivers",
    "writing_call",
]
