"""The composition root: settings become a store, a bus and the roles that run over them.

    async with Platform.open(settings) as platform:
        await platform.run(ROLES, stop=event)

Embedded, every role runs in this one process over SQLite and the bus in memory. Scaled out, each
process runs some of them over PostgreSQL and RabbitMQ. The roles are the same code either way.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import structlog
import uvicorn

from polymeter import api, ui
from polymeter.bus import Bus, BusUnavailable, MemoryBus
from polymeter.collection import Processor, Receiver, ReceiverAddress, Scheduler, Worker
from polymeter.domain import Clock, SystemClock
from polymeter.ingest import Ingest
from polymeter.protocols.wire import TransportError
from polymeter.services import Services
from polymeter.settings import InvalidSettings, Settings
from polymeter.store import SecretKey, Store, organizations
from polymeter.transports.mqtt import Broker

__all__ = ["EMBEDDED_ONLY_TOGETHER", "ROLES", "Platform", "secret_key"]

_log = structlog.get_logger(__name__)

ROLES: Final = ("ingest", "processor", "receiver", "scheduler", "worker", "api")
"""In the order in which they start: whoever commits is there before whoever delivers."""

EMBEDDED_ONLY_TOGETHER: Final = (
    "roles in processes of their own need a broker: set AMQP_URL, or run them all with `polymeter serve`"
)

_KEY_FILE: Final = "secret_key"

Ready = Callable[[str, str], None]
"""Called with a role and what to say of it once it works: the address it listens on."""


def secret_key(settings: Settings) -> str:
    """The text that secrets are sealed with: the setting, else a file in the data folder, made on first use.

    Raises:
        InvalidSettings: the key is too short.
    """
    text = settings.secret_key
    if text is None:
        path = settings.data_dir / _KEY_FILE
        if not path.exists():
            _write_private(path, secrets.token_urlsafe(48))
        text = path.read_text("ascii").strip()
    try:
        SecretKey(text)
    except ValueError as error:
        raise InvalidSettings(str(error)) from error
    return text


def _write_private(path: Path, text: str) -> None:
    """Create a file that only its owner reads; whoever was faster wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())


@dataclass(slots=True)
class Platform:
    """What all roles of this process share."""

    settings: Settings
    store: Store
    bus: Bus
    clock: Clock
    secret_key: str = field(repr=False)
    ingest: Ingest
    processor: Processor
    _ready: Ready = field(default=lambda role, message: None)

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings, clock: Clock | None = None) -> AsyncIterator[Platform]:
        """Open store and bus; an embedded store is brought to this version's schema.

        Raises:
            StoreUnavailable, SchemaOutdated, BusUnavailable, InvalidSettings: what is in the way.
        """
        clock = clock or SystemClock()
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        key = secret_key(settings)
        embedded = settings.database.startswith("sqlite")
        async with await Store.open(settings.database, clock=clock, upgrade=embedded) as store:
            bus = await _bus(settings)
            try:
                ingest = Ingest(
                    store,
                    bus,
                    clock,
                    incoming=settings.amqp_exchange,
                    outgoing=settings.amqp_publish_to,
                    tolerance_s=settings.clock_tolerance_s,
                    prefetch=settings.amqp_prefetch,
                )
                processor = Processor(
                    store,
                    bus,
                    SecretKey(key),
                    exchange=settings.amqp_exchange,
                    zone=settings.default_meter_timezone,
                    plain=settings.plain_pushes,
                )
                yield cls(settings, store, bus, clock, key, ingest, processor)
            finally:
                await bus.close()

    async def run(self, roles: Iterable[str], stop: asyncio.Event, ready: Ready | None = None) -> None:
        """Run roles until `stop` is set, then end them: first those that deliver, last ingest.

        Raises:
            InvalidSettings: a role is unknown, or cannot run alone without a broker.
            TransportError: a port cannot be opened.
        """
        wanted = set(roles)
        if unknown := sorted(wanted - set(ROLES)):
            raise InvalidSettings(f"there is no role {unknown[0]!r}; there are {', '.join(ROLES)}")
        if self.settings.amqp_url is None and "ingest" not in wanted:
            raise InvalidSettings(EMBEDDED_ONLY_TOGETHER)
        self._ready = ready or (lambda role, message: None)
        tasks: list[asyncio.Task[None]] = []
        stopping = asyncio.create_task(stop.wait())
        try:
            for role in (role for role in ROLES if role in wanted):
                tasks.append(await self._start(role))  # noqa: PERF401 - what has started must be ended
            done, _ = await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stopping}:
                task.result()  # a role that ended by itself has failed; its error ends the platform
        finally:
            stopping.cancel()
            for task in reversed(tasks):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def _start(self, role: str) -> asyncio.Task[None]:
        """Start a role; returns when it works."""
        started = asyncio.Event()
        task = asyncio.create_task(self._roles()[role](started), name=role)
        waiting = asyncio.create_task(started.wait())
        await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if task.done():
            task.result()
        return task

    def _roles(self) -> dict[str, Callable[[asyncio.Event], Coroutine[Any, Any, None]]]:
        return {
            "ingest": self._run_ingest,
            "processor": self._run_processor,
            "receiver": self._run_receivers,
            "scheduler": self._run_scheduler,
            "worker": self._run_worker,
            "api": self._run_api,
        }

    async def _run_ingest(self, started: asyncio.Event) -> None:
        await self.ingest.run(started.set)

    async def _run_processor(self, started: asyncio.Event) -> None:
        started.set()
        await self.processor.run()

    async def _run_receivers(self, started: asyncio.Event) -> None:
        receivers: list[Receiver] = []
        mqtt_url = self.settings.mqtt_url
        broker = Broker.parse(mqtt_url) if mqtt_url is not None else None
        try:
            for text in self.settings.receivers:
                address = ReceiverAddress.parse(text)
                owner = None
                if address.organization is not None:
                    owner = await self.store.read(organizations.named, address.organization)
                    if owner is None:
                        raise InvalidSettings(f"receiver {text}: no organization is called so")
                receiver = Receiver(
                    address,
                    owner.id if owner else None,
                    self.store,
                    self.clock,
                    self.processor.wake,
                    broker=broker,
                )
                receivers.append(receiver)
                port = await receiver.start()
                where = f"on {address.host} port {port}" if port else f"from {address}"
                self._ready("receiver", f"{address.protocol} {where}")
            started.set()
            await asyncio.gather(asyncio.Event().wait(), *(receiver.wait() for receiver in receivers))
        finally:
            for receiver in receivers:
                await receiver.close()

    async def _run_scheduler(self, started: asyncio.Event) -> None:
        started.set()
        await Scheduler(self.store, self.clock, zone=self.settings.default_meter_timezone).run()

    async def _run_worker(self, started: asyncio.Event) -> None:
        started.set()
        await Worker(
            self.store,
            self.bus,
            self.clock,
            SecretKey(self.secret_key),
            exchange=self.settings.amqp_exchange,
            outgoing=self.settings.amqp_publish_to,
            zone=self.settings.default_meter_timezone,
            concurrency=self.settings.worker_concurrency,
        ).run()

    async def _run_api(self, started: asyncio.Event) -> None:
        listener = _listener(self.settings.listen)
        services = Services.build(
            self.store,
            self.bus,
            self.settings,
            self.clock,
            secret_key=self.secret_key,
            ingest=self.ingest,
            checks={"bus": self.bus.ping},
        )
        application = api.create(services)
        ui.mount(application, services)
        server = _Server(
            uvicorn.Config(
                application,
                log_config=None,
                access_log=False,
                lifespan="on",
                timeout_graceful_shutdown=3,
                ssl_certfile=self.settings.tls_cert,
                ssl_keyfile=self.settings.tls_key,
                server_header=False,
            )
        )
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            listening = asyncio.create_task(server.listening.wait())
            await asyncio.wait([serving, listening], return_when=asyncio.FIRST_COMPLETED)
            listening.cancel()
            host, port = listener.getsockname()[:2]
            scheme = "https" if self.settings.tls_cert else "http"
            self._ready("api", f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}")
            started.set()
            await asyncio.shield(serving)
        finally:
            await services.close()
            server.should_exit = True
            await serving


class _Server(uvicorn.Server):
    """Uvicorn without its signal handlers: the platform ends its roles itself."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _listener(listen: str) -> socket.socket:
    """A socket bound to ``HOST:PORT``, opened here so that a taken port is said in words.

    Raises:
        TransportError: the port cannot be opened.
    """
    host, _, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or "127.0.0.1"
    if not port.isdigit():
        raise InvalidSettings(f"LISTEN must be HOST:PORT, not {listen!r}")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, int(port)), family=family, backlog=1024)
    except (OSError, OverflowError) as error:
        raise TransportError(f"cannot listen on {host} port {port}: {error}") from error
    listener.setblocking(False)
    return listener


async def _bus(settings: Settings) -> Bus:
    if settings.amqp_url is None:
        return MemoryBus()
    try:
        # Imported here, because aio-pika is an extra that an embedded platform does without.
        from polymeter.bus.amqp import AMQPBus
    except ImportError as error:
        raise BusUnavailable(
            "AMQP_URL is set, but the extra is not: pip install 'polymeter[amqp]'"
        ) from error
    return await AMQPBus.connect(
        settings.amqp_url, exchanges=(settings.amqp_exchange, settings.amqp_publish_to)
    )
