"""Whether the process lives, whether it can work, and what it counts."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgspec
import sqlalchemy as sa
import structlog
from fastapi import FastAPI
from starlette.responses import Response

from polymeter.api.routing import PUBLIC, ServicesOf, needs
from polymeter.observe import exposition
from polymeter.services import Services
from polymeter.services.services import Check
from polymeter.store import Tx

__all__ = ["mount"]

_TIMEOUT_S: Final = 3.0
_log = structlog.get_logger(__name__)


def _select_one(tx: Tx) -> None:
    tx.row(sa.select(1))


async def _answers(name: str, check: Check) -> tuple[str, str]:
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            await check()
    except Exception as error:
        # Said to nobody but the log: an address or a user name may be in it.
        _log.warning("not ready", part=name, reason=str(error) or type(error).__name__)
        return name, "away"
    return name, "ok"


async def _ready(services: Services) -> dict[str, str]:
    checks: dict[str, Check] = {"store": lambda: services.store.read(_select_one), **services.checks}
    return dict(await asyncio.gather(*(_answers(name, check) for name, check in checks.items())))


def mount(app: FastAPI) -> None:
    """Add the routes. None of them tells anything of a tenant."""

    @app.get("/health/live", summary="The process answers", tags=["health"])
    @needs(PUBLIC)
    async def live() -> dict[str, str]:
        return {"status": "ok"}

    async def ready(services: ServicesOf) -> Response:
        parts = await _ready(services)
        good = all(state == "ok" for state in parts.values())
        content: dict[str, Any] = {"status": "ok" if good else "away", "parts": parts}
        headers = {"Cache-Control": "no-store"} | ({} if good else {"Retry-After": "5"})
        return Response(
            msgspec.json.encode(content), 200 if good else 503, headers, media_type="application/json"
        )

    needs(PUBLIC)(ready)
    app.add_api_route("/health/ready", ready, summary="Store and bus answer", tags=["health"])
    app.add_api_route("/_health", ready, summary="The same, as Utilitarian names it", tags=["health"])

    @app.get("/metrics", summary="Counters for Prometheus", tags=["health"])
    @needs(PUBLIC)
    async def metrics() -> Response:
        return Response(exposition(), media_type="text/plain; version=0.0.4; charset=utf-8")
