"""The pages: login, fleet, meter."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
from fastapi import FastAPI, Query
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from polymeter.api import PUBLIC, needs
from polymeter.api.routing import AccessOf, ServicesOf
from polymeter.services import Permission, Problem, Services
from polymeter.services.access import authenticate, same_origin
from polymeter.services.fleet import History, MeterRow, fleet, history, meter_row
from polymeter.services.problems import not_found
from polymeter.services.sessions import COOKIE, PAGE_LIFETIME
from polymeter.store import staged
from polymeter.ui.charts import chart
from polymeter.ui.rendering import files, render
from polymeter.ui.routing import PageRoute

__all__ = ["mount"]

PER_PAGE: Final = 100
POINTS_MAX: Final = 2000
ROWS_SHOWN: Final = 50


def mount(app: FastAPI, services: Services) -> None:
    """Add the pages to the application that `api.create(services)` gave."""
    assert app.state.services is services, "pages and interface stand on the same services"

    def add(path: str, function: Any, *methods: str) -> None:
        route = PageRoute(
            path, function, methods=list(methods or ("GET",)), include_in_schema=False, response_model=None
        )
        app.router.routes.append(route)

    add("/", _fleet)
    add("/meters/{id}", _meter)
    add("/meters/{id}/chart", _chart)
    add("/login", _login_form)
    add("/login", _login, "POST")
    add("/logout", _logout, "POST")
    add("/static/{name}", _static)


@needs(Permission.READ)
async def _fleet(
    request: Request,
    services: ServicesOf,
    access: AccessOf,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """The fleet."""
    now = services.clock.now()
    offset = (page - 1) * PER_PAGE
    found = await services.store.read(fleet, access.scope, now, limit=PER_PAGE, offset=offset)
    waiting = await services.store.read(staged.page, access.scope, limit=3)
    counts: dict[str, int] = {}
    for row in found.rows:
        counts[row.state] = counts.get(row.state, 0) + 1
    pages = max(1, -(-found.count // PER_PAGE))
    return render(
        request,
        "fleet.html",
        fleet=found,
        now=now,
        counts=counts,
        page=page,
        pages=pages,
        waiting=waiting,
        several=access.everywhere,
    )


@needs(Permission.READ)
async def _meter(
    request: Request, services: ServicesOf, access: AccessOf, id: UUID, series: UUID | None = None
) -> Response:
    """One meter."""
    now = services.clock.now()
    row, shown = await _looked_up(services, access, id, series, ROWS_SHOWN)
    return render(request, "meter.html", row=row, shown=shown, now=now, rows_shown=ROWS_SHOWN)


@needs(Permission.READ)
async def _chart(
    services: ServicesOf,
    access: AccessOf,
    id: UUID,
    series: UUID | None = None,
    theme: Literal["light", "dark"] = "light",
) -> Response:
    """The chart of one series, for Bokeh's script."""
    _, shown = await _looked_up(services, access, id, series, POINTS_MAX)
    if shown is None:
        raise not_found("series on this meter")
    item = await asyncio.to_thread(chart, shown, theme)
    headers = {"Cache-Control": "no-store"}
    return Response(msgspec.json.encode(item), headers=headers, media_type="application/json")


async def _looked_up(
    services: Services, access: Any, id: UUID, series: UUID | None, limit: int
) -> tuple[MeterRow, History | None]:
    row = await services.store.read(meter_row, access.scope, id, services.clock.now())
    if row is None:
        raise not_found("meter")
    chosen = series or (row.latest[0].series if row.latest else None)
    if chosen is None:
        return row, None
    found = await services.store.read(history, access.scope, id, chosen, limit=limit)
    if found is None:
        raise not_found("series on this meter")
    return row, found


@needs(PUBLIC)
async def _login_form(request: Request, services: ServicesOf, next: str = "/") -> Response:
    """The login; who is logged in goes on."""
    try:
        access = await authenticate(services, request)
    except Problem:
        access = None
    if access is not None:
        return RedirectResponse(_inside(next), 303)
    return render(request, "login.html", next=_inside(next), failed=None, name="")


@needs(PUBLIC)
async def _login(request: Request, services: ServicesOf) -> Response:
    """Check the password and begin a session."""
    headers = request.headers
    if ("origin" in headers or "sec-fetch-site" in headers) and not same_origin(request):
        raise Problem(403, "The login must come from our own page.")
    form = await request.form(max_files=0, max_fields=10)
    name, password, there = (_text(form.get(field)) for field in ("username", "password", "next"))
    address = request.client.host if request.client else ""
    try:
        granted = await services.login.grant(name.replace("\0", ""), password, address=address)
    except Problem as error:
        answer = render(request, "login.html", next=_inside(there), failed=str(error.detail), name=name)
        answer.status_code = error.status_code
        answer.headers.update({k: v for k, v in (error.headers or {}).items() if k == "Retry-After"})
        return answer
    answer = RedirectResponse(_inside(there), 303)  # type: ignore[assignment]
    answer.set_cookie(
        COOKIE,
        services.sessions.issue(granted.user, granted.organization, "page"),
        max_age=int(PAGE_LIFETIME.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return answer


@needs(PUBLIC)
async def _logout(request: Request) -> Response:
    """End the session."""
    if not same_origin(request):
        raise Problem(403, "The request must come from our own page.")
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=request.url.scheme == "https")
    return answer


@needs(PUBLIC)
async def _static(request: Request, name: str) -> Response:
    """A file of the pages."""
    file = files().get(name)
    if file is None:
        raise not_found("file")
    headers = {
        "Cache-Control": "public, max-age=31536000, immutable",
        "ETag": f'"{file.tag}"',
        "Vary": "Accept-Encoding",
    }
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(file.packed, headers=headers, media_type=file.media_type)
    return Response(file.content, headers=headers, media_type=file.media_type)


def _inside(address: str) -> str:
    """An address on this host, whatever was asked for: a login must not send people elsewhere."""
    clean = address.startswith("/") and not address.startswith(("//", "/\\"))
    return address if clean and address.isprintable() and len(address) < 500 else "/"


def _text(value: str | UploadFile | None) -> str:
    return value if isinstance(value, str) else ""
