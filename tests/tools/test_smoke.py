"""Each real service proves the harness: write, read back, kill and restart, read again."""

import asyncio
import time
from pathlib import Path
from urllib.parse import urlsplit

import aio_pika
import aiomqtt
import psycopg
from playwright.sync_api import sync_playwright

from tools.control import Client

CHROMIUM_ARGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
CHROMIUM_ARGS += ["--disable-component-update", "--disable-sync", "--no-first-run"]


def _await_save(path: Path, content: bytes) -> None:
    deadline = time.monotonic() + 20
    while not (path.exists() and content in path.read_bytes()):
        assert time.monotonic() < deadline, f"{content!r} was not written to {path}"
        time.sleep(0.1)


def test_postgres_keeps_a_committed_row_over_a_kill(services: Client, postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE TABLE smoke (reading numeric NOT NULL)")
        connection.execute("INSERT INTO smoke VALUES (14567.000)")
        assert connection.execute("SELECT reading::text FROM smoke").fetchall() == [("14567.000",)]
    services.restart("postgres")
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT reading::text FROM smoke").fetchall() == [("14567.000",)]
        connection.execute("DROP TABLE smoke")


async def _declare(channel: aio_pika.abc.AbstractChannel) -> aio_pika.abc.AbstractQueue:
    return await channel.declare_queue("smoke", durable=True, arguments={"x-queue-type": "quorum"})


async def _publish_confirmed(url: str, bodies: list[bytes]) -> bytes:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel(publisher_confirms=True)
        queue = await _declare(channel)
        for body in bodies:
            message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            await channel.default_exchange.publish(message, routing_key="smoke")
        first = await queue.get()
        assert first is not None
        await first.ack()
        return first.body


async def _drain(url: str, count: int) -> list[bytes]:
    async with await aio_pika.connect(url) as connection:
        queue = await _declare(await connection.channel())
        bodies: list[bytes] = []
        async with asyncio.timeout(60), queue.iterator() as messages:
            while len(bodies) < count:
                message = await anext(messages)
                await message.ack()
                bodies.append(message.body)
        assert await queue.get(fail=False) is None
        await queue.delete(if_unused=False, if_empty=False)
        return bodies


def test_rabbitmq_keeps_confirmed_messages_over_a_kill(services: Client, amqp_url: str) -> None:
    assert asyncio.run(_publish_confirmed(amqp_url, [b"one", b"two", b"three"])) == b"one"
    # Messages are on disk when they are confirmed, the existence of their queue is not: RabbitMQ 3.10 writes
    # the directory of quorum queues half a second later, and a queue missing there never answers again.
    directories = services.folder("rabbitmq").glob("mnesia/*/quorum/*/names.dets")
    _await_save(next(directories), b"%2F_smoke")
    services.restart("rabbitmq")
    assert asyncio.run(_drain(amqp_url, 2)) == [b"two", b"three"]


def _mqtt(url: str, name: str) -> aiomqtt.Client:
    address = urlsplit(url)
    return aiomqtt.Client(
        address.hostname or "",
        address.port or 0,
        identifier=name,
        clean_session=False,
        protocol=aiomqtt.ProtocolVersion.V311,
    )


async def _subscribe_and_leave(url: str) -> None:
    async with _mqtt(url, "smoke-reader") as client:
        await client.subscribe("smoke/#", qos=1)


async def _publish(url: str, payload: bytes) -> None:
    async with _mqtt(url, "smoke-writer") as client:
        await client.publish("smoke/reading", payload, qos=1)


async def _receive(url: str) -> bytes:
    async with _mqtt(url, "smoke-reader") as client:
        async with asyncio.timeout(20):
            message = await anext(aiter(client.messages))
        assert isinstance(message.payload, bytes)
        return message.payload


def test_mosquitto_keeps_a_session_over_a_kill(services: Client, mqtt_url: str) -> None:
    asyncio.run(_subscribe_and_leave(mqtt_url))
    asyncio.run(_publish(mqtt_url, b"first"))
    assert asyncio.run(_receive(mqtt_url)) == b"first"
    asyncio.run(_publish(mqtt_url, b"queued while nobody listens"))
    _await_save(services.folder("mosquitto") / "mosquitto.db", b"queued while nobody listens")
    services.restart("mosquitto")
    assert asyncio.run(_receive(mqtt_url)) == b"queued while nobody listens"


def test_chromium_shows_a_page_and_starts_again(chromium_path: str, tmp_path: Path) -> None:
    page_file = tmp_path / "page.html"
    page_file.write_text(
        "<!doctype html><title>polymeter</title><h1 id=v></h1><script>v.textContent=6*7</script>"
    )
    with sync_playwright() as playwright:
        for start in range(2):
            browser = playwright.chromium.launch(executable_path=chromium_path, args=CHROMIUM_ARGS)
            page = browser.new_page(viewport={"width": 320, "height": 200})
            page.goto(page_file.as_uri())
            assert page.inner_text("#v") == "42"
            picture = page.screenshot(path=tmp_path / f"page-{start}.png")
            assert picture.startswith(b"\x89PNG")
            browser.close()
