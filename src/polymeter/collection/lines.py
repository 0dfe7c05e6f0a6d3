"""Lines that a receiver opens itself, and opens again when they fail: serial, a port of theirs, a broker.

What is wrong is said once, then it is tried again with growing pauses until it works.
"""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from typing import Final

import structlog

from polymeter.collection.intake import Intake
from polymeter.protocols.wire import LocalProtocolError, ProtocolError, TimedOut
from polymeter.store import StoreUnavailable
from polymeter.transports.mqtt import Broker, Message, subscribed
from polymeter.transports.runners import AsyncTransport, run
from polymeter.transports.urls import open_async

__all__ = ["Connecting", "Subscribing"]

_log = structlog.get_logger(__name__)

_PAUSE_FIRST_S: Final = 0.5
_PAUSE_MAX_S: Final = 60.0
_QUIET_S: Final = 900.0
"""A line on which nothing comes for so long is opened anew: its other end may have forgotten us."""
_MESSAGE_MAX: Final = 1 << 20


class _Line(ABC):
    """A line that is kept open."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._task: asyncio.Task[None] | None = None
        self._pause_s = _PAUSE_FIRST_S
        self._failing = False

    async def start(self) -> int:
        """Begin; a line that cannot be opened now is opened when it can. There is no port to tell."""
        self._task = asyncio.create_task(self._keep_open(), name=str(self._intake.address))
        return 0

    async def close(self) -> None:
        """Close the line."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def wait(self) -> None:
        """Return never.

        Raises:
            LocalProtocolError: the line can never be opened as its address is.
        """
        assert self._task is not None
        await asyncio.shield(self._task)

    @abstractmethod
    async def _session(self) -> str | None:
        """Open the line and take what comes until it ends; gives why, `None` where nothing is wrong."""

    def _opened(self) -> None:
        """Called when a line is open."""
        if self._failing:
            _log.info("line is open again", line=str(self._intake.address))
        self._failing = False

    def _heard(self) -> None:
        """Called when something comes: the line works, and the next failure is a new one."""
        self._pause_s = _PAUSE_FIRST_S

    async def _keep_open(self) -> None:
        while True:
            try:
                reason = await self._session()
            except LocalProtocolError:
                raise
            except (ProtocolError, StoreUnavailable) as error:
                reason = str(error)
            if reason is None:
                continue
            if not self._failing:
                _log.warning("line failed, trying again", line=str(self._intake.address), reason=reason)
            self._failing = True
            # Not all at once, where many lost the same broker.
            await asyncio.sleep(self._pause_s * random.uniform(0.75, 1.25))
            self._pause_s = min(2 * self._pause_s, _PAUSE_MAX_S)


class Connecting(_Line):
    """A serial line, or a port that a gateway listens on: what is there talks by itself."""

    async def _session(self) -> str | None:
        address = self._intake.address
        assert address.url is not None
        line = await open_async(address.url, *address.serial_line)
        try:
            setting_up = address.set_up()
            begin = await run(setting_up, line) if setting_up is not None else b""
            self._opened()
            return await self._listen(line, begin)
        finally:
            await line.close()

    async def _listen(self, line: AsyncTransport, begin: bytes) -> str | None:
        try:
            await self._intake.stream(line, str(self._intake.address), _QUIET_S, begin, self._heard)
        except TimedOut:
            return None
        return "the other end has closed it"


class Subscribing(_Line):
    """A topic of a broker. A message is acknowledged when its frames are on disk."""

    def __init__(self, intake: Intake, broker: Broker) -> None:
        super().__init__(intake)
        self._broker = broker

    async def _session(self) -> str | None:
        address = self._intake.address
        async with subscribed(self._broker, address.topic, address.client_id) as subscription:
            self._opened()
            while True:
                messages = await subscription.receive()
                frames = [(frame, message.topic) for message in messages for frame in self._cut(message)]
                if frames:
                    await self._intake.keep(frames)
                subscription.acknowledge(messages)
                self._heard()

    def _cut(self, message: Message) -> list[bytes]:
        if message.retained:
            return []  # what the broker shows to every newcomer was heard when it came, or is of the past
        if len(message.payload) > _MESSAGE_MAX:
            self._intake.refuse(message.topic, f"a message of {len(message.payload)} bytes")
            return []
        return self._intake.cut(message.payload, message.topic)
