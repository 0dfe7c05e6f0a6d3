"""Routes of pages: like the interface's, but people are sent to the login and read errors as pages."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from polymeter.api.routing import Route
from polymeter.bus import BusUnavailable
from polymeter.store import StoreUnavailable
from polymeter.ui.rendering import render

__all__ = ["PageRoute"]


class PageRoute(Route):
    """A page."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def page(request: Request) -> Response:
            try:
                return await handle(request)
            except HTTPException as error:
                if error.status_code == 401 and request.url.path != "/login":
                    there = request.url.path + (f"?{request.url.query}" if request.url.query else "")
                    return RedirectResponse(f"/login?next={quote(there)}", 303)
                return _problem(request, error.status_code, str(error.detail), dict(error.headers or {}))
            except (StoreUnavailable, BusUnavailable):
                text = "The store is away just now. Nothing is lost; try again in a moment."
                return _problem(request, 503, text, {"Retry-After": "5"})

        return page


def _problem(request: Request, status: int, detail: str, headers: dict[str, str]) -> Response:
    answer = render(request, "problem.html", status=status, detail=detail)
    answer.status_code = status
    answer.headers.update(headers)
    return answer
