"""What every answer has in common: problem documents, bounds, headers; and the pages of a list.

`install` puts it around an application. It is plain ASGI, outside the framework, so that it holds for unknown
routes and broken requests as well.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlencode

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from polymeter.bus import BusUnavailable
from polymeter.services.problems import Problem, document
from polymeter.store import Conflict, StoreUnavailable

if TYPE_CHECKING:
    from polymeter.services.services import Services

__all__ = ["CSP", "LIMIT_MAX", "OFFSET_MAX", "body_problem", "install", "page_links"]

LIMIT_MAX: Final = 10_000
OFFSET_MAX: Final = 1_000_000_000
RETRY_AFTER_S: Final = 5

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""`unsafe-inline` for styles only: Bokeh sets them on its elements. No script but our own files runs."""

_HEADERS: Final = (
    (b"content-security-policy", CSP.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
_HSTS: Final = (b"strict-transport-security", b"max-age=31536000")
_JSON: Final = re.compile(rb"\s*application/([a-z0-9.+-]+\+)?json\s*(;.*)?", re.IGNORECASE | re.DOTALL)
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})

_log = structlog.get_logger(__name__)


def install(app: FastAPI, services: Services) -> None:
    """Give an application our errors, bounds and headers."""
    handlers: dict[Any, Callable[[Request, Any], Awaitable[Response]]] = {
        Problem: _problem,
        HTTPException: _http_error,
        RequestValidationError: _invalid,
        Conflict: _conflict,
        StoreUnavailable: _unavailable,
        BusUnavailable: _unavailable,
        Exception: _unexpected,
    }
    for error, handler in handlers.items():
        app.add_exception_handler(error, handler)
    if services.settings.cors_whitelist:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(services.settings.cors_whitelist),
            allow_methods=["*"],
            allow_headers=["Authorization", "Content-Type"],
        )
    app.add_middleware(
        Edge, body_limit=services.settings.body_limit_bytes, hosts=services.settings.allowed_hosts
    )


class Edge:
    """The outermost layer: host, path, body size and type, headers of the answer."""

    def __init__(self, app: ASGIApp, body_limit: int, hosts: Iterable[str]) -> None:
        self._app = app
        self._limit = body_limit
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        secure = scope.get("scheme") == "https"

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                have = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"],
                    *(item for item in (*_HEADERS, *((_HSTS,) if secure else ())) if item[0] not in have),
                ]
            await send(message)

        headers = dict(scope["headers"])
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await refusal(scope, receive, send_with_headers)
            return
        path: str = scope["path"]
        if len(path) > 1 and path.endswith("/"):
            scope["path"] = path.rstrip("/") or "/"
            scope["raw_path"] = scope["path"].encode()
        await self._app(scope, self._bounded(receive), send_with_headers)

    def _refusal(self, scope: Scope, headers: dict[bytes, bytes]) -> Response | None:
        host = headers.get(b"host", b"").decode("latin-1").rsplit(":", 1)[0].lower()
        if self._hosts and host not in self._hosts and "*" not in self._hosts:
            return document(400, "this host name is none of ALLOWED_HOSTS")
        length = headers.get(b"content-length", b"0")
        if not length.isdigit():
            return document(400, "Content-Length is no number")
        if int(length) > self._limit:
            return document(413, f"the body has {int(length)} bytes, the limit is {self._limit}")
        has_body = int(length) > 0 or b"transfer-encoding" in headers
        if not (has_body and scope["method"] in _WITH_BODY and scope["path"].startswith("/v1/")):
            return None
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            return document(415, "the body is compressed; send it as it is")
        kind = headers.get(b"content-type")
        if kind is None:
            scope["headers"] = [*scope["headers"], (b"content-type", b"application/json")]
        elif _JSON.fullmatch(kind) is None:
            return document(415, "the body must be JSON: Content-Type: application/json")
        return None

    def _bounded(self, receive: Receive) -> Receive:
        left = self._limit

        async def bounded() -> Message:
            nonlocal left
            message = await receive()
            if message["type"] == "http.request":
                left -= len(message.get("body", b""))
                if left < 0:
                    raise Problem(413, f"the body is longer than {self._limit} bytes")
            return message

        return bounded


def page_links(request: Request, count: int, limit: int, offset: int) -> tuple[str | None, str | None]:
    """Absolute addresses of the next and the previous page, None where there is none."""

    def link(to: int) -> str:
        query = [(k, v) for k, v in request.query_params.multi_items() if k not in ("limit", "offset")]
        query += [("limit", str(limit)), ("offset", str(to))]
        return str(request.url.replace(query=urlencode(query)))

    following = link(offset + limit) if offset + limit < count else None
    before = link(max(0, min(offset, count) - limit)) if offset > 0 else None
    return following, before


def body_problem(field: str, message: str) -> Problem:
    """A request that names something it cannot."""
    return Problem(422, f"{field}: {message}", errors=[{"field": field, "message": message}])


async def _problem(_request: Request, error: Problem) -> Response:
    return document(
        error.status_code, error.detail, errors=error.errors, headers=error.headers, more=error.more
    )


async def _http_error(request: Request, error: HTTPException) -> Response:
    if isinstance(error, Problem):
        return await _problem(request, error)
    headers = dict(error.headers or {})
    detail = str(error.detail)
    if error.status_code == 404:
        detail = f"there is nothing at {request.url.path}"
    elif error.status_code == 405:
        headers["Allow"] = ", ".join(sorted(_methods(request)))
        detail = f"{request.method} is not possible here; possible are {headers['Allow']}"
    elif error.status_code == 400 and "parsing the body" in detail:
        detail = "the body is not JSON"
    return document(error.status_code, detail, headers=headers)


def _methods(request: Request) -> set[str]:
    """All methods of all routes at this path: the framework names those of the first only."""
    found: set[str] = set()
    routes: list[BaseRoute] = request.app.routes
    for route in routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            found |= cast("set[str]", getattr(route, "methods", None) or {"GET", "HEAD"})
    return found


async def _invalid(_request: Request, error: RequestValidationError) -> Response:
    problems = error.errors()
    if problems and problems[0]["type"] == "json_invalid":
        return document(400, f"the body is not JSON: {problems[0]['ctx']['error']}")
    fields = [
        {
            "field": ".".join(str(part) for part in item["loc"][1:]) or str(item["loc"][0]),
            "message": _said(item),
        }
        for item in problems[:100]
    ]
    first = fields[0]
    return document(422, f"{first['field']}: {first['message']}", errors=fields)


def _said(item: dict[str, Any]) -> str:
    message = str(item["msg"]).removeprefix("Value error, ")
    return "is not known here" if item["type"] == "extra_forbidden" else message


async def _conflict(_request: Request, error: Conflict) -> Response:
    text = str(error)
    if "UNIQUE" in text or "unique" in text:
        return document(409, "the name is taken")
    if "FOREIGN KEY" in text or "foreign key" in text:
        return document(409, "it refers to something that does not exist, or something still refers to it")
    return document(409, text)


async def _unavailable(_request: Request, error: Exception) -> Response:
    which = "the store" if isinstance(error, StoreUnavailable) else "the bus"
    _log.warning("answered 503", reason=str(error))
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    return document(503, f"{which} is away; nothing was lost, try again", headers=headers)


async def _unexpected(request: Request, error: Exception) -> Response:
    _log.error("a request failed", path=request.url.path, exc_info=error)
    return document(500, "this is a bug in polymeter; the log says more")
