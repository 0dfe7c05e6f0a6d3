"""`/v1/metering/meter-device-configs`: the series that meters of a type may deliver, and their zone."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID
from zoneinfo import available_timezones

from fastapi import FastAPI
from pydantic import AfterValidator, Field, StringConstraints

from polymeter.api.resource import Clean, In, Out, Resource
from polymeter.services import Access, Services
from polymeter.store import Tx, meter_types

__all__ = ["mount"]


def _zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("is no name of the time zone database, such as Europe/Stockholm")
    return name


class MeterDeviceConfigIn(In):
    """A configuration."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=50), Clean] = Field(
        examples=["Two tariffs"]
    )
    series: list[UUID] = Field(max_length=1000, description="only these are stored; others wait as staged")
    organization: UUID | None = None
    timezone: Annotated[str, AfterValidator(_zone)] = Field("UTC", examples=["Europe/Stockholm"])


class MeterDeviceConfigOut(Out):
    """A configuration."""

    id: UUID
    organization: UUID
    name: str
    series: list[UUID]
    timezone: str


def _create(tx: Tx, organization: UUID, values: dict[str, Any]) -> Any:
    return meter_types.create_config(
        tx, organization, values["name"], values["series"], timezone=values["timezone"]
    )


async def _release(services: Services, _access: Access, row: Any) -> None:
    await services.ingest.release_staged(row.organization)


def mount(app: FastAPI) -> None:
    """Add the routes."""
    Resource(
        path="/v1/metering/meter-device-configs",
        noun="meter device config",
        tag="meters",
        model=MeterDeviceConfigIn,
        answer=MeterDeviceConfigOut,
        page=meter_types.config_page,
        get=meter_types.get_config,
        create=_create,
        change=meter_types.change_config,
        remove=meter_types.remove_config,
        after=_release,
    ).mount(app)
