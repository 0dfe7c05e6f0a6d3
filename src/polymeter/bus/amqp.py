"""The bus over RabbitMQ: publisher confirms, durable quorum queues, acknowledgement after the handler
returned.

Every queue states its delivery limit and its dead-letter exchange, because RabbitMQ 3.10 has neither by
default: a message that can never be handled would go round for ever, or be dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, Final

import aio_pika
import structlog
from aio_pika.abc import (
    AbstractExchange,
    AbstractIncomingMessage,
    AbstractQueue,
    AbstractRobustChannel,
    AbstractRobustConnection,
)

from polymeter.bus.bus import (
    DELIVERY_LIMIT,
    BusUnavailable,
    Delivery,
    Handler,
    NotNow,
    Rejected,
    Unroutable,
)
from polymeter.observe import metrics

__all__ = ["DEAD_LETTERS", "AMQPBus"]

DEAD_LETTERS: Final = "polymeter.dead"
"""Exchange and queue of what was given up."""

_PING_S: Final = 3.0
_CONFIRM_TIMEOUT_S: Final = 30
_BACK_OFF_S: Final = (0.05, 0.2, 1.0, 5.0)
_UNAVAILABLE: Final = (
    aio_pika.exceptions.AMQPError,
    aio_pika.exceptions.CONNECTION_EXCEPTIONS,
    ConnectionError,
    TimeoutError,
    RuntimeError,
)

_log = structlog.get_logger(__name__)


def _flat(errors: Any) -> tuple[type[BaseException], ...]:
    flat: list[type[BaseException]] = []
    for error in errors:
        flat.extend(_flat(error) if isinstance(error, tuple) else [error])
    return tuple(flat)


_AWAY: Final = _flat(_UNAVAILABLE)


class _Subscription:
    """One consumer: collects what waits, handles it as a batch, acknowledges."""

    def __init__(
        self, channel: AbstractRobustChannel, handler: Handler, prefetch: int, durable: bool
    ) -> None:
        self._channel = channel
        self._handler = handler
        self._prefetch = prefetch
        self._durable = durable
        self._inbox: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        self._queue: AbstractQueue | None = None
        self._tag = ""
        self._worker: asyncio.Task[None] | None = None
        self._stopping = False

    async def start(self, queue: AbstractQueue) -> None:
        self._queue = queue
        self._tag = await queue.consume(self._inbox.put, no_ack=not self._durable)
        self._worker = asyncio.create_task(self._run())

    async def cancel(self) -> None:
        self._stopping = True
        with contextlib.suppress(*_AWAY):
            if self._queue is not None:
                await self._queue.cancel(self._tag)
        if self._worker is not None:
            # Wakes the worker when it waits; a batch in hand is finished first.
            self._inbox.put_nowait(_STOP)
            await self._worker
        with contextlib.suppress(*_AWAY):
            await self._channel.close()  # what was not acknowledged goes back to the queue

    async def _run(self) -> None:
        while not self._stopping:
            batch = [await self._inbox.get()]
            while len(batch) < self._prefetch and not self._inbox.empty():
                batch.append(self._inbox.get_nowait())
            messages = [message for message in batch if message is not _STOP]
            if messages and not self._stopping:
                await self._handle(messages)

    async def _handle(self, messages: list[AbstractIncomingMessage]) -> None:
        deliveries = [Delivery(m.routing_key or "", m.body, bool(m.redelivered)) for m in messages]
        attempt = 0
        while True:
            try:
                await self._handler(deliveries)
            except NotNow as error:
                if self._stopping:
                    return
                _log.warning("handler waits", reason=str(error))
                await asyncio.sleep(_BACK_OFF_S[min(attempt, len(_BACK_OFF_S) - 1)])
                attempt += 1
            except Exception as error:
                if not self._durable:
                    _log.exception("a listener failed")
                elif len(messages) > 1:
                    for message in messages:
                        await self._handle([message])
                else:
                    await self._refuse(messages[0], error)
                return
            else:
                if self._durable:
                    # A lost connection loses the acknowledgement, not the work: the message comes again and
                    # the handler, being idempotent, does nothing.
                    with contextlib.suppress(*_AWAY):
                        await messages[-1].ack(multiple=len(messages) > 1)
                return

    async def _refuse(self, message: AbstractIncomingMessage, error: Exception) -> None:
        for_good = isinstance(error, Rejected)
        if for_good:
            metrics.dead_letters.inc()
        _log.warning("message refused", key=message.routing_key, for_good=for_good, reason=str(error))
        with contextlib.suppress(*_AWAY):
            await message.reject(requeue=not for_good)


_STOP: Any = object()


class AMQPBus:
    """See `Bus`. Reconnects by itself; while the broker is away `publish` raises `BusUnavailable`."""

    def __init__(self, connection: AbstractRobustConnection) -> None:
        self._connection = connection
        self._publisher: AbstractRobustChannel | None = None
        self._exchanges: dict[str, AbstractExchange] = {}
        self._subscriptions: list[_Subscription] = []
        self._opening = asyncio.Lock()

    @classmethod
    async def connect(cls, url: str, *, exchanges: Sequence[str] = ()) -> AMQPBus:
        """Connect and declare the exchanges and the dead letters.

        Raises:
            BusUnavailable: the broker does not answer.
        """
        try:
            bus = cls(await aio_pika.connect_robust(url, timeout=_CONFIRM_TIMEOUT_S))
            await bus._dead_letters()
            for exchange in exchanges:
                await bus._exchange(exchange)
        except _AWAY as error:
            raise BusUnavailable(f"the broker does not answer: {error}") from error
        return bus

    async def publish(self, key: str, body: bytes, *, exchange: str, required: bool = True) -> None:
        message = aio_pika.Message(
            body, content_type="application/json", delivery_mode=aio_pika.DeliveryMode.PERSISTENT
        )
        try:
            target = await self._exchange(exchange)
            await target.publish(message, key, mandatory=required, timeout=_CONFIRM_TIMEOUT_S)
        except aio_pika.exceptions.PublishError as error:
            raise Unroutable(f"no queue for {key} on {exchange}") from error
        except _AWAY as error:
            raise BusUnavailable(
                f"the broker did not confirm {key}: {type(error).__name__} {error}"
            ) from error

    async def publish_many(
        self, messages: Sequence[tuple[str, bytes]], *, exchange: str, required: bool = True
    ) -> None:
        results = await asyncio.gather(
            *(self.publish(key, body, exchange=exchange, required=required) for key, body in messages),
            return_exceptions=True,
        )
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def subscribe(
        self,
        patterns: Sequence[str],
        handler: Handler,
        *,
        exchange: str,
        queue: str | None = None,
        prefetch: int = 100,
    ) -> _Subscription:
        try:
            channel: Any = await self._connection.channel()
            await channel.set_qos(prefetch_count=prefetch)
            source = await channel.declare_exchange(exchange, aio_pika.ExchangeType.TOPIC, durable=True)
            declared = await (
                channel.declare_queue(exclusive=True, auto_delete=True, arguments={"x-max-length": 10_000})
                if queue is None
                else channel.declare_queue(queue, durable=True, arguments=_durable())
            )
            for pattern in patterns:
                await declared.bind(source, pattern)
            subscription = _Subscription(channel, handler, prefetch, queue is not None)
            await subscription.start(declared)
        except _AWAY as error:
            raise BusUnavailable(f"the broker did not take the subscription: {error}") from error
        self._subscriptions.append(subscription)
        return subscription

    async def ping(self) -> None:
        """Return when the broker answers.

        Raises:
            BusUnavailable: it does not.
        """
        if self._connection.is_closed:
            raise BusUnavailable("the connection to the broker is closed")
        try:
            async with asyncio.timeout(_PING_S):
                channel: Any = await self._connection.channel()
                await channel.close()
        except _AWAY as error:
            raise BusUnavailable(f"the broker does not answer: {error}") from error

    async def close(self) -> None:
        for subscription in self._subscriptions:
            await subscription.cancel()
        await self._connection.close()

    async def _exchange(self, name: str) -> AbstractExchange:
        async with self._opening:
            if self._publisher is None:
                channel: Any = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
                self._publisher = channel
            if name not in self._exchanges:
                assert self._publisher is not None
                self._exchanges[name] = await self._publisher.declare_exchange(
                    name, aio_pika.ExchangeType.TOPIC, durable=True
                )
            return self._exchanges[name]

    async def _dead_letters(self) -> None:
        async with self._connection.channel() as channel:
            exchange = await channel.declare_exchange(DEAD_LETTERS, aio_pika.ExchangeType.TOPIC, durable=True)
            queue = await channel.declare_queue(
                DEAD_LETTERS, durable=True, arguments={"x-queue-type": "quorum"}
            )
            await queue.bind(exchange, "#")


def _durable() -> dict[str, Any]:
    return {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        "x-dead-letter-exchange": DEAD_LETTERS,
        # Without these two a dead letter is lost when the broker stops between the two queues.
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
