"""The routes that every ordinary resource has: list, create, get, replace, change, delete.

A resource gives its models and the store's functions; what is the same for all is here once: the tenant's
scope, paging, 404, the answer's status.
"""
# No postponed annotations: the functions below are annotated with the models they are given.

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Generic, TypeVar
from uuid import UUID

from fastapi import FastAPI, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, create_model, model_validator
from starlette.requests import Request
from starlette.responses import Response

from polymeter.api.routing import AccessOf, Paging, ServicesOf, needs
from polymeter.services import Access, Permission, Services
from polymeter.services.http import page_links
from polymeter.services.problems import not_found
from polymeter.store import Page, Scope, Tx

__all__ = ["Clean", "In", "Listed", "Out", "Resource", "listed", "partial"]

T = TypeVar("T")

_READ_ONLY: Final = frozenset(
    {
        "id",
        "created_at",
        "updated_at",
        "members",
        "network_interface_info",
        "series_info",
        "tasks_info",
        "is_blocked",
        "block_time",
        "host",
    }
)
_UNSUPPORTED_UNLESS_SET: Final = frozenset({"sim", "task_groups", "meter_tasks"})


def _clean(text: str) -> str:
    if "\0" in text:
        raise ValueError("holds a NUL character")
    return text


Clean = AfterValidator(_clean)
"""For every text that reaches the store: PostgreSQL keeps no NUL."""


class In(BaseModel):
    """A body. What we answer and nobody sets may be sent back; what nobody knows is refused."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _without_read_only(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        known = cls.model_fields
        return {
            name: value
            for name, value in data.items()
            if name in known or not (name in _READ_ONLY or (name in _UNSUPPORTED_UNLESS_SET and not value))
        }


class Out(BaseModel):
    """An answer, made from a row."""

    model_config = ConfigDict(from_attributes=True)

    created_at: datetime | None = None
    updated_at: datetime | None = None


class Listed(BaseModel, Generic[T]):
    """One page of a list."""

    count: int
    next: str | None
    previous: str | None
    results: list[T]


def listed(request: Request, found: Page[Any], paging: Paging) -> dict[str, Any]:
    """A page of the store as a page of the interface."""
    following, before = page_links(request, found.count, paging.limit, paging.offset)
    return {"count": found.count, "next": following, "previous": before, "results": list(found.rows)}


def partial(model: type[In]) -> type[In]:
    """The model with every field optional, for PATCH: what was not sent is not changed."""
    fields: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        field = info._copy()
        field.default, field.default_factory = None, None
        fields[name] = (info.annotation, field)
    return create_model(f"{model.__name__}Changes", __base__=model, **fields)


@dataclass(frozen=True, kw_only=True)
class Resource:
    """What tells one resource from another.

    `create` gets (tx, organization, values); the others are the store's own. `after` is called when a row was
    written, with its organization, in the same request: it releases readings that waited for it.
    """

    path: str
    noun: str
    tag: str
    model: type[In]
    answer: type[Out]
    filters: type[Paging] = Paging
    page: Callable[..., Page[Any]]
    get: Callable[[Tx, Scope, UUID], Any]
    create: Callable[[Tx, UUID, dict[str, Any]], Any]
    change: Callable[..., Any]
    remove: Callable[[Tx, Scope, UUID], bool]
    permission: Permission = Permission.WRITE
    after: Callable[[Services, Access, Any], Awaitable[None]] | None = None
    renamed: Mapping[str, str] | None = None
    plural: str | None = None

    def mount(self, app: FastAPI) -> None:
        """Add the routes."""
        self._mount_list(app)
        self._mount_one(app)

    def _columns(self, values: dict[str, Any]) -> dict[str, Any]:
        renamed = self.renamed or {}
        return {renamed.get(name, name): value for name, value in values.items()}

    async def _written(self, services: Services, access: Access, row: Any) -> Any:
        if self.after is not None:
            await self.after(services, access, row)
        return row

    def _mount_list(self, app: FastAPI) -> None:
        filters, model, answer = self.filters, self.model, self.answer

        @needs(Permission.READ)
        async def list_(
            request: Request,
            services: ServicesOf,
            access: AccessOf,
            query: Annotated[filters, Query()],  # type: ignore[valid-type]
        ) -> Any:
            equal = self._columns(query.model_dump(exclude_none=True))  # type: ignore[attr-defined]
            found = await services.store.read(self.page, access.scope, **equal)
            return listed(request, found, query)

        @needs(self.permission)
        async def create(services: ServicesOf, access: AccessOf, body: model) -> Any:  # type: ignore[valid-type]
            values = self._columns(body.model_dump())  # type: ignore[attr-defined]
            owner = access.owner(values.pop("organization", None))
            row = await services.store.write(self.create, owner, values)
            return await self._written(services, access, row)

        app.add_api_route(
            self.path,
            list_,
            methods=["GET"],
            response_model=Listed[answer],  # type: ignore[valid-type]
            summary=f"List {self.plural or self.noun + 's'}",
            tags=[self.tag],
        )
        app.add_api_route(
            self.path,
            create,
            methods=["POST"],
            status_code=201,
            response_model=answer,
            summary=f"Create a {self.noun}",
            tags=[self.tag],
        )

    def _mount_one(self, app: FastAPI) -> None:
        model, changes, answer = self.model, partial(self.model), self.answer
        path = self.path + "/{id}"

        @needs(Permission.READ)
        async def get(services: ServicesOf, access: AccessOf, id: UUID) -> Any:
            row = await services.store.read(self.get, access.scope, id)
            if row is None:
                raise not_found(self.noun)
            return row

        async def write(services: Services, access: Access, id: UUID, values: dict[str, Any]) -> Any:
            values = self._columns(values)
            # A row never changes hands: readings, keys and audit are its owner's.
            values.pop("organization", None)
            row = await services.store.write(self.change, access.scope, id, **values)
            if row is None:
                raise not_found(self.noun)
            return await self._written(services, access, row)

        @needs(self.permission)
        async def replace(services: ServicesOf, access: AccessOf, id: UUID, body: model) -> Any:  # type: ignore[valid-type]
            return await write(services, access, id, body.model_dump())  # type: ignore[attr-defined]

        @needs(self.permission)
        async def change(services: ServicesOf, access: AccessOf, id: UUID, body: changes) -> Any:  # type: ignore[valid-type]
            return await write(services, access, id, body.model_dump(exclude_unset=True))  # type: ignore[attr-defined]

        @needs(self.permission)
        async def delete(services: ServicesOf, access: AccessOf, id: UUID) -> Response:
            if not await services.store.write(self.remove, access.scope, id):
                raise not_found(self.noun)
            return Response(status_code=204)

        for method, function, verb in (
            ("GET", get, "Get"),
            ("PUT", replace, "Replace"),
            ("PATCH", change, "Change"),
        ):
            app.add_api_route(
                path,
                function,
                methods=[method],
                response_model=answer,
                summary=f"{verb} a {self.noun}",
                tags=[self.tag],
            )
        app.add_api_route(
            path,
            delete,
            methods=["DELETE"],
            status_code=204,
            summary=f"Delete a {self.noun}",
            tags=[self.tag],
        )
