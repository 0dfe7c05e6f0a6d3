"""`/v1/metering/amr-tasks`: which call, on which meters, when; their runs; and a call now."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import structlog
from fastapi import FastAPI, Path, Query
from pydantic import AfterValidator, BaseModel, Field, StringConstraints
from starlette.requests import Request

from polymeter.api.resource import Clean, In, Listed, Out, Resource, listed
from polymeter.api.routing import AccessOf, Paging, ServicesOf, needs
from polymeter.bus import BusUnavailable
from polymeter.messages import AmrTask, encode, routing_key
from polymeter.services import Permission
from polymeter.services.http import body_problem
from polymeter.services.problems import not_found
from polymeter.store import Conflict, Page, RunStatus, Scope, Tx, audit, meters, task_runs, tasks

__all__ = ["mount"]

PATH: Final = "/v1/metering/amr-tasks"
RUNS: Final = "/v1/metering/amr-task-runs"
_OFFSETS: Final = {"quarterly": 900, "hourly": 3600, "daily": 86_400, "weekly": 7 * 86_400}
_log = structlog.get_logger(__name__)

Word = Annotated[str, StringConstraints(min_length=1, max_length=50), Clean]
RunId = Annotated[int, Path(ge=1, lt=2**63)]


def _bounded(value: dict[str, Any]) -> dict[str, Any]:
    # PostgreSQL's JSON knows no NUL and no NaN, and a task is no place for a document.
    text = json.dumps(value)
    if len(text) > 10_000 or "\\u0000" in text or "NaN" in text or "Infinity" in text or "\\ud" in text:
        raise ValueError("is longer than 10000 characters, or holds what JSON text cannot")
    return value


Kwargs = Annotated[dict[str, Any], AfterValidator(_bounded)]


class AmrTaskIn(In):
    """A task. Give `schedule`, or `interval_seconds`."""

    organization: UUID | None = None
    name: Annotated[str, StringConstraints(min_length=1, max_length=150), Clean] = Field(
        examples=["hourly index"]
    )
    description: Annotated[str, StringConstraints(max_length=500), Clean] = ""
    is_active: bool = True
    schedule: Literal["quarterly", "hourly", "daily", "weekly", "monthly", "yearly"] | None = None
    interval_seconds: int | None = Field(default=None, ge=1, le=366 * 86_400)
    run_offset_seconds: int = Field(default=0, ge=0, le=366 * 86_400)
    meter_execution_type: Word = Field(examples=["generic_iec6205621"])
    task_call: Word = Field(examples=["read"])
    task_kwargs: Kwargs = Field(default_factory=dict)
    meters: list[UUID] | None = Field(default=None, max_length=10_000)


class AmrTaskOut(Out):
    """A task."""

    id: UUID
    organization: UUID
    name: str
    description: str
    is_active: bool
    schedule: str | None
    interval_seconds: int | None = Field(validation_alias="interval_s")
    run_offset_seconds: int = Field(validation_alias="run_offset_s")
    meter_execution_type: str
    task_call: str
    task_kwargs: dict[str, Any]


class InvokeIn(In):
    """A call on one meter, now."""

    meter_device: UUID
    task_call: Word = Field(examples=["read"])
    task_kwargs: Kwargs | None = None
    run_offset_seconds: int = Field(default=0, ge=0, le=86_400)
    meter_execution_type: Word | None = None


class RunOut(BaseModel, from_attributes=True):
    """One run of a task, and how it ended."""

    id: int
    organization: UUID
    task: UUID | None
    meter_device: UUID = Field(validation_alias="meter")
    task_call: str = Field(validation_alias="call")
    due: datetime
    status: RunStatus
    attempt: int
    started: datetime | None
    finished: datetime | None
    reason: str | None
    result: Any


class RunFilters(Paging):
    """Filters."""

    meter_device: UUID | None = None
    task: UUID | None = None
    status: RunStatus | None = None


def _create(tx: Tx, organization: UUID, values: dict[str, Any]) -> Any:
    assigned = values.pop("meters", None)
    _offset_fits(values)
    row = tasks.create(
        tx,
        organization,
        values.pop("name"),
        values.pop("meter_execution_type"),
        values.pop("task_call"),
        **values,
    )
    if assigned is not None:
        tasks.assign(tx, organization, row.id, assigned)
    return row


def _change(tx: Tx, scope: Scope, id: UUID, **values: Any) -> Any:
    before = tasks.get(tx, scope, id)
    if before is None:
        return None
    assigned = values.pop("meters", None)
    _offset_fits({"schedule": before.schedule, "run_offset_s": before.run_offset_s} | values)
    row = tasks.change(tx, scope, id, **values)
    if assigned is not None:
        tasks.assign(tx, before.organization, id, assigned)
    return row


def _offset_fits(values: dict[str, Any]) -> None:
    limit = _OFFSETS.get(values.get("schedule") or "", 366 * 86_400)
    if values.get("run_offset_s", 0) > limit:
        raise Conflict(f"run_offset_seconds is beyond the next run, {limit} s later")


def _invoke(tx: Tx, scope: Scope, actor: str, body: InvokeIn) -> tuple[Any, str] | None:
    meter = meters.get(tx, scope, body.meter_device)
    if meter is None:
        return None
    due = tx.now + timedelta(seconds=body.run_offset_seconds)
    run = task_runs.create(tx, meter.organization, meter.id, due, body.task_call, body.task_kwargs)
    audit.append(tx, meter.organization, actor, "invoke", f"meter {meter.id}", {"call": body.task_call})
    return run, meter.name


def mount(app: FastAPI) -> None:
    """Add the routes; `invoke` first, because its path would read as an id."""

    @app.post(
        PATH + "/invoke", response_model=RunOut, status_code=201, summary="Call a meter now", tags=["tasks"]
    )
    @needs(Permission.CONTROL)
    async def invoke(services: ServicesOf, access: AccessOf, body: InvokeIn) -> Any:
        """The run is a row when this returns; follow it under amr-task-runs."""
        done = await services.store.write(_invoke, access.scope, access.actor, body)
        if done is None:
            raise body_problem("meter_device", "there is no such meter")
        run, name = done
        wake = AmrTask(
            run=run.id,
            organization=run.organization,
            meter=name,
            call=run.call,
            due=run.due,
            kwargs=run.kwargs,
        )
        try:
            await services.bus.publish(
                routing_key("amr_task", "on_demand"),
                encode(wake),
                exchange=services.settings.amqp_exchange,
                required=False,
            )
        except BusUnavailable as error:
            # Only a wake-up: workers look at the rows by themselves too.
            _log.warning("a run waits for its worker's next look", run=run.id, reason=str(error))
        return run

    Resource(
        path=PATH,
        noun="task",
        tag="tasks",
        model=AmrTaskIn,
        answer=AmrTaskOut,
        page=tasks.page,
        get=tasks.get,
        create=_create,
        change=_change,
        remove=tasks.remove,
        permission=Permission.CONTROL,
        renamed={"interval_seconds": "interval_s", "run_offset_seconds": "run_offset_s"},
    ).mount(app)
    _mount_runs(app)


def _mount_runs(app: FastAPI) -> None:
    @app.get(RUNS, response_model=Listed[RunOut], summary="List runs, newest first", tags=["tasks"])
    @needs(Permission.READ)
    async def runs(
        request: Request, services: ServicesOf, access: AccessOf, query: Annotated[RunFilters, Query()]
    ) -> Any:
        found: Page[Any] = await services.store.read(
            task_runs.page,
            access.scope,
            meter=query.meter_device,
            task=query.task,
            status=query.status,
            limit=query.limit,
            offset=query.offset,
        )
        return listed(request, found, query)

    @app.get(RUNS + "/{id}", response_model=RunOut, summary="Get a run", tags=["tasks"])
    @needs(Permission.READ)
    async def run(services: ServicesOf, access: AccessOf, id: RunId) -> Any:
        found = await services.store.read(task_runs.get, access.scope, id)
        if found is None:
            raise not_found("run")
        return found
