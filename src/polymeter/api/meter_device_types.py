"""`/v1/metering/meter-device-types`: makes and models, each with the configuration its meters follow."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import FastAPI
from pydantic import Field, StringConstraints

from polymeter.api.resource import Clean, In, Out, Resource
from polymeter.services import Access, Services
from polymeter.store import Conflict, Scope, Tx, meter_types

__all__ = ["mount"]


class MeterDeviceTypeIn(In):
    """A meter type."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=50), Clean] = Field(
        examples=["MT174, T1+T2"]
    )
    manufacturer: Annotated[str, StringConstraints(min_length=1, max_length=100), Clean]
    manufacturer_model: Annotated[str, StringConstraints(min_length=1, max_length=50), Clean]
    organization: UUID | None = None
    description: Annotated[str, StringConstraints(max_length=500), Clean] = ""
    config: UUID | None = Field(default=None, description="which series its meters may deliver")
    catalogue: Annotated[str, StringConstraints(max_length=100), Clean] | None = Field(
        default=None, description="the built-in type whose decoding rules apply"
    )


class MeterDeviceTypeOut(Out):
    """A meter type."""

    id: UUID
    organization: UUID
    name: str
    manufacturer: str
    manufacturer_model: str
    description: str
    config: UUID | None
    catalogue: str | None


def _own_config(tx: Tx, organization: Scope, config: UUID | None) -> None:
    # The foreign key would be content with another tenant's row.
    if config is not None and meter_types.get_config(tx, organization, config) is None:
        raise Conflict(f"the organization has no configuration {config}")


def _create(tx: Tx, organization: UUID, values: dict[str, Any]) -> Any:
    _own_config(tx, organization, values["config"])
    return meter_types.create(tx, organization, values.pop("name"), **values)


def _change(tx: Tx, scope: Scope, id: UUID, **values: Any) -> Any:
    before = meter_types.get(tx, scope, id)
    if before is None:
        return None
    _own_config(tx, before.organization, values.get("config"))
    return meter_types.change(tx, scope, id, **values)


async def _release(services: Services, _access: Access, row: Any) -> None:
    await services.ingest.release_staged(row.organization)


def mount(app: FastAPI) -> None:
    """Add the routes."""
    Resource(
        path="/v1/metering/meter-device-types",
        noun="meter device type",
        tag="meters",
        model=MeterDeviceTypeIn,
        answer=MeterDeviceTypeOut,
        page=meter_types.page,
        get=meter_types.get,
        create=_create,
        change=_change,
        remove=meter_types.remove,
        after=_release,
    ).mount(app)
