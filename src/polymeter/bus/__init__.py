"""The bus, with two engines: `MemoryBus` inside one process, `AMQPBus` (in `bus.amqp`) over RabbitMQ."""

from polymeter.bus.bus import (
    DELIVERY_LIMIT,
    Bus,
    BusUnavailable,
    Delivery,
    Handler,
    NotNow,
    Rejected,
    Subscription,
    Unroutable,
    matches,
)
from polymeter.bus.memory import MemoryBus

__all__ = [
    "DELIVERY_LIMIT",
    "Bus",
    "BusUnavailable",
    "Delivery",
    "Handler",
    "MemoryBus",
    "NotNow",
    "Rejected",
    "Subscription",
    "Unroutable",
    "matches",
]
