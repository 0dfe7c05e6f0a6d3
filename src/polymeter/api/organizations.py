"""`/v1/organizations`: tenants, and who is a member of which."""
# No postponed annotations: models made at run time are among them.

from typing import Annotated, Any
from uuid import UUID

from fastapi import FastAPI, Path, Query
from pydantic import BaseModel, Field, StringConstraints
from starlette.requests import Request
from starlette.responses import Response

from polymeter.api.resource import Clean, In, Listed, Out, listed, partial
from polymeter.api.routing import AccessOf, Paging, PagingOf, ServicesOf, needs, platform_only
from polymeter.domain import Role
from polymeter.services import Permission
from polymeter.services.problems import not_found
from polymeter.store import Conflict, Page, Scope, Tx, audit, organizations, users

__all__ = ["mount"]

PATH = "/v1/organizations"
MEMBERS = PATH + "/memberships"


class OrganizationIn(In):
    """An organization."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=64), Clean] = Field(
        examples=["Stadtwerke"]
    )
    is_active: bool = True


OrganizationChanges = partial(OrganizationIn)


class OrganizationOut(Out):
    """An organization with its members."""

    id: UUID
    name: str
    is_active: bool
    members: list[UUID]


class MembershipIn(In):
    """A user's role in an organization."""

    organization: UUID | None = None
    user: UUID
    role: Role = Role.READER


class MembershipChanges(In):
    """Another role."""

    role: Role


class MembershipOut(BaseModel, from_attributes=True):
    """A user's role in an organization."""

    id: int
    organization: UUID
    user: UUID
    role: Role


class MembershipFilters(Paging):
    """Filters."""

    user: UUID | None = None


MembershipId = Annotated[int, Path(ge=1, lt=2**63)]


def _with_members(tx: Tx, row: Any) -> OrganizationOut:
    members = users.memberships(tx, row.id, limit=10_000).rows
    return OrganizationOut(
        id=row.id,
        name=row.name,
        is_active=row.is_active,
        created_at=row.created_at,
        updated_at=row.updated_at,
        members=[member.user for member in members],
    )


def _page(tx: Tx, scope: Scope, limit: int, offset: int) -> Page[Any]:
    found = organizations.page(tx, scope, limit=limit, offset=offset)
    return Page(tuple(_with_members(tx, row) for row in found.rows), found.count)


def _get(tx: Tx, scope: Scope, id: UUID) -> OrganizationOut | None:
    row = organizations.get(tx, scope, id)
    return None if row is None else _with_members(tx, row)


def _create(tx: Tx, actor: str, name: str, is_active: bool) -> OrganizationOut:
    row = organizations.create(tx, name)
    if not is_active:
        row = organizations.change(tx, row.id, row.id, is_active=False) or row
    audit.append(tx, row.id, actor, "create", f"organization {row.id}", {"name": name})
    return _with_members(tx, row)


def _change(tx: Tx, scope: Scope, actor: str, id: UUID, values: dict[str, Any]) -> OrganizationOut | None:
    row = organizations.change(tx, scope, id, **values)
    if row is None:
        return None
    audit.append(tx, id, actor, "change", f"organization {id}", values)
    return _with_members(tx, row)


def _remove(tx: Tx, scope: Scope, actor: str, id: UUID) -> bool:
    done = organizations.remove(tx, scope, id)
    if done:
        audit.append(tx, None, actor, "delete", f"organization {id}")
    return done


def _join(tx: Tx, scope: Scope, actor: str, organization: UUID, user: UUID, role: Role) -> Any:
    # An organization's admin reaches only who is a member already: other users are none of his.
    if users.get(tx, scope, user) is None:
        raise Conflict(f"the organization has no user {user}")
    row = users.join(tx, organization, user, role)
    audit.append(tx, organization, actor, "role", f"user {user}", {"role": str(role)})
    return row


def _members(tx: Tx, scope: Scope, values: dict[str, Any]) -> Page[Any]:
    return users.memberships(tx, scope, **values)


def _member(tx: Tx, scope: Scope, id: int) -> Any:
    found = users.memberships(tx, scope, id=id).rows
    return found[0] if found else None


def _change_role(tx: Tx, scope: Scope, actor: str, id: int, role: Role) -> Any:
    row = _member(tx, scope, id)
    return None if row is None else _join(tx, scope, actor, row.organization, row.user, role)


def _leave(tx: Tx, scope: Scope, actor: str, id: int) -> bool:
    row = _member(tx, scope, id)
    if row is None:
        return False
    audit.append(tx, row.organization, actor, "leave", f"user {row.user}", {"role": str(row.role)})
    return users.leave(tx, scope, id)


def mount(app: FastAPI) -> None:
    """Add the routes; memberships first, because their path would read as an id."""
    _mount_memberships(app)

    @app.get(
        PATH, response_model=Listed[OrganizationOut], summary="List organizations", tags=["organizations"]
    )
    @needs(Permission.READ)
    async def list_(request: Request, services: ServicesOf, access: AccessOf, query: PagingOf) -> Any:
        found = await services.store.read(_page, access.scope, query.limit, query.offset)
        return listed(request, found, query)

    @app.post(
        PATH,
        response_model=OrganizationOut,
        status_code=201,
        summary="Create an organization (platform only)",
        tags=["organizations"],
    )
    @needs(Permission.ADMIN)
    async def create(services: ServicesOf, access: AccessOf, body: OrganizationIn) -> Any:
        platform_only(access)
        return await services.store.write(_create, access.actor, body.name, body.is_active)

    @app.get(
        PATH + "/{id}", response_model=OrganizationOut, summary="Get an organization", tags=["organizations"]
    )
    @needs(Permission.READ)
    async def get(services: ServicesOf, access: AccessOf, id: UUID) -> Any:
        found = await services.store.read(_get, access.scope, id)
        if found is None:
            raise not_found("organization")
        return found

    async def write(services: ServicesOf, access: AccessOf, id: UUID, values: dict[str, Any]) -> Any:
        if "is_active" in values and not access.everywhere:
            # An admin who switched the organization off could not switch it on again.
            before = await services.store.read(organizations.get, access.scope, id)
            if before is not None and before.is_active != values["is_active"]:
                platform_only(access)
        row = await services.store.write(_change, access.scope, access.actor, id, values)
        if row is None:
            raise not_found("organization")
        return row

    @app.put(
        PATH + "/{id}",
        response_model=OrganizationOut,
        summary="Replace an organization",
        tags=["organizations"],
    )
    @needs(Permission.ADMIN)
    async def replace(services: ServicesOf, access: AccessOf, id: UUID, body: OrganizationIn) -> Any:
        return await write(services, access, id, body.model_dump())

    @app.patch(
        PATH + "/{id}",
        response_model=OrganizationOut,
        summary="Change an organization",
        tags=["organizations"],
    )
    @needs(Permission.ADMIN)
    async def change(services: ServicesOf, access: AccessOf, id: UUID, body: OrganizationChanges) -> Any:  # type: ignore[valid-type]
        return await write(services, access, id, body.model_dump(exclude_unset=True))  # type: ignore[attr-defined]

    @app.delete(
        PATH + "/{id}",
        status_code=204,
        summary="Delete an organization that has nothing (platform only)",
        tags=["organizations"],
    )
    @needs(Permission.ADMIN)
    async def delete(services: ServicesOf, access: AccessOf, id: UUID) -> Response:
        if await services.store.read(organizations.get, access.scope, id) is None:
            raise not_found("organization")
        platform_only(access)
        await services.store.write(_remove, access.scope, access.actor, id)
        return Response(status_code=204)


def _mount_memberships(app: FastAPI) -> None:
    @app.get(
        MEMBERS, response_model=Listed[MembershipOut], summary="List memberships", tags=["organizations"]
    )
    @needs(Permission.READ)
    async def members(
        request: Request, services: ServicesOf, access: AccessOf, query: Annotated[MembershipFilters, Query()]
    ) -> Any:
        values = query.model_dump(exclude_none=True)
        return listed(request, await services.store.read(_members, access.scope, values), query)

    @app.post(
        MEMBERS,
        response_model=MembershipOut,
        status_code=201,
        summary="Give a user a role",
        tags=["organizations"],
    )
    @needs(Permission.ADMIN)
    async def join(services: ServicesOf, access: AccessOf, body: MembershipIn) -> Any:
        owner = access.owner(body.organization)
        return await services.store.write(_join, access.scope, access.actor, owner, body.user, body.role)

    @app.get(
        MEMBERS + "/{id}", response_model=MembershipOut, summary="Get a membership", tags=["organizations"]
    )
    @needs(Permission.READ)
    async def member(services: ServicesOf, access: AccessOf, id: MembershipId) -> Any:
        found = await services.store.read(_member, access.scope, id)
        if found is None:
            raise not_found("membership")
        return found

    @app.patch(
        MEMBERS + "/{id}", response_model=MembershipOut, summary="Change a role", tags=["organizations"]
    )
    @needs(Permission.ADMIN)
    async def change(
        services: ServicesOf, access: AccessOf, id: MembershipId, body: MembershipChanges
    ) -> Any:
        found = await services.store.write(_change_role, access.scope, access.actor, id, body.role)
        if found is None:
            raise not_found("membership")
        return found

    @app.delete(MEMBERS + "/{id}", status_code=204, summary="End a membership", tags=["organizations"])
    @needs(Permission.ADMIN)
    async def leave(services: ServicesOf, access: AccessOf, id: MembershipId) -> Response:
        if not await services.store.write(_leave, access.scope, access.actor, id):
            raise not_found("membership")
        return Response(status_code=204)
