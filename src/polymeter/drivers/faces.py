"""The two faces of every driver: blocking and asyncio. They are made once, for all families.

A driver's calls are procedures; a face opens the line and runs them over it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Any, TypeVar

from polymeter.catalogue import TelegramReading
from polymeter.drivers.driver import Driver, Row
from polymeter.drivers.registry import driver_named
from polymeter.protocols.procedure import Procedure
from polymeter.protocols.wire import LocalProtocolError, ProtocolError
from polymeter.transports.filters import EchoCanceller, ParityBit
from polymeter.transports.modem import with_carrier
from polymeter.transports.runners import AsyncTransport, Transport, run, run_blocking
from polymeter.transports.urls import URL, open_async, open_blocking, scheme_of
from polymeter.transports.wrappers import record, trace

__all__ = ["AsyncMeter", "Meter", "connect", "connect_async", "driver_for"]

T = TypeVar("T")
Tell = Callable[[str], None]


def driver_for(address: str) -> Driver:
    """The driver of an address, not yet open.

    Raises:
        LocalProtocolError: the address is wrong, with what is wrong in it.
    """
    family = driver_named(scheme_of(address))
    return family(URL.parse(address, family.default_port))


class _Face:
    """What both faces share: the driver, and who listens to the conversation."""

    def __init__(self, driver: Driver, tell: Tell | None, write: Tell | None) -> None:
        self.driver = driver
        self._tell = tell
        self._write = write
        parity = driver.url.choice("parity_bit", "none", ("none", "even", "odd"))
        self._parity_bit = ParityBit(parity) if parity != "none" else None
        echoes = driver.url.choice("echo", "no", ("yes", "no")) == "yes"
        self._echo = EchoCanceller() if echoes else None

    def _wrapped(self, procedure: Procedure[T]) -> Procedure[T]:
        if self._parity_bit is not None:
            procedure = self._parity_bit(procedure)
        if self._echo is not None:
            procedure = self._echo(procedure)
        if self.driver.url.line == "modem":
            procedure = with_carrier(procedure)
        if self._write is not None:
            procedure = record(procedure, self._write)
        if self._tell is not None:
            procedure = trace(procedure, self._tell)
        return procedure


class Meter(_Face):
    """An open meter for blocking code. Use it in a ``with`` statement.

    Raises:
        ProtocolError: from every call; its subclasses say who must act.
    """

    def __init__(
        self,
        driver: Driver,
        tell: Tell | None = None,
        write: Tell | None = None,
        line: Transport | None = None,
    ) -> None:
        super().__init__(driver, tell, write)
        self._line = line

    def __enter__(self) -> Meter:
        if self._line is None:
            driver = self.driver
            self._line = open_blocking(driver.url, *driver.serial_line, listening=driver.listens)
        try:
            self._run(self.driver.open())
        except BaseException:
            line, self._line = self._line, None
            line.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._line is not None
        try:
            self._run(self.driver.close())
        except ProtocolError:
            if error is None:
                raise
        finally:
            line, self._line = self._line, None
            line.close()

    def _run(self, procedure: Procedure[T]) -> T:
        if self._line is None:
            raise LocalProtocolError("the meter is not open: use it in a with statement")
        return run_blocking(self._wrapped(procedure), self._line)

    def call(self, name: str, *positional: Any, **named: Any) -> Any:
        """Any call of the driver, by name."""
        return self._run(self.driver.call(name, *positional, **named))

    def read(self, *objects: str) -> list[TelegramReading]:
        """Read the named objects, or everything the meter shows by itself."""
        return self._run(self.driver.read(*objects))

    def read_profile(self, profile: str, start: datetime, end: datetime) -> list[Row]:
        """Read the rows of a load profile from `start` up to and including `end`."""
        return self._run(self.driver.read_profile(profile, start, end))

    def clock(self) -> datetime:
        """Read the meter's clock."""
        return self._run(self.driver.clock())

    def set_clock(self, now: datetime) -> None:
        """Set the meter's clock."""
        self._run(self.driver.set_clock(now))

    def objects(self) -> list[str]:
        """List what can be read."""
        return self._run(self.driver.objects())


class AsyncMeter(_Face):
    """An open meter for asyncio: the methods of `Meter`, awaited. Use it in ``async with``."""

    def __init__(
        self,
        driver: Driver,
        tell: Tell | None = None,
        write: Tell | None = None,
        line: AsyncTransport | None = None,
    ) -> None:
        super().__init__(driver, tell, write)
        self._line = line

    async def __aenter__(self) -> AsyncMeter:
        if self._line is None:
            driver = self.driver
            self._line = await open_async(driver.url, *driver.serial_line, listening=driver.listens)
        try:
            await self._run(self.driver.open())
        except BaseException:
            line, self._line = self._line, None
            await line.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._line is not None
        try:
            await self._run(self.driver.close())
        except ProtocolError:
            if error is None:
                raise
        finally:
            line, self._line = self._line, None
            await line.close()

    async def _run(self, procedure: Procedure[T]) -> T:
        if self._line is None:
            raise LocalProtocolError("the meter is not open: use it in an async with statement")
        return await run(self._wrapped(procedure), self._line)

    async def call(self, name: str, *positional: Any, **named: Any) -> Any:
        """Any call of the driver, by name."""
        return await self._run(self.driver.call(name, *positional, **named))

    async def read(self, *objects: str) -> list[TelegramReading]:
        """Read the named objects, or everything the meter shows by itself."""
        return await self._run(self.driver.read(*objects))

    async def read_profile(self, profile: str, start: datetime, end: datetime) -> list[Row]:
        """Read the rows of a load profile from `start` up to and including `end`."""
        return await self._run(self.driver.read_profile(profile, start, end))

    async def clock(self) -> datetime:
        """Read the meter's clock."""
        return await self._run(self.driver.clock())

    async def set_clock(self, now: datetime) -> None:
        """Set the meter's clock."""
        await self._run(self.driver.set_clock(now))

    async def objects(self) -> list[str]:
        """List what can be read."""
        return await self._run(self.driver.objects())


def connect(
    address: str, *, trace: Tell | None = None, record: Tell | None = None, line: Transport | None = None
) -> Meter:
    """The meter at `address`, for ``with``. The line opens when the block begins.

    Args:
        address: ``SCHEME://HOST:PORT?…``, see the reference of addresses.
        trace: called with a readable line for everything that travels.
        record: called with a JSON line for everything that travels, for `replay`.
        line: an open line to use in place of the one the address names.

    Raises:
        LocalProtocolError: the address is wrong.
    """
    return Meter(driver_for(address), trace, record, line)


def connect_async(
    address: str, *, trace: Tell | None = None, record: Tell | None = None, line: AsyncTransport | None = None
) -> AsyncMeter:
    """The meter at `address`, for ``async with``; see `connect`."""
    return AsyncMeter(driver_for(address), trace, record, line)
