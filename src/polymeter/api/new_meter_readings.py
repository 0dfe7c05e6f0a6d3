"""`POST /v1/metering/new-meter-readings`: readings by name, onto the bus; 201 when they are durable.

The body is decoded by msgspec as it came; a list is taken or refused as a whole, and each item that is wrong
is named. What a meter or series is called is looked up behind the bus: an unknown one is staged, not refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

import msgspec
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from polymeter.api.routing import AccessOf, ServicesOf, needs
from polymeter.ingest import Entrance, Outcome
from polymeter.ingest.items import check
from polymeter.messages import (
    InvalidMessage,
    InvalidTopic,
    NewMeterReading,
    NewMeterReadings,
    decode,
    encode,
    routing_key,
)
from polymeter.services import Access, Permission, Problem, Services

__all__ = ["BATCH_MAX", "mount"]

BATCH_MAX: Final = 50_000
_ERRORS_MAX: Final = 100
_MANY: Final = msgspec.json.Decoder(list[NewMeterReading])
_RAW: Final = msgspec.json.Decoder(list[msgspec.Raw])
_EXAMPLE: Final = {
    "meter": "FIOR78464920374",
    "series": "7-0-13-26-0-101",
    "timestamp": "2019-02-24T06:00:00+01:00",
    "value": "14567.000",
}
_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "oneOf": [
                        {"$ref": "#/components/schemas/NewMeterReading"},
                        {"type": "array", "items": {"$ref": "#/components/schemas/NewMeterReading"}},
                    ]
                },
                "examples": {"one": {"value": _EXAMPLE}, "several": {"value": [_EXAMPLE]}},
            }
        },
    },
    "responses": {
        "201": {
            "description": "durable; the body is what was taken",
            "content": {"application/json": {"example": _EXAMPLE}},
        }
    },
}


def mount(app: FastAPI) -> None:
    """Add the route."""

    @app.post(
        "/v1/metering/new-meter-readings",
        status_code=201,
        summary="Deliver readings by name",
        tags=["readings"],
        openapi_extra=_BODY,
    )
    @needs(Permission.INGEST)
    async def deliver(request: Request, services: ServicesOf, access: AccessOf) -> Response:
        """Returns when the readings are on disk, or confirmed by the broker. Sending them again is safe."""
        body = await request.body()
        one = body.lstrip()[:1] != b"["
        taken = [_owned(item, access) for item in _read_one(body) if item] if one else _read_many(body)
        if not one:
            taken = [_owned(item, access) for item in taken]
        _check(taken, services, access, one)
        if taken:
            await services.bus.publish_many(list(_messages(taken)), exchange=services.settings.amqp_exchange)
        answer = encode(taken[0]) if one else msgspec.json.encode(taken)
        return Response(answer, 201, media_type="application/json")


def _read_one(body: bytes) -> list[NewMeterReading]:
    try:
        return [decode(body, NewMeterReading)]
    except InvalidMessage as error:
        raise _refusal([_named("", str(error))]) from error


def _read_many(body: bytes) -> list[NewMeterReading]:
    try:
        taken = _MANY.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        taken = _one_by_one(body)
    if len(taken) > BATCH_MAX:
        raise Problem(413, f"{len(taken)} readings in one request, the limit is {BATCH_MAX}")
    return taken


def _one_by_one(body: bytes) -> list[NewMeterReading]:
    """The list again, slowly, to say what is wrong with which item."""
    try:
        parts = _RAW.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, f"the body is not JSON: {error}") from error
    taken, errors = [], []
    for index, part in enumerate(parts):
        try:
            taken.append(decode(bytes(part), NewMeterReading))
        except InvalidMessage as error:
            errors.append(_named(f"[{index}]", str(error)))
    if errors:
        raise _refusal(errors)
    return taken


def _owned(message: NewMeterReading, access: Access) -> NewMeterReading:
    """The message with its organization, which an organization's token does not choose."""
    if isinstance(access.scope, UUID) and message.organization is None:
        return msgspec.structs.replace(message, organization=access.scope)
    return message


def _check(taken: list[NewMeterReading], services: Services, access: Access, one: bool) -> None:
    """Refuse what ingest would give up: once on the bus there is nobody left to tell."""
    scope = access.scope if isinstance(access.scope, UUID) else None
    entrance = Entrance("http", scope)
    now, tolerance_s = services.clock.now(), services.settings.clock_tolerance_s
    errors = []
    for index, message in enumerate(taken):
        outcome = check(message, entrance, now, tolerance_s)
        if isinstance(outcome, Outcome):
            errors.append(_named("" if one else f"[{index}]", outcome.reason))
    if errors:
        raise _refusal(errors)


def _named(item: str, text: str) -> dict[str, str]:
    field, colon, message = text.partition(": ")
    if not colon or " " in field:
        field, message = "", text
    return {"field": ".".join(part for part in (item, field) if part) or "body", "message": message}


def _refusal(errors: list[dict[str, str]]) -> Problem:
    first = errors[0]
    if first["field"] == "body" and first["message"].startswith("the message is not JSON"):
        return Problem(400, first["message"].replace("the message", "the body", 1))
    detail = (
        f"nothing was taken; {len(errors)} items are wrong, the first: {first['field']}: {first['message']}"
    )
    return Problem(422, detail, errors=errors[:_ERRORS_MAX])


def _messages(taken: list[NewMeterReading]) -> Iterable[tuple[str, bytes]]:
    """One message per meter: a batch costs the broker as much as a single reading."""
    by_meter: dict[str, list[NewMeterReading]] = {}
    for reading in taken:
        by_meter.setdefault(reading.meter, []).append(reading)
    for meter, some in by_meter.items():
        if len(some) == 1:
            yield _key("new_meter_reading", meter, some[0].series), encode(some[0])
        else:
            yield _key("new_meter_readings", meter), encode(NewMeterReadings(tuple(some)))


def _key(kind: str, *names: Any) -> str:
    try:
        return routing_key(kind, *names)
    except InvalidTopic:
        # Too long for a routing key; the message itself says the whole name.
        return routing_key(kind, *(str(name).encode("ascii", "replace").decode()[:30] for name in names))
