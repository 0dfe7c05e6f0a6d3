"""`/v1/metering/staged-meter-readings`: well-formed values that wait for their meter or series."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import FastAPI, Path, Query
from pydantic import AwareDatetime, BaseModel, StringConstraints
from starlette.requests import Request
from starlette.responses import Response

from polymeter.api.resource import Clean, Listed
from polymeter.api.routing import AccessOf, Paging, ServicesOf, needs
from polymeter.messages import NewMeterReading, decode
from polymeter.services import Permission
from polymeter.services.http import page_links
from polymeter.services.problems import not_found
from polymeter.services.queries import clipped
from polymeter.store import staged

__all__ = ["mount"]

PATH = "/v1/metering/staged-meter-readings"
StagedId = Annotated[int, Path(ge=1, lt=2**63)]


class StagedOut(BaseModel):
    """A value that waits, and for what."""

    id: int
    meter_device_name: str
    series_name: str
    timestamp: datetime
    value: str | None
    text: str | None
    unit: str | None
    reason: str
    created_at: datetime


class StagedFilters(Paging):
    """Filters: start_time <= timestamp < end_time."""

    meter_device_name: Annotated[str, StringConstraints(max_length=200), Clean] | None = None
    start_time: AwareDatetime | None = None
    end_time: AwareDatetime | None = None


def _out(row: staged.Staged) -> StagedOut:
    message = decode(row.payload, NewMeterReading)
    return StagedOut(
        id=row.id,
        meter_device_name=row.meter,
        series_name=row.series,
        timestamp=row.instant,
        value=message.value,
        text=message.text,
        unit=message.unit,
        reason=row.reason,
        created_at=row.received,
    )


def mount(app: FastAPI) -> None:
    """Add the routes. A value is staged by delivering it, therefore there is no POST."""

    @app.get(PATH, response_model=Listed[StagedOut], summary="List staged readings", tags=["readings"])
    @needs(Permission.READ)
    async def list_(
        request: Request, services: ServicesOf, access: AccessOf, query: Annotated[StagedFilters, Query()]
    ) -> Any:
        found = await services.store.read(
            staged.page,
            access.scope,
            meter=query.meter_device_name,
            start=clipped(query.start_time),
            stop=clipped(query.end_time),
            limit=query.limit,
            offset=query.offset,
        )
        following, before = page_links(request, found.count, query.limit, query.offset)
        rows = [_out(row) for row in found.rows]
        return {"count": found.count, "next": following, "previous": before, "results": rows}

    @app.get(PATH + "/{id}", response_model=StagedOut, summary="Get a staged reading", tags=["readings"])
    @needs(Permission.READ)
    async def get(services: ServicesOf, access: AccessOf, id: StagedId) -> Any:
        found = await services.store.read(staged.get, access.scope, id)
        if found is None:
            raise not_found("staged reading")
        return _out(found)

    @app.delete(PATH + "/{id}", status_code=204, summary="Discard a staged reading", tags=["readings"])
    @needs(Permission.WRITE)
    async def delete(services: ServicesOf, access: AccessOf, id: StagedId) -> Response:
        if not await services.store.write(staged.remove, access.scope, [id]):
            raise not_found("staged reading")
        return Response(status_code=204)
