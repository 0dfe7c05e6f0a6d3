"""`/v1/metering/network-interfaces`: where a meter, or several behind one gateway, are reached."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Any
from uuid import UUID

from fastapi import FastAPI
from pydantic import AfterValidator, Field, StringConstraints

from polymeter.api.resource import Clean, In, Out, Resource
from polymeter.store import Tx, meters

__all__ = ["mount"]


def _address(text: str) -> str:
    try:
        return str(IPv4Address(text))
    except ValueError:
        try:
            return str(IPv6Address(text))
        except ValueError as error:
            raise ValueError("is no IP address") from error


class NetworkInterfaceIn(In):
    """A network interface."""

    organization: UUID | None = None
    name: Annotated[str, StringConstraints(max_length=50), Clean] = ""
    static_ip_address: Annotated[str, StringConstraints(max_length=50), AfterValidator(_address)] | None = (
        Field(default=None, examples=["10.20.0.5"])
    )
    fqdn: Annotated[str, StringConstraints(max_length=200), Clean] | None = None
    port: int | None = Field(default=None, ge=0, le=65535, examples=[4059])
    can_block: bool = Field(default=False, description="it takes one connection at a time")


class NetworkInterfaceOut(Out):
    """A network interface; the name goes before the address."""

    id: UUID
    organization: UUID
    name: str
    static_ip_address: str | None
    fqdn: str | None
    port: int | None
    can_block: bool
    host: str | None


def _create(tx: Tx, organization: UUID, values: dict[str, Any]) -> Any:
    return meters.create_interface(tx, organization, **values)


def mount(app: FastAPI) -> None:
    """Add the routes."""
    Resource(
        path="/v1/metering/network-interfaces",
        noun="network interface",
        tag="meters",
        model=NetworkInterfaceIn,
        answer=NetworkInterfaceOut,
        page=meters.interface_page,
        get=meters.get_interface,
        create=_create,
        change=meters.change_interface,
        remove=meters.remove_interface,
    ).mount(app)
