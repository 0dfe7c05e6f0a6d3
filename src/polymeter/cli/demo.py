"""``polymeter demo``: the platform and a simulated fleet, collected for real over loopback TCP."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from polymeter.cli.platform import load_settings, run_async, set_up_logs, stop_event
from polymeter.protocols import iec62056_21
from polymeter.protocols.wire import LocalProtocolError, TimedOut, TransportError
from polymeter.simulators import Settings as FleetSettings
from polymeter.simulators import simulate
from polymeter.simulators.consumption import Consumption
from polymeter.transports import tcp

if TYPE_CHECKING:
    from polymeter.app import Platform

__all__ = ["register"]

ORGANIZATION: Final = "Demo"
INTERVAL_S: Final = 5
_METERS_PER_GATEWAY: Final = 8
_PUSHING: Final = 4
_BREAKS_AFTER_S: Final = 60
_BROKEN_FOR_S: Final = 120
_SERIES: Final = (("1-0:1.8.0*255", "kWh"), ("1-0:1.7.0*255", "W"), ("1-0:32.7.0*255", "V"))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    listen: Annotated[
        str, typer.Option(help="Host and port of pages and HTTP interface.")
    ] = "127.0.0.1:8000",
    meters: Annotated[int, typer.Option(min=1, max=2000, help="How many meters are polled.")] = 24,
    data: Annotated[
        Path | None, typer.Option(help="Folder to keep the data in; a temporary one if left out.")
    ] = None,
) -> None:
    """Run the platform with a simulated fleet, and say where to look."""
    with tempfile.TemporaryDirectory(prefix="polymeter-demo-") as temporary:
        folder = data or Path(temporary)
        settings = load_settings(
            data_dir=folder,
            listen=listen,
            public_decode=True,
            receivers=(f"iec62056-21://127.0.0.1:0?organization={ORGANIZATION}",),
            log_level="warning",
        )
        if settings.amqp_url is not None or settings.database_url is not None:
            raise LocalProtocolError("the demo is embedded: unset DATABASE_URL and AMQP_URL")
        set_up_logs(settings)
        run_async(_run(settings, meters, folder))


async def _run(settings: Any, count: int, folder: Path) -> None:
    from polymeter.app import ROLES, Platform

    stop = stop_event()
    heard: dict[str, str] = {}
    working = asyncio.Event()

    def ready(role: str, message: str) -> None:
        heard[role] = message
        if role == "api":
            working.set()

    async with AsyncExitStack() as stack:
        addresses: list[str] = []
        for first in range(1, count + 1, _METERS_PER_GATEWAY):
            fleet = FleetSettings(
                min(_METERS_PER_GATEWAY, count + 1 - first),
                config={
                    "first": first,
                    "silent": [{"number": 3, "after": _BREAKS_AFTER_S, "for": _BROKEN_FOR_S}],
                },
            )
            addresses += await stack.enter_async_context(simulate("iec62056-21", fleet))
        platform = await stack.enter_async_context(Platform.open(settings))
        password, token = await _seed(platform, addresses, count)
        token_file = folder / "token"
        token_file.write_text(token + "\n", "ascii")
        token_file.chmod(0o600)
        running = asyncio.create_task(platform.run(ROLES, stop, ready))
        waiting = asyncio.create_task(working.wait())
        await asyncio.wait([running, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        pushing: list[asyncio.Task[None]] = []
        if not running.done():
            _say(heard, count, password, token, token_file)
            port = int(heard["receiver"].rpartition(" ")[2])
            pushing = [asyncio.create_task(_push(port, count + 1 + index)) for index in range(_PUSHING)]
        try:
            await running
        finally:
            for task in pushing:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
    typer.echo("ended", err=True)


def _say(heard: dict[str, str], count: int, password: str, token: str, token_file: Path) -> None:
    address = heard["api"]
    typer.echo(f"address:  {address}/")
    typer.echo(f"login:    demo, password {password}")
    typer.echo(f"token:    {token}")
    typer.echo(f"          (also in {token_file})")
    typer.echo("")
    typer.echo(f"{count} meters are polled every {INTERVAL_S} s, {_PUSHING} push by themselves.")
    minutes = _BROKEN_FOR_S // 60
    typer.echo(f"After a minute meter SIM-0003 falls silent for {minutes} minutes: its page shows the gap.")
    typer.echo(f"HTTP interface: {address}/docs")
    typer.echo(f"  curl -H 'Authorization: Token {token}' {address}/v1/metering/meter-devices")
    typer.echo("Ctrl-C ends it.")


async def _seed(platform: Platform, addresses: list[str], count: int) -> tuple[str, str]:
    """Make the organization, its login and token, and what is not there yet of its fleet."""
    from polymeter.services import accounts

    store = platform.store
    organization = await accounts.ensure_organization(store, ORGANIZATION)
    password = secrets.token_urlsafe(9)
    await accounts.add_user(store, "demo", password, organization=ORGANIZATION, role="admin")
    _, token = await accounts.add_token(store, "demo", organization=ORGANIZATION)
    await store.write(_seed_fleet, organization.id, addresses, count)
    return password, token


def _seed_fleet(tx: Any, organization: Any, addresses: list[str], count: int) -> None:
    from polymeter.store import meter_types, meters, series, tasks

    known = [
        series.named(tx, organization, name) or series.create(tx, organization, name, unit)
        for name, unit in _SERIES
    ]
    types = meter_types.page(tx, organization, name="SIM100").rows
    if types:
        made = types[0]
    else:
        config = meter_types.create_config(tx, organization, "electricity", [one.id for one in known])
        made = meter_types.create(
            tx,
            organization,
            "SIM100",
            manufacturer="Simulated",
            manufacturer_model="SIM100",
            config=config.id,
        )
    polled = []
    interfaces: dict[str, Any] = {}
    for number in range(1, count + _PUSHING + 1):
        name = f"SIM-{number:04d}"
        url = f"{addresses[number - 1]}&answer_timeout=1" if number <= count else None
        gateway = None
        if url is not None:
            where = url.partition("?")[0]
            if where not in interfaces:
                interfaces[where] = meters.create_interface(tx, organization, name=where)
            gateway = interfaces[where].id
        meter = meters.named(tx, organization, name)
        if meter is None:
            meter = meters.create(
                tx,
                organization,
                name,
                protocol="iec62056-21",
                type=made.id,
                manufacturer_serial=f"{number:08d}",
                url=url,
                network_interface=gateway,
            )
        else:
            meters.change(tx, organization, meter.id, url=url, network_interface=gateway)
        if url is not None:
            polled.append(meter.id)
    planned = tasks.page(tx, organization, name="read registers").rows
    task = (
        planned[0]
        if planned
        else tasks.create(tx, organization, "read registers", "iec62056-21", "read", interval_s=INTERVAL_S)
    )
    tasks.assign(tx, organization, task.id, polled)


async def _push(port: int, number: int) -> None:
    """A meter that sends its read-out by itself, over and over, until cancelled."""
    from polymeter.domain import SystemClock

    used, clock = Consumption(number), SystemClock()
    while True:
        try:
            line = await tcp.connect_async("127.0.0.1", port, 5.0)
            try:
                while True:
                    await line.send(_read_out(number, used, clock.now()))
                    await line.receive(10.0)
                    await asyncio.sleep(2 * INTERVAL_S)
            finally:
                await line.close()
        except (TimedOut, TransportError):
            await asyncio.sleep(1.0)


def _read_out(number: int, used: Consumption, at: Any) -> bytes:
    sets = (
        iec62056_21.DataSet("0.0.0", f"{number:08d}"),
        iec62056_21.DataSet("1.8.0", f"{used.energy_wh(at) / 1000:010.3f}", "kWh"),
        iec62056_21.DataSet("1.7.0", f"{used.power_w(at) / 1000:06.3f}", "kW"),
    )
    data = iec62056_21.encode_data(tuple((one,) for one in sets))
    identification = iec62056_21.Identification("PMX", "5", "SIM100")
    return iec62056_21.encode(identification) + iec62056_21.encode(iec62056_21.DataMessage(data))
