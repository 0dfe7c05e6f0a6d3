"""Workers: take runs that are due, call the meters, publish what they say.

A run is held by a lease that outlives a dead worker by little; so is the network interface, so
that meters behind one gateway are asked one after another. A failed run comes again with growing,
jittered pauses until it succeeds, is overtaken by the next one, or ends with its reason. Calls
that write to a meter are tried once.
"""

from __future__ import annotations

import asyncio
import random
import secrets as randomness
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog

from polymeter.bus import Bus, BusUnavailable
from polymeter.catalogue import TelegramReading
from polymeter.catalogue.readings import value_text
from polymeter.collection.publishing import Origin, batch_message, messages_of
from polymeter.collection.sealed import KINDS, key_bytes
from polymeter.domain import Clock, Meter, NetworkInterface, Source
from polymeter.drivers import Row, connect_async, driver_named
from polymeter.drivers.faces import driver_for
from polymeter.messages import INCOMING, STORED, AmrTaskResult, NewMeterReading, encode, routing_key
from polymeter.observe import metrics
from polymeter.protocols.wire import AccessDenied, LocalProtocolError, ProtocolError
from polymeter.store import (
    ANY,
    InvalidSecret,
    Run,
    SecretKey,
    Store,
    StoreUnavailable,
    Task,
    Tx,
    channels,
    leases,
    meter_types,
    meters,
    secrets,
    task_runs,
    tasks,
)
from polymeter.transports.urls import scheme_of

__all__ = ["SCHEMES", "SECRET_PARAMETERS", "Worker", "address_of", "retry_pause_s"]

_log = structlog.get_logger(__name__)

SCHEMES: Final = {"dlms-cosem": "dlms", "i-flag": "corus", "lis-200": "lis200"}
"""Utilitarian's names of protocols, where they differ from the schemes of addresses."""

SECRET_PARAMETERS: Final = {"iec62056_21_password": "password", "mbus_encryption_key": "key"}
"""Kind of secret to the address parameter that carries it, where the driver has that parameter."""

_RUN_S: Final = 600.0
"""A conversation that takes longer is given up."""
_LEASE_S: Final = 15.0
"""How long a dead worker's runs and interfaces stay taken; a living one renews in time."""
_RENEW_S: Final = 5.0
_BUSY_S: Final = 1.0
_IDLE_S: Final = 0.5
_ATTEMPTS_MAX: Final = 6
_PAUSE_FIRST_S: Final = 10.0
_PAUSE_MAX_S: Final = 3600.0


def retry_pause_s(attempt: int, dice: random.Random) -> float:
    """Seconds to wait after the failed attempt of that number: doubling, with jitter, bounded."""
    return min(_PAUSE_MAX_S, _PAUSE_FIRST_S * 2.0 ** (attempt - 1)) * dice.uniform(0.75, 1.25)


class _Impossible(Exception):
    """Why a run can never succeed as things are."""


@dataclass(frozen=True, slots=True)
class _Job:
    """Everything a run needs, read in one transaction."""

    run: Run
    meter: Meter
    interface: NetworkInterface | None
    secrets: dict[str, str]
    zone: str
    allowed: set[str] | None
    task: Task | None

    @property
    def lease(self) -> str:
        """What must not be used by two at once."""
        if self.interface is not None:
            return f"interface {self.interface.id}"
        return f"meter {self.meter.id}"


def address_of(meter: Meter, interface: NetworkInterface | None, secrets: dict[str, str]) -> str:
    """The address under which a driver reaches a meter.

    Raises:
        LocalProtocolError: neither the meter nor an interface says where it is, or nobody reads such meters.
    """
    address = meter.url
    if address is None:
        if interface is None or interface.host is None:
            raise LocalProtocolError(f"meter {meter.name} has neither an address nor a network interface")
        host = f"[{interface.host}]" if ":" in interface.host else interface.host
        port = f":{interface.port}" if interface.port is not None else ""
        address = f"{SCHEMES.get(meter.protocol, meter.protocol)}://{host}{port}"
        if meter.iec62056_21_address:
            address += f"?address={quote(meter.iec62056_21_address, safe='')}"
    understood = driver_named(scheme_of(address)).parameters
    for parameter, value in secrets.items():
        if parameter not in understood:
            continue
        address += f"{'&' if '?' in address else '?'}{parameter}={quote(value, safe='')}"
    return address


class Worker:
    """Performs runs, up to `concurrency` at once. Any number of workers may run; any may die."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        clock: Clock,
        key: SecretKey,
        *,
        exchange: str = INCOMING,
        outgoing: str = STORED,
        zone: str = "UTC",
        concurrency: int = 100,
        dice: random.Random | None = None,
    ) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._key = key
        self._exchange = exchange
        self._outgoing = outgoing
        self._zone = zone
        self._concurrency = concurrency
        self._dice = dice or random.Random()
        self._owner = f"worker-{randomness.token_hex(8)}"
        self._running: set[asyncio.Task[None]] = set()
        self._turns: dict[str, asyncio.Lock] = {}

    async def run(self) -> None:
        """Perform runs as they become due, until cancelled; what is under way is then given up."""
        try:
            while True:
                taken = 0
                try:
                    taken = await self._take()
                except StoreUnavailable as error:
                    _log.warning("no runs taken", reason=str(error))
                if not taken:
                    await asyncio.sleep(_IDLE_S)
        finally:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

    async def drain(self) -> int:
        """Perform everything that is due now, and wait for it; how many runs that were."""
        performed = 0
        while taken := await self._take():
            performed += taken
            while self._running:
                await asyncio.wait(self._running)
        return performed

    async def _take(self) -> int:
        """Take as many runs as there are places and begin them."""
        free = self._concurrency - len(self._running)
        if free <= 0:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
            return 1
        runs = await self._store.write(task_runs.claim, self._owner, _LEASE_S, limit=free)
        for run in runs:
            task = asyncio.create_task(self._guarded(run), name=f"run {run.id}")
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return len(runs)

    async def _guarded(self, run: Run) -> None:
        """Perform a run; whatever happens, the run's row says so or its lease runs out."""
        try:
            try:
                await self._held(run)
            except _Impossible as error:
                await self._store.write(task_runs.fail, run, str(error))
        except StoreUnavailable as error:
            _log.warning("run left to its lease", run=run.id, reason=str(error))
        except Exception as error:
            # A bug of ours, or of somebody's driver: it must end this run and no other.
            _log.exception("run broke", run=run.id)
            await self._store.write(task_runs.fail, run, f"internal error: {type(error).__name__}: {error}")

    async def _held(self, run: Run) -> None:
        """Perform a run while its interface is ours alone.

        Runs of ours for one interface wait here for each other, so that a gateway with many
        meters is never idle; where another worker has it the run is put back.
        """
        job = await self._store.read(_load, run, self._key, self._zone)
        turn = self._turns.setdefault(job.lease, asyncio.Lock())
        performing = asyncio.current_task()
        assert performing is not None
        renewing = asyncio.create_task(self._renew(run, job.lease, performing))
        try:
            async with turn:
                lease = await self._store.write(leases.take, job.lease, self._owner, _LEASE_S)
                if lease is None:
                    busy_until = self._clock.now() + timedelta(seconds=_BUSY_S)
                    await self._store.write(task_runs.defer, run, busy_until)
                    return
                try:
                    await self._perform(job)
                finally:
                    await self._store.write(leases.release, lease)
        finally:
            renewing.cancel()
            if not turn.locked():
                self._turns.pop(job.lease, None)

    async def _renew(self, run: Run, interface: str, performing: asyncio.Task[Any]) -> None:
        """Keep run and interface ours while the conversation lasts; if they are lost, it must end."""
        while True:
            await asyncio.sleep(_RENEW_S)
            try:
                kept = await self._store.write(_renew_both, run, interface, self._owner)
            except StoreUnavailable:
                continue
            if not kept:
                _log.warning("lease lost", run=run.id)
                performing.cancel()
                return

    async def _perform(self, job: _Job) -> None:
        run = job.run
        retry = True
        try:
            family = driver_for(address := address_of(job.meter, job.interface, job.secrets))
            known = family.calls().get(run.call)
            retry = known is None or not known.writes
            async with asyncio.timeout(_RUN_S), connect_async(address) as meter:
                answer = await meter.call(run.call, *run.kwargs.get("objects", ()), **_named(run))
            result = await self._publish(job, answer)
        except TimeoutError:
            await self._failed(job, f"no end within {_RUN_S:g} s", retry)
        except (AccessDenied, LocalProtocolError) as error:
            await self._failed(job, str(error), False)
        except (ProtocolError, BusUnavailable) as error:
            await self._failed(job, str(error), retry)
        else:
            if await self._store.write(task_runs.finish, run, result):
                metrics.task_runs.labels("done").inc()
                await self._tell(job, "done", result=result)

    async def _publish(self, job: _Job, answer: Any) -> Any:
        """Publish the readings of an answer; gives what the run's row keeps."""
        received = self._clock.now()
        if isinstance(answer, list) and all(isinstance(item, TelegramReading) for item in answer):
            readings, source = answer, Source.POLL
        elif isinstance(answer, list) and all(isinstance(item, Row) for item in answer):
            readings, source = [one for row in answer for one in row.readings], Source.PROFILE
        else:
            return value_text(answer) if not isinstance(answer, list | dict) else answer
        origin = Origin(
            job.meter.name,
            job.meter.organization,
            ZoneInfo(job.zone),
            source,
            received,
            allowed=None if "objects" in job.run.kwargs else job.allowed,
        )
        messages: Sequence[NewMeterReading] = messages_of(readings, origin)
        if messages:
            key, body = batch_message(job.meter.name, messages)
            await self._bus.publish(key, body, exchange=self._exchange)
        refused = {one.series: one.error for one in readings if one.error is not None}
        return {"readings": len(messages), **({"refused": refused} if refused else {})}

    async def _failed(self, job: _Job, reason: str, retry: bool) -> None:
        run = job.run
        retry_at: datetime | None = None
        if retry and run.attempt < _ATTEMPTS_MAX:
            retry_at = self._clock.now() + timedelta(seconds=retry_pause_s(run.attempt, self._dice))
            interval_s = job.task.interval_s if job.task is not None else None
            if interval_s is not None and retry_at >= run.due + timedelta(seconds=interval_s):
                retry_at, reason = None, f"{reason}; the next run comes before another attempt"
        _log.info("run failed", run=run.id, meter=job.meter.name, attempt=run.attempt, reason=reason)
        if await self._store.write(task_runs.fail, run, reason, retry_at=retry_at) and retry_at is None:
            metrics.task_runs.labels("failed").inc()
            await self._tell(job, "failed", reason=reason)

    async def _tell(self, job: _Job, status: Any, *, reason: str | None = None, result: Any = None) -> None:
        """Say how a run ended to whoever listens; the row is what counts, so a loss here is none."""
        run = job.run
        message = AmrTaskResult(
            run=run.id,
            organization=run.organization,
            meter=job.meter.name,
            call=run.call,
            due=run.due,
            status=status,
            finished=self._clock.now(),
            task=run.task,
            attempt=run.attempt,
            reason=reason,
            result=result,
        )
        key = routing_key("amr_task_result", job.meter.name)
        try:
            await self._bus.publish(key, encode(message), exchange=self._outgoing, required=False)
        except BusUnavailable as error:
            _log.info("result not told", run=run.id, reason=str(error))


def _named(run: Run) -> dict[str, Any]:
    return {name: value for name, value in run.kwargs.items() if name != "objects"}


def _renew_both(tx: Tx, run: Run, interface: str, owner: str) -> bool:
    """Hold the run, and the interface if it is ours already."""
    lease = leases.get(tx, interface)
    if lease is not None and lease.owner == owner:
        leases.renew(tx, lease, _LEASE_S)
    return task_runs.renew(tx, run, _LEASE_S)


def _load(tx: Tx, run: Run, key: SecretKey, default_zone: str) -> _Job:
    """Read what a run needs."""
    meter = meters.get(tx, run.organization, run.meter)
    if meter is None:
        raise _Impossible("the meter no longer exists")
    interface = None
    if meter.network_interface is not None:
        interface = meters.get_interface(tx, run.organization, meter.network_interface)
    known: dict[str, str] = {}
    for kind, parameter in SECRET_PARAMETERS.items():
        try:
            value = secrets.get(tx, key, run.organization, meter.id, kind)
        except InvalidSecret as error:
            raise _Impossible(str(error)) from error
        if value is not None:
            known[parameter] = value.decode("utf-8") if kind not in KINDS else key_bytes(value).hex()
    zone, allowed = default_zone, None
    config_id = _config_of(tx, meter)
    if config_id is not None:
        config = meter_types.get_config(tx, run.organization, config_id)
        zone = config.timezone if config is not None else zone
        allowed = set(channels.allowed(tx, [config_id]).get(config_id, {}))
    task = tasks.get(tx, ANY, run.task) if run.task is not None else None
    return _Job(run, meter, interface, known, zone, allowed, task)


def _config_of(tx: Tx, meter: Meter) -> UUID | None:
    if meter.type is None:
        return None
    found = meter_types.get(tx, meter.organization, meter.type)
    return found.config if found is not None else None
