"""A topic of an MQTT broker as a line: what is published from now on, message by message."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any, TypeVar

from polymeter.protocols.wire import LocalProtocolError, TransportError
from polymeter.transports.inbox import timed_out
from polymeter.transports.mqtt import Broker, Subscription, subscribed

__all__ = ["AsyncTopic", "Topic", "connect", "connect_async"]

T = TypeVar("T")


class AsyncTopic:
    """What comes on a topic from now on, as an `AsyncTransport`: a `receive` gives one message."""

    def __init__(self, subscription: Subscription, stack: AsyncExitStack) -> None:
        self._subscription = subscription
        self._stack = stack
        self._waiting: deque[bytes] = deque()

    async def send(self, data: bytes) -> None:
        """See `AsyncTransport.send`; nobody is spoken to on a topic."""
        raise LocalProtocolError("a topic can only be listened to")

    async def receive(self, timeout_s: float) -> bytes:
        """See `AsyncTransport.receive`."""
        try:
            async with asyncio.timeout(timeout_s):
                while not self._waiting:
                    messages = await self._subscription.receive()
                    self._subscription.acknowledge(messages)
                    self._waiting += (one.payload for one in messages if one.payload and not one.retained)
        except TimeoutError as error:
            raise timed_out(timeout_s) from error
        return self._waiting.popleft()

    async def set_line(self, baud: int, bits: int, parity: str) -> None:
        """A topic has no line settings."""

    async def close(self) -> None:
        """See `AsyncTransport.close`."""
        await self._stack.aclose()


async def connect_async(broker: Broker, topic: str, timeout_s: float) -> AsyncTopic:
    """Subscribe to a topic; what came before is not given.

    Raises:
        TransportError: the broker cannot be reached.
        AccessDenied: it refuses the user or the topic.
    """
    stack = AsyncExitStack()
    try:
        async with asyncio.timeout(timeout_s):
            return AsyncTopic(await stack.enter_async_context(subscribed(broker, topic)), stack)
    except TimeoutError as error:
        raise TransportError(f"no answer of the broker at {broker.host} in {timeout_s:g} s") from error


class Topic:
    """The blocking twin of `AsyncTopic`: a `Transport`, on an event loop of its own."""

    def __init__(self, broker: Broker, topic: str, timeout_s: float) -> None:
        self._runner = asyncio.Runner()
        self._closed = False
        try:
            self._topic = self._run(connect_async(broker, topic, timeout_s))
        except BaseException:
            self._runner.close()
            raise

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return self._runner.run(work)
        except RuntimeError as error:
            work.close()
            raise LocalProtocolError("within an event loop a topic is read by connect_async") from error

    def send(self, data: bytes) -> None:
        """See `Transport.send`; nobody is spoken to on a topic."""
        self._run(self._topic.send(data))

    def receive(self, timeout_s: float) -> bytes:
        """See `Transport.receive`."""
        return self._run(self._topic.receive(timeout_s))

    def set_line(self, baud: int, bits: int, parity: str) -> None:
        """A topic has no line settings."""

    def close(self) -> None:
        """See `Transport.close`."""
        if self._closed:
            return
        self._closed = True
        try:
            self._run(self._topic.close())
        finally:
            self._runner.close()


def connect(broker: Broker, topic: str, timeout_s: float) -> Topic:
    """The blocking twin of `connect_async`."""
    return Topic(broker, topic, timeout_s)
