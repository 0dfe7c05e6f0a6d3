"""MQTT brokers, for asyncio through aiomqtt (extra ``mqtt``): messages that are acknowledged by hand.

A `Subscription` is one connection. The broker keeps each message of QoS 1 until it is acknowledged
and gives it again on the next connection, so whoever acknowledges when a message is on disk loses
none; with a name of its own (`client_id`) it also gets what came while nobody was connected.
aiomqtt is imported when a connection is made, so that everything else works without it.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

from polymeter.protocols.wire import AccessDenied, LocalProtocolError, TransportError

__all__ = ["PORTS", "Broker", "Message", "Publisher", "Subscription", "publishing", "subscribed"]

PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
_QOS: Final = 1
_KEEPALIVE_S: Final = 30
_TIMEOUT_S: Final = 10.0
_REFUSED: Final = 0x80
"""A return code of SUBACK from here on says no."""
_DENIED: Final = (4, 5, 134, 135)
"""Return codes of CONNACK: bad user or password, not authorised (MQTT 3.1.1 and, as paho has them, 5)."""
_UNACKNOWLEDGED_MAX: Final = 20_000


@dataclass(frozen=True, slots=True)
class Broker:
    """Where a broker is, and as whom to go there. Its text form shows no password."""

    host: str
    port: int
    secure: bool = False
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    """Whom to trust for TLS, in place of the system's authorities."""

    @classmethod
    def parse(cls, text: str) -> Broker:
        """The broker at ``mqtt://USER:PASSWORD@HOST:PORT`` or ``mqtts://…``.

        Raises:
            LocalProtocolError: it is no such address; the message does not repeat it.
        """
        try:
            split = urlsplit(text)
            port = split.port
        except ValueError as error:
            raise LocalProtocolError(
                "the broker's address must be mqtt://HOST:PORT or mqtts://HOST:PORT"
            ) from error
        if split.scheme not in PORTS or not split.hostname or split.path not in ("", "/") or split.query:
            raise LocalProtocolError("the broker's address must be mqtt://HOST:PORT or mqtts://HOST:PORT")
        user, password = (
            unquote(part) if part is not None else None for part in (split.username, split.password)
        )
        return cls(split.hostname, port or PORTS[split.scheme], split.scheme == "mqtts", user, password)


class Message(NamedTuple):
    """A message of a broker."""

    topic: str
    payload: bytes
    retained: bool
    """Whether the broker had kept it for whoever subscribes: it is old, and comes with every subscription."""
    number: int
    """By which it is acknowledged."""
    qos: int


class Subscription:
    """A connection on which messages come."""

    def __init__(self, client: Any, failure: type[Exception]) -> None:
        self._client = client
        self._failure = failure
        self._received = False

    async def receive(self, at_most: int = 500) -> list[Message]:
        """The messages that wait, one at least.

        Raises:
            TransportError: the connection broke, or the broker has sent far more than was acknowledged.
        """
        if self._received and len(self._client.messages) > _UNACKNOWLEDGED_MAX:
            # It will send them again on the next connection, where fewer are left.
            raise TransportError(f"more than {_UNACKNOWLEDGED_MAX} messages at once: the broker has no limit")
        messages = []
        try:
            messages.append(_message(await anext(self._client.messages)))
            while len(messages) < at_most and len(self._client.messages):
                messages.append(_message(await anext(self._client.messages)))
        except self._failure as error:
            raise TransportError(f"the broker is gone: {error}") from error
        self._received = True
        return messages

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Tell the broker that these are safe; on another connection than theirs it means nothing."""
        for message in messages:
            # aiomqtt has no words for it. paho, which it keeps here, has.
            self._client._client.ack(message.number, message.qos)


def _message(found: Any) -> Message:
    payload = found.payload if isinstance(found.payload, bytes) else b""
    return Message(str(found.topic), payload, bool(found.retain), found.mid, found.qos)


class Publisher:
    """A connection on which messages are sent."""

    def __init__(self, client: Any, failure: type[Exception]) -> None:
        self._client = client
        self._failure = failure

    async def publish(self, topic: str, payload: bytes) -> None:
        """Send a message of QoS 1; returns when the broker has it.

        Raises:
            TransportError: the connection broke.
        """
        try:
            await self._client.publish(topic, payload, qos=_QOS)
        except self._failure as error:
            raise TransportError(f"the broker is gone: {error}") from error


@asynccontextmanager
async def subscribed(broker: Broker, topic: str, client_id: str | None = None) -> AsyncIterator[Subscription]:
    """Connect and subscribe, while the block runs.

    With `client_id` the broker keeps the subscription and what comes for it until the next time.

    Raises:
        TransportError: the broker cannot be reached.
        AccessDenied: it refuses the user or the topic.
    """
    async with _connected(broker, client_id, manual=True) as (client, failure):
        try:
            granted = await client.subscribe(topic, qos=_QOS)
        except (failure, ValueError) as error:
            raise TransportError(f"cannot subscribe to {topic}: {error}") from error
        if any(_code(code) >= _REFUSED for code in granted):
            raise AccessDenied(f"the broker refuses the topic {topic}")
        yield Subscription(client, failure)


@asynccontextmanager
async def publishing(broker: Broker) -> AsyncIterator[Publisher]:
    """Connect for sending, while the block runs.

    Raises:
        TransportError: the broker cannot be reached.
        AccessDenied: it refuses the user.
    """
    async with _connected(broker, None) as (client, failure):
        yield Publisher(client, failure)


@asynccontextmanager
async def _connected(
    broker: Broker, client_id: str | None, *, manual: bool = False
) -> AsyncIterator[tuple[Any, type[Exception]]]:
    try:
        import aiomqtt
    except ImportError as error:
        raise LocalProtocolError("MQTT needs the extra: pip install 'polymeter[mqtt]'") from error
    client = aiomqtt.Client(
        broker.host,
        broker.port,
        username=broker.user,
        password=broker.password,
        identifier=client_id,
        clean_session=client_id is None,
        keepalive=_KEEPALIVE_S,
        timeout=_TIMEOUT_S,
        tls_context=_tls(broker),
    )
    client._client.manual_ack_set(manual)
    where = f"{broker.host} port {broker.port}"
    try:
        await client.__aenter__()
    except aiomqtt.MqttCodeError as error:
        if _code(error.rc) in _DENIED:
            raise AccessDenied(f"the broker at {where} refuses user {broker.user!r}: {error}") from error
        raise TransportError(f"the broker at {where} refuses: {error}") from error
    except (aiomqtt.MqttError, OSError, ValueError) as error:
        raise TransportError(f"cannot reach the broker at {where}: {error}") from error
    try:
        yield client, aiomqtt.MqttError
    finally:
        try:
            await client.__aexit__(None, None, None)
        except aiomqtt.MqttError as error:
            # Nothing is lost by it: what was not acknowledged comes again.
            raise TransportError(f"the broker at {where} did not say goodbye: {error}") from error
        finally:
            # The reason of a lost connection was told to whoever waited; asyncio need not tell it too.
            if client._disconnected.done() and not client._disconnected.cancelled():
                client._disconnected.exception()


def _code(code: Any) -> int:
    """A return code of the broker as a number; paho has them as numbers or as its own values."""
    return int(getattr(code, "value", code) or 0)


def _tls(broker: Broker) -> ssl.SSLContext | None:
    if not broker.secure:
        return None
    try:
        return ssl.create_default_context(cafile=broker.ca_file)
    except OSError as error:
        raise LocalProtocolError(f"cannot read {broker.ca_file}: {error}") from error
