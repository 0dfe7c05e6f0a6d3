"""`/v1/metering/meter-readings`: what is stored, one row per meter, series and instant.

The id is computed, channel << 32 | second, and is the key of the row. The list is answered as msgspec bytes.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
from fastapi import FastAPI, Path, Query
from pydantic import AwareDatetime, Field, StringConstraints
from starlette.requests import Request
from starlette.responses import Response

from polymeter.api.resource import In
from polymeter.api.routing import AccessOf, Paging, ServicesOf, needs
from polymeter.domain import Channel, Reading, Source, plain, to_second
from polymeter.ingest import Entrance, Outcome, Status
from polymeter.ingest.items import check
from polymeter.messages import InvalidMessage, NewMeterReading
from polymeter.services import Permission, Problem
from polymeter.services.http import body_problem, page_links
from polymeter.services.problems import not_found
from polymeter.services.queries import clipped, delete_reading, readings_page, with_names
from polymeter.store import Scope, Tx, channels, readings

__all__ = ["mount"]

PATH: Final = "/v1/metering/meter-readings"
ReadingId = Annotated[int, Path(ge=0, lt=2**63, description="channel << 32 | second")]


class ReadingOut(msgspec.Struct):
    """One stored reading. `text` stands instead of `value` for what is no number."""

    id: int
    organization: UUID
    meter_device: UUID
    series: UUID
    timestamp: datetime
    value: str | None
    created_at: datetime | None
    text: str | None = None
    quality: tuple[str, ...] = ()
    source: str = ""


class ReadingsOut(msgspec.Struct):
    """One page of readings."""

    count: int
    next: str | None
    previous: str | None
    results: list[ReadingOut]


class MeterReadingIn(In):
    """One reading, by the ids of its meter and series."""

    organization: UUID | None = None
    meter_device: UUID
    series: UUID
    timestamp: AwareDatetime = Field(examples=["2019-02-24T06:00:00+01:00"])
    value: Annotated[str, StringConstraints(min_length=1, max_length=220)] = Field(examples=["14567.000"])


class MeterReadingFilters(Paging):
    """Filters: start_time <= timestamp < end_time."""

    meter_device: UUID | None = None
    series: UUID | None = None
    start_time: AwareDatetime | None = None
    end_time: AwareDatetime | None = None
    ordering: Literal["timestamp", "-timestamp"] = "timestamp"


class CreateOptions(In):
    """What to do when another value is stored for the instant."""

    on_conflict: Literal["refuse", "revise"] = "refuse"


def _out(reading: Reading, channel: Channel) -> ReadingOut:
    number = isinstance(reading.value, Decimal)
    return ReadingOut(
        reading.id,
        channel.organization,
        channel.meter,
        channel.series,
        reading.instant,
        plain(reading.value) if isinstance(reading.value, Decimal) else None,
        reading.received,
        None if number else str(reading.value),
        reading.quality.names if reading.quality else (),
        reading.source.label,
    )


def _get(tx: Tx, scope: Scope, id: int) -> ReadingOut | None:
    reading = readings.get(tx, scope, id)
    channel = None if reading is None else channels.get(tx, scope, reading.channel)
    return None if reading is None or channel is None else _out(reading, channel)


def _present(tx: Tx, scope: Scope, body: MeterReadingIn) -> ReadingOut | None:
    channel = readings.series_of(tx, scope, body.meter_device, body.series)
    return None if channel is None else _get(tx, scope, channel << 32 | to_second(body.timestamp))


def _json(status: int, content: Any) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")


def _answers(schema: str, status: str = "200") -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"responses": {status: {"description": "stored readings", "content": content}}}


def mount(app: FastAPI) -> None:
    """Add the routes."""
    _mount_list(app)

    @app.get(PATH + "/{id}", summary="Get a reading", tags=["readings"], openapi_extra=_answers("ReadingOut"))
    @needs(Permission.READ)
    async def get(services: ServicesOf, access: AccessOf, id: ReadingId) -> Response:
        found = await services.store.read(_get, access.scope, id)
        if found is None:
            raise not_found("reading")
        return _json(200, found)

    @app.delete(PATH + "/{id}", status_code=204, summary="Delete a reading", tags=["readings"])
    @needs(Permission.WRITE)
    async def delete(services: ServicesOf, access: AccessOf, id: ReadingId) -> Response:
        """The instant is marked: no later delivery brings the reading back."""
        reason = f"deleted over HTTP by {access.actor}"
        if not await services.store.write(delete_reading, access.scope, id, access.user, reason):
            raise not_found("reading")
        return Response(status_code=204)

    @app.post(
        PATH,
        status_code=201,
        summary="Store a reading by ids",
        tags=["readings"],
        openapi_extra=_answers("ReadingOut", "201"),
    )
    @needs(Permission.INGEST)
    async def create(
        services: ServicesOf,
        access: AccessOf,
        body: MeterReadingIn,
        options: Annotated[CreateOptions, Query()],
    ) -> Response:
        """201 stored, 200 was there with the same value, 409 another value is there or the range is deleted,
        202 kept aside because the meter's configuration does not allow the series."""
        named = await services.store.read(with_names, access.scope, body.meter_device, body.series)
        if named is None:
            raise body_problem("meter_device", "there is no such meter with such a series")
        owner, meter, series = named
        try:
            message = NewMeterReading(
                meter=meter, series=series, timestamp=body.timestamp, value=body.value, organization=owner
            )
        except (InvalidMessage, ValueError) as error:
            raise body_problem("value", str(error)) from error
        entrance = Entrance("http", owner, Source.MANUAL)
        checked = check(message, entrance, services.clock.now(), services.settings.clock_tolerance_s)
        if isinstance(checked, Outcome):
            field, _, text = checked.reason.partition(": ")
            raise body_problem(field, text)
        if options.on_conflict == "refuse":
            before = await services.store.read(_present, access.scope, body)
            if before is not None and (before.value is None or Decimal(before.value) != Decimal(body.value)):
                raise Problem(
                    409,
                    "another value is stored for this instant; ?on_conflict=revise keeps both",
                    more={"id": before.id, "value": before.value},
                )
        (outcome,) = await services.ingest.commit([message], entrance)
        match outcome.status:
            case Status.REFUSED:
                raise Problem(409, outcome.reason)
            case Status.STAGED:
                return _json(202, {"status": "staged", "reason": outcome.reason})
        found = await services.store.read(_get, access.scope, outcome.id or 0)
        return _json(200 if outcome.status is Status.UNCHANGED else 201, found)


def _mount_list(app: FastAPI) -> None:
    @app.get(PATH, summary="List readings", tags=["readings"], openapi_extra=_answers("ReadingsOut"))
    @needs(Permission.READ)
    async def list_(
        request: Request,
        services: ServicesOf,
        access: AccessOf,
        query: Annotated[MeterReadingFilters, Query()],
    ) -> Response:
        """By series within a meter, by time within a series. Give both ids for one proper series."""
        found = await services.store.read(
            readings_page,
            access.scope,
            meter=query.meter_device,
            series=query.series,
            start=clipped(query.start_time),
            stop=clipped(query.end_time),
            limit=query.limit,
            offset=query.offset,
            newest_first=query.ordering == "-timestamp",
        )
        following, before = page_links(request, found.count, query.limit, query.offset)
        results = [_out(row, found.channels[row.channel]) for row in found.rows]
        return _json(200, ReadingsOut(found.count, following, before, results))
