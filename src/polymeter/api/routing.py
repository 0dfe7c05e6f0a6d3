"""Routes that know who may call them: authentication and permission come before anything else is read.

Every route says what it needs; one that does not cannot be added. The route table is thereby also the table
of permissions: the reference page and the test matrix are made from it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from typing import Annotated, Any, Final, NamedTuple, TypeVar

from fastapi import Depends, FastAPI, Query
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from polymeter.services import Access, Permission, Problem, Services
from polymeter.services.access import authenticate
from polymeter.services.http import LIMIT_MAX, OFFSET_MAX

__all__ = [
    "PUBLIC",
    "READ_UNLESS_PUBLIC",
    "AccessOf",
    "Paging",
    "PagingOf",
    "Route",
    "RouteInfo",
    "ServicesOf",
    "admitted",
    "needs",
    "platform_only",
    "route_table",
    "services_of",
]

PUBLIC: Final = "public"
"""Needs no login."""
READ_UNLESS_PUBLIC: Final = "read unless PUBLIC_DECODE"
"""Decoding: a login, unless the setting says that anybody may."""

F = TypeVar("F", bound=Callable[..., Any])


def needs(permission: Permission | str) -> Callable[[F], F]:
    """Say what a route's function needs: a permission, or `PUBLIC`."""

    def mark(function: F) -> F:
        function.__permission__ = permission  # type: ignore[attr-defined]
        return function

    return mark


class Route(APIRoute):
    """A route that lets in only who may."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **more: Any) -> None:
        permission = getattr(endpoint, "__permission__", None)
        if permission is None:
            raise TypeError(f"{path}: {endpoint.__name__} does not say what it needs")
        self.permission: Permission | str = permission
        extra = dict(more.get("openapi_extra") or {})
        extra.setdefault("x-permission", str(permission))
        if permission == PUBLIC:
            extra.setdefault("security", [])
        more["openapi_extra"] = extra
        super().__init__(path, endpoint, **more)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            wanted = _wanted(self.permission, request)
            if wanted is not None:
                request.state.access = await admitted(request, wanted)
            return await handle(request)

        return guarded


def _wanted(permission: Permission | str, request: Request) -> Permission | None:
    if permission == PUBLIC:
        return None
    if permission == READ_UNLESS_PUBLIC:
        return None if services_of(request).settings.public_decode else Permission.READ
    return Permission(permission)


async def admitted(request: Request, permission: Permission) -> Access:
    """The caller, who may do this.

    Raises:
        Problem: 401 without a login, 403 without the permission.
    """
    access = await authenticate(services_of(request), request)
    if access is None:
        raise Problem(401, "log in: Authorization: Token … or JWT …")
    if not access.allows(permission):
        raise Problem(403, f"this needs the permission {permission.value!r}")
    return access


def services_of(request: Request) -> Services:
    """The services of the application."""
    services: Services = request.app.state.services
    return services


def _access_of(request: Request) -> Access:
    access: Access = request.state.access
    return access


ServicesOf = Annotated[Services, Depends(services_of)]
AccessOf = Annotated[Access, Depends(_access_of)]


def platform_only(access: Access) -> None:
    """Refuse everybody but the platform itself.

    Raises:
        Problem: 403.
    """
    if not access.everywhere:
        raise Problem(403, "only a platform token or staff may do this")


class Paging(BaseModel):
    """Which part of a list. A parameter nobody knows is refused: a misspelt filter must not mean "all"."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(100, ge=1, le=LIMIT_MAX, description="how many at most")
    offset: int = Field(0, ge=0, le=OFFSET_MAX, description="how many to leave out before")


PagingOf = Annotated[Paging, Query()]


class RouteInfo(NamedTuple):
    """One row of the route table."""

    method: str
    path: str
    permission: str
    summary: str


def route_table(app: FastAPI) -> Iterator[RouteInfo]:
    """Every route of the interface with what it needs, in order.

    Raises:
        TypeError: a route was added that does not say.
    """
    for route in app.routes:
        if isinstance(route, Route):
            for method in sorted(route.methods or ()):
                yield RouteInfo(method, route.path, str(route.permission), route.summary or route.name)
        elif getattr(route, "path", "").startswith("/static"):
            yield RouteInfo("GET", getattr(route, "path", ""), PUBLIC, "Files of the web pages")
        else:
            raise TypeError(f"{getattr(route, 'path', route)!r} does not say what it needs")
