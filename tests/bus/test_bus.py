"""What both engines of the bus promise, and where they differ by nature."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence

import aio_pika
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polymeter.bus import (
    DELIVERY_LIMIT,
    Bus,
    BusUnavailable,
    Delivery,
    MemoryBus,
    NotNow,
    Rejected,
    Unroutable,
    matches,
)
from polymeter.bus.amqp import DEAD_LETTERS, AMQPBus

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["memory", pytest.param("amqp", marks=pytest.mark.services)])
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    made: Bus = (
        MemoryBus()
        if request.param == "memory"
        else await AMQPBus.connect(request.getfixturevalue("amqp_url"))
    )
    yield made
    await made.close()


@pytest.fixture
def name() -> str:
    """Names of exchanges and queues that no other test uses."""
    return f"test.{uuid.uuid4().hex[:12]}"


class Inbox:
    """A handler that keeps what it got, and can be told to fail first."""

    def __init__(self, *failures: Exception) -> None:
        self.got: list[Delivery] = []
        self.attempts = 0
        self._failures = list(failures)
        self._came = asyncio.Event()
        self.tried = asyncio.Event()

    def share(self, other: "Inbox") -> None:
        """Collect together with another one."""
        self.got, self._came = other.got, other._came

    async def __call__(self, deliveries: Sequence[Delivery]) -> None:
        self.attempts += 1
        self.tried.set()
        if self._failures:
            raise self._failures.pop(0)
        self.got.extend(deliveries)
        self._came.set()

    async def wait(self, number: int) -> list[Delivery]:
        async with asyncio.timeout(20):
            while len(self.got) < number:
                self._came.clear()
                await self._came.wait()
        return self.got


async def test_a_durable_subscriber_gets_what_its_patterns_match(bus: Bus, name: str) -> None:
    inbox = Inbox()
    await bus.subscribe(["a.*.v1", "b.#"], inbox, exchange=name, queue=name)
    for key in ("a.x.v1", "a.x.y.v1", "b", "b.c.d"):
        await bus.publish(key, key.encode(), exchange=name, required=False)
    await bus.publish("a.last.v1", b"", exchange=name)
    got = await inbox.wait(4)
    assert [delivery.key for delivery in got] == ["a.x.v1", "b", "b.c.d", "a.last.v1"]
    assert got[0].body == b"a.x.v1"


async def test_what_nobody_would_keep_is_refused_unless_that_is_fine(bus: Bus, name: str) -> None:
    listener = Inbox()
    if isinstance(bus, MemoryBus):
        await bus.subscribe(["#"], listener, exchange=name)
    with pytest.raises(Unroutable):
        await bus.publish("a", b"", exchange=name)
    await bus.publish("a", b"", exchange=name, required=False)


async def test_each_queue_gets_a_message_and_its_members_share(bus: Bus, name: str) -> None:
    one, two, other = Inbox(), Inbox(), Inbox()
    two.share(one)
    await bus.subscribe(["#"], one, exchange=name, queue=name + ".shared")
    await bus.subscribe(["#"], two, exchange=name, queue=name + ".shared")
    await bus.subscribe(["#"], other, exchange=name, queue=name + ".own")
    await bus.publish_many([(f"k.{i}", b"") for i in range(20)], exchange=name)
    await other.wait(20)
    assert sorted(d.key for d in await one.wait(20)) == sorted(f"k.{i}" for i in range(20))


async def test_a_listener_hears_too_and_its_failure_concerns_nobody(bus: Bus, name: str) -> None:
    listener, durable = Inbox(ValueError("slow page")), Inbox()
    await bus.subscribe(["#"], durable, exchange=name, queue=name)
    await bus.subscribe(["#"], listener, exchange=name)
    await bus.publish("a", b"1", exchange=name)
    await durable.wait(1)
    async with asyncio.timeout(20):
        await listener.tried.wait()
    await bus.publish("a", b"2", exchange=name)
    assert [d.body for d in await listener.wait(1)] == [b"2"]


@pytest.mark.serial  # dead letters of all queues lie in one
async def test_a_rejected_message_goes_to_the_dead_letters_without_its_neighbours(
    bus: Bus, name: str, request: pytest.FixtureRequest
) -> None:
    got: list[bytes] = []
    done = asyncio.Event()

    async def picky(deliveries: Sequence[Delivery]) -> None:
        if any(d.body == b"bad" for d in deliveries):
            raise Rejected("no reading")
        got.extend(d.body for d in deliveries)
        if len(got) == 2:
            done.set()

    await bus.subscribe(["#"], picky, exchange=name, queue=name)
    await bus.publish_many([(name, b"1"), (name, b"bad"), (name, b"2")], exchange=name)
    async with asyncio.timeout(20):
        await done.wait()
    assert sorted(got) == [b"1", b"2"]
    if isinstance(bus, MemoryBus):
        assert [(d.body, why) for d, why in bus.dead_letters] == [(b"bad", "no reading")]
    else:
        assert await dead_letter(request.getfixturevalue("amqp_url"), name) == b"bad"


async def test_not_now_is_tried_again_and_never_counted(bus: Bus, name: str) -> None:
    inbox = Inbox(*[NotNow("the store restarts")] * 2)
    await bus.subscribe(["#"], inbox, exchange=name, queue=name)
    if isinstance(bus, MemoryBus):
        # There is no broker to keep the message: whoever publishes hears of it and still has it.
        for _ in range(2):
            with pytest.raises(BusUnavailable, match="the store restarts"):
                await bus.publish("a", b"1", exchange=name)
    await bus.publish("a", b"1", exchange=name)
    assert [d.body for d in await inbox.wait(1)] == [b"1"]
    assert inbox.attempts == 3


async def test_memory_publish_returns_when_the_handler_has(name: str) -> None:
    bus = MemoryBus()
    order: list[str] = []

    async def handler(_: Sequence[Delivery]) -> None:
        await asyncio.sleep(0)
        order.append("handled")

    await bus.subscribe(["#"], handler, exchange=name, queue=name)
    await bus.publish("a", b"", exchange=name)
    order.append("published")
    assert order == ["handled", "published"]
    await bus.close()
    with pytest.raises(BusUnavailable):
        await bus.publish("a", b"", exchange=name)


async def test_amqp_keeps_what_comes_while_the_subscriber_is_away(amqp_url: str, name: str) -> None:
    first = await AMQPBus.connect(amqp_url)
    subscription = await first.subscribe(["#"], Inbox(), exchange=name, queue=name)
    await subscription.cancel()
    await first.publish_many([("a", b"%d" % i) for i in range(100)], exchange=name)
    await first.close()
    second, inbox = await AMQPBus.connect(amqp_url), Inbox()
    await second.subscribe(["#"], inbox, exchange=name, queue=name, prefetch=7)
    assert {d.body for d in await inbox.wait(100)} == {b"%d" % i for i in range(100)}
    await second.close()


@pytest.mark.serial
async def test_amqp_gives_a_message_up_after_the_delivery_limit(amqp_url: str, name: str) -> None:
    bus = await AMQPBus.connect(amqp_url)
    inbox = Inbox(*[ValueError("always")] * 100)
    await bus.subscribe(["#"], inbox, exchange=name, queue=name)
    await bus.publish(name, b"poison", exchange=name)
    assert await dead_letter(amqp_url, name) == b"poison"
    assert inbox.attempts == DELIVERY_LIMIT + 1
    await bus.close()


async def test_a_broker_that_does_not_answer_is_named_as_such() -> None:
    with pytest.raises(BusUnavailable, match="does not answer"):
        await AMQPBus.connect("amqp://127.0.0.1:1/")


@given(st.lists(st.sampled_from("ab"), min_size=1, max_size=5))
def test_patterns_match_as_a_topic_exchange_does(words: list[str]) -> None:
    key = ".".join(words)
    assert matches("#", key)
    assert matches(key, key)
    assert matches("#." + key, key)
    assert matches(key + ".#", key)
    assert matches(".".join("*" * len(words)), key)
    assert not matches(".".join("*" * (len(words) + 1)), key)
    assert not matches("*." + key, key)


async def dead_letter(url: str, key: str) -> bytes:
    """The body of the dead letter with that routing key; others are put back."""
    connection = await aio_pika.connect(url)
    async with connection, asyncio.timeout(20):
        channel = await connection.channel()
        queue = await channel.get_queue(DEAD_LETTERS)
        while True:
            message = await queue.get(fail=False)
            if message is None:
                await asyncio.sleep(0)
            elif message.routing_key == key:
                await message.ack()
                return message.body
            else:
                await message.nack(requeue=True)


async def test_a_bus_says_whether_it_works(bus: Bus) -> None:
    await bus.ping()
    await bus.close()
    with pytest.raises(BusUnavailable):
        await bus.ping()
