"""`/v1/metering/meter-reading-series`: what is measured, and in which unit."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from fastapi import FastAPI
from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from polymeter.api.resource import Clean, In, Out, Resource
from polymeter.api.routing import Paging
from polymeter.domain import InvalidValue, Period, SeriesKind, parse_value, plain
from polymeter.services import Access, Services
from polymeter.store import Tx, series

__all__ = ["mount"]


def _number(text: str) -> str:
    try:
        return plain(parse_value(text))
    except InvalidValue as error:
        raise ValueError(str(error)) from error


def _digits(value: Any) -> Any:
    # A whole JSON number is exact; any other has been through a float.
    if isinstance(value, int) and not isinstance(value, bool):
        return str(Decimal(value)) if abs(value) < 10**60 else value
    return value


def _period(text: str) -> str:
    Period.parse(text)
    return text


class MeterReadingSeriesIn(In):
    """A series."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=50), Clean] = Field(
        examples=["1-0:1.8.0*255"], description="an OBIS code in any spelling, or any other name"
    )
    unit: Annotated[str, StringConstraints(min_length=1, max_length=10), Clean] = Field(examples=["kWh"])
    organization: UUID | None = None
    description: Annotated[str, StringConstraints(max_length=250), Clean] = ""
    unit_description: Annotated[str, StringConstraints(min_length=1, max_length=250), Clean] | None = None
    si_multiplier: Annotated[
        str, BeforeValidator(_digits), StringConstraints(max_length=60), AfterValidator(_number)
    ] = Field("1", examples=["1000"])
    affected_by_ct_ratio: bool = False
    affected_by_vt_ratio: bool = False
    kind: SeriesKind = SeriesKind.REGISTER
    period: Annotated[str, StringConstraints(max_length=20), AfterValidator(_period)] | None = Field(
        default=None, examples=["PT15M"], description="how often it has a value"
    )


class MeterReadingSeriesOut(Out):
    """A series."""

    id: UUID
    organization: UUID
    name: str
    unit: str
    description: str
    unit_description: str | None
    si_multiplier: str
    affected_by_ct_ratio: bool
    affected_by_vt_ratio: bool
    kind: SeriesKind
    period: str | None


class MeterReadingSeriesFilters(Paging):
    """Filters."""

    name: Annotated[str, StringConstraints(max_length=50), Clean] | None = None
    unit: Annotated[str, StringConstraints(max_length=10), Clean] | None = None


def _create(tx: Tx, organization: UUID, values: dict[str, Any]) -> Any:
    return series.create(tx, organization, values.pop("name"), values.pop("unit"), **values)


async def _release(services: Services, _access: Access, row: Any) -> None:
    await services.ingest.release_staged(row.organization)


def mount(app: FastAPI) -> None:
    """Add the routes."""
    Resource(
        path="/v1/metering/meter-reading-series",
        noun="meter reading series",
        plural="meter reading series",
        tag="meters",
        model=MeterReadingSeriesIn,
        answer=MeterReadingSeriesOut,
        filters=MeterReadingSeriesFilters,
        page=series.page,
        get=series.get,
        create=_create,
        change=series.change,
        remove=series.remove,
        after=_release,
    ).mount(app)
