"""`/v1/auth/jwt`: login tokens for people; services have tokens of their own."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import FastAPI
from pydantic import BaseModel, Field, SecretStr, StringConstraints
from starlette.requests import Request

from polymeter.api.resource import Clean, In
from polymeter.api.routing import PUBLIC, AccessOf, ServicesOf, needs
from polymeter.services import Access, Permission, Problem, Services
from polymeter.services.access import session_access
from polymeter.services.problems import not_found
from polymeter.services.sessions import Session
from polymeter.store import ANY, users

__all__ = ["mount"]

PATH = "/v1/auth/jwt"


class Credentials(In):
    """Who logs in, and where: without an organization, the first one the user is a member of."""

    username: Annotated[str, StringConstraints(min_length=1, max_length=150), Clean] = Field(
        examples=["anna"]
    )
    password: Annotated[SecretStr, Field(max_length=1024)] = Field(examples=["correct horse battery"])
    organization: UUID | None = None


class Other(In):
    """Another organization of the same user."""

    organization: UUID


class Issued(BaseModel):
    """A login token: `Authorization: JWT <token>`."""

    token: str
    organization: UUID | None
    expires_in: int


def _issued(services: Services, user: Any, organization: UUID | None) -> Issued:
    token = services.sessions.issue(user, organization, "login")
    return Issued(token=token, organization=organization, expires_in=services.settings.jwt_expiration_s)


async def _user(services: Services, access: Access) -> Any:
    user = None if access.user is None else await services.store.read(users.get, ANY, access.user)
    if user is None or access.actor.startswith("token "):
        raise Problem(403, "only a login can be renewed; a service token needs no renewing")
    return user


def mount(app: FastAPI) -> None:
    """Add the routes."""

    @app.post(PATH + "/token", response_model=Issued, status_code=201, summary="Log in", tags=["auth"])
    @needs(PUBLIC)
    async def login(request: Request, services: ServicesOf, body: Credentials) -> Any:
        address = request.client.host if request.client else ""
        granted = await services.login.grant(
            body.username, body.password.get_secret_value(), organization=body.organization, address=address
        )
        return _issued(services, granted.user, granted.organization)

    @app.get(PATH + "/renew", response_model=Issued, summary="Renew a login", tags=["auth"])
    @needs(Permission.READ)
    async def renew(services: ServicesOf, access: AccessOf) -> Any:
        user = await _user(services, access)
        return _issued(services, user, access.scope if isinstance(access.scope, UUID) else None)

    @app.post(
        PATH + "/change-organization",
        response_model=Issued,
        status_code=201,
        summary="Log in to another organization",
        tags=["auth"],
    )
    @needs(Permission.READ)
    async def change_organization(services: ServicesOf, access: AccessOf, body: Other) -> Any:
        user = await _user(services, access)
        token = services.sessions.read(services.sessions.issue(user, body.organization, "login"), "login")
        assert isinstance(token, Session)
        if await services.store.read(session_access, token) is None:
            raise not_found("organization")
        return _issued(services, user, body.organization)
