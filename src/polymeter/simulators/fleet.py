"""A fleet: many simulated meters of one protocol behind one listening port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol, runtime_checkable

from polymeter.protocols.procedure import Procedure
from polymeter.protocols.wire import LocalProtocolError, TransportError
from polymeter.simulators.registry import simulator_named
from polymeter.transports.inbox import AsyncStream
from polymeter.transports.runners import run
from polymeter.transports.tcp import TCPServer
from polymeter.transports.wrappers import Faults, disturb

__all__ = ["Fleet", "FleetFactory", "Settings", "simulate"]


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a fleet is made from. The same settings give the same meters."""

    count: int = 1
    seed: int = 1
    now: Callable[[], datetime] = _now
    config: Mapping[str, Any] = field(default_factory=dict)
    """The simulator's own settings, from the file given with ``--config``."""

    def text(self, name: str, default: str | None = None) -> str | None:
        """A setting that is a text."""
        value = self.config.get(name, default)
        if value is not None and not isinstance(value, str):
            raise LocalProtocolError(f"the setting {name} must be a text, not {value!r}")
        return value

    def number(self, name: str, default: float = 0.0) -> float:
        """A setting that is a number, not negative."""
        value = self.config.get(name, default)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1e9:
            raise LocalProtocolError(f"the setting {name} must be a number from 0 to 1e9, not {value!r}")
        return value

    def only(self, *known: str) -> Mapping[str, Any]:
        """The configuration, if it has no other keys than `known` and ``faults``."""
        for name in self.config:
            if name not in (*known, "faults"):
                raise LocalProtocolError(
                    f"the simulator has no setting {name!r}; there are {', '.join(known)}"
                )
        return self.config


class Fleet(Protocol):
    """The meters, as the listener sees them."""

    def serve(self) -> Procedure[None]:
        """The meters' end of one connection."""

    def addresses(self, host: str, port: int) -> list[str]:
        """An address for each meter, as `polymeter read` takes it."""


@runtime_checkable
class Pushing(Protocol):
    """A fleet whose meters also speak unasked."""

    async def push(self) -> None:
        """Send what is due to be sent, until cancelled."""


FleetFactory = Callable[[Settings], Fleet]


@asynccontextmanager
async def simulate(
    protocol: str, settings: Settings = Settings(), host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[list[str]]:
    """Run a fleet while the block runs; gives an address for each meter.

    Raises:
        LocalProtocolError: no such simulator, or a setting it does not have.
        TransportError: the port cannot be opened.
    """
    if settings.count < 1:
        raise LocalProtocolError("a fleet has at least one meter")
    fleet = simulator_named(protocol)(settings)
    faults = _faults(settings.config.get("faults"))
    connections = 0

    async def handle(stream: AsyncStream) -> None:
        nonlocal connections
        connections += 1
        procedure = fleet.serve()
        if faults is not None:
            procedure = disturb(procedure, Faults(**{**faults, "seed": settings.seed + connections}))
        try:
            await run(procedure, stream)
        except TransportError:
            return  # the reader hung up, which is how most conversations end

    server = TCPServer(handle)
    bound = await server.listen(host, port)
    pushing = asyncio.create_task(fleet.push()) if isinstance(fleet, Pushing) else None
    try:
        yield fleet.addresses(host, bound)
    finally:
        if pushing is not None:
            pushing.cancel()
            await asyncio.gather(pushing, return_exceptions=True)
        await server.close()


def _faults(table: Any) -> dict[str, Any] | None:
    if table is None:
        return None
    try:
        Faults(**{**table, "seed": 0})
    except TypeError as error:
        raise LocalProtocolError(f"faults: {error}") from error
    return dict(table)
